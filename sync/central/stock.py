"""Stock: what a kiosk may hand out of a program's goods, beside the rights of those who come for them.

A slice is signed for one generation of one kiosk (COSE_Sign1, context ``kmc/stock/1``) and counts down there.
Central follows by the kiosk's records: received, returned, counted, and each pickup that names its slice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, insert, select, update

from kiosk import stock_slice
from kiosk.errors import OfficerFault
from kiosk.journal_format import Record
from kiosk.stock_slice import StockSlice
from sync.central import kiosk_rows, programs
from sync.central.models import kiosk
from sync.central.models import stock_slice as slices
from sync.central.paging import PAGE, behind
from sync.central.record_check import MAX_QUANTITY
from sync.central.right_rows import ACTIVE
from sync.central.state import Central
from sync.wire import MAX_SLICES

RECEIVED: Final = "received"
RETURNED: Final = "returned"
COUNTED: Final = "counted"
OpenCase = Callable[..., None]


def allot(central: Central, program_id: str, kiosk_id: str, quantity: int) -> dict[str, Any]:
    """Allots ``quantity`` (smallest unit) of a program's goods to a kiosk's current generation.

    Raises OfficerFault ``unknown_program``, ``no_stock_kept``, ``unknown_kiosk``, ``kiosk_inactive``,
    ``quantity``.
    """
    if not 1 <= quantity <= MAX_QUANTITY:
        raise OfficerFault("quantity", "a slice holds at least 1")
    return central.database.write(partial(_allot, program_id, kiosk_id, quantity, central.now()))


def show(
    central: Central, program_id: str = "", kiosk_id: str = "", after: str = "", limit: int = PAGE
) -> list[dict[str, Any]]:
    """Slices behind ``after`` with what is left of them, oldest first; ``state`` says where each stands.

    Raises OfficerFault ``unknown_row``, ``unknown_program``, ``unknown_kiosk``.
    """
    query = select(slices, kiosk.c.state, kiosk.c.gen.label("kiosk_gen")).select_from(
        slices.join(kiosk, kiosk.c.id == slices.c.kiosk)
    )
    if program_id:
        query = query.where(slices.c.program_id == program_id)
    if kiosk_id:
        query = query.where(slices.c.kiosk == kiosk_id)
    order = (slices.c.program_id, slices.c.kiosk, slices.c.gen, slices.c.n)
    with central.database.read() as connection:
        if kiosk_id:
            kiosk_rows.state_of(connection, kiosk_id)
        if program_id and program_id not in programs.all_of(connection):
            raise OfficerFault("unknown_program", f"no program {program_id}")
        return [
            {
                "slice": row.id,
                "program": row.program_id,
                "kiosk": row.kiosk,
                "gen": row.gen,
                "quantity": row.quantity,
                "spent": row.spent,
                "returned": row.returned,
                "left": row.quantity - row.spent - row.returned,
                "state": _state(row),
                "issued_at": row.issued_at,
            }
            for row in connection.execute(
                query.where(behind(connection, slices.c.id, after, order)).order_by(*order).limit(limit)
            )
        ]


_WAITING: Final = (
    select(slices)
    .where(slices.c.kiosk == bindparam("of_kiosk"), slices.c.gen == bindparam("of_gen"))
    .where(slices.c.closed.is_(False), slices.c.received_at.is_(None))
    .order_by(slices.c.issued_at, slices.c.id)
    .limit(MAX_SLICES)
)


def waiting(central: Central, connection: Connection, kiosk_id: str, gen: int) -> list[bytes]:
    """The signed slices that a generation has not received yet, oldest first."""
    asked = {"of_kiosk": kiosk_id, "of_gen": gen}
    return [signed_slice(central, row) for row in connection.execute(_WAITING, asked)]


def signed_slice(central: Central, row: Any) -> bytes:
    """A slice as the kiosk gets it; the same bytes each time."""
    one = StockSlice(row.id, row.program_id, row.kiosk, row.gen, row.quantity, row.issued_at)
    return stock_slice.make(one, central.keys.central.private, central.keys.central.kid)


def slice_of(record: Record) -> str:
    """The slice that a record names; empty if it names none."""
    named = record.detail.get("slice", "")
    return named if isinstance(named, str) and len(named) <= 80 and "\x00" not in named else ""


class Slices:
    """The slices that one push touches: loaded by ``load``, changed in memory, written by ``write``."""

    def __init__(self, connection: Connection, kiosk_id: str, now: int) -> None:
        self._connection = connection
        self._kiosk, self._now = kiosk_id, now
        self._rows: dict[str, dict[str, Any]] = {}
        self._changed: set[str] = set()

    def load(self, names: Iterable[str]) -> None:
        """Reads slices that are not read yet; nothing is asked for if there are none."""
        wanted = sorted({name for name in names if name and name not in self._rows})
        for start in range(0, len(wanted), 400):
            query = select(slices).where(slices.c.id.in_(wanted[start : start + 400]))
            self._rows |= {row["id"]: dict(row) for row in self._connection.execute(query).mappings()}

    def spend(self, name: str, quantity: int, ref: str, open_case: OpenCase) -> None:
        """Takes what a pickup handed out off its slice; negative gives back what a void took back."""
        row = self._known(name, ref, open_case)
        if row is None:
            return
        row["spent"] += quantity
        row["closed"] = row["closed"] and row["spent"] + row["returned"] >= row["quantity"]
        self._judge(row, ref, quantity, open_case)

    def apply(self, record: Record, ref: str, open_case: OpenCase) -> None:
        """Makes the effect of a ``stock`` record; ``ref`` is how the record is called."""
        row = self._known(slice_of(record), ref, open_case)
        if row is None:
            return
        quantity = record.detail.get("quantity", 0)
        what = record.detail.get("what")
        if what == RECEIVED:
            row["received_at"] = row["received_at"] or self._now
        elif what == RETURNED:
            row["returned"] += quantity
            row["closed"] = row["spent"] + row["returned"] >= row["quantity"]
            self._judge(row, ref, quantity, open_case)
        elif what == COUNTED:
            expected = row["quantity"] - row["spent"] - row["returned"]
            if quantity != expected:
                detail = {"slice": row["id"], "counted": quantity, "expected": expected}
                open_case(f"stock_count:{ref}", "stock_count", "", [ref], **detail)

    def write(self) -> None:
        """Writes what changed, in one statement."""
        if not self._changed:
            return
        names = ("spent", "returned", "received_at", "closed")
        statement = update(slices).where(slices.c.id == bindparam("key_id"))
        self._connection.execute(
            statement.values({name: bindparam(f"new_{name}") for name in names}),
            [
                {"key_id": key} | {f"new_{name}": self._rows[key][name] for name in names}
                for key in sorted(self._changed)
            ],
        )

    def _known(self, name: str, ref: str, open_case: OpenCase) -> dict[str, Any] | None:
        self.load([name])
        row = self._rows.get(name)
        if row is None or row["kiosk"] != self._kiosk:
            open_case(f"stock_unknown:{ref}", "stock_unknown", "", [ref], slice=name)
            return None
        self._changed.add(name)
        return row

    def _judge(self, row: dict[str, Any], ref: str, by: int, open_case: OpenCase) -> None:
        over = row["spent"] + row["returned"] - row["quantity"]
        if over > 0 and by > 0:
            detail = {"slice": row["id"], "by": over}
            open_case(f"stock_overspent:{ref}", "stock_overspent", "", [ref], **detail)


def _allot(program_id: str, kiosk_id: str, quantity: int, now: int, connection: Connection) -> dict[str, Any]:
    found = programs.all_of(connection).get(program_id)
    if found is None:
        raise OfficerFault("unknown_program", f"no program {program_id}")
    if not found.stock:
        raise OfficerFault("no_stock_kept", f"{program_id} does not say that stock is kept for it")
    holder = connection.execute(select(kiosk.c.gen, kiosk.c.state).where(kiosk.c.id == kiosk_id)).first()
    if holder is None:
        raise OfficerFault("unknown_kiosk", f"no kiosk {kiosk_id} is registered")
    if holder.state != ACTIVE:
        raise OfficerFault("kiosk_inactive", f"{kiosk_id} hands nothing out: {holder.state}")
    of_this = select(func.max(slices.c.n)).where(slices.c.program_id == program_id)
    of_this = of_this.where(slices.c.kiosk == kiosk_id, slices.c.gen == holder.gen)
    n = (connection.execute(of_this).scalar() or 0) + 1
    name = f"{kiosk_id}.{holder.gen}/{program_id}/{n}"
    connection.execute(
        insert(slices).values(
            id=name,
            program_id=program_id,
            kiosk=kiosk_id,
            gen=holder.gen,
            n=n,
            quantity=quantity,
            returned=0,
            spent=0,
            issued_at=now,
            closed=False,
        )
    )
    return {"slice": name, "program": program_id, "kiosk": kiosk_id, "gen": holder.gen, "quantity": quantity}


def _state(row: Any) -> str:
    if row.closed:
        return "closed"
    if row.state != ACTIVE or row.gen != row.kiosk_gen:
        return "in_doubt"
    return "waiting" if row.received_at is None else "received"
