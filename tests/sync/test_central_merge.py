"""Two records of one person: one right, the larger spend, one card, and lists that still name both."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import select

from kiosk.errors import OfficerFault
from sync.central import audit, holder_merge, importing, overview, story
from sync.central.models import card, entitlement, feed, holder
from sync.central.state import Central
from tests.sync.central_side import (
    NEXT_RICE,
    RICE,
    Clock,
    PlainKiosk,
    city,
    place,
    program,
)
from tests.sync.central_side import (
    entitlement as entitled,
)
from tests.sync.central_side import (
    holder as person,
)

pytestmark = pytest.mark.anyio
OTHER = "h2/beras/2026-11"


@pytest.fixture
def partial(central: Central) -> None:
    """Rice is handed out in parts; its second version, so grants stand at epoch 2 once AAA1 is enrolled."""
    importing.apply(central, city(programs=(program(version=2, partial=True),)))


def spend(kiosk: PlainKiosk, right: str, quantity: int) -> str:
    """A part handed out by the holder of the first grant."""
    return kiosk.dispense(right, quantity, (1, 1), program_version="beras@2")


@pytest.mark.usefixtures("partial")
async def test_the_larger_spend_counts_and_the_rest_is_granted_when_both_are_back(
    central: Central, keeper: PlainKiosk
) -> None:
    spend(keeper, RICE, 3_000)
    spend(keeper, OTHER, 4_000)
    await keeper.push()
    told = holder_merge.merge(central, 1, 2)
    assert (told["rights"], told["entitlements"], told["cards"]) == (2, 1, 0)
    assert {RICE, OTHER} <= set((await keeper.poll()).recalls)
    assert overview.right(central, RICE)["spent"] == 4_000
    keeper.release(RICE)
    await keeper.push()
    assert place(central) == 0
    keeper.release(OTHER)
    keeper.release("h2/beras/2026-12")
    keeper.release(NEXT_RICE)
    await keeper.push()
    assert place(central) == 2
    right = overview.right(central, RICE)
    assert (right["granted_left"], right["quantity"], right["held_by"]) == (6_000, 10_000, "AAA1")
    assert overview.right(central, OTHER)["held_by"] == ""
    assert story.tell(central, OTHER)["lies"] == {"with": "central", "state": "merged", "into": RICE}
    assert audit.audit(central).code == ""


@pytest.mark.usefixtures("partial")
async def test_what_was_on_its_way_counts_in_the_right_that_stays(
    central: Central, keeper: PlainKiosk
) -> None:
    spend(keeper, OTHER, 4_000)
    holder_merge.merge(central, 1, 2)
    answer = await keeper.push()
    assert answer.conflicts == []
    assert overview.right(central, RICE)["spent"] == 4_000
    keeper.void("AAA1-0001", OTHER, 4_000)
    await keeper.push()
    assert overview.right(central, RICE)["spent"] == 0
    assert audit.audit(central).code == ""


@pytest.mark.usefixtures("partial")
@pytest.mark.parametrize(
    ("voided", "left"),
    [((RICE,), 4_000), ((OTHER,), 3_000), ((RICE, OTHER), 0), ((OTHER, RICE), 0)],
)
async def test_a_void_gives_back_what_it_makes_the_larger_spend_smaller(
    central: Central, keeper: PlainKiosk, voided: tuple[str, ...], left: int
) -> None:
    refs = {RICE: spend(keeper, RICE, 3_000), OTHER: spend(keeper, OTHER, 4_000)}
    await keeper.push()
    holder_merge.merge(central, 1, 2)
    for right in voided:
        keeper.void(refs[right], right)
    assert (await keeper.push()).conflicts == []
    assert overview.right(central, RICE)["spent"] == left
    assert audit.audit(central).code == ""


@pytest.mark.usefixtures("partial")
async def test_three_records_of_one_person(
    central: Central, keeper: PlainKiosk, http: httpx.AsyncClient, clock: Clock
) -> None:
    importing.apply(central, city(holders=(person(4),), entitlements=(entitled(4, "h4"),), guardians=()))
    refs = {
        key: spend(keeper, f"{key}/beras/2026-11", n)
        for key, n in (("h1", 5_000), ("h2", 4_000), ("h4", 2_000))
    }
    await keeper.push()
    holder_merge.merge(central, 2, 4)
    holder_merge.merge(central, 1, 2)
    assert overview.right(central, RICE)["spent"] == 5_000
    keeper.void(refs["h1"])
    await keeper.push()
    assert overview.right(central, RICE)["spent"] == 4_000
    keeper.void(refs["h2"], OTHER)
    late = spend(keeper, "h4/beras/2026-11", 1_000)
    await keeper.push()
    assert overview.right(central, RICE)["spent"] == 3_000
    keeper.void(late, "h4/beras/2026-11")
    await keeper.push()
    assert overview.right(central, RICE)["spent"] == 2_000
    assert audit.audit(central).code == ""


async def test_both_spent_in_full_is_a_fact_and_nothing_is_left(central: Central, keeper: PlainKiosk) -> None:
    keeper.dispense(RICE)
    await keeper.push()
    holder_merge.merge(central, 1, 2)
    # Granted before anybody knew: an exposure, not a fault of the counter.
    keeper.dispense(OTHER)
    assert (await keeper.push()).conflicts == []
    assert (await keeper.acquire(RICE))[0].status == "taken"
    assert (await keeper.acquire(OTHER))[0].status == "unknown"
    report = audit.audit(central)
    assert (report.code, report.counts["spent_differs"]) == ("", 0)


async def test_one_move_id_tells_the_feed(central: Central, keeper: PlainKiosk, second: PlainKiosk) -> None:
    keeper.dispense(OTHER)
    await keeper.push()
    told = holder_merge.merge(central, 1, 2)
    with central.database.read() as connection:
        rows = connection.execute(select(feed).where(feed.c.move == told["move_id"])).all()
    assert {(row.row_key, row.body is None) for row in rows} >= {
        (f'["{OTHER}"]', True),
        (f'["{RICE}"]', False),
    }


async def test_a_list_that_names_the_one_who_went_makes_no_second_right(
    central: Central, keeper: PlainKiosk
) -> None:
    holder_merge.merge(central, 1, 2)
    before = overview.status(central)["rights"]["all"]
    again = (entitled(1, "h1"), entitled(2, "h2", version=2), entitled(7, "h2", 15_000, version=1))
    importing.apply(central, city(entitlements=again))
    status = overview.status(central)["rights"]["all"]
    assert status == before
    right = overview.right(central, RICE)
    assert (right["quantity"], [term[2] for term in right["terms"]]) == (15_000, [7])
    with central.database.read() as connection:
        subjects = connection.execute(
            select(entitlement.c.subject).where(entitlement.c.id.in_((2, 7)))
        ).scalars()
        assert set(subjects) == {"h1"}
        assert connection.execute(select(holder.c.status).where(holder.c.id == 2)).scalar_one() == "blocked"
        assert connection.execute(select(card.c.status).where(card.c.holder_id == 2)).scalars().all() == []


async def test_who_cannot_be_merged(central: Central) -> None:
    for words, fault in (((1, 1), "same_holder"), ((1, 99), "unknown_holder")):
        with pytest.raises(OfficerFault, match=fault):
            holder_merge.merge(central, *words)
    holder_merge.merge(central, 1, 2)
    for words in ((1, 2), (2, 3)):
        with pytest.raises(OfficerFault, match="already_merged"):
            holder_merge.merge(central, *words)
