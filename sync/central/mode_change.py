"""A program changes between strict, tolerate and online only at a period's end.

While a period runs, some kiosks would still spend rights as strict ones and others hand out without a right.
So a version that changes the mode is kept aside, whole, until the running version's period is over.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Connection, delete, insert, select, update

from kiosk.program import Program
from sync.central import programs
from sync.central.feed import FeedChanges
from sync.central.models import program, program_next
from sync.central.state import Central
from sync.wire import CITY


def document_of(one: Program) -> str:
    """A program's document as it is kept and told."""
    return json.dumps(one.model_dump(mode="json", by_alias=True), ensure_ascii=False, separators=(",", ":"))


def put(connection: Connection, changes: FeedChanges, one: Program) -> None:
    """Puts a version in force; its rights are made by the next placement."""
    doc = document_of(one)
    row = {"version": one.version, "right_group": one.right_group, "doc": doc, "placed": ""}
    if not connection.execute(update(program).where(program.c.id == one.id).values(**row)).rowcount:
        connection.execute(insert(program).values(id=one.id, **row))
    changes.put(CITY, "program", (one.id, one.version, doc))


def defer(connection: Connection, one: Program, running: Program | None, now: int) -> bool:
    """Keeps a version aside that may not come into force yet; False for one that may.

    Either way a version that was kept aside before gives way to it.
    """
    connection.execute(delete(program_next).where(program_next.c.id == one.id))
    starts_at = _period_end(running, now) if running is not None and running.mode != one.mode else 0
    if starts_at <= now:
        return False
    row = {"id": one.id, "version": one.version, "doc": document_of(one), "starts_at": starts_at}
    connection.execute(insert(program_next).values(**row))
    return True


def bring_due(central: Central, now: int) -> int:
    """Puts versions in force whose time has come; answers how many."""
    due = select(program_next.c.id).where(program_next.c.starts_at <= now).limit(1)
    with central.database.read() as connection:
        if connection.execute(due).first() is None:
            return 0
    return central.database.write(partial(_bring_due, now))


def _bring_due(now: int, connection: Connection) -> int:
    due = select(program_next).where(program_next.c.starts_at <= now).order_by(program_next.c.id)
    rows = connection.execute(due).all()
    running = programs.all_of(connection)
    changes = FeedChanges()
    for row in rows:
        if row.id not in running or running[row.id].version < row.version:
            put(connection, changes, programs.parsed(row.doc))
    connection.execute(delete(program_next).where(program_next.c.id.in_([row.id for row in rows])))
    changes.write(connection)
    return len(rows)


def _period_end(running: Program, now: int) -> int:
    """When the period that runs is over (Unix seconds); 0 if none does."""
    at = datetime.fromtimestamp(now, UTC)
    span = running.current_period(at)
    if span is None:
        return 0
    starts, ends = programs.span_of(running, span)
    return ends if starts <= now < ends else 0
