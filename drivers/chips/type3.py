"""NFC Forum Type 3 tags (FeliCa): the attribute information block and which blocks hold the message."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.chips.ndef import check_length
from kiosk.errors import CardFault

BLOCK_BYTES = 16
NDEF_SYSTEM = 0x12FC
"""System code of NDEF (Type 3 Tag 1.0, section 5.2)."""

NDEF_SERVICE = 0x000B
"""Service code of reading NDEF without a key (Type 3 Tag 1.0, section 5.3)."""

MOST_BLOCKS_PER_READ = 12
"""Keeps an answer (13 + 16 n bytes) below the 251 bytes a PN53x reader takes."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """Block 0: how the NDEF message is stored (Type 3 Tag 1.0, section 6.1)."""

    blocks_per_read: int
    last_block: int
    length: int

    def block_ranges(self) -> tuple[range, ...]:
        """The blocks that hold the message, in as few reads as the card allows."""
        end = 1 + (self.length + BLOCK_BYTES - 1) // BLOCK_BYTES
        step = min(self.blocks_per_read, MOST_BLOCKS_PER_READ)
        return tuple(range(first, min(first + step, end)) for first in range(1, end, step))


def parse_attributes(block: bytes) -> Attributes:
    """The attribute block. Raises CardFault: card_malformed, card_empty, card_oversized, card_foreign."""
    if len(block) != BLOCK_BYTES:
        raise CardFault("card_malformed", "attribute block is not 16 bytes")
    if sum(block[:14]) != int.from_bytes(block[14:16], "big"):
        raise CardFault("card_malformed", "attribute block has a wrong checksum")
    if block[0] >> 4 != 1:
        raise CardFault("card_foreign", "NDEF mapping version is not known", version=block[0])
    if block[9] != 0x00:
        raise CardFault("card_malformed", "writing the card was never finished")
    blocks = int.from_bytes(block[3:5], "big")
    length = int.from_bytes(block[11:14], "big")
    if not block[1]:
        raise CardFault("card_malformed", "the card allows no block per read")
    check_length(length)
    if length > blocks * BLOCK_BYTES:
        raise CardFault("card_malformed", "NDEF message runs past the last block")
    return Attributes(block[1], blocks, length)


def encode_attributes(length: int, blocks: int, blocks_per_read: int) -> bytes:
    """Block 0 of a read-only card with a message of this length."""
    head = bytes([0x10, blocks_per_read, 1]) + blocks.to_bytes(2, "big") + bytes(4)
    head += bytes([0x00, 0x00]) + length.to_bytes(3, "big")
    return head + sum(head).to_bytes(2, "big")
