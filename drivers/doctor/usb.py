"""Checks of NFC readers on USB: known, free of the kernel's drivers, open to the kiosk's user, awake."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from drivers.doctor.machine import (
    Account,
    Machine,
    UsbDevice,
    group_of,
    modprobe_files,
    rule_files,
    rule_number,
)
from drivers.nfc_devices import USB_NAMES
from kiosk.values import CheckStatus, Finding

CCID: Final = 0x0B
"""Smart card interface class (USB defined class codes)."""

LEAST_RULE: Final = 93
"""libccid's rules are numbered 92 and give the node to its own group: ours must come after them."""

_KERNEL_DRIVERS: Final = frozenset({"pn533_usb", "port100", "pn533", "nfcmrvl_usb"})
"""The kernel's own NFC drivers (Linux, drivers/nfc): while one has the reader, no program has."""

_MODULE_OF: Final = {
    (0x054C, 0x06C1): "port100",
    (0x04CC, 0x2533): "pn533_usb",
    (0x04E6, 0x5591): "pn533_usb",
    (0x072F, 0x2200): "pn533_usb",
    (0x054C, 0x02E1): "pn533_usb",
}
"""Which of them takes which reader when it is plugged in (the drivers' own tables of USB ids)."""

_READER_VENDORS: Final = {
    0x054C: "Sony",
    0x072F: "ACS",
    0x04E6: "SCM / Identiv",
    0x04CC: "Philips / NXP",
    0x1FC9: "NXP",
    0x076B: "HID / OMNIKEY",
    0x0C27: "RF IDeas",
    0x1C34: "SpringCard",
    0x04D8: "Microchip (Elatec and others)",
}
"""Makers of NFC readers by USB vendor (usb.ids); their other products may be anything."""

_OLDEST: Final = {(0x072F, 0x2200): (0x0200, "ACR122U firmware 1.x: nfcpy's driver needs 2.x")}
"""Least ``bcdDevice`` of a make, and why (nfcpy 1.0.4, nfc/clf/acr122.py)."""

SETUP: Final = "sudo kmc-kiosk setup --system"


def examine(machine: Machine, user: Account, *, needed: bool = True) -> list[Finding]:
    """Every check of every NFC reader on USB; one finding that there is none, if so.

    ``needed`` is False where the kiosk has another way to read chips, or wants none.
    """
    devices = machine.usb_devices()
    readers = [one for one in devices if (one.vendor, one.product) in USB_NAMES or CCID in one.classes]
    findings: list[Finding] = []
    for device in readers:
        findings += _examine_one(machine, user, device)
    for device in devices:
        if device not in readers and device.vendor in _READER_VENDORS:
            findings.append(_unknown(device))
    return findings or [_nothing(machine, devices, needed)]


def _nothing(machine: Machine, devices: list[UsbDevice], needed: bool) -> Finding:
    if not machine.at("/sys/bus/usb/devices").is_dir():
        seen = "this machine has no USB"
    else:
        seen = f"{len(devices)} devices on USB, none of them an NFC reader"
    if not needed:
        return Finding("usb_id", CheckStatus.ABSENT, "USB", seen, again="kmc-kiosk devices")
    return Finding(
        "usb_id",
        CheckStatus.ATTENTION,
        "USB",
        seen,
        "plug the reader straight into the computer, with another cable and in another socket",
        "kmc-kiosk devices",
    )


def _unknown(device: UsbDevice) -> Finding:
    maker = _READER_VENDORS[device.vendor]
    return Finding(
        "usb_id",
        CheckStatus.ATTENTION,
        _subject(device),
        f"of {maker}, but neither a reader that nfcpy drives nor of the CCID class",
        "if it is a card reader: install its maker's PC/SC driver, then look in `kmc-kiosk devices`",
        "kmc-kiosk devices",
    )


def _examine_one(machine: Machine, user: Account, device: UsbDevice) -> Iterator[Finding]:
    subject = _subject(device)
    known = (device.vendor, device.product) in USB_NAMES
    if not known:
        yield Finding(
            "usb_id",
            CheckStatus.GOOD,
            subject,
            "a CCID reader: it is read through PC/SC",
            again="kmc-kiosk devices",
        )
    else:
        yield Finding(
            "usb_id", CheckStatus.GOOD, subject, f"{USB_NAMES[device.vendor, device.product]}: nfcpy"
        )
        yield _kernel_driver(machine, device, subject)
        yield _access(machine, user, device, subject)
        yield _rule(machine, device, subject)
        yield _pcscd(machine, device, subject)
    yield _power(device, subject)
    oldest = _OLDEST.get((device.vendor, device.product))
    if oldest is not None and device.release:
        least, why = oldest
        seen = f"release {device.release >> 8:x}.{device.release & 0xFF:02x}"
        if device.release < least:
            fix = "use another reader: the maker offers no way to renew this one"
            yield Finding("usb_firmware", CheckStatus.BAD, subject, f"{seen}. {why}", fix)
        else:
            yield Finding("usb_firmware", CheckStatus.GOOD, subject, seen)


def _kernel_driver(machine: Machine, device: UsbDevice, subject: str) -> Finding:
    bound = sorted(device.kernel_drivers & _KERNEL_DRIVERS)
    if bound:
        return Finding(
            "usb_kernel_driver",
            CheckStatus.BAD,
            subject,
            f"the kernel's driver {', '.join(bound)} holds the reader",
            f"{SETUP}; at once: sudo modprobe -r {' '.join(bound)}",
        )
    module = _MODULE_OF.get((device.vendor, device.product), "")
    line = f"blacklist {module}"
    if module and not any(line in _content(path).splitlines() for path in modprobe_files(machine)):
        return Finding(
            "usb_kernel_driver",
            CheckStatus.ATTENTION,
            subject,
            f"no line `{line}` in /etc/modprobe.d: after the next start the kernel may hold the reader",
            SETUP,
        )
    return Finding("usb_kernel_driver", CheckStatus.GOOD, subject, "no kernel driver holds it")


def _access(machine: Machine, user: Account, device: UsbDevice, subject: str) -> Finding:
    node = machine.at(device.node)
    try:
        open_to = user.may_use(node)
    except OSError as error:
        return Finding(
            "usb_access",
            CheckStatus.BAD,
            subject,
            f"{device.node}: {error.strerror}",
            "unplug the reader and plug it in again",
        )
    if open_to:
        return Finding("usb_access", CheckStatus.GOOD, subject, f"{user.name} may open {device.node}")
    mode = f"{node.stat().st_mode & 0o777:03o}"
    seen = f"{user.name} may not open {device.node} (mode {mode}, group {group_of(node)})"
    return Finding("usb_access", CheckStatus.BAD, subject, seen, f"{SETUP} --user {user.name}")


def _rule(machine: Machine, device: UsbDevice, subject: str) -> Finding:
    ours = re.compile(rf'idVendor\}}=="{device.vendor:04x}"', re.IGNORECASE)
    found = [path for path in rule_files(machine) if ours.search(_content(path))]
    late = [path for path in found if rule_number(path) >= LEAST_RULE]
    if late:
        return Finding("usb_rule", CheckStatus.GOOD, subject, f"udev rule {late[-1].name}")
    if found:
        names = ", ".join(path.name for path in found)
        seen = f"only {names}: libccid's rule 92 sets the group again after it"
    else:
        seen = "no udev rule lets the kiosk's user in"
    return Finding("usb_rule", CheckStatus.ATTENTION, subject, seen, SETUP)


def _pcscd(machine: Machine, device: UsbDevice, subject: str) -> Finding:
    pids = machine.processes("pcscd")
    if not pids:
        return Finding("usb_pcscd", CheckStatus.GOOD, subject, "pcscd is not running")
    held = [machine.holds_open(pid, device.node) for pid in pids]
    if True in held:
        return Finding(
            "usb_pcscd",
            CheckStatus.BAD,
            subject,
            "pcscd holds the reader",
            "sudo systemctl stop pcscd.socket pcscd; or read through it: `kmc-kiosk devices` has the line",
        )
    if None in held and CCID in device.classes:
        seen = "pcscd runs and speaks this reader's language; only root sees whether it holds it"
        return Finding("usb_pcscd", CheckStatus.ATTENTION, subject, seen, "sudo kmc-kiosk doctor")
    return Finding("usb_pcscd", CheckStatus.GOOD, subject, "pcscd runs and does not hold it")


def _power(device: UsbDevice, subject: str) -> Finding:
    if device.power == "auto":
        return Finding(
            "usb_power",
            CheckStatus.ATTENTION,
            subject,
            "power/control is auto: the kernel may put the reader to sleep",
            f"{SETUP}; at once: echo on | sudo tee /sys/bus/usb/devices/{device.sysfs.name}/power/control",
        )
    seen = "power/control is on" if device.power else "this kernel puts no device to sleep"
    return Finding("usb_power", CheckStatus.GOOD, subject, seen)


def _subject(device: UsbDevice) -> str:
    return f"{device.name or 'USB device'} ({device.ids}, {device.node})"


def _content(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
