"""Rows of rights, of kiosks, and what the feed says of a right."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, literal, select

from sync.central.bulk import insert_rows, rows_with, update_rows
from sync.central.feed import FeedChanges
from sync.central.models import kiosk, kiosk_gen, rights
from sync.wire import point_bucket

ACTIVE: Final = "active"
NEW: Final = "new"
FROZEN: Final = "frozen"
REVOKED: Final = "revoked"


@dataclass(slots=True)
class Right:
    """One right as central knows it; quantities in the benefit's smallest unit, times in Unix seconds."""

    right: str
    subject: str
    point_id: int
    """The usual service point of its subject."""
    quantity: int
    terms: str
    not_before: int
    not_after: int
    mode: str
    spent: int = 0
    held_by: str = ""
    gen: int = 0
    epoch_incarnation: int = 0
    epoch_n: int = 0
    granted: str | None = None
    granted_left: int = 0
    grant_rev: int = 0
    in_doubt: bool = False
    recall: bool = False
    wanted_by: str = ""
    wanted_until: int = 0
    last_at: str | None = None
    last_point_id: int | None = None
    last_ref: str | None = None
    floor_incarnation: int = 0
    floor_n: int = 0
    merged_into: str | None = None
    merges: int = 0
    waits: bool = False

    @property
    def left(self) -> int:
        """What may still be granted."""
        return max(0, self.quantity - self.spent)

    @property
    def epoch(self) -> tuple[int, int]:
        """``(incarnation, n)`` of the last grant; ``(0, 0)`` before the first."""
        return self.epoch_incarnation, self.epoch_n

    @property
    def floor(self) -> tuple[int, int]:
        """The epoch up to which it came back: a pickup at or below, heard of later, had nothing to spend."""
        return self.floor_incarnation, self.floor_n


class Kiosk(NamedTuple):
    """One kiosk with its current generation."""

    id: str
    point_id: int
    counter: str
    keeper: bool
    state: str
    gen: int
    """0 before the first enrolment."""
    grant_rev: int
    acked_seq: int
    """Of the current generation."""

    @property
    def may_hold(self) -> bool:
        """True if it may be granted rights."""
        return self.state == ACTIVE and self.gen > 0


class Kiosks:
    """All kiosks, as of one transaction."""

    def __init__(self, connection: Connection, *, acked: bool = True) -> None:
        """Without ``acked`` nothing is read that every push writes: two at once then are not in conflict."""
        query = select(
            kiosk.c.id,
            kiosk.c.point_id,
            kiosk.c.counter,
            kiosk.c.keeper,
            kiosk.c.state,
            kiosk.c.gen,
            kiosk.c.grant_rev,
            func.coalesce(kiosk_gen.c.acked_seq, 0) if acked else literal(0),
        )
        if acked:
            current = (kiosk_gen.c.kiosk == kiosk.c.id) & (kiosk_gen.c.gen == kiosk.c.gen)
            query = query.select_from(kiosk.outerjoin(kiosk_gen, current))
        self.by_id: dict[str, Kiosk] = {
            row[0]: Kiosk._make(row) for row in connection.execute(query.order_by(kiosk.c.id)).all()
        }
        self._keepers: dict[int, Kiosk] = {}
        for found in self.by_id.values():
            if found.keeper:
                self._keepers.setdefault(found.point_id, found)

    def keeper_of(self, point_id: int) -> Kiosk | None:
        """The kiosk at which a point's rights lie."""
        return self._keepers.get(point_id)

    def point_of(self, kiosk_id: str) -> int:
        """The point of a kiosk; 0 for none."""
        found = self.by_id.get(kiosk_id)
        return found.point_id if found else 0


_FIELDS: Final = tuple(f.name for f in dataclasses.fields(Right))


def load(connection: Connection, keys: Iterable[str]) -> dict[str, Right]:
    """The rights with these keys, as far as they exist."""
    found: dict[str, Right] = {}
    for row in rows_with(connection, rights, _FIELDS, "right", sorted(set(keys))):
        one = Right(*row)
        one.in_doubt, one.recall, one.waits = bool(one.in_doubt), bool(one.recall), bool(one.waits)
        found[one.right] = one
    return found


def of_row(row: Mapping[Any, Any]) -> Right:
    """A right from a row of its table."""
    return Right(**{name: row[name] for name in _FIELDS})


def add(connection: Connection, rows: Sequence[Right]) -> None:
    """Inserts new rights."""
    insert_rows(connection, rights, [_values(row) for row in rows])


def save(connection: Connection, rows: Sequence[Right], names: Sequence[str] = _FIELDS) -> None:
    """Writes changed rights back; of columns, those ``names`` that may have changed.

    Columns that are not written spare SQLite the writing of their indexes.
    """
    columns = ("right", *(name for name in names if name != "right"))
    values_of = attrgetter(*columns)
    update_rows(
        connection, rights, ("right",), [dict(zip(columns, values_of(row), strict=True)) for row in rows]
    )


def tell(changes: FeedChanges, row: Right, kiosks: Kiosks) -> None:
    """Puts a right in its point's bucket if it was ever spent or lies elsewhere than usual, else drops it."""
    bucket, told = point_bucket(row.point_id), row_of(row, kiosks)
    if told is None:
        changes.drop(bucket, "right", (row.right,))
    else:
        changes.put(bucket, "right", told)


def row_of(row: Right, kiosks: Kiosks) -> tuple[Any, ...] | None:
    """What the feed says of a right; None for one that is unspent and lies at its usual place."""
    keeper = kiosks.keeper_of(row.point_id)
    usual = keeper.id if keeper and keeper.may_hold else ""
    unspent_at_home = row.last_ref is None and row.held_by in (usual, keeper.id if keeper else "")
    if unspent_at_home or row.merged_into is not None:
        return None
    return (
        row.right,
        row.held_by,
        kiosks.point_of(row.held_by),
        row.quantity,
        row.spent,
        row.last_at,
        row.last_point_id,
        row.last_ref,
    )


def _values(row: Right) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _FIELDS}
