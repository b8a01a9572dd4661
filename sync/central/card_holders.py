"""Who gets a card: a list of holders from a file, or everybody who has none in use."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from sqlalchemy import and_, select

from kiosk.errors import EnvironmentFault, OfficerFault
from sync.central.cards import ACTIVE
from sync.central.models import card, holder
from sync.central.state import Central

MAX_BYTES: Final = 32 * 1024 * 1024
COLUMNS: Final = ("holder_id", "card_no")
"""A list has one of these as a column's name, or holder ids alone, one a line."""
_KEYS_PER_QUERY: Final = 400
_ID: Final = re.compile(r"[0-9]{1,16}")


def from_file(central: Central, path: Path) -> list[tuple[int, str]]:
    """Holder ids and card numbers of a CSV file, in its order.

    Raises OfficerFault ``list_refused`` whose detail ``mistakes`` names every line that is wrong (unknown,
    twice, not active); EnvironmentFault ``file_unreadable``.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise EnvironmentFault("file_unreadable", f"{path} is larger than {MAX_BYTES} bytes")
        text = raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise EnvironmentFault("file_unreadable", f"{path}: {fault}") from fault
    rows = [row for row in csv.reader(text.splitlines()) if any(cell.strip() for cell in row)]
    names = [cell.strip().lower() for cell in rows[0]] if rows else []
    column = next((name for name in COLUMNS if name in names), "")
    place = names.index(column) if column else 0
    values = [row[place].strip() if place < len(row) else "" for row in rows[1 if column else 0 :]]
    return _found(central, column or "holder_id", values, first_line=2 if column else 1)


def without_card(
    central: Central, point: int | None = None, limit: int | None = None
) -> list[tuple[int, str]]:
    """Active holders without a card in use, by id; of one service point, and the first ``limit`` of them."""
    in_use = and_(card.c.card_no == holder.c.card_no, card.c.status == ACTIVE)
    query = select(holder.c.id, holder.c.card_no).outerjoin(card, in_use)
    query = query.where(holder.c.status == ACTIVE, card.c.card_no.is_(None)).order_by(holder.c.id)
    if point is not None:
        query = query.where(holder.c.point_id == point)
    with central.database.read() as connection:
        return [(row.id, row.card_no) for row in connection.execute(query.limit(limit))]


def names_of(central: Central, ids: Iterable[int]) -> dict[int, str]:
    """The names of holders by id."""
    wanted = sorted(set(ids))
    found: dict[int, str] = {}
    with central.database.read() as connection:
        for start in range(0, len(wanted), _KEYS_PER_QUERY):
            some = wanted[start : start + _KEYS_PER_QUERY]
            query = select(holder.c.id, holder.c.name).where(holder.c.id.in_(some))
            found |= {row.id: row.name for row in connection.execute(query)}
    return found


def _found(central: Central, column: str, values: list[str], first_line: int) -> list[tuple[int, str]]:
    known: dict[str, Any] = {}
    by_id = column == "holder_id"
    key = holder.c.id if by_id else holder.c.card_no
    wanted = sorted({value for value in values if _ID.fullmatch(value)})
    with central.database.read() as connection:
        for start in range(0, len(wanted), _KEYS_PER_QUERY):
            some = wanted[start : start + _KEYS_PER_QUERY]
            query = select(holder.c.id, holder.c.card_no, holder.c.status)
            query = query.where(key.in_([int(value) for value in some] if by_id else some))
            known |= {str(row.id) if by_id else row.card_no: row for row in connection.execute(query)}
    found: list[tuple[int, str]] = []
    mistakes = []
    seen: set[str] = set()
    for line, value in enumerate(values, first_line):
        row = known.get(str(int(value)) if by_id and _ID.fullmatch(value) else value)
        if row is None:
            mistakes.append(
                {"where": f"line {line}", "code": "unknown_holder", "message": f"no {column} {value}"}
            )
        elif row.status != ACTIVE:
            mistakes.append({"where": f"line {line}", "code": "holder_not_active", "message": row.status})
        elif row.card_no in seen:
            mistakes.append({"where": f"line {line}", "code": "twice", "message": f"{value} is named before"})
        else:
            seen.add(row.card_no)
            found.append((row.id, row.card_no))
    if mistakes or not found:
        raise OfficerFault("list_refused", f"{len(mistakes)} mistakes, nothing was issued", mistakes=mistakes)
    return found
