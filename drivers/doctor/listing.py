"""What is plugged in that reads cards or codes, each with the lines that configure it. Nothing is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from drivers.doctor.machine import Account, Machine
from drivers.doctor.usb import CCID, examine
from drivers.nfc_devices import USB_NAMES, find_devices
from drivers.reader import DeviceReference
from kiosk.errors import EnvironmentFault
from kiosk.values import CheckStatus


@dataclass(frozen=True, slots=True)
class Listed:
    """One device that could be used."""

    what: str
    """``nfc``, ``camera``, ``scanner`` or ``serial`` (a line that may have a reader or a scanner on it)."""
    path: str
    name: str
    fingerprint: str
    settings: dict[str, str] = field(default_factory=dict)
    """What to set to use it, by key such as ``readers.nfc.device``."""
    trouble: str = ""
    """Why it cannot be used as it is; empty if nothing is known to be in the way."""

    def as_json(self) -> dict[str, Any]:
        """The document of ``devices --json``."""
        return {
            "what": self.what,
            "path": self.path,
            "name": self.name,
            "fingerprint": self.fingerprint,
            "settings": self.settings,
            "toml": as_toml(self.settings),
            "trouble": self.trouble,
        }


def as_toml(settings: dict[str, str]) -> str:
    """The lines to put into the settings file, sections and all."""
    lines: list[str] = []
    section = ""
    for key, value in settings.items():
        place, _, name = key.rpartition(".")
        if place != section:
            lines.append(f"[{place}]")
            section = place
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f"{name} = {value}" if value in ("true", "false") else f'{name} = "{quoted}"')
    return "\n".join(lines)


def as_text(devices: Sequence[Listed]) -> str:
    """The same for a terminal."""
    if not devices:
        return "Nothing that reads cards or codes is plugged in. `kmc-kiosk doctor` looks closer."
    parts = []
    for one in devices:
        lines = [f"{one.what}: {one.name} {one.path}".rstrip()]
        lines += [f"    {line}" for line in as_toml(one.settings).splitlines()]
        if one.trouble:
            lines.append(f"    trouble: {one.trouble}")
        parts.append("\n".join(lines))
    return "\n".join(parts)


def list_devices(machine: Machine, user: Account) -> list[Listed]:
    """Everything that is there, NFC readers first. A kind that cannot be listed says why in ``trouble``."""
    return [
        *_nfc(machine, user),
        *_pcsc(machine),
        *_cameras(machine, user),
        *_scanners(machine, user),
        *_serial(),
    ]


def _nfc(machine: Machine, user: Account) -> Iterator[Listed]:
    wrong: dict[str, str] = {}
    for finding in examine(machine, user):
        if finding.status is CheckStatus.BAD:
            wrong.setdefault(finding.subject, finding.evidence)
    devices = {one.node: one for one in machine.usb_devices()}
    for reader in _listing("nfc", find_devices):
        if isinstance(reader, Listed):
            yield reader
            continue
        bus, address = reader.path.split(":")[1:]
        device = devices.get(f"/dev/bus/usb/{bus}/{address}")
        trouble = next((text for subject, text in wrong.items() if device and device.node in subject), "")
        yield Listed(
            "nfc",
            reader.path,
            reader.name,
            reader.fingerprint,
            {"readers.nfc.device": reader.fingerprint},
            trouble,
        )


def _pcsc(machine: Machine) -> Iterator[Listed]:
    from drivers.pcsc_reader import find_readers

    try:
        readers = find_readers()
    except EnvironmentFault as fault:
        for device in machine.usb_devices():
            if CCID in device.classes and (device.vendor, device.product) not in USB_NAMES:
                yield Listed(
                    "nfc", "", device.name, f"usb:{device.ids}", {}, f"{fault.code}: {fault.message}"
                )
        return
    for reader in readers:
        yield Listed("nfc", reader.path, reader.name, reader.fingerprint, {"readers.nfc.device": reader.path})


def _cameras(machine: Machine, user: Account) -> Iterator[Listed]:
    from drivers.camera_devices import find_cameras

    for camera in find_cameras(machine.at("/sys/class/video4linux")):
        by_id = next(
            (
                f"/dev/v4l/by-id/{link.name}"
                for link in sorted(machine.at("/dev/v4l/by-id").glob("*"))
                if link.resolve().name == camera.path.rpartition("/")[2] and link.name.endswith("index0")
            ),
            camera.path,
        )
        try:
            open_to = user.may_use(machine.at(camera.path))
            trouble = "" if open_to else f"{user.name} may not open {camera.path}"
        except OSError as error:
            trouble = f"{camera.path}: {error.strerror}"
        yield Listed(
            "camera", camera.path, camera.name, camera.fingerprint, {"readers.qr.source": by_id}, trouble
        )


def _scanners(machine: Machine, user: Account) -> Iterator[Listed]:
    """Keyboards by udev's names: which of them is a scanner, a person has to say."""
    for link in sorted(machine.at("/dev/input/by-id").glob("*-event-kbd")):
        path = f"/dev/input/by-id/{link.name}"
        name = link.name.removesuffix("-event-kbd").removeprefix("usb-").replace("_", " ")
        try:
            trouble = "" if user.may_use(link) else f"{user.name} may not open {path}"
        except OSError as error:
            trouble = f"{path}: {error.strerror}"
        yield Listed("scanner", path, name, link.name, {"readers.scanner.device": f"evdev:{path}"}, trouble)


def _serial() -> Iterator[Listed]:
    from serial.tools import list_ports

    for port in list_ports.comports():
        if port.vid is None and not (port.description or "n/a").strip("n/a "):
            continue  # the mainboard's own ports, which are there whether anything is plugged in or not
        name = port.device.removeprefix("/dev/tty")
        yield Listed(
            "serial",
            port.device,
            port.description or port.device,
            f"{port.vid:04x}:{port.pid:04x}" if port.vid is not None else port.device,
            {"readers.nfc.device": f"tty:{name}:pn532", "readers.scanner.device": f"serial:{port.device}"},
        )


def _listing(what: str, find: Callable[[], list[DeviceReference]]) -> Iterator[DeviceReference | Listed]:
    try:
        yield from find()
    except EnvironmentFault as fault:
        yield Listed(what, "", what, "", {}, f"{fault.code}: {fault.message}")
