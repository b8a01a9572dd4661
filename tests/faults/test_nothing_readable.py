"""Whoever takes the disk out of a kiosk reads nothing of a person in what the first load ever wrote to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tests.e2e.town import Town

pytestmark = pytest.mark.slow

TEMPORARY = """
import sqlite3, sys
connection = sqlite3.connect("", isolation_level=None)
connection.executescript("PRAGMA temp_store = FILE; PRAGMA cache_size = 1; CREATE TABLE t (name)")
connection.executemany("INSERT INTO t VALUES (?)", [("SITI RAHAYU %d" % n,) for n in range(2000)])
"""


def people(town: Town) -> list[bytes]:
    """Names and card numbers of everybody whom central knows."""
    engine = create_engine(town.database, poolclass=NullPool)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT name, card_no FROM holder")).all()
    engine.dispose()
    return [str(value).encode() for row in rows for value in row]


def test_the_shim_sees_files_without_a_name(shim: Callable[[str], Path], tmp_path: Path) -> None:
    """SQLite unlinks its temporary files as it opens them: no look into folders would find them."""
    log = tmp_path / "log"
    environment = os.environ | {"LD_PRELOAD": str(shim("writes")), "KMC_WRITES_LOG": str(log)}
    subprocess.run([sys.executable, "-c", TEMPORARY], env=environment, cwd=tmp_path, check=True)
    assert b"SITI RAHAYU" in log.read_bytes()


@pytest.mark.parametrize("as_file", [True, False])
def test_a_first_load_writes_nothing_readable(
    town: Town, shim: Callable[[str], Path], tmp_path: Path, as_file: bool
) -> None:
    """Neither of a bucket that comes as a file nor of one that comes by pages, in no file whatever."""
    kiosk, log = town.kiosk("IRM1"), tmp_path / "log"
    for path in kiosk.home.glob("cache.*"):
        path.unlink()
    if as_file:
        town.program = (sys.executable, "-m", "tests.faults.small_snapshots")
    town.start_central()
    watched = {"LD_PRELOAD": str(shim("writes")), "KMC_WRITES_LOG": str(log), "PYTHONDONTWRITEBYTECODE": "1"}
    outcome = kiosk.run("sync", "--once", env=watched)
    assert outcome.code == 0, outcome.answer
    assert outcome.answer["rows"] > 100
    packed = list((town.central_home / "snapshots").glob("*.zst"))
    assert bool(packed) is as_file
    written = log.read_bytes()
    cache = next(kiosk.home.glob("cache.*.db"))
    assert len(written) >= cache.stat().st_size > 100_000
    known = people(town)
    assert len(known) > 100
    assert [one for one in known if one in written] == []
    assert b"SQLite format 3" not in written
    assert not any(path.read_bytes()[:100] in written for path in packed)
