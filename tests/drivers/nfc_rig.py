"""A virtual field under nfcpy's own stack, as a rig for the contract and for the tests of each chip."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from typing import Any

from drivers.chips import ndef
from drivers.nfc_devices import find_device
from drivers.nfc_reader import NfcConnection
from drivers.reader import DeviceReference, ReaderConnection
from drivers.virtual.cards import Script, VirtualCard, desfire, felica, ntag215
from drivers.virtual.field import VirtualField
from kiosk.values import Medium

UIDS = {
    "NTAG215": bytes.fromhex("04A1B2C3D4E5F6"),
    "FeliCa": bytes.fromhex("0114B34D2A6F7788"),
    "DESFire": bytes.fromhex("04512233445566"),
}
MAKERS: dict[str, Callable[[bytes, bytes, Script | None], VirtualCard]] = {
    "NTAG215": ntag215,
    "FeliCa": felica,
    "DESFire": desfire,
}


def payload_of(number: int, size: int = 172) -> bytes:
    """A payload of ``size`` bytes; 172 makes an NDEF message of 194 bytes."""
    return (hashlib.sha512(str(number).encode()).digest() * (size // 64 + 1))[:size]


def make_card(chip: str, number: int = 0, script: Script | None = None, size: int = 172) -> VirtualCard:
    """A virtual card of this chip with our record; each number has a UID of its own."""
    uid = UIDS[chip][:-1] + bytes([(UIDS[chip][-1] + number) % 256])
    return MAKERS[chip](uid, ndef.encode_record(payload_of(number, size)), script)


class NfcRig:
    """One chip in a virtual field."""

    medium = Medium.NFC

    def __init__(self, field: VirtualField, chip: str) -> None:
        self._field = field
        self._chip = chip

    @property
    def reference(self) -> DeviceReference:
        return find_device(self._field.path)

    def connection(self) -> NfcConnection:
        return NfcConnection(self.reference)

    def present(self, number: int) -> bytes:
        self._field.put(make_card(self._chip, number))
        return payload_of(number)

    def remove(self) -> None:
        self._field.lift()

    def break_device(self, connection: ReaderConnection) -> None:
        assert isinstance(connection, NfcConnection)
        unplug(connection)


def unplug(connection: NfcConnection, after: int = 0) -> None:
    """From the ``after``-th datagram on, the device answers as one whose USB is gone."""
    device: Any = connection.frontend.device
    sent = 0
    send = device._send_data

    def send_or_fail(*arguments: Any) -> Any:
        nonlocal sent
        sent += 1
        if sent > after:
            raise OSError(errno.ENODEV, "No such device")
        return send(*arguments)

    device._send_data = send_or_fail
