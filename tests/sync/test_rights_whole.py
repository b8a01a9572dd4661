"""Rights between whole kiosks and a whole central: lost kiosks, stock, voids asked for, merges, retiring."""

from __future__ import annotations

import pytest

from kiosk.program import Program
from kiosk.retiring import retire
from kiosk.rights import Handing, dispense
from kiosk.tolerate import WithoutRight
from kiosk.values import Checks, Collector, Grade, OfficerSession
from sync.central import (
    accounts,
    audit,
    cases,
    holder_merge,
    importing,
    kiosk_rows,
    orders,
    overview,
    stock,
    writeoff,
)
from sync.central.accounts import Signer
from sync.wire import RightsRequest
from tests.sync.central_side import CARD_1, RICE, city, entitlement, place, program
from tests.sync.whole import Kiosk, Whole

RICE_2 = "h2/beras/2026-11"
OIL = "h1/minyak/2026-11"
LIMITS = {"amount": 50_000, "count": 5, "days": 7}


@pytest.fixture
def keeper(whole: Whole) -> Kiosk:
    """AAA1, enrolled and in step, the rights of point 1 with it."""
    made = whole.enrol()
    assert made.sync() == ""
    return made


@pytest.fixture
def second(whole: Whole, keeper: Kiosk) -> Kiosk:
    """AAA2, the second counter of point 1."""
    made = whole.enrol("AAA2")
    assert made.sync() == ""
    return made


def signer(whole: Whole, name: str) -> Signer:
    """A new account's key."""
    accounts.add(whole.central, name, whole.root / f"{name}.key")
    return accounts.signer(name, whole.root / f"{name}.key")


def take(kiosk: Kiosk, right: str = RICE) -> str:
    """Asks central for a right and syncs; answers its word."""
    word = kiosk.engine.client.ask_rights(RightsRequest(rights=[right])).answers[0].status
    assert kiosk.sync() == ""
    return word


def handing(one: Program, right: str, quantity: int, **changes: object) -> Handing:
    """A hand-out under a program that is not plain rice."""
    plain: dict[str, object] = {
        "program": one,
        "right": right,
        "entitlement": (1, 1),
        "quantity": quantity,
        "most": quantity,
        "card_no": CARD_1,
        "grade": Grade.P1,
        "collector": Collector(),
        "checks": Checks(),
        "officer": OfficerSession("ani", "Ani", "officer", ""),
    }
    return Handing(**(plain | changes))  # type: ignore[arg-type]


def settled(whole: Whole) -> None:
    """The journals at central say what its tables say."""
    report = audit.audit(whole.central)
    assert report.code == "", report.as_json()


def test_a_lost_kiosk_s_rights_are_written_off_and_what_it_did_comes_to_light(
    whole: Whole, keeper: Kiosk, second: Kiosk
) -> None:
    late = keeper.hand_out()
    kiosk_rows.revoke(whole.central, "AAA1")
    assert take(second) == "held"
    ani, budi = signer(whole, "ani"), signer(whole, "budi")
    made = writeoff.ask_for_kiosk(whole.central, "AAA1", None, "stolen", ani)
    assert take(second) == "held"
    assert writeoff.approve(whole.central, made, budi)["freed"] == 4
    assert take(second) == "granted"
    second.hand_out()
    assert second.sync() == ""
    assert keeper.sync() == "kiosk_revoked"  # its journal is taken all the same
    (case,) = cases.listed(whole.central)
    assert (case["code"], case["detail"]["writeoff"]) == ("written_off", made)
    assert case["refs"] == ["AAA2-0001", f"AAA1-{late.seq:04d}"]
    settled(whole)


def test_a_retired_kiosk_s_rights_are_free_at_once_and_do_not_come_back_to_it(
    whole: Whole, keeper: Kiosk, second: Kiosk
) -> None:
    assert retire(keeper.journal, "ani").rights == 4
    # The round that brings its word to central ends well, and so do those after it.
    assert [keeper.sync(), keeper.sync()] == ["", ""]
    assert keeper.engine.ledger.waiting() == 0
    assert place(whole.central) == 0
    assert overview.status(whole.central)["rights"]["held"] == 0
    assert [take(second), take(second, RICE_2)] == ["granted", "granted"]
    assert second.holds()
    settled(whole)


def test_stock_comes_is_used_and_goes_back(whole: Whole, keeper: Kiosk) -> None:
    bagged = program(version=2, stock=True)
    importing.apply(whole.central, city(programs=(bagged,)))
    stock.allot(whole.central, "beras", "AAA1", 25_000)
    assert keeper.sync() == ""
    dispense(keeper.journal, handing(bagged, RICE, 10_000))
    assert keeper.sync() == ""
    (told,) = stock.show(whole.central)
    assert (told["state"], told["spent"], told["left"]) == ("received", 10_000, 15_000)
    retire(keeper.journal, "ani")
    keeper.sync()
    (told,) = stock.show(whole.central)
    assert (told["state"], told["returned"], told["left"]) == ("closed", 15_000, 0)
    assert whole.cases() == []
    settled(whole)


def test_a_void_asked_for_at_central_is_the_kiosk_s_own_record(whole: Whole, keeper: Kiosk) -> None:
    record = keeper.hand_out()
    assert keeper.sync() == ""
    ref = f"AAA1-{record.seq:04d}"
    orders.request_void(whole.central, ref, "wrong sack", signer(whole, "ani"))
    assert not keeper.holds()
    assert keeper.sync() == ""
    assert keeper.sync() == ""
    assert overview.right(whole.central, RICE)["spent"] == 0
    assert orders.listed(whole.central)[0]["done_by"] == f"AAA1-{record.seq + 1:04d}"
    assert keeper.holds()
    keeper.hand_out()
    assert keeper.sync() == ""
    assert whole.cases() == []
    settled(whole)


def test_raised_after_the_pickup_the_difference_is_handed_out_and_no_more(
    whole: Whole, keeper: Kiosk
) -> None:
    keeper.hand_out()
    importing.apply(whole.central, city(entitlements=(entitlement(1, "h1", 12_000, version=2),)))
    assert keeper.sync() == ""
    assert keeper.sync() == ""
    held = keeper.engine.ledger.right(RICE)
    assert held is not None
    assert (held.quantity_left, held.epoch) == (2_000, (1, 2))
    keeper.hand_out(quantity=2_000)
    assert keeper.sync() == ""
    assert (overview.right(whole.central, RICE)["spent"], whole.cases()) == (12_000, [])
    settled(whole)


def test_both_counters_cut_off_overspend_once_and_one_case_names_both(
    whole: Whole, keeper: Kiosk, second: Kiosk
) -> None:
    oil = program("minyak", mode="tolerate", tolerate=LIMITS)
    importing.apply(
        whole.central, city(programs=(oil,), entitlements=(entitlement(9, "h1", program_id="minyak"),))
    )
    assert keeper.sync() == ""
    assert keeper.holds(OIL)
    without = WithoutRight(total=10_000, spent=0)
    dispense(second.journal, handing(oil, OIL, 10_000, without=without))
    dispense(keeper.journal, handing(oil, OIL, 10_000))
    assert (second.sync(), keeper.sync(), second.sync()) == ("", "", "")
    (case,) = cases.listed(whole.central)
    assert (case["code"], set(case["refs"])) == ("overspend_tolerated", {"AAA1-0001", "AAA2-0001"})
    assert case["id"].startswith(f"{OIL}#")
    settled(whole)


def test_merged_holders_get_the_rest_once(whole: Whole, keeper: Kiosk) -> None:
    keeper.hand_out(RICE_2)
    holder_merge.merge(whole.central, 1, 2)
    # Cut off, the kiosk cannot know: what it holds for the other card is handed out as granted.
    keeper.hand_out(RICE)
    for _ in range(3):
        assert keeper.sync() == ""
    place(whole.central)
    assert keeper.sync() == ""
    assert not keeper.holds(RICE)
    assert not keeper.holds(RICE_2)
    assert overview.right(whole.central, RICE)["spent"] == 20_000
    assert set(whole.cases()) <= {"exposure"}
    settled(whole)


def test_an_idle_merged_right_comes_back_and_the_other_is_granted_with_the_rest(
    whole: Whole, keeper: Kiosk
) -> None:
    holder_merge.merge(whole.central, 1, 2)
    for _ in range(3):
        assert keeper.sync() == ""
        place(whole.central)
    assert keeper.sync() == ""
    assert (keeper.holds(RICE), keeper.holds(RICE_2)) == (True, False)
    assert overview.right(whole.central, RICE)["waits"] is False
    keeper.hand_out(RICE)
    assert keeper.sync() == ""
    assert whole.cases() == []
    settled(whole)
