"""Applying one page of the feed to the cache's tables, column by column.

What this program does not understand of a page that central signed (a kind or column of a newer central, a
value that is none) is set aside with its hash: it counts in its bucket's sum, is reported once, and holds up
nothing behind it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

from kiosk.cache import LOOKED_UP, SET_ASIDE
from kiosk.errors import CentralFault
from kiosk.feed_columns import PackedFault, unpack
from kiosk.feed_rows import COLUMNS, KEYS, column_fault, key_fault, row_fault, row_hash, row_hashes
from sync.wire import BucketPart, ColumnarRows

IN_TRANSIT: Final = "~"
"""Begins the bucket of a row that has left one bucket by a move and not yet come in another."""
_BUCKET: Final = re.compile(r"[a-wyz][a-z0-9-]{0,23}")
Columns = list[list[Any]]
Place = tuple[str, tuple[Any, ...], str]
"""Kind, key and bucket of a row."""
Report = Callable[[CentralFault], None]


class Sums:
    """By how much each bucket's sum of row hashes has changed, and what moved."""

    def __init__(self) -> None:
        self.changes: dict[str, int] = {}
        self.in_transit: list[Place] = []

    def add(self, bucket: str, amount: int) -> None:
        """Adds to a bucket's sum; rows in transit and looked-up ones are of no bucket that central sums."""
        if is_summed(bucket):
            self.changes[bucket] = self.changes.get(bucket, 0) + amount


def is_summed(bucket: str) -> bool:
    """True for a bucket of the feed; False for rows in transit or looked up."""
    return bucket[:1] not in (IN_TRANSIT, LOOKED_UP)


def apply_part(connection: Any, part: BucketPart, sums: Sums, report: Report) -> int:
    """Applies what a page tells of one bucket, inside the caller's transaction; answers how many rows.

    Raises CentralFault ``feed_malformed`` for columns that are none. ``report`` is told of what is set aside.
    """
    if not _BUCKET.fullmatch(part.bucket):
        raise CentralFault("feed_malformed", f"a bucket {part.bucket[:20]!r}")
    sums.add(part.bucket, 0)
    applied = 0
    for kind, table in part.tables.items():
        columns = _unpacked(kind, table)
        applied += table.count
        if table.count:
            _put(connection, part.bucket, kind, table, columns, sums, report)
    for kind, keys in part.tombstones.items():
        columns = _unpacked(kind, keys)
        moves = _moves(keys)
        applied += keys.count
        _drop(connection, part.bucket, kind, columns, moves, sums, report)
    return applied


def _unpacked(kind: str, table: ColumnarRows) -> Columns:
    if len(table.data) != len(table.columns) or len(set(table.columns)) != len(table.columns):
        raise CentralFault("feed_malformed", f"columns of {kind[:20]!r}")
    if not 1 <= table.keys <= len(table.columns):
        raise CentralFault("feed_malformed", f"a key of {kind[:20]!r}")
    try:
        return [unpack(packed, table.count) for packed in table.data]
    except PackedFault as fault:
        raise CentralFault("feed_malformed", f"columns of {kind[:20]!r}: {fault}") from None


def _moves(table: ColumnarRows) -> list[str]:
    if table.moves is None:
        return [""] * table.count
    try:
        moves = unpack(table.moves, table.count)
    except PackedFault as fault:
        raise CentralFault("feed_malformed", f"moves: {fault}") from None
    if not all(isinstance(move, str) and len(move) <= 32 for move in moves):
        raise CentralFault("feed_malformed", "a move id that is none")
    return moves


def _put(
    connection: Any,
    bucket: str,
    kind: str,
    table: ColumnarRows,
    columns: Columns,
    sums: Sums,
    report: Report,
) -> None:
    known = COLUMNS.get(kind)
    told = tuple(table.columns)
    if known is None or told[: KEYS[kind]] != known[: KEYS[kind]] or not set(known) <= set(told):
        _set_aside(
            connection, bucket, kind, table.keys, list(zip(*columns, strict=True)), sums, "shape", report
        )
        return
    by_name = dict(zip(told, columns, strict=True))
    ours = [by_name[name] for name in known]
    extra = [by_name[name] for name in told if name not in known]
    if any(map(column_fault, (kind,) * len(known), known, ours)) or not all(map(_is_scalar_column, extra)):
        columns = _without_unsound(connection, bucket, kind, table, columns, sums, report)
        by_name = dict(zip(told, columns, strict=True))
        ours = [by_name[name] for name in known]
    keys = list(zip(*ours[: KEYS[kind]], strict=True))
    if len(set(keys)) != len(keys):
        # Of a key that stands twice in a page, the later row counts, as it would row by row.
        last = sorted({key: place for place, key in enumerate(keys)}.values())
        columns = [[column[place] for place in last] for column in columns]
        by_name = dict(zip(told, columns, strict=True))
        ours = [by_name[name] for name in known]
        keys = [keys[place] for place in last]
    if not keys:
        return
    _take_off(connection, kind, keys, sums, None)
    hashes = row_hashes(kind, columns)
    connection.executemany(_upsert(kind), zip(*ours, [bucket] * len(keys), hashes, strict=True))
    sums.add(bucket, sum(hashes))


@cache
def _upsert(kind: str) -> str:
    """The statement that puts one row of a kind; to update one in place costs less than to replace it."""
    columns = (*COLUMNS[kind], "bucket", "row_hash")
    names = ", ".join(f'"{name}"' for name in columns)
    key = ", ".join(f'"{name}"' for name in columns[: KEYS[kind]])
    fresh = ", ".join(f'"{name}" = excluded."{name}"' for name in columns[KEYS[kind] :])
    marks = ", ".join("?" * len(columns))
    return f'INSERT INTO "{kind}" ({names}) VALUES ({marks}) ON CONFLICT ({key}) DO UPDATE SET {fresh}'


def _without_unsound(
    connection: Any,
    bucket: str,
    kind: str,
    table: ColumnarRows,
    columns: Columns,
    sums: Sums,
    report: Report,
) -> Columns:
    """The columns without the rows in which some value is none; those are set aside."""
    known, told = COLUMNS[kind], tuple(table.columns)
    places = [told.index(name) for name in known]
    sound: list[tuple[Any, ...]] = []
    unsound: list[tuple[Any, ...]] = []
    why = ""
    for row in zip(*columns, strict=True):
        wrong = row_fault(kind, [row[place] for place in places])
        if not wrong and not all(map(_is_scalar, row)):
            wrong = "extra"
        (unsound if wrong else sound).append(row)
        why = why or wrong
    _set_aside(connection, bucket, kind, table.keys, unsound, sums, why, report)
    return [list(column) for column in zip(*sound, strict=True)] if sound else [[] for _ in columns]


def _set_aside(
    connection: Any,
    bucket: str,
    kind: str,
    keys: int,
    rows: Sequence[Sequence[Any]],
    sums: Sums,
    why: str,
    report: Report,
) -> None:
    for row in rows:
        text = _key_text(row[:keys])
        key = tuple(row[: KEYS.get(kind, 0)])
        if kind in COLUMNS and not key_fault(kind, key):
            # What stood there before is not true any more.
            _take_off(connection, kind, [key], sums, None)
            where = " AND ".join(f'"{name}" = ?' for name in COLUMNS[kind][: KEYS[kind]])
            connection.execute(f'DELETE FROM "{kind}" WHERE {where}', key)
        _forget_set_aside(connection, kind, [text], sums, None)
        hashed = _hash_of_anything(kind, row)
        connection.execute(
            f"""INSERT OR REPLACE INTO {SET_ASIDE} (kind, row_key, bucket, row_hash, why)
                VALUES (?, ?, ?, ?, ?)""",
            (kind, text, bucket, hashed, why),
        )
        sums.add(bucket, hashed)
    if rows:
        report(
            CentralFault("feed_row_refused", f"{len(rows)} of {kind[:20]!r}: {why}", kind=kind[:20], why=why)
        )


def _hash_of_anything(kind: str, row: Sequence[Any]) -> int:
    try:
        return row_hash(kind, row)
    except (UnicodeEncodeError, ValueError, TypeError):
        return 0  # central cannot have summed up what has no canonical form


def _key_text(key: Sequence[Any]) -> str:
    return json.dumps(list(key), separators=(",", ":"))


def _forget_set_aside(connection: Any, kind: str, texts: Sequence[str], sums: Sums, only: str | None) -> None:
    for text in texts:
        rows = connection.execute(
            f"SELECT bucket, row_hash FROM {SET_ASIDE} WHERE kind = ? AND row_key = ?", (kind, text)
        ).fetchall()
        for bucket, hashed in rows:
            if only is None or bucket == only:
                sums.add(bucket, -hashed)
                connection.execute(
                    f"DELETE FROM {SET_ASIDE} WHERE kind = ? AND row_key = ? AND bucket = ?",
                    (kind, text, bucket),
                )


def _drop(
    connection: Any,
    bucket: str,
    kind: str,
    columns: Columns,
    moves: list[str],
    sums: Sums,
    report: Report,
) -> None:
    keys = list(zip(*columns, strict=True))
    if _has_set_aside(connection):
        _forget_set_aside(connection, kind, [_key_text(key) for key in keys], sums, bucket)
    if kind not in COLUMNS:
        return
    unsound = [place for place, key in enumerate(keys) if key_fault(kind, key)]
    if unsound:
        report(CentralFault("feed_row_refused", f"{len(unsound)} tombstones of {kind}", kind=kind, why="key"))
        keys = [key for place, key in enumerate(keys) if place not in set(unsound)]
        moves = [move for place, move in enumerate(moves) if place not in set(unsound)]
    told = dict(zip(keys, moves, strict=True))
    if not told:
        return
    _take_off(connection, kind, list(told), sums, bucket)
    where = " AND ".join(f'"{name}" = ?' for name in COLUMNS[kind][: KEYS[kind]])
    # A row that moved was inserted by the other bucket, perhaps before this tombstone came. Else it stays
    # until its insert comes, so that nobody who moves is unknown in between.
    moved = [(IN_TRANSIT + move, *key, bucket) for key, move in told.items() if move]
    if moved:
        sums.in_transit += [(kind, key, IN_TRANSIT + move) for key, move in told.items() if move]
        connection.executemany(f'UPDATE "{kind}" SET bucket = ? WHERE {where} AND bucket = ?', moved)
    gone = [(*key, bucket) for key, move in told.items() if not move]
    if gone:
        connection.executemany(f'DELETE FROM "{kind}" WHERE {where} AND bucket = ?', gone)


def _has_set_aside(connection: Any) -> bool:
    return connection.execute(f"SELECT 1 FROM {SET_ASIDE} LIMIT 1").fetchone() is not None


def _take_off(
    connection: Any, kind: str, keys: Sequence[tuple[Any, ...]], sums: Sums, only: str | None
) -> None:
    """Takes the hashes of rows about to be replaced or deleted off their buckets' sums."""
    if _has_set_aside(connection) and only is None:
        _forget_set_aside(connection, kind, [_key_text(key) for key in keys], sums, None)
    if connection.execute(f'SELECT 1 FROM "{kind}" LIMIT 1').fetchone() is None:
        return
    columns = COLUMNS[kind][: KEYS[kind]]
    match = " AND ".join(
        f't."{name}" = k.value ->> {place}' if len(columns) > 1 else f't."{name}" = k.value'
        for place, name in enumerate(columns)
    )
    listed: Sequence[Any] = [key[0] for key in keys] if len(columns) == 1 else keys
    # Two halves, because SQLite refuses a sum that does not fit 64 bits.
    found = connection.execute(
        f"""SELECT t.bucket, sum(t.row_hash >> 32), sum(t.row_hash & 4294967295)
            FROM json_each(?) AS k CROSS JOIN "{kind}" AS t ON {match} GROUP BY t.bucket""",
        (json.dumps(listed),),
    )
    for bucket, high, low in found.fetchall():
        if only is None or bucket == only:
            sums.add(bucket, -((high << 32) + low))


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _is_scalar_column(values: Sequence[Any]) -> bool:
    return set(map(type, values)) <= {str, int, float, bool, type(None)}
