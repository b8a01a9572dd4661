"""The engine: what is pushed and when it counts, what is taken in, and what central's words do to a kiosk."""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from importlib import metadata

import pytest

from kiosk import freezing, sync_state
from kiosk.asking import note_asked
from kiosk.clock import unix_ms
from kiosk.errors import CentralFault, EnvironmentFault
from kiosk.journal import Draft
from kiosk.journal_walk import list_records, verify_journal
from kiosk.rights import held_epochs
from kiosk.stock_slice import StockSlice
from kiosk.stock_slice import make as make_slice
from sync.engine import SyncEngine
from sync.pushing import BATCH_RECORDS
from sync.wire import VoidRequest
from tests.kiosk.counter_world import START, World
from tests.sync.kiosk_end_world import FakeCentral, make_engine
from tests.sync.test_feed_apply import holder

RICE = "h1/beras/2026-11"


@pytest.fixture
def world(world: World) -> World:
    """An enrolled kiosk whose cache is what the feed below says."""
    world.caches.wipe()
    return world


@pytest.fixture
def central(world: World) -> FakeCentral:
    """A central that knows one holder."""
    made = FakeCentral(world)
    made.feed.put("city", "agency", 1, "Dinas Sosial", "Dinsos")
    made.feed.put("p1", "holder", *holder(1, 1))
    return made


@pytest.fixture
def engine(world: World, central: FakeCentral) -> Iterator[SyncEngine]:
    """Its engine."""
    made = make_engine(world, central)
    yield made
    made.close()


def note(world: World, count: int = 1, text: str = "") -> None:
    """Appends notes."""
    for _ in range(count):
        world.counter._journal.append(lambda _: Draft(type="note", private=text))


def frozen(world: World) -> str:
    """Why the kiosk is frozen."""
    return world.ledger.meta("frozen")


def test_a_round_pushes_takes_in_and_loads(world: World, central: FakeCentral, engine: SyncEngine) -> None:
    note(world, 3, "rahasia")
    central.give(world.grant())
    report = engine.sync_now()
    assert (report.pushed, report.waiting, report.grants, report.rows, report.released) == (3, 0, 1, 2, 0)
    assert central.private == {(1, seq): "rahasia" for seq in (1, 2, 3)}
    assert world.ledger.right(RICE) is not None
    state = sync_state.load(world.path)
    assert (state.online, state.fault, state.current_ms > 0) == (True, "", True)
    again = engine.sync_now()
    assert (again.pushed, again.grants, again.rows) == (0, 0, 0)


def test_a_long_journal_goes_in_batches_oldest_first(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    note(world, BATCH_RECORDS * 3 + 5)  # the second batch is twice the first
    assert engine.push_all() == BATCH_RECORDS * 3 + 5
    assert central.calls == ["push"] * 3
    assert world.ledger.waiting() == 0


def test_what_was_acknowledged_before_a_break_stays_so(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    note(world, BATCH_RECORDS + 1)

    def break_the_second(call: str) -> None:
        if len(central.calls) == 2:
            raise CentralFault("central_unreachable", "gone")

    central.before_answer = break_the_second
    with pytest.raises(CentralFault):
        engine.push_all()
    assert world.ledger.waiting() == 1
    assert engine.push_all() == 1


def test_a_reply_lost_after_the_commit_changes_nothing(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    note(world, 2)
    central.journals[1] = [row[0] for row in world.ledger.rows("SELECT hash FROM journal ORDER BY seq")]
    assert engine.push_all() == 2
    assert len(central.journals[1]) == 2


def test_a_central_restored_from_a_backup_gets_everything_again(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    note(world, 6)
    engine.sync_now()
    del central.journals[1][2:]
    central.incarnation = 2
    engine.poll(0.0)
    assert world.ledger.waiting() == 4
    engine.push_all()
    assert (len(central.journals[1]), world.ledger.waiting(), frozen(world)) == (6, 0, "")


def test_a_gap_is_filled_from_where_central_says(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    note(world, 6)
    engine.push_all()
    del central.journals[1][1:]
    note(world)
    assert engine.push_all() == 6
    assert len(central.journals[1]) == 7


def test_a_central_that_asks_for_the_same_again_and_again_is_given_up(
    world: World, central: FakeCentral, engine: SyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(world, 2)
    answer = central._journal_answer("gap", [], gap_from=1)
    monkeypatch.setattr(engine._pusher, "_push", lambda request: answer)
    with pytest.raises(CentralFault) as fault:
        engine.push_all()
    assert fault.value.code == "journal_gap"
    stays = central._journal_answer("ok", [])
    monkeypatch.setattr(engine._pusher, "_push", lambda request: stays)
    with pytest.raises(CentralFault) as fault:
        engine.push_all()
    assert fault.value.code == "journal_not_taken"
    assert world.ledger.waiting() == 2


def test_a_forked_kiosk_stops_and_sends_all_it_has(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    note(world, BATCH_RECORDS + 10)
    central.journals[1] = [b"x" * 32] * 5  # a copy of this kiosk was faster
    with pytest.raises(CentralFault) as fault:
        engine.push_all()
    assert (fault.value.code, frozen(world)) == ("journal_fork", freezing.FORKED)
    assert len(central.journals[1]) == BATCH_RECORDS + 10
    assert world.ledger.waiting() == 0
    assert engine.push_all() == 0


def test_another_head_than_ours_acknowledges_nothing(
    world: World, central: FakeCentral, engine: SyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(world, 2)
    answer = central._journal_answer("ok", [b"a" * 32, b"b" * 32])
    monkeypatch.setattr(engine._pusher, "_push", lambda request: answer)
    with pytest.raises(CentralFault) as fault:
        engine.push_all()
    assert (fault.value.code, frozen(world), world.ledger.waiting()) == ("journal_fork", freezing.FORKED, 2)


def test_a_disk_that_came_back_from_an_old_image_is_frozen_at_the_first_poll(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    note(world, 2)
    engine.push_all()
    central.journals[1] += [b"n" * 32] * 3  # recorded after the image was made
    with pytest.raises(CentralFault) as fault:
        engine.sync_now()
    assert (fault.value.code, frozen(world)) == ("ledger_rolled_back", freezing.ROLLED_BACK)


def test_a_missing_record_is_named_and_nothing_is_sent_in_its_place(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    note(world, 3)
    world.ledger.db.conn.execute("DELETE FROM journal WHERE seq = 1")
    with pytest.raises(EnvironmentFault) as fault:
        engine.push_all()
    assert (fault.value.code, central.calls) == ("journal_damaged", [])


def test_two_uploaders_take_turns(world: World, central: FakeCentral) -> None:
    note(world, BATCH_RECORDS * 3)
    inside, most = 0, 0
    lock = threading.Lock()

    def enter(call: str) -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        threading.Event().wait(0.02)
        with lock:
            inside -= 1

    central.before_answer = enter
    pushed: list[int] = []

    def work() -> None:
        own = make_engine(world, central)
        pushed.append(own.push_all())
        own.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(pushed), most) == (BATCH_RECORDS * 3, 1)
    assert len(central.calls) in (2, 3)  # one of them may have had two turns, the second a longer one
    assert world.ledger.waiting() == 0


# -- grants and recalls --


def test_one_grant_that_cannot_be_believed_holds_up_no_other(
    world: World, central: FakeCentral, engine: SyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    central.grants = [b"garbage", b"\x84"]
    central.give(world.grant())
    with caplog.at_level(logging.WARNING):
        engine.poll(0.0)
    assert world.ledger.right(RICE) is not None
    assert (world.ledger.meta("grant_rev"), len(caplog.records)) == ("3", 2)


@pytest.mark.expects_log("not taken in: released")
def test_a_grant_that_crosses_its_release_is_no_fault_and_a_replayed_one_is(
    world: World, central: FakeCentral, engine: SyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    central.give(world.grant())
    engine.sync_now()
    central.recalls = [RICE]
    engine.answer_recalls(engine.poll(0.0))
    central.recalls = []
    with caplog.at_level(logging.INFO, logger="sync.engine"):
        for _ in range(2):  # central still grants what it does not know to be given back
            engine.ledger.set_meta(grant_rev="0")
            engine.poll(0.0)
        assert [one.levelname for one in caplog.records] == ["INFO", "INFO"]
        engine.push_all()
        caplog.clear()
        for _ in range(2):
            engine.ledger.set_meta(grant_rev="0")
            engine.poll(0.0)
        assert [one.levelname for one in caplog.records] == ["WARNING", "WARNING"]
    engine.poll(0.0)
    assert [poll.health.get("refused") for poll in central.polls][-5:] == [
        None, None, None, ["grant_released"], None,
    ]  # fmt: skip
    assert not engine.ledger.right(RICE).held  # type: ignore[union-attr]


def test_a_recall_is_answered_by_a_release_once(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    central.give(world.grant())
    engine.sync_now()
    central.recalls = [RICE, "h9/beras/2026-11"]
    report = engine.sync_now()
    assert (report.released, report.pushed, report.waiting) == (1, 1, 0)
    assert engine.sync_now().released == 0


def test_rights_of_holders_who_are_gone_go_back(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    central.give(world.grant(), world.grant("h2/beras/2026-11"), world.grant("f7/gula/2026-11"))
    central.feed.put("p1", "holder", *holder(2, 1))
    assert engine.sync_now().released == 0
    central.feed.drop("p1", "holder", 2)
    assert engine.sync_now().released == 1
    known = world.ledger.right("h2/beras/2026-11")
    assert known is not None
    assert not known.held


def test_a_right_that_a_crashed_visit_fetched_goes_back_after_a_while(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    world.take_in(world.grant(), acquired=True)
    assert engine.sync_now().released == 0
    world.clock.at = world.clock.at.replace(hour=3)
    assert engine.sync_now().released == 1


def test_a_right_whose_answer_was_lost_goes_back_unused_and_one_placed_here_stays(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    engine.sync_now()
    note_asked(world.ledger, [RICE], unix_ms(world.clock.now()))  # the tap's own answer never came
    central.give(world.grant(), world.grant("h1/gula/2026-11"))
    assert engine.sync_now().released == 0
    world.clock.at = world.clock.at.replace(hour=3)
    assert engine.sync_now().released == 1
    known = world.ledger.rights([RICE, "h1/gula/2026-11"])
    assert [known[right].held for right in sorted(known)] == [False, True]
    central.give(world.grant(n=2))  # placed here now
    world.clock.at = world.clock.at.replace(hour=4)
    assert engine.sync_now().released == 0


def test_a_right_of_an_unknown_holder_goes_back_although_no_data_changes(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    engine.sync_now()
    central.give(world.grant("h5/beras/2026-11"), world.grant())
    report = engine.sync_now()
    assert (report.rows, report.released, report.waiting) == (0, 1, 0)
    held = [right for right, _ in held_epochs(world.ledger, 1)]
    assert held == [RICE]


def test_orphans_that_a_stop_left_behind_go_back_at_the_next_start(
    world: World, central: FakeCentral, engine: SyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    central.give(world.grant("h2/beras/2026-11"))
    central.feed.put("p1", "holder", *holder(2, 1))
    engine.sync_now()
    central.feed.drop("p1", "holder", 2)
    engine.poll(0.0)
    engine.fetch_changes()  # and here the process was killed
    again = make_engine(world, central)
    assert again.sync_now().released == 1
    again.close()


def test_more_orphans_than_go_back_in_one_round_go_in_the_next(
    world: World, central: FakeCentral, engine: SyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.orphans.MOST_ORPHANS", 2)
    central.give(*(world.grant(f"h{number}/beras/2026-11") for number in range(2, 7)))
    assert [engine.sync_now().released for _ in range(4)] == [2, 2, 1, 0]


def test_a_right_that_a_visit_just_fetched_is_no_orphan_yet(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    engine.sync_now()
    world.take_in(world.grant("h5/beras/2026-11"), acquired=True)
    central.feed.put("p1", "holder", *holder(2, 1))
    assert engine.sync_now().released == 0
    world.clock.at = world.clock.at.replace(hour=3)
    assert engine.sync_now().released == 1


def test_stock_and_voids_that_central_asks_for_are_recorded_once_and_sent(
    world: World, central: FakeCentral, engine: SyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.sync_now()
    world.fill()
    world.take_in(world.grant())
    ref = world.confirm(world.sign_in()).ref
    slice_ = StockSlice("IRM1.1/beras/1", "beras", "IRM1", 1, 25_000, 1_790_000_000)
    central.slices = [make_slice(slice_, world.city.central, b"c-now")]
    central.voids = [VoidRequest(ref=ref, reason="salah hitung " * 200, by="siska")]
    with caplog.at_level(logging.WARNING):
        assert (engine.sync_now().released, world.ledger.waiting()) == (2, 0)
        assert engine.sync_now().released == 0
        assert caplog.records == []
        central.voids += [VoidRequest(ref="IRM1-0999", reason="", by="siska")]
        engine.sync_now()
    told = [record.getMessage() for record in caplog.records]
    assert told == ["central asks to void 'IRM1-0999': unknown_ref"]
    records = list_records(world.ledger)
    stock, void = (next(one for one in records if one["type"] == kind) for kind in ("stock", "void"))
    assert stock["detail"] == {"what": "received", "slice": slice_.id, "quantity": 25_000}
    assert (void["ref"], void["officer"], void["detail"]["requested_by"]) == (ref, "", "siska")
    assert void["detail"]["goods"] == "returned"
    assert world.ledger.right(RICE).quantity_left == 10_000  # type: ignore[union-attr]


def test_what_central_was_heard_at_and_what_the_data_counts_is_kept(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    note(world, 3)
    engine.sync_now()
    now_ms = unix_ms(world.clock.now())
    assert world.ledger.meta("central_heard_ms") == str(now_ms)
    assert engine.caches.current().meta("covers") == '{"1": 3}'
    note(world)
    engine.push_all()  # acknowledged, and nobody has asked what it changed
    assert engine.caches.current().meta("covers") == '{"1": 3}'


def test_a_kiosk_that_only_ever_synced_knows_a_clock_that_fell_back(world: World, engine: SyncEngine) -> None:
    assert world.ledger.head_seq(1) == 0
    engine.sync_now()
    world.clock.at, world.clock.boot, world.clock.mono = START - timedelta(days=365), "boot-2", 1_000
    assert "date_in_doubt" in world.counter.status().warnings
    world.clock.at = START
    assert "date_in_doubt" not in world.counter.status().warnings


# -- what central's refusals do --


def test_a_revoked_kiosk_stops_sends_what_it_has_and_wipes_its_cache(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    engine.sync_now()
    note(world)
    central.fault = CentralFault("kiosk_revoked", "revoked", status=403, signed=True)
    central.spared = ("push",)
    with pytest.raises(CentralFault):
        engine.sync_now()
    assert (frozen(world), world.caches.current_number()) == (freezing.REVOKED, None)
    assert not list(world.path.glob("cache.*.db*"))
    assert len(central.journals[1]) == 1
    note(world)
    engine.push_all()  # pushing stays allowed
    assert world.ledger.waiting() == 0
    assert verify_journal(world.ledger)["intact"]


def test_a_revoked_kiosk_wipes_its_cache_also_when_it_cannot_push(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    engine.sync_now()
    note(world)
    central.fault = CentralFault("kiosk_revoked", "revoked", signed=True)
    with pytest.raises(CentralFault):
        engine.sync_now()
    assert (frozen(world), world.caches.current_number(), world.ledger.waiting()) == (
        freezing.REVOKED,
        None,
        1,
    )


@pytest.mark.parametrize("detail", [{}, {"signed": False}, {"signed": 1}, {"signed": "true"}])
def test_a_refusal_that_nobody_signed_has_no_consequences(
    world: World, central: FakeCentral, engine: SyncEngine, detail: dict[str, object]
) -> None:
    engine.sync_now()
    for code in ("kiosk_revoked", "stale_gen", "kiosk_frozen", "device_revoked"):
        central.fault = CentralFault(code, "no", **detail)
        with pytest.raises(CentralFault):
            engine.sync_now()
    assert (frozen(world), world.caches.current_number()) == ("", 1)
    state = sync_state.load(world.path)
    assert (state.online, state.fault) == (False, "device_revoked")


def test_a_kiosk_that_central_froze_goes_on_when_central_lets_it(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    central.fault = CentralFault("kiosk_frozen", "fork", signed=True)
    with pytest.raises(CentralFault):
        engine.sync_now()
    assert frozen(world) == freezing.FROZEN_BY_CENTRAL
    central.fault = None
    engine.sync_now()
    assert frozen(world) == ""


def test_an_older_generation_stays_frozen(world: World, central: FakeCentral, engine: SyncEngine) -> None:
    central.fault = CentralFault("stale_gen", "enrolled again", signed=True)
    with pytest.raises(CentralFault):
        engine.sync_now()
    central.fault, central.status = None, "stale_gen"
    note(world)
    engine.sync_now()
    assert (frozen(world), world.ledger.waiting()) == (freezing.STALE_GENERATION, 0)


# -- cache and keys --


def test_a_damaged_cache_is_loaded_anew_by_the_next_round(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    engine.sync_now()
    engine.caches.close()
    engine.caches.path_of(1).write_bytes(b"garbage" * 2000)
    assert engine.sync_now().rows == 2
    assert engine.caches.current_number() == 2
    assert central.polls[-1].cursor == ""


@pytest.mark.expects_log("keyset")
@pytest.mark.parametrize("doc", ["!", base64.b64encode(b"no keyset").decode()])
def test_a_key_set_that_no_root_signed_is_told_once_and_holds_up_nothing(
    world: World, central: FakeCentral, engine: SyncEngine, doc: str
) -> None:
    central.feed.put("city", "keyset", 1, doc)
    for _ in range(3):
        engine.sync_now()
        engine.fetch_changes()
    assert engine.caches.current().count("holder") == 1
    assert [poll.health.get("refused") for poll in central.polls] == [None, ["keyset_refused"], None]
    assert world.home.keyset().issued == world.city.keyset.issued


def test_data_is_not_called_current_while_changes_wait(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    sync_state.save(world.path, sync_state.SyncState())
    engine.poll(0.0)  # no cache yet
    assert sync_state.load(world.path).current_ms == 0
    engine.fetch_changes()
    engine.poll(0.0)
    assert sync_state.load(world.path).current_ms > 0


def test_a_poll_names_the_release_that_runs(central: FakeCentral, engine: SyncEngine) -> None:
    engine.poll(0.0)
    assert central.polls[-1].versions == {"kmc": metadata.version("kmc-kiosk")}


def test_online_is_what_most_of_the_last_results_say(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    """A single failure among good exchanges changes nothing; the first good one after an outage is enough."""
    seen = []
    for good in (True, True, False, True, False, False, False, True, False):
        central.fault = None if good else CentralFault("central_unreachable", "away")
        try:
            engine.poll(0.0)
        except CentralFault as fault:
            engine.heed(fault)
        state = sync_state.load(world.path)
        assert state.online is sync_state.is_online(state, world.clock)
        assert bool(state.fault) is not good
        seen.append(state.online)
    assert seen == [True, True, True, True, False, False, False, True, False]


def test_two_threads_leave_word_at_once(world: World) -> None:
    faults: list[Exception] = []

    def leave() -> None:
        try:
            for number in range(200):
                sync_state.save(world.path, sync_state.SyncState(checked_mono_ms=number))
        except EnvironmentFault as fault:
            faults.append(fault)

    threads = [threading.Thread(target=leave) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (faults, sync_state.load(world.path).checked_mono_ms) == ([], 199)
    assert not list(world.path.glob(".sync.json.*"))


def test_a_salvaged_kiosk_sends_what_it_has_and_takes_nothing_in(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    """Central has more of this generation, grants to it and asks rights back: none of that is recorded."""
    note(world, 3)
    engine.push_all()
    central.journals[1] += [b"n" * 32] * 2  # what was cut off
    with world.ledger.writing() as connection:
        freezing.freeze(connection, freezing.SALVAGED)
    world.ledger.set_meta(salvaged_1="3")
    central.give(world.grant())
    central.recalls = [RICE]
    report = engine.sync_now()
    assert (report.released, report.waiting, frozen(world)) == (0, 0, freezing.SALVAGED)
    assert world.ledger.right(RICE) is None
    assert engine.poll(0.0).grants == []
    assert world.ledger.head_seq(1) == 3
