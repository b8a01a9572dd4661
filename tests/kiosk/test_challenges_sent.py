"""The kiosk process gives its readers challenges, a key file, and no other credential."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from config.load import load
from drivers.commands import Challenge
from drivers.reader import Lifted, ReaderEvent, Ready
from kiosk import app
from kiosk.app import Processes
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
    assert all(processes.challenges.spend(command.value) for command in sent)
    assert not any(processes.challenges.spend(command.value) for command in sent)


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
