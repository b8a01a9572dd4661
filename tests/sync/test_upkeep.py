"""Upkeep by the sync process: the counter at its start, pruning and erasing while it is idle."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from kiosk.journal import Draft
from kiosk.journal_walk import verify_journal
from kiosk.ledger import JOURNAL, Ledger
from kiosk.upkeep import Upkeep, UpkeepLimits
from sync.engine import SyncEngine
from tests.kiosk.counter_world import World
from tests.sync.kiosk_end_world import FakeCentral
from tests.sync.test_feed_apply import holder
from tests.sync.test_watch import PATIENCE_S, Running


@dataclass
class Board:
    """A board's counter."""

    at: int = 0

    def value(self) -> int:
        return self.at

    def advance(self, to: int) -> None:
        self.at = max(self.at, to)


@pytest.fixture
def world(world: World) -> World:
    """A kiosk with twenty notes that are long out of date, and private text."""
    world.caches.wipe()
    for _ in range(20):
        world.counter._journal.append(lambda _: Draft(type="note", private="rahasia"))
    world.clock.go_on(timedelta(days=100))
    return world


@pytest.fixture
def central(world: World) -> FakeCentral:
    made = FakeCentral(world)
    made.feed.put("city", "agency", 1, "Dinas Sosial", "Dinsos")
    made.feed.put("p1", "holder", *holder(1, 1))
    return made


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def open_engine(world: World, central: FakeCentral, board: Board) -> Callable[[], SyncEngine]:
    """Opens an engine that keeps its ledger small."""

    def open_one() -> SyncEngine:
        home = world.home
        ledger = home.ledger()
        return SyncEngine(
            home.path,
            ledger,
            home.caches(),
            home.identity(),
            central,  # type: ignore[arg-type]
            home.keyset,
            world.clock,
            take_keyset=home.take_keyset,
            upkeep=Upkeep(ledger, home.identity(), world.clock, UpkeepLimits(90, 30), board),
        )

    return open_one


def left(ledger: Ledger) -> int:
    return int(ledger.row(f"SELECT count(*) FROM {JOURNAL}")[0])


def test_one_round_ends_with_upkeep(world: World, open_engine: Callable[[], SyncEngine]) -> None:
    engine = open_engine()
    engine.sync_now()
    engine.close()
    assert left(world.ledger) == 1
    assert world.ledger.rows("SELECT text FROM journal_private") == [(None,)]
    assert verify_journal(world.ledger)["intact"]


def test_what_central_has_not_got_stays(world: World, central: FakeCentral) -> None:
    """Nothing is old enough to go before it is safe."""
    upkeep = Upkeep(world.ledger, world.home.identity(), world.clock, UpkeepLimits(90, 30))
    assert upkeep.run().nothing
    assert left(world.ledger) == 20


def test_an_idle_watch_prunes_and_its_start_raises_the_counter(
    world: World, central: FakeCentral, board: Board, open_engine: Callable[[], SyncEngine]
) -> None:
    running = Running(world, central, open_engine)
    try:
        running.out.wait_for("ready")
        deadline = time.monotonic() + PATIENCE_S
        while left(world.ledger) > 1:
            assert time.monotonic() < deadline, running.out.said
            # Whoever rests looks again after ten minutes.
            world.clock.mono += 60_000
            time.sleep(0.01)
    finally:
        running.close()
    assert running.code == 0
    assert board.at >= 1
    assert int(world.ledger.meta("rollback_counter")) == board.at
    assert verify_journal(world.ledger)["intact"]
