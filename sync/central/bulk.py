"""Many rows in one statement, past the building of one statement for each row that costs most of a push.

SQLite gets statements of up to _TOGETHER rows: its driver lets other threads in at each statement, and who
had to win the interpreter back for every row would hold the database for seconds while other pushes compute.
PostgreSQL gets COPY for new rows and, for changed ones, an UPDATE from arrays; distributed engines run both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Table

_TOGETHER: Final = 50


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows that all name the same columns; a column that they do not name stays null.

    Raises what an INSERT raises: on PostgreSQL the driver's own errors.
    """
    if not rows:
        return
    names = tuple(rows[0])
    if connection.dialect.name == "sqlite":
        for start in range(0, len(rows), _TOGETHER):
            some = rows[start : start + _TOGETHER]
            values = tuple([row[name] for row in some for name in names])
            connection.exec_driver_sql(_insert_sql(table, names, len(some)), values)
        return
    cursor = connection.connection.cursor()
    try:
        with cursor.copy(_copy_sql(table, names)) as copy:
            for row in rows:
                copy.write_row([row[name] for name in names])
    finally:
        cursor.close()


def rows_with(
    connection: Connection,
    table: Table,
    names: Sequence[str],
    key: str,
    keys: Sequence[str | int],
    **same: str | int,
) -> list[Sequence[Any]]:
    """The named columns of all rows whose ``key`` is among ``keys``, as the driver gives them.

    ``same``: other columns and the value that they have. All that a key is made of has to be among them, or
    every row of a bucket is read for some.

    SQLite's driver knows no booleans: there they are 0 and 1. Raises, on PostgreSQL, the driver's own errors.
    """
    if not keys:
        return []
    is_sqlite = connection.dialect.name == "sqlite"
    statement = _select_sql(table, tuple(names), (*same, key), is_sqlite)
    if is_sqlite:
        return list(connection.exec_driver_sql(statement, (*same.values(), json.dumps(keys))).all())
    cursor: Any = connection.connection.cursor()
    try:
        # Planned each time: a plan that is kept may be of a table that was nearly empty.
        return list(cursor.execute(statement, (list(keys), *same.values()), prepare=False).fetchall())
    finally:
        cursor.close()


def update_rows(
    connection: Connection, table: Table, keys: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Sets the columns that each row names beside its ``keys``, where the keys are equal.

    All rows name the same columns; no two have the same keys.
    """
    if not rows:
        return
    names = tuple(name for name in rows[0] if name not in keys) + tuple(keys)
    if connection.dialect.name == "sqlite":
        for start in range(0, len(rows), _TOGETHER):
            some = rows[start : start + _TOGETHER]
            flat = tuple([row[name] for row in some for name in names])
            connection.exec_driver_sql(_update_sql(table, names, tuple(keys), len(some)), flat)
        return
    columns = tuple([row[name] for row in rows] for name in names)
    connection.exec_driver_sql(_update_sql(table, names, tuple(keys), 0), columns)


@cache
def _postgresql() -> Dialect:
    from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

    return PGDialect_psycopg()  # type: ignore[no-untyped-call]


@lru_cache(maxsize=64)
def _select_sql(table: Table, names: tuple[str, ...], keys: tuple[str, ...], is_sqlite: bool) -> str:
    # One statement whatever the number of keys: it is compiled once.
    same = "".join(f'"{name}" = {"?" if is_sqlite else "%s"} AND ' for name in keys[:-1])
    where = f'SELECT {_quoted(names)} FROM "{table.name}" WHERE {same}"{keys[-1]}"'
    if is_sqlite:
        return f"{where} IN (SELECT value FROM json_each(?))"
    if not same:
        return f"{where} = ANY(%s)"
    # Each key is looked up for itself, whatever PostgreSQL believes of a table that has just grown.
    listed = f"unnest(%s::{table.c[keys[-1]].type.compile(_postgresql())}[]) AS wanted(sought)"
    return f"SELECT found.* FROM {listed}, LATERAL ({where} = wanted.sought OFFSET 0) AS found"


@lru_cache(maxsize=1024)
def _insert_sql(table: Table, names: tuple[str, ...], count: int) -> str:
    return f'INSERT INTO "{table.name}" ({_quoted(names)}) VALUES {_marks(len(names), count)}'


@lru_cache(maxsize=64)
def _copy_sql(table: Table, names: tuple[str, ...]) -> bytes:
    return f'COPY "{table.name}" ({_quoted(names)}) FROM STDIN'.encode()


@lru_cache(maxsize=1024)
def _update_sql(table: Table, names: tuple[str, ...], keys: tuple[str, ...], count: int) -> str:
    """For PostgreSQL's arrays if ``count`` is 0, else for as many rows of SQLite."""
    changed = names[: -len(keys)]
    values = ", ".join(f'"{name}" = new."{name}"' for name in changed)
    same = " AND ".join(f'"{table.name}"."{key}" = new."{key}"' for key in keys)
    if count:
        rows = f"WITH new({_quoted(names)}) AS (VALUES {_marks(len(names), count)})"
        return f'{rows} UPDATE "{table.name}" SET {values} FROM new WHERE {same}'
    arrays = ", ".join(f"%b::{table.c[name].type.compile(_postgresql())}[]" for name in names)
    return f'UPDATE "{table.name}" SET {values} FROM unnest({arrays}) AS new({_quoted(names)}) WHERE {same}'


def _marks(width: int, count: int) -> str:
    return ", ".join([f"({', '.join('?' * width)})"] * count)


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
