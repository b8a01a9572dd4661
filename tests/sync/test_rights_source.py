"""Rights on a tap: in the background, within the deadline, and in the ledger before anybody is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import timedelta
from typing import Any

import pytest

from kiosk import grant as grants
from kiosk.errors import CentralFault
from kiosk.ports import RightWord
from sync.rights_source import CentralRights
from sync.wire import RightAnswer, RightsAnswer, RightsRequest
from tests.kiosk.counter_world import World

RICE = "h1/beras/2026-11"


class ScriptedClient:
    """In the place of ``CentralClient``."""

    def __init__(self) -> None:
        self.answer: Callable[[RightsRequest], RightsAnswer] = lambda request: RightsAnswer(answers=[])
        self.asked: list[list[str]] = []
        self.closed = False

    def ask_rights(self, request: RightsRequest, timeout_s: float | None = None) -> RightsAnswer:
        self.asked.append(request.rights)
        return self.answer(request)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def client() -> ScriptedClient:
    """Answers nothing to begin with."""
    return ScriptedClient()


@pytest.fixture
def rights(world: World, client: ScriptedClient) -> Iterator[CentralRights]:
    """A source over real files."""
    made = _source(world, client, 0.8)
    yield made
    made.close()
    assert client.closed or not client.asked


def _source(world: World, client: ScriptedClient, deadline_s: float) -> CentralRights:
    home = world.home
    make_client: Any = lambda: client  # noqa: E731
    return CentralRights(
        home.ledger,
        make_client,
        home.identity(),
        home.keyset,
        world.clock,
        lambda: None,
        open_caches=home.caches,
        deadline_s=deadline_s,
    )


def granting(world: World, *rights: str, **changes: Any) -> Callable[[RightsRequest], RightsAnswer]:
    """Answers with a signed grant for each of ``rights``."""

    def answer(request: RightsRequest) -> RightsAnswer:
        made = [grants.make(world.grant(right, **changes), world.city.central, b"c-now") for right in rights]
        return RightsAnswer(
            answers=[
                RightAnswer(right=right, status="granted", grant=data)
                for right, data in zip(request.rights, made, strict=True)
            ]
        )

    return answer


def word(future: Future[dict[str, RightWord]]) -> str:
    """Central's word on the rice."""
    return future.result(timeout=10)[RICE].status


def test_a_grant_is_in_the_ledger_before_the_future_is_done(
    world: World, rights: CentralRights, client: ScriptedClient
) -> None:
    client.answer = granting(world, RICE)
    assert word(rights.acquire([RICE])) == "granted"
    known = world.ledger.right(RICE)
    assert known is not None
    assert (known.held, known.acquired_ms > 0) == (True, True)


def test_what_is_asked_is_kept_before_the_request_is_sent_until_the_answer_is_there(
    world: World, rights: CentralRights, client: ScriptedClient
) -> None:
    def asked() -> list[str]:
        return [row[0] for row in world.ledger.rows("SELECT right FROM asked ORDER BY right")]

    seen: list[Any] = []

    def lost(request: RightsRequest) -> RightsAnswer:
        mine = world.home.ledger()  # this is the worker's thread
        seen.append(mine.row("SELECT right FROM asked"))
        mine.close()
        raise CentralFault("central_unreachable", "cut off in the middle of the answer")

    client.answer = lost
    assert isinstance(rights.acquire([RICE]).exception(timeout=10), CentralFault)
    assert (seen, asked()) == ([(RICE,)], [RICE])
    world.take_in(world.grant())  # by poll
    known = world.ledger.right(RICE)
    assert known is not None
    assert (known.acquired_ms > 0, asked()) == (True, [])
    client.answer = lambda request: RightsAnswer(
        answers=[RightAnswer(right=RICE, status="held", point=2, kiosk="HDM1")]
    )
    rights.acquire([RICE]).result(timeout=10)
    assert asked() == []


@pytest.mark.parametrize("data", [b"garbage", None])
def test_a_grant_that_cannot_be_believed_is_none(
    world: World, rights: CentralRights, client: ScriptedClient, data: bytes | None
) -> None:
    def answer(request: RightsRequest) -> RightsAnswer:
        return RightsAnswer(answers=[RightAnswer(right=RICE, status="granted", grant=data)])

    client.answer = answer
    assert word(rights.acquire([RICE])) == "granted"
    assert world.ledger.right(RICE) is None


def test_a_grant_of_another_right_than_asked_is_left(
    world: World, rights: CentralRights, client: ScriptedClient, caplog: pytest.LogCaptureFixture
) -> None:
    client.answer = granting(world, "h2/beras/2026-11")
    word(rights.acquire([RICE]))
    assert world.ledger.rights([RICE, "h2/beras/2026-11"]) == {}
    assert f"a grant of h2/beras/2026-11 is refused: {RICE} was asked for" in caplog.text


@pytest.mark.parametrize("whose", [{"kiosk": "HDM1"}, {"gen": 2}])
def test_a_grant_for_another_kiosk_or_generation_is_left_and_said(
    world: World, rights: CentralRights, client: ScriptedClient, caplog: pytest.LogCaptureFixture,
    whose: dict[str, Any],
) -> None:  # fmt: skip
    client.answer = granting(world, RICE, **whose)
    word(rights.acquire([RICE]))
    assert world.ledger.right(RICE) is None
    assert f"grant of {RICE} not taken in: other_generation" in caplog.text


def test_a_fault_ends_the_future_and_the_next_one_is_asked_anew(
    world: World, rights: CentralRights, client: ScriptedClient
) -> None:
    def away(request: RightsRequest) -> RightsAnswer:
        raise CentralFault("central_unreachable", "away")

    client.answer = away
    assert isinstance(rights.acquire([RICE]).exception(timeout=10), CentralFault)
    client.answer = granting(world, RICE)
    assert word(rights.acquire([RICE])) == "granted"


def test_a_key_that_is_none_ends_the_future_too(rights: CentralRights, client: ScriptedClient) -> None:
    assert rights.acquire(["no right"]).exception(timeout=10) is not None
    assert client.asked == []


def test_the_deadline_holds_and_what_comes_later_is_in_the_ledger(
    world: World, client: ScriptedClient
) -> None:
    go = threading.Event()
    grant_it = granting(world, RICE)

    def late(request: RightsRequest) -> RightsAnswer:
        go.wait(10)
        return grant_it(request)

    client.answer = late
    source = _source(world, client, 0.05)
    begun = time.monotonic()
    first, second = source.acquire([RICE]), source.acquire([RICE])
    for future in (first, second):
        fault = future.exception(timeout=10)
        assert isinstance(fault, CentralFault)
        assert (fault.code, fault.detail["why"]) == ("central_unreachable", "timeout")
    assert time.monotonic() - begun < 5
    go.set()
    source.close()
    assert world.ledger.right(RICE) is not None
    assert client.asked == [[RICE]]  # for the overdue one nobody waited any more


def test_a_request_taken_back_before_it_began_is_not_made(world: World, client: ScriptedClient) -> None:
    go = threading.Event()

    def slow(request: RightsRequest) -> RightsAnswer:
        go.wait(10)
        return RightsAnswer(answers=[])

    client.answer = slow
    source = _source(world, client, 10.0)
    first, second = source.acquire([RICE]), source.acquire(["h2/beras/2026-11"])
    assert second.cancel()
    go.set()
    assert first.result(timeout=10) == {}
    source.close()
    assert client.asked == [[RICE]]


def test_a_time_that_central_named_is_kept_by_the_next_tap(
    world: World, rights: CentralRights, client: ScriptedClient
) -> None:
    """Whoever taps meanwhile hears the same, with what is left; another kind of question is not held up."""

    def busy(_: RightsRequest) -> RightsAnswer:
        raise CentralFault("too_many_requests", "later", status=429, signed=True, retry_after_s=30)

    client.answer = busy
    for left in (30, 20, 10):
        with pytest.raises(CentralFault) as caught:
            word(rights.acquire([RICE]))
        assert (caught.value.code, caught.value.detail["retry_after_s"]) == ("too_many_requests", left)
        world.clock.go_on(timedelta(seconds=10))
    assert len(client.asked) == 1
    rights._lookup_patience.check()
    client.answer = granting(world, RICE)
    assert word(rights.acquire([RICE])) == "granted"
    assert len(client.asked) == 2


def test_a_fault_without_a_time_holds_nobody_up(
    world: World, rights: CentralRights, client: ScriptedClient
) -> None:
    def away(_: RightsRequest) -> RightsAnswer:
        raise CentralFault("central_unreachable", "away")

    client.answer = away
    for _ in range(2):
        with pytest.raises(CentralFault, match="central_unreachable"):
            word(rights.acquire([RICE]))
    assert len(client.asked) == 2
