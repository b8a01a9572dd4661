"""The first of the month without central: last month's rights end at midnight, the new month's are there."""

from __future__ import annotations

from collections import Counter

import pytest

from kiosk.values import Checks, Collector
from tests.e2e.clocked import ClockedTown, Desk
from tests.faults.at_counter import DOCUMENTS, due
from tests.faults.counting import HandOuts, agree

pytestmark = pytest.mark.slow

MOST = 15
"""People at each counter on each of the two days."""


def a_day(desk: Desk, handed: HandOuts) -> Counter[str]:
    """Hands out to whoever comes; answers how often a right of each period was spent."""
    periods: Counter[str] = Counter()
    people = due(desk.counter, 0)
    for _, (visit, row) in zip(range(MOST), people, strict=False):
        pickup = desk.counter.confirm(
            visit, row.program_id, row.quantity, Collector(), Checks(DOCUMENTS), desk.session
        )
        desk.counter.mark_shown(pickup.ref)
        handed.add(pickup.ref, row.right)
        periods[row.right.split("/")[2]] += 1
    return periods


def test_the_first_of_a_month_offline(clocked_town: ClockedTown) -> None:
    town, handed = clocked_town, HandOuts()
    desks = [town.desk("IRM1"), town.desk("HDM1")]
    for desk in desks:
        march = a_day(desk, handed)
        assert march["2027-03"]
        assert not march["2027-04"]
    town.at(2027, 4, 1, 7, 0)
    for desk in desks:
        april = a_day(desk, handed)
        assert april["2027-04"]
        assert not april["2027-03"]
    with town.central_running():
        for desk in desks:
            assert desk.sync().waiting == 0
    cases = town.books().cases
    assert set(cases) <= {"overspend_tolerated"}
    agree("first of the month offline", 1, handed, town, tolerated=len(cases))
