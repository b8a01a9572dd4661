"""Write-offs: rights of a lost kiosk become free again when two people of central's staff sign for it.

Physical aid cannot be taken back, so nothing in doubt is freed by time alone before its period's end. What
the lost kiosk handed out nevertheless, and central hears of later, is recorded and names the write-off.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from kiosk.errors import OfficerFault
from sync.central import accounts, merging, right_rows, rights
from sync.central.accounts import Signer
from sync.central.feed import FeedChanges
from sync.central.kiosk_orders import STOPPED
from sync.central.models import approval, kiosk, kiosk_gen, writeoff, writeoff_right
from sync.central.models import rights as rights_table
from sync.central.paging import PAGE, behind
from sync.central.right_rows import ACTIVE, FROZEN, Kiosks, Right
from sync.central.state import Central
from sync.wire import to_base64

ASKED: Final = "asked"
APPROVED: Final = "approved"
DONE: Final = "done"
RIGHTS_PER_WRITE: Final = 500


def ask_for_right(central: Central, right: str, reason: str, by: Signer) -> str:
    """Asks for one right in doubt to be written off; answers the write-off's id.

    Raises OfficerFault ``unknown_right``, ``not_in_doubt``, ``reason_missing``, and what ``accounts.sign``
    does; EnvironmentFault ``grants_log_failed``.
    """
    asking = partial(_ask, right=right, kiosk_id="", gen=0, reason=reason, by=by, now=central.now())
    return _kept(central, central.database.write(asking))


def ask_for_kiosk(central: Central, kiosk_id: str, gen: int | None, reason: str, by: Signer) -> str:
    """Asks for everything in doubt of one generation of a lost kiosk; answers the write-off's id.

    Without ``gen``: its newest generation that may hold nothing any more. Raises OfficerFault
    ``unknown_kiosk``, ``unknown_gen``, ``kiosk_active``, and what ``ask_for_right`` does.
    """
    asking = partial(_ask, right="", kiosk_id=kiosk_id, gen=gen, reason=reason, by=by, now=central.now())
    return _kept(central, central.database.write(asking))


def approve(central: Central, writeoff_id: str, by: Signer) -> dict[str, Any]:
    """The second signature: frees what is in doubt. One that was approved already is carried on with.

    Answers ``{"id", "state", "freed"}``. Raises OfficerFault ``unknown_writeoff``, ``same_account``,
    ``already_done``, and what ``accounts.sign`` does; EnvironmentFault ``grants_log_failed``, with nothing
    freed.
    """
    central.database.write(partial(_approve, writeoff_id, by, central.now()))
    _kept(central, writeoff_id)
    freed = 0
    while some := central.database.write(partial(_free_some, writeoff_id, central.now())):
        freed += some
    central.database.write(partial(_close, writeoff_id))
    return {"id": writeoff_id, "state": DONE, "freed": freed}


def carry_out_on(connection: Connection, writeoff_id: str, now: int) -> None:
    """Frees what an approved write-off names, all of it in the caller's transaction."""
    while _free_some(writeoff_id, now, connection):
        pass
    _close(writeoff_id, connection)


def listed(central: Central, after: str = "", limit: int = PAGE) -> list[dict[str, Any]]:
    """Write-offs behind ``after``, oldest first, with who signed. Raises OfficerFault ``unknown_row``."""
    order = (writeoff.c.asked_at, writeoff.c.id)
    with central.database.read() as connection:
        query = select(writeoff).where(behind(connection, writeoff.c.id, after, order))
        rows = connection.execute(query.order_by(*order).limit(limit)).mappings().all()
        return [dict(row) | {"signed": signatures(connection, row["id"])} for row in rows]


def signatures(connection: Connection, subject: str) -> list[dict[str, Any]]:
    """Who signed for a write-off or an order, in order, and whether the signature holds."""
    query = select(approval).where(approval.c.subject == subject).order_by(approval.c.at, approval.c.account)
    return [
        {"account": row.account, "at": row.at, "holds": _holds(connection, row)}
        for row in connection.execute(query)
    ]


def covering(
    connection: Connection, right: str, kiosk_id: str, gen: int, epoch: tuple[int, int]
) -> str | None:
    """The id of the write-off that freed this right from that generation; None if none did."""
    query = (
        select(writeoff_right)
        .where(writeoff_right.c.right == right)
        .where(writeoff_right.c.kiosk == kiosk_id, writeoff_right.c.gen == gen)
        .order_by(writeoff_right.c.at, writeoff_right.c.writeoff)
    )
    for row in connection.execute(query):
        if (0, 0) < epoch <= (row.epoch_incarnation, row.epoch_n):
            return str(row.writeoff)
    return None


def is_written_off(connection: Connection, kiosk_id: str, gen: int) -> bool:
    """True if two people gave up what this generation of a kiosk held."""
    query = select(writeoff.c.id).where(writeoff.c.kiosk == kiosk_id, writeoff.c.gen == gen)
    query = query.where(writeoff.c.right == "")
    return connection.execute(query.where(writeoff.c.state != ASKED)).first() is not None


def _kept(central: Central, writeoff_id: str) -> str:
    """Its id, once the log outside the database has it as it stands."""
    with central.database.read() as connection:
        entry = entry_of(connection, writeoff_id)
    central.outside.keep([entry])
    return writeoff_id


def entry_of(connection: Connection, writeoff_id: str) -> dict[str, Any]:
    """What the log says of a write-off: what is asked for, and all signatures there are."""
    row = connection.execute(select(writeoff).where(writeoff.c.id == writeoff_id)).mappings().one()
    said = {name: row[name] for name in ("id", "right", "kiosk", "gen", "reason", "asked_at")}
    signed = select(approval.c.account, approval.c.at, approval.c.signed)
    signed = signed.where(approval.c.subject == writeoff_id).order_by(approval.c.at, approval.c.account)
    found = [[one.account, one.at, to_base64(bytes(one.signed))] for one in connection.execute(signed)]
    return {"writeoff": said | {"signed": found}}


def _ask(
    connection: Connection, *, right: str, kiosk_id: str, gen: int | None, reason: str, by: Signer, now: int
) -> str:
    reason = accounts.reason_of(reason)
    if right:
        row = right_rows.load(connection, [right]).get(right)
        if row is None:
            raise OfficerFault("unknown_right", f"no right {right}")
        if not row.in_doubt:
            said = "it lies with central" if not row.held_by else f"{row.held_by} is asked for it by a recall"
            raise OfficerFault("not_in_doubt", f"{right} is not in doubt: {said}")
        kiosk_id, gen = row.held_by, row.gen
    else:
        gen = _lost_generation(connection, kiosk_id, gen)
    writeoff_id = f"W-{secrets.token_hex(6)}"
    asked = {"id": writeoff_id, "right": right, "kiosk": kiosk_id, "gen": gen, "reason": reason}
    signed = accounts.sign(connection, by, claims_of(asked, now))
    connection.execute(insert(writeoff).values(**asked, state=ASKED, asked_at=now))
    connection.execute(insert(approval).values(subject=writeoff_id, account=by.name, signed=signed, at=now))
    return writeoff_id


def _lost_generation(connection: Connection, kiosk_id: str, gen: int | None) -> int:
    query = select(kiosk.c.gen, kiosk.c.state, kiosk.c.frozen_why).where(kiosk.c.id == kiosk_id)
    current = connection.execute(query).first()
    if current is None:
        raise OfficerFault("unknown_kiosk", f"no kiosk {kiosk_id} is registered")
    # One that was only stopped keeps what it holds, and goes on when it is resumed.
    in_use = current.state == ACTIVE or (current.state == FROZEN and current.frozen_why == STOPPED)
    named = f" {gen}" if gen is not None else ""
    if gen is None:
        gen = current.gen - 1 if in_use else current.gen
    known = select(kiosk_gen.c.gen).where(kiosk_gen.c.kiosk == kiosk_id, kiosk_gen.c.gen == gen)
    if not connection.execute(known).first():
        raise OfficerFault("unknown_gen", f"{kiosk_id} has no generation{named} that is lost")
    if gen == current.gen and in_use:
        raise OfficerFault("kiosk_active", f"{kiosk_id} is in use: revoke it first if it is lost")
    return gen


def claims_of(said: Mapping[str, Any], at: int) -> dict[str, Any]:
    """What is signed of a write-off at a time, by its row."""
    scope: dict[str, Any] = {"rights": [said["right"]]} if said["right"] else {}
    named = {name: said[name] for name in ("id", "kiosk", "gen", "reason")}
    return {"what": "writeoff", "at": at} | named | scope


def _approve(writeoff_id: str, by: Signer, now: int, connection: Connection) -> None:
    row = connection.execute(select(writeoff).where(writeoff.c.id == writeoff_id)).mappings().first()
    if row is None:
        raise OfficerFault("unknown_writeoff", f"no write-off {writeoff_id}")
    if row["state"] == DONE:
        raise OfficerFault("already_done", f"{writeoff_id} was carried out")
    if row["state"] == APPROVED:
        return
    claims = claims_of(dict(row), now)
    signed = accounts.sign(connection, by, claims, approves=True)
    asked = connection.execute(select(approval).where(approval.c.subject == writeoff_id)).one()
    if asked.account == by.name:
        raise OfficerFault("same_account", "the second signature is another person's")
    said = accounts.opened(connection, asked.account, bytes(asked.signed))
    if said != claims | {"v": 1, "by": asked.account, "at": said.get("at")}:
        raise OfficerFault("approval_refused", "the first signature is for something else")
    connection.execute(insert(approval).values(subject=writeoff_id, account=by.name, signed=signed, at=now))
    connection.execute(update(writeoff).where(writeoff.c.id == writeoff_id).values(state=APPROVED))


def _free_some(writeoff_id: str, now: int, connection: Connection) -> int:
    row = connection.execute(select(writeoff).where(writeoff.c.id == writeoff_id)).one()
    doubtful = select(rights_table).where(rights_table.c.in_doubt.is_(True))
    doubtful = doubtful.where(rights_table.c.held_by == row.kiosk, rights_table.c.gen == row.gen)
    if row.right:
        doubtful = doubtful.where(rights_table.c.right == row.right)
    doubtful = doubtful.order_by(rights_table.c.right).limit(RIGHTS_PER_WRITE)
    rows = [right_rows.of_row(found) for found in connection.execute(doubtful).mappings()]
    if not rows:
        return 0
    connection.execute(insert(writeoff_right), [_given_up(writeoff_id, one, now) for one in rows])
    kiosks, changes = Kiosks(connection), FeedChanges()
    for one in rows:
        rights.free(one, changes, kiosks)
    right_rows.save(connection, rows)
    merging.end_waiting(connection, rows)
    changes.write(connection)
    return len(rows)


def _given_up(writeoff_id: str, row: Right, now: int) -> dict[str, Any]:
    return {
        "writeoff": writeoff_id,
        "right": row.right,
        "kiosk": row.held_by,
        "gen": row.gen,
        "epoch_incarnation": row.epoch_incarnation,
        "epoch_n": row.epoch_n,
        "quantity_left": row.left,
        "at": now,
    }


def _close(writeoff_id: str, connection: Connection) -> None:
    connection.execute(update(writeoff).where(writeoff.c.id == writeoff_id).values(state=DONE))


def _holds(connection: Connection, row: Any) -> bool:
    try:
        claims = accounts.opened(connection, row.account, bytes(row.signed))
    except OfficerFault:
        return False
    return bool(claims.get("id") == row.subject)
