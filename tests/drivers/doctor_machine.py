"""A machine in a folder, with whatever is wrong with it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from drivers.doctor.chosen import Finders
from drivers.doctor.machine import Account, Machine
from drivers.reader import DeviceReference
from kiosk.errors import EnvironmentFault

ACR122U = (0x072F, 0x2200)
SCL3711 = (0x04E6, 0x5591)
ACR1252U = (0x072F, 0x223B)


@dataclass
class Folder:
    """Puts devices, nodes, files and answers of commands into a folder that stands for ``/``."""

    root: Path
    answers: dict[tuple[str, ...], str | None] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def machine(self) -> Machine:
        """The machine to examine."""
        return Machine(self.root, self._answer)

    def _answer(self, *command: str) -> str | None:
        self.asked.append(command)
        return self.answers.get(command)

    def file(self, path: str, content: str = "") -> Path:
        """A file with its folders."""
        made = self.root / path.lstrip("/")
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(content)
        return made

    def plug(
        self,
        ids: tuple[int, int],
        *,
        name: str = "",
        address: int = 4,
        release: str = "0214",
        interface: str = "0b",
        driver: str = "",
        power: str = "on",
        mode: int = 0o666,
    ) -> Path:
        """A device on bus 1; answers its node."""
        folder = f"/sys/bus/usb/devices/1-{address}"
        for key, value in {
            "idVendor": f"{ids[0]:04x}",
            "idProduct": f"{ids[1]:04x}",
            "product": name,
            "busnum": "1",
            "devnum": str(address),
            "bcdDevice": release,
            "bDeviceClass": "00",
            "power/control": power,
            f"1-{address}:1.0/bInterfaceClass": interface,
        }.items():
            self.file(f"{folder}/{key}", f"{value}\n")
        if driver:
            target = self.root / f"sys/bus/usb/drivers/{driver}"
            target.mkdir(parents=True, exist_ok=True)
            (self.root / f"{folder.lstrip('/')}/1-{address}:1.0/driver").symlink_to(target)
        node = self.file(f"/dev/bus/usb/001/{address:03d}")
        node.chmod(mode)
        return node

    def process(self, pid: int, name: str, *open_files: str) -> None:
        """A process and what it has open."""
        self.file(f"/proc/{pid}/comm", f"{name}\n")
        (self.root / f"proc/{pid}/fd").mkdir()
        for number, path in enumerate(open_files):
            (self.root / f"proc/{pid}/fd/{number}").symlink_to(path)

    def camera(self, number: int = 0, name: str = "USB 2.0 Camera", mode: int = 0o666) -> None:
        """A camera's node."""
        self.file(f"/sys/class/video4linux/video{number}/name", f"{name}\n")
        self.file(f"/sys/class/video4linux/video{number}/index", "0\n")
        self.file(f"/dev/video{number}").chmod(mode)


@dataclass
class Found:
    """What is found when readers are looked for; a fault is raised."""

    usb: dict[str, str] = field(default_factory=dict)
    """Names by path."""
    slots: list[str] | EnvironmentFault = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)

    @property
    def finders(self) -> Finders:
        """As the doctor wants them."""
        return Finders(self._on_usb, self._slots, self._answer)

    def _on_usb(self, path: str) -> DeviceReference:
        if path not in self.usb:
            raise EnvironmentFault("reader_missing", f"no NFC reader on {path}", device=path)
        return DeviceReference("nfc", path, self.usb[path])

    def _slots(self) -> list[DeviceReference]:
        if isinstance(self.slots, EnvironmentFault):
            raise self.slots
        return [DeviceReference("nfc", f"pcsc:{name}", name) for name in self.slots]

    def _answer(self, path: str) -> str:
        if path not in self.answers:
            raise EnvironmentFault("reader_missing", f"{path} cannot be opened: no such device", device=path)
        return self.answers[path]


def stranger() -> Account:
    """A user of no group that owns anything here, and not the one who runs the tests."""
    return Account("kmc", os.geteuid() + 54_321, frozenset({os.getegid() + 54_321}))
