"""Rights in escrow: each lies with central or with one kiosk, and comes back only by that kiosk's record.

Every grant raises the right's epoch. A release frees a right only if it reaches the current epoch, so that a
release on its way cannot take back a grant made after it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update

from kiosk import grant as grants
from kiosk.grant import Grant, Term
from sync.central import recovery, right_rows
from sync.central.bulk import insert_rows
from sync.central.feed import FeedChanges
from sync.central.models import grant_log, kiosk, rights
from sync.central.right_rows import Kiosk, Kiosks, Right
from sync.central.state import Central


def hand_over(
    connection: Connection,
    incarnation: int,
    holder: Kiosk,
    rows: Sequence[Right],
    now: int,
    changes: FeedChanges,
    kiosks: Kiosks,
) -> None:
    """Grants rights, free or held by ``holder`` already, to ``holder`` at their next epochs."""
    rows = _not_withheld(connection, rows)
    if not rows:
        return
    raised = update(kiosk).where(kiosk.c.id == holder.id).values(grant_rev=kiosk.c.grant_rev + len(rows))
    rev = connection.execute(raised.returning(kiosk.c.grant_rev)).scalar_one() - len(rows)
    log: list[dict[str, Any]] = []
    for row in rows:
        rev += 1
        row.held_by, row.gen = holder.id, holder.gen
        row.epoch_incarnation, row.epoch_n = incarnation, row.epoch_n + 1
        row.granted = json.dumps(
            {
                "terms": json.loads(row.terms),
                "not_before": row.not_before,
                "not_after": row.not_after,
                "mode": row.mode,
                "upto_seq": holder.acked_seq,
            },
            separators=(",", ":"),
        )
        row.granted_left = row.left
        row.grant_rev = rev
        row.recall, row.in_doubt, row.wanted_by, row.wanted_until = False, False, "", 0
        log.append(
            {
                "right": row.right,
                "epoch_incarnation": row.epoch_incarnation,
                "epoch_n": row.epoch_n,
                "kiosk": holder.id,
                "gen": holder.gen,
                "quantity_left": row.granted_left,
                "spent_before": row.spent,
                "issued_at": now,
            }
        )
        right_rows.tell(changes, row, kiosks)
    insert_rows(connection, grant_log, log)
    right_rows.save(connection, rows)


def _not_withheld(connection: Connection, rows: Sequence[Right]) -> Sequence[Right]:
    """The rows that may be granted now; of the others, what a kiosk holds is asked back, not renewed."""
    if not rows or not recovery.is_pending(connection):
        return rows
    withheld = [row for row in rows if recovery.is_withheld(row)]
    for row in withheld:
        row.recall = bool(row.held_by)
    right_rows.save(connection, withheld)
    return [row for row in rows if not recovery.is_withheld(row)]


def free(row: Right, changes: FeedChanges, kiosks: Kiosks) -> None:
    """Brings a right back to central; the caller saves it."""
    row.floor_incarnation, row.floor_n = row.epoch
    row.held_by, row.gen, row.granted, row.granted_left = "", 0, None, 0
    row.recall, row.in_doubt = False, False
    right_rows.tell(changes, row, kiosks)


def signed_grant(central: Central, row: Right) -> bytes:
    """The grant outstanding of a right that a kiosk holds; the same bytes each time."""
    said = json.loads(row.granted or "{}")
    grant = Grant(
        right=row.right,
        kiosk=row.held_by,
        gen=row.gen,
        epoch=row.epoch,
        quantity_left=row.granted_left,
        terms=tuple(Term(*term) for term in said["terms"]),
        not_before=said["not_before"],
        not_after=said["not_after"],
        mode=said["mode"],
        upto_seq=said["upto_seq"],
    )
    return grants.make(grant, central.keys.central.private, central.keys.central.kid)


def put_in_doubt(connection: Connection, kiosk_id: str, gen: int | None = None) -> None:
    """Marks what a kiosk (or one generation) holds: only its own release or the period's end frees it."""
    held = update(rights).where(rights.c.held_by == kiosk_id)
    if gen is not None:
        held = held.where(rights.c.gen == gen)
    connection.execute(held.values(in_doubt=True, recall=False, wanted_by="", wanted_until=0))


# Made once: each poll asks these, and to make a statement takes longer than to run it.
_HELD: Final = (
    rights.c.held_by == bindparam("of_kiosk"),
    rights.c.gen == bindparam("of_gen"),
    rights.c.in_doubt.is_(False),
)
_OUTSTANDING: Final = (
    select(rights)
    .where(*_HELD, rights.c.grant_rev > bindparam("after"))
    .order_by(rights.c.grant_rev)
    .limit(bindparam("most"))
)
_DIGESTED: Final = select(
    rights.c.right, rights.c.epoch_incarnation, rights.c.epoch_n, rights.c.grant_rev
).where(*_HELD)
_RECALLED: Final = (
    select(rights.c.right)
    .where(*_HELD, rights.c.recall.is_(True))
    .order_by(rights.c.right)
    .limit(bindparam("most"))
)


def outstanding(connection: Connection, kiosk_id: str, gen: int, after_rev: int, limit: int) -> list[Right]:
    """Grants that a kiosk's generation should hold, in the order in which they were made."""
    asked = {"of_kiosk": kiosk_id, "of_gen": gen, "after": after_rev, "most": limit}
    return [right_rows.of_row(row) for row in connection.execute(_OUTSTANDING, asked).mappings()]


def outstanding_digests(connection: Connection, kiosk_id: str, gen: int, upto_rev: int) -> tuple[str, str]:
    """Digests of the grants outstanding: of those delivered up to a rev, and of all."""
    found = connection.execute(_DIGESTED, {"of_kiosk": kiosk_id, "of_gen": gen})
    held = [(row.right, (row.epoch_incarnation, row.epoch_n), row.grant_rev) for row in found]
    return (
        grants.digest_of((right, epoch) for right, epoch, rev in held if rev <= upto_rev),
        grants.digest_of((right, epoch) for right, epoch, _ in held),
    )


def recalled(connection: Connection, kiosk_id: str, gen: int, limit: int) -> list[str]:
    """Rights that a kiosk is asked to give back."""
    asked = {"of_kiosk": kiosk_id, "of_gen": gen, "most": limit}
    return list(connection.execute(_RECALLED, asked).scalars())
