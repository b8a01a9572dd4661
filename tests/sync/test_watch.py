"""The sync process: wakes, rests, stops, and is never a shell in which nothing runs."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kiosk import freezing, sync_state
from kiosk.errors import CentralFault, EnvironmentFault
from kiosk.journal import Draft
from sync import watch as watch_module
from sync.watch import MAX_BACK_OFF_S, Watch, back_off_s
from tests.kiosk.counter_world import World
from tests.sync.kiosk_end_world import FakeCentral, make_engine
from tests.sync.test_feed_apply import holder

PATIENCE_S = 20.0


class Lines(io.StringIO):
    """What the process says; tests wait for a line."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[dict[str, Any]] = []
        self._more = threading.Condition()

    def write(self, text: str) -> int:
        with self._more:
            self.said.append(json.loads(text))
            self._more.notify_all()
        return len(text)

    def wait_for(self, event: str, **fields: Any) -> dict[str, Any]:
        """The first line of that event with those fields, once it is there."""

        def found() -> dict[str, Any] | None:
            wanted = {"event": event} | fields
            return next((line for line in self.said if wanted.items() <= line.items()), None)

        with self._more:
            assert self._more.wait_for(lambda: found() is not None, PATIENCE_S), (event, fields, self.said)
        line = found()
        assert line is not None
        return line


class Running:
    """A watch in threads of this process, with a pipe for its commands."""

    def __init__(
        self, world: World, central: FakeCentral, open_engine: Callable[[], Any] | None = None
    ) -> None:
        read_end, write_end = os.pipe()
        self.commands = os.fdopen(write_end, "w")
        self._input = os.fdopen(read_end, "r")
        self.out = Lines()
        self.code: int | None = None
        self.watch = Watch(
            open_engine or (lambda: make_engine(world, central)),
            self.out,
            self._input,
            poll_wait_s=0.05,
            jitter=lambda: 0.0,
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.code = self.watch.run()

    def tell(self, line: str) -> None:
        """One line of commands."""
        self.commands.write(line + "\n")
        self.commands.flush()

    def ended(self) -> int:
        """The exit code, once it has ended."""
        self._thread.join(PATIENCE_S)
        assert self.code is not None, self.out.said
        return self.code

    def close(self) -> None:
        """Ends it by the end of its commands and waits for all its threads."""
        self.commands.close()
        self.ended()
        for thread in threading.enumerate():
            if thread.name in ("push", "poll", "health", "commands"):
                thread.join(PATIENCE_S)
        self._input.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundredths of a second for seconds."""
    monkeypatch.setattr(watch_module, "FIRST_BACK_OFF_S", 0.01)
    monkeypatch.setattr(watch_module, "MAX_BACK_OFF_S", 0.1)
    monkeypatch.setattr(watch_module, "HEALTH_EVERY_S", 0.05)


@pytest.fixture
def world(world: World) -> World:
    """An enrolled kiosk without a cache."""
    world.caches.wipe()
    return world


@pytest.fixture
def central(world: World) -> FakeCentral:
    """A central that answers polls after a hundredth of a second."""
    made = FakeCentral(world)
    made.feed.put("city", "agency", 1, "Dinas Sosial", "Dinsos")
    made.feed.put("p1", "holder", *holder(1, 1))
    ticking = threading.Event()
    made.before_answer = lambda call: None if call != "poll" else (ticking.wait(0.01), None)[1]
    return made


@contextmanager
def running(world: World, central: FakeCentral) -> Iterator[Running]:
    """A watch until the block ends."""
    made = Running(world, central)
    try:
        yield made
    finally:
        made.close()


def note(world: World) -> None:
    """Records something."""
    world.counter._journal.append(lambda _: Draft(type="note"))


def test_the_first_poll_loads_and_a_wake_pushes_at_once(world: World, central: FakeCentral) -> None:
    with running(world, central) as made:
        made.out.wait_for("ready", kind="sync")
        assert made.out.wait_for("changed")["rows"] == 2
        made.out.wait_for("health")
        assert watch_module.PUSH_EVERY_S > PATIENCE_S - 1
        note(world)
        made.tell('{"command": "wake"}')
        assert made.out.wait_for("pushed", records=1)["waiting"] == 0
    assert made.code == 0
    assert central.closed == 2


def test_changes_and_recalls_are_answered_as_they_come(world: World, central: FakeCentral) -> None:
    central.give(world.grant())
    with running(world, central) as made:
        made.out.wait_for("changed", rows=2)
        central.feed.put("p1", "holder", *holder(1, 1, "NAMA BARU"))
        made.out.wait_for("changed", rows=1)
        central.recalls = ["h1/beras/2026-11"]
        made.out.wait_for("pushed", records=1)
    known = world.ledger.right("h1/beras/2026-11")
    assert known is not None
    assert not known.held


@pytest.mark.parametrize("ending", ['{"command": "stop"}', None])
def test_it_stops_when_told_and_when_nobody_is_there_any_more(
    world: World, central: FakeCentral, ending: str | None
) -> None:
    made = Running(world, central)
    made.out.wait_for("changed")
    if ending:
        made.tell(ending)
        assert made.ended() == 0
    made.close()
    assert made.code == 0


def test_a_line_that_is_no_command_is_passed_over(
    world: World, central: FakeCentral, caplog: pytest.LogCaptureFixture
) -> None:
    with running(world, central) as made:
        made.out.wait_for("changed")
        for line in ("garbage", "[]", "5", '{"command": 5}', '{"command": "dance"}', '{"secret": "SITI"}'):
            made.tell(line)
        note(world)
        made.tell('{"command": "wake"}')
        made.out.wait_for("pushed")
    assert "SITI" not in caplog.text


def test_it_survives_central_away_and_back(world: World, central: FakeCentral) -> None:
    with running(world, central) as made:
        made.out.wait_for("changed")
        central.fault = CentralFault("central_unreachable", "away")
        made.out.wait_for("offline", part="poll", code="central_unreachable")
        note(world)
        made.tell('{"command": "wake"}')
        made.out.wait_for("offline", part="push")
        assert not sync_state.load(world.path).online
        central.fault = None
        made.out.wait_for("online", part="poll")
        made.out.wait_for("pushed", records=1)
    assert (sync_state.load(world.path).online, world.ledger.waiting()) == (True, 0)


def test_a_poll_that_waits_holds_back_no_pickup(world: World, central: FakeCentral) -> None:
    waiting, go = threading.Event(), threading.Event()
    with running(world, central) as made:
        made.out.wait_for("changed")

        def hang(call: str) -> None:
            if call == "poll":
                waiting.set()
                go.wait(PATIENCE_S)

        central.before_answer = hang
        assert waiting.wait(PATIENCE_S)
        note(world)
        made.tell('{"command": "wake"}')
        made.out.wait_for("pushed", records=1)
        go.set()


def test_one_part_that_reaches_central_ends_the_others_rest(
    world: World, central: FakeCentral, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "FIRST_BACK_OFF_S", 10 * PATIENCE_S)
    monkeypatch.setattr(watch_module, "MAX_BACK_OFF_S", 10 * PATIENCE_S)
    note(world)
    failed = threading.Event()
    hold = threading.Event()

    def fail_once(call: str) -> None:
        if call == "push" and not failed.is_set():
            failed.set()
            raise CentralFault("central_unreachable", "away")
        if call == "poll" and not failed.is_set():
            hold.wait(0.01)

    central.before_answer = fail_once
    with running(world, central) as made:
        made.tell('{"command": "wake"}')
        made.out.wait_for("offline", part="push")
        made.out.wait_for("pushed", records=1)


def test_a_time_that_central_names_is_waited_for_whoever_else_is_let_in(
    world: World, central: FakeCentral
) -> None:
    """Neither a poll that central answers nor new records bring the push forward; an order to stop does."""
    later = CentralFault("central_busy", "too many at once", retry_after_s=10 * PATIENCE_S)
    polls = threading.Semaphore(0)

    def turn_pushes_away(call: str) -> None:
        if call == "push":
            raise later
        if call == "poll":
            polls.release()

    central.before_answer = turn_pushes_away
    note(world)
    with running(world, central) as made:
        made.tell('{"command": "wake"}')
        made.out.wait_for("offline", part="push", code="central_busy")
        for _ in range(3):
            note(world)
            made.tell('{"command": "wake"}')
            for _ in range(5):
                assert polls.acquire(timeout=PATIENCE_S)
    assert central.calls.count("push") == 1
    assert made.code == 0


def test_a_revoked_kiosk_is_stopped_and_wiped_while_it_goes_on_pushing(
    world: World, central: FakeCentral
) -> None:
    with running(world, central) as made:
        made.out.wait_for("changed")
        central.spared = ("push",)
        central.fault = CentralFault("kiosk_revoked", "revoked", signed=True)
        made.out.wait_for("offline", part="poll", code="kiosk_revoked")
        note(world)
        made.tell('{"command": "wake"}')
        made.out.wait_for("pushed", records=1)
    assert (world.ledger.meta("frozen"), world.caches.current_number()) == (freezing.REVOKED, None)


def test_a_fault_of_the_environment_ends_it_with_its_code(world: World, central: FakeCentral) -> None:
    def no_ledger() -> Any:
        raise EnvironmentFault("ledger_missing", "gone")

    made = Running(world, central, no_ledger)
    assert made.ended() == 1
    assert made.out.wait_for("fault")["code"] == "ledger_missing"
    made.close()


def test_a_locked_database_is_waited_for(
    world: World, central: FakeCentral, caplog: pytest.LogCaptureFixture
) -> None:
    locked = threading.Event()

    def lock_once(call: str) -> None:
        if call == "changes" and not locked.is_set():
            locked.set()
            raise EnvironmentFault("database_locked", "busy")

    central.before_answer = lock_once
    with running(world, central) as made:
        made.out.wait_for("changed")
    assert (made.code, locked.is_set()) == (0, True)


@pytest.mark.expects_log(r"poll ended by ZeroDivisionError")
def test_a_mistake_of_ours_ends_it_without_repeating_what_it_held(
    world: World, central: FakeCentral, caplog: pytest.LogCaptureFixture
) -> None:
    held = "SITI RAHAYU"

    def break_down(call: str) -> None:
        if call == "poll":
            raise ZeroDivisionError(held)

    central.before_answer = break_down
    made = Running(world, central)
    assert made.ended() == 1
    made.close()
    assert "break_down" in caplog.text
    assert "SITI RAHAYU" not in caplog.text


def test_the_rest_grows_to_a_minute_with_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert [back_off_s(n, 0, 1.0) for n in (1, 2, 3, 4)] == [1, 2, 4, 8]
    assert [back_off_s(n, 0, 0.0) for n in (1, 2, 3, 4)] == [0.5, 1, 2, 4]
    assert back_off_s(1000, 0, 1.0) == MAX_BACK_OFF_S
    assert [back_off_s(1, 120, share) for share in (0.0, 1.0)] == [120, 180]
