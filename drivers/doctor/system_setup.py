"""What has to be written into the system so that the kiosk's user gets its readers: rules, a blacklist.

These files are ours alone and written whole, so that writing them again changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from drivers.doctor.machine import Machine, account
from drivers.nfc_devices import USB_NAMES
from kiosk.errors import EnvironmentFault

RULES: Final = "/etc/udev/rules.d/93-kmc-readers.rules"
"""Numbered after libccid's 92, which gives readers to a group of its own."""

BLACKLIST: Final = "/etc/modprobe.d/kmc-readers.conf"

POLKIT: Final = "/etc/polkit-1/rules.d/93-kmc-pcsc.rules"
POLICY: Final = "/usr/share/polkit-1/actions/org.debian.pcsc-lite.policy"
"""Where it is, pcscd asks polkit who may use it, and lets in only who sits at the screen (README.polkit)."""

MODULES: Final = ("pn533_usb", "port100", "pn533", "nfcmrvl_usb", "nfc")
"""The kernel's own NFC drivers (Linux, drivers/nfc), those that use others first."""

GROUP: Final = "plugdev"
"""Debian's group for who may use what is plugged in (base-passwd, users-and-groups)."""


@dataclass(frozen=True, slots=True)
class Change:
    """One file as it should be, or one command that puts it into effect."""

    path: str = ""
    content: str = ""
    command: tuple[str, ...] = ()

    def as_text(self) -> str:
        """What a person types to do the same."""
        if self.command:
            return "sudo " + " ".join(self.command)
        return f"sudo tee {self.path} <<'END'\n{self.content}END"


def rules(group: str = GROUP) -> str:
    """The udev rules (udev(7)): readers, cameras and serial lines are the group's, readers stay awake."""
    lines = [
        "# Made by `kmc-kiosk setup --system`: readers and scanners for the kiosk's user, never put to sleep."
    ]
    for (vendor, product), name in sorted(USB_NAMES.items()):
        match = f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendor:04x}", ATTR{{idProduct}}=="{product:04x}"'
        lines += [
            f"# {name}",
            f'{match}, GROUP="{group}", MODE="0660", TEST=="power/control", ATTR{{power/control}}="on"',
        ]
    lines += [
        "# cameras",
        f'SUBSYSTEM=="video4linux", GROUP="{group}", MODE="0660"',
        "# scanners on a serial line over USB",
        f'SUBSYSTEM=="tty", SUBSYSTEMS=="usb", GROUP="{group}", MODE="0660"',
    ]
    return "\n".join(lines) + "\n"


def blacklist() -> str:
    """modprobe's file (modprobe.d(5)) that keeps the kernel's drivers off the readers."""
    lines = ["# Made by `kmc-kiosk setup --system`: these would hold the readers themselves."]
    return "\n".join([*lines, *(f"blacklist {name}" for name in MODULES)]) + "\n"


def polkit_rule(group: str = GROUP) -> str:
    """polkit's rule (polkit(8)) that lets the group use pcscd and its cards, service or not."""
    return f"""// Made by `kmc-kiosk setup --system`: readers through PC/SC for the kiosk's user.
polkit.addRule(function(action, subject) {{
    var pcsc = ["org.debian.pcsc-lite.access_pcsc", "org.debian.pcsc-lite.access_card"];
    if (pcsc.indexOf(action.id) >= 0 && subject.isInGroup("{group}")) {{
        return polkit.Result.YES;
    }}
}});
"""


def wanted(machine: Machine, user: str, group: str = GROUP) -> list[Change]:
    """What is not yet as it should be; nothing when all is done."""
    files = [(RULES, rules(group)), (BLACKLIST, blacklist())]
    if machine.at(POLICY).exists():
        files.append((POLKIT, polkit_rule(group)))
    changes = [Change(path, content) for path, content in files if machine.text(path) != content.strip()]
    if any(change.path == RULES for change in changes):
        changes += [
            Change(command=("udevadm", "control", "--reload")),
            Change(command=("udevadm", "trigger")),
        ]
    loaded = {line.split(maxsplit=1)[0] for line in machine.text("/proc/modules").splitlines()}
    unwanted = [name for name in MODULES if name in loaded]
    if unwanted:
        changes.append(Change(command=("modprobe", "-r", *unwanted)))
    members = machine.text("/etc/group").splitlines()
    if user != "root" and not any(_is_member(line, group, user) for line in members):
        changes.append(Change(command=("usermod", "-aG", group, user)))
    return changes


def apply(machine: Machine, changes: Sequence[Change]) -> list[str]:
    """Writes the files and runs the commands; says what was done, in order.

    Raises EnvironmentFault: ``root_needed`` (detail ``commands``: what a person can type), ``write_failed``,
    ``command_failed``.
    """
    if changes and os.geteuid() != 0:
        raise EnvironmentFault(
            "root_needed",
            "only root may write these",
            commands=[change.as_text() for change in changes],
        )
    done = []
    for change in changes:
        if change.command:
            if machine.answer(*change.command) is None:
                raise EnvironmentFault("command_failed", f"{' '.join(change.command)} failed")
            done.append(" ".join(change.command))
        else:
            _write(machine.at(change.path), change.content)
            done.append(change.path)
    return done


def set_up(user: str, say: Callable[[str], None]) -> list[str]:
    """What was done to the system for that user; else for the one who typed sudo, or this one.

    Raises EnvironmentFault; with ``root_needed`` a person was told what to type instead.
    """
    machine = Machine()
    changes = wanted(machine, account(user or os.environ.get("SUDO_USER", "")).name)
    try:
        return apply(machine, changes)
    except EnvironmentFault as fault:
        if fault.code == "root_needed":
            say("Only root may write these. Type as root, or have it done by somebody who may:\n")
            for line in fault.detail["commands"]:
                say(line)
            say("")
        raise


def _write(path: Path, content: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(content, "utf-8")
        fresh.chmod(0o644)
        fresh.replace(path)
    except OSError as error:
        raise EnvironmentFault("write_failed", f"{path}: {error.strerror}") from error


def _is_member(line: str, group: str, user: str) -> bool:
    name, *_, members = line.split(":") if line.count(":") == 3 else ("", "")
    return name == group and user in members.split(",")
