"""Cameras that give pictures and show nothing, or give pictures of an odd kind: each has its own fault."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from drivers.camera import Camera
from drivers.camera_frame import SMALL_SIZE, Frame, Grey, GreyMaker
from drivers.camera_sight import BLACK_S, DAMAGED_S, FROZEN_S, Sight
from drivers.qr_pipeline import find_codes
from drivers.qr_reader import QrConnection
from drivers.reader import Faulted
from drivers.virtual.camera import VirtualCamera, picture
from kiosk.errors import EnvironmentFault
from kiosk.values import CardRead
from tests.drivers.contract import is_end, poll_until

TEXT = "KMC1:" + "6BF+70O90M*KE" * 22
CODE = TEXT.encode("ascii")


@pytest.fixture
def virtual() -> Iterator[VirtualCamera]:
    with VirtualCamera() as camera:
        yield camera


def jpeg(picture_of: Any, *, quality: int = 85) -> bytes:
    return bytes(cv2.imencode(".jpg", picture_of, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def as_frame(encoded: bytes, at: float = 0.0) -> Frame:
    return Frame(np.frombuffer(encoded, np.uint8), at, is_jpeg=True)


def card(width: int = 640) -> Grey:
    grey = np.asarray(
        cv2.imdecode(np.frombuffer(picture(TEXT), np.uint8), cv2.IMREAD_GRAYSCALE), dtype=np.uint8
    )
    return np.asarray(
        cv2.resize(grey, (width, width * 3 // 4), interpolation=cv2.INTER_CUBIC), dtype=np.uint8
    )


def sees(sight: Sight, pictures: Iterator[tuple[float, Grey]]) -> tuple[float, str]:
    """When which fault came; fails if none did."""
    for at, one in pictures:
        try:
            sight.judge(Frame(one, at))
        except EnvironmentFault as fault:
            return at, fault.code
    raise AssertionError("nothing was noticed")


def test_a_black_picture_is_told_once_it_has_lasted() -> None:
    black = np.full((90, 160), 16, np.uint8)
    assert sees(Sight(), ((tick / 10, black) for tick in range(100))) == (BLACK_S, "camera_black")


def test_a_hand_over_the_lens_for_a_moment_is_no_fault() -> None:
    sight = Sight()
    rng = np.random.default_rng(1)
    for tick in range(200):
        dark = tick % 25 < 20
        assert sight.judge(Frame(rng.integers(0, 20 if dark else 200, (90, 160), dtype=np.uint8), tick / 10))


def test_a_dim_room_is_not_black() -> None:
    dim = np.full((90, 160), 10, np.uint8)
    dim[40:60, 60:90] = 45
    rng = np.random.default_rng(2)
    sight = Sight()
    assert all(sight.judge(Frame(dim + rng.integers(0, 3, dim.shape, np.uint8), at)) for at in range(20))


def test_the_same_picture_for_ten_seconds_is_frozen() -> None:
    one = card()
    assert sees(Sight(), ((tick / 4, one) for tick in range(100))) == (FROZEN_S, "camera_frozen")


def test_a_recording_may_stand_still() -> None:
    sight = Sight(can_freeze=False)
    assert all(sight.judge(Frame(card(160), tick)) for tick in range(30))


def test_one_damaged_picture_is_passed_over_and_nothing_else_is_a_fault() -> None:
    sight = Sight()
    damaged = as_frame(b"\xff\xd8" + bytes(500))
    assert damaged.grey.size == damaged.small.size == 0
    assert not sight.judge(damaged)
    assert sight.judge(as_frame(picture(TEXT), 0.1))
    assert not sight.judge(as_frame(b"\xff\xd8\xff", 0.2))
    with pytest.raises(EnvironmentFault) as caught:
        sight.judge(as_frame(b"\xff\xd8\xff", 0.2 + DAMAGED_S))
    assert caught.value.code == "camera_format"


def test_a_black_stream_ends_the_camera_and_light_brings_it_back(virtual: VirtualCamera) -> None:
    clock = [0.0]
    camera = Camera(virtual.url, clock=lambda: clock[0])
    camera.open()
    virtual.show_pictures(jpeg(np.zeros((480, 640), np.uint8)))
    fault = fault_in_steps(camera, clock, 0.3)
    assert fault.code == "camera_black"
    assert fault.detail["device"] == virtual.url
    camera.close()
    camera = reopened_in_vain(camera, "camera_black")
    virtual.show(TEXT)
    open_at_last(camera)
    frame = camera.newest(5.0)
    assert frame is not None
    assert find_codes(frame.grey) == [CODE]
    camera.close()


def test_a_frozen_stream_ends_the_camera_and_a_live_one_brings_it_back(virtual: VirtualCamera) -> None:
    clock = [0.0]
    camera = Camera(virtual.url, clock=lambda: clock[0])
    camera.open()
    virtual.show_pictures(picture(TEXT))
    assert fault_in_steps(camera, clock, 0.5).code == "camera_frozen"
    camera.close()
    camera = reopened_in_vain(camera, "camera_frozen")
    virtual.show(TEXT)
    open_at_last(camera)
    camera.close()


def fault_in_steps(camera: Camera, clock: list[float], step_s: float) -> EnvironmentFault:
    """How the camera fails while its clock goes on by so much with each picture."""
    try:
        for _ in range(2000):
            camera.newest(1.0)
            clock[0] += step_s
    except EnvironmentFault as fault:
        return fault
    raise AssertionError("the camera never failed")


def reopened_in_vain(camera: Camera, code: str) -> Camera:
    """The same camera on the real clock after a try that must fail as before."""
    camera._clock = time.monotonic
    with pytest.raises(EnvironmentFault) as caught:
        camera.open()
    assert caught.value.code == code
    assert not camera.is_open
    return camera


def open_at_last(camera: Camera, tries: int = 10) -> None:
    for _ in range(tries):
        try:
            camera.open()
        except EnvironmentFault:
            continue
        return
    raise AssertionError("the camera sees again and is not opened")


def test_twelve_megapixels_are_read_and_told(virtual: VirtualCamera) -> None:
    whole = np.full((3000, 4000), 120, np.uint8)
    whole[600:2400, 800:3200] = card(2400)
    encoded = jpeg(whole)
    frame = as_frame(encoded)
    assert frame.size == (4000, 3000)
    assert frame.is_reduced
    assert frame.grey.shape == (1500, 2000)
    assert find_codes(frame.grey) == [CODE]
    assert Frame(whole, 0.0).grey.shape == (1500, 2000)
    virtual.show_pictures(encoded, encoded + b"\x00")
    with QrConnection(Camera(virtual.url)) as connection:
        told, *events = poll_until(connection, lambda event: isinstance(event, CardRead))
    assert isinstance(told, Faulted)
    assert (told.fault.family, told.fault.code) == ("environment", "camera_oversized")
    assert told.fault.detail["megapixels"] == 12.0
    assert not [event for event in events if isinstance(event, Faulted)], "once is enough"


def test_720p_is_looked_at_whole() -> None:
    frame = as_frame(jpeg(np.zeros((720, 1280), np.uint8)))
    assert (frame.size, frame.is_reduced, frame.grey.shape) == ((1280, 720), False, (720, 1280))
    assert frame.small.shape == SMALL_SIZE[::-1]


def bits(levels: Grey, count: int) -> Any:
    return levels.astype(np.uint16) << (count - 8)


@pytest.mark.parametrize(
    "made",
    [
        lambda grey: grey,
        lambda grey: grey[:, :, None],
        lambda grey: np.dstack([grey, np.full_like(grey, 128)]),
        lambda grey: cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR),
        lambda grey: cv2.cvtColor(grey, cv2.COLOR_GRAY2BGRA),
        lambda grey: bits(grey, 10),
        lambda grey: bits(grey, 12),
        lambda grey: bits(grey, 16),
        lambda grey: cv2.cvtColor(bits(grey, 16), cv2.COLOR_GRAY2BGR),
        np.asfortranarray,
    ],
    ids=["grey", "one channel", "YUYV", "BGR", "BGRA", "Y10", "Y12", "Y16", "BGR16", "columns first"],
)
def test_odd_formats_are_read(made: Any) -> None:
    frame = Frame(made(card()), 0.0)
    assert frame.grey.dtype == np.uint8
    assert frame.grey.shape == (480, 640)
    assert find_codes(frame.grey) == [CODE]


def test_a_dark_picture_of_many_bits_stays_dark_once_light_was_seen() -> None:
    maker = GreyMaker()
    assert maker.grey(np.full((2, 2), 4000, np.uint16)).max() == 250
    assert maker.grey(np.full((2, 2), 160, np.uint16)).max() == 10


@pytest.mark.parametrize(
    "odd",
    [
        np.zeros((48, 64), np.float32),
        np.zeros((48, 64, 5), np.uint8),
        np.zeros((48, 64), np.int32),
        np.zeros(64, np.uint8),
    ],
    ids=["floats", "five channels", "signed", "one row"],
)
def test_what_nobody_understands_is_named(odd: Any) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        GreyMaker().grey(odd)
    assert caught.value.code == "camera_format"
    assert str(odd.dtype) in caught.value.message


def test_opencv_leaves_no_trace_in_qts_environment() -> None:
    """As with a wheel that brings windows: it sets both variables when it is imported."""
    program = """
import os, sys, types
class Loud(types.ModuleType):
    def setNumThreads(self, count): os.environ["THREADS"] = str(count)
loud = Loud("cv2")
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "cv2":
            import importlib.machinery
            return importlib.machinery.ModuleSpec(name, self)
    def create_module(self, spec): return loud
    def exec_module(self, module):
        os.environ["QT_QPA_PLATFORM_PLUGIN_PATH"] = "/cv2/qt"
        os.environ["QT_QPA_FONTDIR"] = "/cv2/fonts"
sys.meta_path.insert(0, Finder())
os.environ["QT_QPA_FONTDIR"] = "/own/fonts"
os.environ.pop("QT_QPA_PLATFORM_PLUGIN_PATH", None)
import drivers.opencv
print(os.environ.get("QT_QPA_PLATFORM_PLUGIN_PATH"), os.environ["QT_QPA_FONTDIR"], os.environ["THREADS"],
      os.environ["OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["None", "/own/fonts", "1", "2"]


def test_a_read_ends_with_a_card_as_before(virtual: VirtualCamera) -> None:
    virtual.show(TEXT)
    with QrConnection(Camera(virtual.url)) as connection:
        read = poll_until(connection, is_end)[-1]
        assert isinstance(read, CardRead)
        stages = connection.health().stages
    assert read.payload == CODE
    assert stages["zxing"] >= stages["zxing_read"] >= 1
    assert stages["pictures"] >= stages["zxing"]
