"""Light and sharpness of a V4L2 camera: what it offers is asked, what fits the reading of codes is set.

The requests and structures are those of linux/videodev2.h, the controls those of linux/v4l2-controls.h.
"""

from __future__ import annotations

import fcntl
import logging
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

_log = logging.getLogger(__name__)

Ioctl: TypeAlias = Callable[[int, int, bytearray], int]
"""As fcntl.ioctl with a buffer that it changes: raises OSError where the driver refuses."""

_CONTROL = struct.Struct("=Ii")
"""struct v4l2_control: id, value."""
_QUERY = struct.Struct("=II32siiiiI8x")
"""struct v4l2_queryctrl: id, type, name, minimum, maximum, step, default, flags, reserved."""


def _iowr(number: int, size: int) -> int:
    """_IOWR('V', number, size) of asm-generic/ioctl.h."""
    return 3 << 30 | size << 16 | ord("V") << 8 | number


GET_CONTROL = _iowr(27, _CONTROL.size)
SET_CONTROL = _iowr(28, _CONTROL.size)
QUERY_CONTROL = _iowr(36, _QUERY.size)

_DISABLED = 0x0001 | 0x0004
"""V4L2_CTRL_FLAG_DISABLED, V4L2_CTRL_FLAG_READ_ONLY."""

POWER_LINE = 0x00980900 + 24
EXPOSURE_AUTO = 0x009A0900 + 1
EXPOSURE_ABSOLUTE = 0x009A0900 + 2
EXPOSURE_AUTO_PRIORITY = 0x009A0900 + 3
FOCUS_ABSOLUTE = 0x009A0900 + 10
FOCUS_AUTO = 0x009A0900 + 12

POWER_LINE_50_HZ = 1
EXPOSURE_MANUAL, EXPOSURE_APERTURE_PRIORITY = 1, 3
_EXPOSURE_UNITS_PER_MS = 10


@dataclass(frozen=True, slots=True)
class CameraControls:
    """What a camera is set to, where it offers it. Without anything given, its own automatics decide."""

    exposure_ms: float = 0.0
    """Time for which each picture is exposed; 0 = the camera decides, without going below its frame rate."""
    focus: int = -1
    """Position of the lens in the camera's own units; -1 = the camera focuses by itself."""


@dataclass(frozen=True, slots=True)
class Offered:
    """One control that a camera has: its range."""

    minimum: int
    maximum: int

    def nearest(self, value: int) -> int:
        """The value, or the end of the range that is nearest to it."""
        return min(max(value, self.minimum), self.maximum)


class Node:
    """The controls of an open video node."""

    def __init__(self, descriptor: int, ioctl: Ioctl = fcntl.ioctl) -> None:
        self._descriptor = descriptor
        self._ioctl = ioctl

    def offered(self, control: int) -> Offered | None:
        """The range of a control; None if the camera does not have it or does not let it be set."""
        buffer = bytearray(_QUERY.pack(control, 0, b"", 0, 0, 0, 0, 0))
        try:
            self._ioctl(self._descriptor, QUERY_CONTROL, buffer)
        except OSError:
            return None  # EINVAL: there is no such control
        _, _, _, minimum, maximum, _, _, flags = _QUERY.unpack(buffer)
        return None if flags & _DISABLED else Offered(minimum, maximum)

    def value(self, control: int) -> int | None:
        """What a control is set to; None if the camera does not say."""
        buffer = bytearray(_CONTROL.pack(control, 0))
        try:
            self._ioctl(self._descriptor, GET_CONTROL, buffer)
        except OSError:
            return None
        return int(_CONTROL.unpack(buffer)[1])

    def set(self, control: int, value: int) -> bool:
        """Sets a control to the nearest value that it takes; False if there is none or it is refused."""
        offered = self.offered(control)
        if offered is None:
            return False
        try:
            self._ioctl(
                self._descriptor, SET_CONTROL, bytearray(_CONTROL.pack(control, offered.nearest(value)))
            )
        except OSError as error:
            _log.info("camera refuses control %#x = %d: %s", control, value, error)
            return False
        return True


def apply(node: Node, wanted: CameraControls) -> list[str]:
    """Sets what is wanted; answers what the camera took, such as ``exposure 8 ms``.

    Always: lamps of 50 Hz do not flicker, and the frame rate is kept in little light, where a camera would
    otherwise expose for longer and smear every code that moves.
    """
    took: list[str] = []
    if node.set(POWER_LINE, POWER_LINE_50_HZ):
        took.append("power line 50 Hz")
    if node.set(EXPOSURE_AUTO_PRIORITY, 0):
        took.append("frame rate kept")
    if wanted.exposure_ms > 0:
        units = max(1, round(wanted.exposure_ms * _EXPOSURE_UNITS_PER_MS))
        if node.set(EXPOSURE_AUTO, EXPOSURE_MANUAL) and node.set(EXPOSURE_ABSOLUTE, units):
            took.append(f"exposure {wanted.exposure_ms:g} ms")
    elif node.set(EXPOSURE_AUTO, EXPOSURE_APERTURE_PRIORITY):
        took.append("exposure automatic")
    if wanted.focus >= 0:
        node.set(FOCUS_AUTO, 0)
        if node.set(FOCUS_ABSOLUTE, wanted.focus):
            took.append(f"focus {wanted.focus}")
    elif node.set(FOCUS_AUTO, 1):
        took.append("focus automatic")
    return took


def prepare(path: str, wanted: CameraControls) -> list[str]:
    """Sets the camera at that node; what cannot be set stays as it is. Answers what it took."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        _log.info("%s: its controls cannot be opened: %s", path, error)
        return []
    try:
        return apply(Node(descriptor), wanted)
    finally:
        os.close(descriptor)
