"""The reader contract on a real cv2.VideoCapture over loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drivers.camera import Camera
from drivers.camera_devices import refer
from drivers.qr_reader import QrConnection
from drivers.reader import DeviceReference, ReaderConnection
from drivers.virtual.camera import VirtualCamera
from kiosk.values import Medium
from tests.drivers.contract import ReaderContract, Rig


class QrRig:
    """A virtual camera, and printed cards held before it."""

    medium = Medium.QR

    def __init__(self, camera: VirtualCamera) -> None:
        self._camera = camera

    @property
    def reference(self) -> DeviceReference:
        return refer(self._camera.url)

    def connection(self) -> ReaderConnection:
        return QrConnection(Camera(self._camera.url))

    def present(self, number: int) -> bytes:
        text = f"KMC1:{number}" + "6BF+70O90M*KE" * 22
        self._camera.show(text)
        return text.encode("ascii")

    def remove(self) -> None:
        self._camera.hide()

    def break_device(self, connection: ReaderConnection) -> None:
        self._camera.stop()


class TestQrOverLoopback(ReaderContract):
    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        with VirtualCamera() as camera:
            yield QrRig(camera)
