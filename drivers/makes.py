"""Makes of readers by name: the word before the first colon of a device path names what opens it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from drivers.reader import DeviceReference, Kind, ReaderConnection
from kiosk.errors import EnvironmentFault


@dataclass(frozen=True, slots=True)
class Make:
    """Where the connection of one make is; its module is imported when a device of it is used, not before."""

    module: str
    factory: str
    """Takes a DeviceReference, and options by keyword."""

    def load(self) -> Callable[..., ReaderConnection]:
        """The factory itself."""
        loaded: Callable[..., ReaderConnection] = getattr(import_module(self.module), self.factory)
        return loaded


_NFCPY = Make("drivers.nfc_reader", "NfcConnection")
_ANY_NFC = Make("drivers.nfc_any", "AnyNfcConnection")
_PCSC = Make("drivers.pcsc_reader", "PcscConnection")
_CAMERA = Make("drivers.makes", "open_camera")
_SCANNER = Make("drivers.scanner_reader", "ScannerConnection")

MAKES: Mapping[Kind, Mapping[str, Make]] = {
    "nfc": {"": _ANY_NFC, "usb": _NFCPY, "tty": _NFCPY, "udp": _NFCPY, "pcsc": _PCSC},
    "qr": {"": _CAMERA, "serial": _SCANNER, "evdev": _SCANNER, "keyboard": _SCANNER},
}
"""By kind and name: ``usb:072f:2200``, ``tty:USB0:pn532``, ``udp:127.0.0.1:5000``,
``pcsc:ACS ACR1252``. The one without a name is for paths that name no make: of NFC readers an empty one, of
cameras a number, file or address."""


SCANNERS = frozenset(name for name, make in MAKES["qr"].items() if make is _SCANNER)
"""What the path of a hand-held scanner begins with; any other QR reader is a camera."""


def is_scanner(path: str) -> bool:
    """True for the path of a hand-held scanner, such as ``serial:/dev/ttyACM0``."""
    return path.partition(":")[0] in SCANNERS


def open_camera(reference: DeviceReference, **options: Any) -> ReaderConnection:
    """The connection to a camera, picture file or stream; ``options`` as of ``camera.Camera``."""
    from drivers.camera import Camera
    from drivers.qr_reader import QrConnection

    return QrConnection(Camera(reference.path, **options))


def connect(path: str, *, kind: Kind = "nfc", **options: Any) -> ReaderConnection:
    """A connection to that device, not entered. Raises EnvironmentFault reader_missing for no known make."""
    makes = MAKES[kind]
    name = path.partition(":")[0]
    make = makes.get(name) or (makes[""] if kind == "qr" else None)
    if make is None:
        known = ", ".join(f"{name}:…" for name in makes if name)
        raise EnvironmentFault(
            "reader_missing", f"{path} names no known make of reader: {known}", device=path
        )
    return make.load()(DeviceReference(kind, path), **options)
