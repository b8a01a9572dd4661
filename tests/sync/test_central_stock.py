"""Stock slices, and voids that central asks for: out by a poll, back by the records of the kiosk."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.errors import OfficerFault
from kiosk.stock_slice import open_slice
from sync.central import accounts, audit, importing, kiosk_rows, orders, overview, stock, story
from sync.central.poll import TELL_ORDER_AGAIN_S, Told
from sync.central.state import Central
from sync.wire import PollAnswer, VoidRequest
from tests.sync.central_side import RICE, PlainKiosk, city, program

pytestmark = pytest.mark.anyio
SLICE = "AAA1.1/beras/1"


@pytest.fixture
def stocked(central: Central, keeper: PlainKiosk) -> str:
    """A slice of 25,000 for AAA1; its id."""
    importing.apply(central, city(programs=(program(version=2, stock=True),)))
    return str(stock.allot(central, "beras", "AAA1", 25_000)["slice"])


def recorded(kiosk: PlainKiosk, what: str, quantity: int, name: str = SLICE) -> None:
    """A record of what became of a slice."""
    kiosk.record(type="stock", detail={"what": what, "slice": name, "quantity": quantity})


def handed_out(kiosk: PlainKiosk, quantity: int = 10_000, right: str = RICE) -> str:
    """A dispense that names the slice."""
    detail = {"spends": quantity, "entitlement": [1, 1], "collector": "holder", "checks": [], "slice": SLICE}
    return kiosk.dispense(right, quantity, (1, 2), program_version="beras@2", detail=detail)


async def test_a_slice_goes_out_until_it_is_received(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, stocked: str
) -> None:
    (sent,) = (await keeper.poll()).slices
    one = open_slice(sent, keeper.keyset)
    assert (one.id, one.program_id, one.kiosk, one.gen, one.quantity) == (stocked, "beras", "AAA1", 1, 25_000)
    assert stocked == SLICE
    assert (await keeper.poll()).slices == [sent]
    assert (await second.poll()).slices == []
    recorded(keeper, "received", 25_000)
    await keeper.push()
    assert (await keeper.poll()).slices == []
    assert stock.allot(central, "beras", "AAA1", 5)["slice"] == "AAA1.1/beras/2"


async def test_what_is_handed_out_taken_back_and_returned_is_counted(
    central: Central, keeper: PlainKiosk, stocked: str
) -> None:
    recorded(keeper, "received", 25_000)
    ref = handed_out(keeper)
    handed_out(keeper, right="h2/beras/2026-11")
    keeper.void(ref)
    recorded(keeper, "counted", 15_000)
    recorded(keeper, "returned", 10_000)
    assert (await keeper.push()).conflicts == []
    (told,) = stock.show(central, "beras", "AAA1")
    assert (told["spent"], told["returned"], told["left"], told["state"]) == (
        10_000,
        10_000,
        5_000,
        "received",
    )
    recorded(keeper, "returned", 5_000)
    await keeper.push()
    assert [one["state"] for one in stock.show(central)] == ["closed"]
    assert audit.audit(central).code == ""


async def test_an_overspent_slice_is_a_case(central: Central, keeper: PlainKiosk, stocked: str) -> None:
    recorded(keeper, "returned", 20_000)
    ref = handed_out(keeper)
    recorded(keeper, "counted", 0)
    answer = await keeper.push()
    assert [(one.code, one.refs) for one in answer.conflicts] == [
        ("stock_overspent", [ref]),
        ("stock_count", ["AAA1-0003"]),
    ]
    assert answer.conflicts[0].detail == {"slice": SLICE, "by": 5_000}


async def test_anothers_or_an_unknown_slice_is_a_case_and_counts_nowhere(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, stocked: str
) -> None:
    recorded(second, "returned", 25_000)
    recorded(second, "received", 5, "AAA2.1/beras/9")
    recorded(second, "returned", -1)
    answer = await second.push()
    assert [one.code for one in answer.conflicts] == ["stock_unknown", "stock_unknown"]
    assert answer.quarantined == [3]
    assert stock.show(central)[0]["returned"] == 0


async def test_what_cannot_be_allotted(central: Central, keeper: PlainKiosk) -> None:
    with pytest.raises(OfficerFault, match="no_stock_kept"):
        stock.allot(central, "beras", "AAA1", 1)
    importing.apply(central, city(programs=(program(version=2, stock=True),)))
    for words, fault in (
        (("gula", "AAA1", 1), "unknown_program"),
        (("beras", "ZZZ9", 1), "unknown_kiosk"),
        (("beras", "BBB1", 1), "kiosk_inactive"),
        (("beras", "AAA1", 0), "quantity"),
    ):
        with pytest.raises(OfficerFault, match=fault):
            stock.allot(central, *words)
    stock.allot(central, "beras", "AAA1", 7)
    kiosk_rows.revoke(central, "AAA1")
    assert [one["state"] for one in stock.show(central)] == ["in_doubt"]


async def test_a_void_is_asked_for_and_carried_out_by_the_kiosk(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, tmp_path: Path
) -> None:
    accounts.add(central, "ani", tmp_path / "ani.key")
    by = accounts.signer("ani", tmp_path / "ani.key")
    with pytest.raises(OfficerFault, match="unknown_ref"):
        orders.request_void(central, "AAA1-0001", "wrong sack", by)
    ref = keeper.dispense()
    await keeper.push()
    made = orders.request_void(central, ref, "wrong sack", by)
    assert orders.request_void(central, ref, "again", by)["id"] == made["id"]
    assert (await keeper.poll()).voids == [VoidRequest(ref=ref, reason="wrong sack", by="ani")]
    assert (await second.poll()).voids == []
    # Asked for is not done: the right stays spent until the kiosk's own record.
    assert overview.right(central, RICE)["spent"] == 10_000
    detail = {"goods": "returned", "restores": 10_000, "requested_by": "ani"}
    keeper.record(type="void", right=RICE, ref=ref, detail=detail)
    assert (await keeper.push()).conflicts == []
    assert (await keeper.poll()).voids == []
    assert overview.right(central, RICE)["spent"] == 0
    assert [(one["done_by"], one["by"]) for one in orders.listed(central)] == [("AAA1-0002", "ani")]
    with pytest.raises(OfficerFault, match="already_voided"):
        orders.request_void(central, ref, "once more", by)
    told = story.tell(central, RICE)["story"]
    assert [one["what"] for one in told] == ["entitlement", "grant", "pickup", "void_request", "void"]
    assert told[-1]["requested_by"] == "ani"


async def test_a_revoked_kiosk_is_asked_for_nothing(
    central: Central, keeper: PlainKiosk, tmp_path: Path
) -> None:
    accounts.add(central, "ani", tmp_path / "ani.key")
    ref = keeper.dispense()
    await keeper.push()
    kiosk_rows.revoke(central, "AAA1")
    with pytest.raises(OfficerFault, match="kiosk_revoked"):
        orders.request_void(central, ref, "wrong", accounts.signer("ani", tmp_path / "ani.key"))


def test_what_waits_for_an_officer_does_not_answer_every_poll_at_once() -> None:
    told = Told()
    asked = PollAnswer(
        changes_waiting=False,
        grant_rev=0,
        time_ms=0,
        incarnation=1,
        acked_seq=0,
        voids=[VoidRequest(ref="AAA1-0001", reason="r", by="ani")],
    )
    assert told.orders_are_new("AAA1", ["AAA1-0001"], 100)
    told.remember("AAA1", asked, 100)
    told.remember("AAA1", asked, 100 + TELL_ORDER_AGAIN_S - 1)
    assert not told.orders_are_new("AAA1", ["AAA1-0001"], 100 + TELL_ORDER_AGAIN_S - 1)
    assert told.orders_are_new("AAA1", ["AAA1-0001"], 100 + TELL_ORDER_AGAIN_S)
    assert told.orders_are_new("AAA1", ["AAA1-0001", "AAA1-0002"], 101)
