"""Each invariant can fail: a world is spoilt behind the product's back, and the one of that name says so."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.sim import healing, invariants
from tests.sim.oracle import Broken, HandOut
from tests.sim.saying import NOVEMBER, gets, syncs
from tests.sim.template import Templates
from tests.sim.world import World

pytestmark = pytest.mark.expects_log()


def _central(world: World, sql: str) -> None:
    with closing(sqlite3.connect(world.host.file)) as db, db:
        assert db.execute(sql).rowcount > 0, f"nothing is changed by {sql}"


def _ledger(world: World, sql: str) -> None:
    with world.machines["aaa1"].ledger.writing() as connection:
        assert connection.execute(sql).rowcount > 0, f"nothing is changed by {sql}"


def _twice(world: World) -> None:
    """I1: goods leave a second time."""
    first = world.oracle.standing()[0]
    again = HandOut(b"other", "AAA1-0009", "aaa1", ("AAA1", 1), first.right, first.program_id, 10, 0.0)
    world.oracle.hand_out(again)


def _without_the_right(world: World) -> None:
    """I1: goods of a strict program leave under no grant."""
    made = HandOut(b"x", "AAA1-0009", "aaa1", ("AAA1", 1), "h1/beras/2026-12", "beras", 1, 0.0)
    made.without_right = True
    world.oracle.hand_out(made)


def _acknowledged_and_gone(world: World) -> None:
    """I2: central loses what it acknowledged."""
    _central(world, "DELETE FROM journal WHERE type = 'dispense'")
    world.machines["aaa1"].seen_acknowledged = {}
    invariants.acknowledged_is_present(world.host.file, world.machines["aaa1"])


def _never_arrived(world: World) -> None:
    """I3: a hand-out is not among central's records."""
    _central(world, "DELETE FROM journal WHERE type = 'dispense'")
    invariants.everything_arrived(world, world.books())


def _voided_at_central_only(world: World) -> None:
    """I3: the goods are out, and central believes that they came back."""
    books = world.books()
    void = next(iter(books.entries.values()))
    key = next(iter(world.oracle.hand_outs))
    books.entries[b"void"] = type(void)(
        ("AAA1", 1, 99), b"void", key, "void", NOVEMBER, books.entries[key].name, 0, 0, False
    )
    invariants.everything_arrived(world, books)


def _counted_twice(world: World) -> None:
    """I4: one record has two effects."""
    _central(world, f"UPDATE rights SET spent = spent + 10 WHERE \"right\" = '{NOVEMBER}'")
    invariants.books_are_right(world.books(), world.oracle)


def _fork_goes_on(world: World) -> None:
    """I5: two copies were seen, and their kiosk still counts as active."""
    _forked(world)
    _central(world, "UPDATE kiosk SET state = 'active' WHERE id = 'AAA1'")
    invariants.books_are_right(world.books(), world.oracle)


def _fork_unseen(world: World) -> None:
    """I5: two sides are kept, and nobody says that it is a fork."""
    _forked(world)
    _central(world, "UPDATE kiosk_gen SET state = 'active' WHERE kiosk = 'AAA1'")
    invariants.books_are_right(world.books(), world.oracle)


def _overspend_untold(world: World) -> None:
    """I6: more than is due left the counters, and no case says so."""
    _forked(world)
    _central(world, "DELETE FROM conflict WHERE code = 'overspend'")
    invariants.overspends_are_reported(world.books(), world.oracle)


def _overspend_told_twice(world: World) -> None:
    """I6: one overspend is two cases."""
    _forked(world)
    _central(
        world,
        'INSERT INTO conflict SELECT id || "x", code, "right", refs, detail, kiosk, opened_at FROM conflict'
        " WHERE code = 'overspend'",
    )
    invariants.overspends_are_reported(world.books(), world.oracle)


def _cache_differs(world: World) -> None:
    """I7: a row of a cache is not central's."""
    machine = world.machines["bbb1"]
    cache = machine.engine.caches.current()
    with cache.writing() as connection:
        assert connection.execute("UPDATE holder SET name = 'X'").rowcount
    invariants.caches_agree(world)


def _old_ledger_goes_on(world: World) -> None:
    """I8: central has records that this ledger has not, and it would hand out."""
    machine = world.machines["aaa1"]
    known = world.books().of("AAA1", 1) | {b"another": 1}
    invariants.is_fenced(machine, known)


def _holding_unknown(world: World) -> None:
    """I9: central waits for a right at a kiosk that has not got it."""
    _ledger(world, "UPDATE rights SET held = 0 WHERE right = 'h1/beras/2026-12'")
    invariants.holdings_agree(world, world.books())


def _cannot_sync(world: World) -> None:
    """I9: an honest kiosk gets no answer for ever."""
    world.network.cut.add("aaa1")
    healing.until_quiet(world)


def _not_served(world: World) -> None:
    """I9: what is due is given to nobody."""
    _ledger(world, "UPDATE rights SET quantity_left = 0")
    world.oracle.bring_back(world.oracle.standing()[0].hash)
    _central(world, "UPDATE rights SET spent = 0")
    world.network.cut.update(world.machines)
    healing.served_again(world, world.books())


def _forked(world: World) -> None:
    world.network.cut.add("aaa1")
    copy = world.clone(world.machines["aaa1"])
    world.time.to_month_start()
    gets(world, "aaa1")
    gets(world, copy.name)
    world.network.cut.clear()
    world.sync(world.machines["aaa1"])
    world.sync(copy)


SPOILT: Final[tuple[tuple[str, Callable[[World], None]], ...]] = (
    ("I1", _twice),
    ("I1", _without_the_right),
    ("I2", _acknowledged_and_gone),
    ("I3", _never_arrived),
    ("I3", _voided_at_central_only),
    ("I4", _counted_twice),
    ("I5", _fork_goes_on),
    ("I5", _fork_unseen),
    ("I6", _overspend_untold),
    ("I6", _overspend_told_twice),
    ("I7", _cache_differs),
    ("I8", _old_ledger_goes_on),
    ("I9", _holding_unknown),
    ("I9", _cannot_sync),
    ("I9", _not_served),
)


@pytest.fixture
def world(templates: Templates, tmp_path: Path) -> Iterator[World]:
    folder = tmp_path / "run"
    folder.mkdir()
    with World(templates, "one", folder, signed=False) as made:
        gets(made, "aaa1")
        syncs(made, "aaa1", "bbb1")
        yield made


@pytest.mark.parametrize(("invariant", "spoil"), SPOILT, ids=[f"{one}{how.__name__}" for one, how in SPOILT])
def test_it_can_fail(world: World, invariant: str, spoil: Callable[[World], None]) -> None:
    with pytest.raises(Broken) as told:
        spoil(world)
    assert told.value.invariant == invariant


def test_unspoilt_all_of_them_hold(world: World) -> None:
    healing.served_again(world, healing.heal(world))
