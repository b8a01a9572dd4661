"""The demonstration's cards for virtual hardware: everybody's own, and bad ones to tap from the tray."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.credential import issue, to_qr
from kiosk.values import Grade, Medium
from sync.central.card_issue import IssuedCard, VirtualCard, day_seconds, issue_batch, issue_card, virtual_uid
from sync.central.demo_showcase import OLD_ISSUE_LABEL, SHOWCASE
from sync.central.import_format import ImportDocument

NOBODYS_CARD = "9079214467"
"""A card number that no holder of the demonstration has."""

_WEB_ADDRESS = "https://example.org/kmc"


class Content(NamedTuple):
    """What lies on a bad card."""

    uid: bytes
    nfc: bytes = b""
    qr: str = ""
    chip: str = "NTAG215"
    ndef: bytes = b""


class Desk(NamedTuple):
    """What bad cards are made with."""

    key: Ed25519PrivateKey
    kid: bytes
    good: IssuedCard
    today: date

    def card(self, label: str, issued: date, until: date, card_no: str = "") -> Content:
        """A card signed by the issuer with other dates or another number, on a chip of its own."""
        made = issue_card(
            self.key,
            self.kid,
            card_no or self.good.card_no,
            self.good.issue_no,
            own_uid(label),
            "NTAG215",
            day_seconds(issued),
            day_seconds(until),
        )
        return Content(made.uid, made.nfc, made.qr)

    def forged(self, label: str, kid: bytes) -> Content:
        """A card signed by a key that nobody trusts, under some key id."""
        stranger = Ed25519PrivateKey.from_private_bytes(
            hashlib.sha256(b"kmc demonstration stranger").digest()
        )
        good = self.good
        made = issue_card(
            stranger,
            kid,
            good.card_no,
            good.issue_no,
            own_uid(label),
            "NTAG215",
            good.issued_at,
            good.expires_at,
        )
        return Content(made.uid, made.nfc, made.qr)


@dataclass(frozen=True, slots=True)
class BadCard:
    """A card that a kiosk must refuse; the codes are of the card fault, empty if the medium is not there."""

    label: str
    description: str
    nfc_fault: str
    qr_fault: str
    make: Callable[[Desk], Content]


def own_uid(label: str) -> bytes:
    """The UID of a bad card's chip, nobody else's."""
    return virtual_uid(label, 1, "NTAG215")


def bad_cards() -> tuple[BadCard, ...]:
    """Every bad card of the tray."""
    return _BAD_CARDS


def demo_cards(document: ImportDocument, key: Ed25519PrivateKey, kid: bytes) -> tuple[VirtualCard, ...]:
    """All virtual cards of a demonstration: the showcase, the other holders, old issues, and bad cards.

    ``key`` and ``kid`` are the issuer's; its time must reach back to ``earliest_issue(document)``.
    """
    holders = {holder.id: holder for holder in document.holders}
    card_nos = {holder.id: holder.card_no for holder in document.holders}
    labels = {person.holder_id: person.label for person in SHOWCASE.values()}
    newest: dict[int, int] = {}
    for card in document.cards:
        newest[card.holder_id] = max(card.issue_no, newest.get(card.holder_id, 0))
    found: list[VirtualCard] = []
    good: IssuedCard | None = None
    for card, issued in zip(document.cards, issue_batch(key, kid, document.cards, card_nos), strict=True):
        old = card.issue_no < newest[card.holder_id]
        label = OLD_ISSUE_LABEL if old else labels.get(card.holder_id, "")
        found.append(
            VirtualCard(
                card_no=label if old else issued.card_no,
                label=label,
                holder=holders[card.holder_id].name,
                chip=issued.chip,
                uid=issued.uid,
                nfc=issued.nfc,
                qr=issued.qr,
            )
        )
        if label == "mother":
            good = issued
    if good is None:
        raise ValueError("not a demonstration's document: nobody to make bad cards of")
    desk = Desk(key, kid, good, document.issued)
    return (*found, *(_laid(bad, bad.make(desk)) for bad in _BAD_CARDS))


def earliest_issue(document: ImportDocument) -> date:
    """The day from which the issuer's key must be in force for every card of the document to hold."""
    return min(card.issued for card in document.cards)


def _laid(bad: BadCard, content: Content) -> VirtualCard:
    return VirtualCard(
        card_no=bad.label,
        label=bad.label,
        holder=bad.description,
        chip=content.chip,
        uid=content.uid,
        nfc=content.nfc,
        qr=content.qr,
        ndef=content.ndef,
    )


def _empty(desk: Desk) -> Content:
    return Content(own_uid("bad-empty"))


def _foreign(desk: Desk) -> Content:
    """A tag that holds a web address: one short NDEF URI record (NFC Forum URI RTD 1.0, prefix 04)."""
    address = b"\x04" + _WEB_ADDRESS.removeprefix("https://").encode()
    return Content(own_uid("bad-foreign"), ndef=b"\xd1\x01" + bytes([len(address)]) + b"U" + address)


def _web_address(desk: Desk) -> Content:
    return Content(own_uid("bad-web-address"), qr=_WEB_ADDRESS)


def _copied(desk: Desk) -> Content:
    return Content(own_uid("bad-copied"), desk.good.nfc)


def _random_uid(desk: Desk) -> Content:
    return Content(bytes.fromhex("08a1b2c3"), desk.good.nfc, chip="DESFire")


def _flipped(desk: Desk) -> Content:
    printed = _printed(desk)
    return Content(desk.good.uid, _flip_last(desk.good.nfc), to_qr(_flip_last(printed)))


def _cut(desk: Desk) -> Content:
    return Content(desk.good.uid, desk.good.nfc[:-20], desk.good.qr[:-20])


def _qr_on_chip(desk: Desk) -> Content:
    return Content(own_uid("bad-qr-on-chip"), _printed(desk))


def _chip_on_qr(desk: Desk) -> Content:
    return Content(own_uid("bad-chip-on-qr"), qr=to_qr(desk.good.nfc))


def _downgrade(desk: Desk) -> Content:
    good, uid = desk.good, own_uid("bad-downgrade")
    credential = issue(
        desk.key,
        desk.kid,
        good.card_no,
        good.issue_no,
        good.issued_at,
        good.expires_at,
        Medium.NFC,
        uid=uid,
        least_grade=Grade.P2,
    )
    return Content(uid, credential)


def _printed(desk: Desk) -> bytes:
    good = desk.good
    return issue(desk.key, desk.kid, good.card_no, good.issue_no, good.issued_at, good.expires_at, Medium.QR)


def _flip_last(credential: bytes) -> bytes:
    """The credential with one bit of its signature, which comes last, turned over."""
    return credential[:-1] + bytes([credential[-1] ^ 1])


def _long_ago(desk: Desk) -> Content:
    return desk.card("bad-expired", desk.today - timedelta(days=100), desk.today - timedelta(days=1))


def _ahead(desk: Desk) -> Content:
    return desk.card("bad-not-yet-valid", desk.today + timedelta(days=365), desk.today + timedelta(days=730))


def _nobodys(desk: Desk) -> Content:
    start, end = desk.today - timedelta(days=100), desk.today + timedelta(days=730)
    return desk.card("bad-unknown-holder", start, end, NOBODYS_CARD)


# fmt: off
_BAD_CARDS = (
    BadCard("bad-empty", "A blank tag", "card_empty", "", _empty),
    BadCard("bad-foreign", "A tag that holds a web address", "card_foreign", "", _foreign),
    BadCard("bad-web-address", "A blank tag, printed with a web address", "card_empty", "card_foreign",
            _web_address),
    BadCard("bad-copied", "A good card's content on another chip", "card_wrong_chip", "", _copied),
    BadCard("bad-random-uid", "The same on a chip whose UID is random", "card_random_uid", "", _random_uid),
    BadCard("bad-flipped", "One bit of the signature flipped", "card_bad_signature", "card_bad_signature",
            _flipped),
    BadCard("bad-cut", "The end is missing", "card_malformed", "card_malformed", _cut),
    BadCard("bad-forged", "Signed by a stranger in the issuer's name", "card_bad_signature",
            "card_bad_signature", lambda desk: desk.forged("bad-forged", desk.kid)),
    BadCard("bad-unknown-key", "Signed with a key that nobody knows", "card_unknown_key", "card_unknown_key",
            lambda desk: desk.forged("bad-unknown-key", b"stranger")),
    BadCard("bad-qr-on-chip", "The printed credential on a chip", "card_wrong_medium", "", _qr_on_chip),
    BadCard("bad-chip-on-qr", "The chip's credential printed", "card_empty", "card_wrong_medium",
            _chip_on_qr),
    BadCard("bad-expired", "Past its date", "card_expired", "card_expired", _long_ago),
    BadCard("bad-not-yet-valid", "Issued in the future", "card_not_yet_valid", "card_not_yet_valid", _ahead),
    BadCard("bad-unknown-holder", "Genuine, of a holder nobody knows", "card_unknown_holder",
            "card_unknown_holder", _nobodys),
    BadCard("bad-downgrade", "Asks for a challenge that this chip cannot answer", "card_downgrade", "",
            _downgrade),
)
# fmt: on
