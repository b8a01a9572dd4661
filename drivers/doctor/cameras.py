"""Checks of cameras: there, open to the kiosk's user, giving bright and sharp pictures fast enough."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from drivers.camera_devices import find_cameras, kind_of, refer
from drivers.doctor.machine import Account, Machine, group_of
from drivers.doctor.pictures import Look, judge
from drivers.reader import DeviceReference
from kiosk.errors import EnvironmentFault
from kiosk.values import CheckStatus, Finding

SETUP: Final = "sudo kmc-kiosk setup --system"
LOOK_S: Final = 1.5

_STUCK: Final = "close what else uses the camera (a running kiosk does); unplug it and plug it in again"
_FIXES: Final = {
    "camera_missing": "check its cable, or its address and that it is switched on; others: kmc-kiosk setup",
    "camera_black": "take off its cap or film, and light the place where the code is held",
}


def examine(
    machine: Machine,
    user: Account,
    source: str = "",
    *,
    enabled: bool = True,
    look: bool = True,
    needed: bool = True,
) -> list[Finding]:
    """Every check of every camera; with ``look`` the one in use is opened and its pictures are judged.

    ``source`` is the one that is set: a number, device, file or address; empty means the first that is there.
    ``needed`` is False where a virtual one stands in for it.
    """
    if not enabled:
        seen = "switched off: readers.qr.enabled = false"
        return [Finding("camera", CheckStatus.ABSENT, "camera", seen, again="kmc-kiosk config show")]
    if source and kind_of(source) != "device" and not source.isdigit() and not _is_name(machine, source):
        shown = refer(source).path
        if not look:
            seen = "not looked at: the running kiosk has it, or --no-picture"
            return [Finding("camera", CheckStatus.ABSENT, shown, seen, again="kmc-kiosk test qr")]
        return look_through(source, shown)
    if source:
        return _set(machine, user, source, look)
    cameras = find_cameras(machine.at("/sys/class/video4linux"))
    findings = [_access(machine, user, camera) for camera in cameras]
    if not cameras and not needed:
        seen = "no camera is plugged in"
        return [Finding("camera", CheckStatus.ABSENT, "camera", seen, again="kmc-kiosk devices")]
    if not cameras:
        return [
            Finding(
                "camera",
                CheckStatus.ATTENTION,
                "camera",
                "no camera is plugged in",
                "plug one in; a network camera: readers.qr.source = its address",
                "kmc-kiosk devices",
            )
        ]
    if look and findings[0].status is CheckStatus.GOOD:
        findings += look_through(cameras[0].path, cameras[0].name)
    return findings


def _is_name(machine: Machine, source: str) -> bool:
    """True for a name that udev gave, with or without its folder."""
    return "/" not in source and machine.at(f"/dev/v4l/by-id/{source}").exists()


def _set(machine: Machine, user: Account, source: str, look: bool) -> list[Finding]:
    """The camera that the settings name, by its node."""
    path = f"/dev/video{int(source)}" if source.isdigit() else source
    path = f"/dev/v4l/by-id/{path}" if "/" not in path else path
    subject = f"camera {source}"
    if not machine.at(path).exists():
        there = ", ".join(one.path for one in find_cameras(machine.at("/sys/class/video4linux")))
        seen = f"there is no {path}" + (f"; there: {there}" if there else "; no camera is plugged in")
        fix = "plug it in, or choose what is there: kmc-kiosk setup"
        return [Finding("camera", CheckStatus.BAD, subject, seen, fix, "kmc-kiosk devices")]
    found = _access(machine, user, DeviceReference("qr", path, "camera"))
    return [found, *(look_through(source, subject) if look and found.status is CheckStatus.GOOD else [])]


def _access(machine: Machine, user: Account, camera: DeviceReference) -> Finding:
    subject = f"{camera.name} ({camera.path})"
    node = machine.at(camera.path)
    try:
        if user.may_use(node):
            return Finding("camera_access", CheckStatus.GOOD, subject, f"{user.name} may open {camera.path}")
        seen = f"{user.name} may not open {camera.path} (group {group_of(node)})"
    except OSError as error:
        seen = f"{camera.path}: {error.strerror}"
    return Finding("camera_access", CheckStatus.BAD, subject, seen, f"{SETUP} --user {user.name}")


def look_through(source: str, name: str) -> list[Finding]:
    """Opens a camera (device, file or address) and judges what it shows for a moment."""
    subject = name or source
    try:
        seen = list(_looks(source))
    except EnvironmentFault as fault:
        fix = str(fault.detail.get("fix", "")) or _FIXES.get(fault.code, _STUCK)
        return [Finding("camera_picture", CheckStatus.BAD, subject, f"{fault.code}: {fault.message}", fix)]
    return judge(subject, seen)


def _looks(source: str) -> Iterator[Look]:
    from drivers.camera import Camera  # OpenCV is loaded only for a look

    camera = Camera(source)
    camera.open()
    try:
        begun = time.monotonic()
        while time.monotonic() - begun < LOOK_S:
            frame = camera.newest(0.5)
            if frame is not None:
                yield Look.of(frame.grey, frame.at)
    finally:
        camera.close()
