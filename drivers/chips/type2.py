"""NFC Forum Type 2 tags and NXP's NTAG21x: commands, versions, capability container and TLV walk."""

from __future__ import annotations

from dataclasses import dataclass, replace

from drivers.chips.ndef import MAX_MESSAGE_BYTES, check_length
from kiosk.errors import CardFault

PAGE_BYTES = 4
FIRST_DATA_PAGE = 4
CC_PAGE = 3

LEAST_BYTES = 256
"""Smallest memory of a chip that carries a credential (150 to 190 bytes), its record and the chip's own."""

MOST_BLOCKS = 8
"""TLV blocks looked at before the message: a tag has one for its lock bits and one for its memory, if any."""

ACK = 0x0A
"""Four-bit acknowledge; any other single nibble is a NAK (NTAG213/215/216 data sheet, section 9.3)."""


@dataclass(frozen=True, slots=True)
class Version:
    """What GET_VERSION told: name of the chip, and its number of pages (0 if not known)."""

    chip: str
    pages: int
    signs: bool = True
    """Gives NXP's originality signature (READ_SIG)."""

    @property
    def holds_credential(self) -> bool:
        """True if a credential fits: some 200 bytes with its record; NTAG213 has 144 for data."""
        return self.pages * PAGE_BYTES >= LEAST_BYTES


# Storage size byte of GET_VERSION -> name and pages (NTAG213/215/216 data sheet, table 28 and section 8.5;
# MIFARE Ultralight EV1 data sheet, section 10.1).
_NTAG = {
    0x0B: Version("NTAG210", 20),
    0x0E: Version("NTAG212", 41),
    0x0F: Version("NTAG213", 45),
    0x11: Version("NTAG215", 135),
    0x13: Version("NTAG216", 231),
}
_ULTRALIGHT = {0x0B: Version("Ultralight EV1", 20), 0x0E: Version("Ultralight EV1", 41)}


def read_command(page: int) -> bytes:
    """READ: 16 bytes from this page (NTAG data sheet, section 10.2)."""
    return bytes([0x30, page])


def fast_read_command(first: int, last: int) -> bytes:
    """FAST_READ: pages first to last, both included (NTAG data sheet, section 10.3)."""
    return bytes([0x3A, first, last])


GET_VERSION = bytes([0x60])


def is_nak(answer: bytes) -> bool:
    """True if the chip refused: one byte that is no acknowledge."""
    return len(answer) == 1 and answer[0] != ACK


def parse_version(answer: bytes) -> Version | None:
    """The version in an answer to GET_VERSION; None if it is none or the chip is not known."""
    if len(answer) != 8 or answer[0] != 0x00 or answer[1] != 0x04:
        return None
    if answer[2] == 0x04:
        version = _NTAG.get(answer[6])
        # NTAG I2C says the same sizes under a subtype of its own; whose key signs there is not published.
        return replace(version, signs=False) if version and answer[3] == 0x05 else version
    if answer[2] == 0x03:
        return _ULTRALIGHT.get(answer[6])
    return None


def data_area_bytes(cc: bytes) -> int:
    """Size of the data area from the capability container in page 3 (Type 2 Tag 1.2, section 6.1).

    Raises CardFault: card_empty for a chip that was never formatted, card_foreign for anything but NDEF,
    card_malformed.
    """
    if len(cc) != 4:
        raise CardFault("card_malformed", "capability container is not 4 bytes")
    if cc == bytes(4):
        raise CardFault("card_empty", "the chip was never formatted for NDEF")
    if cc[0] != 0xE1 or cc[1] >> 4 != 1:
        raise CardFault("card_foreign", "the chip holds no NDEF", cc=cc.hex())
    if cc[3] >> 4 not in (0x0, 0x8):
        raise CardFault("card_foreign", "the chip's NDEF cannot be read freely", cc=cc.hex())
    return cc[2] * 8


@dataclass(frozen=True, slots=True)
class NdefPlace:
    """Where the NDEF message lies: which bytes of the data area make it up."""

    start: int
    """Offset of the first byte of the message in the data area."""
    length: int
    reserved: frozenset[int]
    """Offsets in the data area that belong to lock or reserved memory and are stepped over."""

    @property
    def end(self) -> int:
        """Offset behind the last byte of the message."""
        at, left = self.start, self.length
        while left:
            left -= at not in self.reserved
            at += 1
        return at

    def cut(self, area: bytes) -> bytes:
        """The message out of a data area that reaches to ``end``. Raises CardFault card_malformed."""
        end = self.end
        if len(area) < end:
            raise CardFault("card_malformed", "NDEF message runs past the data area")
        return bytes(area[at] for at in range(self.start, end) if at not in self.reserved)


def find_ndef(area: bytes, size: int) -> NdefPlace | None:
    """Walk the TLV blocks at the start of the data area (Type 2 Tag 1.2, section 6.3).

    ``area`` holds the first bytes of the area, ``size`` is the whole size in bytes. None means that more
    bytes are needed. Raises CardFault: card_empty (no or empty NDEF TLV), card_malformed, card_oversized.
    """
    reserved: list[range] = []
    at = blocks = 0
    area = area[:size]
    while at < size:
        inside = next((part for part in reserved if at in part), None)
        if inside is not None:
            at = inside.stop
            continue
        if at >= len(area):
            return None
        tag = area[at]
        if tag == 0x00:
            end = min((part.start for part in reserved if part.start > at), default=size)
            at += len(area[at:end]) - len(area[at:end].lstrip(b"\x00"))
            continue
        if tag == 0xFE:
            raise CardFault("card_empty", "the card holds no NDEF message")
        blocks += 1
        if blocks > MOST_BLOCKS:
            raise CardFault("card_malformed", f"more than {MOST_BLOCKS} TLV blocks before the message")
        header = _length(area, at + 1)
        if header is None:
            if len(area) < size:
                return None
            raise CardFault("card_malformed", "TLV block runs past the data area")
        length, start = header
        if tag == 0x03:
            check_length(length)
            skipped = (byte for part in reserved for byte in part if start <= byte < size)
            place = NdefPlace(start, length, frozenset(skipped))
            if length > size or place.end > size:
                raise CardFault("card_malformed", "NDEF message runs past the data area")
            return place
        if start + length > size:
            raise CardFault("card_malformed", "TLV block runs past the data area")
        if tag in (0x01, 0x02):
            if start + length > len(area):
                return None
            reserved.append(_reserved(tag, area[start : start + length]))
        at = start + length
    raise CardFault("card_empty", "the card holds no NDEF message")


def _length(area: bytes, at: int) -> tuple[int, int] | None:
    if at >= len(area):
        return None
    if area[at] != 0xFF:
        return area[at], at + 1
    if at + 3 > len(area):
        return None
    return int.from_bytes(area[at + 1 : at + 3], "big"), at + 3


def _reserved(tag: int, value: bytes) -> range:
    """Offsets named by a lock control or memory control TLV (Type 2 Tag 1.2, sections 6.3.2 and 6.3.3)."""
    if len(value) != 3:
        raise CardFault("card_malformed", "control TLV is not 3 bytes")
    position, size, control = value
    first = (position >> 4) * (1 << (control & 0x0F)) + (position & 0x0F) - FIRST_DATA_PAGE * PAGE_BYTES
    count = size or 256
    if tag == 0x01:
        count = (count + 7) // 8
    return range(first, first + count)


def format_area(message: bytes, pages: int, chip: str = "NTAG215") -> bytes:
    """Pages 3 up to the end of the user area of a formatted chip that holds this message (CC, TLVs)."""
    size = {"NTAG213": 144, "NTAG215": 496, "NTAG216": 872}.get(chip, (pages - FIRST_DATA_PAGE) * PAGE_BYTES)
    if len(message) > MAX_MESSAGE_BYTES:
        raise CardFault("card_oversized", "the message does not fit on any chip")
    length = bytes([len(message)]) if len(message) < 0xFF else b"\xff" + len(message).to_bytes(2, "big")
    area = b"\x03" + length + message + b"\xfe"
    if len(area) > size:
        raise CardFault("card_oversized", f"the message does not fit on {chip}", length=len(message))
    return bytes([0xE1, 0x10, size // 8, 0x00]) + area + bytes(size - len(area))
