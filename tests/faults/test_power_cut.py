"""Power cuts: what was not synced is gone. Whatever an officer or a kiosk was told is there afterwards."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.town import Town
from tests.faults.counter_work import journal_of
from tests.faults.counting import HandOuts, agree
from tests.faults.faulty_disk import Under
from tests.faults.shifts import seeded, shift, sort_out

pytestmark = pytest.mark.slow

COMMITS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.execute(f"PRAGMA synchronous = {sys.argv[2]}")
for number in range(20):
    connection.execute("INSERT INTO told VALUES (?)", (number,))
    print(number, flush=True)
"""


@pytest.mark.parametrize(("synchronous", "holds"), [("FULL", True), ("NORMAL", False)])
def test_the_shim_loses_what_was_not_synced(
    tmp_path: Path, disk_under: Under, synchronous: str, holds: bool
) -> None:
    """With a database that is known to lose what it told; with a careful one it does not."""
    folder = tmp_path / "folder"
    folder.mkdir()
    database = folder / "told.db"
    sqlite3.connect(database).executescript("CREATE TABLE told (number); VACUUM").close()
    disk = disk_under(folder)
    for attempt in range(3):
        disk.prime()
        words = [sys.executable, "-c", COMMITS, str(database), synchronous]
        environment = os.environ | disk.environment(kill_at=30 + attempt)
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGKILL
        disk.cut()
        connection = sqlite3.connect(database)
        kept = {row[0] for row in connection.execute("SELECT number FROM told")}
        connection.execute("DELETE FROM told")
        connection.commit()
        connection.close()
        told = set(map(int, done.stdout.split()))
        assert told
        assert (told <= kept) is holds


def cuts_at_the_counter(town: Town, disk_under: Under, tries: int) -> None:
    """The power goes while an officer hands out and takes back."""
    kiosk, handed, rng = town.kiosk("IRM1"), HandOuts(), seeded("cuts")
    disk = disk_under(kiosk.home)
    cut_short = 0
    for attempt in range(tries):
        disk.prime()
        pickups = rng.randint(1, 2)
        # A shift of one pickup has some 70 operations, each further one 28 more, the end among them.
        at = rng.randint(1, 42 + 28 * pickups)
        done = shift(
            kiosk, handed, rng.randrange(2**32), pickups, rng.randint(0, 1), disk=disk.environment(kill_at=at)
        )
        assert done.code in (0, -signal.SIGKILL), done
        cut_short += done.code != 0
        disk.cut(rng if attempt % 2 else None)
        sort_out(kiosk, handed)
    assert cut_short > tries // 2
    assert kiosk.verify().code == 0
    assert shift(kiosk, handed, 1, 1).code == 0
    town.start_central()
    assert kiosk.sync().answer["waiting"] == 0
    agree("power cut at the counter", cut_short, handed, town)
    assert town.books().of("IRM1") == journal_of(kiosk).hashes


def cuts_during_sync(town: Town, disk_under: Under, tries: int) -> None:
    """The power goes at the kiosk in the middle of a round; every second one loads a bucket as a file."""
    kiosk, handed, rng = town.kiosk("IRM1"), HandOuts(), seeded("cuts during sync")
    disk = disk_under(kiosk.home)
    town.program = (sys.executable, "-m", "tests.faults.small_snapshots")
    town.start_central()
    cut_short = 0
    for attempt in range(tries):
        assert shift(kiosk, handed, rng.randrange(2**32), 2).code == 0
        first_load = attempt % 2 == 0
        if first_load:
            (kiosk.home / "cache.current").unlink()
        disk.prime()
        words = disk.environment(kill_at=rng.randint(1, 160 if first_load else 30))
        code = kiosk.run("sync", "--once", env=words).code
        assert code in (0, -signal.SIGKILL)
        cut_short += code != 0
        disk.cut(rng if attempt % 3 else None)
        assert kiosk.sync().answer["waiting"] == 0
    assert cut_short
    assert any((town.central_home / "snapshots").iterdir()), "no snapshot was asked for"
    agree("power cut during sync", cut_short, handed, town)
    assert town.books().of("IRM1") == journal_of(kiosk).hashes
    assert kiosk.status()["frozen"] == ""


def cuts_at_central(town: Town, disk_under: Under, tries: int) -> None:
    """The power goes at central while a kiosk pushes: what it acknowledged it still has."""
    kiosk, handed, rng = town.kiosk("IRM1"), HandOuts(), seeded("cuts at central")
    disk = disk_under(town.central_home)
    cut_short = 0
    for attempt in range(tries):
        assert shift(kiosk, handed, rng.randrange(2**32), 3).code == 0
        disk.prime()
        town.serving = disk.environment(kill_at=rng.randint(10, 60))
        town.start_central()
        done = kiosk.sync()
        cut_short += done.code != 0
        town.kill_central()
        disk.cut(rng if attempt % 2 else None)
        acknowledged = len(journal_of(kiosk).hashes) - journal_of(kiosk).waiting
        assert acknowledged <= len(town.books().of("IRM1")), "acknowledged and not there"
    assert cut_short
    town.serving = {}
    town.start_central()
    assert kiosk.sync().answer["waiting"] == 0
    agree("power cut at central", cut_short, handed, town)
    assert town.books().of("IRM1") == journal_of(kiosk).hashes


def test_power_cut_at_the_counter(town: Town, disk_under: Under) -> None:
    cuts_at_the_counter(town, disk_under, 5)


def test_power_cut_during_sync(town: Town, disk_under: Under) -> None:
    cuts_during_sync(town, disk_under, 3)


def test_power_cut_at_central(town: Town, disk_under: Under) -> None:
    cuts_at_central(town, disk_under, 2)


@pytest.mark.soak
def test_many_power_cuts_at_the_counter(town: Town, disk_under: Under) -> None:
    cuts_at_the_counter(town, disk_under, 50)


@pytest.mark.soak
def test_many_power_cuts_during_sync(town: Town, disk_under: Under) -> None:
    cuts_during_sync(town, disk_under, 30)


@pytest.mark.soak
def test_many_power_cuts_at_central(town: Town, disk_under: Under) -> None:
    cuts_at_central(town, disk_under, 20)
