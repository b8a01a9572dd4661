"""Rights in escrow: one holder each, epochs, recall, release, placement, and grants as they are delivered."""

from __future__ import annotations

from datetime import date

import httpx
import pytest

from kiosk.grant import digest_of
from kiosk.program import Program
from sync.central import importing, overview
from sync.central.acquire import WANTED_S
from sync.central.state import Central
from tests.sync.central_side import (
    NEXT_RICE,
    RICE,
    START,
    Clock,
    PlainKiosk,
    city,
    entitlement,
    holder,
    place,
    program,
)

pytestmark = pytest.mark.anyio
DAY = 86_400


async def test_this_and_the_next_period_lie_at_the_keeper(central: Central, keeper: PlainKiosk) -> None:
    held = {one.right: one for one in map(keeper.open, (await keeper.poll()).grants)}
    assert set(held) == {f"h{n}/beras/{month}" for n in (1, 2) for month in ("2026-11", "2026-12")}
    now, later = held[RICE], held[NEXT_RICE]
    assert (now.epoch, now.quantity_left, now.mode, now.upto_seq) == ((1, 1), 10_000, "strict", 0)
    assert [(term.program_id, term.entitlement_id, term.quantity) for term in now.terms] == [
        ("beras", 1, 10_000)
    ]
    assert now.not_after == later.not_before
    # Nobody asks a second time: placing again changes nothing.
    assert place(central) == 0


async def test_the_second_counter_holds_nothing(second: PlainKiosk) -> None:
    assert (await second.poll()).grants == []


async def test_rights_wait_at_central_until_their_keeper_is_enrolled(
    central: Central, http: httpx.AsyncClient, clock: Clock
) -> None:
    assert overview.right(central, "h3/beras/2026-11")["held_by"] == ""
    other = await PlainKiosk(http, clock).enrol(central, "BBB1")
    clock.now += 60
    # The tick of a poll places them.
    assert {other.open(one).right for one in (await other.poll()).grants} == {
        "h3/beras/2026-11",
        "h3/beras/2026-12",
    }


async def test_the_turn_of_a_period_is_placed_by_a_tick(
    central: Central, keeper: PlainKiosk, clock: Clock
) -> None:
    seen = await keeper.poll()
    clock.now += 10 * DAY
    answer = await keeper.poll(**keeper.holding(seen))
    assert {keeper.open(one).right for one in answer.grants} == {"h1/beras/2027-01", "h2/beras/2027-01"}


async def test_recall_release_and_grant_elsewhere(
    central: Central, keeper: PlainKiosk, second: PlainKiosk
) -> None:
    (asked,) = await second.acquire(RICE)
    assert (asked.status, asked.kiosk, asked.point) == ("recalled", "AAA1", 1)
    assert (await keeper.poll()).recalls == [RICE]
    keeper.release(upto=(1, 1))
    assert (await keeper.push()).status == "ok"
    assert (await keeper.poll()).recalls == []
    # It waits for who asked, and does not go back to its keeper meanwhile.
    assert place(central) == 0
    (granted,) = await second.acquire(RICE)
    assert granted.status == "granted"
    grant = second.open(granted.grant)
    assert (grant.kiosk, grant.epoch, grant.quantity_left) == ("AAA2", (1, 2), 10_000)
    (again,) = await second.acquire(RICE)
    assert again.grant == granted.grant


async def test_a_right_nobody_fetches_goes_back_to_its_keeper(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, clock: Clock
) -> None:
    await second.acquire(RICE)
    keeper.release()
    await keeper.push()
    clock.now += WANTED_S
    assert place(central) == 1
    assert overview.right(central, RICE)["held_by"] == "AAA1"


async def test_a_release_below_the_current_epoch_frees_nothing(
    central: Central, keeper: PlainKiosk, second: PlainKiosk
) -> None:
    await second.acquire(RICE)
    keeper.release(upto=(1, 0))
    await keeper.push()
    assert (await second.acquire(RICE))[0].status == "recalled"
    keeper.release(upto=(1, 1))
    await keeper.push()
    assert (await second.acquire(RICE))[0].status == "granted"


async def test_a_release_behind_a_gap_frees_nothing(keeper: PlainKiosk, second: PlainKiosk) -> None:
    keeper.dispense(spends=4_000)
    keeper.release()
    assert (await keeper.push(2)).status == "gap"
    assert (await second.acquire(RICE))[0].status == "recalled"
    await keeper.push()
    (granted,) = await second.acquire(RICE)
    assert second.open(granted.grant).quantity_left == 6_000


async def test_another_cannot_release_what_it_does_not_hold(
    central: Central, keeper: PlainKiosk, second: PlainKiosk
) -> None:
    second.release(upto=(1, 9))
    await second.push()
    assert overview.right(central, RICE)["held_by"] == "AAA1"


async def test_a_retiring_kiosk_frees_all_it_holds(
    central: Central, keeper: PlainKiosk, second: PlainKiosk
) -> None:
    keeper.record(type="release", right="*", detail={"upto": [1, 1]})
    await keeper.push()
    statuses = [one.status for one in await second.acquire(RICE, "h2/beras/2026-11")]
    assert statuses == ["granted", "granted"]
    # Nothing lies with it again, though it is the keeper, and nothing was in doubt.
    assert place(central) == 0
    told = overview.status(central)
    assert (told["kiosks"]["frozen"], told["rights"]["held"], told["rights"]["in_doubt"]) == (1, 2, 0)


async def test_taken_says_where_and_when(keeper: PlainKiosk, second: PlainKiosk) -> None:
    ref = keeper.dispense()
    await keeper.push()
    (answer,) = await second.acquire(RICE)
    assert (answer.status, answer.ref, answer.point) == ("taken", ref, 1)
    assert answer.at == "2026-11-24T13:00:00+07:00"


async def test_other_words_on_a_right(central: Central, keeper: PlainKiosk, second: PlainKiosk) -> None:
    rights = ("h99/beras/2026-11", "h1/gula/2026-11", NEXT_RICE, "h1/beras/2026-10")
    assert [one.status for one in await second.acquire(*rights)] == ["unknown", "unknown", "later", "unknown"]


async def test_a_period_that_is_over_is_closed(keeper: PlainKiosk, second: PlainKiosk, clock: Clock) -> None:
    clock.now += 10 * DAY
    assert (await second.acquire(RICE))[0].status == "closed"


async def test_a_point_that_does_not_serve_the_program_is_refused(
    central: Central, second: PlainKiosk
) -> None:
    elsewhere = program(points=[2], version=2)
    importing.apply(central, city(programs=(elsewhere,)))
    assert (await second.acquire(RICE))[0].status == "unknown"


async def test_more_is_a_supplement_at_the_next_epoch(central: Central, keeper: PlainKiosk) -> None:
    seen = await keeper.poll()
    keeper.dispense(spends=4_000)
    await keeper.push()
    importing.apply(central, city(entitlements=(entitlement(1, "h1", 12_000, version=2),)))
    answer = await keeper.poll(**keeper.holding(seen))
    grant = next(one for one in map(keeper.open, answer.grants) if one.right == RICE)
    assert (grant.epoch, grant.quantity_left, grant.upto_seq) == ((1, 2), 8_000, 1)
    assert grant.terms[0].entitlement_version == 2
    assert answer.recalls == []


async def test_less_is_recalled_and_what_was_handed_out_before_is_no_conflict(
    central: Central, keeper: PlainKiosk
) -> None:
    importing.apply(central, city(entitlements=(entitlement(1, "h1", 5_000, version=2),)))
    assert RICE in (await keeper.poll()).recalls
    keeper.dispense()
    assert (await keeper.push()).conflicts == []
    assert [one["code"] for one in overview.right(central, RICE)["cases"]] == ["exposure"]


async def test_an_ended_entitlement_is_recalled(central: Central, keeper: PlainKiosk) -> None:
    importing.apply(central, city(entitlements=(entitlement(1, "h1", version=2, status="ended"),)))
    assert sorted((await keeper.poll()).recalls) == [RICE, NEXT_RICE]
    keeper.release()
    await keeper.push()
    assert (await keeper.acquire(RICE))[0].status in ("taken", "unknown")


async def test_an_older_version_of_a_list_changes_nothing(central: Central, keeper: PlainKiosk) -> None:
    importing.apply(central, city(entitlements=(entitlement(1, "h1", 12_000, version=2),)))
    importing.apply(central, city(entitlements=(entitlement(1, "h1", 1),)))
    assert overview.right(central, RICE)["quantity"] == 12_000


async def test_a_list_imported_again_is_no_second_right(central: Central, keeper: PlainKiosk) -> None:
    before = overview.status(central)
    importing.apply(central, city())
    after = overview.status(central)
    assert (after["rights"], after["feed_rows"]) == (before["rights"], before["feed_rows"])
    assert overview.right(central, RICE)["epoch_n"] == 1


async def test_programs_of_one_group_share_one_right(central: Central, keeper: PlainKiosk) -> None:
    other = program("beras-lansia", right_group="beras")
    extra = entitlement(9, "h1", 15_000, program_id="beras-lansia")
    importing.apply(central, city(programs=(program(), other), entitlements=(extra,)))
    told = overview.right(central, RICE)
    assert told["quantity"] == 15_000
    assert [term[0] for term in told["terms"]] == ["beras", "beras-lansia"]
    keeper.dispense(spends=15_000, program_version="beras-lansia@1", epoch=(1, 2))
    await keeper.push()
    assert (await keeper.acquire(RICE))[0].status == "taken"


async def test_a_family_s_right_lies_where_its_head_does(central: Central, keeper: PlainKiosk) -> None:
    families = program("sembako", subject="family")
    extra = entitlement(9, "f1", 1, program_id="sembako")
    importing.apply(central, city(programs=(program(), families), entitlements=(extra,)))
    assert overview.right(central, "f1/sembako/2026-11")["held_by"] == "AAA1"


async def test_a_holder_who_moves_is_followed_by_the_rights(
    central: Central, keeper: PlainKiosk, http: httpx.AsyncClient, clock: Clock
) -> None:
    other = await PlainKiosk(http, clock).enrol(central, "BBB1")
    importing.apply(central, city(holders=(holder(1, 2),), guardians=(), entitlements=()))
    assert sorted((await keeper.poll()).recalls) == [RICE, NEXT_RICE]
    keeper.release()
    await keeper.push()
    place(central)
    assert RICE in {other.open(one).right for one in (await other.poll()).grants}


async def test_grants_come_in_order_and_are_echoed_while_outstanding(keeper: PlainKiosk) -> None:
    first = await keeper.poll()
    assert first.grant_rev == len(first.grants) == 4
    half = first.model_copy(update={"grants": first.grants[:2], "grant_rev": 2})
    assert (await keeper.poll(**keeper.holding(half))).grants == first.grants[2:]
    assert (await keeper.poll()).grants == first.grants


async def test_a_lost_grant_is_noticed_by_the_digest(keeper: PlainKiosk) -> None:
    first = await keeper.poll()
    held = [(one.right, one.epoch) for one in map(keeper.open, first.grants)]
    calm = await keeper.poll(highest_grant_rev=4, grants_digest=digest_of(held))
    assert (calm.grants, calm.grants_reset) == ([], False)
    lost = digest_of(held[1:])
    waiting = await keeper.poll(highest_grant_rev=4, grants_digest=lost, queue=1)
    assert not waiting.grants_reset
    answer = await keeper.poll(highest_grant_rev=4, grants_digest=lost)
    assert (answer.grants_reset, answer.grants) == (True, first.grants)
    # One that never agrees is not sent everything at each poll.
    assert not (await keeper.poll(highest_grant_rev=4, grants_digest=lost)).grants_reset


async def test_a_kiosk_ahead_of_central_starts_again(keeper: PlainKiosk) -> None:
    answer = await keeper.poll(highest_grant_rev=99)
    assert answer.grants_reset
    assert len(answer.grants) == 4


async def test_two_at_once_get_one_right_once(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, http: httpx.AsyncClient, clock: Clock
) -> None:
    import anyio

    keeper.release()
    await keeper.push()
    statuses: list[str] = []

    async def ask(kiosk: PlainKiosk) -> None:
        statuses.extend(one.status for one in await kiosk.acquire(RICE))

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(ask, keeper)
            group.start_soon(ask, second)
    assert overview.right(central, RICE)["epoch_n"] == 2
    assert set(statuses) == {"granted", "recalled"}


async def test_validity_cuts_the_period(central: Central, keeper: PlainKiosk) -> None:
    late = entitlement(9, "h2", valid_from=date(2026, 11, 28), valid_until=date(2026, 12, 5), program_id="x1")
    importing.apply(central, city(programs=(program(), program("x1")), entitlements=(late,)))
    told = overview.right(central, "h2/x1/2026-11")
    assert told["not_before"] == START + 3 * DAY + 11 * 3600
    assert overview.right(central, "h2/x1/2026-12")["not_after"] == told["not_before"] + 7 * DAY


def season(until: str, version: int) -> Program:
    """A program handed out in one window."""
    window = {"key": "tanam", "from": "2026-11-01", "until": until, "name": {"id": "Tanam", "en": "Sowing"}}
    return program("benih", version=version, period={"kind": "windows", "windows": [window]})


async def test_a_period_is_extended_while_it_runs_and_never_reopens(
    central: Central, keeper: PlainKiosk, clock: Clock
) -> None:
    seed = entitlement(9, "h1", program_id="benih")
    importing.apply(central, city(programs=(season("2026-11-26", 1),), entitlements=(seed,)))
    first = overview.right(central, "h1/benih/tanam")
    importing.apply(central, city(programs=(season("2026-11-28", 2),)))
    longer = overview.right(central, "h1/benih/tanam")
    assert longer["not_after"] == first["not_after"] + 2 * DAY
    assert (first["epoch_n"], longer["epoch_n"]) == (1, 2)
    clock.now += 5 * DAY
    importing.apply(central, city(programs=(season("2026-12-10", 3),)))
    assert overview.right(central, "h1/benih/tanam") == longer
    assert (await keeper.acquire("h1/benih/tanam"))[0].status == "closed"


async def test_an_entitlement_that_lapsed_is_given_again_while_its_period_runs(
    central: Central, keeper: PlainKiosk, clock: Clock
) -> None:
    ends = entitlement(1, "h1", version=2, valid_until=date(2026, 11, 25))
    importing.apply(central, city(entitlements=(ends,)))
    clock.now += 2 * DAY
    assert (await keeper.acquire(RICE))[0].status == "closed"
    importing.apply(central, city(entitlements=(entitlement(1, "h1", version=3),)))
    assert (await keeper.acquire(RICE))[0].status == "granted"
