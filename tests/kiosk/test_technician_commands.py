"""A technician's commands from the outside: ``setup``, ``setup --system``, ``doctor``, ``test``."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from drivers.doctor import system_setup
from drivers.doctor.listing import Listed
from kiosk import reader_scores
from kiosk.cli import main
from tests.drivers.doctor_machine import Folder
from tests.drivers.nfc_rig import make_card
from tests.drivers.serial_line import SerialReader


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with nothing in it, on a machine with nothing plugged in."""
    monkeypatch.setenv("KMC_HOME", str(tmp_path))
    monkeypatch.setattr("drivers.doctor.listing.list_devices", lambda machine, user: [])
    return tmp_path


def type_in(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def answer(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_setup_of_nothing_writes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["setup", "--yes", "--json"]) == 1
    assert answer(capsys)["code"] == "nothing_found"
    assert not (home / "kiosk.toml").exists()


def test_setup_takes_the_first_and_keeps_comments(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "kiosk.toml").write_text("# by the door\n")
    reader = Listed(
        "nfc", "usb:001:004", "ACR122U", "usb:072f:2200@1-1", {"readers.nfc.device": "usb:072f:2200"}
    )
    monkeypatch.setattr("drivers.doctor.listing.list_devices", lambda machine, user: [reader])
    assert main(["setup", "--yes"]) == 0
    assert "kmc-kiosk test nfc" in capsys.readouterr().out
    text = (home / "kiosk.toml").read_text()
    assert "# by the door" in text
    assert 'device = "usb:072f:2200"' in text


def test_setup_tries_a_reader_and_asks_what_to_do_about_a_bad_one(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The device is missing: not used all the same, no other one, no camera, no scanner.
    type_in(monkeypatch, "tty:/nowhere:pn532", "y", "n", "", "", "")
    assert main(["setup"]) == 1
    told = capsys.readouterr().err
    assert "reader_missing" in told
    assert "nothing_found" in told


def test_taps_are_kept_for_the_doctor(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with SerialReader(home / "ttyNFC") as reader:
        words = ["test", "nfc", "--device", reader.device, "--taps", "2", "--timeout", "1", "--json"]
        reader.card = make_card("NTAG215")
        assert main(words) == 1
        assert answer(capsys)["code"] == "tap_timeout"  # nobody took it away
        assert reader_scores.load(home) == {}

        def obey(told: str) -> None:
            if told.startswith(("tap", "take it away")):
                reader.card = make_card("NTAG215") if told.startswith("tap") else None

        monkeypatch.setattr("kiosk.cli.say_to_person", obey)
        assert main(words) == 0
        assert answer(capsys)["reads"] == 2
    assert reader_scores.load(home)["nfc"]["reads"] == 2


def test_what_root_would_write_is_printed(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Folder(home / "machine")
    monkeypatch.setattr(system_setup, "Machine", lambda: folder.machine)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    assert main(["setup", "--system", "--user", "nobody"]) == 1
    told = capsys.readouterr().err
    assert f"sudo tee {system_setup.RULES}" in told
    assert "sudo usermod -aG plugdev nobody" in told
    assert main(["setup", "--system", "--user", "nobody-of-this-name", "--json"]) == 1
    assert answer(capsys)["code"] == "user_unknown"


def test_the_doctor_goes_on_where_it_may_not_mend(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Folder(home / "machine")
    monkeypatch.setattr(system_setup, "Machine", lambda: folder.machine)
    monkeypatch.setattr("drivers.doctor.system_setup.os.geteuid", lambda: 65534)
    monkeypatch.setenv("KMC_READERS__NFC__DEVICE", "tty:/nowhere:pn532")
    monkeypatch.setenv("KMC_READERS__SCANNER__DEVICE", "keyboard:")
    assert main(["doctor", "--fix", "--no-picture", "--json", "--user", "nobody"]) == 1
    captured = capsys.readouterr()
    assert "root_needed" in captured.err
    found = {one["check"]: one for one in json.loads(captured.out)["findings"]}
    assert found["reader_set"]["status"] == "bad"
    assert found["scanner_prefix"]["status"] == "attention"
    wanted = {"settings", "usb_id", "pcsc", "camera", "taps_nfc", "taps_qr", "disk", "enrolment"}
    assert wanted | {"sound", "printer", "central"} <= set(found)


def test_a_page_to_print(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "qr", "--page", str(home / "page.svg")]) == 0
    assert "actual size" in capsys.readouterr().out
    assert (home / "page.svg").read_bytes().startswith(b"<svg")
    assert main(["test", "qr", "--page", str(home / "none" / "page.svg"), "--json"]) == 1
    assert answer(capsys)["code"] == "write_failed"
