"""Two machines with one identity, old disks, older generations: who is fenced, and when."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import select

from kiosk.errors import OfficerFault
from sync.central.models import journal, journal_branch, kiosk, kiosk_gen, pickup, rights
from tests.sync.central_side import RICE
from tests.sync.whole import Kiosk, Whole

RICE_2 = "h2/beras/2026-11"


@pytest.fixture
def first(whole: Whole) -> Kiosk:
    """AAA1, enrolled and in step, its rights with it."""
    made = whole.enrol()
    assert made.sync() == ""
    return made


def shut(one: Kiosk) -> bool:
    """True if nothing can be handed out there."""
    try:
        one.hand_out(RICE_2)
    except OfficerFault as fault:
        return fault.code == "frozen"
    return False


def at_central(whole: Whole) -> tuple[str, list[str], int, int]:
    """The kiosk's state, the pickups known, and how many records are in the chain and beside it."""
    with whole.central.database.read() as connection:
        state = connection.execute(select(kiosk.c.state).where(kiosk.c.id == "AAA1")).scalar_one()
        refs = sorted(connection.execute(select(pickup.c.ref)).scalars())
        chain = len(connection.execute(select(journal.c.seq)).all())
        beside = len(connection.execute(select(journal_branch.c.seq)).all())
    return state, refs, chain, beside


def test_the_second_of_two_to_push_forks_and_both_are_shut_out(whole: Whole, first: Kiosk) -> None:
    clone = whole.copy(first, "clone")
    first.hand_out()
    clone.hand_out()
    clone.note()
    assert first.sync() == ""
    assert not shut(clone)  # cut off, it cannot know
    assert clone.sync() == "journal_fork"
    assert shut(clone)
    # The first one learns of it at its next contact.
    assert first.sync() == "kiosk_frozen"
    assert shut(first)
    state, refs, chain, beside = at_central(whole)
    assert (state, chain, beside) == ("frozen", 1, 3)
    assert len(refs) == 3
    assert "AAA1-0001" in refs
    assert whole.cases().count("fork") == 1
    # Nothing either of them holds is granted to anybody else.
    with whole.central.database.read() as connection:
        held = connection.execute(select(rights.c.in_doubt).where(rights.c.held_by == "AAA1")).scalars()
        assert set(held) == {True}


def test_both_sides_of_a_fork_go_on_being_taken(whole: Whole, first: Kiosk) -> None:
    clone = whole.copy(first, "clone")
    first.note()
    clone.note()
    assert first.sync() == ""
    assert clone.sync() == "journal_fork"
    first.note()
    clone.note()
    clone.note()
    for one in (first, clone, first, clone):
        one.sync()
    assert (first.engine.ledger.waiting(), clone.engine.ledger.waiting()) == (0, 0)
    _, _, chain, beside = at_central(whole)
    assert (chain, beside) == (2, 3)
    assert whole.cases() == ["fork"]


def test_an_idle_copy_is_fenced_by_its_first_poll(whole: Whole, first: Kiosk) -> None:
    clone = whole.copy(first, "clone")
    first.hand_out()
    assert first.sync() == ""
    assert clone.sync() == "ledger_rolled_back"
    assert shut(clone)
    # It says so with its next poll: what it holds may have been handed out, so the kiosk stands still.
    clone.sync()
    assert whole.cases() == ["rolled_back"]
    assert at_central(whole)[0] == "frozen"
    clone.sync()
    assert whole.cases() == ["rolled_back"]


def test_a_restored_disk_is_fenced_whether_it_writes_first_or_asks_first(
    whole: Whole, first: Kiosk, tmp_path: Path
) -> None:
    first.stop()
    shutil.copytree(first.path, tmp_path / "image")
    first.hand_out()
    assert first.sync() == ""
    first.stop()
    shutil.rmtree(first.path)
    shutil.copytree(tmp_path / "image", first.path)
    # The journal of the image says that nothing was handed out, so its own door cannot know better.
    first.hand_out()
    assert first.sync() == "journal_fork"
    assert shut(first)
    state, refs, chain, beside = at_central(whole)
    assert (state, len(refs), chain, beside) == ("frozen", 2, 1, 1)
    assert {"fork", "overspend"} <= set(whole.cases())


def test_a_frozen_machine_is_a_kiosk_again_as_a_new_generation(whole: Whole, first: Kiosk) -> None:
    clone = whole.copy(first, "clone")
    first.hand_out()
    clone.note()
    assert first.sync() == ""
    assert clone.sync() == "journal_fork"
    first.note()
    first.stop()
    again = whole.enrol("AAA1")
    assert (again.home.bundle.enrolment.gen, again.frozen) == (2, "")
    again.note()
    assert again.sync() in ("", "journal_fork")  # the older generation's chain is forked for good
    assert again.engine.ledger.waiting() == 0
    assert not shut(again) or again.frozen == "journal_fork"
    # The copy is of an older generation now: its journal is taken, and nothing else.
    clone.note()
    clone.sync()
    assert clone.engine.ledger.waiting() == 0
    assert shut(clone)
    with whole.central.database.read() as connection:
        rows = connection.execute(select(kiosk_gen.c.gen, kiosk_gen.c.state).order_by(kiosk_gen.c.gen))
        assert [(row.gen, row.state) for row in rows] == [(1, "forked"), (2, "active")]


def test_an_older_generations_journal_is_taken_from_another_folder(whole: Whole, first: Kiosk) -> None:
    """Its hardware was replaced, then it is switched on once more."""
    first.hand_out()
    newer = whole.enrol("AAA1", "replacement")
    assert newer.home.bundle.enrolment.gen == 2
    assert newer.sync() == ""
    assert not newer.holds(RICE)
    assert first.sync() == "stale_gen"
    assert shut(first)
    assert first.engine.ledger.waiting() == 0
    assert at_central(whole)[1] == ["AAA1-0001"]
    assert newer.sync() == ""
    assert newer.frozen == ""
    assert whole.cases() == []
