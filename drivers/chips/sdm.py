"""Secure dynamic messaging of NTAG 424 DNA: what the chip writes into its NDEF file at every read. Pure.

NT4H2421Gx data sheet, section 9.3; AN12196, section 3.4. The chip counts its reads and makes a code over its
UID and that counter: a copy of the memory carries a code that was used, and no key to make the next.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from drivers.chips.aes import BLOCK, cmac, decrypt, short_cmac
from kiosk.errors import CardFault

_SV2 = bytes.fromhex("3CC300010080")
"""Label, counter and length of the session vector for codes (section 9.3.9.1)."""
UID_BYTES, COUNTER_BYTES, MAC_BYTES = 7, 3, 8

MIRROR_BYTES = 2 * (UID_BYTES + COUNTER_BYTES + MAC_BYTES)
"""UID, counter and code as the chip mirrors them one after the other: hexadecimal digits in ASCII (9.3.3)."""


@dataclass(frozen=True, slots=True)
class PiccData:
    """What a chip said of itself in one read."""

    uid: bytes
    """7 bytes; empty if it is not mirrored."""
    counter: int | None
    """How often the file was read; None if it is not mirrored."""


def decrypt_picc_data(key: bytes, data: bytes) -> PiccData:
    """UID and counter out of encrypted PICC data, 16 bytes, under the SDMMetaRead key (section 9.3.4).

    Raises CardFault card_proof_bad, also if another key made them.
    """
    if len(data) != BLOCK:
        raise CardFault("card_proof_bad", "PICC data are 16 bytes", why="sun")
    plain = decrypt(key, data)
    tag, at = plain[0], 1
    uid = b""
    if tag & 0x80:
        if tag & 0x0F != UID_BYTES:
            raise CardFault("card_proof_bad", "PICC data of another key", why="sun")
        uid, at = plain[at : at + UID_BYTES], at + UID_BYTES
    elif tag & 0x0F:
        raise CardFault("card_proof_bad", "PICC data of another key", why="sun")
    if tag & 0x30:
        raise CardFault("card_proof_bad", "PICC data of another key", why="sun")
    counter = int.from_bytes(plain[at : at + COUNTER_BYTES], "little") if tag & 0x40 else None
    return PiccData(uid, counter)


def session_mac_key(key: bytes, picc: PiccData) -> bytes:
    """The key of one read's code, from the SDMFileRead key (section 9.3.9.1)."""
    counter = b"" if picc.counter is None else picc.counter.to_bytes(COUNTER_BYTES, "little")
    vector = _SV2 + picc.uid + counter
    return cmac(key, vector + bytes(-len(vector) % BLOCK))


def code(key: bytes, picc: PiccData, covered: bytes = b"") -> bytes:
    """The SDMMAC, 8 bytes, over what the file holds between the offsets that were set (section 9.3.8)."""
    return short_cmac(session_mac_key(key, picc), covered)


def check_mirror(key: bytes, uid: bytes, mirror: bytes) -> int:
    """The read counter of a mirror (MIRROR_BYTES) that the chip with this UID and key made.

    Raises CardFault card_proof_bad, detail ``why`` ``sun``.
    """
    try:
        if len(mirror) != MIRROR_BYTES or not mirror.isalnum():
            raise ValueError("length")
        plain = bytes.fromhex(mirror.decode("ascii"))
    except ValueError:
        raise CardFault("card_proof_bad", "the chip's message is none", why="sun") from None
    told, counter = plain[:UID_BYTES], plain[UID_BYTES : UID_BYTES + COUNTER_BYTES]
    # Mirrored with the high byte first (section 9.3.3), computed with the low byte first.
    picc = PiccData(told, int.from_bytes(counter, "big"))
    if told != uid or not hmac.compare_digest(code(key, picc), plain[-MAC_BYTES:]):
        raise CardFault("card_proof_bad", "the chip's message is of another chip or key", why="sun")
    return int.from_bytes(counter, "big")
