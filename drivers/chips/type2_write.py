"""Writing NXP's NTAG21x: commands, which pages are locked, and an order of writes without half messages.

Numbers are of the NTAG213/215/216 data sheet (rev. 3.2): memory map 8.5, lock bytes 8.5.2 and 8.5.3,
configuration pages 8.5.7, WRITE 10.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from drivers.chips.type2 import CC_PAGE, FIRST_DATA_PAGE, PAGE_BYTES, Version
from kiosk.errors import CardFault

LOCK_PAGE = 2
"""Its bytes 2 and 3 lock pages 3 to 15; its bytes 0 and 1 are not changed by a write."""
CC_READ_ONLY = 0x0F
"""Access byte of the capability container: read freely, write never (Type 2 Tag 1.2, section 6.1)."""
EMPTY_AREA = bytes([0x03, 0x00, 0xFE, 0x00])
"""An NDEF message of length 0 and the terminator."""
_NEVER = 0xFF
_CFGLCK = 0x40


@dataclass(frozen=True, slots=True)
class Layout:
    """Where an NTAG21x has what, by its number of pages."""

    chip: str
    pages: int
    cc_size: int
    """Third byte of the capability container: data area in units of 8 bytes."""
    pages_per_bit: int
    """How many pages one dynamic lock bit covers, from page 16 on."""
    all_locked: bytes
    """The three dynamic lock bytes with everything locked, reserved bits 0."""

    @property
    def dynamic_lock_page(self) -> int:
        """The page of the dynamic lock bytes, behind the user memory."""
        return self.pages - 5

    @property
    def config_page(self) -> int:
        """CFG0; its byte 3 is AUTH0, the first page that asks for the password. CFG1 is the next."""
        return self.pages - 4

    @property
    def capacity(self) -> int:
        """Longest NDEF message in bytes: the data area without the blocks' headers and the terminator."""
        area = self.cc_size * 8
        return area - 3 if area - 3 < 0xFF else area - 5


LAYOUTS = {
    "NTAG213": Layout("NTAG213", 45, 0x12, 2, bytes.fromhex("FF0F3F")),
    "NTAG215": Layout("NTAG215", 135, 0x3E, 16, bytes.fromhex("FF000F")),
    "NTAG216": Layout("NTAG216", 231, 0x6D, 16, bytes.fromhex("FF3F7F")),
}


def layout_of(version: Version | None) -> Layout:
    """The layout of a chip by its version. Raises CardFault ``card_wrong_kind`` for any other chip."""
    found = LAYOUTS.get(version.chip) if version else None
    if found is None:
        name = version.chip if version else "a Type 2 chip without version"
        raise CardFault("card_wrong_kind", f"{name} is not written; NTAG215 and NTAG216 are", chip=name)
    return found


def write_command(page: int, data: bytes) -> bytes:
    """WRITE: the four bytes of one page."""
    if len(data) != PAGE_BYTES:
        raise ValueError("a page has four bytes")
    return bytes([0xA2, page]) + data


def first_locked(
    layout: Layout, lock_page: bytes, dynamic: bytes, config: bytes, first: int, last: int
) -> int | None:
    """The first of these pages that cannot be written: locked for good, or by a password; None if none is.

    ``lock_page``, ``dynamic`` and ``config`` are the pages LOCK_PAGE, dynamic lock and CFG0.
    """
    static_bits = int.from_bytes(lock_page[2:4], "little")
    dynamic_bits = int.from_bytes(dynamic[0:2], "little")
    for page in range(first, last + 1):
        bit = static_bits >> page if page < 16 else dynamic_bits >> ((page - 16) // layout.pages_per_bit)
        if bit & 1 or page >= config[3]:
            return page
    return None


def message_writes(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Pages to write in order. Until the last one is written the chip reads as empty, never as half."""
    length = bytes([len(message)]) if len(message) < 0xFF else b"\xff" + len(message).to_bytes(2, "big")
    area = b"\x03" + length + message + b"\xfe"
    area += bytes(-len(area) % PAGE_BYTES)
    yield FIRST_DATA_PAGE, EMPTY_AREA
    for at in range(PAGE_BYTES, len(area), PAGE_BYTES):
        yield FIRST_DATA_PAGE + at // PAGE_BYTES, area[at : at + PAGE_BYTES]
    yield FIRST_DATA_PAGE, area[:PAGE_BYTES]


def last_page(message: bytes) -> int:
    """The last page that a message of this length takes."""
    return max(page for page, _ in message_writes(message))


def lock_writes(layout: Layout, lock_page: bytes, config: bytes) -> Iterator[tuple[int, bytes]]:
    """Pages to write so that neither content nor password can be changed any more, ever.

    ``config`` is CFG0 and CFG1 (8 bytes). The configuration comes first: without it anybody could still set
    a password that hides the message.
    """
    yield layout.config_page, config[:3] + bytes([_NEVER])
    yield layout.config_page + 1, bytes([config[4] | _CFGLCK]) + config[5:8]
    yield CC_PAGE, bytes([0xE1, 0x10, layout.cc_size, CC_READ_ONLY])
    yield layout.dynamic_lock_page, layout.all_locked + bytes(1)
    yield LOCK_PAGE, lock_page[:2] + b"\xff\xff"


def capability_container(layout: Layout) -> bytes:
    """Page 3 of a chip that can be written freely."""
    return bytes([0xE1, 0x10, layout.cc_size, 0x00])
