"""Officers at central: added, listed, given a PIN."""

from __future__ import annotations

import re
from datetime import date
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, select, update

from kiosk.errors import OfficerFault
from kiosk.officer_pin import hash_pin
from sync.central import import_rows
from sync.central.feed import FeedChanges
from sync.central.importing import put_officer
from sync.central.models import officer, point
from sync.central.state import Central

ROLES: Final = ("officer", "supervisor")
PAGE: Final = 500
_USERNAME: Final = re.compile(r"[a-z][a-z0-9._-]{1,31}")


def add(
    central: Central, username: str, name: str, role: str, point_id: int, valid_until: date, pin: str
) -> None:
    """Adds an officer of a point.

    Raises OfficerFault ``officer_exists``, ``username_malformed``, ``unknown_role``, ``unknown_point`` and
    what ``hash_pin`` raises of the PIN.
    """
    if not _USERNAME.fullmatch(username):
        raise OfficerFault("username_malformed", "2 to 32 of a-z, 0-9, dot, dash; a letter first")
    if role not in ROLES:
        raise OfficerFault("unknown_role", f"one of {', '.join(ROLES)}")
    hashed = hash_pin(pin, username, central.keys.pepper)
    row = {
        "username": username,
        "name": name,
        "role": role,
        "point_id": point_id,
        "valid_until": valid_until.isoformat(),
    }
    central.database.write(partial(_add, row, hashed))


def _add(row: dict[str, Any], hashed: str, connection: Connection) -> None:
    if connection.execute(select(officer.c.name).where(officer.c.username == row["username"])).first():
        raise OfficerFault("officer_exists", f"{row['username']} is registered already")
    if not connection.execute(select(point.c.id).where(point.c.id == row["point_id"])).first():
        raise OfficerFault("unknown_point", f"there is no service point {row['point_id']}")
    changes = FeedChanges()
    put_officer(connection, changes, row, hashed)
    changes.write(connection)


def set_pin(central: Central, username: str, pin: str) -> None:
    """Gives an officer another PIN. Raises OfficerFault ``unknown_officer`` and what ``hash_pin`` raises."""
    hashed = hash_pin(pin, username, central.keys.pepper)
    central.database.write(partial(_set_pin, username, hashed))


def _set_pin(username: str, hashed: str, connection: Connection) -> None:
    changed = update(officer).where(officer.c.username == username).values(pin_hash=hashed)
    if not connection.execute(changed).rowcount:
        raise OfficerFault("unknown_officer", f"no officer {username}")
    changes = FeedChanges()
    import_rows.tell_officer(connection, changes, username)
    changes.write(connection)


def listed(central: Central, after: str = "", limit: int = PAGE) -> list[dict[str, Any]]:
    """Officers behind ``after`` in the order of their usernames, without the PIN."""
    query = select(
        officer.c.username, officer.c.name, officer.c.role, officer.c.point_id, officer.c.valid_until
    )
    query = query.where(officer.c.username > after).order_by(officer.c.username).limit(limit)
    with central.database.read() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
