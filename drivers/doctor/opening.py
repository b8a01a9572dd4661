"""A reader of any kind, opened in this process for a test by hand."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from drivers.makes import connect
from drivers.reader import ReaderConnection

TestKind: TypeAlias = Literal["nfc", "qr", "scanner"]


def open_reader(kind: TestKind, device: str, **options: Any) -> ReaderConnection:
    """The connection, not entered; only what this device needs is imported. ``options`` are its make's.

    Raises EnvironmentFault ``reader_missing`` for no known make; entering raises what opening does, also
    while a running kiosk has the device.
    """
    return connect(device, kind="nfc" if kind == "nfc" else "qr", **options)
