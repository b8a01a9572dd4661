"""The counter against what should not happen: wrong order, missing parts, late answers, people who left."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from datetime import timedelta

import pytest

from kiosk import sync_state
from kiosk.errors import CardFault, CentralFault, EnvironmentFault, OfficerFault
from kiosk.freezing import FORKED, freeze_ledger
from kiosk.journal_walk import list_records, verify_journal
from kiosk.ports import RightWord
from kiosk.values import Checks, Collector, StateCode, Visit
from tests.kiosk.counter_world import OFFICER, PIN, SUPERVISOR, World, program

RICE = "h1/beras/2026-11"


def refused(code: str) -> pytest.RaisesExc[OfficerFault]:
    """An OfficerFault with that code."""
    return pytest.raises(OfficerFault, check=lambda fault: fault.code == code)


def state_of(visit: Visit, program_id: str = "beras") -> StateCode:
    """The state of one program in a visit."""
    return next(row.state.code for row in visit.rows if row.program_id == program_id)


def is_held(world: World, right: str = RICE) -> bool:
    """Whether the ledger holds a right."""
    known = world.ledger.right(right)
    return known is not None and known.held


# -- people --


def test_a_pickup_somebody_saw_is_not_voided_by_the_question_after_a_stop(world: World) -> None:
    world.take_in(world.grant())
    rina, budi = world.sign_in(), world.sign_in(SUPERVISOR)
    ref = world.confirm(budi).ref
    world.counter.mark_shown(ref)
    for handed_over in (True, False):
        with refused("already_answered"):
            world.counter.answer_unshown(ref, handed_over, rina)
    assert not world.counter.today(rina)[0].voided


def test_after_a_day_only_a_supervisor_answers_for_a_pickup_nobody_saw(world: World) -> None:
    world.take_in(world.grant())
    ref = world.confirm(world.sign_in()).ref
    world.clock.go_on(timedelta(hours=25))
    rina, budi = world.sign_in(), world.sign_in(SUPERVISOR)
    with refused("supervisor_needed"):
        world.counter.answer_unshown(ref, False, rina)
    world.counter.answer_unshown(ref, True, budi)
    newest = list_records(world.ledger, last=1)[0]
    assert (newest["type"], newest["ref"], newest["officer"]) == ("note", ref, SUPERVISOR)
    assert world.counter.unshown() == []


@pytest.mark.parametrize("ref", ["IRM1-9999", "", "ny\udce9", "HDM1-0001", "' OR 1=1 --"])
def test_references_of_no_pickup(world: World, ref: str) -> None:
    rina = world.sign_in()
    for call in (
        lambda: world.counter.mark_shown(ref),
        lambda: world.counter.answer_unshown(ref, True, rina),
        lambda: world.counter.void(ref, "returned", "x", rina),
    ):
        with refused("unknown_ref"):
            call()


def test_goods_are_one_of_two_words(world: World) -> None:
    with refused("goods"):
        world.counter.void("IRM1-0001", "eaten", "x", world.sign_in())


def test_a_clock_set_back_does_not_open_the_ten_minutes_again(world: World) -> None:
    world.take_in(world.grant())
    rina = world.sign_in()
    ref = world.confirm(rina).ref
    world.clock.go_on(timedelta(minutes=11))
    world.clock.at -= timedelta(minutes=11)
    with refused("supervisor_needed"):
        world.counter.void(ref, "returned", "rusak", rina)
    world.clock.boot, world.clock.at = "boot-2", world.clock.at - timedelta(hours=1)
    with refused("supervisor_needed"):
        world.counter.void(ref, "returned", "rusak", rina)


def test_an_officer_whom_sync_took_away_does_nothing_more(world: World) -> None:
    world.take_in(world.grant())
    rina = world.sign_in()
    visit = world.counter.read(world.card(), rina)
    world.put("officer", OFFICER, "RINA", "officer", 2, "moved", None)
    with refused("officer_ended"):
        world.counter.confirm(visit, "beras", 10_000, Collector(), Checks(), rina)
    world.put("officer", OFFICER, "RINA", "supervisor", 1, "promoted", None)
    with refused("officer_ended"):
        world.counter.today(rina)
    world.put("officer", OFFICER, "RINA", "officer", 1, "", "2026-11-20")
    with refused("officer_ended"):
        world.counter.today(rina)
    assert world.state() is not StateCode.TAKEN


@pytest.mark.parametrize("name", ["", "x" * 80, "ny\udce9", "rina\x00", "a b", "' OR 1=1 --"])
def test_names_that_no_officer_can_have_are_not_kept(world: World, name: str) -> None:
    with refused("unknown_officer"):
        world.counter.sign_in(name, PIN)
    assert world.ledger.rows("SELECT * FROM officer_delays") == []


def test_guesses_made_side_by_side_cost_the_same(world: World) -> None:
    """Each guess is counted before its PIN is looked at."""
    other = world.open_counter()
    for counter in (world.counter, other, world.counter):
        with refused("wrong_pin"):
            counter.sign_in(OFFICER, "111222")
    for counter in (world.counter, other):
        with refused("locked_out"):
            counter.sign_in(OFFICER, PIN)
    other.close()


def test_names_nobody_tries_any_more_are_forgotten(world: World) -> None:
    with refused("unknown_officer"):
        world.counter.sign_in("tamu", PIN)
    world.clock.go_on(timedelta(hours=25))
    world.sign_in()
    assert world.ledger.rows("SELECT username FROM officer_delays") == []


# -- data that is not sound --


def test_a_malformed_program_leaves_only_itself_out(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.take_in(world.grant())
    for number, doc in ((2, "{"), (3, "null"), (4, '{"id": "rusak4"}')):
        world.put("program", f"rusak{number}", 1, doc)
        world.entitle(number, "h1", f"rusak{number}", 5)
    world.put_program(program("lain"))
    world.cache.db.conn.execute("UPDATE program SET id = 'bukan' WHERE id = 'lain'")
    world.entitle(5, "h1", "bukan", 5)
    with caplog.at_level(logging.WARNING):
        rina = world.sign_in()
        visit = world.counter.read(world.card(), rina)
        world.counter.read(world.card(), rina)
    assert [row.program_id for row in visit.rows] == ["beras"]
    told = [record.getMessage() for record in caplog.records]
    assert sorted(line.split()[1] for line in told) == ["bukan", "rusak2", "rusak3", "rusak4"]
    assert not any("SITI" in line for line in told)
    assert world.confirm(rina).ref


def test_a_malformed_entitlement_or_guardianship_leaves_only_itself_out(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.put_program(program("gula"))
    world.put_program(program("teh"))
    world.entitle(2, "h1", "gula", 5, valid_from="2025-13-01")
    world.entitle(3, "h1", "teh", 0)
    world.put_holder(2, "DEWI")
    world.put("guardian", 1, 1, 2, "mother", "kemarin", None, None)
    with caplog.at_level(logging.WARNING):
        visit = world.counter.read(world.card())
    assert ([row.program_id for row in visit.rows], visit.guardians) == (["beras"], ())
    assert len(caplog.records) == 3


def test_free_text_never_reaches_the_chain(world: World) -> None:
    world.put_program(program("uang", documents=["ktp"]))
    world.entitle(2, "h1", "uang", 1000)
    world.take_in(world.grant("h1/uang/2026-11", quantity=1000))
    rina = world.sign_in()
    world.confirm(rina, "uang", 1000, checks=Checks(("ktp", "SITI RAHAYU")))
    assert list_records(world.ledger, last=1)[0]["detail"]["checks"] == ["ktp"]


def test_texts_too_long_to_be_sent_are_refused_before_anything_is_recorded(world: World) -> None:
    world.take_in(world.grant())
    rina = world.sign_in()
    with refused("text_too_long"):
        world.confirm(rina, quantity=9_000, reason="x" * 5000)
    with refused("text_too_long"):
        world.confirm(rina, collector=Collector("representative", 0, "W" * 5000, "1"))
    assert world.state().code is StateCode.READY


@pytest.mark.parametrize("card_no", ["", "ny\udce9", "7" * 500])
def test_typed_numbers_of_no_card(world: World, card_no: str) -> None:
    with pytest.raises(CardFault) as fault:
        world.counter.read_typed(card_no, world.sign_in(), "rusak")
    assert fault.value.code == "card_unknown_holder"


# -- rights that come, go and are frozen --


def test_a_frozen_kiosk_hands_out_nothing_and_records_that(world: World) -> None:
    world.take_in(world.grant())
    rina = world.sign_in()
    freeze_ledger(world.ledger, FORKED)
    with refused("frozen"):
        world.confirm(rina)
    newest = list_records(world.ledger, last=1)[0]
    assert (newest["type"], newest["detail"]) == ("refusal", {"state": "frozen"})
    assert world.counter.status().frozen == FORKED


def test_an_older_generations_right_does_not_look_ready(world: World) -> None:
    world.take_in(world.grant())
    world.ledger.db.conn.execute("UPDATE rights SET gen = 9")
    assert world.state().code is StateCode.NEEDS_NETWORK


def test_a_right_given_back_with_something_left_is_not_taken(world: World) -> None:
    world.put_program(program("makanan", partial=True))
    world.entitle(2, "h1", "makanan", 14)
    world.take_in(world.grant("h1/makanan/2026-11", quantity=14), acquired=True)
    rina = world.sign_in()
    world.confirm(rina, "makanan", 5)
    world.ledger.db.conn.execute("UPDATE rights SET held = 0")
    assert world.state("makanan").code is StateCode.NEEDS_NETWORK


def test_an_answer_that_comes_after_the_card_left_goes_back(world: World) -> None:
    world.set_online(True)
    rina = world.sign_in()
    visit = world.counter.read(world.card(), rina)
    (future,) = world.counter.acquire(visit, rina)
    assert future.set_running_or_notify_cancel()
    world.counter.leave(visit)
    world.take_in(world.grant(), acquired=True)
    world.counter.status()
    assert is_held(world)
    future.set_result({})
    wakes = world.rights.wakes
    world.counter.status()
    assert (is_held(world), world.rights.wakes) == (False, wakes + 1)


def test_a_second_tap_takes_over_what_the_first_one_asked_for(world: World) -> None:
    world.set_online(True)
    rina = world.sign_in()
    first = world.counter.read(world.card(), rina)
    (future,) = world.counter.acquire(first, rina)
    future.set_running_or_notify_cancel()
    world.counter.leave(first)
    second = world.counter.read(world.card(), rina)
    assert world.counter.acquire(second, rina) == [future]
    world.take_in(world.grant(), acquired=True)
    future.set_result({RICE: RightWord(RICE, "granted")})
    world.counter.status()
    assert state_of(world.counter.refresh(second, rina)) is StateCode.READY
    assert len(world.rights.asked) == 1


def test_a_request_nobody_has_begun_is_taken_back(world: World) -> None:
    world.set_online(True)
    rina = world.sign_in()
    visit = world.counter.read(world.card(), rina)
    (future,) = world.counter.acquire(visit, rina)
    world.counter.leave(visit)
    assert future.cancelled()


def test_a_right_held_elsewhere_is_asked_for_while_online(world: World) -> None:
    world.put("right", RICE, "HDM1", 2, 10_000, 0, None, None, None)
    world.set_online(True)
    rina = world.sign_in()
    visit = world.counter.read(world.card(), rina)
    assert state_of(visit) is StateCode.CHECKING
    world.counter.acquire(visit, rina)
    world.rights.futures[0].set_result({RICE: RightWord(RICE, "recalled", point_id=2)})
    again = world.counter.refresh(visit, rina)
    assert (state_of(again), again.rows[0].state.place) == (StateCode.HELD_ELSEWHERE, "Kelurahan Hadimulyo")
    # It was called back: asking once more, in the same visit, is how it comes.
    assert len(world.counter.acquire(again, rina)) == 1
    assert state_of(world.counter.refresh(again, rina)) is StateCode.CHECKING
    world.set_online(False)
    assert state_of(world.counter.read(world.card(), rina)) is StateCode.HELD_ELSEWHERE


@pytest.mark.parametrize(
    ("fault", "counts_as_offline"),
    [
        (CentralFault("central_unreachable"), True),
        (CentralFault("answer_refused", status=200), True),
        (CentralFault("central_error", status=502, signed=False), True),
        (CentralFault("kiosk_frozen", signed=True), False),
        (EnvironmentFault("database_locked"), False),
    ],
)
def test_a_request_that_failed_for_want_of_the_network_counts_as_offline(
    world: World, fault: Exception, counts_as_offline: bool
) -> None:
    """``online_only`` shows it: with its right held here it only needs the network."""
    world.put_program(program("obat", mode="online_only"))
    world.entitle(2, "h1", "obat", 1)
    world.set_online(True)
    rina = world.sign_in()
    visit = world.counter.read(world.card(), rina)
    world.counter.acquire(visit, rina)
    world.rights.futures[0].set_exception(fault)
    world.take_in(world.grant("h1/obat/2026-11", quantity=1, mode="online_only"))
    expected = StateCode.NEEDS_NETWORK if counts_as_offline else StateCode.READY
    assert state_of(world.counter.refresh(visit, rina), "obat") is expected


def test_another_process_was_faster(world: World) -> None:
    """The decision on the screen is taken again inside the transaction."""
    world.take_in(world.grant())
    rina = world.sign_in()
    visit = world.counter.read(world.card(), rina)
    other = world.open_counter()
    theirs = other.sign_in(SUPERVISOR, PIN)
    other.confirm(other.read(world.card(), theirs), "beras", 10_000, Collector(), Checks(), theirs)
    other.close()
    with refused("already_taken"):
        world.counter.confirm(visit, "beras", 10_000, Collector(), Checks(), rina)
    assert verify_journal(world.ledger)["intact"]


# -- without a cache --


def test_without_a_cache_the_kiosk_says_so_and_settles_what_it_recorded(world: World) -> None:
    world.take_in(world.grant())
    rina = world.sign_in()
    ref = world.confirm(rina).ref
    world.caches.wipe()
    status = world.counter.status()
    assert (status.point, status.warnings, status.waiting) == (
        "",
        ("no_rollback_counter", "stolen_disk_readable", "cache_missing"),
        2,
    )
    (pickup,) = world.counter.unshown()
    assert (pickup.ref, pickup.holder_name, pickup.quantity_text.id) == (ref, "", "10000")
    assert world.counter.void(ref, "never_left", "rusak", rina).voided
    with pytest.raises(EnvironmentFault) as fault:
        world.counter.read(world.card())
    assert fault.value.code == "cache_missing"


def test_data_as_of_is_empty_before_the_first_sync(world: World) -> None:
    world.cache.set_meta(synced_at="")
    sync_state.save(world.path, sync_state.SyncState())
    assert world.counter.status().data_as_of == ""
    assert world.counter.read(world.card()).data_as_of == ""


@pytest.mark.parametrize("text", ["", "{", "[]", '{"online": true}', "null", '{"online": 1, "x": 2}'])
def test_a_damaged_word_of_sync_is_no_word(world: World, text: str) -> None:
    (world.path / sync_state.STATE_FILE).write_text(text)
    assert not world.counter.status().online


def test_a_word_of_sync_with_impossible_values_is_no_word(world: World) -> None:
    for wrong in ({"last_success_ms": 10**30}, {"current_ms": -1}, {"boot_id": 5}, {"online": "yes"}):
        state = sync_state.SyncState(**{"online": True, "boot_id": world.clock.boot} | wrong)  # type: ignore[arg-type]
        sync_state.save(world.path, state)
        assert sync_state.load(world.path) == sync_state.SyncState()
        assert not world.counter.status().online


def test_two_futures_of_one_visit_are_both_waited_for(world: World) -> None:
    world.put_program(program("gula"))
    world.entitle(2, "h1", "gula", 5)
    world.set_online(True)
    rina = world.sign_in()
    visit = world.counter.read(world.card(), rina)
    futures = world.counter.acquire(visit, rina)
    assert [sorted(asked) for asked in world.rights.asked] == [[RICE, "h1/gula/2026-11"]]
    assert len(futures) == 1
    assert isinstance(futures[0], Future)
    assert world.counter.acquire(visit, rina) == []  # under way already
