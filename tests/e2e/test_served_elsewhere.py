"""With everybody online a right moves to where its holder stands, and is never in two places."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kiosk.errors import CardFault, OfficerFault
from kiosk.values import StateCode, Visit
from sync.central import following
from tests.e2e.clocked import ClockedTown, Desk
from tests.e2e.town import CHECK, FARMER, HADIMULYO, IRINGMULYO, MOTHER

RIGHT = "h1/periksa-kesehatan/2027"


def ask(desk: Desk, visit: Visit) -> str:
    """Asks central for the rights that a visit lacks, and waits for its word on the one of interest."""
    (future,) = desk.counter.acquire(visit, desk.session)
    return future.result(timeout=30)[RIGHT].status


def test_a_right_is_recalled_and_served_elsewhere(clocked_town: ClockedTown) -> None:
    town = clocked_town
    a, b = town.desk("IRM1"), town.desk("HDM1")
    with town.central_running():
        b.sync()
        visit = b.visit(MOTHER)
        assert ask(b, visit) == "recalled"
        assert a.sync().released == 2  # her rice was asked for as well
        # Given up here, and not handed out again from memory.
        assert a.state(MOTHER, CHECK).code != StateCode.READY
        assert ask(b, visit) == "granted"
    pickup = b.confirm(visit, CHECK)
    b.counter.leave(visit)
    with pytest.raises(OfficerFault) as caught:
        a.hand_out(MOTHER, CHECK)
    assert caught.value.code in ("held_elsewhere", "right_not_held")
    with town.central_running():
        b.sync()
        a.sync()
    books = town.books()
    assert [(one.ref, one.right, one.kiosk) for one in books.handed] == [(pickup.ref, RIGHT, "HDM1")]
    state = a.state(MOTHER, CHECK)
    assert (state.code, state.place) == (StateCode.TAKEN, HADIMULYO)


def test_a_recall_that_comes_too_late(clocked_town: ClockedTown) -> None:
    """The right was spent while the recall was on its way: the pickup stands and the other one hears so."""
    town = clocked_town
    a, b = town.desk("IRM1"), town.desk("HDM1")
    with town.central_running():
        b.sync()
        visit = b.visit(MOTHER)
        assert ask(b, visit) == "recalled"
        pickup = a.hand_out(MOTHER, CHECK)
        a.sync()
        b.sync()
    with pytest.raises(OfficerFault) as caught:
        b.confirm(visit, CHECK)
    assert (caught.value.code, caught.value.detail["place"]) == ("already_taken", IRINGMULYO)
    assert [one.ref for one in town.books().handed] == [pickup.ref]


def test_a_right_that_was_not_used_goes_back(clocked_town: ClockedTown) -> None:
    """Its holder left the other counter without it, and finds it at the usual place again."""
    town = clocked_town
    a, b = town.desk("IRM1"), town.desk("HDM1")
    with town.central_running():
        b.sync()
        visit = b.visit(MOTHER)
        assert ask(b, visit) == "recalled"
        a.sync()
        assert ask(b, visit) == "granted"
        visit = b.counter.refresh(visit, b.session)
        assert b.look(visit, CHECK).code == StateCode.READY
        b.counter.leave(visit)
        assert b.state(MOTHER, CHECK).code != StateCode.READY
        b.sync()
        town.at(2027, 3, 31, 16, 5)
        a.sync()
    assert a.state(MOTHER, CHECK).code == StateCode.READY
    assert town.books().handed == []


def test_a_card_from_elsewhere_is_looked_up_and_served(clocked_town: ClockedTown) -> None:
    """This counter follows its own point alone: it knows nobody of the other one until they come."""
    town = clocked_town
    a, b = town.desk("IRM1"), town.desk("HDM1")
    with town.central_running() as central:
        following.set_followed(central, "HDM1", ())
        b.sync()
        first = b.visit(MOTHER)
        assert (first.asking, first.holder_id, first.rows) == (True, 0, ())
        visit = b.looked_up(MOTHER)
        assert visit.full_name
        assert ask(b, visit) == "recalled"
        a.sync()
        assert ask(b, visit) == "granted"
        pickup = b.confirm(b.counter.refresh(visit, b.session), CHECK)
        b.counter.leave(visit)
        b.sync()
        a.sync()
        assert a.state(MOTHER, CHECK).place == HADIMULYO
    # Known for the day, and told apart from nobody when the network is away.
    town.clock.go_on(timedelta(minutes=5))
    assert b.state(MOTHER, CHECK).code == StateCode.TAKEN
    with pytest.raises(CardFault) as caught:
        b.visit(FARMER)
    assert (caught.value.code, caught.value.detail["why"]) == ("card_from_elsewhere", "offline")
    assert [(one.ref, one.kiosk) for one in town.books().handed] == [(pickup.ref, "HDM1")]
