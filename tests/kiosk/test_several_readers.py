"""Several readers on one kiosk: how each is started, and what of theirs reaches the screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from config.load import load
from drivers.reader import Gone, Lifted, Reading, Ready
from kiosk.app import ReaderWords, reader_words
from kiosk.errors import EnvironmentFault
from kiosk.values import CardRead, Medium


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
