"""Makes of readers by name: found, imported when used, refused when unknown."""

from __future__ import annotations

import subprocess
import sys

import pytest

from drivers.makes import MAKES, connect, is_scanner
from drivers.nfc_any import find_nfc
from drivers.reader import DeviceReference
from kiosk.errors import EnvironmentFault


@pytest.mark.parametrize("path", ["usb:072f:2200", "tty:USB0:pn532", "udp:127.0.0.1:5000"])
def test_a_path_names_its_make_and_nothing_is_opened(path: str) -> None:
    connection = connect(path)
    assert connection.reference == DeviceReference("nfc", path)
    assert type(connection).__name__ == "NfcConnection"


def test_an_empty_path_is_whichever_reader_is_there() -> None:
    assert type(connect("")).__name__ == "AnyNfcConnection"


@pytest.mark.parametrize(
    ("path", "make", "scans"),
    [
        ("serial:/dev/ttyACM0", "ScannerConnection", True),
        ("evdev:/dev/input/by-id/x", "ScannerConnection", True),
        ("keyboard:", "ScannerConnection", True),
        ("/dev/video0", "QrConnection", False),
        ("usb-046d_HD_Webcam_A1B2-video-index0", "QrConnection", False),
        ("rtsp://127.0.0.1/camera", "QrConnection", False),
        ("shot_%03d.png", "QrConnection", False),
    ],
)
def test_a_path_of_a_code_reader_names_its_make(path: str, make: str, scans: bool) -> None:
    assert type(connect(path, kind="qr")).__name__ == make
    assert is_scanner(path) is scans


def test_each_make_has_what_it_names() -> None:
    for makes in MAKES.values():
        assert all(callable(make.load()) for make in makes.values())


def test_an_unknown_make_is_missing() -> None:
    with pytest.raises(EnvironmentFault, match="usb:…, tty:…, udp:…") as caught:
        connect("bluetooth:00")
    assert caught.value.code == "reader_missing"


def test_a_make_is_imported_when_it_is_used() -> None:
    program = (
        "import sys\nfrom drivers.makes import MAKES, connect\n"
        "assert not {'nfc', 'cv2', 'smartcard', 'serial'} & set(sys.modules)\n"
        "connect('udp:127.0.0.1:5000')\n"
        "assert 'nfc' in sys.modules and not {'cv2', 'smartcard'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], ""),
        (["Alcor Micro AU9560 00 00"], ""),
        (
            ["ACS ACR1252 Dual Reader SAM 00 00", "ACS ACR1252 Dual Reader PICC 00 01"],
            "pcsc:ACS ACR1252 Dual Reader PICC 00 01",
        ),
        (["Sony FeliCa Port/PaSoRi 4.0 00 00"], "pcsc:Sony FeliCa Port/PaSoRi 4.0 00 00"),
    ],
)
def test_a_contactless_slot_is_found_where_nfcpy_drives_nothing(
    names: list[str], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.nfc_devices.find_devices", list)
    slots = [DeviceReference("nfc", f"pcsc:{name}", name) for name in names]
    monkeypatch.setattr("drivers.pcsc_reader.find_readers", lambda: slots)
    assert find_nfc() == found


def test_without_pcsc_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_running() -> list[DeviceReference]:
        raise EnvironmentFault("pcsc_not_running", "no pcscd")

    monkeypatch.setattr("drivers.nfc_devices.find_devices", list)
    monkeypatch.setattr("drivers.pcsc_reader.find_readers", not_running)
    assert find_nfc() == ""
    monkeypatch.setattr("drivers.nfc_devices.find_devices", lambda: [DeviceReference("nfc", "usb:001:004")])
    assert find_nfc() == "usb"
