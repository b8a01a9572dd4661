"""What a PC/SC reader tells of a contactless card: the ATR it makes up, and the commands it answers itself.

PC/SC part 3, revision 2.01.09: section 3.1.3.2.3 (ATR), 3.2.2.1 (commands); its supplement lists card names.
"""

from __future__ import annotations

from drivers.chips.apdu import command
from drivers.chips.identify import Chip, Family

GET_UID = command(0xFF, 0xCA, 0x00, 0x00, b"", 256)
"""GET DATA: the UID or IDm of the card in the field (section 3.2.2.1.3)."""
_RID = bytes.fromhex("A000000306")
"""The PC/SC workgroup: what follows names a storage card."""
_TYPE_A_PART_3, _FELICA = 0x03, 0x11
_TYPE_2_NAMES = (0x0003, 0x003A)
"""Card names of the supplement: MIFARE Ultralight (any Type 2 chip), Ultralight C."""
_CLASSIC_NAMES = {0x0001: "MIFARE Classic 1K", 0x0002: "MIFARE Classic 4K", 0x0026: "MIFARE Mini"}
_DESFIRE = bytes.fromhex("3B8180018080")
"""The ATR of a chip whose ATS has the one historical byte 80h: DESFire and NTAG 424 DNA."""


def read_binary(page: int) -> bytes:
    """READ BINARY that the reader answers: 16 bytes from a page or block (section 3.2.2.1.8)."""
    return command(0xFF, 0xB0, page >> 8, page & 0xFF, b"", 16)


def select_service(code: int) -> bytes:
    """Chooses the FeliCa service that READ BINARY reads, as readers with that extension take it."""
    return command(0xFF, 0xA4, 0x00, 0x01, code.to_bytes(2, "little"))


def identify(atr: bytes, uid: bytes) -> Chip:
    """The chip behind an ATR; UID of 4, 7 or 10 bytes, IDm of 8. A contact card has no UID."""
    random_uid = len(uid) == 4 and uid[:1] == b"\x08"
    at = atr.find(_RID)
    if at < 0 or len(atr) < at + len(_RID) + 3:
        name = "DESFire" if atr == _DESFIRE else "Type 4"
        return Chip(Family.TYPE4, name, uid, random_uid)
    standard, name_code = atr[at + 5], int.from_bytes(atr[at + 6 : at + 8], "big")
    if standard == _FELICA:
        return Chip(Family.TYPE3, "FeliCa", uid)
    if standard == _TYPE_A_PART_3 and name_code in _TYPE_2_NAMES:
        return Chip(Family.TYPE2, "Type 2", uid, random_uid)
    if name_code in _CLASSIC_NAMES:
        return Chip(Family.FOREIGN, _CLASSIC_NAMES[name_code], uid, random_uid)
    return Chip(Family.FOREIGN, f"PC/SC card {standard:02X} {name_code:04X}", uid, random_uid)


def storage_atr(standard: int, name_code: int) -> bytes:
    """The ATR that a reader makes up for a storage card (section 3.1.3.2.3.2)."""
    history = bytes.fromhex("804F0C") + _RID + bytes([standard]) + name_code.to_bytes(2, "big") + bytes(4)
    return _with_check(bytes([0x80 | len(history)]) + bytes.fromhex("8001") + history)


def contactless_atr(history: bytes) -> bytes:
    """The ATR for a card that talks ISO 14443-4, with the historical bytes of its ATS."""
    return _with_check(bytes([0x80 | len(history)]) + bytes.fromhex("8001") + history)


TYPE_2_ATR = (_TYPE_A_PART_3, _TYPE_2_NAMES[0])
FELICA_ATR = (_FELICA, 0x003B)
CLASSIC_ATR = (_TYPE_A_PART_3, 0x0001)


def _with_check(body: bytes) -> bytes:
    check = 0
    for byte in body:
        check ^= byte
    return b"\x3b" + body + bytes([check])
