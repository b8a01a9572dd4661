"""What kiosks are told: rows in buckets, each with the rev of the transaction that last touched it.

A rev comes from its bucket's own counter row, raised inside the transaction: whoever reads rev n has n's
rows and all before. A plain sequence would let a slow transaction's rows slip in behind a reader.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update

from sync.central.bulk import insert_rows, rows_with, update_rows
from sync.central.models import bucket, feed
from sync.wire import FEED_COLUMNS, FEED_KEYS, MAX_ROWS, hash_of_text

ROWS_PER_REV: Final = 1000
"""A transaction that touches more rows of one bucket is split by its caller: a page never splits a rev."""
_ENCODE: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class FeedChanges:
    """Collects the rows that one transaction changes; ``write`` gives them one rev in each bucket."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[tuple[str, str], str | None]] = {}
        self._hashes: dict[tuple[str, str, str], int] = {}
        self._moves: dict[tuple[str, str, str], str] = {}

    def put(self, bucket_name: str, kind: str, values: Sequence[Any]) -> None:
        """Adds or replaces a row; ``values`` in the order of FEED_COLUMNS.

        A row that one transaction drops from a bucket and puts into another has moved: both changes carry
        one move id.
        """
        if len(values) != len(FEED_COLUMNS[kind]):
            raise ValueError(f"{kind} has {len(FEED_COLUMNS[kind])} columns, not {len(values)}")
        key, body = text_of(values[: FEED_KEYS[kind]]), text_of(values)
        self._rows.setdefault(bucket_name, {})[kind, key] = body
        self._hashes[bucket_name, kind, key] = hash_of_text(kind, body)

    def drop(self, bucket_name: str, kind: str, key: Sequence[Any]) -> None:
        """Removes a row; it becomes a tombstone if it was ever there."""
        text = text_of(key)
        self._rows.setdefault(bucket_name, {})[kind, text] = None
        self._hashes.pop((bucket_name, kind, text), None)

    def name_move(self, bucket_name: str, kind: str, key: Sequence[Any], move: str) -> None:
        """Gives a row's change a move id: where what is dropped under one key is put under another."""
        self._moves[bucket_name, kind, text_of(key)] = move

    def write(self, connection: Connection) -> dict[str, int]:
        """Writes what was collected; answers the rev of each bucket touched."""
        # One order for all writers, so that they queue instead of deadlocking.
        self._find_moves()
        revs = {name: self._write_bucket(connection, name) for name in sorted(self._rows)}
        self._rows.clear()
        self._hashes.clear()
        self._moves.clear()
        return revs

    def _find_moves(self) -> None:
        dropped: dict[tuple[str, str], list[str]] = {}
        for name, rows in self._rows.items():
            for place, body in rows.items():
                if body is None:
                    dropped.setdefault(place, []).append(name)
        if not dropped:
            return
        for name, rows in self._rows.items():
            for (kind, key), body in rows.items():
                if body is not None and (kind, key) in dropped:
                    move = secrets.token_hex(8)
                    for one in (name, *dropped[kind, key]):
                        self._moves[one, kind, key] = move

    def _write_bucket(self, connection: Connection, name: str) -> int:
        rev, checksum = _next_rev(connection, name)
        rows = self._rows[name]
        known = _known(connection, name, rows)
        added: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        for (kind, key), body in rows.items():
            before = known.get((kind, key))
            if before is None and body is None:
                continue
            hashed = 0 if body is None else self._hashes[name, kind, key]
            if before == hashed:
                continue
            checksum += hashed - (before or 0)
            row = {"bucket": name, "kind": kind, "row_key": key, "rev": rev, "body": body, "hash": hashed}
            row["move"] = self._moves.get((name, kind, key), "")
            (added if before is None else changed).append(row)
        insert_rows(connection, feed, added)
        update_rows(connection, feed, ("bucket", "kind", "row_key"), changed)
        connection.execute(update(bucket).where(bucket.c.name == name).values(checksum=_signed(checksum)))
        return rev


@dataclass(slots=True)
class Page:
    """Some rows of one bucket, whole revs only."""

    bucket: str
    upto: int
    """The last rev in the page."""
    complete: bool
    """The bucket holds nothing behind ``upto``."""
    checksum: str
    """Of the whole bucket, as of this moment; meaningful if ``complete``."""
    rows: Mapping[str, list[list[Any]]] = field(default_factory=dict)
    tombstones: Mapping[str, list[list[Any]]] = field(default_factory=dict)
    moves: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Move ids by kind and key (as JSON text) of what moved."""
    count: int = 0
    """Rows and tombstones."""


def revs(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """The latest rev of each bucket; 0 where nothing was ever written."""
    wanted = list(names)
    found = connection.execute(select(bucket.c.name, bucket.c.rev).where(bucket.c.name.in_(wanted)))
    known: dict[str, int] = {row.name: row.rev for row in found}
    return {name: known.get(name, 0) for name in wanted}


def page(connection: Connection, name: str, after: int, limit: int = MAX_ROWS) -> Page:
    """The rows of a bucket after a rev: at most ``limit``, unless one rev alone has more."""
    state = connection.execute(select(bucket.c.rev, bucket.c.checksum).where(bucket.c.name == name)).first()
    latest, checksum = (state.rev, state.checksum) if state else (0, 0)
    base = select(feed.c.kind, feed.c.row_key, feed.c.body, feed.c.rev, feed.c.move)
    base = base.where(feed.c.bucket == name)
    order = (feed.c.rev, feed.c.kind, feed.c.row_key)
    found = connection.execute(base.where(feed.c.rev > after).order_by(*order).limit(limit + 1)).all()
    upto = latest
    if len(found) > limit:
        cut = found[-1].rev
        whole = [row for row in found if row.rev < cut]
        # A rev larger than the page goes out whole, or it would never go out.
        found = whole or connection.execute(base.where(feed.c.rev == cut).order_by(*order)).all()
        upto = found[-1].rev
    bodies: dict[str, list[str]] = {}
    keys: dict[str, list[str]] = {}
    for row in found:
        if row.body is None:
            keys.setdefault(row.kind, []).append(row.row_key)
        else:
            bodies.setdefault(row.kind, []).append(row.body)
    return Page(
        name,
        upto,
        upto == latest,
        str(checksum % 2**64),
        {kind: _lists(texts) for kind, texts in bodies.items()},
        {kind: _lists(texts) for kind, texts in keys.items()},
        {(row.kind, row.row_key): row.move for row in found if row.move},
        len(found),
    )


def _lists(texts: Sequence[str]) -> list[list[Any]]:
    """JSON lists of rows, in the order of their keys: neighbours then differ little, and compress."""
    rows: list[list[Any]] = json.loads(f"[{','.join(texts)}]")
    rows.sort(key=_by_key)
    return rows


def _by_key(row: Sequence[Any]) -> tuple[bool, Any]:
    return isinstance(row[0], str), row[0]


def recount(connection: Connection, name: str) -> str:
    """The checksum of a bucket counted from its rows, as unsigned decimal text."""
    total = sum(
        connection.execute(
            select(feed.c.hash).where(feed.c.bucket == name, feed.c.body.is_not(None))
        ).scalars()
    )
    return str(total % 2**64)


def row_count(connection: Connection) -> int:
    """How many live rows the feed has."""
    count = connection.execute(
        select(func.count()).select_from(feed).where(feed.c.body.is_not(None))
    ).scalar()
    return int(count or 0)


def _next_rev(connection: Connection, name: str) -> tuple[int, int]:
    raised = update(bucket).where(bucket.c.name == name).values(rev=bucket.c.rev + 1)
    row = connection.execute(raised.returning(bucket.c.rev, bucket.c.checksum)).first()
    if row is None:
        connection.execute(insert(bucket).values(name=name, rev=1, checksum=0))
        return 1, 0
    return row.rev, row.checksum


def _known(
    connection: Connection, name: str, rows: Mapping[tuple[str, str], str | None]
) -> dict[tuple[str, str], int]:
    """The hashes of rows that stand already; 0 for tombstones."""
    keys: dict[str, list[str]] = {}
    for kind, key in rows:
        keys.setdefault(kind, []).append(key)
    columns = ("row_key", "hash")
    return {
        (kind, key): hashed
        for kind, some in keys.items()
        for key, hashed in rows_with(
            connection, feed, columns, "row_key", sorted(some), bucket=name, kind=kind
        )
    }


def text_of(values: Sequence[Any]) -> str:
    """A row or key as the feed stores it: a canonical JSON list."""
    return _ENCODE(list(values))


def _signed(value: int) -> int:
    return (value + 2**63) % 2**64 - 2**63
