"""The programs in force, read from their documents, and the periods that rights are made for."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from sqlalchemy import Connection, select

from kiosk.period import Period
from kiosk.program import Program, parse_program
from sync.central.models import program


@lru_cache(maxsize=512)
def parsed(doc: str) -> Program:
    """The program of a document; kept, since documents are read at every push."""
    return parse_program(doc)


def all_of(connection: Connection) -> dict[str, Program]:
    """Every program by id, in its newest version."""
    query = select(program.c.id, program.c.doc).order_by(program.c.id)
    return {row.id: parsed(row.doc) for row in connection.execute(query)}


def served_at(connection: Connection, point_id: int) -> frozenset[str]:
    """Ids of the programs that a service point hands out."""
    return frozenset(key for key, found in all_of(connection).items() if found.served_at(point_id))


def periods(found: Program, now: int) -> list[Period]:
    """The program's current and next period, as far as it is valid in them."""
    at = datetime.fromtimestamp(now, UTC)
    spans = (found.current_period(at), found.next_period(at))
    return [span for span in spans if span is not None and _overlaps(found, span)]


def span_of(found: Program, period: Period) -> tuple[int, int]:
    """``(not_before, not_after)`` in Unix seconds: the period, cut by the program's validity."""
    start, end = int(period.start.timestamp()), int(period.end.timestamp())
    start = max(start, int(found.starts_at.timestamp()))
    return start, end if found.ends_at is None else min(end, int(found.ends_at.timestamp()))


def _overlaps(found: Program, period: Period) -> bool:
    start, end = span_of(found, period)
    return start < end
