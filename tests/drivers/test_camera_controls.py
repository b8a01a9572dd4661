"""Exposure and focus: what a camera offers is asked, what fits is set, what it refuses stays as it is."""

from __future__ import annotations

import errno
import struct
from pathlib import Path

import pytest

from drivers import camera_controls
from drivers.camera_controls import (
    EXPOSURE_ABSOLUTE,
    EXPOSURE_AUTO,
    EXPOSURE_AUTO_PRIORITY,
    FOCUS_ABSOLUTE,
    FOCUS_AUTO,
    GET_CONTROL,
    POWER_LINE,
    QUERY_CONTROL,
    SET_CONTROL,
    CameraControls,
    Node,
    apply,
    prepare,
)

DISABLED, READ_ONLY, INACTIVE = 0x0001, 0x0004, 0x0010
"""V4L2_CTRL_FLAG_* of linux/videodev2.h."""


class Driver:
    """The controls of a UVC camera as the kernel serves them: structures in, structures out, errno."""

    def __init__(self) -> None:
        self.ranges = {
            POWER_LINE: (0, 2, 0),
            EXPOSURE_AUTO: (0, 3, 0),
            EXPOSURE_ABSOLUTE: (3, 2047, INACTIVE),
            EXPOSURE_AUTO_PRIORITY: (0, 1, 0),
            FOCUS_ABSOLUTE: (0, 250, 0),
            FOCUS_AUTO: (0, 1, 0),
        }
        self.values = {POWER_LINE: 2, EXPOSURE_AUTO: 3, EXPOSURE_ABSOLUTE: 250, EXPOSURE_AUTO_PRIORITY: 1}
        self.values |= {FOCUS_ABSOLUTE: 30, FOCUS_AUTO: 1}
        self.order: list[int] = []

    def ioctl(self, descriptor: int, request: int, buffer: bytearray) -> int:
        (control,) = struct.unpack_from("=I", buffer)
        if control not in self.ranges:
            raise OSError(errno.EINVAL, "Invalid argument")
        low, high, flags = self.ranges[control]
        if request == QUERY_CONTROL:
            struct.pack_into("=II32siiiiI", buffer, 0, control, 1, b"", low, high, 1, low, flags)
        elif request == GET_CONTROL:
            struct.pack_into("=Ii", buffer, 0, control, self.values[control])
        elif request == SET_CONTROL:
            (value,) = struct.unpack_from("=i", buffer, 4)
            if not low <= value <= high:
                raise OSError(errno.ERANGE, "Numerical result out of range")
            # As uvcvideo: a time of exposure is refused while the camera decides.
            if control == EXPOSURE_ABSOLUTE and self.values[EXPOSURE_AUTO] == 3:
                raise OSError(errno.EACCES, "Permission denied")
            self.order.append(control)
            self.values[control] = value
        else:
            raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")
        return 0


@pytest.fixture
def driver() -> Driver:
    return Driver()


def test_requests_are_the_kernels() -> None:
    """The numbers that linux/videodev2.h gives on every machine of ours."""
    assert (GET_CONTROL, SET_CONTROL, QUERY_CONTROL) == (0xC008561B, 0xC008561C, 0xC0445624)


def test_without_a_wish_the_camera_decides_and_keeps_its_pace(driver: Driver) -> None:
    driver.values |= {EXPOSURE_AUTO: 1, FOCUS_AUTO: 0}
    took = apply(Node(3, driver.ioctl), CameraControls())
    assert took == ["power line 50 Hz", "frame rate kept", "exposure automatic", "focus automatic"]
    assert driver.values == {
        POWER_LINE: 1,
        EXPOSURE_AUTO: 3,
        EXPOSURE_ABSOLUTE: 250,
        EXPOSURE_AUTO_PRIORITY: 0,
        FOCUS_ABSOLUTE: 30,
        FOCUS_AUTO: 1,
    }


def test_a_time_of_exposure_comes_after_manual_in_tenths_of_a_millisecond(driver: Driver) -> None:
    took = apply(Node(3, driver.ioctl), CameraControls(exposure_ms=8.0))
    assert "exposure 8 ms" in took
    assert (driver.values[EXPOSURE_AUTO], driver.values[EXPOSURE_ABSOLUTE]) == (1, 80)
    assert driver.order.index(EXPOSURE_AUTO) < driver.order.index(EXPOSURE_ABSOLUTE)


def test_a_position_of_the_lens_comes_after_its_automatic_is_off(driver: Driver) -> None:
    assert "focus 120" in apply(Node(3, driver.ioctl), CameraControls(focus=120))
    assert (driver.values[FOCUS_AUTO], driver.values[FOCUS_ABSOLUTE]) == (0, 120)
    assert driver.order.index(FOCUS_AUTO) < driver.order.index(FOCUS_ABSOLUTE)


def test_what_is_out_of_range_becomes_the_nearest(driver: Driver) -> None:
    apply(Node(3, driver.ioctl), CameraControls(exposure_ms=0.01, focus=9999))
    assert (driver.values[EXPOSURE_ABSOLUTE], driver.values[FOCUS_ABSOLUTE]) == (3, 250)


def test_a_camera_without_controls_is_left_alone() -> None:
    bare = Driver()
    bare.ranges.clear()
    assert apply(Node(3, bare.ioctl), CameraControls(exposure_ms=8.0, focus=3)) == []
    assert bare.order == []


@pytest.mark.parametrize("flag", [DISABLED, READ_ONLY])
def test_a_control_that_may_not_be_set_is_as_none(driver: Driver, flag: int) -> None:
    driver.ranges[FOCUS_ABSOLUTE] = (0, 250, flag)
    assert Node(3, driver.ioctl).offered(FOCUS_ABSOLUTE) is None
    assert "focus 9" not in apply(Node(3, driver.ioctl), CameraControls(focus=9))


def test_a_camera_that_refuses_is_used_all_the_same(driver: Driver) -> None:
    def refuses(descriptor: int, request: int, buffer: bytearray) -> int:
        if request == SET_CONTROL:
            raise OSError(errno.EIO, "Input/output error")
        return driver.ioctl(descriptor, request, buffer)

    assert apply(Node(3, refuses), CameraControls(exposure_ms=8.0, focus=3)) == []


def test_values_are_asked(driver: Driver) -> None:
    node = Node(3, driver.ioctl)
    assert node.value(FOCUS_ABSOLUTE) == 30
    assert node.value(0x1234) is None


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_node_is_opened_set_and_closed(
    driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "video0").touch()
    before = open_files()
    monkeypatch.setattr(camera_controls.Node.__init__, "__defaults__", (driver.ioctl,))
    assert "focus 7" in prepare(str(tmp_path / "video0"), CameraControls(focus=7))
    assert prepare(str(tmp_path / "nothing"), CameraControls()) == []
    assert open_files() == before


def test_what_is_no_camera_has_no_controls(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    assert prepare(str(tmp_path / "plain"), CameraControls(exposure_ms=8.0, focus=3)) == []
