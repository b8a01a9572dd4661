"""A date in doubt: a supervisor confirms it, forward only, and programs are decided by it from then on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from kiosk import sync_state
from kiosk.central_time import HIGHEST_WALL, note_heard
from kiosk.clock import unix_ms
from kiosk.errors import OfficerFault
from kiosk.journal_format import Record, decode
from kiosk.ledger import JOURNAL
from kiosk.values import StateCode
from tests.kiosk.counter_world import OFFICER, START, SUPERVISOR, World

TODAY = date(2026, 11, 20)
YEARS_AGO = datetime(2020, 1, 1, 1, 30, tzinfo=UTC)
"""08:30 in Jakarta: what a clock without a battery says."""


def newest(world: World) -> Record:
    """The newest record."""
    return decode(bytes(world.ledger.row(f"SELECT record FROM {JOURNAL} ORDER BY seq DESC LIMIT 1")[0]))


@pytest.fixture
def reset(world: World) -> World:
    """The right is here; then the kiosk was off, its clock is years behind, and central is away."""
    world.take_in(world.grant())
    world.sign_in()
    world.clock.at, world.clock.boot, world.clock.mono = YEARS_AGO, "boot-2", 1_000
    return world


def refused_code(world: World, day: date, username: str = SUPERVISOR) -> str:
    """The code of the fault that a confirmation ends with."""
    with pytest.raises(OfficerFault) as refused:
        world.counter.assert_clock(day, world.sign_in(username))
    return refused.value.code


def test_a_supervisor_confirms_the_date_and_aid_goes_on(reset: World) -> None:
    assert reset.state().code is StateCode.DATE_IN_DOUBT  # and the card is read all the same
    budi = reset.sign_in(SUPERVISOR)
    now = reset.counter.assert_clock(TODAY, budi)
    assert now == "2026-11-20T09:00:00"  # as late as was ever seen: it was half past eight
    record = newest(reset)
    assert (record.type, record.officer) == ("clock_assertion", SUPERVISOR)
    assert record.detail == {"from_ms": unix_ms(START), "to_ms": unix_ms(START), "supervisor": SUPERVISOR}
    assert record.wall == unix_ms(START)
    assert "date_in_doubt" not in reset.counter.status().warnings
    assert reset.state().code is StateCode.READY
    reset.clock.go_on(timedelta(hours=2))
    reset.confirm(budi)
    assert newest(reset).wall == unix_ms(START + timedelta(hours=2))
    assert reset.state().date == "2026-11-20"


def test_the_next_day_has_the_machines_hour(reset: World) -> None:
    now = reset.counter.assert_clock(date(2026, 11, 21), reset.sign_in(SUPERVISOR))
    assert now == "2026-11-21T08:30:00"


def test_what_one_process_confirms_counts_for_all(reset: World) -> None:
    other = reset.open_counter()
    reset.counter.assert_clock(TODAY, reset.sign_in(SUPERVISOR))
    assert "date_in_doubt" not in other.status().warnings
    other.close()


def test_forward_only(reset: World) -> None:
    assert refused_code(reset, date(2026, 11, 19)) == "date_backwards"
    assert reset.state().code is StateCode.DATE_IN_DOUBT


def test_not_so_far_that_nobody_could_sign_in_any_more(reset: World) -> None:
    assert refused_code(reset, date(2026, 12, 21)) == "date_too_far"
    reset.counter.assert_clock(date(2026, 12, 20), reset.sign_in(SUPERVISOR))


def test_only_a_supervisor_and_only_in_doubt(reset: World) -> None:
    assert refused_code(reset, TODAY, OFFICER) == "supervisor_needed"
    reset.counter.assert_clock(TODAY, reset.sign_in(SUPERVISOR))
    assert refused_code(reset, TODAY) == "date_not_in_doubt"


def test_the_next_boot_is_in_doubt_again(reset: World) -> None:
    reset.counter.assert_clock(TODAY, reset.sign_in(SUPERVISOR))
    reset.clock.boot = "boot-3"
    assert reset.state().code is StateCode.DATE_IN_DOUBT


def test_a_clock_that_was_set_right_is_believed_again(reset: World) -> None:
    reset.counter.assert_clock(TODAY, reset.sign_in(SUPERVISOR))
    reset.clock.at = START + timedelta(minutes=7)
    assert reset.counter._clock.now() == reset.clock.at
    assert "date_in_doubt" not in reset.counter.status().warnings


def heard(world: World, at: datetime) -> None:
    """Central's signed time of this moment."""
    known = sync_state.SyncState(
        central_ms=unix_ms(at), central_mono_ms=world.clock.mono, boot_id=world.clock.boot
    )
    sync_state.save(world.path, known)


def test_central_says_otherwise(reset: World) -> None:
    reset.counter.assert_clock(TODAY, reset.sign_in(SUPERVISOR))
    reset.clock.go_on(timedelta(minutes=5))
    heard(reset, START + timedelta(minutes=9))
    assert reset.state().code is StateCode.READY  # the same, but for a few minutes
    heard(reset, START + timedelta(days=2))
    assert reset.state().code is StateCode.DATE_IN_DOUBT
    assert reset.counter._clock.now() == reset.clock.at  # nobody's word but the machine's


def test_where_central_was_heard_its_date_is_the_one_to_confirm(reset: World) -> None:
    heard(reset, START + timedelta(days=2))
    reset.clock.go_on(timedelta(hours=1))
    assert reset.state().code is StateCode.DATE_IN_DOUBT
    assert refused_code(reset, TODAY) == "date_not_central"
    now = reset.counter.assert_clock(date(2026, 11, 22), reset.sign_in(SUPERVISOR))
    assert now == "2026-11-22T10:00:00"
    assert reset.state().code is StateCode.READY


def test_what_is_over_by_the_confirmed_date_is_over(reset: World) -> None:
    reset.entitle(1, "h1", "beras", 10_000, valid_until="2026-11-25")
    reset.counter.assert_clock(date(2026, 11, 26), reset.sign_in(SUPERVISOR))
    state = reset.state()
    assert (state.code, state.date) == (StateCode.ENDED, "2026-11-24")


def test_a_release_record_of_a_doubtful_clock_never_takes_the_highest_time_back(reset: World) -> None:
    reset.sign_in()
    assert reset.ledger.meta("highest_wall_ms") == str(unix_ms(START))


# -- a clock that was ahead --


@pytest.fixture
def ahead(world: World) -> World:
    """Started ten days ahead with central away, something recorded, then the clock set right."""
    world.take_in(world.grant())
    world.clock.at, world.clock.boot = START + timedelta(days=10), "boot-2"
    world.sign_in()
    world.clock.at = START
    return world


def test_what_only_this_machine_said_gives_way_to_central(ahead: World) -> None:
    assert ahead.state().code is StateCode.DATE_IN_DOUBT
    assert refused_code(ahead, TODAY) == "date_backwards"
    heard(ahead, START)
    ahead.clock.at = YEARS_AGO  # and a dead battery on top: it needs a person
    now = ahead.counter.assert_clock(TODAY, ahead.sign_in(SUPERVISOR))
    assert now == "2026-11-20T09:00:00"
    assert newest(ahead).detail["from_ms"] > newest(ahead).detail["to_ms"] == unix_ms(START)
    assert ahead.state().code is StateCode.READY
    ahead.clock.at, ahead.clock.boot = START + timedelta(hours=1), "boot-3"
    assert ahead.state().code is StateCode.READY  # alone again, with a clock that is right


def test_without_central_it_stays_forward_only(ahead: World) -> None:
    assert refused_code(ahead, TODAY) == "date_backwards"
    assert refused_code(ahead, date(2026, 11, 29)) == "date_backwards"
    ahead.counter.assert_clock(date(2026, 11, 30), ahead.sign_in(SUPERVISOR))


def test_the_highest_time_follows_central(ahead: World) -> None:
    note_heard(ahead.ledger, unix_ms(START))
    assert ahead.ledger.meta(HIGHEST_WALL) == str(unix_ms(START))
    assert ahead.state().code is StateCode.READY
    note_heard(ahead.ledger, unix_ms(START + timedelta(days=1)))
    assert ahead.state().code is StateCode.DATE_IN_DOUBT


def test_clocks_may_differ_a_little_and_the_disk_is_spared(world: World) -> None:
    world.sign_in()
    note_heard(world.ledger, unix_ms(START - timedelta(minutes=9)))
    assert world.ledger.meta(HIGHEST_WALL) == str(unix_ms(START))
    before = world.ledger.row("PRAGMA data_version")[0], world.ledger.db.conn.total_changes
    for minute in range(-8, 1):
        note_heard(world.ledger, unix_ms(START + timedelta(minutes=minute)))
    assert (world.ledger.row("PRAGMA data_version")[0], world.ledger.db.conn.total_changes) == before
    note_heard(world.ledger, unix_ms(START + timedelta(minutes=1)))
    assert world.ledger.meta(HIGHEST_WALL) == str(unix_ms(START + timedelta(minutes=1)))
