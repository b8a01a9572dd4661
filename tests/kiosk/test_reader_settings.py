"""How commands take cameras and scanners as the settings want them, and what they say of one that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.load import Loaded, load
from drivers.camera_controls import CameraControls
from drivers.scanner_lines import LineForm
from kiosk.cli import device_to_test, options_of_qr
from kiosk.errors import EnvironmentFault


def loaded(folder: Path, written: str = "") -> Loaded:
    file = folder / "kiosk.toml"
    file.write_text(written)
    return load({"KMC_HOME": str(folder)}, file)


SET = """
[readers.qr]
source = "usb-046d_HD_Webcam_A1B2-video-index0"
exposure_ms = 8.0
focus = 120
[readers.scanner]
device = "serial:/dev/ttyACM0"
prefix = "~Q"
suffix = "\\r\\n"
baud = 115200
"""


def test_a_scanner_is_tested_as_it_is_set(tmp_path: Path) -> None:
    settings = loaded(tmp_path, SET)
    assert device_to_test(settings, "scanner", "") == "serial:/dev/ttyACM0"
    assert device_to_test(settings, "scanner", "keyboard:") == "keyboard:"
    for device in ("serial:/dev/ttyUSB1", "keyboard:", "evdev:/dev/input/event3"):
        options = options_of_qr(settings, device)
        assert options == {"form": LineForm(b"~Q", b"\r\n"), "baud": 115200}


def test_a_camera_is_tested_as_it_is_set(tmp_path: Path) -> None:
    settings = loaded(tmp_path, SET)
    assert device_to_test(settings, "qr", "") == "usb-046d_HD_Webcam_A1B2-video-index0"
    assert options_of_qr(settings, "/dev/video0") == {"controls": CameraControls(8.0, 120)}


@pytest.mark.parametrize(
    ("given", "said"),
    [("", "readers.scanner.device is not set"), ("/dev/video0", "/dev/video0 is no hand-held scanner")],
)
def test_what_is_no_scanner_is_told_with_the_ways_to_name_one(tmp_path: Path, given: str, said: str) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        device_to_test(loaded(tmp_path), "scanner", given)
    assert caught.value.code == "reader_missing"
    assert said in caught.value.message
    for way in ("serial:PORT", "evdev:FILE", "keyboard:", "kmc-kiosk devices"):
        assert way in caught.value.detail["fix"]
