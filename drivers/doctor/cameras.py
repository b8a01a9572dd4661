"""Checks of cameras: there, open to the kiosk's user, giving bright and sharp pictures fast enough."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from drivers.camera_devices import find_cameras
from drivers.doctor.machine import Account, Machine, group_of
from drivers.doctor.pictures import Look, judge
from drivers.reader import DeviceReference
from kiosk.errors import EnvironmentFault
from kiosk.values import CheckStatus, Finding

SETUP: Final = "sudo kmc-kiosk setup --system"
LOOK_S: Final = 1.5


def examine(machine: Machine, user: Account, *, look: bool = True) -> list[Finding]:
    """Every check of every camera; with ``look`` the first one is opened and its pictures are judged."""
    cameras = find_cameras(machine.at("/sys/class/video4linux"))
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
    findings = [_access(machine, user, camera) for camera in cameras]
    if look and findings[0].status is CheckStatus.GOOD:
        findings += look_through(cameras[0].path, cameras[0].name)
    return findings


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
        fix = "close what else uses the camera (a running kiosk does); unplug it and plug it in again"
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
