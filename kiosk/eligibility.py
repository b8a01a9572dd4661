"""What a holder may collect now: entitlements, rights and the state of each program, put together offline."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from kiosk import period
from kiosk.benefit import quantity_text
from kiosk.cache import Cache, Entitlement, Holder, RightPlace
from kiosk.clock import from_unix_ms
from kiosk.errors import CentralFault
from kiosk.grant_terms import as_granted, basis_of
from kiosk.ledger import PICKUPS, HeldRight, Ledger
from kiosk.program import Program, parse_program
from kiosk.program_state import (
    EntitlementFact,
    Facts,
    HeldElsewhere,
    HeldHere,
    RightSituation,
    Taken,
    Unknown,
    check_would_lift,
    program_state,
)
from kiosk.tolerate import WithoutRight
from kiosk.unheld import unheld
from kiosk.values import Checks, Grade, StateCode, Text, VisitRow

log = logging.getLogger(__name__)

ORDER = {
    code: rank
    for rank, code in enumerate(
        (
            StateCode.READY,
            StateCode.CHECKING,
            StateCode.NEEDS_DOCUMENT,
            StateCode.GRADE_TOO_LOW,
            StateCode.HELD_ELSEWHERE,
            StateCode.NEEDS_NETWORK,
            StateCode.DATE_IN_DOUBT,
            StateCode.NOT_YET,
            StateCode.TAKEN,
            StateCode.ENDED,
            StateCode.BLOCKED,
        )
    )
}
"""What can be collected comes first."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What holds for all programs of one look: time, place, network, people."""

    now: datetime
    kiosk: str
    gen: int
    point: int
    zone: str
    online: bool
    date_in_doubt: bool
    officer_signed_in: bool
    checks: Checks

    @property
    def today(self) -> date:
        """The local date."""
        return self.now.astimezone(ZoneInfo(self.zone)).date()


@dataclass(frozen=True, slots=True)
class Asked:
    """A right that was asked for in this visit: under way, or central's word on it."""

    under_way: bool
    status: str = ""
    point_id: int = 0
    at: str = ""
    ref: str = ""
    offline: bool = False
    """The request failed for want of the network."""


@dataclass(frozen=True, slots=True)
class Eligible:
    """One program of a holder with all that a pickup needs."""

    row: VisitRow
    program: Program
    entitlement: Entitlement
    situation: RightSituation
    without: WithoutRight | None = None
    """What is known of a right that is not held here, where the program may do without it."""


@lru_cache(maxsize=512)
def program_of(doc: str) -> Program:
    """The program of a JSON document. Raises CentralFault as ``parse_program`` does."""
    return parse_program(doc)


@lru_cache(maxsize=512)
def sound_program(program_id: str, doc: str) -> Program | None:
    """The program of a row; None, and a warning in the log once, for one that is not sound."""
    try:
        program = program_of(doc)
    except CentralFault as fault:
        log.warning("program %s is left out: %s", program_id, fault.message)
        return None
    if program.id != program_id:
        log.warning("program %s is left out: its document names another one", program_id)
        return None
    return program


def eligible(
    cache: Cache,
    ledger: Ledger,
    holder: Holder,
    grade: Grade,
    moment: Moment,
    asked: Mapping[str, Asked],
    quantities: Mapping[str, int] | None = None,
) -> list[Eligible]:
    """Every program the holder or the holder's family is entitled to, those that can be collected first.

    ``quantities`` gives the quantity asked by program id, where one was.
    """
    subjects = [f"h{holder.id}"] + ([f"f{holder.family_id}"] if holder.family_id else [])
    entitlements = _one_for_each_program(cache.entitlements(subjects))
    docs = cache.program_docs({e.program_id for e in entitlements})
    pairs = [
        (sound_program(e.program_id, docs[e.program_id]), e) for e in entitlements if e.program_id in docs
    ]
    keyed = [
        (program, e, fact, _right_now(program, e, moment.now))
        for program, e in pairs
        if program and (fact := _fact(e))
    ]
    rights = [right for *_, right in keyed if right]
    known = ledger.rights(rights)
    held = {key: mine for key, mine in known.items() if mine.gen == moment.gen}
    places = cache.right_places(rights) if rights else {}
    tolerable = [(program, right, fact.quantity) for program, _, fact, right in keyed if right]
    without = unheld(cache, ledger, tolerable, known, places, moment.gen, moment.now)
    found = []
    for program, entitlement, cached, right in keyed:
        situation = _situation(cache, ledger, holder, right, held, places, asked, moment)
        told = asked.get(right)
        free = without.get((program.id, right))
        if free and free.left <= 0 and not isinstance(situation, Taken):
            situation = _last_pickup_here(cache, ledger, right, moment) or Taken(at="")
        if isinstance(situation, HeldElsewhere) and not told and _may_ask(program, moment):
            situation = Unknown()  # about to be asked for: it comes, or central says where it is
        judged, fact = program, cached
        if isinstance(situation, HeldHere) and moment.now.timestamp() < situation.not_after:
            judged, fact = _as_granted(program, entitlement, cached, held[right])
        wanted = (quantities or {}).get(program.id)
        facts = Facts(
            now=moment.now,
            grade=grade,
            here=moment.point,
            entitlement=fact,
            right=situation,
            holder_status=holder.status,
            date_in_doubt=moment.date_in_doubt,
            online=moment.online and not (told and told.offline),
            acquiring=told is not None and told.under_way,
            acquire_failed=told is not None and not told.under_way,
            officer_signed_in=moment.officer_signed_in,
            officer_checked=moment.checks.photo_and_ktp,
            documents_seen=moment.checks.documents,
            quantity=wanted,
            tolerate_allows=free is not None and 0 < (wanted or free.due) <= free.room,
            tolerated_due=free.due if free else None,
            program_place=cache.point_name(program.points[0]) if program.points else "",
        )
        row = _row(cache, judged, fact.quantity, right, situation, facts)
        found.append(Eligible(row, program, entitlement, situation, free.without if free else None))
    return sorted(found, key=lambda item: (ORDER[item.row.state.code], item.row.name.id))


def rights_to_ask(found: Sequence[Eligible], point: int) -> list[str]:
    """The rights worth asking central for: not held here, of programs that this point hands out."""
    waiting = (StateCode.CHECKING, StateCode.HELD_ELSEWHERE, StateCode.NEEDS_NETWORK)
    wanted = (
        item.row.right
        for item in found
        if item.row.right and item.row.state.code in waiting and item.program.served_at(point)
    )
    return list(dict.fromkeys(wanted))


def _may_ask(program: Program, moment: Moment) -> bool:
    return moment.officer_signed_in and moment.online and program.served_at(moment.point)


def _one_for_each_program(entitlements: Sequence[Entitlement]) -> list[Entitlement]:
    """Two records of the same subject and program give rise to one right: the active, newest one speaks."""
    best: dict[tuple[str, str], Entitlement] = {}
    for entitlement in entitlements:
        key = (entitlement.subject, entitlement.program_id)
        rank = (entitlement.status == "active", entitlement.quantity, entitlement.id)
        known = best.get(key)
        if known is None or rank > (known.status == "active", known.quantity, known.id):
            best[key] = entitlement
    return list(best.values())


def _fact(entitlement: Entitlement) -> EntitlementFact | None:
    """The entitlement as the decision takes it; None, and a warning in the log, for one that is not sound."""
    until = entitlement.valid_until
    try:
        if entitlement.quantity < 1:
            raise ValueError("quantity")
        return EntitlementFact(
            entitlement.id,
            entitlement.version,
            entitlement.quantity,
            date.fromisoformat(entitlement.valid_from),
            date.fromisoformat(until) if until else None,
            entitlement.status,
        )
    except ValueError:
        log.warning("entitlement %d is left out: a date or quantity that is none", entitlement.id)
        return None


def _right_now(program: Program, entitlement: Entitlement, now: datetime) -> str:
    current = program.current_period(now)
    return period.right_key(entitlement.subject, program.right_group, current.key) if current else ""


def _situation(
    cache: Cache,
    ledger: Ledger,
    holder: Holder,
    right: str,
    held: Mapping[str, HeldRight],
    places: Mapping[str, RightPlace],
    asked: Mapping[str, Asked],
    moment: Moment,
) -> RightSituation:
    if not right:
        return Unknown()
    mine = held.get(right)
    if mine and mine.held:
        if mine.quantity_left > 0:
            return HeldHere(mine.quantity_left, mine.not_before, mine.not_after, mine.mode)
        return _last_pickup_here(cache, ledger, right, moment) or Taken(at="", place="")
    place = places.get(right)
    if place and place.quantity > 0 and place.spent >= place.quantity:
        return Taken(
            at=place.last_at or "",
            place=cache.point_name(place.last_point_id or 0),
            ref=place.last_ref or "",
        )
    told = asked.get(right)
    if told and told.status == "taken":
        return Taken(at=told.at, place=cache.point_name(told.point_id), ref=told.ref)
    if told and told.status in ("held", "recalled"):
        return HeldElsewhere(_place_name(cache, told.point_id, moment))
    # Of a right that went back, central's word counts as soon as there is one; until then, if it went back
    # with nothing left, what left this counter.
    if mine and mine.quantity_left <= 0 and not place:
        taken = _last_pickup_here(cache, ledger, right, moment)
        if taken:
            return taken
    if place:
        if place.held_by and place.held_by != moment.kiosk:
            return HeldElsewhere(_place_name(cache, place.point_id, moment))
        return Unknown()
    return _usual_place(cache, holder, right, moment)


def _usual_place(cache: Cache, holder: Holder, right: str, moment: Moment) -> RightSituation:
    """A right that central says nothing of lies with the keeper of the subject's own point."""
    point_id = holder.point_id
    if right.startswith("f"):
        point_id = cache.family_point(holder.family_id) or point_id
    keeper = cache.keeper_of(point_id)
    if keeper is None or keeper.id == moment.kiosk:
        return Unknown()
    if keeper.point_id == moment.point:
        return HeldElsewhere(keeper.counter or cache.point_name(point_id))
    return HeldElsewhere(cache.point_name(point_id))


def _place_name(cache: Cache, point_id: int, moment: Moment) -> str:
    if point_id == moment.point:
        keeper = cache.keeper_of(point_id)
        if keeper and keeper.id != moment.kiosk and keeper.counter:
            return keeper.counter
    return cache.point_name(point_id)


def _last_pickup_here(cache: Cache, ledger: Ledger, right: str, moment: Moment) -> Taken | None:
    row = ledger.row(
        f"""SELECT ref, wall_ms FROM {PICKUPS} WHERE right = ? AND voided = 0
            ORDER BY gen DESC, seq DESC LIMIT 1""",
        right,
    )
    if row is None:
        return None
    return Taken(at=local_iso(row[1], moment.zone), place=cache.point_name(moment.point), ref=row[0])


def local_iso(wall_ms: int, zone: str) -> str:
    """Unix milliseconds as ISO local time without zone, to the second."""
    return from_unix_ms(wall_ms).astimezone(ZoneInfo(zone)).replace(tzinfo=None).isoformat(timespec="seconds")


def _as_granted(
    program: Program, entitlement: Entitlement, fact: EntitlementFact, held: HeldRight
) -> tuple[Program, EntitlementFact]:
    """Program and entitlement as the grant has them: its terms stand while it is held."""
    version = (entitlement.id, entitlement.version)
    basis = basis_of(held.terms, program.id, program.version, version, entitlement.status == "active")
    return as_granted(program, fact, basis, held.not_before, held.not_after)


def _row(
    cache: Cache,
    program: Program,
    quantity: int,
    right: str,
    situation: RightSituation,
    facts: Facts,
) -> VisitRow:
    if facts.tolerate_allows and facts.tolerated_due and not facts.online:
        quantity = facts.tolerated_due
    if isinstance(situation, HeldHere):
        quantity = min(situation.quantity_left, quantity) if not program.partial else situation.quantity_left
    return VisitRow(
        program_id=program.id,
        program_version=program.version,
        name=Text(program.name.id, program.name.en),
        agency=cache.agency_name(program.agency_id),
        state=program_state(program, facts),
        right=right,
        quantity=quantity,
        quantity_text=quantity_text(program.benefit, quantity),
        benefit=Text(program.benefit.item.id, program.benefit.item.en),
        unit=program.benefit.unit,
        partial=program.partial,
        sensitive=program.sensitive,
        documents=program.documents,
        collectors=program.collectors,
        officer_check_lifts=check_would_lift(program, facts.grade, quantity),
        counter=program.counter,
        per_display=program.benefit.per_display,
        display=Text(program.benefit.display.id, program.benefit.display.en),
    )
