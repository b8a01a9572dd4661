"""Single values that central keeps in its database: mode, incarnation, keyset."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from sync.central.models import meta


def all_of(connection: Connection) -> dict[str, str]:
    """Every single value."""
    return {row.key: row.value for row in connection.execute(select(meta.c.key, meta.c.value))}


def get(connection: Connection, key: str, default: str = "") -> str:
    """One value."""
    value = connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar()
    return default if value is None else str(value)


def with_prefix(connection: Connection, prefix: str) -> list[str]:
    """The names of values that begin so."""
    names = connection.execute(select(meta.c.key).order_by(meta.c.key)).scalars()
    return [name for name in names if name.startswith(prefix)]


def drop(connection: Connection, key: str) -> None:
    """Removes one value."""
    connection.execute(delete(meta).where(meta.c.key == key))


def put(connection: Connection, **values: str) -> None:
    """Writes values."""
    for key, value in values.items():
        if not connection.execute(update(meta).where(meta.c.key == key).values(value=value)).rowcount:
            connection.execute(insert(meta).values(key=key, value=value))
