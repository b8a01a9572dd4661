"""A ledger whose bytes were changed: set aside, salvaged up to its last good record, enrolled again."""

from __future__ import annotations

import random
import signal

import pytest

from tests.e2e.town import KioskAt, Town
from tests.faults.counter_work import hand_out_to_many
from tests.faults.counting import HandOuts, at_central, compare
from tests.faults.faulty_disk import Under
from tests.faults.shifts import seeded

pytestmark = pytest.mark.slow

PAGE = 4096
SENT, WAITING = 4, 5
"""Pickups that central has when the damage is done, and that it has not."""


def flip_a_page(kiosk: KioskAt, rng: random.Random) -> None:
    """One bit anywhere behind the ledger's first page."""
    path = kiosk.home / "ledger.db"
    content = bytearray(path.read_bytes())
    content[rng.randrange(PAGE, len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def tear(kiosk: KioskAt, rng: random.Random) -> None:
    """The end of the ledger never reached the disk."""
    path = kiosk.home / "ledger.db"
    pages = path.stat().st_size // PAGE
    with path.open("r+b") as file:
        file.truncate(rng.randrange(pages // 2, pages) * PAGE + rng.choice([0, 512]))


DAMAGE = {"flipped bit": flip_a_page, "torn end": tear}


def damaged_and_salvaged(town: Town, damage: str, rng: random.Random, disk: Under | None = None) -> None:
    """Half of the pickups are at central; the power may go while the rest is being salvaged."""
    kiosk, handed = town.kiosk("IRM1"), HandOuts()
    town.start_central()
    hand_out_to_many(kiosk, SENT, handed)
    assert kiosk.sync().answer["waiting"] == 0
    hand_out_to_many(kiosk, WAITING, handed)
    DAMAGE[damage](kiosk, rng)
    if disk is not None:
        under = disk(kiosk.home)
        under.prime()
        done = kiosk.run("journal", "salvage", env=under.environment(kill_at=rng.randint(1, 40)))
        assert done.code in (0, -signal.SIGKILL)
        under.cut(rng)
    outcome = kiosk.run("journal", "salvage")
    assert outcome.code == 0 or outcome.fault == "ledger_sound", outcome.answer
    assert list(kiosk.home.glob("ledger.damaged-*.db")), "the damaged file is kept"
    assert kiosk.status()["frozen"] == "ledger_salvaged"
    kiosk.sync()  # what central has more of is no reason to keep back the rest
    code, ticket = town.central("kiosk", "ticket", "IRM1")
    assert code == 0
    code, answer = kiosk.run("enrol", ticket["ticket"], "--central", town.url)
    assert code == 0, answer
    assert kiosk.sync().answer["waiting"] == 0
    # Rights of the lost generation are in doubt: nobody is served a second time in this period.
    known = at_central(town.database)
    outcome_ = compare(f"ledger damaged: {damage}", 1, handed, town)
    assert (outcome_.doubled, outcome_.unfounded) == (0, 0)
    assert outcome_.lost <= WAITING, "central has forgotten"
    assert known.total() >= SENT


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_ledger(town: Town, damage: str) -> None:
    damaged_and_salvaged(town, damage, seeded(damage))


@pytest.mark.soak
def test_the_power_goes_during_salvage(town: Town, disk_under: Under) -> None:
    damaged_and_salvaged(town, "flipped bit", seeded("salvage cut"), disk_under)


@pytest.mark.soak
@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("number", range(10))
def test_many_damaged_ledgers(town: Town, disk_under: Under, damage: str, number: int) -> None:
    damaged_and_salvaged(town, damage, seeded(f"{damage} {number}"), disk_under if number % 2 else None)
