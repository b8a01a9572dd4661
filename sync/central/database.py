"""Central's database: SQLite by default, PostgreSQL by URL; serializable, retried when it cannot be.

Every write is a function of a connection, so that it can be run again: on SQLSTATE 40001 (serialization
failure) and 40P01 (deadlock), and on SQLite's busy and locked. Nothing is read before the lock on SQLite
(``BEGIN IMMEDIATE``), and PostgreSQL runs SERIALIZABLE.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from kiosk.errors import EnvironmentFault
from sync.central.turns import NoTurn, Turns

T = TypeVar("T")

GIVE_UP_S: Final = 8.0
"""Less than a kiosk waits for an answer."""
BUSY_TIMEOUT_MS: Final = 2000
_RETRIED_STATES: Final = ("40001", "40P01")


class Database:
    """An engine, and the ways to use it: ``read`` and ``write``."""

    def __init__(self, url: str, pool_size: int = 20) -> None:
        """Opens ``url`` (``sqlite:///…`` or ``postgresql+psycopg://…``); connects at first use."""
        parsed = make_url(url)
        # The connection used last first: its pages and its prepared statements are still there.
        pool: dict[str, Any] = {"pool_size": pool_size, "max_overflow": 20, "pool_use_lifo": True}
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.url = url
        if self.is_sqlite:
            self.engine = create_engine(parsed, **pool)
            event.listen(self.engine, "connect", _set_pragmas)
        else:
            self.engine = create_engine(parsed, isolation_level="SERIALIZABLE", pool_pre_ping=True, **pool)
        self._raised, self._lost = _faults(self.is_sqlite)
        self._after_write: list[Callable[[], None]] = []
        self._turns = Turns()

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()

    def after_write(self, call: Callable[[], None]) -> None:
        """Has ``call`` called after each committed write, in the writer's thread."""
        self._after_write.append(call)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A snapshot to read from: one moment of the database.

        Raises EnvironmentFault ``database_unavailable``: connection lost, disk full, disk failing.
        """
        try:
            with self.transaction("BEGIN", writes=False) as connection:
                yield connection
        except self._lost as fault:
            raise _unavailable(fault.orig if isinstance(fault, OperationalError) else fault) from fault

    def write(self, work: Callable[[Connection], T], *, quiet: bool = False, in_turn: bool = False) -> T:
        """Runs ``work`` in one transaction and commits; runs it again if another transaction was in its way.

        ``quiet``: nothing that a waiting kiosk would want to know of. ``in_turn``: after the others of this
        process that are, on PostgreSQL too: large transactions that read much would only undo each other.

        Raises what ``work`` raises (nothing is then written), and EnvironmentFault ``database_busy`` after
        GIVE_UP_S, ``database_unavailable`` as ``read`` does.
        """
        give_up = time.monotonic() + GIVE_UP_S
        attempt = 0
        while True:
            try:
                turn = self._turn(give_up) if self.is_sqlite or in_turn else nullcontext()
                with turn, self.transaction("BEGIN IMMEDIATE") as connection:
                    result = work(connection)
            except NoTurn as fault:
                raise EnvironmentFault("database_busy", f"no turn within {GIVE_UP_S:.0f} s") from fault
            except self._raised as fault:
                original = fault.orig if isinstance(fault, DBAPIError) else fault
                if not _passing(original):
                    if isinstance(fault, self._lost):
                        raise _unavailable(original) from fault
                    raise
                if time.monotonic() >= give_up:
                    raise EnvironmentFault("database_busy", f"gave up after {GIVE_UP_S:.0f} s") from fault
                attempt += 1
                time.sleep(random.uniform(0.001, 0.004) * 2 ** min(attempt, 6))
                continue
            for call in () if quiet else self._after_write:
                call()
            return result

    def _turn(self, give_up: float) -> AbstractContextManager[None]:
        return self._turns.turn(give_up - time.monotonic())

    @contextmanager
    def transaction(self, begin: str, *, writes: bool = True) -> Iterator[Connection]:
        """One transaction, tried once; ``begin`` is what SQLite is told. For ``read`` and ``write``."""
        with self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql(begin)
            elif not writes:
                # One moment as well, and it is never asked to start over, as a serializable one may be.
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()


def _faults(is_sqlite: bool) -> tuple[tuple[type[Exception], ...], tuple[type[Exception], ...]]:
    """What statements raise, and what of it says that the database is lost or cannot write.

    ``bulk`` talks to PostgreSQL's driver itself, which is loaded only where it is used.
    """
    if is_sqlite:
        return (DBAPIError,), (OperationalError,)
    import psycopg

    return (DBAPIError, psycopg.Error), (OperationalError, psycopg.OperationalError)


def _set_pragmas(connection: Any, _entry: ConnectionPoolEntry) -> None:
    # None: this driver begins nothing by itself; `Database` says BEGIN.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _passing(original: BaseException | None) -> bool:
    if isinstance(original, sqlite3.OperationalError):
        return original.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return getattr(original, "sqlstate", None) in _RETRIED_STATES


def _unavailable(original: BaseException | None) -> EnvironmentFault:
    return EnvironmentFault("database_unavailable", (str(original).splitlines() or [""])[0])


def is_duplicate(fault: IntegrityError) -> bool:
    """True if a row with that key stood already."""
    original = fault.orig
    if isinstance(original, sqlite3.IntegrityError):
        return original.sqlite_errorcode in (
            sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
            sqlite3.SQLITE_CONSTRAINT_UNIQUE,
        )
    return getattr(original, "sqlstate", None) == "23505"
