"""Handing out without the right while cut off: asked first, within limits, never twice as far as is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kiosk.acknowledgement import acknowledge, forget_acknowledged
from kiosk.central_time import note_heard
from kiosk.clock import unix_ms
from kiosk.errors import CentralFault, OfficerFault
from kiosk.journal_format import Record, decode
from kiosk.ledger import JOURNAL
from kiosk.rights import dispense, release
from kiosk.unheld import note_covers
from kiosk.values import StateCode
from tests.kiosk.counter_world import World, program

LIMITS = {"amount": 40_000, "count": 3, "days": 2}
RICE = "h1/beras/2026-11"


@pytest.fixture
def cut_off(world: World) -> World:
    """Rice is a tolerate program; four holders may have it; central was heard this moment and is away."""
    world.put_program(program(mode="tolerate", tolerate=LIMITS))
    for holder in (2, 3, 4):
        world.put_holder(holder, f"ORANG {holder}")
        world.entitle(holder, f"h{holder}", "beras", 10_000)
    note_heard(world.ledger, unix_ms(world.clock.now()))
    return world


def newest(world: World) -> Record:
    """The newest record."""
    return decode(bytes(world.ledger.row(f"SELECT record FROM {JOURNAL} ORDER BY seq DESC LIMIT 1")[0]))


def take_word(world: World, upto: int | None = None) -> None:
    """Central acknowledges the journal, up to a record or all."""
    seq = world.ledger.head_seq(1) if upto is None else upto
    row = world.ledger.row(f"SELECT hash FROM {JOURNAL} WHERE gen = 1 AND seq = ?", seq)
    acknowledge(world.ledger, 1, seq, seq, bytes(row[0]).hex())


def counted(world: World) -> list[Any]:
    """The counters in the ledger."""
    return world.ledger.rows("SELECT program_id, quantity, count FROM tolerated")


def refused_code(world: World, session: Any, **asked: Any) -> str:
    """The code of the fault that a hand-out ends with."""
    with pytest.raises(OfficerFault) as refused:
        world.confirm(session, **asked)
    return refused.value.code


def test_cut_off_without_the_right_it_is_handed_out_under_no_grant(cut_off: World) -> None:
    rina = cut_off.sign_in()
    assert cut_off.state().code is StateCode.READY
    cut_off.confirm(rina)
    record = newest(cut_off)
    assert (record.type, record.epoch, record.mode) == ("dispense", (0, 0), "tolerate")
    assert (record.detail["tolerated"], record.detail["spends"]) == (True, 10_000)
    state = cut_off.state()
    assert (state.code, state.place, state.by) == (StateCode.TAKEN, "Kelurahan Iringmulyo", "IRM1-0002")
    assert refused_code(cut_off, rina) == "already_taken"
    assert counted(cut_off) == [("beras", 10_000, 1)]


def test_a_strict_program_is_refused_all_the_same(cut_off: World) -> None:
    cut_off.put_program(program())
    assert cut_off.state().code is StateCode.NEEDS_NETWORK
    assert refused_code(cut_off, cut_off.sign_in()) == "right_not_held"


def test_online_the_right_is_asked_for_first_and_cut_off_in_between_it_is_tolerated(cut_off: World) -> None:
    cut_off.put("right", RICE, "HDM1", 2, 10_000, 0, None, None, None)
    cut_off.set_online(True)
    rina = cut_off.sign_in()
    assert cut_off.state().code is StateCode.HELD_ELSEWHERE  # nobody is signed in: as a strict one
    visit = cut_off.counter.read(cut_off.card(), rina)
    assert visit.rows[0].state.code is StateCode.CHECKING
    (future,) = cut_off.counter.acquire(visit, rina)
    assert cut_off.counter.refresh(visit, rina).rows[0].state.code is StateCode.CHECKING
    future.set_exception(CentralFault("central_unreachable", "no answer in time", why="timeout"))
    assert cut_off.counter.refresh(visit, rina).rows[0].state.code is StateCode.READY


def test_the_right_is_used_where_it_is_held(cut_off: World) -> None:
    cut_off.take_in(cut_off.grant(mode="tolerate"))
    cut_off.confirm(cut_off.sign_in())
    record = newest(cut_off)
    assert (record.epoch, "tolerated" in record.detail, counted(cut_off)) == ((1, 1), False, [])


def test_a_right_that_comes_while_the_officer_confirms_is_used(
    cut_off: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(journal: Any, handing: Any) -> Record:
        cut_off.take_in(cut_off.grant(mode="tolerate"))
        return dispense(journal, handing)

    monkeypatch.setattr("kiosk.counter.dispense", late)
    cut_off.confirm(cut_off.sign_in())
    assert newest(cut_off).epoch == (1, 1)


@pytest.mark.parametrize(
    ("other", "code"), [(1, "already_taken"), (2, "right_not_held")], ids=["same right", "last of the limit"]
)
def test_another_process_that_was_faster_is_noticed_inside_the_transaction(
    cut_off: World, monkeypatch: pytest.MonkeyPatch, other: int, code: str
) -> None:
    cut_off.put_program(program(mode="tolerate", tolerate=LIMITS | {"count": 3 - other}))

    def late(journal: Any, handing: Any) -> Record:
        dispense(journal, replace(handing, right=f"h{other}/beras/2026-11"))
        return dispense(journal, handing)

    monkeypatch.setattr("kiosk.counter.dispense", late)
    assert refused_code(cut_off, cut_off.sign_in()) == code
    assert counted(cut_off) == [("beras", 10_000, 1)]


@pytest.mark.parametrize(
    ("limits", "handed"),
    [({"amount": 25_000}, 2), ({"amount": 30_000}, 3), ({"count": 1}, 1), ({"count": 9}, 4)],
)
def test_amount_and_count_end_it(cut_off: World, limits: dict[str, int], handed: int) -> None:
    cut_off.put_program(program(mode="tolerate", tolerate=LIMITS | limits))
    rina = cut_off.sign_in()
    for holder in range(1, handed + 1):
        cut_off.confirm(rina, holder_id=holder)
    for holder in range(handed + 1, 5):
        assert cut_off.state(holder_id=holder).code is StateCode.NEEDS_NETWORK
        assert refused_code(cut_off, rina, holder_id=holder) == "right_not_held"


def test_only_what_central_acknowledged_is_taken_off_the_counters(cut_off: World) -> None:
    rina = cut_off.sign_in()  # record 1
    for holder in (1, 2, 3):
        cut_off.confirm(rina, holder_id=holder)  # records 2 to 4
    assert cut_off.state(holder_id=4).code is StateCode.NEEDS_NETWORK
    cut_off.set_online(True)  # heard, but nothing acknowledged
    cut_off.set_online(False)
    cut_off.clock.go_on(timedelta(hours=1))
    note_heard(cut_off.ledger, unix_ms(cut_off.clock.now()))
    assert counted(cut_off) == [("beras", 30_000, 3)]
    take_word(cut_off, 3)
    assert counted(cut_off) == [("beras", 10_000, 1)]
    assert cut_off.state(holder_id=4).code is StateCode.READY
    acknowledge(cut_off.ledger, 1, 4, 4, "00" * 32)  # not our hash: nobody's word
    assert counted(cut_off) == [("beras", 10_000, 1)]
    forget_acknowledged(cut_off.ledger, 1, 2)  # central came back from a backup
    assert counted(cut_off) == [("beras", 20_000, 2)]


def test_taking_back_what_was_tolerated_does_not_widen_the_limits(cut_off: World) -> None:
    cut_off.put_program(program(mode="tolerate", tolerate=LIMITS | {"count": 1}))
    rina = cut_off.sign_in()
    ref = cut_off.confirm(rina).ref
    cut_off.counter.void(ref, "never_left", "salah", rina)
    assert cut_off.state().code is StateCode.NEEDS_NETWORK
    take_word(cut_off)
    assert cut_off.state().code is StateCode.READY


def test_days_since_central_was_heard_end_it(cut_off: World) -> None:
    cut_off.clock.go_on(timedelta(days=2, seconds=-1))
    assert cut_off.state().code is StateCode.READY
    cut_off.clock.go_on(timedelta(seconds=1))
    assert cut_off.state().code is StateCode.NEEDS_NETWORK
    assert refused_code(cut_off, cut_off.sign_in()) == "right_not_held"
    note_heard(cut_off.ledger, unix_ms(cut_off.clock.now()))
    assert cut_off.state().code is StateCode.READY


def test_a_central_that_was_never_heard_tolerates_nothing(world: World) -> None:
    world.put_program(program(mode="tolerate", tolerate=LIMITS))
    assert world.state().code is StateCode.NEEDS_NETWORK


def test_what_a_grant_made_strict_for_this_period_stays_strict(cut_off: World) -> None:
    cut_off.take_in(cut_off.grant(mode="strict"))
    release(cut_off.counter._journal, RICE)
    assert cut_off.state().code is StateCode.NEEDS_NETWORK
    assert refused_code(cut_off, cut_off.sign_in()) == "right_not_held"
    cut_off.clock.go_on(timedelta(days=11))  # 1 December: a new period, the program's own mode
    note_heard(cut_off.ledger, unix_ms(cut_off.clock.now()))
    assert cut_off.state().code is StateCode.READY


def test_online_only_since_the_grant_is_strict_until_the_grant_is_gone(world: World) -> None:
    world.take_in(world.grant())
    world.put_program(program(mode="online_only", version=2))
    assert world.state().code is StateCode.READY
    world.take_in(world.grant(n=2, mode="online_only"))
    world.put_program(program(version=3))
    assert world.state().code is StateCode.NEEDS_NETWORK


def test_a_partial_program_leaves_what_is_known_to_be_left(cut_off: World) -> None:
    cut_off.put_program(program(mode="tolerate", tolerate=LIMITS | {"amount": 9_000}, partial=True))
    cut_off.put("right", RICE, "", 0, 10_000, 3_000, "2026-11-03T09:12:00", 2, "HDM1-0007")
    rina = cut_off.sign_in()
    visit = cut_off.counter.read(cut_off.card(), rina)
    assert visit.rows[0].quantity == 7_000
    cut_off.confirm(rina, quantity=4_000)
    visit = cut_off.counter.read(cut_off.card(), rina)
    assert (visit.rows[0].state.code, visit.rows[0].quantity) == (StateCode.READY, 3_000)
    assert refused_code(cut_off, rina, quantity=3_001) == "quantity"
    cut_off.confirm(rina, quantity=3_000)
    assert refused_code(cut_off, rina, quantity=1) == "already_taken"


def test_own_pickups_are_not_counted_twice_once_the_cache_has_them(cut_off: World) -> None:
    cut_off.put_program(program(mode="tolerate", tolerate=LIMITS, partial=True))
    rina = cut_off.sign_in()
    cut_off.confirm(rina, quantity=4_000)
    take_word(cut_off)
    # Acknowledged, and the change has not come: it still counts by the ledger.
    visit = cut_off.counter.read(cut_off.card(), rina)
    assert visit.rows[0].quantity == 6_000
    cut_off.put("right", RICE, "", 0, 10_000, 4_000, "2026-11-20T09:00:00", 1, "IRM1-0002")
    note_covers(cut_off.cache, {1: cut_off.ledger.acked(1)})
    visit = cut_off.counter.read(cut_off.card(), rina)
    assert visit.rows[0].quantity == 6_000


def test_what_was_taken_here_is_taken_whatever_an_old_cache_says(cut_off: World) -> None:
    cut_off.put("right", RICE, "IRM1", 1, 10_000, 0, None, None, None)
    rina = cut_off.sign_in()
    cut_off.confirm(rina)
    take_word(cut_off)
    assert cut_off.state().code is StateCode.TAKEN


def test_programs_that_exclude_each_other_close_the_right_together(cut_off: World) -> None:
    cut_off.put_program(program(mode="tolerate", tolerate=LIMITS, right_group="pangan"))
    cut_off.put_program(program("telur", mode="tolerate", tolerate=LIMITS, right_group="pangan"))
    cut_off.entitle(9, "h1", "telur", 6_000)
    rina = cut_off.sign_in()
    cut_off.confirm(rina, "telur", 6_000)
    assert newest(cut_off).detail["spends"] == 10_000
    assert cut_off.state().code is StateCode.TAKEN


def test_a_grant_that_comes_later_knows_what_was_handed_out(cut_off: World) -> None:
    cut_off.confirm(cut_off.sign_in())
    cut_off.take_in(cut_off.grant(mode="tolerate"))  # central had not heard of it
    assert cut_off.state().code is StateCode.TAKEN
