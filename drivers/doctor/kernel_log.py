"""What the kernel has logged since it started: too little power, USB devices that fail and come back."""

from __future__ import annotations

import re
from typing import Final

from drivers.doctor.machine import Machine
from kiosk.values import CheckStatus, Finding

_UNDER_VOLTAGE: Final = re.compile(r"under-?voltage|over-current", re.IGNORECASE)
"""Raspberry Pi's firmware and the USB hub driver (Linux, drivers/usb/core/hub.c)."""

_USB_TROUBLE: Final = re.compile(
    r"usb [\d.-]+: (reset \S+ USB device|device descriptor read|device not accepting|USB disconnect)"
    r"|unable to enumerate USB device",
    re.IGNORECASE,
)

OFTEN: Final = 5
"""So many since the start are no chance: a person unplugs a reader once or twice."""


def examine(machine: Machine) -> list[Finding]:
    """Two findings; one if the kernel's log may not be read."""
    log = machine.answer("dmesg")
    if log is None:
        log = machine.answer("journalctl", "--dmesg", "--boot", "--no-pager", "--quiet")
    if log is None:
        return [
            Finding(
                "kernel_log",
                CheckStatus.ATTENTION,
                "kernel log",
                "may not be read by this user",
                "sudo kmc-kiosk doctor",
                "sudo kmc-kiosk doctor",
            )
        ]
    return [_power(log), _usb(log)]


def _power(log: str) -> Finding:
    lines = [line for line in log.splitlines() if _UNDER_VOLTAGE.search(line)]
    if not lines:
        return Finding("power_supply", CheckStatus.GOOD, "power supply", "no under-voltage logged")
    return Finding(
        "power_supply",
        CheckStatus.BAD,
        "power supply",
        f"{len(lines)} times since start, last: {lines[-1].strip()}",
        "use a stronger power supply and shorter cables; put readers on a hub with its own supply",
    )


def _usb(log: str) -> Finding:
    lines = [line for line in log.splitlines() if _USB_TROUBLE.search(line)]
    if len(lines) < OFTEN:
        seen = f"{len(lines)} resets or disconnects since start"
        return Finding("usb_trouble", CheckStatus.GOOD, "USB", seen)
    return Finding(
        "usb_trouble",
        CheckStatus.ATTENTION,
        "USB",
        f"{len(lines)} resets or disconnects since start, last: {lines[-1].strip()}",
        "another cable, shorter than 2 m; another socket, not on the front; a hub with its own supply",
    )
