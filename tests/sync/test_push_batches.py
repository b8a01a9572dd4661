"""How many records go in one push: more while central answers soon, never more than a body may hold."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kiosk.errors import CentralFault
from kiosk.journal import Draft
from sync import pushing
from sync.pushing import MOST_BYTES, QUICK_S, Pusher
from sync.wire import MAX_BODY_BYTES, MAX_RECORDS, JournalAnswer, JournalRequest
from tests.kiosk.counter_world import World
from tests.sync.kiosk_end_world import FakeCentral

FIRST, MOST = 5, 25


class Pushes:
    """A central that takes its time, and the sizes of what it was sent."""

    def __init__(self, world: World) -> None:
        self.central = FakeCentral(world)
        self.now = 0.0
        self.takes_s = 0.1
        self.sizes: list[int] = []
        self.bytes: list[int] = []
        self.down: Callable[[int], bool] = lambda count: False
        self.pusher = Pusher(world.home.path, world.ledger, 1, self.push, lambda: self.now)

    def push(self, request: JournalRequest) -> JournalAnswer:
        """One call."""
        self.sizes.append(len(request.records))
        self.bytes.append(len(request.model_dump_json()))
        self.now += self.takes_s
        if self.down(len(self.sizes)):
            raise CentralFault("central_unreachable", "gone")
        return self.central.push(request)


@pytest.fixture
def pushes(world: World, monkeypatch: pytest.MonkeyPatch) -> Pushes:
    """A way to central, with a fortieth of the records."""
    monkeypatch.setattr(pushing, "BATCH_RECORDS", FIRST)
    monkeypatch.setattr(pushing, "MOST_RECORDS", MOST)
    return Pushes(world)


def test_sizes() -> None:
    assert (pushing.BATCH_RECORDS, pushing.MOST_RECORDS) == (FIRST * 40, MOST * 40) == (200, MAX_RECORDS)


def note(world: World, count: int, text: str = "", detail: str = "") -> None:
    """Appends notes."""
    draft = Draft(type="note", private=text, detail={"what": detail} if detail else {})
    for _ in range(count):
        world.counter._journal.append(lambda _: draft)


def test_batches_grow_while_central_answers_soon(world: World, pushes: Pushes) -> None:
    note(world, 68)
    assert pushes.pusher.push_all() == 68
    assert pushes.sizes == [FIRST, 10, 20, MOST, 8]


def test_after_a_slow_answer_they_begin_small(world: World, pushes: Pushes) -> None:
    note(world, 18)
    pushes.takes_s = QUICK_S
    assert pushes.pusher.push_all() == 18
    assert pushes.sizes == [FIRST, FIRST, FIRST, 3]


def test_after_a_failure_they_begin_small(world: World, pushes: Pushes) -> None:
    note(world, 30)
    pushes.down = lambda count: count == 2
    with pytest.raises(CentralFault, match="gone"):
        pushes.pusher.push_all()
    assert pushes.pusher.push_all() == 25
    assert pushes.sizes == [FIRST, 10, FIRST, 10, 10]


def test_long_records_and_texts_never_exceed_a_body(
    world: World, pushes: Pushes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "BATCH_RECORDS", MAX_RECORDS)
    monkeypatch.setattr(pushing, "MOST_BYTES", MOST_BYTES // 20)
    pushes.pusher = Pusher(world.home.path, world.ledger, 1, pushes.push)
    note(world, 20, text="é" * 1000, detail="x" * 7000)
    assert pushes.pusher.push_all() == 20
    assert max(pushes.sizes) < 7
    assert max(pushes.bytes) < MAX_BODY_BYTES // 20 // 2
    assert min(pushes.bytes[:-1]) > MOST_BYTES // 20 // 2


def test_a_record_that_is_too_long_for_a_batch_goes_alone(
    world: World, pushes: Pushes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "MOST_BYTES", 10)
    note(world, 3)
    assert pushes.pusher.push_all() == 3
    assert pushes.sizes == [1, 1, 1]
