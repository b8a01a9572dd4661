"""The reader contract and each trouble of a camera on OpenCV's own V4L2 capture.

Run by ``test_camera_v4l2.py`` in a process that has the camera of ``shim/v4l2.c``.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from drivers.camera import Camera
from drivers.camera_controls import (
    EXPOSURE_ABSOLUTE,
    EXPOSURE_AUTO,
    FOCUS_ABSOLUTE,
    POWER_LINE,
    CameraControls,
)
from drivers.camera_devices import kind_of, refer
from drivers.opencv import READ_TIMEOUT_S
from drivers.qr_pipeline import find_codes
from drivers.qr_reader import QrConnection
from drivers.reader import DeviceReference, Faulted, ReaderConnection
from drivers.virtual.camera import picture
from kiosk.errors import EnvironmentFault
from kiosk.values import CardRead, Medium
from tests.drivers.contract import ReaderContract, Rig, poll_until
from tests.drivers.v4l2_camera import FLOWS, GONE, STALLS, V4l2Camera, decoded

TEXT = "KMC1:" + "6BF+70O90M*KE" * 22
CODE = TEXT.encode("ascii")


class V4l2Rig:
    """A camera by its path, or by udev's name in ``by_id``."""

    medium = Medium.QR

    def __init__(self, by_id: Path | None = None) -> None:
        self.camera = V4l2Camera()
        self._by_id = by_id or Path("/nowhere")
        self._source = self.camera.node
        if by_id is not None:
            (by_id / "usb-046d_HD_Webcam_A1B2-video-index0").symlink_to(self.camera.node)
            self._source = "usb-046d_HD_Webcam_A1B2-video-index0"

    @property
    def reference(self) -> DeviceReference:
        return refer(self._source, by_id=self._by_id)

    def connection(self) -> ReaderConnection:
        return QrConnection(Camera(self._source, by_id=self._by_id))

    def present(self, number: int) -> bytes:
        text = f"KMC1:{number}" + "6BF+70O90M*KE" * 22
        self.camera.show(text)
        return text.encode("ascii")

    def remove(self) -> None:
        self.camera.show(None)

    def break_device(self, connection: ReaderConnection) -> None:
        self.camera.be(GONE)


class TestV4l2ByPath(ReaderContract):
    @pytest.fixture
    def rig(self) -> Rig:
        return V4l2Rig()


def test_udevs_name_opens_the_device_it_leads_to(tmp_path: Path) -> None:
    rig = V4l2Rig(tmp_path)
    payload = rig.present(0)
    with rig.connection() as connection:
        assert connection.reference.path == str(tmp_path / "usb-046d_HD_Webcam_A1B2-video-index0")
        read = poll_until(connection, lambda event: isinstance(event, CardRead))[-1]
    assert isinstance(read, CardRead)
    assert read.payload == payload


@pytest.fixture
def seen() -> V4l2Camera:
    return V4l2Camera()


def fault_of(camera: Camera, within_s: float = 20.0) -> EnvironmentFault:
    deadline = time.monotonic() + within_s
    try:
        while time.monotonic() < deadline:
            camera.newest(0.1)
    except EnvironmentFault as fault:
        return fault
    raise AssertionError("the camera never failed")


def test_a_stall_ends_by_the_time_out_and_the_camera_comes_back(seen: V4l2Camera) -> None:
    camera = Camera(seen.node)
    assert kind_of(seen.node) == "device"
    camera.open()
    assert camera.newest(5.0) is not None
    seen.be(STALLS)
    began = time.monotonic()
    assert fault_of(camera).code == "camera_stalled"
    assert time.monotonic() - began < READ_TIMEOUT_S + 1.0
    camera.close(3.0)
    assert not [one for one in threading.enumerate() if one.name == "camera"], "OpenCV waits 10 s by itself"
    seen.be(FLOWS)
    camera.open()
    assert camera.newest(5.0) is not None
    camera.close(5.0)


def test_unplugged_is_gone_at_once_and_missing_until_it_is_back(seen: V4l2Camera) -> None:
    camera = Camera(seen.node)
    camera.open()
    assert camera.newest(5.0) is not None
    seen.be(GONE)
    began = time.monotonic()
    assert fault_of(camera).code == "camera_gone"
    assert time.monotonic() - began < 1.0
    camera.close(5.0)
    with pytest.raises(EnvironmentFault) as caught:
        camera.open()
    assert caught.value.code == "camera_missing"
    seen.be(FLOWS)
    camera.open()
    assert camera.newest(5.0) is not None
    camera.close(5.0)


@pytest.mark.parametrize("pixel_format", ["MJPG", "YUYV", "GREY", "Y16 "])
def test_whatever_the_camera_gives_is_read(pixel_format: str) -> None:
    seen = V4l2Camera(pixel_format)
    seen.show(TEXT)
    camera = Camera(seen.node)
    camera.open()
    frame = camera.newest(5.0)
    camera.close(5.0)
    assert frame is not None
    assert frame.size == (640, 480)
    assert find_codes(frame.grey) == [CODE]


def test_twelve_megapixels_are_read_and_told() -> None:
    whole = np.full((3000, 4000), 120, np.uint8)
    card = cv2.resize(decoded(picture(TEXT)), (2400, 1800), interpolation=cv2.INTER_CUBIC)
    whole[600:2400, 800:3200] = card
    jpeg = bytes(cv2.imencode(".jpg", whole)[1])
    seen = V4l2Camera(jpeg=jpeg)
    with QrConnection(Camera(seen.node)) as connection:
        told, *_, read = poll_until(connection, lambda event: isinstance(event, CardRead))
    assert isinstance(told, Faulted)
    assert told.fault.code == "camera_oversized"
    assert isinstance(read, CardRead)
    assert read.payload == CODE


def look_on(camera: Camera, clock: list[float]) -> None:
    """A minute of the camera's clock, faster."""
    for _ in range(200):
        camera.newest(1.0)
        clock[0] += 0.3


def test_black_and_frozen_are_told(seen: V4l2Camera) -> None:
    for jpeg, code in (
        (bytes(cv2.imencode(".jpg", np.zeros((480, 640), np.uint8))[1]), "camera_black"),
        (picture(TEXT), "camera_frozen"),
    ):
        clock = [0.0]
        camera = Camera(seen.node, clock=lambda clock=clock: clock[0])  # type: ignore[misc]
        camera.open()
        seen.show_jpegs(jpeg, jpeg)
        with pytest.raises(EnvironmentFault) as caught:
            look_on(camera, clock)
        assert caught.value.code == code
        camera.close(5.0)


def test_exposure_and_focus_are_set_when_it_opens(seen: V4l2Camera) -> None:
    camera = Camera(seen.node, controls=CameraControls(exposure_ms=8.0, focus=120))
    camera.open()
    camera.close(5.0)
    values = [seen.control(one) for one in (EXPOSURE_AUTO, EXPOSURE_ABSOLUTE, FOCUS_ABSOLUTE, POWER_LINE)]
    assert values == [1, 80, 120, 1]
