"""The first minutes of a month, offline: the new month's rights are there already, last month's are over."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from kiosk.errors import OfficerFault
from kiosk.program import parse_program
from kiosk.rights import Handing, dispense
from kiosk.values import Checks, Collector, Grade, StateCode
from tests.e2e.clocked import ClockedTown, Desk
from tests.e2e.town import FARMER, FATHER, FERTILISER, IRINGMULYO, MOTHER, RICE, SEED

MARCH, APRIL = "f1/beras-keluarga/2027-03", "f1/beras-keluarga/2027-04"
ELDER, AID = "4438987150", "bantuan-lansia"


def refused(desk: Desk, card: str, program: str) -> OfficerFault:
    """The fault with which a hand-out is refused."""
    with pytest.raises(OfficerFault) as caught:
        desk.hand_out(card, program)
    return caught.value


def wait_until(condition: Callable[[], bool]) -> None:
    """Asks again and again until a condition holds."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def heal(town: ClockedTown, *desks: Desk) -> None:
    """Central is back, and everybody syncs."""
    with town.central_running():
        for desk in desks:
            assert desk.sync().waiting == 0


def test_offline_through_midnight(clocked_town: ClockedTown) -> None:
    town = clocked_town
    a, b = town.desk("IRM1"), town.desk("HDM1")
    town.at(2027, 3, 31, 23, 50)
    march = a.hand_out(MOTHER, RICE)
    assert refused(a, FATHER, RICE).code == "already_taken"
    assert refused(b, FATHER, RICE).code == "held_elsewhere"

    town.at(2027, 4, 1, 0, 0)
    april = a.hand_out(FATHER, RICE)
    assert april.at == "2027-04-01T00:00:00"
    assert refused(a, MOTHER, RICE).code == "already_taken"
    fault = refused(b, MOTHER, RICE)
    assert (fault.code, fault.detail["place"]) == ("held_elsewhere", IRINGMULYO)

    heal(town, a, b)
    books = town.books()
    assert {one.ref: one.right for one in books.handed} == {march.ref: MARCH, april.ref: APRIL}
    assert books.spent == {MARCH: 10_000, APRIL: 10_000}
    assert books.cases == []
    state = b.state(FATHER, RICE)
    assert (state.code, state.place, state.date) == (StateCode.TAKEN, IRINGMULYO, "2027-04-01")


def test_last_months_right_cannot_be_spent(clocked_town: ClockedTown) -> None:
    """Not by a card that was tapped before midnight, and not past the screen either."""
    town = clocked_town
    a = town.desk("IRM1")
    town.at(2027, 3, 31, 23, 59)
    visit = a.visit(MOTHER)
    assert next(row.right for row in visit.rows if row.program_id == RICE) == MARCH
    town.at(2027, 4, 1, 0, 1)
    pickup = a.confirm(visit, RICE)
    assert refused(a, MOTHER, RICE).code == "already_taken"
    handing = Handing(
        program=parse_program(a.counter._caches.current().program_docs([RICE])[RICE]),
        right=MARCH,
        entitlement=(1, 1),
        quantity=10_000,
        most=10_000,
        card_no=MOTHER,
        grade=Grade.P1,
        collector=Collector(),
        checks=Checks(("ktp",)),
        officer=a.session,
    )
    with pytest.raises(OfficerFault) as caught:
        dispense(a.counter._journal, handing)
    assert caught.value.code == "right_closed"

    heal(town, a)
    books = town.books()
    assert [(one.ref, one.right) for one in books.handed] == [(pickup.ref, APRIL)]
    assert books.spent == {APRIL: 10_000}


def test_taken_back_after_midnight(clocked_town: ClockedTown) -> None:
    """A void of the last minutes gives back a right that is over, and none of the new month."""
    town = clocked_town
    a, b = town.desk("IRM1"), town.desk("HDM1")
    town.at(2027, 3, 31, 23, 55)
    ref = a.hand_out(MOTHER, RICE).ref
    town.at(2027, 4, 1, 0, 3)
    assert a.counter.void(ref, "returned", "salah orang", a.session).voided
    again = a.hand_out(MOTHER, RICE)
    assert refused(a, MOTHER, RICE).code == "already_taken"
    assert refused(b, MOTHER, RICE).code == "held_elsewhere"

    heal(town, a, b)
    books = town.books()
    assert [(one.ref, one.right) for one in books.handed] == [(again.ref, APRIL)]
    assert books.spent == {APRIL: 10_000}
    assert books.cases == []


def test_a_new_season_and_a_new_quarter(clocked_town: ClockedTown) -> None:
    town = clocked_town
    a = town.desk("IRM1")
    old = [a.hand_out(FARMER, FERTILISER), a.hand_out(ELDER, AID)]
    assert refused(a, FARMER, SEED).code == "already_taken"
    town.at(2027, 4, 1, 7, 30)
    new = [a.hand_out(FARMER, SEED), a.hand_out(ELDER, AID)]
    assert refused(a, FARMER, FERTILISER).code == "already_taken"

    heal(town, a)
    assert {one.ref: one.right for one in town.books().handed} == {
        old[0].ref: "h7/sarana-tanam/2026-MT1",
        old[1].ref: "h5/bantuan-lansia/2027-Q1",
        new[0].ref: "h7/sarana-tanam/2026-MT2",
        new[1].ref: "h5/bantuan-lansia/2027-Q2",
    }


def test_two_months_without_central(clocked_town: ClockedTown) -> None:
    """Rights are placed one period ahead; after that a kiosk says that it needs the network."""
    town = clocked_town
    a = town.desk("IRM1")
    town.at(2027, 4, 30, 12, 0)
    april = a.hand_out(MOTHER, RICE)
    town.at(2027, 5, 1, 0, 1)
    assert a.state(MOTHER, RICE).code == StateCode.NEEDS_NETWORK
    assert refused(a, MOTHER, RICE).code == "right_not_held"
    with pytest.raises(OfficerFault) as caught:
        a.counter.sign_in("sekar", "719305")
    assert caught.value.code == "officer_stale"

    with town.central_running():
        wait_until(lambda: a.sync().grants > 0)  # central places the new rights soon after it starts
    may = a.hand_out(MOTHER, RICE)
    heal(town, a)
    books = town.books()
    assert {one.ref: one.right for one in books.handed} == {
        april.ref: APRIL,
        may.ref: "f1/beras-keluarga/2027-05",
    }


def test_a_clock_set_back_hands_out_nothing(clocked_town: ClockedTown) -> None:
    """Back in March after April's pickup: a person is asked, and March is not handed out again."""
    town = clocked_town
    a = town.desk("IRM1")
    town.at(2027, 4, 1, 8, 0)
    pickup = a.hand_out(MOTHER, RICE)
    town.clock.at = town.clock.at.replace(month=3, day=20)
    assert a.state(MOTHER, RICE).code == StateCode.DATE_IN_DOUBT
    assert refused(a, MOTHER, RICE).code == "date_in_doubt"
    assert "date_in_doubt" in a.counter.status().warnings
    town.clock.at = town.clock.at.replace(month=4, day=1)
    heal(town, a)
    assert [one.ref for one in town.books().handed] == [pickup.ref]
