"""NFC Forum Type 4 tags (DESFire): application, capability container and the NDEF file, as APDUs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drivers.chips.ndef import check_length
from kiosk.errors import CardFault

NDEF_APPLICATION = bytes.fromhex("D2760000850101")
"""Name of the NDEF tag application, mapping 2.0 (Type 4 Tag 2.0, section 5.4.2)."""

CC_FILE = bytes.fromhex("E103")
MOST_BYTES_PER_READ = 240
"""One READ BINARY answer, with status and block framing, stays below 251 bytes (PN53x)."""

Apdu = tuple[int, int, int, bytes, int]
"""Instruction, P1, P2, data, expected length (0: none)."""

Send = Callable[[Apdu], tuple[bytes, int]]
"""Sends an APDU of class 0; returns data and status word."""


@dataclass(frozen=True, slots=True)
class NdefFile:
    """What the capability container says of the NDEF file (Type 4 Tag 2.0, section 5.1)."""

    identifier: bytes
    size: int
    bytes_per_read: int
    length_bytes: int
    """2, or 4 for the extended file of mapping 3.0."""


def parse_cc(cc: bytes) -> NdefFile:
    """The capability container. Raises CardFault card_malformed or card_foreign."""
    if len(cc) < 15:
        raise CardFault("card_malformed", "capability container is short")
    if cc[2] >> 4 not in (1, 2, 3):
        raise CardFault("card_foreign", "NDEF mapping version is not known", version=cc[2])
    most = int.from_bytes(cc[3:5], "big")
    if most < 1:
        raise CardFault("card_malformed", "the card allows no byte per read")
    tag, length = cc[7], cc[8]
    value = cc[9 : 9 + length]
    if (tag, length) not in ((0x04, 6), (0x06, 8)) or len(value) != length:
        raise CardFault("card_malformed", "NDEF file control TLV is wrong")
    width = 2 if tag == 0x04 else 4
    size = int.from_bytes(value[2 : 2 + width], "big")
    if value[2 + width] != 0x00:
        raise CardFault("card_foreign", "the NDEF file cannot be read freely")
    return NdefFile(value[:2], size, min(most, MOST_BYTES_PER_READ), width)


def select_application() -> Apdu:
    """SELECT the NDEF application by name."""
    return (0xA4, 0x04, 0x00, NDEF_APPLICATION, 256)


def select_file(identifier: bytes) -> Apdu:
    """SELECT a file of the application."""
    return (0xA4, 0x00, 0x0C, identifier, 0)


def read_binary(offset: int, size: int) -> Apdu:
    """READ BINARY: up to 256 bytes from an offset below 32 KiB."""
    return (0xB0, offset >> 8, offset & 0xFF, b"", size)


def read_message(send: Send) -> bytes:
    """The NDEF message, read in as few commands as the card allows.

    Raises CardFault (card_foreign without NDEF application, card_empty, card_oversized, card_malformed),
    and whatever ``send`` raises.
    """
    _, status = send(select_application())
    if status != 0x9000:
        raise CardFault("card_foreign", "the card has no NDEF application", status=f"{status:04x}")
    _expect(send(select_file(CC_FILE)), "capability container cannot be selected")
    file = parse_cc(_expect(send(read_binary(0, 15)), "capability container cannot be read"))
    _expect(send(select_file(file.identifier)), "NDEF file cannot be selected")

    first = _expect(send(read_binary(0, min(file.bytes_per_read, file.size))), "NDEF file cannot be read")
    if len(first) < file.length_bytes:
        raise CardFault("card_malformed", "the NDEF file answers less than its length")
    length = int.from_bytes(first[: file.length_bytes], "big")
    check_length(length)
    if length + file.length_bytes > file.size:
        raise CardFault("card_malformed", "NDEF message runs past its file")
    data = bytearray(first[file.length_bytes : file.length_bytes + length])
    while len(data) < length:
        wanted = min(file.bytes_per_read, length - len(data))
        part = _expect(send(read_binary(file.length_bytes + len(data), wanted)), "NDEF file cannot be read")
        if not part:
            raise CardFault("card_malformed", "the card answers reads with nothing")
        data += part[:wanted]
    return bytes(data)


def _expect(answer: tuple[bytes, int], message: str) -> bytes:
    data, status = answer
    if status != 0x9000:
        raise CardFault("card_malformed", message, status=f"{status:04x}")
    return data


def encode_cc(file: NdefFile) -> bytes:
    """A capability container of 15 bytes for a read-only NDEF file."""
    head = bytes.fromhex("000F20") + file.bytes_per_read.to_bytes(2, "big") + bytes.fromhex("00340406")
    return head + file.identifier + file.size.to_bytes(2, "big") + bytes.fromhex("00FF")
