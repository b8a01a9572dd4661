"""The auditor's own books: what the journals alone say was handed out, against what central's tables say.

They are a database file of their own for the time of one audit, so that memory stays flat however long the
journals are. Nothing in them is personal: rights, references, numbers.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from kiosk.journal_format import DISPENSE, VOID, Record
from sync.central import stock
from sync.central.record_check import PAPER, STOCK

ROWS_PER_WRITE: Final = 1000
Finding = dict[str, Any]

_TABLES: Final = """
CREATE TABLE counted (ref TEXT PRIMARY KEY, right TEXT, kiosk TEXT, gen INTEGER, seq INTEGER,
    quantity INTEGER, spends INTEGER, slice TEXT, voided INTEGER DEFAULT 0) WITHOUT ROWID;
CREATE TABLE void (ref TEXT, kiosk TEXT, by TEXT);
CREATE TABLE returned (slice TEXT, kiosk TEXT, quantity INTEGER);
CREATE TABLE told_pickup (ref TEXT PRIMARY KEY, right TEXT, quantity INTEGER, spends INTEGER,
    voided INTEGER, counted_in TEXT, era INTEGER) WITHOUT ROWID;
CREATE TABLE told_right (right TEXT PRIMARY KEY, quantity INTEGER, spent INTEGER, merges INTEGER,
    merged_into TEXT) WITHOUT ROWID;
CREATE TABLE told_slice (slice TEXT PRIMARY KEY, kiosk TEXT, quantity INTEGER, spent INTEGER,
    returned INTEGER) WITHOUT ROWID;
CREATE TABLE merge (keep TEXT, n INTEGER, gone TEXT);
CREATE TABLE ineffective (by TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_INSERTS: Final = {
    "counted": "INSERT INTO counted (ref, right, kiosk, gen, seq, quantity, spends, slice) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    "void": "INSERT INTO void VALUES (?, ?, ?)",
    "returned": "INSERT INTO returned VALUES (?, ?, ?)",
    "told_pickup": "INSERT INTO told_pickup VALUES (?, ?, ?, ?, ?, ?, ?)",
    "told_right": "INSERT INTO told_right VALUES (?, ?, ?, ?, ?)",
    "told_slice": "INSERT INTO told_slice VALUES (?, ?, ?, ?, ?)",
    "merge": "INSERT INTO merge VALUES (?, ?, ?)",
    "ineffective": "INSERT INTO ineffective VALUES (?) ON CONFLICT DO NOTHING",
}


class Books:
    """What one audit has counted. ``close`` ends it; the file goes with its folder."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.executescript(_TABLES)
        self._db.execute("BEGIN")
        self._waiting: dict[str, list[tuple[Any, ...]]] = {name: [] for name in _INSERTS}

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def count(self, record: Record, called: str, void_of: str) -> None:
        """Takes one record in. ``called``: how it is called, on a fork's other side with the branch's mark;
        ``void_of``: the pickup that a void speaks of in its own line."""
        named = stock.slice_of(record)
        if record.type in (DISPENSE, PAPER):
            spends = int(record.detail["spends"])
            self._add(
                "counted", called, record.right, record.kiosk, record.gen, record.seq, record.quantity,
                spends, named,
            )  # fmt: skip
        elif record.type == VOID:
            self._add("void", void_of, record.kiosk, called)
        elif record.type == STOCK and record.detail.get("what") == stock.RETURNED and "~" not in called:
            self._add("returned", named, record.kiosk, int(record.detail["quantity"]))

    def tell(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Takes in what central's tables say: ``told_pickup``, ``told_right``, ``told_slice``, ``merge``,
        ``ineffective`` (voids that found nothing to void when they came)."""
        for row in rows:
            self._add(table, *row)

    def findings(self) -> Iterator[Finding]:
        """Where the tables say something else than the journals."""
        self._flush()
        self._db.execute(
            "UPDATE counted SET voided = 1 WHERE EXISTS (SELECT 1 FROM void WHERE void.ref = counted.ref "
            "AND void.kiosk = counted.kiosk AND void.by NOT IN (SELECT by FROM ineffective))"
        )
        yield from self._pickups()
        yield from self._spends()
        yield from self._slices()

    def overspent(self) -> Iterator[tuple[str, int, int]]:
        """Right, what the journals say was spent, and what is entitled now, where it is more."""
        query = "SELECT right, quantity, merges, merged_into FROM told_right ORDER BY right"
        for right, quantity, merges, merged_into in self._db.execute(query):
            if merged_into is None and (spent := self._spent(right, merges)) > quantity:
                yield right, spent, quantity

    def _pickups(self) -> Iterator[Finding]:
        missing = "SELECT ref, right FROM counted WHERE ref NOT IN (SELECT ref FROM told_pickup) ORDER BY ref"
        for ref, right in self._db.execute(missing):
            yield {"code": "pickup_missing", "ref": ref, "right": right}
        invented = (
            "SELECT ref, right FROM told_pickup WHERE ref NOT IN (SELECT ref FROM counted) ORDER BY ref"
        )
        for ref, right in self._db.execute(invented):
            yield {"code": "pickup_invented", "ref": ref, "right": right}
        differs = (
            "SELECT c.ref, c.right, c.right <> t.right, c.quantity <> t.quantity, c.spends <> t.spends, "
            "c.voided <> t.voided FROM counted c JOIN told_pickup t USING (ref) WHERE c.right <> t.right "
            "OR c.quantity <> t.quantity OR c.spends <> t.spends OR c.voided <> t.voided ORDER BY c.ref"
        )
        for ref, right, *signs in self._db.execute(differs):
            fields = zip(("right", "quantity", "spends", "voided"), signs, strict=True)
            named = [name for name, differ in fields if differ]
            yield {"code": "pickup_differs", "ref": ref, "right": right, "fields": named}

    def _spends(self) -> Iterator[Finding]:
        self._db.execute("CREATE TEMP TABLE own (right TEXT PRIMARY KEY, spent INTEGER) WITHOUT ROWID")
        self._db.execute(
            "INSERT INTO own SELECT COALESCE(t.counted_in, c.right), SUM(c.spends) FROM counted c "
            "LEFT JOIN told_pickup t USING (ref) WHERE NOT c.voided GROUP BY 1"
        )
        unknown = (
            "SELECT right, spent FROM own WHERE right NOT IN (SELECT right FROM told_right) ORDER BY right"
        )
        for right, spent in self._db.execute(unknown):
            yield {"code": "right_missing", "right": right, "journal": spent}
        rights = "SELECT right, spent, merges FROM told_right ORDER BY right"
        for right, told, merges in self._db.execute(rights):
            spent = self._spent(right, merges)
            if spent != told:
                yield {"code": "spent_differs", "right": right, "journal": spent, "table": told}

    def _spent(self, right: str, merges: int) -> int:
        """What a right has spent: before each merge the larger of the two sides, and all since."""
        if not merges:
            found = self._db.execute("SELECT spent FROM own WHERE right = ?", (right,)).fetchone()
            return int(found[0]) if found else 0
        eras = (
            "SELECT t.era, SUM(c.spends) FROM counted c JOIN told_pickup t USING (ref) "
            "WHERE NOT c.voided AND COALESCE(t.counted_in, c.right) = ? GROUP BY 1"
        )
        by_era: Mapping[int, int] = dict(self._db.execute(eras, (right,)))
        total = by_era.get(0, 0)
        joined = "SELECT m.n, m.gone, r.merges FROM merge m JOIN told_right r ON r.right = m.gone"
        for n, gone, its in self._db.execute(f"{joined} WHERE m.keep = ? ORDER BY m.n", (right,)).fetchall():
            total = max(total, self._spent(gone, its)) + by_era.get(n + 1, 0)
        return total

    def _slices(self) -> Iterator[Finding]:
        query = (
            "SELECT s.slice, s.spent, s.returned, "
            "(SELECT COALESCE(SUM(quantity), 0) FROM counted c WHERE c.slice = s.slice AND c.kiosk = s.kiosk "
            " AND NOT c.voided), "
            "(SELECT COALESCE(SUM(quantity), 0) FROM returned r WHERE r.slice = s.slice "
            " AND r.kiosk = s.kiosk) FROM told_slice s ORDER BY s.slice"
        )
        self._db.execute("CREATE INDEX counted_slice ON counted (slice) WHERE slice <> ''")
        self._db.execute("CREATE INDEX returned_slice ON returned (slice)")
        for name, spent, returned, *journal in self._db.execute(query):
            if [spent, returned] != journal:
                yield {"code": "slice_differs", "slice": name, "journal": journal, "table": [spent, returned]}

    def _add(self, table: str, *values: Any) -> None:
        rows = self._waiting[table]
        rows.append(values)
        if len(rows) >= ROWS_PER_WRITE:
            self._db.executemany(_INSERTS[table], rows)
            rows.clear()

    def _flush(self) -> None:
        for table, rows in self._waiting.items():
            self._db.executemany(_INSERTS[table], rows)
            rows.clear()
