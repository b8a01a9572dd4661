"""What the doctor may look at of a machine: files under one root, the answers of commands, USB devices."""

from __future__ import annotations

import grp
import logging
import os
import pwd
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiosk.errors import EnvironmentFault

COMMAND_TIMEOUT_S = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """One device as sysfs tells of it (Linux, Documentation/ABI/testing/sysfs-bus-usb), never opened."""

    sysfs: Path
    vendor: int
    product: int
    name: str
    bus: int
    address: int
    release: int
    """``bcdDevice``: the maker's release number, binary coded decimal, such as 0x0214."""
    classes: frozenset[int]
    """Interface classes."""
    kernel_drivers: frozenset[str]
    """Kernel drivers bound to its interfaces, but ``usbfs``, which is a program's own hold."""
    power: str
    """``power/control``: ``on`` or ``auto``; empty where the kernel has none."""

    @property
    def ids(self) -> str:
        """``vendor:product`` in hex, as lsusb writes it."""
        return f"{self.vendor:04x}:{self.product:04x}"

    @property
    def node(self) -> str:
        """The device node that opens it."""
        return f"/dev/bus/usb/{self.bus:03d}/{self.address:03d}"


def answer_of(*command: str) -> str | None:
    """What a command prints; None if it is not installed, fails or takes longer than 10 s."""
    program = shutil.which(command[0])
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *command[1:]],
            capture_output=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
            text=True,
            errors="replace",
            env=os.environ | {"LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.warning("%s did not answer: %s", command[0], error)
        return None
    return done.stdout if done.returncode == 0 else None


class Machine:
    """A machine to examine; ``root`` is a folder that stands for ``/``, ``answer`` runs a command as
    ``answer_of`` does."""

    def __init__(self, root: Path = Path("/"), answer: Callable[..., str | None] | None = None) -> None:
        self.root = root
        self.answer = answer or answer_of

    def at(self, path: str | Path) -> Path:
        """An absolute path of the machine, under the root."""
        return self.root / str(path).lstrip("/")

    def text(self, path: str | Path) -> str:
        """A small file's text without its ends; empty if it is not there or may not be read."""
        try:
            return self.at(path).read_text("utf-8", "replace").strip()
        except OSError:
            return ""

    def usb_devices(self) -> list[UsbDevice]:
        """Everything on USB but hubs, in bus order."""
        found = [self._device(folder) for folder in self.at("/sys/bus/usb/devices").glob("*")]
        devices = [one for one in found if one is not None and 0x09 not in one.classes]
        return sorted(devices, key=lambda one: (one.bus, one.address))

    def _device(self, folder: Path) -> UsbDevice | None:
        if not (folder / "idVendor").exists():  # an interface, not a device
            return None

        def line(name: str) -> str:
            try:
                return (folder / name).read_text("utf-8", "replace").strip()
            except OSError:
                return ""

        try:
            vendor, product = int(line("idVendor"), 16), int(line("idProduct"), 16)
            bus, address = int(line("busnum")), int(line("devnum"))
            release = int(line("bcdDevice") or "0", 16)
        except ValueError as error:
            _log.warning("%s cannot be read: %s", folder, error)
            return None
        interfaces = list(folder.glob(f"{folder.name}:*"))
        classes = {_hex(part / "bInterfaceClass") for part in interfaces} | {_hex(folder / "bDeviceClass")}
        bound = {(part / "driver").resolve().name for part in interfaces if (part / "driver").exists()}
        return UsbDevice(
            folder,
            vendor,
            product,
            " ".join(filter(None, (line("manufacturer"), line("product")))),
            bus,
            address,
            release,
            frozenset(one for one in classes if one is not None),
            frozenset(bound - {"usbfs", "usb"}),
            line("power/control"),
        )

    def processes(self, name: str) -> list[int]:
        """Ids of the processes of that name (the first 15 characters are compared)."""
        found = []
        for folder in self.at("/proc").glob("[0-9]*"):
            try:
                if (folder / "comm").read_text().strip() == name[:15]:
                    found.append(int(folder.name))
            except OSError:  # it ended this moment
                continue
        return sorted(found)

    def holds_open(self, pid: int, path: str) -> bool | None:
        """True if a process has ``path`` open; None where that may not be seen."""
        folder = self.at(f"/proc/{pid}/fd")
        try:
            return any(_target(link) == path for link in folder.iterdir())
        except OSError:
            return None


@dataclass(frozen=True, slots=True)
class Account:
    """The user that the kiosk runs as: whose rights count, whoever runs the doctor."""

    name: str
    uid: int
    gids: frozenset[int]

    def may_use(self, path: Path) -> bool:
        """True if this user may read and write there. Raises OSError if ``path`` cannot be looked at."""
        if self.uid == os.geteuid():
            path.stat()
            return os.access(path, os.R_OK | os.W_OK)
        found = path.stat()
        if self.uid == 0:
            return True
        if found.st_uid == self.uid:
            return found.st_mode & 0o600 == 0o600
        if found.st_gid in self.gids:
            return found.st_mode & 0o060 == 0o060
        return found.st_mode & stat.S_IROTH != 0 and found.st_mode & stat.S_IWOTH != 0


def account(name: str = "") -> Account:
    """The user of that name, else the one who runs this. Raises EnvironmentFault ``user_unknown``."""
    try:
        entry = pwd.getpwnam(name) if name else pwd.getpwuid(os.geteuid())
    except KeyError:
        fix = f"sudo adduser --system --group {name}" if name else "add the user to /etc/passwd"
        raise EnvironmentFault(
            "user_unknown", f"this machine has no user {name or os.geteuid()}: {fix}", fix=fix
        ) from None
    return Account(entry.pw_name, entry.pw_uid, frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid)))


def group_of(path: Path) -> str:
    """Name of the group that owns ``path``; its number if it has no name."""
    gid = path.stat().st_gid
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def rule_files(machine: Machine) -> Iterator[Path]:
    """udev's rule files in the order in which it takes them (udev(7)): by name, /etc before the others."""
    folders = ("/etc/udev/rules.d", "/run/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d")
    return _files(machine, folders, "*.rules")


def modprobe_files(machine: Machine) -> Iterator[Path]:
    """modprobe's files in the order in which it takes them (modprobe.d(5)), as udev's."""
    folders = ("/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d")
    return _files(machine, folders, "*.conf")


def _files(machine: Machine, folders: Sequence[str], pattern: str) -> Iterator[Path]:
    by_name: dict[str, Path] = {}
    for folder in folders:
        for path in machine.at(folder).glob(pattern):
            by_name.setdefault(path.name, path)
    for name in sorted(by_name):
        yield by_name[name]


def rule_number(path: Path) -> int:
    """The number in front of a rule file's name; 0 without one."""
    match = re.match(r"\d+", path.name)
    return int(match[0]) if match else 0


def _hex(path: Path) -> int | None:
    try:
        return int(path.read_text().strip(), 16)
    except (OSError, ValueError):
        return None


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""
