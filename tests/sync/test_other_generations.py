"""Generations that are over, forked or salvaged: their journals stay pushable and freeze nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, select, update

from kiosk import freezing, pruning, salvage
from kiosk.acknowledgement import forget_acknowledged
from kiosk.errors import CentralFault, EnvironmentFault
from kiosk.journal_walk import verify_journal
from kiosk.keystore import public_of
from sync import pushing
from sync.central.models import journal, journal_branch, kiosk_gen
from sync.central.state import Central
from tests.kiosk.deciphered import PAGE
from tests.sync.central_side import RICE, Clock, place
from tests.sync.served_central import KioskClock
from tests.sync.usb_town import HomeAt, copied_central


@pytest.fixture
def town(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, clock: Clock) -> Iterator[Central]:
    """A central on SQLite."""
    template = tmp_path_factory.getbasetemp() / "usb-town"
    made = copied_central(template, tmp_path / "central", clock)
    yield made
    made.close()


@pytest.fixture
def kiosk(town: Central, tmp_path: Path, clock: Clock) -> Iterator[HomeAt]:
    """AAA1."""
    made = HomeAt(town, "AAA1", tmp_path / "AAA1", KioskClock(clock))
    yield made
    made.close()


def stored(central: Central, gen: int) -> list[int]:
    with central.database.read() as connection:
        query = select(journal.c.seq).where(journal.c.kiosk == "AAA1", journal.c.gen == gen)
        return list(connection.execute(query.order_by(journal.c.seq)).scalars())


def beside(central: Central, gen: int = 1) -> int:
    with central.database.read() as connection:
        query = select(journal_branch.c.seq).where(journal_branch.c.gen == gen)
        return len(list(connection.execute(query).scalars()))


def set_back(kiosk: HomeAt, image: Path) -> None:
    """The disk's image comes back."""
    kiosk.close()
    shutil.rmtree(kiosk.path)
    shutil.copytree(image, kiosk.path)
    kiosk.open()


def test_a_forked_kiosk_with_many_batches_is_rid_of_them_all(
    town: Central, kiosk: HomeAt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "BATCH_RECORDS", 20)
    kiosk.note(2)
    kiosk.push()
    kiosk.close()
    shutil.copytree(kiosk.path, tmp_path / "image")
    kiosk.open()
    kiosk.note(3)
    kiosk.push()
    set_back(kiosk, tmp_path / "image")
    kiosk.note(45, private="salinan")
    with pytest.raises(CentralFault) as fault:
        kiosk.push()
    assert (fault.value.code, kiosk.ledger.meta("frozen")) == ("journal_fork", freezing.FORKED)
    assert (kiosk.ledger.waiting(), beside(town)) == (0, 45)
    assert kiosk.push() == 0
    kiosk.note()  # and what comes after is sent too
    with pytest.raises(CentralFault):
        kiosk.push()
    assert kiosk.ledger.waiting() == 0


def test_records_of_an_older_generation_are_sent_by_the_newer_one(town: Central, kiosk: HomeAt) -> None:
    kiosk.note(5)
    kiosk.close()
    kiosk.enrol()
    kiosk.note(2)
    assert kiosk.push() == 7
    assert (stored(town, 1), stored(town, 2)) == ([1, 2, 3, 4, 5], [1, 2])
    assert (kiosk.ledger.meta("frozen"), verify_journal(kiosk.ledger)["intact"]) == ("", True)


def test_a_fork_of_an_older_generation_does_not_freeze_the_newer_one(
    town: Central, kiosk: HomeAt, tmp_path: Path
) -> None:
    kiosk.note(2)
    kiosk.push()
    kiosk.close()
    shutil.copytree(kiosk.path, tmp_path / "image")
    kiosk.open()
    kiosk.note(3)
    kiosk.push()
    set_back(kiosk, tmp_path / "image")
    kiosk.note(2, private="salinan")
    kiosk.close()
    kiosk.enrol()
    kiosk.note()
    assert kiosk.push() == 3
    assert (kiosk.ledger.meta("frozen"), kiosk.ledger.waiting(), beside(town)) == ("", 0, 2)
    assert stored(town, 2) == [1]


def test_an_image_that_came_back_is_fit_for_service_once_enrolled_again(
    town: Central, kiosk: HomeAt, tmp_path: Path
) -> None:
    """Central has more of the old generation than the image: no reason to stop the new one."""
    kiosk.note(3)
    kiosk.close()
    shutil.copytree(kiosk.path, tmp_path / "image")
    kiosk.open()
    kiosk.note(4)
    kiosk.push()
    set_back(kiosk, tmp_path / "image")
    kiosk.close()
    kiosk.enrol()
    kiosk.note()
    kiosk.push()
    assert (kiosk.ledger.meta("frozen"), kiosk.ledger.waiting()) == ("", 0)
    assert (stored(town, 1), stored(town, 2)) == ([1, 2, 3, 4, 5, 6, 7], [1])


@pytest.mark.parametrize("pushed_before", [False, True])
def test_a_salvaged_ledger_is_sent_and_then_enrolled_again(
    town: Central, kiosk: HomeAt, pushed_before: bool
) -> None:
    """From damage to the next hand-out: set aside, saved, sent, enrolled, granted again."""
    place(town)
    kiosk.exchange()
    kiosk.dispense(RICE, 10_000)
    kiosk.note(120, private="x" * 300)
    if pushed_before:
        kiosk.push()
    kiosk.close()
    damage(kiosk)
    home, enrolled = kiosk.home, kiosk.home.bundle.enrolment
    publics = [public_of(signer) for signer in home.signers()]
    (kept,) = salvage.salvage(kiosk.path, home.keys.database_key, enrolled, publics, kiosk.clock).generations
    assert 0 < kept.upto < 121
    kiosk.open()
    with pytest.raises(EnvironmentFault) as fault:
        kiosk.note()
    assert fault.value.code == "ledger_salvaged"
    kiosk.push()
    assert stored(town, 1) == list(range(1, 122 if pushed_before else kept.upto + 1))
    assert (kiosk.ledger.waiting(), kiosk.ledger.meta("frozen")) == (0, freezing.SALVAGED)
    kiosk.close()
    kiosk.enrol()
    place(town)
    assert kiosk.exchange().refused == ""
    assert (kiosk.gen, kiosk.ledger.meta("frozen")) == (2, "")
    kiosk.note()
    assert kiosk.push() == 1
    assert verify_journal(kiosk.ledger)["intact"]
    held = kiosk.ledger.right(RICE)
    assert held is None or not held.held  # what the lost ledger held is in doubt, not granted again


def damage(kiosk: HomeAt) -> None:
    """Flips bits in the last third of the file."""
    path = kiosk.path / "ledger.db"
    data = bytearray(path.read_bytes())
    for page in range(len(data) // PAGE * 2 // 3, len(data) // PAGE):
        data[page * PAGE + 55] ^= 16
    path.write_bytes(data)


def test_what_was_pruned_cannot_be_sent_again_and_says_so(town: Central, kiosk: HomeAt) -> None:
    kiosk.note(6)
    town.database.write(lambda connection: connection.execute(update(kiosk_gen).values(durable_seq=100)))
    kiosk.push()
    kiosk.clock.clock.now += timedelta(days=91).total_seconds()
    assert pruning.prune(kiosk.ledger, kiosk.home.identity(), kiosk.clock, 90) == 5
    kiosk.note()
    assert kiosk.push() == 1

    def forget(connection: Connection) -> None:
        connection.execute(delete(journal))
        connection.execute(update(kiosk_gen).values(acked_seq=0, head=bytes(32)))

    town.database.write(forget)
    forget_acknowledged(kiosk.ledger, 1, 0)
    assert kiosk.ledger.acked(1) == 5
    with pytest.raises(CentralFault) as fault:
        kiosk.push()
    assert fault.value.code == "journal_pruned"
    assert kiosk.ledger.meta("frozen") == ""
