"""Reading what can still be read of a damaged ledger, row by row around the pages that are lost."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kiosk.database import DriverError, open_database
from kiosk.errors import EnvironmentFault
from kiosk.ledger import (
    ACKNOWLEDGED,
    ANCHOR,
    CARD_COUNTERS,
    CARD_ISSUES,
    JOURNAL,
    JOURNAL_PRIVATE,
    META,
    OFFICER_DELAYS,
    PICKUPS,
)

ROWS_AT_ONCE: Final = 256
_LEAST_ROW: Final = 100
"""Bytes that the smallest record takes: so many rows a file can hold at most."""
_MOST_MISSES: Final = 20_000


@dataclass(slots=True)
class Found:
    """Rows of a damaged ledger, none of them believed yet."""

    records: dict[int, dict[int, tuple[bytes, bytes]]] = field(default_factory=dict)
    """Record and signature by generation and sequence number."""
    private: dict[tuple[int, int], tuple[bytes, str | None]] = field(default_factory=dict)
    meta: dict[str, str] = field(default_factory=dict)
    acknowledged: dict[int, tuple[int, int, str]] = field(default_factory=dict)
    anchors: dict[int, bytes] = field(default_factory=dict)
    shown: dict[str, bool] = field(default_factory=dict)
    """By a pickup's reference."""
    card_issues: dict[str, int] = field(default_factory=dict)
    card_counters: list[tuple[Any, ...]] = field(default_factory=list)
    delays: list[tuple[Any, ...]] = field(default_factory=list)


def read_found(path: Path, key: bytes) -> Found:
    """Everything that can be read; empty for a file that does not even open."""
    reader = _Reader(path, key)
    found = Found()
    try:
        for gen, seq, record, signature in reader.by_place(JOURNAL, "gen, seq, record, signature"):
            found.records.setdefault(gen, {})[seq] = bytes(record), bytes(signature)
        for gen, seq, salt, text in reader.by_place(JOURNAL_PRIVATE, "gen, seq, salt, text"):
            found.private[gen, seq] = bytes(salt), text
        for ref, shown in reader.by_place(PICKUPS, "ref, shown"):
            found.shown[ref] = bool(shown)
        found.meta = dict(reader.all_of(META, "key, value"))
        for gen, acked_seq, durable_seq, head in reader.all_of(
            ACKNOWLEDGED, "gen, acked_seq, durable_seq, head"
        ):
            found.acknowledged[gen] = acked_seq, durable_seq, head
        found.anchors = {gen: bytes(data) for gen, data in reader.all_of(ANCHOR, "gen, signature")}
        found.card_issues = dict(reader.all_of(CARD_ISSUES, "card_no, issue_no"))
        found.card_counters = list(reader.all_of(CARD_COUNTERS, "card_no, issue_no, counter"))
        found.delays = list(reader.all_of(OFFICER_DELAYS, "username, failures, wall_ms, mono_ms, boot_id"))
    finally:
        reader.close()
    return found


class _Reader:
    """A connection that is made anew after each damaged page: SQLCipher gives the old one up."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._key = key
        self._misses = 0
        self._db: Any = None

    def close(self) -> None:
        """Closes the connection."""
        if self._db is not None:
            with suppress(DriverError):
                self._db.close()
            self._db = None

    def by_place(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        """Rows by their places in the file, going around those that cannot be read."""
        last = self._last_place(table)
        rows: list[tuple[Any, ...]] = []
        spans = [(start, min(start + ROWS_AT_ONCE - 1, last)) for start in range(1, last + 1, ROWS_AT_ONCE)]
        spans.reverse()
        while spans and self._misses < _MOST_MISSES:
            first, upto = spans.pop()
            some = self._try(
                f"SELECT {columns} FROM {table} NOT INDEXED WHERE rowid BETWEEN ? AND ?", first, upto
            )
            if some is not None:
                rows += some
            elif first < upto:
                middle = (first + upto) // 2
                spans += [(middle + 1, upto), (first, middle)]
        return rows

    def all_of(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        """All rows of a small table, or none."""
        return self._try(f"SELECT {columns} FROM {table}") or []

    def _last_place(self, table: str) -> int:
        found = self._try(f"SELECT max(rowid) FROM {table} NOT INDEXED")
        if found:
            return int(found[0][0] or 0)
        if self._db is None and not self._open():
            return 0
        return self._path.stat().st_size // _LEAST_ROW

    def _try(self, sql: str, *values: int) -> list[tuple[Any, ...]] | None:
        if self._db is None and not self._open():
            return None
        try:
            return list(self._db.conn.execute(sql, values).fetchall())
        except DriverError:
            self._misses += 1
            self.close()
            return None

    def _open(self) -> bool:
        try:
            self._db = open_database(self._path, self._key)
        except EnvironmentFault:
            return False
        return True
