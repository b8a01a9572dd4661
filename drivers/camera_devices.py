"""Cameras of this machine and what names them, without OpenCV: cheap to list, none is opened."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, TypeAlias

from drivers.reader import DeviceReference
from kiosk.errors import EnvironmentFault

SourceKind: TypeAlias = Literal["device", "stream", "recording"]

SYSFS = Path("/sys/class/video4linux")
BY_ID = Path("/dev/v4l/by-id")
"""Names that udev gives by make and serial number (60-persistent-v4l.rules): they outlive a new plug."""
_DEVICE = re.compile(r"/dev/video\d+|/dev/v4l/by-(?:id|path)/[^/]+")


def find_cameras(sysfs: Path = SYSFS) -> list[DeviceReference]:
    """Cameras of this machine, none of them opened: plugged-in ones first, then by number.

    Read from sysfs (Linux, Documentation/userspace-api/media/v4l/dev-capture.rst): a node with an index above
    0 carries metadata, and codecs of a system on chip are no cameras.
    """
    found: list[tuple[bool, int, DeviceReference]] = []
    for node in sysfs.glob("video*"):
        number = node.name.removeprefix("video")
        name = _line_of(node / "name")
        if not number.isdigit() or _line_of(node / "index") not in ("", "0"):
            continue
        if re.search(r"codec|isp|m2m|decoder|encoder", name, re.IGNORECASE):
            continue
        usb = (node / "device").resolve().parent
        vendor, product = _line_of(usb / "idVendor"), _line_of(usb / "idProduct")
        print_of = f"{vendor}:{product}:{_line_of(usb / 'serial')}" if vendor else ""
        path = f"/dev/{node.name}"
        found.append(
            (
                not vendor,
                int(number),
                DeviceReference("qr", path, name or path, print_of or path, frozenset({"qr"})),
            )
        )
    return [reference for *_, reference in sorted(found, key=lambda entry: entry[:2])]


def _line_of(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def refer(source: str, sysfs: Path = SYSFS, by_id: Path = BY_ID) -> DeviceReference:
    """The camera that ``source`` names: empty = the first one found, a number, a path, a name or an address.

    A name is one that udev gave (``usb-046d_HD_Webcam_A1B2-video-index0``), with or without its folder.
    A password in an address is left out of the reference. Raises EnvironmentFault camera_missing if there is
    no camera to find.
    """
    if source.isdigit():
        source = f"/dev/video{int(source)}"
    stable = by_id / source
    if source and (stable.parent == by_id) and stable.is_symlink():
        node = stable.resolve()
        known = next((one for one in find_cameras(sysfs) if one.path == f"/dev/{node.name}"), None)
        name = known.name if known else stable.name
        return DeviceReference("qr", str(stable), name, str(stable), frozenset({"qr"}))
    if source and not _DEVICE.fullmatch(source):
        shown = re.sub(r"://[^/?#]*@", "://", source)
        return DeviceReference("qr", shown, shown.rpartition("/")[2] or shown, shown, frozenset({"qr"}))
    cameras = find_cameras(sysfs)
    if not source and not cameras:
        raise EnvironmentFault("camera_missing", "no camera is plugged in")
    if not source:
        return cameras[0]
    by_path = {camera.path: camera for camera in cameras}
    return by_path.get(source, DeviceReference("qr", source, source, source, frozenset({"qr"})))


def kind_of(source: str) -> SourceKind:
    """What ``source`` (a path or an address) is: a device, a live stream or a recording."""
    if _DEVICE.fullmatch(source) or _is_character_device(source):
        return "device"
    return "stream" if "://" in source else "recording"


def _is_character_device(source: str) -> bool:
    try:
        return "://" not in source and Path(source).is_char_device()
    except (OSError, ValueError):
        return False
