"""Frames of a Type 2 chip through PC/SC: by the reader's own commands, and past it where it hands frames on.

PC/SC part 3, revision 2.01.09: READ BINARY and UPDATE BINARY, sections 3.2.2.1.8 and 3.2.2.1.9; transparent
exchange, supplement of revision 2.02, section 3.2.2.2 (ACR1552U reference manual, section 5.3.5.4). The
ACR122U has a command of its own (its API 2.04, section 6.1) around InCommunicateThru of the PN532 (user
manual UM0701-02, section 7.3.9).
"""

from __future__ import annotations

from drivers.chips import pcsc_atr, type2
from drivers.chips.apdu import OK, Transmit, command, split

_PN532_READERS = ("ACR122",)
"""By the beginning of what follows the maker's name: only these take InCommunicateThru."""
_WITHIN = bytes.fromhex("5F4604") + (50_000).to_bytes(4, "little")
"""Timer of the transparent exchange, in microseconds; a page takes 4 ms to be written."""
_TRANSCEIVE, _STATUS, _ANSWER = 0x95, 0x96, 0x97
_GENERIC = b"\xc0\x03"
"""Status of the exchange, first of all objects: place of an error and two bytes as an APDU has them."""
_READ, _WRITE = 0x30, 0xA2
_REFUSED = b"\x00"
"""What a Type 2 chip says to a command that it does not do (NAK, four bits)."""


def exchange(transmit: Transmit, reader: str, frame: bytes) -> bytes | None:
    """The chip's answer to a frame of ISO 14443-3; None if none came, or the reader hands no frames on.

    ``reader`` is the reader's PC/SC name. Raises what ``transmit`` raises.
    """
    if any(name in reader for name in _PN532_READERS):
        data, status = split(transmit(command(0xFF, 0x00, 0x00, 0x00, b"\xd4\x42" + frame)))
        return data[3:] or None if status == OK and data[:3] == bytes.fromhex("D54300") else None
    objects = _WITHIN + bytes([_TRANSCEIVE, len(frame)]) + frame
    data, status = split(transmit(command(0xFF, 0xC2, 0x00, 0x01, objects, 256)))
    return _answer_in(data) if status == OK else None


def _answer_in(data: bytes) -> bytes | None:
    """The chip's answer among the data objects of a transparent exchange."""
    if data[:2] != _GENERIC or data[3:5] != OK.to_bytes(2, "big"):
        return None
    found: dict[int, bytes] = {}
    at = 5
    while at + 1 < len(data):
        end = at + 2 + data[at + 1]
        if end > len(data):
            return None
        found[data[at]] = data[at + 2 : end]
        at = end
    if found.get(_STATUS, b"\x00")[:1] > b"\x00":
        return None
    return found.get(_ANSWER) or None


class Type2Frames:
    """Sends a Type 2 chip's frames: pages by the reader's commands, all else past it."""

    def __init__(self, transmit: Transmit, reader: str) -> None:
        self._transmit = transmit
        self._reader = reader

    def __call__(self, frame: bytes) -> bytes:
        """The chip's answer; ``type2.ACK`` or a NAK to a WRITE, a NAK to what the reader does not hand on.

        Raises what ``transmit`` raises.
        """
        if frame[0] == _READ and len(frame) == 2:
            data, status = split(self._transmit(pcsc_atr.read_binary(frame[1])))
            return data if status == OK else _REFUSED
        if frame[0] == _WRITE and len(frame) == 2 + type2.PAGE_BYTES:
            _, status = split(self._transmit(command(0xFF, 0xD6, 0x00, frame[1], frame[2:])))
            return bytes([type2.ACK]) if status == OK else _REFUSED
        return exchange(self._transmit, self._reader, frame) or _REFUSED
