"""Lines of records: where a generation forked, the same reference names one pickup on each side.

A void speaks of the pickup in its own line, which is found by going back from record to record.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from kiosk.journal_format import Record, parse_ref
from sync.central.models import journal_branch
from sync.central.record_check import Checked, prev_of


class Lines:
    """The records kept beside one generation's chain, with those that a push is about to add to them."""

    def __init__(self, connection: Connection, kiosk: str, gen: int) -> None:
        self._connection = connection
        self._kiosk, self._gen = kiosk, gen
        self._added: dict[tuple[int, bytes], bytes | None] = {}
        self._stored: dict[tuple[int, bytes], bytes | None] | None = None

    def add(self, item: Checked) -> None:
        """Notes a record that will be kept beside the chain."""
        self._added[item.seq, item.hash] = item.prev

    def pickup_of(self, void: Record) -> str:
        """Central's reference of the pickup that a void beside the chain names."""
        kiosk, gen, target = parse_ref(void.ref)
        if (kiosk, gen) != (self._kiosk, self._gen):
            return void.ref
        beside = self._beside() | self._added
        seq, at = void.seq - 1, void.prev
        while seq > target and (before := beside.get((seq, at))) is not None:
            seq, at = seq - 1, before
        return void.ref + branch_mark(at) if seq == target and (seq, at) in beside else void.ref

    def _beside(self) -> dict[tuple[int, bytes], bytes | None]:
        if self._stored is None:
            here = (journal_branch.c.kiosk == self._kiosk) & (journal_branch.c.gen == self._gen)
            query = select(journal_branch.c.seq, journal_branch.c.hash, journal_branch.c.record)
            rows = self._connection.execute(query.where(here))
            self._stored = {(row.seq, bytes(row.hash)): prev_of(bytes(row.record)) for row in rows}
        return self._stored


def branch_mark(hashed: bytes) -> str:
    """What ends a pickup's reference on a fork's other side: ``~`` and 8 hex digits of its record's hash."""
    return f"~{hashed[:4].hex()}"
