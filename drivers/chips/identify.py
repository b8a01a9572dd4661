"""Which chip answered: by ATQA and SAK (NXP AN10833), never by what a library guesses from them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from kiosk.errors import CardFault

_CLASSIC = {
    0x08: "MIFARE Classic 1K",
    0x09: "MIFARE Mini",
    0x18: "MIFARE Classic 4K",
    0x19: "MIFARE Classic 2K",
    0x88: "MIFARE Classic 1K",
    0x98: "MIFARE Classic 4K",
    0x01: "TNP3xxx",
    0x10: "MIFARE Plus 2K",
    0x11: "MIFARE Plus 4K",
}
_CLASSIC_NAMES = frozenset(name for name in _CLASSIC.values() if name.startswith("MIFARE"))
"""MIFARE Classic, Mini, and Plus at its level 1, which answers as Classic: their cipher is broken."""

_ATQA_DESFIRE = bytes.fromhex("4403")
"""ATQA 0344h with the low byte first, as it is sent: DESFire and NTAG 424 DNA."""


class Family(Enum):
    """How a chip is talked to."""

    TYPE2 = "type2"
    TYPE3 = "type3"
    TYPE4 = "type4"
    FOREIGN = "foreign"
    """Talks a protocol that carries no credential of ours."""


@dataclass(frozen=True, slots=True)
class Chip:
    """What anticollision alone tells of a card."""

    family: Family
    name: str
    uid: bytes
    random_uid: bool = False

    @property
    def signs(self) -> bool:
        """True for a chip that may have NXP's originality signature (first UID byte 04h, ISO 7816-6)."""
        return self.name == "DESFire" and len(self.uid) == 7 and self.uid[0] == 0x04

    @property
    def label(self) -> str:
        """The name for people and records; says so when the UID is random."""
        return f"{self.name} random UID" if self.random_uid else self.name

    def same_card(self, other: Chip) -> bool:
        """True if both may be one card lying still: a random UID changes whenever the field goes off."""
        if self.random_uid and other.random_uid:
            return self.name == other.name
        return self.family == other.family and self.uid == other.uid


def foreign_kind(chip: Chip) -> CardFault:
    """Why a chip of family FOREIGN is not read: ``card_classic`` (MIFARE Classic) or ``card_foreign``."""
    code = "card_classic" if chip.name in _CLASSIC_NAMES else "card_foreign"
    return CardFault(code, f"{chip.label} carries no credential", chip=chip.label)


def identify_type_a(sens_res: bytes, sel_res: bytes, uid: bytes) -> Chip:
    """The chip behind a type A anticollision (ISO 14443-3): ATQA as sent, SAK, UID of 4, 7 or 10 bytes."""
    # A single-size UID that starts with 08 is random (ISO 14443-3, section 6.5.4).
    random_uid = len(uid) == 4 and uid[:1] == b"\x08"
    if len(sens_res) == 2 and sens_res[1] & 0x0F == 0x0C:
        return Chip(Family.FOREIGN, "Type 1", uid)
    if len(sel_res) != 1:
        return Chip(Family.FOREIGN, "unknown type A", uid, random_uid)
    sak = sel_res[0]
    if sak & 0x20:
        name = "DESFire" if sens_res == _ATQA_DESFIRE and sak == 0x20 else "Type 4"
        return Chip(Family.TYPE4, name, uid, random_uid)
    if sak in _CLASSIC:
        return Chip(Family.FOREIGN, _CLASSIC[sak], uid, random_uid)
    if sak == 0x00:
        return Chip(Family.TYPE2, "Type 2", uid, random_uid)
    return Chip(Family.FOREIGN, f"SAK {sak:02X}", uid, random_uid)


def identify_type_f(sensf_res: bytes) -> Chip:
    """The chip behind a FeliCa polling answer: response code, IDm (8 bytes), PMm (8 bytes)."""
    return Chip(Family.TYPE3, "FeliCa", sensf_res[1:9])


def identify_type_b(sensb_res: bytes) -> Chip:
    """The chip behind an ATQB (ISO 14443-3, section 7.9): 50h, then a PUPI that may be random."""
    return Chip(Family.FOREIGN, "Type B", sensb_res[1:5], random_uid=True)
