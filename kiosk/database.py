"""Opening the two encrypted databases: SQLCipher under sqlite-utils, with the settings that lose nothing.

WAL with ``synchronous=FULL`` (docs/decisions/0002-sqlcipher.md). A raw 256-bit key is used, so that opening
costs about a millisecond. One connection belongs to one thread of one process.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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

IntegrityError = sqlcipher3.dbapi2.IntegrityError
DatabaseError = sqlcipher3.dbapi2.DatabaseError

BUSY_TIMEOUT_MS = 5000


def open_database(path: Path, key: bytes, *, cache_kib: int = 4096, create: bool = True) -> Database:
    """Opens (or creates) the SQLCipher database at ``path`` with a raw 32-byte key.

    Raises EnvironmentFault: ``database_missing``, ``database_locked``, ``database_damaged`` (also a wrong
    key), ``data_folder_read_only``, ``disk_full``.
    """
    if len(key) != 32:
        raise ValueError("a database key has 32 bytes")
    if not create and not path.exists():
        raise EnvironmentFault("database_missing", f"{path.name} is not there", file=path.name)
    with database_faults(path):
        connection = sqlcipher3.dbapi2.connect(
            str(path), timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=True
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


@contextmanager
def writing(db: Database, path: Path | None = None) -> Iterator[Any]:
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
def database_faults(path: Path | None = None) -> Iterator[None]:
    """Turns the driver's errors into EnvironmentFault with the code that says what to do."""
    try:
        yield
    except IntegrityError:
        raise
    except DatabaseError as error:
        name = path.name if path else "database"
        raise EnvironmentFault(_code_for(str(error)), f"{name}: {error}", file=name) from error


def is_intact(db: Database) -> list[str]:
    """What SQLCipher's and SQLite's own checks find wrong; an empty list is good."""
    found = [str(row[0]) for row in db.conn.execute("PRAGMA cipher_integrity_check")]
    found += [str(row[0]) for row in db.conn.execute("PRAGMA quick_check") if row[0] != "ok"]
    return found


def _code_for(text: str) -> str:
    text = text.lower()
    if "locked" in text or "busy" in text:
        return "database_locked"
    if "readonly" in text or "read-only" in text or "unable to open" in text:
        return "data_folder_read_only"
    if "full" in text:
        return "disk_full"
    if "not a database" in text or "malformed" in text or "corrupt" in text or "hmac" in text:
        return "database_damaged"
    return "database_fault"
