"""Brings central back from a backup: its rows, then all that the log outside the database knows since.

The incarnation rises, so that no epoch, cursor or acknowledgement of before is taken for one of now. All of
it is one transaction: a restore that fails leaves the database as it was.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, LargeBinary, MetaData, inspect, update
from sqlalchemy.schema import DropTable

from kiosk.errors import EnvironmentFault, OfficerFault
from sync.central import backup, key_files, migration, recovery, settings
from sync.central.bulk import insert_rows
from sync.central.database import Database
from sync.central.grant_journal import GrantJournal
from sync.central.models import kiosk_gen
from sync.central.replay import Replay
from sync.wire import from_base64

SERVING: Final = "serving.lock"
_ROWS_AT_ONCE: Final = 5000


@contextmanager
def in_use(home: Path, *, alone: bool) -> Iterator[None]:
    """Holds a data folder: together with others while serving, ``alone`` while restoring.

    Raises EnvironmentFault ``central_running`` if that cannot be.
    """
    handle = os.open(home / SERVING, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EnvironmentFault("central_running", "stop central, or wait for the restore") from None
        yield
    finally:
        os.close(handle)


def restore(home: Path, url: str, path: Path, now: int, *, replace: bool = False) -> dict[str, Any]:
    """Puts a backup in the place of the database; answers what was brought back and who has to report.

    ``replace``: also if the database has tables. Raises EnvironmentFault ``backup_unreadable``,
    ``keys_unreadable``, ``central_running``, ``database_unavailable``; OfficerFault ``database_not_empty``.
    """
    head = backup.check(path)
    if str(head["central_kid"]) != key_files.load(home).central.kid.hex():
        raise EnvironmentFault("keys_unreadable", "these are not the keys of the central in this backup")
    outside = GrantJournal(home)
    database = Database(url, pool_size=2)
    with in_use(home, alone=True), closing(database), closing(outside):
        incarnation = max(int(head["incarnation"]), _last_incarnation(outside)) + 1
        # Written first: a restore that is made again must not use the same number for another story.
        outside.keep([{"incarnation": incarnation}])
        with database.transaction("BEGIN IMMEDIATE") as connection:
            _clear(connection, replace=replace)
            migration.upgrade_on(connection, str(head["tables"]))
            rows = _load(connection, path)
            migration.upgrade_on(connection, "head")
            connection.execute(update(kiosk_gen).values(durable_seq=kiosk_gen.c.acked_seq))
            settings.put(connection, incarnation=str(incarnation), restored_at=str(now))
            replay = Replay(connection, key_files.load(home).roots, now)
            for entry in outside.entries():
                replay.take(entry)
            replay.write()
            asked = recovery.begin(connection, now)
    return {
        "incarnation": incarnation,
        "made_at": head["made_at"],
        "rows": rows,
        "replayed": replay.counts,
        "reports_asked": asked,
    }


def _last_incarnation(outside: GrantJournal) -> int:
    found = [entry["incarnation"] for entry in outside.entries() if "incarnation" in entry]
    return max((one for one in found if isinstance(one, int)), default=0)


def _clear(connection: Connection, *, replace: bool) -> None:
    names = inspect(connection).get_table_names()
    if names and not replace:
        raise OfficerFault("database_not_empty", "the database has tables: --replace removes them")
    there = MetaData()
    there.reflect(connection)
    for table in reversed(there.sorted_tables):
        connection.execute(DropTable(table))


def _load(connection: Connection, path: Path) -> int:
    """Inserts every row of the backup; its columns are those of its own step of the tables."""
    there = MetaData()
    there.reflect(connection)
    total = 0
    for name, columns, rows in backup.read(path):
        table = there.tables.get(name)
        if table is None or any(column not in table.columns for column in columns):
            raise EnvironmentFault("backup_unreadable", f"{name} is no table of that step")
        raw = {at for at, column in enumerate(columns) if isinstance(table.c[column].type, LargeBinary)}
        while some := list(islice(rows, _ROWS_AT_ONCE)):
            insert_rows(connection, table, [_row(columns, values, raw) for values in some])
            total += len(some)
    return total


def _row(columns: list[str], values: list[Any], raw: set[int]) -> dict[str, Any]:
    return {
        column: from_base64(value) if at in raw and value is not None else value
        for at, (column, value) in enumerate(zip(columns, values, strict=True))
    }
