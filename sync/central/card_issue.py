"""Issuing cards: both credentials of a card, batches of cards, and the file of virtual cards.

Each card carries two credentials, one bound to its chip and one printed as QR; each is refused on the other
medium. Chips are written by ``card_writing``, faces printed by ``card_sheet``: what is made here goes onto
them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.credential import issue, to_qr
from kiosk.errors import EnvironmentFault, OfficerFault
from kiosk.period import start_of_day
from kiosk.values import Grade, Medium
from sync.central.import_format import Card, Chip
from sync.wire import to_base64

ZONE = "Asia/Jakarta"
"""Where the days on a card begin."""

_NXP = b"\x04"
"""Manufacturer of the chips whose UIDs have 7 bytes (ISO/IEC 7816-6 register)."""
_CASCADE_TAG = 0x88
"""May not be the fourth byte of a UID of 7 bytes (ISO/IEC 14443-3, 6.5.4)."""
_FELICA = bytes.fromhex("012e")
"""Start of an IDm; 01FE would mean peer-to-peer, not a card."""


@dataclass(frozen=True, slots=True)
class IssuedCard:
    """One issue of a card: what is written to its chip and printed on its face. Times are Unix seconds."""

    card_no: str
    issue_no: int
    chip: str
    uid: bytes
    nfc: bytes
    """Credential for the chip (COSE): the payload of the NDEF record of type NDEF_TYPE. Empty without UID."""
    qr: str
    """Text of the QR code, ``KMC1:…``."""
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class VirtualCard:
    """A card of the virtual hardware's tray, one line of ``cards.jsonl``."""

    card_no: str
    """Name under which it is tapped, the only one in the file: the card number of a holder's newest card,
    else the label."""
    label: str
    holder: str
    chip: str
    uid: bytes
    nfc: bytes
    """Payload of the NDEF record of type NDEF_TYPE; empty for an empty chip."""
    qr: str
    """Empty if nothing is printed."""
    ndef: bytes = b""
    """A whole NDEF message that lies on the chip instead; only on foreign tags."""

    def as_line(self) -> str:
        """The line of the file, without its end."""
        body = {
            "card_no": self.card_no,
            "label": self.label,
            "holder": self.holder,
            "chip": self.chip,
            "uid": self.uid.hex(),
            "nfc": to_base64(self.nfc),
            "qr": self.qr,
        }
        if self.ndef:
            body["ndef"] = to_base64(self.ndef)
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def issue_card(
    issuer_key: Ed25519PrivateKey,
    kid: bytes,
    card_no: str,
    issue_no: int,
    uid: bytes,
    chip: str,
    issued_at: int,
    valid_until: int,
    least_grade: Grade = Grade.P1,
) -> IssuedCard:
    """One issue of a card, for a chip with that UID; with an empty UID there is nothing for a chip yet.

    Times are Unix seconds; the card is good until just before ``valid_until``. Raises ValueError for a random
    UID, an end that is not after the start, or a number no credential can carry.
    """
    nfc = b""
    if uid:
        nfc = issue(
            issuer_key,
            kid,
            card_no,
            issue_no,
            issued_at,
            valid_until,
            Medium.NFC,
            uid=uid,
            least_grade=least_grade,
        )
    printed = issue(issuer_key, kid, card_no, issue_no, issued_at, valid_until, Medium.QR)
    return IssuedCard(card_no, issue_no, chip, uid, nfc, to_qr(printed), issued_at, valid_until)


def issue_batch(
    issuer_key: Ed25519PrivateKey,
    kid: bytes,
    cards: Iterable[Card],
    card_nos: Mapping[int, str],
    zone: str = ZONE,
    least_grade: Grade = Grade.P1,
) -> tuple[IssuedCard, ...]:
    """The cards of a batch in order; ``card_nos`` gives each holder id its card number.

    Days of a card begin at midnight of ``zone``. Raises OfficerFault ``batch_refused`` whose detail
    ``mistakes`` names every card that cannot be issued (no chip known, holder unknown); none is issued then.
    """
    wanted = list(cards)
    mistakes = []
    for place, card in enumerate(wanted):
        if card.uid is None:
            mistakes.append({"where": f"[{place}].uid", "code": "uid", "message": "no chip is known yet"})
        if card.holder_id not in card_nos:
            mistakes.append(
                {"where": f"[{place}].holder_id", "code": "unknown_holder", "message": "no holder"}
            )
    if mistakes:
        raise OfficerFault("batch_refused", f"{len(mistakes)} mistakes, no card issued", mistakes=mistakes)
    return tuple(
        issue_card(
            issuer_key,
            kid,
            card_nos[card.holder_id],
            card.issue_no,
            bytes.fromhex(card.uid or ""),
            card.chip,
            day_seconds(card.issued, zone),
            day_seconds(card.valid_until, zone),
            least_grade,
        )
        for card in wanted
    )


def day_seconds(day: date, zone: str = ZONE) -> int:
    """The first instant of a day in that zone, in Unix seconds. Raises ValueError outside the calendar."""
    return int(start_of_day(day, zone).timestamp())


def virtual_uid(card_no: str, issue_no: int, chip: Chip) -> bytes:
    """The UID of a virtual chip: always the same for the same card, shaped as that kind of chip's are.

    NTAG215 and DESFire: 7 bytes from 04. FeliCa: an IDm of 8 bytes.
    """
    drawn = hashlib.sha256(f"kmc virtual chip {card_no} {issue_no} {chip}".encode()).digest()
    if chip == "FeliCa":
        return _FELICA + drawn[:6]
    uid = bytearray(_NXP + drawn[:6])
    if uid[3] == _CASCADE_TAG:
        uid[3] = 0
    return bytes(uid)


def write_cards(path: Path, cards: Iterable[VirtualCard]) -> int:
    """Writes the file of virtual cards whole or not at all, mode 0600; answers how many there are.

    Raises EnvironmentFault ``write_failed``, ValueError if two cards have the same name.
    """
    listed = list(cards)
    if len({card.card_no for card in listed}) != len(listed):
        raise ValueError("two virtual cards have the same name")
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.unlink(missing_ok=True)
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(card.as_line() + "\n" for card in listed)
        beside.replace(path)
    except OSError as fault:
        raise EnvironmentFault("write_failed", f"{path.name}: {fault.strerror}", file=path.name) from fault
    return len(listed)
