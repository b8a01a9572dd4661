"""What central asks kiosks to do by a record of their own: to void a pickup.

A pickup is taken back only in the dispensing kiosk's own chain, so central's staff can only ask for it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, update

from kiosk.errors import OfficerFault
from sync.central import accounts
from sync.central.accounts import Signer
from sync.central.models import approval, kiosk, order_to_kiosk, pickup
from sync.central.paging import PAGE, behind
from sync.central.right_rows import REVOKED
from sync.central.state import Central
from sync.wire import MAX_VOIDS, VoidRequest

VOID: Final = "void"


def request_void(central: Central, ref: str, reason: str, by: Signer) -> dict[str, Any]:
    """Asks the kiosk that handed a pickup out to void it; asked for already, answers that order.

    Raises OfficerFault ``unknown_ref``, ``already_voided``, ``kiosk_revoked``, ``reason_missing``, and what
    ``accounts.sign`` does.
    """
    return central.database.write(partial(_request_void, ref, reason, by, central.now()))


_VOIDS_FOR: Final = (
    select(order_to_kiosk.c.ref, order_to_kiosk.c.reason, order_to_kiosk.c.by)
    .where(order_to_kiosk.c.kiosk == bindparam("of_kiosk"), order_to_kiosk.c.done_at.is_(None))
    .where(order_to_kiosk.c.what == VOID)
    .order_by(order_to_kiosk.c.asked_at, order_to_kiosk.c.id)
    .limit(MAX_VOIDS)
)


def voids_for(connection: Connection, kiosk_id: str) -> list[VoidRequest]:
    """The voids that a kiosk was asked for and has not carried out, oldest first."""
    asked = connection.execute(_VOIDS_FOR, {"of_kiosk": kiosk_id})
    return [VoidRequest(ref=row.ref, reason=row.reason, by=row.by) for row in asked]


def mark_done(connection: Connection, voided: Mapping[str, str], now: int) -> None:
    """Notes that pickups were voided (reference to the void's own), whether or not it was asked for."""
    if not voided:
        return
    done = update(order_to_kiosk).where(order_to_kiosk.c.ref == bindparam("done_ref"))
    done = done.where(order_to_kiosk.c.done_at.is_(None))
    connection.execute(
        done.values(done_at=now, done_by=bindparam("by_record")),
        [{"done_ref": ref, "by_record": record} for ref, record in sorted(voided.items())],
    )


def listed(central: Central, after: str = "", limit: int = PAGE) -> list[dict[str, Any]]:
    """Orders behind ``after``, oldest first. Raises OfficerFault ``unknown_row``."""
    order = (order_to_kiosk.c.asked_at, order_to_kiosk.c.id)
    with central.database.read() as connection:
        query = select(order_to_kiosk).where(behind(connection, order_to_kiosk.c.id, after, order))
        return [dict(row) for row in connection.execute(query.order_by(*order).limit(limit)).mappings()]


def of_pickups(connection: Connection, refs: Iterable[str]) -> list[dict[str, Any]]:
    """Orders about these pickups, oldest first."""
    query = select(order_to_kiosk).where(order_to_kiosk.c.ref.in_(list(refs)))
    query = query.order_by(order_to_kiosk.c.asked_at, order_to_kiosk.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def _request_void(ref: str, reason: str, by: Signer, now: int, connection: Connection) -> dict[str, Any]:
    reason = accounts.reason_of(reason)
    found = connection.execute(select(pickup).where(pickup.c.ref == ref)).first()
    if found is None:
        raise OfficerFault("unknown_ref", f"no pickup {ref}")
    if found.voided:
        raise OfficerFault("already_voided", f"{ref} was voided")
    state = connection.execute(select(kiosk.c.state).where(kiosk.c.id == found.kiosk)).scalar_one()
    if state == REVOKED:
        raise OfficerFault("kiosk_revoked", f"{found.kiosk} was revoked and carries nothing out any more")
    order_id = f"V-{secrets.token_hex(6)}"
    claims = {"what": VOID, "id": order_id, "ref": ref, "reason": reason, "at": now}
    signed = accounts.sign(connection, by, claims)
    query = select(order_to_kiosk).where(order_to_kiosk.c.ref == ref, order_to_kiosk.c.done_at.is_(None))
    open_one = connection.execute(query).mappings().first()
    if open_one is not None:
        return dict(open_one)
    row = {"id": order_id, "kiosk": found.kiosk, "what": VOID, "ref": ref, "reason": reason}
    row |= {"by": by.name, "asked_at": now, "done_at": None, "done_by": None}
    connection.execute(insert(order_to_kiosk).values(**row))
    connection.execute(insert(approval).values(subject=order_id, account=by.name, signed=signed, at=now))
    return row
