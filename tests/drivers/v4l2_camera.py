"""The camera that ``shim/v4l2.c`` puts in the kernel's place, as a test moves it."""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.camera_controls import (
    EXPOSURE_ABSOLUTE,
    EXPOSURE_AUTO,
    EXPOSURE_AUTO_PRIORITY,
    FOCUS_ABSOLUTE,
    FOCUS_AUTO,
    POWER_LINE,
)
from drivers.camera_frame import Grey
from drivers.virtual.camera import picture

FLOWS, STALLS, GONE = range(3)
ROOM = 26 << 20
FRAMES_PER_S = 30
_HEAD = struct.Struct("=8I")
_CONTROL = struct.Struct("=Iiii")
CONTROLS = {
    POWER_LINE: (0, 2, 2),
    EXPOSURE_AUTO: (0, 3, 3),
    EXPOSURE_ABSOLUTE: (3, 2047, 250),
    EXPOSURE_AUTO_PRIORITY: (0, 1, 1),
    FOCUS_ABSOLUTE: (0, 250, 30),
    FOCUS_AUTO: (0, 1, 0),
}


def environment(folder: Path, shim: Path) -> dict[str, str]:
    """What a process is started with to have this camera at ``folder / "video0"``."""
    (folder / "video0").symlink_to("/dev/null")
    with (folder / "state").open("wb") as file:
        file.truncate(4096 + 2 * ROOM)
    # What this process was told for its own OpenCV is for the other one to set.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OPENCV")}
    return inherited | {
        "LD_PRELOAD": str(shim),
        "KMC_V4L2_NODE": str(folder / "video0"),
        "KMC_V4L2_STATE": str(folder / "state"),
    }


class V4l2Camera:
    """A UVC camera of 640 × 480 at 30 a second that gives one pixel format: ``MJPG``, ``YUYV``, ``GREY`` …"""

    def __init__(self, pixel_format: str = "MJPG", jpeg: bytes = b"") -> None:
        with Path(os.environ["KMC_V4L2_STATE"]).open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self.node = os.environ["KMC_V4L2_NODE"]
        self._format = pixel_format
        self._mode = FLOWS
        for number, (control, (low, high, value)) in enumerate(CONTROLS.items()):
            _CONTROL.pack_into(self._memory, _HEAD.size + number * _CONTROL.size, control, low, high, value)
        self.show_jpegs(jpeg or picture(None), jpeg or picture(None))

    def show(self, text: str | None) -> None:
        self.show_jpegs(picture(text), picture(text))

    def show_jpegs(self, *jpegs: bytes) -> None:
        """Two pictures that take turns."""
        self._pictures = jpegs
        self._write()

    def be(self, mode: int) -> None:
        """FLOWS, STALLS or GONE."""
        self._mode = mode
        self._write()

    def control(self, control: int) -> int:
        """What a control is set to now."""
        number = list(CONTROLS).index(control)
        return int(_CONTROL.unpack_from(self._memory, _HEAD.size + number * _CONTROL.size)[3])

    def _write(self) -> None:
        grey = decoded(self._pictures[0])
        raw = [self._encoded(jpeg) for jpeg in self._pictures]
        for number, one in enumerate(raw):
            start = 4096 + number * ROOM
            self._memory[start : start + len(one)] = one
        (fourcc,) = struct.unpack("<I", self._format.encode("ascii"))
        streaming = _HEAD.unpack_from(self._memory)[7]
        rows, columns = grey.shape
        _HEAD.pack_into(
            self._memory,
            0,
            self._mode,
            fourcc,
            columns,
            rows,
            1_000_000 // FRAMES_PER_S,
            len(raw[0]),
            len(raw[1]),
            streaming,
        )

    def _encoded(self, jpeg: bytes) -> bytes:
        if self._format == "MJPG":
            return jpeg
        grey = decoded(jpeg)
        if self._format == "YUYV":
            return bytes(np.dstack([grey, np.full_like(grey, 128)]).tobytes())
        if self._format == "Y16 ":
            return bytes((grey.astype(np.uint16) << 8).tobytes())
        return bytes(grey.tobytes())


def decoded(jpeg: bytes) -> Grey:
    """The picture in grey."""
    made: NDArray[Any] | None = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    return np.asarray(made, dtype=np.uint8)
