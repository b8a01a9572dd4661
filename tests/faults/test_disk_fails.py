"""A disk that answers with errors under a counter at work: told and kept, or refused and not kept."""

from __future__ import annotations

import pytest

from tests.e2e.town import Town
from tests.faults.counter_work import journal_of
from tests.faults.counting import HandOuts, agree
from tests.faults.faulty_disk import Under
from tests.faults.shifts import seeded, shift, sort_out

pytestmark = pytest.mark.slow


def failing_syncs(town: Town, disk_under: Under, tries: int) -> None:
    """``fsync`` answers EIO from some moment on, and in every second try the power goes afterwards."""
    kiosk, handed, rng = town.kiosk("IRM1"), HandOuts(), seeded("failing syncs")
    disk = disk_under(kiosk.home)
    failed = 0
    for attempt in range(tries):
        disk.prime()
        done = shift(
            kiosk,
            handed,
            rng.randrange(2**32),
            pickups=2,
            disk=disk.environment(sync_fails=rng.randint(1, 8)),
        )
        assert done.fault in ("", "disk_fault"), done
        assert (done.code == 1) is bool(done.fault)
        failed += done.code
        if attempt % 2:
            disk.cut(rng)
        # What was refused may be there all the same, after the file was read anew: then it is asked about.
        sort_out(kiosk, handed)
    assert failed
    finish("fsync fails", failed, handed, town)


def full_disks(town: Town, disk_under: Under, tries: int) -> None:
    """Room for some bytes more, then none; the first times so little that not even a sign-in has room."""
    kiosk, handed, rng = town.kiosk("IRM1"), HandOuts(), seeded("full disks")
    disk = disk_under(kiosk.home)
    failed = 0
    for attempt in range(tries):
        room = (0, 40_000)[attempt] if attempt < 2 else rng.randint(0, 400_000)
        done = shift(kiosk, handed, rng.randrange(2**32), pickups=3, disk=disk.environment(room=room))
        assert done.fault in ("", "disk_full"), done
        failed += done.code
        sort_out(kiosk, handed)
    assert failed
    finish("disk full", failed, handed, town)


def file_limits(town: Town, tries: int) -> None:
    """The same by a limit on the size of each file, which the ledger's log meets first."""
    kiosk, handed, rng = town.kiosk("IRM1"), HandOuts(), seeded("file limits")
    failed = 0
    for attempt in range(tries):
        limit = (0, 4096)[attempt] if attempt < 2 else rng.randint(0, 400_000)
        done = shift(kiosk, handed, rng.randrange(2**32), pickups=3, file_limit=limit)
        assert done.fault in ("", "disk_full"), done
        failed += done.code
        sort_out(kiosk, handed)
    assert failed
    finish("file-size limit", failed, handed, town)


def finish(fault: str, tries: int, handed: HandOuts, town: Town) -> None:
    """Central comes back and has what was handed out."""
    kiosk = town.kiosk("IRM1")
    assert kiosk.verify().code == 0
    assert shift(kiosk, handed, 1, pickups=1).code == 0, "it does not go on"
    town.start_central()
    assert kiosk.sync().answer["waiting"] == 0
    agree(fault, tries, handed, town)
    assert town.books().of("IRM1") == journal_of(kiosk).hashes


def test_syncs_that_fail(town: Town, disk_under: Under) -> None:
    failing_syncs(town, disk_under, 3)


def test_a_disk_that_fills_up(town: Town, disk_under: Under) -> None:
    full_disks(town, disk_under, 3)


def test_a_limit_on_the_size_of_files(town: Town) -> None:
    file_limits(town, 3)


@pytest.mark.soak
def test_many_syncs_that_fail(town: Town, disk_under: Under) -> None:
    failing_syncs(town, disk_under, 30)


@pytest.mark.soak
def test_many_disks_that_fill_up(town: Town, disk_under: Under) -> None:
    full_disks(town, disk_under, 30)


@pytest.mark.soak
def test_many_limits_on_the_size_of_files(town: Town) -> None:
    file_limits(town, 30)
