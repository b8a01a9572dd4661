"""All of the doctor's checks of hardware, in the order in which a technician would look."""

from __future__ import annotations

from typing import Final

from drivers.doctor import cameras, chosen, kernel_log, usb
from drivers.doctor.chosen import Chosen, Finders
from drivers.doctor.machine import Account, Machine
from kiosk.errors import EnvironmentFault
from kiosk.values import CheckStatus, Finding

PCSCD_SOCKET: Final = "/run/pcscd/pcscd.comm"
"""Where pcscd listens (pcsc-lite, PCSCLITE_CSOCK_NAME)."""

INSTALL: Final = "sudo apt-get install -y pcscd libccid && sudo systemctl enable --now pcscd.socket"


def examine(
    machine: Machine,
    user: Account,
    *,
    look: bool = True,
    settings: Chosen | None = None,
    find: Finders | None = None,
) -> list[Finding]:
    """Every finding on readers, the kernel's log, PC/SC, scanners and cameras; ``look`` opens the camera."""
    settings = settings or Chosen()
    find = find or chosen.finders()
    slots = _pcsc(machine, settings, find)
    has_other = (
        any(one.status is CheckStatus.GOOD for one in slots) or not settings.wants_usb or settings.virtual
    )
    return [
        *usb.examine(machine, user, needed=not has_other),
        *slots,
        *chosen.examine(machine, user, settings, find),
        *kernel_log.examine(machine),
        *cameras.examine(
            machine,
            user,
            settings.camera,
            enabled=settings.camera_enabled,
            look=look and settings.open_them,
            needed=not settings.virtual,
        ),
    ]


def _pcsc(machine: Machine, settings: Chosen, find: Finders) -> list[Finding]:
    """One finding: whether pcscd has the readers that only it can drive."""
    ccid = [device for device in machine.usb_devices() if usb.CCID in device.classes]
    named = any(path.startswith("pcsc:") for path in settings.nfc) and settings.nfc_enabled
    try:
        names = ", ".join(slot.name for slot in find.slots())
    except EnvironmentFault as fault:
        if fault.code == "reader_denied":
            fix = str(fault.detail["fix"])
            return [Finding("pcsc", CheckStatus.BAD, "PC/SC", fault.message, fix, "kmc-kiosk devices")]
        if not ccid and not named:
            return [Finding("pcsc", CheckStatus.ABSENT, "PC/SC", "no CCID reader is plugged in")]
        seen = "pcscd does not answer; only nfcpy's own readers work"
        status = CheckStatus.BAD if named else CheckStatus.ATTENTION
        installed = machine.at("/usr/sbin/pcscd").exists()
        fix = "sudo systemctl enable --now pcscd.socket" if installed else INSTALL
        return [Finding("pcsc", status, "PC/SC", seen, fix, "kmc-kiosk devices")]
    if names:
        return [Finding("pcsc", CheckStatus.GOOD, "PC/SC", f"pcscd has {names}", again="kmc-kiosk devices")]
    if ccid or named:
        seen = "pcscd runs and has no reader"
        fix = "sudo apt-get install -y libccid && sudo systemctl restart pcscd; then plug the reader in again"
        return [Finding("pcsc", CheckStatus.ATTENTION, "PC/SC", seen, fix, "kmc-kiosk devices")]
    return [Finding("pcsc", CheckStatus.ABSENT, "PC/SC", "no CCID reader is plugged in; pcscd runs")]
