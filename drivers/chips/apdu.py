"""Command APDUs as bytes (ISO/IEC 7816-4): what is sent the same way through ISO-DEP and through PC/SC."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from kiosk.errors import CardFault

Transmit: TypeAlias = Callable[[bytes], bytes]
"""Sends one command APDU; returns the answer's data and its two status bytes."""

OK = 0x9000
NO_SUCH_FILE = 0x6A82
"""ISO/IEC 7816-4, table 6: file or application not found."""


def command(cla: int, ins: int, p1: int, p2: int, data: bytes = b"", expected: int | None = None) -> bytes:
    """A short APDU; ``expected`` bytes are asked for, 256 at most, none at all if it is None.

    Raises ValueError for more than 255 bytes of data.
    """
    if len(data) > 255 or (expected is not None and not 1 <= expected <= 256):
        raise ValueError("does not fit into a short APDU")
    body = bytes([len(data)]) + data if data else b""
    return bytes([cla, ins, p1, p2]) + body + (b"" if expected is None else bytes([expected & 0xFF]))


def split(answer: bytes) -> tuple[bytes, int]:
    """Data and status word of an answer. Raises CardFault card_unreadable for fewer than two bytes."""
    if len(answer) < 2:
        raise CardFault("card_unreadable", "an answer without status", length=len(answer))
    return answer[:-2], int.from_bytes(answer[-2:], "big")
