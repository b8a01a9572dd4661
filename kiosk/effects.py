"""What a journal record does to rights and pickups: from the record alone, so that it can be replayed.

What is left of a right is never counted up and down: it is the grant's quantity less what this kiosk's
journal holds of that right since the last record that central had counted (``upto_seq``). A void after a
renewal, or a renewal that crosses a pickup on the wire, then comes out right whatever their order.
"""

from __future__ import annotations

from typing import Any

from kiosk import freezing
from kiosk.errors import OfficerFault
from kiosk.journal_format import (
    DISPENSE,
    EVERY_RIGHT,
    RELEASE,
    STOCK,
    VOID,
    Record,
    pickup_ref,
    rolled_to,
)
from kiosk.ledger import PICKUPS, RIGHTS, SIGNING_KEYS
from kiosk.stock import make_stock_effect
from kiosk.tolerate import MODE, NO_GRANT


def make_effect(connection: Any, record: Record) -> None:
    """Makes the effect of one record that is in the journal by now, inside the caller's transaction.

    Raises OfficerFault: ``right_not_held``, ``unknown_ref``, ``already_voided``, ``no_stock``.
    """
    if record.type == DISPENSE:
        _dispense(connection, record)
    elif record.type == VOID:
        _void(connection, record)
    elif record.type == RELEASE:
        _release(connection, record)
    elif record.type == STOCK:
        make_stock_effect(connection, record)
    elif public := rolled_to(record):
        connection.execute(
            f"INSERT INTO {SIGNING_KEYS} (gen, from_seq, public) VALUES (?, ?, ?)",
            (record.gen, record.seq + 1, public),
        )


def recount(connection: Any, right: str, gen: int) -> None:
    """Sets what is left of a right that generation ``gen`` holds; a released one stays as it was.

    A grant of nothing stays nothing: central may have spent more than there is, which 0 does not say.
    """
    connection.execute(
        f"""UPDATE {RIGHTS} SET quantity_left = CASE granted WHEN 0 THEN 0 ELSE max(0, granted - (
                SELECT coalesce(sum(p.spends), 0) FROM {PICKUPS} p
                WHERE p.right = {RIGHTS}.right AND p.gen = {RIGHTS}.gen AND p.seq > {RIGHTS}.upto_seq
                  AND p.voided = 0
            ) + (
                SELECT coalesce(sum(p.spends), 0) FROM {PICKUPS} p
                WHERE p.right = {RIGHTS}.right AND p.gen = {RIGHTS}.gen AND p.seq <= {RIGHTS}.upto_seq
                  AND p.voided = 1 AND p.void_gen = {RIGHTS}.gen AND p.void_seq > {RIGHTS}.upto_seq
            )) END
            WHERE right = ? AND gen = ? AND held = 1""",
        (right, gen),
    )


def _dispense(connection: Any, record: Record) -> None:
    spends = int(record.detail["spends"])
    incarnation, n = record.epoch or NO_GRANT
    tolerated = record.mode == MODE and (incarnation, n) == NO_GRANT
    held = connection.execute(
        f"""SELECT 1 FROM {RIGHTS} WHERE right = ? AND gen = ? AND held = 1 AND epoch_incarnation = ?
              AND epoch_n = ? AND quantity_left >= ?""",
        (record.right, record.gen, incarnation, n, spends),
    ).fetchone()
    if (held is None and not tolerated) or spends < 1:
        raise OfficerFault(
            "right_not_held", "the right is not held here with enough left", right=record.right
        )
    put_pickup(connection, record)
    recount(connection, record.right, record.gen)


def put_pickup(connection: Any, record: Record) -> None:
    """Lists a dispense among the pickups, without asking what it was spent from."""
    incarnation, n = record.epoch or NO_GRANT
    program_id, _, version = record.program_version.partition("@")
    connection.execute(
        f"""INSERT INTO {PICKUPS} (ref, gen, seq, right, program_id, program_version, card, quantity, spends,
                epoch_incarnation, epoch_n, officer, wall_ms, slice)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            pickup_ref(record.kiosk, record.gen, record.seq),
            record.gen,
            record.seq,
            record.right,
            program_id,
            int(version),
            record.card,
            record.quantity,
            int(record.detail["spends"]),
            incarnation,
            n,
            record.officer,
            record.wall,
            str(record.detail.get("slice", "")),
        ),
    )


def _void(connection: Any, record: Record) -> None:
    known = connection.execute(f"SELECT voided FROM {PICKUPS} WHERE ref = ?", (record.ref,)).fetchone()
    if known is None:
        raise OfficerFault("unknown_ref", f"no pickup {record.ref} in this kiosk's journal", ref=record.ref)
    if known[0]:
        raise OfficerFault("already_voided", f"{record.ref} is voided already", ref=record.ref)
    connection.execute(
        f"UPDATE {PICKUPS} SET voided = 1, shown = 1, void_gen = ?, void_seq = ? WHERE ref = ?",
        (record.gen, record.seq, record.ref),
    )
    # Nothing comes back to a right that was released meanwhile: there central gives the quantity back.
    recount(connection, record.right, record.gen)


def _release(connection: Any, record: Record) -> None:
    if record.right == EVERY_RIGHT:
        connection.execute(
            f"""UPDATE {RIGHTS} SET held = 0, acquired_ms = 0,
                    floor_incarnation = epoch_incarnation, floor_n = epoch_n
                WHERE gen = ? AND held = 1""",
            (record.gen,),
        )
        freezing.retire(connection, record.gen)
        return
    incarnation, n = record.detail["upto"]
    connection.execute(
        f"""UPDATE {RIGHTS} SET held = 0, acquired_ms = 0
            WHERE right = ? AND gen = ? AND (epoch_incarnation, epoch_n) <= (?, ?)""",
        (record.right, record.gen, incarnation, n),
    )
    connection.execute(
        f"""UPDATE {RIGHTS} SET floor_incarnation = ?, floor_n = ?
            WHERE right = ? AND (floor_incarnation, floor_n) < (?, ?)""",
        (incarnation, n, record.right, incarnation, n),
    )
