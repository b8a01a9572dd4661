"""What a program means for a holder now: one pure decision, the same for screen, commands and central.

The first row that fits decides. "Goes on" means the row does not fit.

==  ===================================================  ==============================================
 1  holder not active                                    BLOCKED
 2  no entitlement, or its status is not active          ENDED (last day, if that has passed)
 3  date in doubt, right of kind ``once`` taken          TAKEN (true whatever the date)
 4  date in doubt                                        DATE_IN_DOUBT
 5  program or entitlement over                          ENDED (last day)
 6  before the start of program or entitlement, between  NOT_YET (first day); ENDED if no window is left
    windows
 7  taken, or held here with nothing left                TAKEN (day, place, reference)
 8  held here by a grant that starts later               NOT_YET (day)
 9  program not handed out at this point                 HELD_ELSEWHERE (where it is)
10  ``online_only`` (the grant's mode if held) offline   NEEDS_NETWORK, even if the right is held here
11  right held here by a grant that still holds          goes on to 17
12  right being asked for                                CHECKING
13  ``tolerate``, offline, within the local limits       goes on to 17
14  right held elsewhere                                 HELD_ELSEWHERE (where)
15  unknown; officer signed in, online, not yet refused  CHECKING (about to be asked for)
16  unknown                                              NEEDS_NETWORK
17  read proves too little for the quantity              GRADE_TOO_LOW
18  documents not all seen                               NEEDS_DOCUMENT (those missing)
19  otherwise                                            READY
==  ===================================================  ==============================================

Why so, where it could be otherwise:

- 2 stands above 4, since a withdrawn entitlement does not depend on the date. While a grant is held, its
  terms stand until it is recalled: the caller then gives the entitlement as granted, whatever it knows since.
- 4 stands above 5, 6 and 7: with a clock in doubt "ended" and "from 1 July" may be false, and "taken" may
  speak of another period. Calling an officer costs a minute; a false date sends people home.
- 11: a grant past its ``not_after`` counts as no right: the period or its terms were extended meanwhile, and
  central renews it. It never says "ended" of a program that goes on.
- 10: a program changes its mode at a period's end only, so what is held keeps the mode of its grant.
- 13 stands above 14: to hand out while cut off, although somebody else may hold the right, is what a program
  gets the mode ``tolerate`` for. Online it behaves as a strict one.
- 17 takes all that is due when no quantity was asked yet, so that what the first screen promises holds at the
  end. A typed card number proves nothing: it passes only if the program allows it and the officer checked
  photo and KTP, and above the program's limit only if that check lifts a grade.
- 18 follows 17, so that nobody is sent for papers that would not help.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from kiosk import period
from kiosk.program import Program, quantity_due
from kiosk.values import Grade, ProgramState, StateCode

_LAST_SECOND = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class HeldHere:
    """The right is held by this kiosk; times in Unix seconds, spendable in [not_before, not_after).

    A right of which nothing is left is better given as ``Taken``, which knows when and where.
    """

    quantity_left: int
    not_before: int
    not_after: int
    mode: str = ""
    """The grant's; empty: the program's."""


@dataclass(frozen=True, slots=True)
class HeldElsewhere:
    """The right is held by another kiosk; ``place`` names its service point, empty if not known."""

    place: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """What was due in this period has been handed out."""

    at: str
    """ISO local time or date of the pickup."""
    place: str = ""
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """This kiosk does not hold the right and does not know who does."""


RightSituation = HeldHere | HeldElsewhere | Taken | Unknown


@dataclass(frozen=True, slots=True)
class EntitlementFact:
    """An entitlement as the cache has it; ``valid_until`` is the day after its last."""

    entitlement_id: int
    version: int
    quantity: int
    valid_from: date
    valid_until: date | None = None
    status: str = "active"


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the state of one program for one holder depends on."""

    now: datetime
    """Aware; the caller's best knowledge of the time."""
    grade: Grade
    here: int
    """Id of this service point."""
    entitlement: EntitlementFact | None
    right: RightSituation
    holder_status: str = "active"
    date_in_doubt: bool = False
    online: bool = True
    """Central can be reached; a request that just failed for want of the network counts as offline."""
    acquiring: bool = False
    """A request for the right is under way."""
    acquire_failed: bool = False
    """The last request for the right in this visit brought none."""
    officer_signed_in: bool = False
    officer_checked: bool = False
    """The officer compared the photo on the card and the KTP with the person."""
    documents_seen: Collection[str] = ()
    quantity: int | None = None
    """Quantity asked, smallest unit; None: all that is due."""
    tolerate_allows: bool = False
    """The local limits of a ``tolerate`` program leave room for this pickup."""
    tolerated_due: int | None = None
    """What may be handed out without the right; None: all that the entitlement says."""
    program_place: str = ""
    """Name of the first service point that hands the program out, for when this one does not."""


def program_state(program: Program, facts: Facts) -> ProgramState:
    """The state of a program for a holder, by the table above.

    Raises ValueError if ``now`` has no zone.
    """
    if facts.holder_status != "active":
        return ProgramState(StateCode.BLOCKED)
    entitlement = facts.entitlement
    if entitlement is None or entitlement.status != "active":
        return _ended(program, facts)
    if facts.date_in_doubt:
        if program.period.kind == "once" and isinstance(facts.right, Taken):
            return _taken(facts.right)
        return ProgramState(StateCode.DATE_IN_DOUBT)
    return (
        _by_date(program, entitlement, facts)
        or _by_right_settled(program, facts)
        or _by_place_and_right(program, facts)
        or _by_person(program, entitlement, facts)
        or ProgramState(StateCode.READY)
    )


def grade_suffices(program: Program, grade: Grade, quantity: int, officer_checked: bool) -> bool:
    """True if a read of that grade, with the officer's check or without, may take ``quantity`` units."""
    above = program.grade_above is not None and quantity > program.grade_above.quantity
    if grade is Grade.TYPED:
        return program.typed_allowed and officer_checked and (program.officer_check_lifts or not above)
    needed = program.grade_above_needed if above else program.grade_needed
    return needed <= grade or (program.officer_check_lifts and officer_checked)


def check_would_lift(program: Program, grade: Grade, quantity: int) -> bool:
    """True if the grade is too low for ``quantity`` and an officer's check of photo and KTP would lift it."""
    return not grade_suffices(program, grade, quantity, False) and grade_suffices(
        program, grade, quantity, True
    )


def documents_missing(program: Program, seen: Collection[str]) -> tuple[str, ...]:
    """The documents the program asks for that were not seen, in the program's order."""
    return tuple(document for document in program.documents if document not in seen)


def _by_date(program: Program, entitlement: EntitlementFact, facts: Facts) -> ProgramState | None:
    today = period.local_day(facts.now, program.zone)
    first_day_over = min(_ends(program, entitlement), default=date.max)
    day = max(today, program.valid_from, entitlement.valid_from)
    if program.period.kind == "windows":
        window = next((window for window in program.period.windows if day < window.until), None)
        if window is None:
            return _ended(program, facts)
        day = max(day, window.start)
    if day >= first_day_over:
        return _ended(program, facts)
    return None if day == today else ProgramState(StateCode.NOT_YET, date=day.isoformat())


def _by_right_settled(program: Program, facts: Facts) -> ProgramState | None:
    right = facts.right
    if isinstance(right, Taken):
        return _taken(right)
    if isinstance(right, HeldHere):
        if right.quantity_left <= 0:
            return ProgramState(StateCode.TAKEN)
        if facts.now.timestamp() < right.not_before:
            not_before = datetime.fromtimestamp(min(right.not_before, _LAST_SECOND), UTC)
            start = period.local_day(not_before, program.zone)
            return ProgramState(StateCode.NOT_YET, date=start.isoformat())
    return None


def _by_place_and_right(program: Program, facts: Facts) -> ProgramState | None:
    right = facts.right
    if not program.served_at(facts.here):
        return ProgramState(StateCode.HELD_ELSEWHERE, place=facts.program_place)
    mode = right.mode if isinstance(right, HeldHere) and right.mode else program.mode
    if mode == "online_only" and not facts.online:
        return ProgramState(StateCode.NEEDS_NETWORK)
    if isinstance(right, HeldHere) and facts.now.timestamp() < right.not_after:
        return None
    if facts.acquiring:
        return ProgramState(StateCode.CHECKING)
    if program.mode == "tolerate" and not facts.online and facts.tolerate_allows:
        return None
    if isinstance(right, HeldElsewhere):
        return ProgramState(StateCode.HELD_ELSEWHERE, place=right.place)
    if facts.officer_signed_in and facts.online and not facts.acquire_failed:
        return ProgramState(StateCode.CHECKING)
    return ProgramState(StateCode.NEEDS_NETWORK)


def _by_person(program: Program, entitlement: EntitlementFact, facts: Facts) -> ProgramState | None:
    due = entitlement.quantity
    if isinstance(facts.right, HeldHere):
        due = quantity_due(program, entitlement.quantity, facts.right.quantity_left)
    elif facts.tolerated_due is not None:
        due = facts.tolerated_due
    quantity = due if facts.quantity is None else facts.quantity
    if not grade_suffices(program, facts.grade, quantity, facts.officer_checked):
        return ProgramState(StateCode.GRADE_TOO_LOW)
    missing = documents_missing(program, facts.documents_seen)
    if missing:
        return ProgramState(StateCode.NEEDS_DOCUMENT, documents=missing)
    return None


def _ends(program: Program, entitlement: EntitlementFact | None) -> list[date]:
    ends = [program.valid_until, entitlement.valid_until if entitlement else None]
    return [end for end in ends if end is not None]


def _ended(program: Program, facts: Facts) -> ProgramState:
    """Ended, with the last day people could come if that day is known and has passed."""
    if facts.date_in_doubt:
        return ProgramState(StateCode.ENDED)
    today = period.local_day(facts.now, program.zone)
    first_days_over = [day for day in _ends(program, facts.entitlement) if day <= today]
    windows = program.period.windows
    if not any(window.start <= today < window.until for window in windows):
        first_days_over += [window.until for window in windows if window.until <= today][-1:]
    if not first_days_over:
        return ProgramState(StateCode.ENDED)
    last_day = max(min(first_days_over), period.FIRST_DAY) - timedelta(days=1)
    return ProgramState(StateCode.ENDED, date=last_day.isoformat())


def _taken(taken: Taken) -> ProgramState:
    return ProgramState(StateCode.TAKEN, date=taken.at[:10], place=taken.place, by=taken.ref)
