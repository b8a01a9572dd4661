"""The state of a program, as a table: each row names what differs from a program that is ready."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.program import Program, parse_program, quantity_due
from kiosk.program_state import (
    EntitlementFact,
    Facts,
    HeldElsewhere,
    HeldHere,
    RightSituation,
    Taken,
    Unknown,
    check_would_lift,
    grade_suffices,
    program_state,
)
from kiosk.values import Grade, ProgramState, StateCode
from tests.kiosk.program_document import document

DOCUMENT = document(
    version=3,
    name={"id": "Beras", "en": "Rice"},
    agency_id=3,
    valid_until="2027-01-01",
    period={"kind": "monthly"},
    counter="Loket 2",
)


def wib(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+07:00")


def unix(text: str) -> int:
    return int(wib(text).timestamp())


def program(**change: Any) -> Program:
    return parse_program(json.dumps({**DOCUMENT, **change}))


def entitlement(**change: Any) -> EntitlementFact:
    return replace(EntitlementFact(7, 1, 10_000, date(2026, 2, 1)), **change)


HERE = HeldHere(10_000, unix("2026-11-01T00:00"), unix("2026-12-01T00:00"))
ALL_GOOD = Facts(
    now=wib("2026-11-23T09:00"),
    grade=Grade.P1,
    here=4,
    entitlement=entitlement(),
    right=HERE,
    officer_signed_in=True,
)

# What rows put together. Facts first, then programs.
BLOCKED = {"holder_status": "blocked"}
DECEASED = {"holder_status": "deceased"}
NONE = {"entitlement": None}
WITHDRAWN = {"entitlement": entitlement(status="ended")}
WITHDRAWN_OVER = {"entitlement": entitlement(status="ended", valid_until=date(2026, 7, 1))}
LAPSED = {"entitlement": entitlement(valid_until=date(2026, 11, 23))}
LAST_DAY = {"entitlement": entitlement(valid_until=date(2026, 11, 24))}
LATER = {"entitlement": entitlement(valid_from=date(2026, 12, 15))}
FROM_TODAY = {"entitlement": entitlement(valid_from=date(2026, 11, 23))}
EMPTY = {"entitlement": entitlement(valid_from=date(2026, 12, 15), valid_until=date(2026, 12, 15))}
DOUBT = {"date_in_doubt": True}
TAKEN = {"right": Taken("2026-11-03T08:10", "Kelurahan Iringmulyo", "IRM1-0421")}
SPENT = {"right": replace(HERE, quantity_left=0)}
STARTS_LATER = {"right": replace(HERE, not_before=unix("2026-11-25T00:00"))}
LAPSED_GRANT = {"right": replace(HERE, not_after=unix("2026-11-23T09:00"))}
LAST_SECOND = {"right": replace(HERE, not_after=unix("2026-11-23T09:00") + 1)}
ELSEWHERE = {"right": HeldElsewhere("Kelurahan Hadimulyo Barat")}
UNKNOWN = {"right": Unknown()}
OFFLINE = {"online": False}
ACQUIRING = {"acquiring": True}
FAILED = {"acquire_failed": True}
NOBODY = {"officer_signed_in": False}
CHECKED = {"officer_checked": True}
WITHIN = {"tolerate_allows": True}
LEGACY = {"grade": Grade.LEGACY}
P0 = {"grade": Grade.P0}
TYPED = {"grade": Grade.TYPED}
MORE = {"quantity": 5_001}
LESS = {"quantity": 5_000}
SEEN_KTP = {"documents_seen": frozenset({"ktp"})}
SEEN = {"documents_seen": ("kk", "ktp", "sim")}
PLACE = {"program_place": "Kelurahan Metro"}

STRICT: dict[str, Any] = {}
PARTIAL = {"partial": True}
ONLINE = {"mode": "online_only"}
TOLERATE = {"mode": "tolerate", "tolerate": {"amount": 50_000, "count": 5, "days": 3}}
PAPERS = {"documents": ["ktp", "kk"]}
AWAY = {"points": [1, 2]}
ASKS_P2 = {"least_grade": "p2"}
LIFTS = {"officer_check_lifts": True}
ABOVE = {"grade_above": {"quantity": 5_000, "grade": "p2"}}
TYPED_ALLOWED = {"typed_allowed": True}
OVER = {"valid_until": "2026-11-23"}
OVER_TOMORROW = {"valid_until": "2026-11-24"}
NOT_BEGUN = {"valid_from": "2026-12-01"}
ONCE = {"period": {"kind": "once"}}


def windows(*spans: tuple[str, str]) -> dict[str, Any]:
    return {
        "period": {
            "kind": "windows",
            "windows": [
                {"key": f"MT{n}", "from": start, "until": until, "name": {"id": "Musim", "en": "Season"}}
                for n, (start, until) in enumerate(spans, 1)
            ],
        }
    }


OPEN_WINDOW = windows(("2026-11-01", "2026-12-01"))
BETWEEN = windows(("2026-03-01", "2026-07-01"), ("2026-12-05", "2026-12-20"))
BEFORE_WINDOWS = windows(("2026-12-05", "2026-12-20"))
AFTER_WINDOWS = windows(("2026-01-01", "2026-03-01"), ("2026-03-01", "2026-07-01"))

READY = ProgramState(StateCode.READY)
IS_BLOCKED = ProgramState(StateCode.BLOCKED)
IN_DOUBT = ProgramState(StateCode.DATE_IN_DOUBT)
IS_TAKEN = ProgramState(StateCode.TAKEN, "2026-11-03", "Kelurahan Iringmulyo", by="IRM1-0421")
CHECKING = ProgramState(StateCode.CHECKING)
NETWORK = ProgramState(StateCode.NEEDS_NETWORK)
LOW = ProgramState(StateCode.GRADE_TOO_LOW)
THERE = ProgramState(StateCode.HELD_ELSEWHERE, place="Kelurahan Hadimulyo Barat")


def ended(day: str = "") -> ProgramState:
    return ProgramState(StateCode.ENDED, day)


def not_yet(day: str) -> ProgramState:
    return ProgramState(StateCode.NOT_YET, day)


def at(place: str) -> ProgramState:
    return ProgramState(StateCode.HELD_ELSEWHERE, place=place)


def needs(*documents: str) -> ProgramState:
    return ProgramState(StateCode.NEEDS_DOCUMENT, documents=documents)


TABLE: list[tuple[dict[str, Any], list[dict[str, Any]], ProgramState]] = [
    # program, facts that differ, expected
    (STRICT, [], READY),
    (STRICT, [NOBODY, OFFLINE], READY),
    (PARTIAL, [{"right": replace(HERE, quantity_left=1)}], READY),
    (ONCE, [], READY),
    (OPEN_WINDOW, [], READY),
    # blocked before all else
    (STRICT, [BLOCKED], IS_BLOCKED),
    (STRICT, [DECEASED], IS_BLOCKED),
    (STRICT, [{"holder_status": "something new"}], IS_BLOCKED),
    (STRICT, [BLOCKED, WITHDRAWN], IS_BLOCKED),
    (STRICT, [BLOCKED, TAKEN, DOUBT], IS_BLOCKED),
    # withdrawn: whatever the date; the last day only if known and passed
    (STRICT, [NONE], ended()),
    (STRICT, [WITHDRAWN], ended()),
    (STRICT, [WITHDRAWN_OVER], ended("2026-06-30")),
    (STRICT, [WITHDRAWN, DOUBT], ended()),
    (STRICT, [WITHDRAWN_OVER, DOUBT], ended()),
    (STRICT, [WITHDRAWN, TAKEN], ended()),
    (OPEN_WINDOW, [WITHDRAWN], ended()),
    # date in doubt before everything the date decides
    (STRICT, [DOUBT], IN_DOUBT),
    (STRICT, [DOUBT, TAKEN], IN_DOUBT),
    (STRICT, [DOUBT, LAPSED], IN_DOUBT),
    (STRICT, [DOUBT, LATER], IN_DOUBT),
    (AWAY, [DOUBT], IN_DOUBT),
    (ONLINE, [DOUBT, OFFLINE], IN_DOUBT),
    (ONCE, [DOUBT], IN_DOUBT),
    (ONCE, [DOUBT, TAKEN], IS_TAKEN),
    # ended, with the last day
    (OVER, [], ended("2026-11-22")),
    (OVER_TOMORROW, [], READY),
    (STRICT, [LAPSED], ended("2026-11-22")),
    (STRICT, [LAST_DAY], READY),
    (STRICT, [LAST_DAY, {"now": wib("2026-11-23T23:59:59.999")}], READY),
    (STRICT, [LAST_DAY, {"now": wib("2026-11-24T00:00")}], ended("2026-11-23")),
    (OVER, [{"entitlement": entitlement(valid_until=date(2026, 7, 1))}], ended("2026-06-30")),
    (OVER, [TAKEN], ended("2026-11-22")),
    (ONCE | OVER, [TAKEN], ended("2026-11-22")),
    (STRICT, [EMPTY], ended()),
    (AFTER_WINDOWS, [], ended("2026-06-30")),
    (AFTER_WINDOWS, [TAKEN], ended("2026-06-30")),
    (BETWEEN, [{"entitlement": entitlement(valid_until=date(2026, 12, 5))}], ended("2026-06-30")),
    (BEFORE_WINDOWS, [{"entitlement": entitlement(valid_until=date(2026, 12, 5))}], ended()),
    (BEFORE_WINDOWS, [{"entitlement": entitlement(valid_from=date(2026, 12, 20))}], ended()),
    # not yet, with the first day
    (NOT_BEGUN, [], not_yet("2026-12-01")),
    (STRICT, [LATER], not_yet("2026-12-15")),
    (NOT_BEGUN, [LATER], not_yet("2026-12-15")),
    (STRICT, [FROM_TODAY], READY),
    (STRICT, [FROM_TODAY, {"now": wib("2026-11-22T23:59:59.999")}], not_yet("2026-11-23")),
    (BETWEEN, [], not_yet("2026-12-05")),
    (BETWEEN, [TAKEN], not_yet("2026-12-05")),
    (BETWEEN, [LATER], not_yet("2026-12-15")),
    (BEFORE_WINDOWS, [], not_yet("2026-12-05")),
    (BEFORE_WINDOWS | NOT_BEGUN, [], not_yet("2026-12-05")),
    (NOT_BEGUN | AWAY, [], not_yet("2026-12-01")),
    (STRICT, [LATER, UNKNOWN, OFFLINE], not_yet("2026-12-15")),
    # taken
    (STRICT, [TAKEN], IS_TAKEN),
    (STRICT, [SPENT], ProgramState(StateCode.TAKEN)),
    (PARTIAL, [SPENT], ProgramState(StateCode.TAKEN)),
    (AWAY, [TAKEN], IS_TAKEN),
    (ONLINE, [TAKEN, OFFLINE], IS_TAKEN),
    (STRICT, [TAKEN, ACQUIRING], IS_TAKEN),
    (ASKS_P2, [TAKEN], IS_TAKEN),
    (PAPERS, [TAKEN], IS_TAKEN),
    # a grant's own limits
    (STRICT, [STARTS_LATER], not_yet("2026-11-25")),
    (STRICT, [LAST_SECOND], READY),
    (STRICT, [LAPSED_GRANT], CHECKING),
    (STRICT, [LAPSED_GRANT, FAILED], NETWORK),
    (STRICT, [LAPSED_GRANT, OFFLINE], NETWORK),
    (TOLERATE, [LAPSED_GRANT, OFFLINE, WITHIN], READY),
    # wrong service point
    (AWAY, [PLACE], at("Kelurahan Metro")),
    (AWAY, [], at("")),
    (AWAY, [{"here": 2}], READY),
    (AWAY, [PLACE, ELSEWHERE], at("Kelurahan Metro")),
    (AWAY | ONLINE, [PLACE, OFFLINE], at("Kelurahan Metro")),
    (AWAY, [PLACE, UNKNOWN, ACQUIRING], at("Kelurahan Metro")),
    (AWAY | ASKS_P2 | PAPERS, [PLACE], at("Kelurahan Metro")),
    # online only
    (ONLINE, [], READY),
    (ONLINE, [OFFLINE], NETWORK),
    (ONLINE, [OFFLINE, ELSEWHERE], NETWORK),
    (ONLINE, [OFFLINE, ACQUIRING, UNKNOWN], NETWORK),
    (ONLINE, [UNKNOWN], CHECKING),
    (ONLINE, [UNKNOWN, ACQUIRING], CHECKING),
    (ONLINE, [UNKNOWN, FAILED], NETWORK),
    (ONLINE, [UNKNOWN, NOBODY], NETWORK),
    (ONLINE, [ELSEWHERE], THERE),
    # strict
    (STRICT, [ELSEWHERE], THERE),
    (STRICT, [ELSEWHERE, OFFLINE], THERE),
    (STRICT, [ELSEWHERE, FAILED], THERE),
    (STRICT, [ELSEWHERE, ACQUIRING], CHECKING),
    (STRICT, [ELSEWHERE, ACQUIRING, FAILED], CHECKING),
    (STRICT, [UNKNOWN], CHECKING),
    (STRICT, [UNKNOWN, ACQUIRING], CHECKING),
    (STRICT, [UNKNOWN, FAILED], NETWORK),
    (STRICT, [UNKNOWN, OFFLINE], NETWORK),
    (STRICT, [UNKNOWN, OFFLINE, WITHIN], NETWORK),
    (STRICT, [UNKNOWN, NOBODY], NETWORK),
    (ASKS_P2 | PAPERS, [UNKNOWN, NOBODY], NETWORK),
    (ASKS_P2 | PAPERS, [ELSEWHERE], THERE),
    (ASKS_P2 | PAPERS, [UNKNOWN, ACQUIRING], CHECKING),
    # tolerate
    (TOLERATE, [], READY),
    (TOLERATE, [OFFLINE], READY),
    (TOLERATE, [UNKNOWN, OFFLINE, WITHIN], READY),
    (TOLERATE, [UNKNOWN, OFFLINE, WITHIN, NOBODY], READY),
    (TOLERATE, [UNKNOWN, OFFLINE], NETWORK),
    (TOLERATE, [UNKNOWN, WITHIN], CHECKING),
    (TOLERATE, [UNKNOWN, WITHIN, FAILED], NETWORK),
    (TOLERATE, [UNKNOWN, OFFLINE, WITHIN, ACQUIRING], CHECKING),
    (TOLERATE, [UNKNOWN, OFFLINE, WITHIN, FAILED], READY),
    (TOLERATE, [ELSEWHERE, OFFLINE, WITHIN], READY),
    (TOLERATE, [ELSEWHERE, OFFLINE], THERE),
    (TOLERATE, [ELSEWHERE, WITHIN], THERE),
    (TOLERATE, [TAKEN, OFFLINE, WITHIN], IS_TAKEN),
    (TOLERATE | AWAY, [UNKNOWN, OFFLINE, WITHIN, PLACE], at("Kelurahan Metro")),
    (TOLERATE | ASKS_P2, [UNKNOWN, OFFLINE, WITHIN], LOW),
    (TOLERATE | PAPERS, [UNKNOWN, OFFLINE, WITHIN], needs("ktp", "kk")),
    # what the read proves
    (STRICT, [P0], READY),
    (STRICT, [LEGACY], LOW),
    ({"least_grade": "legacy"}, [LEGACY], READY),
    (ASKS_P2, [], LOW),
    (ASKS_P2, [CHECKED], LOW),
    (ASKS_P2 | LIFTS, [], LOW),
    (ASKS_P2 | LIFTS, [CHECKED], READY),
    (ABOVE, [], LOW),
    (ABOVE, [MORE], LOW),
    (ABOVE, [LESS], READY),
    (ABOVE, [MORE, {"grade": Grade.P2}], READY),
    (ABOVE | LIFTS, [MORE, CHECKED], READY),
    (ABOVE | PARTIAL, [{"right": replace(HERE, quantity_left=5_000)}], READY),
    (
        ABOVE,
        [{"entitlement": entitlement(quantity=5_000), "right": replace(HERE, quantity_left=200_000)}],
        READY,
    ),
    (ABOVE | PARTIAL, [{"entitlement": entitlement(quantity=5_000)}], LOW),
    (
        ABOVE,
        [{"entitlement": entitlement(quantity=5_000), "right": replace(HERE, quantity_left=9_000)}],
        READY,
    ),
    (ABOVE | PARTIAL, [{"entitlement": entitlement(quantity=5_000)}], LOW),
    (ABOVE | TOLERATE, [UNKNOWN, OFFLINE, WITHIN], LOW),
    (STRICT, [TYPED], LOW),
    (LIFTS, [TYPED, CHECKED], LOW),
    (TYPED_ALLOWED, [TYPED], LOW),
    (TYPED_ALLOWED, [TYPED, CHECKED], READY),
    (TYPED_ALLOWED | ABOVE, [TYPED, CHECKED, MORE], LOW),
    (TYPED_ALLOWED | ABOVE | LIFTS, [TYPED, CHECKED, MORE], READY),
    (ASKS_P2 | PAPERS, [], LOW),
    # documents
    (PAPERS, [], needs("ktp", "kk")),
    (PAPERS, [SEEN_KTP], needs("kk")),
    (PAPERS, [SEEN], READY),
    (PAPERS, [CHECKED], needs("ktp", "kk")),
]


def after(*changes: dict[str, Any]) -> Facts:
    facts = ALL_GOOD
    for change in changes:
        facts = replace(facts, **change)
    return facts


def row_name(row: tuple[dict[str, Any], list[dict[str, Any]], ProgramState]) -> str:
    names = {id(value): name for name, value in globals().items() if isinstance(value, dict)}
    differs = [names.get(id(change), "+".join(change)) for change in (row[0], *row[1])]
    return f"{'-'.join(differs)}-{row[2].code}"


@pytest.mark.parametrize(("change", "differs", "expected"), TABLE, ids=map(row_name, TABLE))
def test_decision(change: dict[str, Any], differs: list[dict[str, Any]], expected: ProgramState) -> None:
    assert program_state(program(**change), after(*differs)) == expected


def test_the_table_has_every_state() -> None:
    assert {expected.code for _, _, expected in TABLE} == set(StateCode)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        program_state(program(), after({"now": datetime(2026, 11, 23, 9)}))  # noqa: DTZ001


def test_the_day_is_the_programs_own() -> None:
    midnight_in_the_city = {"now": datetime(2026, 11, 22, 17, tzinfo=UTC)}
    assert program_state(program(), after(FROM_TODAY, midnight_in_the_city)) == READY
    there = program(zone="Europe/Berlin")
    assert program_state(there, after(FROM_TODAY, midnight_in_the_city)) == not_yet("2026-11-23")


def test_what_an_officers_check_would_lift() -> None:
    assert check_would_lift(program(**ASKS_P2, **LIFTS), Grade.P1, 1)
    assert not check_would_lift(program(**ASKS_P2), Grade.P1, 1)
    assert not check_would_lift(program(**LIFTS), Grade.P1, 1)
    assert check_would_lift(program(**TYPED_ALLOWED), Grade.TYPED, 1)
    assert not check_would_lift(program(**LIFTS), Grade.TYPED, 1)


PROGRAMS = [
    program(**shape, **mode, **more, **papers)
    for shape in (STRICT, ONCE, OPEN_WINDOW, BETWEEN, AFTER_WINDOWS)
    for mode in (STRICT, ONLINE, TOLERATE)
    for more in (STRICT, AWAY, ASKS_P2 | LIFTS, ABOVE | TYPED_ALLOWED, PARTIAL | OVER, NOT_BEGUN)
    for papers in (STRICT, PAPERS)
]
any_day = st.one_of(st.sampled_from([date.min, date.max]), st.dates(date(2025, 1, 1), date(2028, 1, 1)))
any_second = st.one_of(st.integers(unix("2026-01-01T00:00"), unix("2027-06-01T00:00")), st.integers(0, 2**63))
any_right: st.SearchStrategy[RightSituation] = st.one_of(
    st.builds(HeldHere, st.integers(-1, 20_000), any_second, any_second),
    st.just(HERE),
    st.builds(HeldElsewhere, st.sampled_from(["", "Kelurahan Metro"])),
    st.builds(
        Taken, st.sampled_from(["", "2026-11-03", "2026-11-03T08:10:00"]), st.just(""), st.just("IRM1-0001")
    ),
    st.just(Unknown()),
)
any_facts = st.builds(
    Facts,
    now=st.one_of(
        st.just(ALL_GOOD.now),
        st.datetimes(datetime(1970, 1, 2), datetime(9990, 1, 1)).map(lambda when: when.replace(tzinfo=UTC)),  # noqa: DTZ001
        st.integers(-400, 400).map(lambda hours: ALL_GOOD.now + timedelta(hours=hours)),
    ),
    grade=st.sampled_from(Grade),
    here=st.sampled_from([1, 4]),
    entitlement=st.one_of(
        st.none(),
        st.just(ALL_GOOD.entitlement),
        st.builds(
            EntitlementFact,
            st.just(7),
            st.just(1),
            st.integers(1, 20_000),
            any_day,
            st.none() | any_day,
            st.sampled_from(["active", "active", "ended", "odd"]),
        ),
    ),
    right=any_right,
    holder_status=st.sampled_from(["active", "active", "active", "blocked", "deceased"]),
    date_in_doubt=st.sampled_from([False, False, False, True]),
    online=st.booleans(),
    acquiring=st.booleans(),
    acquire_failed=st.booleans(),
    officer_signed_in=st.booleans(),
    officer_checked=st.booleans(),
    documents_seen=st.frozensets(st.sampled_from(["ktp", "kk"])),
    quantity=st.none() | st.integers(1, 20_000),
    tolerate_allows=st.booleans(),
    program_place=st.just("Kelurahan Metro"),
)
many = settings(max_examples=250)


@many
@given(one=st.sampled_from(PROGRAMS), facts=any_facts)
def test_ready_means_that_it_can_be_handed_over(one: Program, facts: Facts) -> None:
    state = program_state(one, facts)
    if state.code is not StateCode.READY:
        return
    right = facts.right
    now = facts.now.timestamp()
    held = (
        isinstance(right, HeldHere) and right.quantity_left > 0 and right.not_before <= now < right.not_after
    )
    tolerated = one.mode == "tolerate" and not facts.online and facts.tolerate_allows and not facts.acquiring
    assert held or tolerated
    assert not isinstance(right, Taken)
    assert facts.holder_status == "active"
    assert facts.entitlement is not None
    assert facts.entitlement.status == "active"
    assert not facts.date_in_doubt
    assert facts.online or one.mode != "online_only"
    assert one.served_at(facts.here)
    assert one.current_period(facts.now) is not None
    assert one.starts_at <= facts.now
    assert one.ends_at is None or facts.now < one.ends_at
    assert set(one.documents) <= set(facts.documents_seen)
    quantity = facts.quantity or facts.entitlement.quantity
    if isinstance(right, HeldHere) and facts.quantity is None:
        quantity = quantity_due(one, quantity, right.quantity_left)
    assert grade_suffices(one, facts.grade, quantity, facts.officer_checked)


@many
@given(one=st.sampled_from(PROGRAMS), facts=any_facts)
def test_a_state_says_what_its_words_need(one: Program, facts: Facts) -> None:
    state = program_state(one, facts)
    if state.date:
        day = date.fromisoformat(state.date)
        today = facts.now.astimezone(wib("2026-01-01T00:00").tzinfo).date()
        assert state.code in (StateCode.TAKEN, StateCode.NOT_YET, StateCode.ENDED)
        if state.code is StateCode.NOT_YET:
            assert day > today
        elif state.code is StateCode.ENDED:
            assert day < today
    assert (state.code is StateCode.NOT_YET) <= bool(state.date)
    assert (state.code is StateCode.NEEDS_DOCUMENT) == bool(state.documents)
    assert not state.place or state.code in (StateCode.TAKEN, StateCode.HELD_ELSEWHERE)
    assert not state.by or state.code is StateCode.TAKEN


@many
@given(one=st.sampled_from(PROGRAMS), facts=any_facts)
def test_who_may_not_have_it_never_gets_it(one: Program, facts: Facts) -> None:
    assert program_state(one, replace(facts, holder_status="blocked")) == IS_BLOCKED
    withdrawn = replace(facts, holder_status="active", entitlement=None)
    assert program_state(one, withdrawn).code is StateCode.ENDED
    doubtful = program_state(one, replace(facts, date_in_doubt=True)).code
    assert doubtful in (StateCode.BLOCKED, StateCode.ENDED, StateCode.TAKEN, StateCode.DATE_IN_DOUBT)


@many
@given(one=st.sampled_from(PROGRAMS), facts=any_facts)
def test_a_sensitive_program_has_the_same_state(one: Program, facts: Facts) -> None:
    assert program_state(one, facts) == program_state(one.model_copy(update={"sensitive": True}), facts)


@many
@given(one=st.sampled_from(PROGRAMS), facts=any_facts)
def test_proving_more_takes_nothing_away(one: Program, facts: Facts) -> None:
    if program_state(one, facts).code is StateCode.READY:
        better = replace(facts, grade=Grade.P3, officer_checked=True, documents_seen=("ktp", "kk"))
        assert program_state(one, better) == READY
