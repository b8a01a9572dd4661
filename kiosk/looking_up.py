"""Cards of other points: asked for at central by their credential, while the screen already says so.

Also what is missing of a holder who is known here: a guardian, or a family, who live elsewhere.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace

from kiosk.cache import Cache
from kiosk.credential import VerifiedCard
from kiosk.errors import CardFault, CentralFault
from kiosk.lookups import FRESH_MS, KEPT_MS
from kiosk.ports import LookupWord, RightsSource
from kiosk.values import CardRead, Visit

Word = Future[LookupWord]


@dataclass(slots=True)
class _Asking:
    """One visit that central is asked about."""

    read: CardRead
    card: VerifiedCard
    known: bool
    """The holder is known here; only something of them is missing or old."""
    word: Word | None = None


class LookingUp:
    """Which visit waits for which holder; used by the counter's thread."""

    def __init__(self, source: RightsSource | None) -> None:
        self._source = source
        self._asking: dict[str, _Asking] = {}

    def admit(
        self,
        cache: Cache,
        read: CardRead,
        card: VerifiedCard,
        online: bool,
        now_ms: int,
        see: Callable[[], Visit],
    ) -> Visit:
        """The visit that ``see`` gives; ``asking`` is set where central has more to say.

        A card that nobody here knows gives a visit without a holder while central is asked. Raises what
        ``see`` raises, and CardFault ``card_from_elsewhere`` where central cannot be asked.
        """
        may_ask = online and self._source is not None
        try:
            visit = see()
        except CardFault as fault:
            if fault.code != "card_unknown_holder":
                raise
            if not may_ask:
                raise _from_elsewhere("offline") from None
            visit = _nobody_yet(card)
        else:
            gap = cache.gaps(visit.holder_id)
            age_ms = None if gap.looked_up_ms is None else now_ms - gap.looked_up_ms
            if gap.from_elsewhere and not may_ask and (age_ms is None or not 0 <= age_ms <= KEPT_MS):
                raise _from_elsewhere("offline")
            is_fresh = age_ms is not None and 0 <= age_ms < FRESH_MS
            if not may_ask or is_fresh or not (gap.from_elsewhere or gap.lacks_people):
                return visit
        visit = replace(visit, asking=True)
        self._asking[visit.visit_id] = _Asking(read, card, known=visit.holder_id != 0)
        return visit

    def ask(self, visit: Visit) -> list[Word]:
        """Asks central, once for each visit; answers the future to wait for, if there is one."""
        asking = self._asking.get(visit.visit_id)
        if asking is None or self._source is None:
            return []
        if asking.word is None:
            asking.word = self._source.look_up(asking.read, asking.card.card_no)
        return [asking.word]

    def card_of(self, visit: Visit) -> VerifiedCard | None:
        """The card of a visit whose holder was unknown and has been found now.

        None for a visit whose holder is known anyway. Raises CardFault: ``card_unknown_holder`` and what
        central refuses it for; ``card_from_elsewhere`` (``why``: ``offline`` or ``busy``) where central did
        not say.
        """
        asking = self._asking.get(visit.visit_id)
        if asking is None or asking.word is None or not asking.word.done():
            return None
        word = asking.word
        fault = None if word.cancelled() else word.exception()
        if word.cancelled() or fault is not None:
            if asking.known:
                return None
            signed = isinstance(fault, CentralFault) and fault.detail.get("signed") is True
            raise _from_elsewhere("busy" if signed else "offline")
        told = word.result()
        if told.status == "refused":
            code = told.code if told.code.startswith("card_") else "card_revoked"
            raise CardFault(code, "central refuses this card")
        if told.status != "found":
            raise CardFault("card_unknown_holder", "central knows no holder of this card")
        return asking.card

    def is_asking(self, visit: Visit) -> bool:
        """True until central's word on a visit is there."""
        asking = self._asking.get(visit.visit_id)
        return asking is not None and (asking.word is None or not asking.word.done())

    def leave(self, visit_id: str) -> None:
        """Ends a visit."""
        asking = self._asking.pop(visit_id, None)
        if asking is not None and asking.word is not None:
            asking.word.cancel()


def _nobody_yet(card: VerifiedCard) -> Visit:
    """A visit of which only the card is known."""
    return Visit(
        visit_id=secrets.token_hex(8),
        holder_id=0,
        card_no=card.card_no,
        issue_no=card.issue_no,
        medium=card.medium,
        grade=card.grade,
        public_name="",
        full_name="",
        nik_last4="",
        birth_date="",
        rows=(),
    )


def _from_elsewhere(why: str) -> CardFault:
    return CardFault(
        "card_from_elsewhere", "a card of another point: it needs the network to be looked up", why=why
    )
