"""Applying central's change feed to the cache: whole checkpoints only, each verified before it counts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from kiosk.cache import CACHE_META, Cache, put_cache_meta
from kiosk.cache_folder import DAMAGE_CODES, CacheFolder
from kiosk.errors import CentralFault, EnvironmentFault
from kiosk.feed_rows import COLUMNS, KEYS, key_fault, row_fault, row_hash
from sync.wire import ChangesAnswer

log = logging.getLogger(__name__)

LOOKUP_ROWS = 400
CURSOR_USELESS = ("cursor_gone", "cursor_malformed")
"""Central's words (410 and 400) for a cursor that leads nowhere: the cache is loaded anew."""


class FeedFault(CentralFault):
    """The rows do not sum up to what central says: this cache has to be loaded anew."""


def load_changes(
    folder: CacheFolder,
    fetch: Callable[[str], ChangesAnswer],
    synced_at: Callable[[], str],
    on_page: Callable[[int], None] = lambda rows: None,
) -> int:
    """Brings the cache up to central's head; answers how many rows and tombstones were applied.

    ``fetch`` gets a cursor (empty for the very first page). A cursor that central no longer knows, a checksum
    that does not fit, or a damaged file makes a new cache that takes over once it is whole. One process does
    this at a time; another one waits and then finds little left to do. Raises CentralFault, EnvironmentFault.
    """
    with folder.loading():
        if folder.is_sound():
            try:
                return _apply_all(folder.current(), fetch, synced_at, on_page)
            except FeedFault as fault:
                log.warning("the cache is loaded anew: %s", fault)
            except CentralFault as fault:
                if fault.code not in CURSOR_USELESS or fault.detail.get("signed") is not True:
                    raise
                log.warning("the cache is loaded anew: %s", fault.code)
            except EnvironmentFault as fault:
                if fault.code not in DAMAGE_CODES:
                    raise
                log.warning("the cache is loaded anew: %s", fault.code)
        number, fresh = folder.create()
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
    more = True
    while more:
        # One transaction from checkpoint to checkpoint: readers go on with the state before, and a
        # connection that breaks in between leaves no half of it.
        with cache.writing() as connection:
            applied, more = _apply_to_checkpoint(connection, fetch, applied, on_page)
            put_cache_meta(connection, synced_at=synced_at())
    return applied


def _apply_to_checkpoint(
    connection: Any, fetch: Callable[[str], ChangesAnswer], applied: int, on_page: Callable[[int], None]
) -> tuple[int, bool]:
    cursor = _meta(connection, "cursor")
    sums: dict[str, int] = {}
    while True:
        page = fetch(cursor)
        if page.more and page.next == cursor:
            raise CentralFault("feed_malformed", "the feed does not move on")
        applied += apply_page(connection, page, sums)
        on_page(applied)
        cursor = page.next
        if page.checkpoint is not None or not page.more:
            break
    totals = {name: (int(_meta(connection, f"sum:{name}") or 0) + sums[name]) % 2**64 for name in sums}
    if page.checkpoint is not None:
        name = page.checkpoint.bucket
        total = totals.setdefault(name, int(_meta(connection, f"sum:{name}") or 0))
        if str(total) != page.checkpoint.checksum:
            raise FeedFault("feed_checksum", f"bucket {name} at rev {page.checkpoint.rev}", bucket=name)
    put_cache_meta(connection, cursor=cursor, **{f"sum:{name}": str(total) for name, total in totals.items()})
    return applied, page.more


def apply_page(connection: Any, page: ChangesAnswer, sums: dict[str, int]) -> int:
    """Applies one page inside the caller's transaction and adds the change of each bucket's sum to ``sums``.

    Raises CentralFault ``feed_malformed`` for a kind, column or value that is not of the feed.
    """
    applied = 0
    for kind, table in page.tables.items():
        if kind not in COLUMNS or tuple(table.columns) != COLUMNS[kind]:
            raise CentralFault("feed_malformed", f"a table {kind[:20]!r} with other columns")
        for row in table.rows:
            if wrong := row_fault(kind, row):
                raise CentralFault("feed_malformed", f"a row of {kind}: {wrong}")
        # Of a key that stands twice in a page, the later row counts, as it would row by row.
        rows = list({tuple(row[: KEYS[kind]]): row for row in table.rows}.values())
        _take_off(connection, kind, [row[: KEYS[kind]] for row in rows], sums, None)
        hashes = [row_hash(kind, row) for row in rows]
        names = ", ".join(f'"{name}"' for name in COLUMNS[kind])
        marks = ", ".join("?" * (len(COLUMNS[kind]) + 2))
        connection.executemany(
            f'INSERT OR REPLACE INTO "{kind}" ({names}, bucket, row_hash) VALUES ({marks})',
            [(*row, page.bucket, hashed) for row, hashed in zip(rows, hashes, strict=True)],
        )
        sums[page.bucket] = sums.get(page.bucket, 0) + sum(hashes)
        applied += len(table.rows)
    for kind, keys in page.tombstones.items():
        if kind not in COLUMNS:
            raise CentralFault("feed_malformed", f"tombstones of {kind[:20]!r}")
        for key in keys:
            if wrong := key_fault(kind, key):
                raise CentralFault("feed_malformed", f"a tombstone of {kind}: {wrong}")
        # A holder who moved was inserted by the other bucket, perhaps before this tombstone came.
        unique = list({tuple(key): key for key in keys}.values())
        _take_off(connection, kind, unique, sums, page.bucket)
        where = " AND ".join(f'"{name}" = ?' for name in COLUMNS[kind][: KEYS[kind]])
        connection.executemany(
            f'DELETE FROM "{kind}" WHERE {where} AND bucket = ?', [(*key, page.bucket) for key in unique]
        )
        applied += len(keys)
    return applied


def _take_off(
    connection: Any, kind: str, keys: Sequence[Sequence[Any]], sums: dict[str, int], only: str | None
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


def _meta(connection: Any, key: str) -> str:
    row = connection.execute(f"SELECT value FROM {CACHE_META} WHERE key = ?", (key,)).fetchone()
    return str(row[0]) if row else ""
