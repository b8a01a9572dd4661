"""A grant's terms stand while it is held, and more that is granted after a pickup can be collected."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kiosk.errors import CardFault, OfficerFault
from kiosk.grant import Term, terms_in
from kiosk.journal_format import Record, decode
from kiosk.ledger import JOURNAL
from kiosk.rights import release
from kiosk.values import StateCode
from tests.kiosk.counter_world import World, program

RICE = "h1/beras/2026-11"


def newest(world: World) -> Record:
    """The newest record."""
    return decode(bytes(world.ledger.row(f"SELECT record FROM {JOURNAL} ORDER BY seq DESC LIMIT 1")[0]))


def row(world: World) -> Any:
    """The rice's row."""
    return world.counter.read(world.card()).rows[0]


def test_what_is_as_it_was_granted_is_not_marked(world: World) -> None:
    world.take_in(world.grant())
    world.confirm(world.sign_in())
    assert "within_grant" not in newest(world).detail


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2, "status": "ended"},
        {"status": "ended"},
        {"version": 2, "valid_until": "2026-11-01"},
        {"version": 2, "valid_from": "2026-12-01"},
        {"version": 2},
    ],
)
def test_an_entitlement_ended_or_changed_is_handed_out_as_granted(
    world: World, changes: dict[str, Any]
) -> None:
    world.take_in(world.grant())
    world.entitle(1, "h1", "beras", 10_000, **changes)
    assert row(world).state.code is StateCode.READY
    world.confirm(world.sign_in())
    detail = newest(world).detail
    assert (detail["within_grant"], detail["entitlement"]) == (True, [1, 1])


def test_a_cut_leaves_the_granted_quantity_until_the_recall_is_answered(world: World) -> None:
    world.take_in(world.grant())
    world.entitle(1, "h1", "beras", 6_000, version=2)
    assert row(world).quantity == 10_000
    release(world.counter._journal, RICE)
    assert (row(world).state.code, row(world).quantity) == (StateCode.NEEDS_NETWORK, 6_000)


def test_a_cache_that_is_older_than_the_grant_changes_nothing(world: World) -> None:
    world.entitle(1, "h1", "beras", 10_000, status="ended")
    world.take_in(world.grant(quantity=15_000, terms=(Term("beras", 2, 1, 2, 15_000),)))
    assert (row(world).state.code, row(world).quantity) == (StateCode.READY, 15_000)
    world.confirm(world.sign_in(), quantity=15_000)
    detail = newest(world).detail
    assert (detail["entitlement"], detail["spends"], "within_grant" in detail) == ([1, 2], 15_000, False)


def test_without_the_grant_an_ended_entitlement_is_ended(world: World) -> None:
    world.entitle(1, "h1", "beras", 10_000, version=2, status="ended")
    assert row(world).state.code is StateCode.ENDED
    world.take_in(world.grant(not_after=int(world.clock.now().timestamp())))
    assert row(world).state.code is StateCode.ENDED
    with pytest.raises(OfficerFault) as refused:
        world.confirm(world.sign_in())
    assert refused.value.code == "ended"


def test_a_program_that_ended_early_is_handed_out_as_granted(world: World) -> None:
    world.take_in(world.grant())
    world.put_program(program(version=2, valid_until="2026-11-10"))
    assert row(world).state.code is StateCode.READY
    world.confirm(world.sign_in())
    assert newest(world).detail["within_grant"] is True
    assert newest(world).program_version == "beras@2"


def test_the_grants_own_end_still_holds(world: World) -> None:
    world.take_in(world.grant(not_after=int((world.clock.now() + timedelta(days=1)).timestamp())))
    world.entitle(1, "h1", "beras", 10_000, version=2, status="ended")
    world.clock.go_on(timedelta(days=1))
    assert row(world).state.code is StateCode.ENDED


def test_a_blocked_holder_gets_nothing_whatever_was_granted(world: World) -> None:
    world.take_in(world.grant())
    world.put_holder(1, "SITI RAHAYU", family=7, status="blocked")
    world.entitle(1, "h1", "beras", 10_000, version=2, status="ended")
    with pytest.raises(CardFault) as refused:
        row(world)
    assert refused.value.code == "card_blocked"


def test_another_record_of_the_same_person_does_not_hide_the_grants_own(world: World) -> None:
    terms = (Term("beras", 1, 1, 1, 8_000), Term("beras", 1, 2, 1, 10_000))
    world.take_in(world.grant(terms=terms))
    world.entitle(2, "h1", "beras", 10_000)
    world.confirm(world.sign_in())
    assert newest(world).detail["entitlement"] == [2, 1]
    assert "within_grant" not in newest(world).detail


def test_a_grant_from_before_terms_were_kept_is_read_from_its_bytes(world: World) -> None:
    world.take_in(world.grant())
    known = world.ledger.right(RICE)
    assert known is not None
    assert known.terms == terms_in(known.grant) == '[["beras",1,1,1,10000]]'
    assert terms_in(b"garbage") == ""
    world.ledger.db.conn.execute("UPDATE rights SET terms = ''")
    world.entitle(1, "h1", "beras", 10_000, version=2)
    world.confirm(world.sign_in())
    assert "within_grant" not in newest(world).detail


def test_more_granted_after_the_pickup_is_collectable_and_the_screen_says_how_much(world: World) -> None:
    rina = world.sign_in()
    world.take_in(world.grant())
    world.confirm(rina)
    taken = newest(world)
    world.entitle(1, "h1", "beras", 15_000, version=2)
    assert row(world).state.code is StateCode.TAKEN  # until central has granted it
    more = world.grant(n=2, quantity=5_000, terms=(Term("beras", 1, 1, 2, 15_000),), upto_seq=taken.seq)
    world.take_in(more)
    shown = row(world)
    assert (shown.state.code, shown.quantity, shown.quantity_text.id) == (StateCode.READY, 5_000, "5 kg")
    with pytest.raises(OfficerFault) as refused:
        world.confirm(rina, quantity=15_000)
    assert refused.value.code == "quantity"
    world.confirm(rina, quantity=5_000)
    assert (newest(world).epoch, "within_grant" in newest(world).detail) == ((1, 2), False)
    assert row(world).state.code is StateCode.TAKEN


def test_more_granted_while_the_pickup_is_on_its_way_is_no_more_than_the_difference(world: World) -> None:
    rina = world.sign_in()
    world.take_in(world.grant())
    world.confirm(rina)
    world.entitle(1, "h1", "beras", 15_000, version=2)
    world.take_in(world.grant(n=2, quantity=15_000, terms=(Term("beras", 1, 1, 2, 15_000),)))
    assert row(world).quantity == 5_000


def test_a_supplement_that_lies_elsewhere_is_asked_for(world: World) -> None:
    rina = world.sign_in()
    world.take_in(world.grant())
    world.confirm(rina)
    release(world.counter._journal, RICE)
    world.entitle(1, "h1", "beras", 15_000, version=2)
    world.put("right", RICE, "", 0, 15_000, 10_000, "2026-11-20T09:00:00", 1, "IRM1-0002")
    world.set_online(True)
    visit = world.counter.read(world.card(), rina)
    assert visit.rows[0].state.code is StateCode.CHECKING
    assert len(world.counter.acquire(visit, rina)) == 1
