"""A clock that is wrong: a person is asked for the date, nothing goes out twice, and central takes it all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.town import CHECK, MOTHER, RICE, Town
from tests.faults.counter_work import journal_of, note, pick_up
from tests.faults.counting import HandOuts, agree
from tests.faults.shifts import shift, sort_out

pytestmark = pytest.mark.slow

OffBy = Callable[[int], dict[str, str]]
DAY_S = 86_400
WRONG = {
    "an hour back": -3600,
    "two days back": -2 * DAY_S,
    "a month on": 31 * DAY_S,
    "the year 2020": -6 * 366 * DAY_S,
    "the year 2031": 5 * 365 * DAY_S,
}
SUPERVISOR = "sekar"


def today() -> date:
    """The date where the kiosks stand."""
    return datetime.now(ZoneInfo("Asia/Jakarta")).date()


def test_a_clock_that_goes_back_and_forth(town: Town, clock_off_by: OffBy) -> None:
    """Each time the counter opens on another date, and each time it is refused until a person looks."""
    kiosk, handed = town.kiosk("IRM1"), HandOuts()
    town.start_central()
    assert shift(kiosk, handed, 1, 1).code == 0
    for name, seconds in WRONG.items():
        done = shift(kiosk, handed, 2, 2, disk=clock_off_by(seconds))
        # Nobody is shown anything to collect, or the officer's own data has become too old.
        assert done.code == 2 or [event["event"] for event in done.events] == ["ready", "done"], name
        assert (done.code == 2) is (done.fault == "officer_stale"), name
        outcome = kiosk.run("sync", "--once", env=clock_off_by(seconds))
        assert (outcome.code, outcome.fault) == (1, "clock"), name
    assert shift(kiosk, handed, 3, 2).code == 0
    sort_out(kiosk, handed)
    assert kiosk.sync().answer["waiting"] == 0
    agree("clock back and forth, wrong year", len(WRONG), handed, town)
    assert town.books().of("IRM1") == journal_of(kiosk).hashes
    assert town.books().cases == []


def test_a_supervisor_confirms_the_date(town: Town, clock_off_by: OffBy) -> None:
    """On a machine that woke up in 2020 the day's rights are handed out, once, and none of another year."""
    kiosk, handed = town.kiosk("IRM1"), HandOuts()
    wrong = clock_off_by(WRONG["the year 2020"])
    words = kiosk.confirm_words(MOTHER, CHECK)
    assert kiosk.run(*words, officer="rina", env=wrong).fault == "date_in_doubt"
    confirming = ("clock", "confirm", "--officer", SUPERVISOR, "--date", str(today()))
    assert kiosk.run(*confirming, officer=SUPERVISOR, env=wrong).code == 0
    note(kiosk, handed, kiosk.run(*words, officer="rina", env=wrong).answer["ref"])
    assert kiosk.run(*words, officer="rina", env=wrong).fault == "already_taken"
    # The clock is set right: still taken, and the rest goes on.
    assert kiosk.confirm(MOTHER, CHECK).fault == "already_taken"
    pick_up(kiosk, handed, MOTHER, RICE)
    town.start_central()
    assert kiosk.sync().answer["waiting"] == 0
    agree("wrong year, date confirmed by a supervisor", 1, handed, town)
    rights = {right for _, right in handed.told}
    assert {right.split("/")[2] for right in rights} == {str(today().year), f"{today():%Y-%m}"}
