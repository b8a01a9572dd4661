"""Many rows in one statement, past the building of one statement for each row that costs most of a push.

SQLite gets one prepared statement for all rows. PostgreSQL gets COPY for new rows and, for changed ones, an
UPDATE from arrays; distributed engines run both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

_POSTGRESQL: Final = PGDialect_psycopg()  # type: ignore[no-untyped-call]


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows that all name the same columns; a column that they do not name stays null.

    Raises what an INSERT raises: on PostgreSQL the driver's own errors.
    """
    if not rows:
        return
    names = tuple(rows[0])
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(
            _insert_sql(table, names), [tuple([row[name] for name in names]) for row in rows]
        )
        return
    cursor = connection.connection.cursor()
    try:
        with cursor.copy(_copy_sql(table, names)) as copy:
            for row in rows:
                copy.write_row([row[name] for name in names])
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
        values: Any = [tuple([row[name] for name in names]) for row in rows]
    else:
        values = tuple([row[name] for row in rows] for name in names)
    connection.exec_driver_sql(_update_sql(table, names, tuple(keys), connection.dialect.name), values)


@lru_cache(maxsize=64)
def _insert_sql(table: Table, names: tuple[str, ...]) -> str:
    columns, marks = _quoted(names), ", ".join("?" * len(names))
    return f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks})'


@lru_cache(maxsize=64)
def _copy_sql(table: Table, names: tuple[str, ...]) -> bytes:
    return f'COPY "{table.name}" ({_quoted(names)}) FROM STDIN'.encode()


@lru_cache(maxsize=64)
def _update_sql(table: Table, names: tuple[str, ...], keys: tuple[str, ...], dialect: str) -> str:
    changed = names[: -len(keys)]
    if dialect == "sqlite":
        values = ", ".join(f'"{name}" = ?' for name in changed)
        return f'UPDATE "{table.name}" SET {values} WHERE ' + " AND ".join(f'"{key}" = ?' for key in keys)
    values = ", ".join(f'"{name}" = new."{name}"' for name in changed)
    arrays = ", ".join(f"%b::{table.c[name].type.compile(_POSTGRESQL)}[]" for name in names)
    same = " AND ".join(f'"{table.name}"."{key}" = new."{key}"' for key in keys)
    return f'UPDATE "{table.name}" SET {values} FROM unnest({arrays}) AS new({_quoted(names)}) WHERE {same}'


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
