"""A reader of any kind, opened in this process for a test by hand."""

from __future__ import annotations

from typing import Literal, TypeAlias

from drivers.reader import ReaderConnection

TestKind: TypeAlias = Literal["nfc", "qr", "scanner"]


def open_reader(kind: TestKind, device: str) -> ReaderConnection:
    """The connection, not entered; only what this kind needs is imported.

    Entering raises EnvironmentFault, also while a running kiosk has the device.
    """
    if kind == "nfc":
        from drivers.makes import connect

        return connect(device)
    if kind == "qr":
        from drivers.camera import Camera
        from drivers.qr_reader import QrConnection

        return QrConnection(Camera(device))
    from drivers.scanner_devices import connect as connect_scanner

    return connect_scanner(device)
