"""Several readers on one kiosk: how each is started, and what of theirs reaches the screen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from config.load import load
from drivers.reader import Gone, Hint, Lifted, Reading, Ready
from kiosk.app import ReaderWords, reader_words
from kiosk.errors import EnvironmentFault
from kiosk.values import CardRead, Medium
from ui.events import ReaderNotice


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("", {"nfc": ["read", "nfc"], "qr": ["read", "qr"]}),
        ('device = "usb:072f:2200"', {"nfc": ["read", "nfc"], "qr": ["read", "qr"]}),
        (
            'device = ["usb:072f:2200", "tty:/dev/ttyUSB0:pn532"]',
            {
                "nfc": ["read", "nfc", "--device", "usb:072f:2200"],
                "nfc:2": ["read", "nfc", "--device", "tty:/dev/ttyUSB0:pn532"],
                "qr": ["read", "qr"],
            },
        ),
        ("enabled = false", {"qr": ["read", "qr"]}),
    ],
)
def test_each_device_has_a_process_of_its_own(
    written: str, words: dict[str, list[str]], tmp_path: Path
) -> None:
    (tmp_path / "kiosk.toml").write_text(f"[readers.nfc]\n{written}\n", "utf-8")
    assert reader_words(load({"KMC_HOME": str(tmp_path)})) == words


def test_several_devices_come_from_the_environment_too(tmp_path: Path) -> None:
    environ = {"KMC_HOME": str(tmp_path), "KMC_READERS__NFC__DEVICE": "usb:072f:2200, usb:054c:06c3"}
    assert load(environ).settings.readers.nfc.devices == ("usb:072f:2200", "usb:054c:06c3")


def _read(card: bytes) -> CardRead:
    return CardRead(Medium.NFC, card, b"\x04" + card, "NTAG215")


def test_the_screen_is_told_which_reader_speaks_and_of_one_card_once() -> None:
    told: list[Any] = []
    words = ReaderWords()
    words.take("nfc", Ready("nfc", "usb:001:004", "ACS ACR122U"))
    words.attach(told.append)
    words.take("nfc:2", Gone(EnvironmentFault("reader_missing", "not there")))
    words.take("nfc", Reading())
    words.take("nfc", _read(b"one"))
    words.take("nfc:2", _read(b"one"))
    words.take("nfc:2", _read(b"two"))
    words.take("nfc", Lifted())
    assert [(notice.kind, notice.source, notice.reader) for notice in told] == [
        ("ready", "nfc", "nfc"),
        ("gone", "nfc", "nfc:2"),
        ("reading", "nfc", "nfc"),
        ("read", "nfc", "nfc"),
        ("lifted", "nfc", "nfc"),
    ]
    assert words.last_source == "nfc"
    words.answered(ok=False)
    words.take("nfc:2", _read(b"two"))
    assert told[-1].read == _read(b"two")
    assert words.last_source == "nfc:2"


def _typed(content: bytes) -> ReaderNotice:
    return ReaderNotice("read", read=CardRead(Medium.QR, content), source="qr", reader="qr:keyboard")


def test_a_scanner_that_types_is_one_reader_among_the_others() -> None:
    told: list[Any] = []
    words = ReaderWords()
    words.attach(told.append)
    words.take("qr", CardRead(Medium.QR, b"KMC1:A"))
    words.typed(_typed(b"KMC1:A"))
    assert [notice.kind for notice in told if notice.kind != "reading"] == ["read"], "the camera was first"
    words.answered(ok=False)
    words.typed(_typed(b"KMC1:B"))
    words.typed(_typed(b"KMC1:B"))
    assert [notice.read.payload for notice in told if notice.read] == [b"KMC1:A", b"KMC1:B"]
    assert words.last_source == "qr:keyboard"
    words.typed(_typed(b"https://metrokota.go.id/kmc"))
    words.typed(ReaderNotice("fault", "card_unreadable", source="qr", reader="qr:keyboard"))
    assert [notice.code for notice in told if notice.kind == "fault"] == ["card_foreign", "card_unreadable"]
    assert {(notice.source, notice.reader) for notice in told[1:]} == {("qr", "qr:keyboard")}


def test_a_hint_goes_to_the_screen_with_its_place() -> None:
    told: list[Any] = []
    words = ReaderWords()
    words.attach(told.append)
    words.take("qr", Hint("closer", (0.1, 0.2, 0.3, 0.4)))
    (notice,) = told
    assert (notice.kind, notice.code, notice.region) == ("hint", "closer", (0.1, 0.2, 0.3, 0.4))


def test_the_screens_process_loads_no_camera_and_no_reader() -> None:
    program = "import sys, kiosk.app; assert not {'cv2', 'numpy', 'nfc', 'zxingcpp'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
