"""Kiosks as central keeps them: added, given tickets, frozen, revoked, and told to the others."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from kiosk.enrolment import make_ticket
from kiosk.errors import OfficerFault
from sync.central import key_admin, kiosk_health, rights
from sync.central.feed import FeedChanges
from sync.central.models import kiosk, kiosk_gen, kiosk_order, point, ticket
from sync.central.right_rows import FROZEN, NEW, REVOKED
from sync.central.state import Central
from sync.wire import CITY

TICKET_HOURS: Final = 48
PAGE: Final = 500
STOP: Final = "stop"
REVOKE: Final = "revoke"


def tell(connection: Connection, changes: FeedChanges, kiosk_id: str) -> None:
    """Puts a kiosk's row in the city's feed."""
    row = connection.execute(select(kiosk).where(kiosk.c.id == kiosk_id)).one()
    changes.put(CITY, "kiosk", (row.id, row.point_id, row.counter, int(row.keeper), row.state))


def freeze(connection: Connection, changes: FeedChanges, kiosk_id: str, why: str) -> None:
    """No grants and no dispensing for this kiosk until it is enrolled again; pushing stays allowed."""
    connection.execute(
        update(kiosk)
        .where(kiosk.c.id == kiosk_id, kiosk.c.state != REVOKED)
        .values(state=FROZEN, frozen_why=why)
    )
    tell(connection, changes, kiosk_id)


def add(central: Central, kiosk_id: str, point_id: int, counter: str, keeper: bool) -> None:
    """Registers a kiosk that may be enrolled.

    Raises OfficerFault ``kiosk_exists``, ``unknown_point``, ``keeper_exists``.
    """
    central.database.write(partial(_add, kiosk_id, point_id, counter, keeper))


def _add(kiosk_id: str, point_id: int, counter: str, keeper: bool, connection: Connection) -> None:
    if connection.execute(select(kiosk.c.id).where(kiosk.c.id == kiosk_id)).first():
        raise OfficerFault("kiosk_exists", f"{kiosk_id} is registered already")
    if not connection.execute(select(point.c.id).where(point.c.id == point_id)).first():
        raise OfficerFault("unknown_point", f"there is no service point {point_id}")
    keepers = select(kiosk.c.id).where(kiosk.c.point_id == point_id, kiosk.c.keeper.is_(True))
    if keeper and (found := connection.execute(keepers).scalar()):
        raise OfficerFault("keeper_exists", f"{found} keeps the rights of point {point_id}")
    insert_kiosk(connection, kiosk_id, point_id, counter, keeper)
    changes = FeedChanges()
    tell(connection, changes, kiosk_id)
    changes.write(connection)


def insert_kiosk(connection: Connection, kiosk_id: str, point_id: int, counter: str, keeper: bool) -> None:
    """Inserts a kiosk's row; the caller tells the feed."""
    connection.execute(
        insert(kiosk).values(
            id=kiosk_id,
            point_id=point_id,
            counter=counter,
            keeper=keeper,
            state=NEW,
            gen=0,
            grant_rev=0,
            frozen_why="",
        )
    )


def new_ticket(central: Central, kiosk_id: str) -> str:
    """A one-time enrolment code, good for TICKET_HOURS. Raises OfficerFault ``unknown_kiosk``."""
    code = make_ticket(key_admin.signing_root(central))
    central.database.write(partial(_add_ticket, kiosk_id, code, central.now()))
    return code


def _add_ticket(kiosk_id: str, code: str, now: int, connection: Connection) -> None:
    state_of(connection, kiosk_id)
    connection.execute(
        insert(ticket).values(hash=ticket_hash(code), kiosk=kiosk_id, expires_at=now + TICKET_HOURS * 3600)
    )


def ticket_hash(code: str) -> bytes:
    """What is stored of a ticket: whoever reads the database cannot enrol with it."""
    return hashlib.sha256(code.encode("ascii")).digest()


def state_of(connection: Connection, kiosk_id: str) -> str:
    """The state of a kiosk. Raises OfficerFault ``unknown_kiosk``."""
    state = connection.execute(select(kiosk.c.state).where(kiosk.c.id == kiosk_id)).scalar()
    if state is None:
        raise OfficerFault("unknown_kiosk", f"no kiosk {kiosk_id} is registered")
    return str(state)


def revoke(central: Central, kiosk_id: str) -> None:
    """Revokes a lost or stolen kiosk; its rights are in doubt, not free.

    Raises OfficerFault ``unknown_kiosk``.
    """
    gen = central.database.write(partial(revoke_on, kiosk_id, central.now()))
    central.outside.keep_revocation(kiosk_id, gen, central.now())


def revoke_on(kiosk_id: str, now: int, connection: Connection) -> int:
    """The same inside the caller's transaction; answers the generation that was revoked."""
    state_of(connection, kiosk_id)
    order(connection, kiosk_id, REVOKE, now)
    connection.execute(update(kiosk).where(kiosk.c.id == kiosk_id).values(state=REVOKED))
    connection.execute(
        update(kiosk_gen)
        .where(kiosk_gen.c.kiosk == kiosk_id, kiosk_gen.c.state == "active")
        .values(state=REVOKED)
    )
    rights.put_in_doubt(connection, kiosk_id)
    changes = FeedChanges()
    tell(connection, changes, kiosk_id)
    changes.write(connection)
    return int(connection.execute(select(kiosk.c.gen).where(kiosk.c.id == kiosk_id)).scalar_one())


def order(connection: Connection, kiosk_id: str, what: str, now: int) -> None:
    """Orders a kiosk's current generation to stop (``stop``), or to stop, send all and wipe (``revoke``)."""
    gen = connection.execute(select(kiosk.c.gen).where(kiosk.c.id == kiosk_id)).scalar_one()
    if not gen:
        return
    connection.execute(delete(kiosk_order).where(kiosk_order.c.kiosk == kiosk_id, kiosk_order.c.gen == gen))
    values = {"kiosk": kiosk_id, "gen": gen, "what": what, "ordered_at": now, "done": "", "done_at": None}
    connection.execute(insert(kiosk_order).values(**values))


def listed(central: Central, after: str = "", limit: int = PAGE) -> list[dict[str, Any]]:
    """Kiosks behind ``after`` in the order of their ids, with what is known of each, for people."""
    query = (
        select(
            kiosk.c.id,
            kiosk.c.point_id,
            kiosk.c.counter,
            kiosk.c.keeper,
            kiosk.c.state,
            kiosk.c.gen,
            kiosk.c.frozen_why,
            kiosk.c.seen_at,
            kiosk.c.health,
            kiosk_gen.c.acked_seq,
            kiosk_order.c.what.label("ordered"),
            kiosk_order.c.done.label("order_done"),
        )
        .select_from(
            kiosk.outerjoin(
                kiosk_gen, (kiosk_gen.c.kiosk == kiosk.c.id) & (kiosk_gen.c.gen == kiosk.c.gen)
            ).outerjoin(kiosk_order, (kiosk_order.c.kiosk == kiosk.c.id) & (kiosk_order.c.gen == kiosk.c.gen))
        )
        .where(kiosk.c.id > after)
        .order_by(kiosk.c.id)
        .limit(limit)
    )
    with central.database.read() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    return [row | kiosk_health.told(row.pop("health")) for row in rows]
