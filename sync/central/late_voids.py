"""Voids of a pickup that came damaged: judged again when the true record of the pickup arrives."""

from __future__ import annotations

import json
from typing import Final

from sqlalchemy import Connection, delete, select

from kiosk.journal_format import DISPENSE, Record, decode, parse_ref, pickup_ref
from sync.central.effects import Effects
from sync.central.lines import branch_mark
from sync.central.models import case, journal, journal_branch
from sync.central.record_check import PAPER

VOID_UNKNOWN: Final = "void_unknown"


def apply(connection: Connection, effects: Effects, repaired: Record) -> None:
    """Makes the effect of a record whose damaged copy was here, and of the voids that named it meanwhile.

    Their cases are closed: they have no cause any more, and the journal has what came when. One that names
    another pickup of the same reference, on a fork's other side, stays.
    """
    ref = pickup_ref(repaired.kiosk, repaired.gen, repaired.seq)
    voids = []
    for case_id, called in _open_cases(connection, repaired.kiosk, ref) if _is_pickup(repaired) else ():
        void, branch = _record(connection, called)
        if not branch or effects.lines.pickup_of(void) == ref:
            voids.append((case_id, void, branch))
            effects.taken_back.add(ref)
    effects.apply(repaired)
    for case_id, void, branch in voids:
        effects.apply(void, branch)
        connection.execute(delete(case).where(case.c.id == case_id))


def _is_pickup(record: Record) -> bool:
    return record.type in (DISPENSE, PAPER)


def _open_cases(connection: Connection, kiosk_id: str, ref: str) -> list[tuple[str, str]]:
    """Cases of voids of ``ref``, each with what the void itself is called, oldest first."""
    query = select(case.c.id, case.c.refs).where(case.c.code == VOID_UNKNOWN, case.c.kiosk == kiosk_id)
    found = []
    for row in connection.execute(query.order_by(case.c.opened_at, case.c.id)):
        named, called = json.loads(row.refs)
        if named == ref:
            found.append((row.id, called))
    return found


def _record(connection: Connection, called: str) -> tuple[Record, str]:
    """A stored void by its reference, and the mark of one that is kept beside the chain."""
    plain, _, _ = called.partition("~")
    kiosk_id, gen, seq = parse_ref(plain)
    table = journal if called == plain else journal_branch
    query = select(table.c.record, table.c.hash).where(
        table.c.kiosk == kiosk_id, table.c.gen == gen, table.c.seq == seq
    )
    for row in connection.execute(query):
        mark = branch_mark(bytes(row.hash)) if called != plain else ""
        if plain + mark == called:
            return decode(bytes(row.record)), mark
    raise LookupError(f"the void {called} is not stored")
