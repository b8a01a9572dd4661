"""What central takes on at once, and how it sends the rest away: by a code, and with a time to come."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import httpx
import pytest

from kiosk.errors import CentralFault
from sync.central.api import make_app
from sync.central.limits import MAX_DEPTH, Limits, OutOfLine, Rules, check_depth
from sync.central.state import Central
from sync.wire import MAX_BODY_BYTES, MAX_RECORDS
from tests.sync.central_side import Clock, PlainKiosk

pytestmark = pytest.mark.anyio


class Moments:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_kiosk_has_a_rate_and_others_have_their_own() -> None:
    moments = Moments()
    limits = Limits(Rules(burst=3, per_s=2.0), moments)
    for _ in range(3):
        limits.count("AAA1.1")
    with pytest.raises(CentralFault, match="too_many_requests") as caught:
        limits.count("AAA1.1")
    assert caught.value.detail["retry_after_s"] == 1
    limits.count("BBB1.1")
    moments.now += 1.0
    limits.count("AAA1.1")
    with pytest.raises(CentralFault, match="too_many_requests"):
        limits.count("AAA1.1")


def push_of(kiosk: str, size: int = 90_000) -> dict[str, str]:
    """Headers of a push as a kiosk sends them."""
    signed = f'kmc=("@method");created=1;keyid="{kiosk}.1";nonce="n"'
    return {"content-length": str(size), "signature-input": signed}


async def test_who_would_wait_too_long_is_given_a_later_time_each() -> None:
    """Half a second for each push: six in line are three seconds, and the next is sent away."""
    limits = Limits(Rules(places=1, line_s=2.9), Moments())
    limits._unit_s = 0.5 / 100_000
    async with AsyncExitStack() as line:
        for number in range(6):
            await line.enter_async_context(limits.line(push_of(f"K{number}")))
        waits = []
        for number in range(6, 16):
            with pytest.raises(CentralFault, match="central_busy") as caught:
                async with limits.line(push_of(f"K{number}")):
                    raise AssertionError("unreachable")
            waits.append(caught.value.detail["retry_after_s"])
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (3, 7), "their turns, a little early: 3.5 s and half a second more each"
    async with limits.line(push_of("K6")):
        pass


async def test_who_was_sent_away_comes_before_who_was_not() -> None:
    limits = Limits(Rules(places=1, line_s=2.9), Moments())
    limits._unit_s = 0.5 / 100_000
    async with AsyncExitStack() as line:
        for number in range(6):
            await line.enter_async_context(limits.line(push_of(f"K{number}")))
        for kiosk in ("K8", "K9"):
            with pytest.raises(OutOfLine):
                await line.enter_async_context(limits.line(push_of(kiosk)))
        await line.enter_async_context(limits.line(push_of("K8")))
        with pytest.raises(OutOfLine):
            await line.enter_async_context(limits.line(push_of("K8")))


async def test_a_small_push_waits_less_than_a_large_one() -> None:
    limits = Limits(Rules(places=1, line_s=2.9), Moments())
    limits._unit_s = 0.5 / 100_000
    async with AsyncExitStack() as line:
        for number in range(20):
            await line.enter_async_context(limits.line(push_of(f"K{number}", 1000)))


async def test_the_pace_is_learnt() -> None:
    moments = Moments()
    limits = Limits(Rules(places=2), moments)
    for _ in range(60):
        async with limits.place(90_000):
            moments.now += 0.2
    assert limits._unit_s == pytest.approx(0.2 / 100_000, rel=0.01)


async def test_places_are_taken_in_order() -> None:
    limits = Limits(Rules(places=1), Moments())
    begun: list[int] = []

    async def work(number: int) -> None:
        async with limits.place(1):
            begun.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(work(number) for number in range(9)))
    assert begun == list(range(9))


async def test_bodies_share_a_budget() -> None:
    limits = Limits(Rules(bodies_bytes=100, room_s=0.01))
    async with limits.room({"content-length": "70"}):
        with pytest.raises(CentralFault, match="central_busy"):
            async with limits.room({"content-length": "40"}):
                raise AssertionError("unreachable")
        async with limits.room({"content-length": "30"}):
            pass
    async with limits.room({"content-length": "100"}):
        pass


async def test_room_is_waited_for() -> None:
    limits = Limits(Rules(bodies_bytes=100, room_s=20.0))
    entered = []

    async def late() -> None:
        async with limits.room({"content-length": "50"}):
            entered.append(True)

    async with limits.room({"content-length": "60"}):
        waiting = asyncio.create_task(late())
        await asyncio.sleep(0.01)
        assert not entered
    await waiting
    assert entered


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"content-length": str(MAX_BODY_BYTES + 1)}, "body_too_large"),
        ({"transfer-encoding": "chunked"}, "length_required"),
    ],
)
async def test_a_body_that_cannot_be_taken_is_refused_unread(headers: dict[str, str], code: str) -> None:
    with pytest.raises(CentralFault, match=code):
        async with Limits().room(headers):
            raise AssertionError("unreachable")


@pytest.mark.parametrize(
    ("body", "deep"),
    [
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, False),
        (b"[" * (MAX_DEPTH + 1), True),
        (b'{"a":' * (MAX_DEPTH + 1), True),
        (b"[" + b"[]," * 100 + b"[]]", False),
        (b'["' + b"[" * 100 + b'"]', False),
        (b'["\\"' + b"[" * 100 + b'"]', False),
        (b"[" * 20 + b"{}," * 20 + b"{}" + b"]" * 20, False),
        (b'["[","]",' * 8 + b"[" * 25 + b"]" * 33, True),
        (b'["[","]","{","}"' + b",[]" * 40 + b"]", False),
        (b'{"a":[' * 17 + b"]}" * 17, True),
        (b'"' + b"[" * 100, True),  # no JSON at all: refused one way or the other
    ],
)
def test_depth_is_counted_outside_of_texts(body: bytes, deep: bool) -> None:
    if deep:
        with pytest.raises(CentralFault, match="body_too_deep"):
            check_depth(body)
    else:
        check_depth(body)


async def test_limits_hold_on_the_wire_and_are_signed(central: Central, clock: Clock) -> None:
    app = make_app(central, limits=Limits(Rules(burst=6, per_s=0.001)))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://central") as http:
        kiosk = await PlainKiosk(http, clock).enrol(central, "AAA1")
        kiosk.note()
        body = kiosk.body(1)
        body["records"] = body["records"] * (MAX_RECORDS + 1)
        await _refused(kiosk, "/v1/journal", body, 413, "too_many_records")
        deep = b'{"gen":1,"health":' + b'{"a":' * 40 + b"1" + b"}" * 41
        await _refused(kiosk, "/v1/poll", deep, 422, "body_too_deep")
        for _ in range(4):
            assert (await kiosk.push()).acked_seq == 1
        response = await _refused(kiosk, "/v1/journal", kiosk.body(1), 429, "too_many_requests")
        assert int(response.headers["retry-after"]) >= 1


async def _refused(kiosk: PlainKiosk, path: str, body: object, status: int, code: str) -> httpx.Response:
    response = await kiosk.send("POST", path, body)
    assert (response.status_code, response.json()["code"]) == (status, code)
    kiosk.check_seal(response)
    return response
