"""Applying central's change feed to the cache: whole checkpoints only, each verified before it counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kiosk.cache import COLUMNS, KEYS, Cache, CacheFolder, put_cache_meta
from kiosk.database import database_faults
from kiosk.errors import CentralFault
from sync.wire import ChangesAnswer, row_hash

LOOKUP_ROWS = 400


class FeedFault(CentralFault):
    """The rows do not sum up to what central says: this cache has to be loaded anew."""


def load_changes(
    folder: CacheFolder,
    fetch: Callable[[str], ChangesAnswer],
    synced_at: Callable[[], str],
    on_page: Callable[[int], None] = lambda rows: None,
) -> int:
    """Brings the cache up to central's head; answers how many rows and tombstones were applied.

    ``fetch`` gets a cursor (empty for the very first page). A cursor that central no longer knows, or a
    checksum that does not fit, makes a new cache file that takes over once it is whole. Raises CentralFault.
    """
    number = folder.current_number()
    if number is not None:
        try:
            return _apply_all(folder.current(), fetch, synced_at, on_page)
        except FeedFault:
            pass  # the new file below is the remedy, and its own fault would come out
        except CentralFault as fault:
            if fault.code != "cursor_gone":
                raise
    number = folder.next_number()
    fresh = folder.create(number)
    try:
        applied = _apply_all(fresh, fetch, synced_at, on_page)
    finally:
        fresh.close()
    folder.make_current(number)
    return applied


def _apply_all(
    cache: Cache,
    fetch: Callable[[str], ChangesAnswer],
    synced_at: Callable[[], str],
    on_page: Callable[[int], None],
) -> int:
    applied = 0
    cursor = cache.meta("cursor")
    connection = cache.db.conn
    more = True
    while more:
        # One transaction from checkpoint to checkpoint: readers go on with the state before, and a
        # connection that breaks in between leaves no half of it.
        with database_faults(cache.path):
            connection.execute("BEGIN IMMEDIATE")
        try:
            sums: dict[str, int] = {}
            while True:
                page = fetch(cursor)
                applied += apply_page(connection, page, sums)
                on_page(applied)
                cursor = page.next
                more = page.more
                if page.checkpoint is not None or not more:
                    break
            if page.checkpoint is not None:
                bucket = page.checkpoint.bucket
                total = (_stored_sum(connection, bucket) + sums.pop(bucket, 0)) % 2**64
                if str(total) != page.checkpoint.checksum:
                    raise FeedFault(
                        "feed_checksum", f"bucket {bucket} at rev {page.checkpoint.rev}", bucket=bucket
                    )
                put_cache_meta(connection, **{f"sum:{bucket}": str(total)})
            for bucket, change in sums.items():  # rows that moved away from another bucket
                total = (_stored_sum(connection, bucket) + change) % 2**64
                put_cache_meta(connection, **{f"sum:{bucket}": str(total)})
            put_cache_meta(connection, cursor=cursor, synced_at=synced_at())
            with database_faults(cache.path):
                connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return applied


def apply_page(connection: Any, page: ChangesAnswer, sums: dict[str, int]) -> int:
    """Applies one page inside the caller's transaction and adds the change of each bucket's sum to ``sums``.

    Raises CentralFault ``feed_malformed`` for a kind, column or row that is not of the feed.
    """
    applied = 0
    for kind, table in page.tables.items():
        if kind not in COLUMNS or tuple(table.columns) != COLUMNS[kind]:
            raise CentralFault("feed_malformed", f"table {kind!r} with columns {table.columns}"[:300])
        if any(len(row) != len(COLUMNS[kind]) for row in table.rows):
            raise CentralFault("feed_malformed", f"a row of {kind} with a missing or extra value")
        _take_off(connection, kind, [tuple(row[: KEYS[kind]]) for row in table.rows], sums, None)
        hashes = [row_hash(kind, row) for row in table.rows]
        names = ", ".join(f'"{name}"' for name in COLUMNS[kind])
        marks = ", ".join("?" * (len(COLUMNS[kind]) + 2))
        with database_faults():
            connection.executemany(
                f'INSERT OR REPLACE INTO "{kind}" ({names}, bucket, row_hash) VALUES ({marks})',
                [(*row, page.bucket, hashed) for row, hashed in zip(table.rows, hashes, strict=True)],
            )
        sums[page.bucket] = sums.get(page.bucket, 0) + sum(hashes)
        applied += len(table.rows)
    for kind, keys in page.tombstones.items():
        if kind not in COLUMNS or any(len(key) != KEYS[kind] for key in keys):
            raise CentralFault("feed_malformed", f"tombstones of {kind!r}"[:300])
        # A holder who moved was inserted by the other bucket, perhaps before this tombstone came.
        _take_off(connection, kind, [tuple(key) for key in keys], sums, page.bucket)
        where = " AND ".join(f'"{name}" = ?' for name in COLUMNS[kind][: KEYS[kind]])
        connection.executemany(
            f'DELETE FROM "{kind}" WHERE {where} AND bucket = ?', [(*key, page.bucket) for key in keys]
        )
        applied += len(keys)
    return applied


def _take_off(
    connection: Any, kind: str, keys: Sequence[tuple[Any, ...]], sums: dict[str, int], only: str | None
) -> None:
    """Takes the hashes of rows about to be replaced or deleted off their buckets' sums."""
    if connection.execute(f'SELECT 1 FROM "{kind}" LIMIT 1').fetchone() is None:
        return
    columns = COLUMNS[kind][: KEYS[kind]]
    place = "(" + ", ".join("?" * len(columns)) + ")"
    names = ", ".join(f'"{name}"' for name in columns)
    for start in range(0, len(keys), LOOKUP_ROWS):
        part = keys[start : start + LOOKUP_ROWS]
        places = ", ".join([place] * len(part))
        rows = connection.execute(
            f'SELECT bucket, row_hash FROM "{kind}" WHERE ({names}) IN (VALUES {places})',
            [value for key in part for value in key],
        )
        for bucket, hashed in rows:
            if only is None or bucket == only:
                sums[bucket] = sums.get(bucket, 0) - hashed


def _stored_sum(connection: Any, bucket: str) -> int:
    row = connection.execute("SELECT value FROM cache_meta WHERE key = ?", (f"sum:{bucket}",)).fetchone()
    return int(row[0]) if row else 0
