"""Stock: slices come signed, are used up in the hand-out's own transaction, and go back by a record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kiosk import stock
from kiosk.errors import CentralFault, OfficerFault
from kiosk.journal import Draft
from kiosk.journal_format import decode
from kiosk.journal_walk import verify_journal
from kiosk.ledger import JOURNAL
from kiosk.stock_records import give_back, receive
from kiosk.stock_slice import StockSlice, make, open_slice, program_of_slice
from tests.kiosk.counter_world import SUPERVISOR, World, program

SLICE = StockSlice("IRM1.1/beras/1", "beras", "IRM1", 1, 25_000, 1_790_000_000)


def signed(world: World, one: StockSlice = SLICE) -> bytes:
    """A slice as central signs it."""
    return make(one, world.city.central, b"c-now")


@pytest.fixture
def stocked(world: World) -> World:
    """Rice is handed out from stock; three holders have their rights here; 25 kg lie here."""
    world.put_program(program(stock=True))
    for holder in (1, 2, 3):
        if holder > 1:
            world.put_holder(holder, f"ORANG {holder}")
            world.entitle(holder, f"h{holder}", "beras", 10_000)
        world.take_in(world.grant(f"h{holder}/beras/2026-11"))
    assert receive(world.counter._journal, [signed(world)], world.home.keyset()) == 1
    return world


def left(world: World) -> list[int]:
    """What is left of each slice."""
    return [one.left for one in world.counter.stock()]


def stock_records(world: World) -> list[tuple[str, int]]:
    """What the journal says of stock."""
    rows = world.ledger.rows(f"SELECT record FROM {JOURNAL} WHERE type = 'stock' ORDER BY seq")
    details = [decode(bytes(row[0])).detail for row in rows]
    return [(str(one["what"]), int(one["quantity"])) for one in details]


def test_a_slice_is_used_up_and_then_there_is_no_stock(stocked: World) -> None:
    rina = stocked.sign_in()
    stocked.confirm(rina, holder_id=1)
    stocked.confirm(rina, holder_id=2)
    assert left(stocked) == [5_000]
    with pytest.raises(OfficerFault) as refused:
        stocked.confirm(rina, holder_id=3)
    assert (refused.value.code, refused.value.detail) == ("no_stock", {"program": "beras", "left": 5_000})
    newest = decode(bytes(stocked.ledger.row(f"SELECT record FROM {JOURNAL} ORDER BY seq DESC")[0]))
    assert (newest.type, newest.detail["state"]) == ("refusal", "no_stock")
    assert left(stocked) == [5_000]
    assert verify_journal(stocked.ledger)["intact"]


def test_the_hand_out_names_its_slice_and_taking_it_back_fills_it_again(stocked: World) -> None:
    rina = stocked.sign_in()
    ref = stocked.confirm(rina).ref
    row = stocked.ledger.row(f"SELECT record FROM {JOURNAL} WHERE type = 'dispense'")
    assert decode(bytes(row[0])).detail["slice"] == SLICE.id
    assert left(stocked) == [15_000]
    stocked.counter.void(ref, "returned", "rusak", rina)
    assert left(stocked) == [25_000]


def test_a_program_without_stock_uses_none(world: World) -> None:
    world.take_in(world.grant())
    receive(world.counter._journal, [signed(world)], world.home.keyset())
    world.confirm(world.sign_in())
    assert left(world) == [25_000]


def test_one_slice_gives_one_hand_out_the_oldest_first(stocked: World) -> None:
    rina = stocked.sign_in()
    more = replace(SLICE, id="IRM1.1/beras/2", quantity=10_000)
    receive(stocked.counter._journal, [signed(stocked, more)], stocked.home.keyset())
    stocked.confirm(rina, holder_id=1)
    stocked.confirm(rina, holder_id=2)
    assert left(stocked) == [5_000, 10_000]
    stocked.confirm(rina, holder_id=3)  # 5 kg of the first one are too few
    assert left(stocked) == [5_000, 0]


def test_a_slice_that_comes_again_is_recorded_once(stocked: World) -> None:
    again = [signed(stocked), signed(stocked)]
    assert receive(stocked.counter._journal, again, stocked.home.keyset()) == 0
    assert stock_records(stocked) == [("received", 25_000)]


@pytest.mark.expects_log
def test_what_cannot_be_believed_or_is_anothers_holds_up_no_other(world: World) -> None:
    foreign = make(SLICE, world.city.stranger, b"c-now")
    others = replace(SLICE, id="HDM1.1/beras/1", kiosk="HDM1")
    older = replace(SLICE, id="IRM1.2/beras/1", gen=2)
    came = [b"garbage", foreign, signed(world, others), signed(world, older), signed(world)]
    assert receive(world.counter._journal, came, world.home.keyset()) == 1
    assert [one.id for one in world.counter.stock()] == [SLICE.id]


def test_what_is_left_goes_back_once(stocked: World) -> None:
    rina = stocked.sign_in()
    stocked.confirm(rina)
    budi = stocked.sign_in(SUPERVISOR)
    assert stocked.counter.journal_of_supervisor(budi) is stocked.counter._journal
    assert give_back(stocked.counter._journal, "budi", "telur") == []
    (record,) = give_back(stocked.counter._journal, "budi", "beras")
    assert record.detail == {"what": "returned", "slice": SLICE.id, "quantity": 15_000}
    assert record.officer == "budi"
    assert give_back(stocked.counter._journal, "budi") == []
    assert left(stocked) == [0]
    with pytest.raises(OfficerFault) as refused:
        stocked.confirm(rina, holder_id=2)
    assert refused.value.code == "no_stock"


def test_what_comes_back_after_the_return_can_be_handed_out_or_returned_again(stocked: World) -> None:
    rina = stocked.sign_in()
    ref = stocked.confirm(rina).ref
    give_back(stocked.counter._journal, "budi")
    stocked.counter.void(ref, "returned", "rusak", rina)
    assert left(stocked) == [10_000]
    assert [record.quantity for record in give_back(stocked.counter._journal, "budi")] == [10_000]


def test_more_than_is_left_is_never_given_back(stocked: World) -> None:
    detail: dict[str, Any] = {"what": "returned", "slice": SLICE.id, "quantity": 25_001}
    with pytest.raises(OfficerFault) as refused:
        stocked.counter._journal.append(lambda _: Draft(type="stock", detail=detail))
    assert (refused.value.code, left(stocked)) == ("no_stock", [25_000])


def test_an_older_generations_slices_are_not_used(stocked: World) -> None:
    assert stock.slices(stocked.ledger.db.conn, 2) == []
    with pytest.raises(OfficerFault):
        stock.take_from(stocked.ledger.db.conn, 2, "beras", 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "IRM1.1/beras"},
        {"id": "IRM1.2/beras/1"},
        {"id": "HDM1.1/beras/1"},
        {"id": "IRM1.1/telur/1"},
        {"id": "IRM1.1/beras/0"},
        {"quantity": 0},
    ],
)
def test_a_slice_whose_id_says_otherwise_is_refused(world: World, changes: dict[str, Any]) -> None:
    with pytest.raises(CentralFault) as refused:
        open_slice(signed(world, replace(SLICE, **changes)), world.home.keyset())
    assert refused.value.code == "slice_refused"


def test_a_slice_names_its_program() -> None:
    assert program_of_slice(SLICE.id) == "beras"
    with pytest.raises(ValueError, match="not the id"):
        program_of_slice("beras")
