"""Hand-outs without a right or within a grant that was cut since, supplements, modes that change."""

from __future__ import annotations

import pytest

from sync.central import audit, cases, importing, overview
from sync.central.state import Central
from tests.sync.central_side import RICE, Clock, PlainKiosk, city, entitlement, place, program

pytestmark = pytest.mark.anyio
OIL = "h1/minyak/2026-11"
LIMITS = {"amount": 50_000, "count": 5, "days": 7}
DAY = 86_400


@pytest.fixture
def oil(central: Central, keeper: PlainKiosk) -> None:
    """A tolerate program; holder 1 is entitled to 10,000 of it, held by AAA1."""
    added(central)


def added(central: Central, **changes: object) -> None:
    """Imports the tolerate program with one entitlement."""
    one = program("minyak", mode="tolerate", tolerate=LIMITS, **changes)
    importing.apply(central, city(programs=(one,), entitlements=(entitlement(9, "h1", program_id="minyak"),)))


def tolerated(kiosk: PlainKiosk, right: str = OIL, spends: int = 10_000) -> str:
    """A hand-out without a right."""
    detail = {"spends": spends, "entitlement": [9, 1], "collector": "holder", "checks": [], "tolerated": True}
    return kiosk.dispense(right, spends, (0, 0), mode="tolerate", program_version="minyak@1", detail=detail)


@pytest.mark.usefixtures("oil")
async def test_one_that_does_not_exceed_spends_the_right_and_asks_it_back(
    central: Central, keeper: PlainKiosk, second: PlainKiosk
) -> None:
    tolerated(second, spends=4_000)
    assert (await second.push()).conflicts == []
    assert overview.right(central, OIL)["spent"] == 4_000
    assert OIL in (await keeper.poll()).recalls
    keeper.release(OIL)
    await keeper.push()
    (granted,) = await second.acquire(OIL)
    assert second.open(granted.grant).quantity_left == 6_000


@pytest.mark.usefixtures("oil")
async def test_an_overspend_is_one_case_that_names_both(
    central: Central, keeper: PlainKiosk, second: PlainKiosk
) -> None:
    mine = keeper.dispense(OIL)
    await keeper.push()
    theirs = tolerated(second)
    (conflict,) = (await second.push()).conflicts
    assert (conflict.code, conflict.right, conflict.refs) == ("overspend_tolerated", OIL, [mine, theirs])
    assert (await second.push()).conflicts == []
    (case,) = overview.right(central, OIL)["cases"]
    assert case["id"] == f"{OIL}#AAA2.1-1"
    report = audit.audit(central)
    assert (report.code, report.counts["explained"]) == ("", 1)


@pytest.mark.usefixtures("oil")
async def test_it_is_the_same_whichever_comes_first(
    central: Central, keeper: PlainKiosk, second: PlainKiosk
) -> None:
    theirs = tolerated(second)
    assert (await second.push()).conflicts == []
    mine = keeper.dispense(OIL)
    (conflict,) = (await keeper.push()).conflicts
    assert (conflict.code, set(conflict.refs)) == ("overspend_tolerated", {mine, theirs})
    assert len(overview.right(central, OIL)["cases"]) == 1


@pytest.mark.usefixtures("oil")
async def test_each_overspend_has_a_case_of_its_own(
    central: Central, keeper: PlainKiosk, second: PlainKiosk
) -> None:
    refs = [tolerated(second, spends=6_000) for _ in range(3)]
    answer = await second.push()
    assert [one.refs for one in answer.conflicts] == [refs[:2], refs]
    assert [one.detail["by"] for one in answer.conflicts] == [2_000, 8_000]
    second.void(refs[2], OIL, 6_000)
    await second.push()
    assert overview.right(central, OIL)["spent"] == 12_000


async def test_a_strict_right_tolerates_nothing(
    central: Central, keeper: PlainKiosk, second: PlainKiosk
) -> None:
    ref = tolerated(second, RICE)
    assert [(one.code, one.refs) for one in (await second.push()).conflicts] == [("not_held", [ref])]
    mine = keeper.dispense()
    (conflict,) = (await keeper.push()).conflicts
    assert (conflict.code, set(conflict.refs)) == ("overspend", {mine, ref})
    assert audit.audit(central).code == "overspend"


async def test_within_a_grant_that_was_cut_is_an_exposure_and_no_conflict(
    central: Central, keeper: PlainKiosk
) -> None:
    importing.apply(central, city(entitlements=(entitlement(1, "h1", 5_000, version=2),)))
    detail = {"spends": 10_000, "entitlement": [1, 1], "collector": "holder", "checks": []}
    ref = keeper.dispense(detail=detail | {"within_grant": True})
    assert (await keeper.push()).conflicts == []
    assert cases.listed(central) == []
    (found,) = cases.listed(central, exposures=True)
    assert (found["id"], found["refs"], found["detail"]) == (f"exposure:{ref}", [ref], {"by": 5_000})
    status = overview.status(central)
    assert (status["cases"], status["exposures"]) == ({}, 1)
    assert audit.audit(central).code == ""


async def test_terms_that_changed_without_a_cut_are_reported_too(
    central: Central, keeper: PlainKiosk
) -> None:
    detail = {"spends": 10_000, "entitlement": [1, 1], "collector": "holder", "checks": []}
    keeper.dispense(detail=detail | {"within_grant": True})
    assert (await keeper.push()).conflicts == []
    assert [one["detail"] for one in cases.listed(central, exposures=True)] == [{"by": 0}]


async def test_a_claim_to_be_within_a_grant_is_no_excuse_without_one(
    central: Central, keeper: PlainKiosk, second: PlainKiosk
) -> None:
    detail = {"spends": 10_000, "entitlement": [1, 1], "collector": "holder", "checks": []}
    second.dispense(detail=detail | {"within_grant": True})
    assert [one.code for one in (await second.push()).conflicts] == ["not_held"]


async def test_raised_after_the_pickup_is_a_supplement_of_the_difference(
    central: Central, keeper: PlainKiosk
) -> None:
    seen = await keeper.poll()
    keeper.dispense()
    await keeper.push()
    importing.apply(central, city(entitlements=(entitlement(1, "h1", 12_000, version=2),)))
    answer = await keeper.poll(**keeper.holding(seen))
    grant = next(one for one in map(keeper.open, answer.grants) if one.right == RICE)
    assert (grant.epoch, grant.quantity_left, grant.upto_seq) == ((1, 2), 2_000, 1)
    keeper.dispense(spends=2_000, epoch=(1, 2))
    assert (await keeper.push()).conflicts == []
    told = overview.right(central, RICE)
    assert (told["spent"], told["quantity"], told["cases"]) == (12_000, 12_000, [])


async def test_what_is_spent_is_not_asked_back_when_it_is_cut(central: Central, keeper: PlainKiosk) -> None:
    keeper.dispense()
    await keeper.push()
    importing.apply(central, city(entitlements=(entitlement(1, "h1", 5_000, version=2),)))
    assert RICE not in (await keeper.poll()).recalls
    assert audit.audit(central).code == ""


async def test_a_cut_recall_outlives_its_holder_s_own_asking(central: Central, keeper: PlainKiosk) -> None:
    importing.apply(central, city(entitlements=(entitlement(1, "h1", 5_000, version=2),)))
    await keeper.acquire(RICE)
    assert RICE in (await keeper.poll()).recalls


async def test_the_mode_changes_when_the_period_is_over(
    central: Central, keeper: PlainKiosk, clock: Clock
) -> None:
    changed = program(version=2, mode="tolerate", tolerate=LIMITS)
    taken = importing.apply(central, city(programs=(changed,)))
    assert taken["deferred_programs"] == overview.status(central)["programs_waiting"] == 1
    await keeper.poll()
    assert overview.right(central, RICE)["mode"] == "strict"
    assert overview.right(central, RICE)["epoch_n"] == 1
    clock.now += 6 * DAY
    place(central)
    assert overview.right(central, "h1/beras/2026-12")["mode"] == "strict"
    clock.now += 11 * 3600
    place(central)
    told = overview.right(central, "h1/beras/2026-12")
    assert (told["mode"], told["epoch_n"], told["terms"][0][:2]) == ("tolerate", 2, ["beras", 2])
    assert overview.right(central, RICE)["mode"] == "strict"


async def test_a_later_version_takes_the_place_of_one_that_waits(
    central: Central, keeper: PlainKiosk, clock: Clock
) -> None:
    importing.apply(central, city(programs=(program(version=2, mode="tolerate", tolerate=LIMITS),)))
    taken = importing.apply(central, city(programs=(program(version=3),)))
    assert "deferred_programs" not in taken
    assert overview.right(central, RICE)["terms"][0][:2] == ["beras", 3]
    clock.now += 7 * DAY
    place(central)
    assert overview.right(central, "h1/beras/2026-12")["mode"] == "strict"
