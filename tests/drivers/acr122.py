"""An ACR122U's USB side: a CCID transport under nfcpy's real acr122 and pn532 drivers, with virtual cards."""

from __future__ import annotations

import errno
import struct
import time
from collections.abc import Callable

import nfc.clf.acr122

from drivers.nfc_reader import NfcConnection
from drivers.reader import DeviceReference
from drivers.virtual.cards import VirtualCard
from tests.drivers.pn532 import Pn532Chip

REFERENCE = DeviceReference(
    "nfc",
    "usb:001:002",
    "ACS ACR122U",
    "usb:072f:2200@1-1",
    frozenset({"type_a", "type_f", "lamp", "buzzer"}),
)


def _nothing() -> None: ...


class Acr122Transport:
    """What the driver writes is answered from a PN532 in software."""

    TYPE = "USB"
    manufacturer_name = "ACS"
    product_name = "ACR122U PICC Interface"

    def __init__(self, command_s: float = 0.0) -> None:
        self.chip = Pn532Chip()
        self.fail_at: int | None = None
        """From this transfer to the device on, ``failure`` is played."""
        self.failure: Callable[[], bytes] = unplugged
        """Raises, or gives what the device answers instead."""
        self.writes = 0
        """Transfers to the device, of any kind."""
        self.lamp: list[bytes] = []
        """LED and buzzer commands: state, T1, T2, times, buzzer."""
        self.before_command: Callable[[], None] = _nothing
        self._command_s = command_s
        self._answer = b""
        self.closed = False

    @property
    def card(self) -> VirtualCard | None:
        """What lies on the reader."""
        return self.chip.card

    @card.setter
    def card(self, card: VirtualCard | None) -> None:
        self.chip.card = card

    @property
    def commands(self) -> list[int]:
        """Codes of the PN532 commands, in order."""
        return self.chip.commands

    def close(self) -> None:
        self.closed = True

    def write(self, frame: bytearray, timeout: int = 0) -> None:
        self.before_command()
        self.writes += 1
        if self.fail_at is not None and self.writes > self.fail_at:
            self._answer = self.failure()
            return
        if self._command_s:
            time.sleep(self._command_s)
        data = bytes(frame[10:])
        if frame[0] == 0x62:
            self._answer = _ccid(b"\x3b\x00")
        elif data.startswith(bytes.fromhex("FF00480000")):
            self._answer = _ccid(b"ACR122U203")
        elif data[:4] == bytes.fromhex("FF000000") and data[5:6] == b"\xd4":
            answer = self.chip.execute(data[6], data[7:])
            self._answer = _ccid(bytes([0xD5, data[6] + 1]) + answer + b"\x90\x00")
        else:
            if data[:3] == bytes.fromhex("FF0040"):
                self.lamp.append(data[3:4] + data[5:])
            self._answer = _ccid(b"\x90\x00")

    def read(self, timeout: int = 0) -> bytearray:
        if not self._answer:
            raise OSError(errno.ETIMEDOUT, "Connection timed out")
        answer, self._answer = self._answer, b""
        return bytearray(answer)


def _ccid(data: bytes) -> bytes:
    """RDR_to_PC_DataBlock (CCID 1.1, section 6.2.1)."""
    return struct.pack("<BI5B", 0x80, len(data), 0, 0, 0, 0, 0) + data


def unplugged() -> bytes:
    raise OSError(errno.ENODEV, "No such device")


def broken_pipe() -> bytes:
    raise OSError(errno.EIO, "Input/output error")


def silence() -> bytes:
    return b""


def half_a_header() -> bytes:
    return b"\x80\x02\x00\x00"


def wrong_length() -> bytes:
    return _ccid(b"\xd5\x4b\x00\x90\x00")[:-1]


def other_answer() -> bytes:
    return _ccid(b"\xd5\x99\x90\x00")


def refused() -> bytes:
    return _ccid(b"\x63\x00")


FAILURES: tuple[Callable[[], bytes], ...] = (
    unplugged,
    broken_pipe,
    silence,
    half_a_header,
    wrong_length,
    other_answer,
    refused,
)
"""What USB may do to a command."""


class OverTransport(NfcConnection):
    """The NFC connection with the driver opened on a transport instead of on USB."""

    def __init__(self, transport: Acr122Transport, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(REFERENCE, clock=clock)
        self._transport = transport

    def _open(self) -> DeviceReference:
        device = nfc.clf.acr122.init(self._transport)
        device._path = REFERENCE.path
        self._transport.before_command = self.frontend.check
        self.frontend.device = device
        return REFERENCE
