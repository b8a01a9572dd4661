"""Writing FeliCa as NFC Forum Type 3 tags: attribute blocks while writing and after, FeliCa Lite's MC."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.chips.type3 import BLOCK_BYTES
from kiosk.errors import CardFault

NDEF_WRITE_SERVICE = 0x0009
"""Service code of the NDEF blocks, read and write (Type 3 Tag 1.0, section 5.2.2)."""
MC_BLOCK = 0x88
"""Memory configuration of FeliCa Lite and Lite-S: bytes 0 and 1 say which blocks may be written (bit 1:
yes), byte 2 whether system blocks may (FFh: yes); FeliCa Lite-S user's manual, section 3.3."""
_WRITING, _DONE = 0x0F, 0x00
_READ_ONLY, _READ_WRITE = 0x00, 0x01


@dataclass(frozen=True, slots=True)
class WriteAttributes:
    """What block 0 says of writing (Type 3 Tag 1.0, section 6.1)."""

    version: int
    blocks_per_read: int
    blocks_per_write: int
    last_block: int
    writable: bool
    length: int
    finished: bool

    @property
    def capacity(self) -> int:
        """Longest NDEF message in bytes."""
        return self.last_block * BLOCK_BYTES

    def block(self, length: int, *, writing: bool = False, writable: bool = True) -> bytes:
        """Block 0 with another length of the message."""
        head = bytes([self.version, self.blocks_per_read, self.blocks_per_write])
        head += self.last_block.to_bytes(2, "big") + bytes(4)
        head += bytes([_WRITING if writing else _DONE, _READ_WRITE if writable else _READ_ONLY])
        head += length.to_bytes(3, "big")
        return head + sum(head).to_bytes(2, "big")

    def writes(self, message: bytes) -> list[tuple[int, bytes]]:
        """Blocks to write in order, as (first block, data). Until the last one the card is unfinished."""
        data = message + bytes(-len(message) % BLOCK_BYTES)
        step = max(self.blocks_per_write, 1) * BLOCK_BYTES
        parts = [(1 + at // BLOCK_BYTES, data[at : at + step]) for at in range(0, len(data), step)]
        return [(0, self.block(0, writing=True)), *parts, (0, self.block(len(message)))]


def parse_write_attributes(block: bytes) -> WriteAttributes:
    """Block 0 of a formatted card, also of an empty or half-written one. CardFault ``card_foreign``."""
    if (
        len(block) != BLOCK_BYTES
        or sum(block[:14]) != int.from_bytes(block[14:16], "big")
        or block[0] >> 4 != 1
    ):
        raise CardFault("card_foreign", "the card is not formatted for NDEF")
    return WriteAttributes(
        block[0],
        block[1],
        block[2],
        int.from_bytes(block[3:5], "big"),
        block[10] == _READ_WRITE,
        int.from_bytes(block[11:14], "big"),
        block[9] == _DONE,
    )


def locked_configuration(mc: bytes) -> bytes:
    """The MC block after which no block can be written, ever."""
    return bytes([0x00, mc[1] & 0xC0, 0x00]) + mc[3:]
