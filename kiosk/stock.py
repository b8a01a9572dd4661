"""Stock at this kiosk, as the ledger has it: slices of a program's quota that came, are used up and go back.

What is left of a slice is never counted up and down: it is what came, less what was handed out of it and not
taken back, less what was given back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from kiosk.errors import OfficerFault
from kiosk.journal_format import Record
from kiosk.ledger import PICKUPS, STOCK
from kiosk.stock_slice import program_of_slice

RECEIVED: Final = "received"
RETURNED: Final = "returned"
_LEFT: Final = f"""quantity - returned - (
    SELECT coalesce(sum(p.quantity), 0) FROM {PICKUPS} p WHERE p.slice = s.slice AND p.slice <> ''
      AND p.voided = 0)"""


@dataclass(frozen=True, slots=True)
class SliceHere:
    """One slice as this kiosk has it; quantities in the benefit's smallest unit."""

    id: str
    program_id: str
    quantity: int
    returned: int
    left: int


def slices(connection: Any, gen: int, program_id: str = "") -> list[SliceHere]:
    """The slices of a generation, oldest first; of one program or, without it, of all."""
    rows = connection.execute(
        f"""SELECT slice, program_id, quantity, returned, {_LEFT} FROM {STOCK} s
            WHERE gen = ? AND ? IN ('', program_id) ORDER BY program_id, rowid""",
        (gen, program_id),
    )
    return [SliceHere(*row) for row in rows]


def take_from(connection: Any, gen: int, program_id: str, quantity: int) -> str:
    """The oldest slice that has enough for one hand-out, inside the caller's transaction.

    Raises OfficerFault ``no_stock``; its detail ``left`` is what all slices together have.
    """
    here = slices(connection, gen, program_id)
    for one in here:
        if one.left >= quantity:
            return one.id
    left = sum(max(0, one.left) for one in here)
    raise OfficerFault(
        "no_stock", f"no stock of {program_id} for {quantity} at this kiosk", program=program_id, left=left
    )


def is_known(connection: Any, slice_id: str) -> bool:
    """True if this kiosk has recorded that slice, used up and given back or not."""
    return connection.execute(f"SELECT 1 FROM {STOCK} WHERE slice = ?", (slice_id,)).fetchone() is not None


def make_stock_effect(connection: Any, record: Record) -> None:
    """The effect of a ``stock`` record, inside the caller's transaction; a count is only told.

    Raises OfficerFault ``no_stock`` for a slice that is not here with so much left.
    """
    what, slice_id = record.detail.get("what"), record.detail.get("slice")
    if what == RECEIVED:
        connection.execute(
            f"INSERT INTO {STOCK} (slice, program_id, gen, quantity) VALUES (?, ?, ?, ?)",
            (slice_id, program_of_slice(str(slice_id)), record.gen, record.detail["quantity"]),
        )
    elif what == RETURNED:
        changed = connection.execute(
            f"UPDATE {STOCK} AS s SET returned = returned + ? WHERE slice = ? AND {_LEFT} >= ?",
            (record.detail["quantity"], slice_id, record.detail["quantity"]),
        )
        if changed.rowcount != 1:
            raise OfficerFault("no_stock", f"slice {slice_id} has not so much left", slice=str(slice_id))
