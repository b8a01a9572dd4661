"""Cards from before this system: bound to their holder at the counter, and read as grade ``legacy``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kiosk.cache import Cache, Holder
from kiosk.credential import VerifiedCard, uid_is_random
from kiosk.errors import CardFault, OfficerFault
from kiosk.journal import Draft, Journal
from kiosk.ledger import ADOPTED_CARDS, Ledger
from kiosk.legacy_cards import Adoption, legacy_id
from kiosk.values import CardRead, Grade, Medium, OfficerSession


@dataclass(frozen=True, slots=True)
class OldCard:
    """A card without a credential: its chip's UID, or the number printed on it."""

    kind: str
    """``uid`` or ``number``."""
    value: str

    @property
    def id(self) -> str:
        """What stands for it. Raises OfficerFault ``card_number_malformed``."""
        try:
            return legacy_id(self.kind, self.value)
        except ValueError as error:
            raise OfficerFault("card_number_malformed", str(error), kind=self.kind) from None


def old_card_of(read: CardRead) -> OldCard | None:
    """The old card that may have been read; None for one with a credential, or a UID that binds nothing."""
    if read.payload or not read.uid or uid_is_random(read.uid):
        return None
    return OldCard("uid", read.uid.hex())


def holder_of(cache: Cache, ledger: Ledger, card: OldCard) -> Holder | None:
    """Whose card it is: as central says, else as was recorded here and not yet told back."""
    said = cache.legacy_card(card.id)
    if said is not None:
        return cache.holder(said.holder_id) if said.state == "active" else None
    row = ledger.row(f"SELECT holder_id FROM {ADOPTED_CARDS} WHERE id = ?", card.id)
    return cache.holder(int(row[0])) if row else None


def holder_of_number(cache: Cache, ledger: Ledger, number: str) -> Holder | None:
    """Whose card has that printed number; None also for what is no number."""
    try:
        return holder_of(cache, ledger, OldCard("number", number))
    except OfficerFault:
        return None


def trusted(cache: Cache, ledger: Ledger, read: CardRead, fault: CardFault) -> VerifiedCard:
    """The holder's card at grade ``legacy`` for a read without a credential; raises ``fault`` otherwise."""
    card = old_card_of(read)
    holder = holder_of(cache, ledger, card) if card else None
    if holder is None:
        raise fault
    return VerifiedCard(holder.card_no, holder.issue_no, Grade.LEGACY, Medium.NFC, 0, 0, b"")


def adopt(
    cache: Cache,
    ledger: Ledger,
    journal: Journal,
    card: OldCard,
    card_no: str,
    session: OfficerSession,
    identity_checked: bool,
) -> Holder:
    """Binds an old card to the holder with that card number; durable before it returns.

    Raises OfficerFault: ``identity_unchecked`` without the officer's word that KTP and person were compared,
    ``unknown_holder``, ``holder_not_active``, ``adopted_already``, ``card_number_malformed``.
    """
    if not identity_checked:
        raise OfficerFault("identity_unchecked", "compare the KTP with the person first")
    holder = cache.holder_by_card(card_no)
    if holder is None:
        raise OfficerFault("unknown_holder", "no holder with this card number in the cache")
    if holder.status != "active":
        raise OfficerFault("holder_not_active", f"the holder is {holder.status}")
    owner = holder_of(cache, ledger, card)
    if owner is not None:
        raise OfficerFault("adopted_already", "this card is bound already", same=owner.id == holder.id)
    adoption = Adoption(card.id, card.kind, holder.id)

    def adopted(connection: Any) -> Draft:
        connection.execute(
            f"INSERT OR REPLACE INTO {ADOPTED_CARDS} (id, holder_id) VALUES (?, ?)", (adoption.id, holder.id)
        )
        return Draft(
            type="note",
            officer=session.username,
            card=holder.card_no,
            assurance=Grade.LEGACY.label,
            detail=adoption.as_detail(),
        )

    journal.append(adopted)
    return holder
