"""Applying central's change feed to the cache: whole checkpoints only, each verified before it counts."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from kiosk import lookups
from kiosk.cache import CACHE_META, SET_ASIDE, Cache, put_cache_meta
from kiosk.cache_folder import DAMAGE_CODES, CacheFolder
from kiosk.clock import unix_ms
from kiosk.errors import CentralFault, EnvironmentFault
from kiosk.feed_rows import COLUMNS, KEYS
from sync.feed_page import Place, Report, Sums, apply_part
from sync.wire import ChangesAnswer

log = logging.getLogger(__name__)

CURSOR_USELESS: Final = ("cursor_gone", "cursor_malformed")
"""Central's words (410 and 400) for a cursor that leads nowhere: the cache is loaded anew."""
SNAPSHOT_PASSING: Final = ("central_unreachable", "central_certificate", "answer_cut", "central_error")
"""Faults after which a snapshot is tried again next time; after others the pages are read instead."""
PASSING_STATUS: Final = (429, *range(500, 600))
IN_TRANSIT_META: Final = "in_transit"
HELD_ROWS: Final = 40_000
"""Rows of one bucket that are kept in memory until it is whole; only then the cache is locked for writing."""


class FeedFault(CentralFault):
    """The rows do not sum up to what central says: this cache has to be loaded anew."""


class Snapshots(Protocol):
    """Loads a bucket as a file; filled by ``sync.snapshots``."""

    def load(self, folder: CacheFolder, bucket: str) -> tuple[int, Cache, str, str, int]:
        """A new cache with the bucket's rows: its number, itself, cursor, checksum and how many rows.

        Raises CentralFault, EnvironmentFault.
        """
        ...

    def done(self) -> None:
        """The cache is current: what was kept to go on after an interruption may go."""
        ...


@dataclass(slots=True)
class Loading:
    """What a load is given, and how far it is."""

    fetch: Callable[[str], ChangesAnswer]
    synced_at: Callable[[], str]
    on_page: Callable[[int], None] = lambda rows: None
    report: Report = lambda fault: None
    snapshots: Snapshots | None = None
    applied: int = 0
    refused: set[str] = field(default_factory=set)

    def refuse(self, fault: CentralFault) -> None:
        """Says of each thing that is not understood once what it is; what is behind it goes on."""
        told = f"{fault.code} {fault.message}"
        if told not in self.refused:
            self.refused.add(told)
            log.warning("set aside: %s", fault)
            self.report(fault)


def load_changes(
    folder: CacheFolder,
    fetch: Callable[[str], ChangesAnswer],
    synced_at: Callable[[], str],
    on_page: Callable[[int], None] = lambda rows: None,
    *,
    snapshots: Snapshots | None = None,
    report: Report = lambda fault: None,
) -> int:
    """Brings the cache up to central's head; answers how many rows and tombstones were applied.

    ``fetch`` gets a cursor (empty for the very first page). A cursor that central no longer knows, a checksum
    that does not fit, or a damaged file makes a new cache that takes over once it is whole. One process does
    this at a time; another one waits and then finds little left to do. ``report`` is told once of everything
    that central sent and this program set aside. Raises CentralFault, EnvironmentFault.
    """
    loading = Loading(fetch, synced_at, on_page, report, snapshots)
    with folder.loading():
        if folder.is_sound():
            try:
                if _apply_all(folder.current(), loading):
                    return loading.applied
                log.info("a bucket that is new here is large: the cache is loaded anew")
            except FeedFault as fault:
                log.warning("the cache is loaded anew: %s", fault)
                report(fault)
            except CentralFault as fault:
                if fault.code not in CURSOR_USELESS or fault.detail.get("signed") is not True:
                    raise
                log.warning("the cache is loaded anew: %s", fault.code)
                report(fault)
            except EnvironmentFault as fault:
                if fault.code not in DAMAGE_CODES:
                    raise
                log.warning("the cache is loaded anew: %s", fault.code)
        loading.applied = 0
        folder.note_progress(folder.progress() or 0)
        _load_anew(folder, loading)
        folder.note_progress(None)
        return loading.applied


def _load_anew(folder: CacheFolder, loading: Loading) -> None:
    first = loading.fetch("")
    number, fresh, wanted = _first_of(folder, loading, first.snapshots)
    try:
        if not _apply_all(fresh, loading, None if wanted else first, may_leave=False):
            raise AssertionError("a new cache is not left")
        _carry_lookups(folder, fresh)
    finally:
        fresh.close()
    folder.make_current(number)
    if loading.snapshots is not None:
        loading.snapshots.done()


def _first_of(folder: CacheFolder, loading: Loading, wanted: Sequence[str]) -> tuple[int, Cache, bool]:
    """A new cache, with the first of these buckets in it if it could be loaded as a file."""
    if loading.snapshots is not None:
        for bucket in wanted:
            try:
                number, fresh, cursor, checksum, rows = loading.snapshots.load(folder, bucket)
            except CentralFault as fault:
                if fault.code in SNAPSHOT_PASSING or int(fault.detail.get("status", 0)) in PASSING_STATUS:
                    raise
                loading.refuse(fault)
                continue
            with fresh.writing() as connection:
                put_cache_meta(connection, cursor=cursor, **{f"sum:{bucket}": checksum})
            loading.applied += rows
            loading.on_page(loading.applied)
            return number, fresh, True
    number, fresh = folder.create()
    return number, fresh, False


def _apply_all(
    cache: Cache, loading: Loading, first: ChangesAnswer | None = None, *, may_leave: bool = True
) -> bool:
    """Applies all that is behind the cache's cursor; False if a large bucket should be loaded as a file."""
    cursor = cache.meta("cursor")
    while True:
        pages = _up_to_checkpoint(loading, cursor, first)
        page = next(pages)
        first = None
        if may_leave and page.snapshots and loading.snapshots is not None:
            return False
        # One transaction from checkpoint to checkpoint: readers go on with the state before, and a
        # connection that breaks in between leaves no half of it.
        held, rows = [page], _rows_in(page)
        while not _is_whole(held[-1]) and rows < HELD_ROWS:
            held.append(next(pages))
            rows += _rows_in(held[-1])
        with cache.writing() as connection:
            last = _apply_pages(connection, held, pages, loading)
            put_cache_meta(connection, synced_at=loading.synced_at())
        cursor = last.next
        if not last.more:
            _finish(cache, last, loading)
            return True


def _up_to_checkpoint(loading: Loading, cursor: str, first: ChangesAnswer | None) -> Iterator[ChangesAnswer]:
    page = first
    while True:
        page = page or loading.fetch(cursor)
        if page.more and page.next == cursor:
            raise CentralFault("feed_malformed", "the feed does not move on")
        yield page
        cursor, page = page.next, None


def _rows_in(page: ChangesAnswer) -> int:
    return sum(
        table.count for part in page.parts for table in (*part.tables.values(), *part.tombstones.values())
    )


def _is_whole(page: ChangesAnswer) -> bool:
    """Nothing of the page's buckets is behind it."""
    return not page.more or all(part.checkpoint is not None for part in page.parts)


def _apply_pages(
    connection: Any, held: Sequence[ChangesAnswer], behind: Iterator[ChangesAnswer], loading: Loading
) -> ChangesAnswer:
    """Applies pages up to one that is whole, and verifies the sums; answers the last one."""
    sums = Sums()
    totals: dict[str, int] = {}
    pages = iter(held)
    while True:
        page = next(pages, None) or next(behind)
        for part in page.parts:
            loading.applied += apply_part(connection, part, sums, loading.refuse)
            point = part.checkpoint
            if point is None:
                continue
            if point.bucket != part.bucket:
                raise CentralFault("feed_malformed", "a checkpoint of another bucket")
            totals[point.bucket] = _total(connection, point.bucket, sums)
            if str(totals[point.bucket]) != point.checksum:
                raise FeedFault(
                    "feed_checksum", f"bucket {point.bucket} at rev {point.rev}", bucket=point.bucket
                )
        loading.on_page(loading.applied)
        if _is_whole(page):
            break
    changed = {f"sum:{name}": str(_total(connection, name, sums)) for name in sums.changes}
    put_cache_meta(connection, cursor=page.next, **changed)
    if sums.in_transit:
        places = [*_in_transit(connection), *sums.in_transit]
        put_cache_meta(connection, **{IN_TRANSIT_META: json.dumps(places)})
    return page


def _total(connection: Any, bucket: str, sums: Sums) -> int:
    kept = int(_meta(connection, f"sum:{bucket}") or 0)
    return (kept + sums.changes.get(bucket, 0)) % 2**64


def _finish(cache: Cache, last: ChangesAnswer, loading: Loading) -> None:
    """Forgets what moved away for good, buckets that are followed no more, and lookups that are too old."""
    sums = cache.rows(f"SELECT key FROM {CACHE_META} WHERE key LIKE 'sum:%'")
    left = {row[0].removeprefix("sum:") for row in sums} - set(last.follow) if last.follow else set()
    now_ms = unix_ms(datetime.fromisoformat(loading.synced_at()))
    if not (left or cache.meta(IN_TRANSIT_META) or lookups.are_old(cache.db.conn, now_ms)):
        return
    with cache.writing() as connection:
        for kind, key, bucket in _in_transit(connection):
            where = " AND ".join(f'"{name}" = ?' for name in COLUMNS[kind][: KEYS[kind]])
            connection.execute(f'DELETE FROM "{kind}" WHERE {where} AND bucket = ?', (*key, bucket))
        connection.execute(f"DELETE FROM {CACHE_META} WHERE key = ?", (IN_TRANSIT_META,))
        for name in sorted(left):
            log.info("%s is followed no more: its rows are forgotten", name)
            for kind in COLUMNS:
                connection.execute(f'DELETE FROM "{kind}" WHERE bucket = ?', (name,))
            connection.execute(f"DELETE FROM {SET_ASIDE} WHERE bucket = ?", (name,))
            connection.execute(f"DELETE FROM {CACHE_META} WHERE key = ?", (f"sum:{name}",))
        lookups.age_out(connection, now_ms)


def _in_transit(connection: Any) -> list[Place]:
    """Rows that left a bucket by a move whose other half has not come, as far as one load knows."""
    return [
        (kind, tuple(key), bucket)
        for kind, key, bucket in json.loads(_meta(connection, IN_TRANSIT_META) or "[]")
    ]


def _carry_lookups(folder: CacheFolder, fresh: Cache) -> None:
    """What was looked up stays known in a new cache: somebody may be standing there."""
    try:
        before = folder.current()
        with fresh.writing() as connection:
            lookups.copy(before.db.conn, connection)
    except EnvironmentFault as fault:
        if fault.code not in (*DAMAGE_CODES, "cache_missing"):
            raise


def _meta(connection: Any, key: str) -> str:
    row = connection.execute(f"SELECT value FROM {CACHE_META} WHERE key = ?", (key,)).fetchone()
    return str(row[0]) if row else ""
