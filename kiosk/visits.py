"""A visit: a trusted card's holder, who may collect for them, and their programs as of one moment."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date

from kiosk.cache import Cache, Guardianship, Holder
from kiosk.credential import VerifiedCard
from kiosk.eligibility import Asked, Eligible, Moment, eligible
from kiosk.errors import CardFault, OfficerFault
from kiosk.ledger import Ledger
from kiosk.names import public_name
from kiosk.values import Collector, Grade, Person, Visit

log = logging.getLogger(__name__)


def see(
    cache: Cache,
    ledger: Ledger,
    visit_id: str,
    holder: Holder,
    card: VerifiedCard,
    moment: Moment,
    asked: Mapping[str, Asked],
    data_as_of: str,
) -> Visit:
    """The visit of a holder by a card that was trusted."""
    found = eligible(cache, ledger, holder, card.grade, moment, asked)
    return Visit(
        visit_id=visit_id,
        holder_id=holder.id,
        card_no=card.card_no,
        issue_no=card.issue_no,
        medium=card.medium,
        grade=card.grade,
        public_name=public_name(holder.name) if card.grade >= Grade.P1 else "",
        full_name=holder.name,
        nik_last4=holder.nik_last4,
        birth_date=holder.birth,
        rows=tuple(item.row for item in found),
        guardians=guardians(cache, holder, moment.today),
        data_as_of=data_as_of,
        documents_seen=moment.checks.documents,
    )


def holder_of(cache: Cache, visit: Visit) -> Holder:
    """The holder of a visit. Raises CardFault ``card_unknown_holder`` if sync has taken them away."""
    holder = cache.holder(visit.holder_id)
    if holder is None:
        raise CardFault("card_unknown_holder", "the holder is not in the cache any more")
    return holder


def guardians(cache: Cache, holder: Holder, today: date) -> tuple[Person, ...]:
    """Who may collect for a holder on that local day."""
    people = []
    for guardianship in cache.guardians(holder.id):
        guardian = cache.holder(guardianship.guardian_id)
        if guardian and guardian.status == "active" and _is_in_force(guardianship, today):
            people.append(Person(guardian.id, guardian.name, guardianship.relation))
    return tuple(people)


def check_collector(
    cache: Cache, holder: Holder, chosen: Eligible, collector: Collector, today: date
) -> None:
    """Raises OfficerFault ``collector`` (detail ``kind``) unless this person may collect this program."""
    kind = collector.kind
    if kind not in chosen.program.collectors:
        raise OfficerFault("collector", "this kind of collector may not collect this")
    if kind == "guardian" and collector.holder_id not in {
        person.holder_id for person in guardians(cache, holder, today)
    }:
        raise OfficerFault("collector", "not a guardian of this child now", kind=kind)
    if kind == "representative" and not (collector.name.strip() and collector.letter.strip()):
        raise OfficerFault("collector", "a representative's name and letter number", kind=kind)


def _is_in_force(guardianship: Guardianship, today: date) -> bool:
    try:
        begun = date.fromisoformat(guardianship.valid_from) <= today
        until = guardianship.valid_until
        over = until is not None and date.fromisoformat(until) <= today
    except ValueError:
        log.warning("guardianship %d has a date that is none: left out", guardianship.id)
        return False
    return begun and not over and not guardianship.revoked_at
