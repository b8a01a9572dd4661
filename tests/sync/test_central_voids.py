"""What a void gives back, to whom, and which right is asked back because its holder cannot know of it."""

from __future__ import annotations

import pytest

from sync.central import importing, overview
from sync.central.state import Central
from tests.sync.central_side import RICE, PlainKiosk, city, entitlement, program

pytestmark = pytest.mark.anyio


async def spend_some_release_and_grant_elsewhere(
    central: Central, keeper: PlainKiosk, second: PlainKiosk
) -> str:
    """The keeper hands out a part and releases; the second counter gets the rest. Answers the pickup."""
    importing.apply(central, city(programs=(program(partial=True, version=2),)))
    ref = keeper.dispense(spends=9_000, quantity=9_000, epoch=(1, 2))
    keeper.release(upto=(1, 2))
    await keeper.push()
    (answer,) = await second.acquire(RICE)
    assert second.open(answer.grant).quantity_left == 1_000
    return ref


async def test_what_comes_back_after_a_release_is_taken_back_from_who_holds_the_rest(
    central: Central, keeper: PlainKiosk, second: PlainKiosk
) -> None:
    ref = await spend_some_release_and_grant_elsewhere(central, keeper, second)
    assert (await second.poll()).recalls == []
    keeper.void(ref, restores=9_000)
    assert (await keeper.push()).conflicts == []
    assert (await second.poll()).recalls == [RICE]
    second.release(upto=(1, 3))
    await second.push()
    (answer,) = await keeper.acquire(RICE)
    assert keeper.open(answer.grant).quantity_left == 10_000


async def test_a_recall_for_less_outlives_a_pickup_that_leaves_the_holder_more(
    central: Central, keeper: PlainKiosk
) -> None:
    importing.apply(
        central,
        city(
            programs=(program(partial=True, version=2),),
            entitlements=(entitlement(1, "h1", 1_000, version=2),),
        ),
    )
    keeper.dispense(spends=1_000, quantity=1_000)
    await keeper.push()
    told = overview.right(central, RICE)
    assert (told["spent"], told["quantity"], told["held_by"]) == (1_000, 1_000, "AAA1")
    # By its grant the kiosk has 9,000 left.
    assert RICE in (await keeper.poll()).recalls


async def test_a_recall_that_lapsed_is_made_anew_when_the_goods_come_back(
    central: Central, keeper: PlainKiosk
) -> None:
    importing.apply(central, city(entitlements=(entitlement(1, "h1", 7_000, version=2),)))
    ref = keeper.dispense()
    await keeper.push()
    assert RICE not in (await keeper.poll()).recalls
    keeper.void(ref)
    await keeper.push()
    assert RICE in (await keeper.poll()).recalls


async def test_the_holder_s_own_void_recalls_nothing(central: Central, keeper: PlainKiosk) -> None:
    keeper.void(keeper.dispense())
    await keeper.push()
    assert (await keeper.poll()).recalls == []


async def test_a_void_on_either_side_of_a_fork_speaks_of_its_own_side(
    central: Central, keeper: PlainKiosk
) -> None:
    keeper.note()
    clone = keeper.copy()
    mine = keeper.dispense()
    await keeper.push()
    clone.note()
    theirs = clone.dispense()
    await clone.push(2)
    clone.note()
    clone.void(theirs)
    assert [one.code for one in (await clone.push(4)).conflicts] == []
    told = overview.right(central, RICE)
    assert (mine, theirs) == ("AAA1-0002", "AAA1-0003")
    assert [(one["ref"][:9], one["voided"]) for one in told["pickups"]] == [(mine, False), (theirs, True)]
    assert told["spent"] == 10_000


@pytest.mark.parametrize("at_once", [True, False])
async def test_the_same_reference_on_both_sides(central: Central, keeper: PlainKiosk, at_once: bool) -> None:
    keeper.note()
    clone = keeper.copy()
    ref = keeper.dispense()
    await keeper.push()
    assert clone.dispense(spends=9_000) == ref
    if not at_once:
        await clone.push(2)
    clone.void(ref, restores=9_000)
    await clone.push(2)
    told = overview.right(central, RICE)
    assert sorted((one["spends"], one["voided"]) for one in told["pickups"]) == [
        (9_000, True),
        (10_000, False),
    ]
    assert told["spent"] == 10_000
    keeper.void(ref)
    await keeper.push()
    assert overview.right(central, RICE)["spent"] == 0


async def test_both_sides_take_back_what_was_handed_out_before_the_fork(
    central: Central, keeper: PlainKiosk
) -> None:
    ref = keeper.dispense()
    clone = keeper.copy()
    keeper.void(ref)
    await keeper.push()
    clone.note()
    clone.void(ref)
    codes = sorted(one.code for one in (await clone.push(2)).conflicts)
    assert codes == ["fork", "void_again"]
    assert overview.right(central, RICE)["spent"] == 0
