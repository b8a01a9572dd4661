"""A recall lapses when nothing is left to ask for, unless its holder believes that something is."""

from __future__ import annotations

import pytest

from sync.central import importing
from sync.central.state import Central
from tests.sync.central_side import RICE, PlainKiosk, city, entitlement, program

pytestmark = pytest.mark.anyio
OIL = "h1/minyak/2026-11"
LIMITS = {"amount": 50_000, "count": 5, "days": 7}


@pytest.mark.parametrize("asked_for_before", [False, True])
async def test_a_holder_misled_by_a_tolerated_pickup_is_asked_until_it_answers(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, asked_for_before: bool
) -> None:
    one = program("minyak", mode="tolerate", tolerate=LIMITS, partial=True)
    importing.apply(central, city(programs=(one,), entitlements=(entitlement(9, "h1", program_id="minyak"),)))
    if asked_for_before:
        assert [one.status for one in await second.acquire(OIL)] == ["recalled"]
    detail = {"spends": 4_000, "entitlement": [9, 1], "collector": "holder", "checks": [], "tolerated": True}
    second.dispense(OIL, 4_000, (0, 0), mode="tolerate", program_version="minyak@1", detail=detail)
    await second.push()
    keeper.dispense(OIL, 6_000, mode="tolerate", program_version="minyak@1")
    await keeper.push()  # nothing is left by now, and it still believes in 4,000
    assert OIL in (await keeper.poll()).recalls
    keeper.release(OIL)
    await keeper.push()
    assert OIL not in (await keeper.poll()).recalls


async def test_a_holder_who_handed_out_all_is_not_asked_any_more(
    central: Central, keeper: PlainKiosk, second: PlainKiosk
) -> None:
    (word,) = await second.acquire(RICE)
    assert word.status == "recalled"
    keeper.dispense()
    await keeper.push()
    assert RICE not in (await keeper.poll()).recalls
