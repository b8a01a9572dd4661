"""All of the doctor's checks of hardware, in the order in which a technician would look."""

from __future__ import annotations

from typing import Final

from drivers.doctor import cameras, kernel_log, usb
from drivers.doctor.machine import Account, Machine
from kiosk.values import CheckStatus, Finding

PCSCD_SOCKET: Final = "/run/pcscd/pcscd.comm"
"""Where pcscd listens (pcsc-lite, PCSCLITE_CSOCK_NAME)."""


def examine(machine: Machine, user: Account, *, look: bool = True) -> list[Finding]:
    """Every finding on readers, the kernel's log, PC/SC and cameras; ``look`` opens the first camera."""
    return [
        *usb.examine(machine, user),
        *_pcsc(machine),
        *kernel_log.examine(machine),
        *cameras.examine(machine, user, look=look),
    ]


def _pcsc(machine: Machine) -> list[Finding]:
    wanted = [device for device in machine.usb_devices() if usb.CCID in device.classes]
    running = machine.at(PCSCD_SOCKET).exists()
    if not wanted:
        seen = "no CCID reader is plugged in" + ("; pcscd runs" if running else "")
        return [Finding("pcsc", CheckStatus.ABSENT, "PC/SC", seen)]
    if running:
        return [Finding("pcsc", CheckStatus.GOOD, "PC/SC", "pcscd listens", again="kmc-kiosk devices")]
    return [
        Finding(
            "pcsc",
            CheckStatus.ATTENTION,
            "PC/SC",
            "pcscd does not listen; only nfcpy's own readers work",
            "sudo apt-get install -y pcscd libccid && sudo systemctl enable --now pcscd.socket",
            "kmc-kiosk devices",
        )
    ]
