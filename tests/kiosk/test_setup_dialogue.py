"""Setup: what is chosen of what is there, and how it is written."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import pytest

from config.load import load
from kiosk.errors import EnvironmentFault
from kiosk.setup_dialogue import ask_at_terminal, choose, write


def device(what: str, path: str, **settings: str) -> dict[str, Any]:
    keys = {key.replace("__", "."): value for key, value in settings.items()}
    return {"what": what, "path": path, "name": path, "settings": keys, "trouble": ""}


READERS = [
    device("nfc", "usb:001:004", readers__nfc__device="usb:072f:2200"),
    device("nfc", "tty:USB0", readers__nfc__device="tty:USB0:pn532"),
    device("camera", "/dev/video0", readers__qr__source="/dev/video0"),
]


def answers(*typed: str) -> Any:
    waiting = deque(typed)
    return lambda question: waiting.popleft()


def test_without_questions_the_first_of_each() -> None:
    chosen = choose(READERS, None)
    assert chosen["readers.nfc.device"] == "usb:072f:2200"
    assert chosen["readers.qr.source"] == "/dev/video0"
    assert (chosen["readers.nfc.enabled"], chosen["readers.qr.enabled"]) == ("true", "true")


def test_a_person_chooses() -> None:
    chosen = choose(READERS, answers("9", "x", "2", "0", ""))
    assert chosen["readers.nfc.device"] == "tty:USB0:pn532"
    assert chosen["readers.qr.enabled"] == "false"
    assert "readers.qr.source" not in chosen


def test_what_is_not_there_stays_as_it_was_set() -> None:
    assert choose([], answers("", "", "")) == choose([], None) == {}


def test_written_with_comments_kept(tmp_path: Path) -> None:
    file = tmp_path / "kiosk.toml"
    file.write_text("# the counter by the door\n[screen]\nfullscreen = false  # a laptop\n")
    write(file, choose(READERS, None))
    text = file.read_text()
    assert "# the counter by the door" in text
    assert "# a laptop" in text
    loaded = load({"KMC_HOME": str(tmp_path)}, file).settings
    assert (loaded.readers.nfc.device, loaded.readers.nfc.enabled) == ("usb:072f:2200", True)
    assert loaded.screen.fullscreen is False


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    file = tmp_path / "kiosk.toml"
    with pytest.raises(EnvironmentFault) as caught:
        write(file, {"readers.nfc.devise": "x"})
    assert caught.value.code == "settings_wrong"
    (tmp_path / "taken").touch()
    with pytest.raises(EnvironmentFault) as caught:
        write(tmp_path / "taken" / "kiosk.toml", {"readers.nfc.enabled": "true"})
    assert caught.value.code == "write_failed"


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "nothing").touch()
    with (tmp_path / "nothing").open() as empty:
        monkeypatch.setattr("sys.stdin", empty)
        with pytest.raises(EnvironmentFault) as caught:
            ask_at_terminal("? ")
    assert caught.value.code == "nobody_answers"


def test_a_serial_line_is_a_reader_if_a_person_says_so() -> None:
    line = device(
        "serial",
        "/dev/ttyUSB0",
        readers__nfc__device="tty:USB0:pn532",
        readers__scanner__device="serial:/dev/ttyUSB0",
    )
    keyboard = device("scanner", "/dev/input/by-id/x", readers__scanner__device="evdev:/dev/input/by-id/x")
    unasked = choose([line, keyboard], None)
    assert unasked == {}
    asked = choose([line, keyboard], answers("1", "", "2"))
    assert asked["readers.nfc.device"] == "tty:USB0:pn532"
    assert asked["readers.scanner.device"] == "evdev:/dev/input/by-id/x"
    assert choose([line], answers("0", "", "1"))["readers.scanner.device"] == "serial:/dev/ttyUSB0"


def test_a_path_can_be_typed_whether_something_is_plugged_in_or_not() -> None:
    chosen = choose(READERS, answers("pcsc:ACS ACR1252", "http://10.0.0.7/stream.mjpg", "keyboard:"))
    assert chosen["readers.nfc.device"] == "pcsc:ACS ACR1252"
    assert chosen["readers.qr.source"] == "http://10.0.0.7/stream.mjpg"
    assert chosen["readers.scanner.device"] == "keyboard:"
    alone = choose([], answers("tty:USB0:pn532", "", ""))
    assert alone == {"readers.nfc.enabled": "true", "readers.nfc.device": "tty:USB0:pn532"}


def test_what_is_chosen_is_tried_first() -> None:
    tried: list[tuple[str, str]] = []

    def attempt(kind: str, device: str) -> str:
        tried.append((kind, device))
        return "" if device.startswith("usb") else "3 of 10 read"

    # The line is bad and not wanted then, the USB reader is good; the camera is bad and used all the same.
    typed = answers("2", "y", "n", "1", "maybe", "", "1", "y", "y", "keyboard:", "n")
    chosen = choose(READERS, typed, attempt)
    assert tried == [("nfc", "tty:USB0:pn532"), ("nfc", "usb:072f:2200"), ("qr", "/dev/video0")]
    assert chosen["readers.nfc.device"] == "usb:072f:2200"
    assert chosen["readers.qr.source"] == "/dev/video0"
    assert chosen["readers.scanner.device"] == "keyboard:"
