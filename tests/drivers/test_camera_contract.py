"""The reader contract on every way in which a camera is named: address, file, image sequence, stable name."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from drivers.camera import Camera
from drivers.camera_devices import refer
from drivers.qr_reader import QrConnection
from drivers.reader import DeviceReference, ReaderConnection
from drivers.virtual.camera import HEIGHT, WIDTH, picture
from kiosk.errors import EnvironmentFault
from kiosk.values import CardRead, Medium
from tests.drivers.contract import ReaderContract, Rig, is_end, poll_until
from tests.drivers.rtsp_camera import RtspCamera

PICTURES = 1000
FRAMES_PER_S = 15


def text_of(number: int) -> str:
    return f"KMC1:{number}" + "6BF+70O90M*KE" * 22


class RtspRig:
    """Cards held before a network camera."""

    medium = Medium.QR

    def __init__(self) -> None:
        self.camera = RtspCamera()

    @property
    def reference(self) -> DeviceReference:
        return refer(self.camera.url)

    def connection(self) -> ReaderConnection:
        return QrConnection(Camera(self.camera.url))

    def present(self, number: int) -> bytes:
        self.camera.show(text_of(number))
        return text_of(number).encode("ascii")

    def remove(self) -> None:
        self.camera.hide()

    def break_device(self, connection: ReaderConnection) -> None:
        self.camera.stop()


class RecordedRig:
    """A recording whose pictures to come are replaced while it plays; ``source`` is how it is named."""

    medium = Medium.QR

    def __init__(self, folder: Path, source: str) -> None:
        self.folder = folder
        self.source = source
        self.shoot(picture(None))

    def shoot(self, jpeg: bytes) -> None:
        raise NotImplementedError

    @property
    def reference(self) -> DeviceReference:
        return refer(self.source, by_id=self.folder / "by-id")

    def connection(self) -> ReaderConnection:
        return QrConnection(Camera(self.source, by_id=self.folder / "by-id"))

    def present(self, number: int) -> bytes:
        self.shoot(picture(text_of(number)))
        return text_of(number).encode("ascii")

    def remove(self) -> None:
        self.shoot(picture(None))


class SequenceRig(RecordedRig):
    """``shot_0000.jpg`` and so on, all of them one picture, until the last."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, str(folder / "shot_%04d.jpg"))
        for number in range(PICTURES):
            (folder / f"shot_{number:04d}.jpg").symlink_to("now.jpg")

    def shoot(self, jpeg: bytes) -> None:
        (self.folder / "next.jpg").write_bytes(jpeg)
        (self.folder / "next.jpg").replace(self.folder / "now.jpg")

    def break_device(self, connection: ReaderConnection) -> None:
        for shot in self.folder.glob("shot_*.jpg"):
            shot.unlink()


class FileRig(RecordedRig):
    """An AVI file of Motion JPEG; all its pictures take the same room."""

    ROOM = 48 * 1024
    COUNT = 300

    def __init__(self, folder: Path, source: str = "") -> None:
        self.file = folder / "card.avi"
        super().__init__(folder, source or str(self.file))

    def shoot(self, jpeg: bytes) -> None:
        seen = np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
        small = bytes(cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, 50])[1])
        assert len(small) <= self.ROOM
        whole = not self.file.exists()
        head, tail = avi_around(self.COUNT, self.ROOM)
        with self.file.open("wb" if whole else "r+b") as file:
            file.write(head)
            file.write((b"00dc" + struct.pack("<I", self.ROOM) + small.ljust(self.ROOM, b"\0")) * self.COUNT)
            file.write(tail)

    def break_device(self, connection: ReaderConnection) -> None:
        self.file.write_bytes(b"")


def avi_around(count: int, room: int) -> tuple[bytes, bytes]:
    """What stands before and after the pictures of an AVI file (Microsoft, AVI RIFF File Reference)."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return name + struct.pack("<I", len(body)) + body

    main = struct.pack(
        "<14I", 1_000_000 // FRAMES_PER_S, 0, 0, 0x10, count, 0, 1, room, WIDTH, HEIGHT, 0, 0, 0, 0
    )
    stream = b"vidsMJPG" + struct.pack(
        "<10I4H", 0, 0, 0, 1, FRAMES_PER_S, 0, count, room, 0, 0, 0, 0, WIDTH, HEIGHT
    )
    form = struct.pack("<IiiHH4sIiiII", 40, WIDTH, HEIGHT, 1, 24, b"MJPG", WIDTH * HEIGHT * 3, 0, 0, 0, 0)
    header = (
        b"hdrl"
        + chunk(b"avih", main)
        + chunk(b"LIST", b"strl" + chunk(b"strh", stream) + chunk(b"strf", form))
    )
    entries = (struct.pack("<4sIII", b"00dc", 0x10, 4 + one * (room + 8), room) for one in range(count))
    tail = chunk(b"idx1", b"".join(entries))
    movi = 4 + count * (room + 8)
    before = b"AVI " + chunk(b"LIST", header) + b"LIST" + struct.pack("<I", movi) + b"movi"
    return b"RIFF" + struct.pack("<I", len(before) + movi - 4 + len(tail)) + before, tail


class TestNetworkCameraByRtsp(ReaderContract):
    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        made = RtspRig()
        yield made
        made.camera.stop()


class TestImageSequence(ReaderContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Rig:
        return SequenceRig(tmp_path)


class TestFileByStableName(ReaderContract):
    """What udev's name leads to is opened; here it leads to a file."""

    @pytest.fixture
    def rig(self, tmp_path: Path) -> Rig:
        (tmp_path / "by-id").mkdir()
        (tmp_path / "by-id" / "usb-046d_HD_Webcam_A1B2-video-index0").symlink_to("../card.avi")
        return FileRig(tmp_path, "usb-046d_HD_Webcam_A1B2-video-index0")


def look_until(camera: Camera, ends_at: float) -> None:
    while time.monotonic() < ends_at:
        camera.newest(0.2)


def test_an_rtsp_camera_that_stalls_is_told_within_its_time_out() -> None:
    camera = RtspCamera()
    opened = Camera(camera.url)
    try:
        opened.open()
        assert opened.newest(5.0) is not None
        camera.stall()
        began = time.monotonic()
        with pytest.raises(EnvironmentFault) as caught:
            look_until(opened, began + 20)
        assert caught.value.code == "camera_stalled"
        assert time.monotonic() - began < 4.0
    finally:
        opened.close()
        camera.stop()


def test_a_file_by_its_path_gives_the_card(tmp_path: Path) -> None:
    rig = FileRig(tmp_path)
    payload = rig.present(0)
    with rig.connection() as connection:
        read = poll_until(connection, is_end)[-1]
    assert isinstance(read, CardRead)
    assert read.payload == payload
