"""The kiosk process gives its readers challenges, a key file, and no other credential."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from config.load import load
from drivers.commands import Challenge
from drivers.reader import Health, Lifted, ReaderEvent, Ready
from kiosk import app
from kiosk.app import Processes
from kiosk.chip_proof import RENEW_S, Challenges
from kiosk.values import CardRead, Medium


class Told:
    """What a supervisor was given to send."""

    def __init__(self) -> None:
        self.commands: list[Any] = []

    def send(self, command: Any) -> bool:
        self.commands.append(command)
        return True


def test_after_ready_and_after_each_read_a_chip_reader_has_a_fresh_challenge(tmp_path: Path) -> None:
    seen: list[tuple[str, ReaderEvent]] = []
    processes = Processes(load({"KMC_HOME": str(tmp_path)}), lambda name, event: seen.append((name, event)))
    readers = {name: Told() for name in ("nfc", "nfc:2", "qr")}
    processes._readers = readers  # type: ignore[assignment]
    events: list[ReaderEvent] = [Ready("nfc", "", ""), CardRead(Medium.NFC, b"x"), Lifted()]
    for name in readers:
        for event in events:
            processes._take(name, event)
    assert seen == [(name, event) for name in readers for event in events]
    sent = [*readers["nfc"].commands, *readers["nfc:2"].commands]
    assert [type(command) for command in sent] == [Challenge] * 4
    assert len({command.value for command in sent}) == 4
    assert readers["qr"].commands == []
    assert all(processes.challenges.spend(command.value) is not None for command in sent)
    assert all(processes.challenges.spend(command.value) is None for command in sent)


def test_a_reader_that_nobody_taps_is_given_another_one_now_and_then(tmp_path: Path) -> None:
    processes = Processes(load({"KMC_HOME": str(tmp_path)}), lambda name, event: None)
    now = [1000.0]
    processes.challenges = Challenges(lambda: now[0])
    reader, camera = Told(), Told()
    processes._readers = {"nfc": reader, "qr": camera}  # type: ignore[dict-item]
    processes._take("nfc", Ready("nfc", "", ""))
    for _ in range(3 * int(RENEW_S)):
        now[0] += 1.0
        for name in processes._readers:
            processes._take(name, Health(1, 0, 0))
        # Whenever the next card comes, what its reader holds can be answered.
        age_s = now[0] - max(given for given, _ in processes.challenges._open["nfc"])
        assert age_s < RENEW_S
    assert len(reader.commands) == 4
    assert camera.commands == []
    assert processes.challenges.spend(reader.commands[-1].value) is not None


def test_a_reader_is_told_of_its_key_file_and_of_no_other_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    loaded = load({"KMC_HOME": str(tmp_path)})
    assert app.reader_words(loaded)["nfc"] == ["read", "nfc"]
    key_file = tmp_path / "card-auth-key"
    key_file.write_text("00" * 16)
    assert app.reader_words(loaded)["nfc"] == ["read", "nfc", "--card-key-file", str(key_file)]
    assert "CREDENTIALS_DIRECTORY" not in app._reader_environment(loaded)
    assert app._environment(loaded)["CREDENTIALS_DIRECTORY"] == str(tmp_path)
    assert app.reader_words(loaded)["qr"] == ["read", "qr"]
