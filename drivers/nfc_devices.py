"""NFC readers that are plugged in: listed without opening, opened with a fault that names the fix."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

import usb1
from nfc.clf.device import usb_device_map

from drivers import nfc_transport, nfc_udp, usb_reset
from drivers.nfc_budget import BudgetedFrontend
from drivers.reader import Capability, DeviceReference
from kiosk.errors import EnvironmentFault

USB_NAMES: dict[tuple[int, int], str] = {
    (0x054C, 0x0193): "Sony PN531",
    (0x04CC, 0x0531): "Philips PN531",
    (0x04CC, 0x2533): "NXP PN533",
    (0x04E6, 0x5591): "SCM SCL3711",
    (0x04E6, 0x5593): "SCM SCL3712",
    (0x054C, 0x02E1): "Sony RC-S330/360/370",
    (0x054C, 0x06C1): "Sony RC-S380",
    (0x054C, 0x06C3): "Sony RC-S380",
    (0x072F, 0x2200): "ACS ACR122U",
}
"""The readers nfcpy 1.0.4 drives over USB, by vendor and product."""

_USB_CLASS_CCID = 0x0B
"""Smart card interface class (USB defined class codes)."""

_STUCK = (errno.EIO, errno.ETIMEDOUT, errno.EPIPE)
"""A device that is there and does not answer as it should: a reset may help."""

_UDEV_RULE = (
    'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendor:04x}", ATTR{{idProduct}}=="{product:04x}", GROUP="plugdev"'
)


def find_devices() -> list[DeviceReference]:
    """Supported NFC readers on USB, in bus order, none of them opened.

    The fingerprint names the port, so it stays when the reader is plugged into the same socket again.
    Raises EnvironmentFault reader_missing if USB itself cannot be listed.
    """
    found: list[DeviceReference] = []
    try:
        with usb1.USBContext() as context:
            for device in context.getDeviceIterator(skip_on_error=True):
                ids = (device.getVendorID(), device.getProductID())
                if ids not in usb_device_map:
                    continue
                bus, ports = device.getBusNumber(), ".".join(map(str, device.getPortNumberList()))
                found.append(
                    DeviceReference(
                        kind="nfc",
                        path=f"usb:{bus:03d}:{device.getDeviceAddress():03d}",
                        name=USB_NAMES.get(ids, f"{ids[0]:04x}:{ids[1]:04x}"),
                        fingerprint=f"usb:{ids[0]:04x}:{ids[1]:04x}@{bus}-{ports}",
                        capabilities=_capabilities(ids),
                    )
                )
    except (OSError, usb1.USBError) as error:
        raise EnvironmentFault("reader_missing", f"USB cannot be listed: {error}") from error
    return sorted(found, key=lambda reference: reference.path)


def _capabilities(ids: tuple[int, int]) -> frozenset[Capability]:
    if ids == (0x072F, 0x2200):
        return frozenset({"type_a", "type_f", "lamp", "buzzer"})
    return frozenset({"type_a", "type_f"})


def check_access(reference: DeviceReference) -> None:
    """Raise EnvironmentFault reader_denied if this process may not open the USB node, with the fix."""
    match = re.fullmatch(r"usb:(\d{3}):(\d{3})", reference.path)
    if match is None:
        return
    node = Path("/dev/bus/usb", *match.groups())
    if node.exists() and not os.access(node, os.R_OK | os.W_OK):
        raise _denied(reference, f"no right to open {node}")


def _denied(reference: DeviceReference, why: str) -> EnvironmentFault:
    if reference.path.startswith("tty"):
        fix = "sudo usermod -aG dialout $(whoami), then sign in again"
        return EnvironmentFault(
            "reader_denied", f"{reference.path}: {why}. {fix}", fix=fix, device=reference.path
        )
    ids = re.match(r"usb:([0-9a-f]{4}):([0-9a-f]{4})@", reference.fingerprint)
    vendor, product = (int(ids[1], 16), int(ids[2], 16)) if ids else (0, 0)
    rule = _UDEV_RULE.format(vendor=vendor, product=product)
    fix = f"echo '{rule}' | sudo tee /etc/udev/rules.d/93-kmc-nfc.rules && sudo udevadm trigger"
    return EnvironmentFault(
        "reader_denied",
        f"{reference.name or reference.path}: {why}. Let the service user's group in: {fix}",
        fix=fix,
        device=reference.path,
    )


def find_device(path: str) -> DeviceReference:
    """The reference for ``udp:HOST:PORT``, ``tty:PORT[:DRIVER]``, ``usb``, ``usb:VID:PID``, ``usb:BUS:ADDR``.

    A fingerprint is a path too; an empty one means any reader on USB. Opens nothing. Raises EnvironmentFault
    reader_missing.
    """
    if path.startswith("udp"):
        return DeviceReference("nfc", path, "virtual field", path, frozenset({"type_a", "type_f", "virtual"}))
    if path.startswith("tty"):
        return DeviceReference("nfc", path, path, path, frozenset({"type_a", "type_f"}))
    if path and not path.startswith("usb"):
        raise EnvironmentFault("reader_missing", f"{path} is no path of an NFC reader", device=path)
    devices = find_devices()
    wanted = [part.lower() for part in path.split(":")[1:]]
    for device in devices:
        ids = device.fingerprint.split("@")[0].split(":")[1:]
        if wanted in ([], ids[: len(wanted)]) or path in (device.path, device.fingerprint):
            return device
    others = ", ".join(_ccid_readers()) if not devices else ""
    hint = f"; {others} speaks CCID, which needs PC/SC" if others else ""
    where = "on USB" if path in ("", "usb") else f"on {path}"
    raise EnvironmentFault("reader_missing", f"no NFC reader {where}{hint}", device=path)


def _ccid_readers() -> list[str]:
    with usb1.USBContext() as context:
        return [
            f"{device.getVendorID():04x}:{device.getProductID():04x}"
            for device in context.getDeviceIterator(skip_on_error=True)
            if any(setting.getClass() == _USB_CLASS_CCID for setting in device.iterSettings())
        ]


def open_device(reference: DeviceReference, frontend: BudgetedFrontend) -> None:
    """Open the reader into this front end; one that is stuck is reset and opened once more.

    Raises EnvironmentFault: reader_missing, reader_denied (no right, or held by a kernel driver or pcscd).
    """
    if reference.path.startswith("udp"):
        frontend.device = _open_udp(reference.path)
        frontend.least_answer_s = nfc_udp.ANSWER_WAIT_S
        return
    check_access(reference)
    try:
        try:
            device = _open_line(reference)
        except OSError as error:
            if error.errno not in _STUCK or not reset_device(reference):
                raise
            reference = find_device(reference.fingerprint)
            device = _open_line(reference)
    except OSError as error:
        raise _refusal(reference, error) from error
    except Exception as error:
        # nfcpy's drivers raise whatever a device's nonsense leads them to.
        raise EnvironmentFault(
            "reader_missing", f"{reference.path} answers without sense: {error!r}", device=reference.path
        ) from error
    device.chipset.transport.before_command = frontend.check
    frontend.device = device


def reset_device(reference: DeviceReference) -> bool:
    """Reset a USB reader's device. False for any other, and where the reset was refused."""
    match = re.fullmatch(r"usb:(\d{3}):(\d{3})", reference.path)
    return match is not None and usb_reset.reset(int(match[1]), int(match[2]))


def _open_line(reference: DeviceReference) -> Any:
    if reference.path.startswith("tty"):
        return nfc_transport.open_serial(reference.path)
    _, bus, address = reference.path.split(":")
    vendor, product = reference.fingerprint.split("@")[0].split(":")[1:]
    device = nfc_transport.open_usb((int(vendor, 16), int(product, 16)), int(bus), int(address))
    device._path = reference.path  # noqa: SLF001 - as nfcpy's own connect does
    return device


def _refusal(reference: DeviceReference, error: OSError) -> EnvironmentFault:
    if error.errno == errno.EACCES:
        return _denied(reference, "no right to open it")
    if error.errno == errno.EBUSY:
        fix = "sudo systemctl stop pcscd; sudo modprobe -r pn533_usb port100"
        return EnvironmentFault(
            "reader_denied",
            f"{reference.name}: held by another program or a kernel driver. Free it: {fix}",
            fix=fix,
            device=reference.path,
        )
    return EnvironmentFault(
        "reader_missing", f"{reference.path} cannot be opened: {error}", device=reference.path
    )


def _open_udp(path: str) -> nfc_udp.Device:
    match = re.fullmatch(r"udp:([^:]+):(\d{1,5})", path)
    if match is None or not 0 < int(match[2]) < 65536:
        raise EnvironmentFault("reader_missing", f"{path} is not udp:HOST:PORT", device=path)
    try:
        return nfc_udp.Device(match[1], int(match[2]))
    except OSError as error:
        raise EnvironmentFault("reader_missing", f"{path}: {error}", device=path) from error
