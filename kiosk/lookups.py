"""Cards of other points in the cache: kept in a bucket of their own, refreshed on a tap, aged out by time.

Their rows stand in the same tables as the feed's, so that a visit reads them alike; but they are in no sum of
the feed, and never take the place of a row that the feed brought.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from kiosk.cache import LOOKED_UP, LOOKUP
from kiosk.feed_rows import COLUMNS, KEYS, row_hash

KEPT_MS: Final = 24 * 3600 * 1000
"""Longer than a counter's day, shorter than anybody's patience with old data."""
FRESH_MS: Final = 60 * 1000
"""A card tapped again within this is not asked for again."""
MOST_KEPT: Final = 2000
"""Cards; of more, the oldest go."""


def bucket_of(holder_id: int) -> str:
    """Name of the bucket of one looked-up holder."""
    return f"{LOOKED_UP}{holder_id}"


def put(
    connection: Any,
    holder_id: int,
    card_no: str,
    rows: Mapping[str, Iterable[Sequence[Any]]],
    now_ms: int,
) -> None:
    """Replaces what was known of a looked-up holder, inside the caller's transaction.

    ``rows`` are of sound kinds and values. What the feed itself has of them stays as the feed has it.
    """
    forget(connection, [holder_id])
    bucket = bucket_of(holder_id)
    keys: dict[str, list[list[Any]]] = {}
    for kind, some in rows.items():
        listed = list(some)
        names = ", ".join(f'"{name}"' for name in COLUMNS[kind])
        marks = ", ".join("?" * (len(COLUMNS[kind]) + 2))
        key = ", ".join(f'"{name}"' for name in COLUMNS[kind][: KEYS[kind]])
        fresh = ", ".join(
            f'"{name}" = excluded."{name}"' for name in (*COLUMNS[kind][KEYS[kind] :], "bucket", "row_hash")
        )
        connection.executemany(
            f"""INSERT INTO "{kind}" ({names}, bucket, row_hash) VALUES ({marks})
                ON CONFLICT ({key}) DO UPDATE SET {fresh} WHERE bucket LIKE '{LOOKED_UP}%'""",
            [(*row, bucket, row_hash(kind, row)) for row in listed],
        )
        keys[kind] = [list(row[: KEYS[kind]]) for row in listed]
    connection.execute(
        f"INSERT OR REPLACE INTO {LOOKUP} (holder_id, card_no, at_ms, row_keys) VALUES (?, ?, ?, ?)",
        (holder_id, card_no, now_ms, json.dumps(keys)),
    )


def forget(connection: Any, holder_ids: Iterable[int]) -> None:
    """Takes looked-up holders out again."""
    for holder_id in holder_ids:
        for kind, key in _rows_of(connection, holder_id):
            connection.execute(
                f'DELETE FROM "{kind}" WHERE {_where(kind)} AND bucket = ?', (*key, bucket_of(holder_id))
            )
        connection.execute(f"DELETE FROM {LOOKUP} WHERE holder_id = ?", (holder_id,))


def _rows_of(connection: Any, holder_id: int) -> Iterator[tuple[str, list[Any]]]:
    """Kind and key of each row that a lookup brought: tables have no index on their rows' bucket."""
    found = connection.execute(f"SELECT row_keys FROM {LOOKUP} WHERE holder_id = ?", (holder_id,)).fetchone()
    listed = json.loads(found[0]) if found else {}
    for kind, keys in listed.items():
        for key in keys:
            yield kind, key


def _where(kind: str) -> str:
    return " AND ".join(f'"{name}" = ?' for name in COLUMNS[kind][: KEYS[kind]])


def forget_card(connection: Any, card_no: str) -> None:
    """Takes a card out that central does not know any more, or refuses."""
    found = connection.execute(f"SELECT holder_id FROM {LOOKUP} WHERE card_no = ?", (card_no,)).fetchall()
    forget(connection, [row[0] for row in found])


def are_old(connection: Any, now_ms: int) -> bool:
    """True if something was looked up so long ago that it is to go."""
    return bool(_old(connection, now_ms))


def age_out(connection: Any, now_ms: int) -> int:
    """Takes out what was looked up too long ago, or by a clock ahead of now; answers how many holders."""
    old = _old(connection, now_ms)
    forget(connection, old)
    return len(old)


def _old(connection: Any, now_ms: int) -> list[int]:
    found = connection.execute(
        f"""SELECT holder_id FROM {LOOKUP} WHERE at_ms NOT BETWEEN ? AND ?
            UNION SELECT holder_id FROM
                (SELECT holder_id FROM {LOOKUP} WHERE at_ms <= ? ORDER BY at_ms DESC
                 LIMIT -1 OFFSET {MOST_KEPT})""",
        (now_ms - KEPT_MS, now_ms + KEPT_MS, now_ms + KEPT_MS),
    )
    return [row[0] for row in found.fetchall()]


def copy(source: Any, target: Any) -> None:
    """Carries what was looked up over into a new cache, where the feed has nothing newer."""
    kept = source.execute(f"SELECT holder_id, card_no, at_ms, row_keys FROM {LOOKUP}").fetchall()
    for holder_id, *_ in kept:
        for kind, key in _rows_of(source, holder_id):
            query = f'SELECT * FROM "{kind}" WHERE {_where(kind)} AND bucket = ?'
            for row in source.execute(query, (*key, bucket_of(holder_id))).fetchall():
                marks = ", ".join("?" * len(row))
                target.execute(f'INSERT OR IGNORE INTO "{kind}" VALUES ({marks})', tuple(row))
    target.executemany(f"INSERT OR REPLACE INTO {LOOKUP} VALUES (?, ?, ?, ?)", kept)
