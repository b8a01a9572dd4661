"""Central's books, read with plain SQL and interpreted apart from the product's code."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter as Tally
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cbor2

Identity = tuple[str, int, int]
"""Kiosk, generation, sequence number."""


@dataclass(frozen=True)
class Entry:
    """One record that central keeps."""

    identity: Identity
    hash: bytes
    prev: bytes
    type: str
    right: str
    ref: str
    spends: int
    quantity: int
    beside: bool
    """Kept beside the chain: the other side of a fork."""

    @property
    def name(self) -> str:
        """The reference that this record's pickup has by the protocol."""
        kiosk, gen, seq = self.identity
        return f"{kiosk}-{seq:04d}" if gen == 1 else f"{kiosk}.{gen}-{seq:04d}"


@dataclass
class Books:
    """All that central knows at one moment."""

    entries: dict[bytes, Entry] = field(default_factory=dict)
    twice: list[Identity] = field(default_factory=list)
    """Places with the same bytes more than once."""
    pickups: dict[str, tuple[str, int, bool]] = field(default_factory=dict)
    """Right, spends and voided of central's own list, by reference."""
    spent: dict[str, int] = field(default_factory=dict)
    quantity: dict[str, int] = field(default_factory=dict)
    held: dict[str, tuple[str, int, int, bool]] = field(default_factory=dict)
    """Kiosk (empty: central), generation, epoch number and doubt, by right."""
    cases: list[tuple[str, str, list[str]]] = field(default_factory=list)
    """Code, right and references."""
    gens: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict)
    """State and acknowledged sequence number of each generation."""
    kiosks: dict[str, tuple[str, int]] = field(default_factory=dict)
    """State and current generation."""
    quarantined: int = 0
    regranted: int = 0
    """Grants at a second or later epoch of their right."""
    supplements: int = 0
    """Of these, grants after which more was to be had in all than before."""

    def of(self, kiosk: str, gen: int) -> dict[bytes, int]:
        """Sequence numbers of all records of a generation, on both sides of a fork, by hash."""
        return {key: one.identity[2] for key, one in self.entries.items() if one.identity[:2] == (kiosk, gen)}

    def forked(self) -> set[tuple[str, int]]:
        """Generations with different bytes at the same place."""
        places = Tally(one.identity for one in self.entries.values())
        return {place[:2] for place, count in places.items() if count > 1}

    def counts(self) -> Tally[str]:
        """How often what is worth counting happened."""
        codes = Tally(code for code, _, _ in self.cases)
        return Tally(
            {
                "forked": len(self.forked()),
                "overspends told": codes["overspend"] + codes["written_off"],
                "overspends tolerated": codes["overspend_tolerated"],
                "exposures": codes["exposure"],
                "regranted": self.regranted,
                "supplements": self.supplements,
            }
        )

    def voids(self) -> dict[bytes, list[bytes]]:
        """Hashes of the voids of each dispense; a void speaks of the pickup in its own line of records."""
        found: dict[bytes, list[bytes]] = {}
        for key, one in self.entries.items():
            if one.type == "void":
                target = self._named_by(one)
                if target is not None:
                    found.setdefault(target, []).append(key)
        return found

    def standing(self) -> dict[bytes, Entry]:
        """Hand-outs that count, by hash of their record."""
        voided = self.voids()
        return {key: one for key, one in self.entries.items() if one.type == "dispense" and key not in voided}

    def spent_by_records(self) -> dict[str, int]:
        """What of each right the records say is spent."""
        total: dict[str, int] = {}
        for one in self.standing().values():
            total[one.right] = total.get(one.right, 0) + one.spends
        return total

    def _named_by(self, void: Entry) -> bytes | None:
        by_name = [
            key for key, one in self.entries.items() if one.type == "dispense" and one.name == void.ref
        ]
        if len(by_name) < 2:
            return by_name[0] if by_name else None
        at = void.prev
        while at in self.entries:
            if at in by_name:
                return at
            at = self.entries[at].prev
        return None


def read_books(path: Path) -> Books:
    """Reads central's SQLite file."""
    books = Books()
    with closing(sqlite3.connect(path)) as db:
        for table in ("journal", "journal_branch"):
            for kiosk, gen, seq, hashed, payload, why in db.execute(
                f"SELECT kiosk, gen, seq, hash, record, quarantine FROM {table}"
            ):
                if why:
                    books.quarantined += 1
                    continue
                entry = _entry(payload, table == "journal_branch")
                if entry.identity != (kiosk, gen, seq) or entry.hash != hashed:
                    raise AssertionError(f"{table} has {entry.identity} at {(kiosk, gen, seq)}")
                if entry.hash in books.entries:
                    books.twice.append(entry.identity)
                books.entries[entry.hash] = entry
        for ref, right, spends, voided in db.execute('SELECT ref, "right", spends, voided FROM pickup'):
            books.pickups[ref] = (right, spends, bool(voided))
        for right, quantity, spent, held_by, gen, n, doubt in db.execute(
            'SELECT "right", quantity, spent, held_by, gen, epoch_n, in_doubt FROM rights'
        ):
            books.quantity[right], books.spent[right] = quantity, spent
            books.held[right] = (held_by, gen, n, bool(doubt))
        for code, right, refs in db.execute('SELECT code, "right", refs FROM conflict'):
            books.cases.append((code, right, _list(refs)))
        for kiosk, gen, state, acked in db.execute("SELECT kiosk, gen, state, acked_seq FROM kiosk_gen"):
            books.gens[kiosk, gen] = (state, acked)
        total: dict[str, int] = {}
        for right, number, left, before in db.execute(
            'SELECT "right", epoch_n, quantity_left, spent_before FROM grant_log'
            ' ORDER BY "right", epoch_incarnation, epoch_n'
        ):
            books.regranted += number > 1
            books.supplements += 0 < total.get(right, 0) < left + before and before > 0
            total[right] = left + before
        books.kiosks = {row[0]: (row[1], row[2]) for row in db.execute("SELECT id, state, gen FROM kiosk")}
    return books


def feed_rows(path: Path, buckets: list[str]) -> dict[str, set[str]]:
    """What central's feed holds in these buckets, as canonical JSON by kind."""
    found: dict[str, set[str]] = {}
    with closing(sqlite3.connect(path)) as db:
        for bucket, kind, body in db.execute("SELECT bucket, kind, body FROM feed WHERE body IS NOT NULL"):
            if bucket in buckets:
                found.setdefault(kind, set()).add(body)
    return found


_decoded: dict[bytes, dict[str, Any]] = {}


def _entry(payload: bytes, beside: bool) -> Entry:
    hashed = hashlib.sha256(payload).digest()
    value = _decoded.get(hashed)
    if value is None:
        if len(_decoded) > 20_000:
            _decoded.clear()
        value = _decoded[hashed] = cbor2.loads(payload)
    return Entry(
        identity=(value["kiosk"], value["gen"], value["seq"]),
        hash=hashed,
        prev=value["prev"],
        type=value["type"],
        right=value["right"],
        ref=value["ref"],
        spends=int(value["detail"].get("spends", 0)),
        quantity=value["quantity"],
        beside=beside,
    )


def _list(text: str) -> list[str]:
    import json

    return list(json.loads(text))
