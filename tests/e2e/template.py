"""A filled central with three enrolled kiosks, set up once in a run by real commands and copied per test."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path

from sqlalchemy import create_engine, insert, select
from sqlalchemy.pool import NullPool

from sync.central import migration
from sync.central.demo_places import IRINGMULYO as IRINGMULYO_POINT
from sync.central.models import metadata
from tests.e2e.town import Town

KIOSKS = ("IRM1", "IRM2", "HDM1")


def template(shared: Path) -> Path:
    """The folder to copy, made by whichever worker comes first; ``shared`` is the run's own folder."""
    folder = shared / "town"
    with (shared / "town.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _set_up(shared / "town.new")
            (shared / "town.new").rename(folder)
    return folder


def _set_up(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    town = Town(folder)
    for words in (("init", "--mode", "demonstration"), ("demo",)):
        code, answer = town.central(*words)
        assert code == 0, answer
    # This counter knows the people of its neighbour, and can say where to go while the network is away.
    code, answer = town.central("kiosk", "follow", "HDM1", "--point", str(IRINGMULYO_POINT))
    assert code == 0, answer
    town.start_central()
    try:
        for name in KIOSKS:
            kiosk = town.enrol(name)
            shutil.copyfile(town.central_home / "cards.jsonl", kiosk.home / "cards.jsonl")
    finally:
        town.close()


def copy_town(source: Path, target: Path, postgres: str = "") -> Town:
    """A town of a test's own; with ``postgres`` its central's rows lie in that empty database."""
    shutil.copytree(source, target, symlinks=True)
    town = Town(target, postgres)
    if postgres:
        _move_rows(f"sqlite:///{target / 'central' / 'central.db'}", postgres)
    return town


def _move_rows(source: str, target: str) -> None:
    migration.upgrade(target)
    old, new = create_engine(source, poolclass=NullPool), create_engine(target, poolclass=NullPool)
    with old.connect() as reading, new.begin() as writing:
        for table in metadata.sorted_tables:
            rows = [dict(row) for row in reading.execute(select(table)).mappings()]
            if rows:
                writing.execute(insert(table), rows)
    old.dispose()
    new.dispose()
