"""Opening the two encrypted databases: SQLCipher under sqlite-utils, with the settings that lose nothing.

WAL with ``synchronous=FULL`` (docs/decisions/0002-sqlcipher.md). A raw 256-bit key is used, so that opening
costs about a millisecond. One connection belongs to one thread of one process.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlcipher3
import sqlcipher3.dbapi2

from kiosk.errors import EnvironmentFault

# sqlite-utils takes "pysqlite3" where it finds one: this makes it use SQLCipher's driver for everything.
sys.modules.setdefault("pysqlite3", sqlcipher3)
sys.modules.setdefault("pysqlite3.dbapi2", sqlcipher3.dbapi2)

# sqlite-utils takes numpy in where it finds it, only to name its types: 17 MB and 0.2 s in every process.
_numpy_was = sys.modules.get("numpy", ...)
if _numpy_was is ...:
    sys.modules["numpy"] = None  # type: ignore[assignment]

from sqlite_utils import Database  # noqa: E402  (must follow the lines above)
from sqlite_utils.migrations import Migrations  # noqa: E402

if _numpy_was is ...:
    del sys.modules["numpy"]

__all__ = ["Database", "Migrations"]
"""Everybody takes these from here: sqlite-utils imported first elsewhere would miss what stands above."""

DriverError = sqlcipher3.dbapi2.Error

BUSY_TIMEOUT_MS = 5000

# Primary and extended result codes: https://www.sqlite.org/rescode.html
_PRIMARY = {
    3: "data_folder_read_only",  # PERM
    5: "database_locked",  # BUSY
    6: "database_locked",  # LOCKED
    8: "data_folder_read_only",  # READONLY
    11: "database_damaged",  # CORRUPT
    13: "disk_full",  # FULL
    14: "data_folder_read_only",  # CANTOPEN
    26: "database_damaged",  # NOTADB, also a wrong key
}
_IOERR = 10
_READONLY, _READONLY_DBMOVED = 8, 1032
_TORN = (522, 8202, 8458)  # IOERR_SHORT_READ, IOERR_DATA, IOERR_CORRUPTFS
_ROOM_BYTES = 128 * 1024
"""Less than this left: a write that failed did so for want of room."""


class DatabaseFile:
    """One connection to one database file. Faults come out as EnvironmentFault with a code of our own."""

    def __init__(self, path: Path, db: Database) -> None:
        self.path = path
        self.db = db

    def close(self) -> None:
        """Closes the connection."""
        self.db.close()

    def row(self, sql: str, *values: Any) -> Any:
        """The first row of a query, or None. Raises EnvironmentFault as ``open_database`` does."""
        with database_faults(self.path):
            return self.db.conn.execute(sql, values).fetchone()

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """All rows of a query. Raises EnvironmentFault as ``open_database`` does."""
        with database_faults(self.path):
            return list(self.db.conn.execute(sql, values).fetchall())

    @contextmanager
    def writing(self) -> Iterator[Any]:
        """One write transaction, see the function of this name."""
        with writing(self.db, self.path) as connection:
            yield connection


def open_database(path: Path, key: bytes, *, cache_kib: int = 4096, create: bool = False) -> Database:
    """Opens (or creates) the SQLCipher database at ``path`` with a raw 32-byte key.

    Raises EnvironmentFault: ``database_missing``, ``database_locked``, ``database_damaged`` (also a wrong
    key), ``data_folder_read_only``, ``disk_full``, ``disk_fault``, ``database_fault``.
    """
    if len(key) != 32:
        raise ValueError("a database key has 32 bytes")
    if not create and not path.exists():
        raise EnvironmentFault("database_missing", f"{path.name} is not there", file=path.name)
    if not create and path.stat().st_size == 0:
        # To open it would write a first page into it.
        raise EnvironmentFault("database_damaged", f"{path.name} is empty", file=path.name)
    # Without "c" a file that is removed this moment is not made anew, empty.
    address = f"file:{quote(str(path.absolute()))}?mode={'rwc' if create else 'rw'}"
    with database_faults(path):
        connection = sqlcipher3.dbapi2.connect(
            address, uri=True, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=True
        )
        try:
            # its own log on stderr repeats what the faults below say in our words
            connection.execute("PRAGMA cipher_log_level = NONE")
            connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
            connection.execute("PRAGMA cipher_memory_security = OFF")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute(f"PRAGMA cache_size = -{cache_kib}")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
    return Database(connection, use_old_upsert=False)


def bring_up_to_date(db: Database, path: Path, migrations: Migrations, *, create: bool) -> None:
    """Applies the migrations that are missing, in one transaction.

    Raises EnvironmentFault: ``database_damaged`` for a file without any tables of ours unless ``create``,
    ``database_newer`` for one that a newer program has changed, and what a transaction raises.
    """
    with database_faults(path):
        applied = {done.name for done in migrations.applied(db)}
    ours = _names_of(migrations)
    if applied - ours:
        raise EnvironmentFault("database_newer", f"{path.name} belongs to a newer program", file=path.name)
    if not applied and not create:
        raise EnvironmentFault("database_damaged", f"{path.name} holds no tables of ours", file=path.name)
    if ours - applied:
        with writing(db, path):
            migrations.apply(db)


@cache
def _names_of(migrations: Migrations) -> frozenset[str]:
    """Of all migrations that this program knows."""
    return frozenset(one.name for one in migrations.pending(Database(memory=True)))


@contextmanager
def writing(db: Database, path: Path) -> Iterator[Any]:
    """One write transaction: takes the write lock first, commits at the end, rolls back on any exception.

    Gives the raw connection. Raises EnvironmentFault as ``open_database`` does.
    """
    connection = db.conn
    with database_faults(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            with db.atomic():
                yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def database_faults(path: Path) -> Iterator[None]:
    """Turns the driver's errors into EnvironmentFault with the code that says what to do."""
    try:
        yield
    except DriverError as error:
        # What SQLite itself says names tables and columns; what the driver says may repeat a value.
        told = str(error) if getattr(error, "sqlite_errorcode", None) else type(error).__name__
        raise EnvironmentFault(_code_for(error, path), f"{path.name}: {told}", file=path.name) from error


def is_intact(file: DatabaseFile) -> list[str]:
    """What SQLCipher's and SQLite's own checks find wrong; an empty list is good."""
    found = [str(row[0]) for row in file.rows("PRAGMA cipher_integrity_check")]
    return found + [str(row[0]) for row in file.rows("PRAGMA quick_check") if row[0] != "ok"]


def _code_for(error: Exception, path: Path) -> str:
    extended = int(getattr(error, "sqlite_errorcode", None) or 0)
    primary = extended & 0xFF
    if not path.exists():
        return "database_missing" if path.parent.exists() else "data_folder_missing"
    if extended == _READONLY_DBMOVED:
        return "database_missing"
    if extended == _READONLY and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        # SQLCipher shuts a connection that met a damaged page for writing.
        return "database_damaged"
    if primary == _IOERR:
        return "database_damaged" if extended in _TORN else "disk_full" if _no_room(path) else "disk_fault"
    return _PRIMARY.get(primary, "database_fault")


def _no_room(path: Path) -> bool:
    """True if the disk, or what this process may write to one file, is used up."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    files = [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]
    largest = max((file.stat().st_size for file in files if file.exists()), default=0)
    free = os.statvfs(path.parent)
    return free.f_bavail * free.f_frsize < _ROOM_BYTES or (
        limit != resource.RLIM_INFINITY and largest + _ROOM_BYTES > limit
    )
