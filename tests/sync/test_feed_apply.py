"""Applying the feed: any split, replay or move yields the same cache, and a cut one leaves none of it."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.cache import Cache
from kiosk.cache_folder import CacheFolder
from kiosk.errors import CentralFault, EnvironmentFault
from kiosk.feed_columns import pack
from kiosk.feed_rows import COLUMNS, KEYS, checksum_of, row_hash
from sync.feed import FeedFault, load_changes
from sync.wire import BucketPart, ChangesAnswer, Checkpoint, ColumnarRows

KEY = b"c" * 32
Row = tuple[Any, ...]
Place = tuple[str, str, Row]
"""Bucket, kind, key."""


def synced_at() -> str:
    return "2026-11-20T02:00:00+00:00"


class Feed:
    """Central's feed as it is seen from outside: rows with revs, tombstones, cursors ``bucket=rev,…``."""

    def __init__(self, page_rows: int = 1000) -> None:
        self.page_rows = page_rows
        self.revs: dict[str, int] = {}
        self.rows: dict[Place, tuple[int, Row | None]] = {}
        self.moves: dict[Place, str] = {}
        self.follow: list[str] | None = None
        self.fetched: list[str] = []

    def write(self, *changes: tuple[str, str, Row | None, Row]) -> None:
        """One transaction: ``(bucket, kind, row or None, key)``; each bucket touched gets one rev."""
        for bucket in {bucket for bucket, *_ in changes}:
            self.revs[bucket] = self.revs.get(bucket, 0) + 1
        for bucket, kind, row, key in changes:
            self.rows[bucket, kind, key] = (self.revs[bucket], row)
            self.moves.pop((bucket, kind, key), None)
            for _, *rest in changes:
                if row is None and rest == [kind, rest[1], key] and rest[1] is not None:
                    self.moves[bucket, kind, key] = f"m{sum(self.revs.values())}"

    def put(self, bucket: str, kind: str, *row: Any) -> None:
        """One row in a transaction of its own."""
        self.write((bucket, kind, row, row[: KEYS[kind]]))

    def drop(self, bucket: str, kind: str, *key: Any) -> None:
        """One tombstone in a transaction of its own."""
        self.write((bucket, kind, None, key))

    def checksum(self, bucket: str) -> str:
        """Of all rows that stand in a bucket."""
        standing = [(kind, row) for (name, kind, _), (_, row) in self.rows.items() if name == bucket and row]
        return checksum_of(row_hash(kind, row) for kind, row in standing)

    def fetch(self, cursor: str) -> ChangesAnswer:
        """One page of the first bucket that has something behind the cursor."""
        self.fetched.append(cursor)
        known = dict(part.split("=") for part in cursor.split(",")) if cursor else {}
        seen = {bucket: int(known.get(bucket, 0)) for bucket in self.revs}
        bucket = next((name for name in sorted(self.revs) if seen[name] < self.revs[name]), None)
        if bucket is None:
            return ChangesAnswer(next=cursor, more=False, follow=self.follow or [])
        behind = [
            (rev, kind, key, row)
            for (name, kind, key), (rev, row) in self.rows.items()
            if name == bucket and rev > seen[bucket]
        ]
        found = sorted(behind, key=lambda one: (one[0], one[1], str(one[2])))
        upto = self.revs[bucket]
        if len(found) > self.page_rows:
            cut = found[self.page_rows][0]
            whole = [one for one in found if one[0] < cut] or [one for one in found if one[0] == found[0][0]]
            found, upto = whole, whole[-1][0]
        rows: dict[str, list[Row]] = {}
        gone: dict[str, list[Row]] = {}
        moves: dict[str, list[str]] = {}
        for _, kind, key, row in found:
            if row is None:
                gone.setdefault(kind, []).append(key)
                moves.setdefault(kind, []).append(self.moves.get((bucket, kind, key), ""))
            else:
                rows.setdefault(kind, []).append(row)
        seen[bucket] = upto
        checkpoint = Checkpoint(bucket=bucket, rev=upto, checksum=self.checksum(bucket))
        part = BucketPart(
            bucket=bucket,
            tables={kind: packed(kind, *some) for kind, some in rows.items()},
            tombstones={
                kind: packed(kind, *some, columns=COLUMNS[kind][: KEYS[kind]], moves=moves[kind])
                for kind, some in gone.items()
            },
            checkpoint=checkpoint if upto == self.revs[bucket] else None,
        )
        return ChangesAnswer(
            parts=[part],
            follow=self.follow or [],
            next=",".join(f"{name}={rev}" for name, rev in sorted(seen.items())),
            more=any(seen[name] < self.revs[name] for name in seen),
        )


def packed(
    kind: str, *rows: Sequence[Any], columns: Sequence[str] | None = None, moves: Sequence[str] = ()
) -> ColumnarRows:
    """Rows as they travel."""
    names = list(COLUMNS.get(kind, ()) if columns is None else columns)
    data = [pack(column) for column in zip(*rows, strict=True)] if rows else [pack([]) for _ in names]
    told = pack(list(moves)) if any(moves) else None
    return ColumnarRows(columns=names, keys=KEYS.get(kind, 1), count=len(rows), data=data, moves=told)


def holder(number: int, point: int, name: str = "X", card: str = "") -> Row:
    """A holder's row."""
    return (number, card or f"70000{number:05d}", 1, name, "1980-01-01", "0000", "", 7, point, "active")


def content(cache: Cache) -> dict[str, list[Row]]:
    """Every row with its bucket, and the sums as they are kept."""
    found = {kind: sorted(map(tuple, cache.rows(f'SELECT * FROM "{kind}"')), key=str) for kind in COLUMNS}
    sums = cache.rows("SELECT key, value FROM cache_meta WHERE key LIKE 'sum:%' AND value <> '0'")
    found["sums"] = sorted(map(tuple, sums))
    return found


def sums_hold(cache: Cache) -> bool:
    """Whether each bucket's kept sum is that of its rows."""
    hashes: dict[str, list[int]] = {}
    for kind in COLUMNS:
        for bucket, hashed in cache.rows(f'SELECT bucket, row_hash FROM "{kind}"'):
            hashes.setdefault(bucket, []).append(hashed)
    kept = dict(cache.rows("SELECT substr(key, 5), value FROM cache_meta WHERE key LIKE 'sum:%'"))
    return {name: value for name, value in kept.items() if value != "0"} == {
        name: checksum_of(values) for name, values in hashes.items()
    }


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[CacheFolder]:
    """An empty data folder."""
    made = CacheFolder(tmp_path, KEY)
    yield made
    made.close()


@pytest.fixture
def feed() -> Feed:
    """A city with two points."""
    made = Feed()
    made.put("city", "agency", 1, "Dinas Sosial", "Dinsos")
    made.put("p1", "holder", *holder(1, 1))
    made.put("p2", "holder", *holder(2, 2))
    return made


def load(folder: CacheFolder, feed: Feed, fetch: Callable[[str], ChangesAnswer] | None = None) -> int:
    """Brings the folder's cache up to date."""
    return load_changes(folder, fetch or feed.fetch, synced_at)


def test_the_first_load_takes_over_when_it_is_whole(folder: CacheFolder, feed: Feed) -> None:
    assert load(folder, feed) == 3
    cache = folder.current()
    assert (cache.count("holder"), cache.meta("synced_at"), sums_hold(cache)) == (2, synced_at(), True)
    assert load(folder, feed) == 0
    assert folder.current_number() == 1


def test_changes_and_tombstones_come_on_top(folder: CacheFolder, feed: Feed) -> None:
    load(folder, feed)
    feed.put("p1", "holder", *holder(1, 1, "NAMA BARU"))
    feed.drop("p2", "holder", 2)
    feed.drop("p2", "holder", 99)
    assert load(folder, feed) == 3
    cache = folder.current()
    found = cache.holder(1)
    assert (found and found.name, cache.holder(2), sums_hold(cache)) == ("NAMA BARU", None, True)


@pytest.mark.parametrize("first", ["p1", "p2"])
def test_a_holder_who_moves_is_kept_whichever_bucket_comes_first(
    folder: CacheFolder, feed: Feed, first: str
) -> None:
    load(folder, feed)
    old, new = ("p1", "p2") if first == "p1" else ("p2", "p1")
    number = 1 if old == "p1" else 2
    feed.write((old, "holder", None, (number,)), (new, "holder", holder(number, int(new[1])), (number,)))
    load(folder, feed)
    found = folder.current().holder(number)
    assert (found and found.point_id, sums_hold(folder.current())) == (int(new[1]), True)


def test_two_holders_who_swap_cards_are_both_kept(folder: CacheFolder, feed: Feed) -> None:
    load(folder, feed)
    one, two = holder(1, 1), holder(2, 2)
    feed.put("p1", "holder", *holder(1, 1, card=two[1]))
    load(folder, feed)
    feed.put("p2", "holder", *holder(2, 2, card=one[1]))
    load(folder, feed)
    assert (folder.current().count("holder"), sums_hold(folder.current())) == (2, True)
    assert folder.current_number() == 1  # no reload was needed


def test_a_connection_that_breaks_leaves_nothing_of_the_checkpoint(folder: CacheFolder, feed: Feed) -> None:
    load(folder, feed)
    before = content(folder.current())
    feed.page_rows = 1
    for number in range(10, 15):
        feed.put("p1", "holder", *holder(number, 1))
    calls = 0

    def breaking(cursor: str) -> ChangesAnswer:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise CentralFault("central_unreachable", "gone")
        return feed.fetch(cursor)

    with pytest.raises(CentralFault):
        load(folder, feed, breaking)
    assert content(folder.current()) == before
    load(folder, feed)
    assert (folder.current().count("holder"), sums_hold(folder.current())) == (7, True)


def test_a_first_load_that_breaks_is_never_current(folder: CacheFolder, feed: Feed) -> None:
    feed.page_rows = 1

    def breaking(cursor: str) -> ChangesAnswer:
        if cursor:
            raise CentralFault("central_unreachable", "gone")
        return feed.fetch(cursor)

    with pytest.raises(CentralFault):
        load(folder, feed, breaking)
    assert folder.current_number() is None
    load(folder, feed)
    assert folder.current().count("holder") == 2


def test_a_checksum_that_does_not_fit_makes_a_new_cache(folder: CacheFolder, feed: Feed) -> None:
    load(folder, feed)
    folder.current().db.conn.execute("DELETE FROM holder WHERE id = 1")
    feed.drop("p1", "holder", 1)
    feed.put("p1", "holder", *holder(5, 1))
    load(folder, feed)
    assert folder.current_number() == 2
    assert (folder.current().count("holder"), sums_hold(folder.current())) == (2, True)


def test_a_checksum_that_never_fits_is_a_fault_and_the_old_cache_stays(
    folder: CacheFolder, feed: Feed
) -> None:
    load(folder, feed)
    feed.put("p1", "holder", *holder(5, 1))

    def lying(cursor: str) -> ChangesAnswer:
        page = feed.fetch(cursor)
        wrong = Checkpoint(bucket=page.parts[0].bucket, rev=1, checksum="5")
        part = page.parts[0].model_copy(update={"checkpoint": wrong})
        return page.model_copy(update={"parts": [part]})

    with pytest.raises(FeedFault):
        load(folder, feed, lying)
    assert (folder.current_number(), folder.current().count("holder")) == (1, 2)


@pytest.mark.parametrize("code", ["cursor_gone", "cursor_malformed"])
def test_a_cursor_central_knows_no_more_makes_a_new_cache_if_central_signed_that(
    folder: CacheFolder, feed: Feed, code: str
) -> None:
    load(folder, feed)

    def refusing(signed: bool) -> Callable[[str], ChangesAnswer]:
        def fetch(cursor: str) -> ChangesAnswer:
            if cursor == "city=1,p1=1,p2=1":
                raise CentralFault(code, "gone", signed=signed)
            return feed.fetch(cursor)

        return fetch

    with pytest.raises(CentralFault):
        load(folder, feed, refusing(signed=False))
    assert folder.current_number() == 1
    feed.revs["city"] = 2  # restored: what it has counts anew
    load(folder, feed, refusing(signed=True))
    assert folder.current_number() == 2


def test_a_damaged_cache_is_loaded_anew(folder: CacheFolder, feed: Feed) -> None:
    for number in range(10, 400):
        feed.put("p1", "holder", *holder(number, 1, os.urandom(100).hex()))
    load(folder, feed)
    folder.close()
    path = folder.path_of(1)
    data = bytearray(path.read_bytes())
    for place in range(4096 * 3 + 99, len(data), 4096):
        data[place] ^= 1
    path.write_bytes(data)
    load(folder, feed)
    assert folder.current_number() == 2
    assert (folder.current().count("holder"), sums_hold(folder.current())) == (392, True)


def page(**changes: Any) -> ChangesAnswer:
    """A page that names one agency."""
    part: dict[str, Any] = {"bucket": "city", "tables": {"agency": packed("agency", [1, "A", "a"])}}
    fields: dict[str, Any] = {"next": "city=1", "more": False}
    for name, value in changes.items():
        (fields if name in fields else part)[name] = value
    return ChangesAnswer.model_validate({"parts": [BucketPart.model_validate(part)]} | fields)


def told(kind: str = "agency", **changes: Any) -> dict[str, Any]:
    """A table of a page, as JSON would have it."""
    sound = packed("agency", [1, "A", "a"], [2, "B", "b"]).model_dump()
    return {"tables": {kind: sound | changes}}


MALFORMED: Mapping[str, dict[str, Any]] = {
    "a bucket that is none": {"bucket": "x1"},
    "SQL as a bucket": {"bucket": "p1' --"},
    "a column too few": told(data=[{"c": 1}, {"c": "A"}]),
    "a column twice": told(columns=["id", "name", "name"]),
    "no key": told(columns=[], data=[]),
    "a column cut short": told(data=[{"d": [1]}, {"c": "A"}, {"c": "a"}]),
    "a column too long": told(data=[{"d": [1, 1, 1]}, {"c": "A"}, {"c": "a"}]),
    "another form of packing": told(data=[{"z": [1, 2]}, {"c": "A"}, {"c": "a"}]),
    "no form of packing": told(data=[{}, {"c": "A"}, {"c": "a"}]),
    "a place without a word": told(data=[{"d": [1, 1]}, {"w": ["A"], "i": [0, 1]}, {"c": "a"}]),
    "a place below the first": told(data=[{"d": [1, 1]}, {"w": ["A"], "i": [0, -1]}, {"c": "a"}]),
    "a difference that is text": told(data=[{"d": [1, "1"]}, {"c": "A"}, {"c": "a"}]),
    "a constant list": told(data=[{"c": [1]}, {"c": "A"}, {"c": "a"}]),
    "moves that are no texts": {
        "tombstones": {"agency": packed("agency", [1], columns=["id"]).model_dump() | {"moves": {"c": 5}}}
    },
    "a checkpoint of another bucket": {"checkpoint": Checkpoint(bucket="p1", rev=1, checksum="0")},
    "a feed that stands still": {"more": True, "next": ""},
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_page_that_is_none_is_refused_whole(folder: CacheFolder, name: str) -> None:
    with pytest.raises(CentralFault) as fault:
        load_changes(folder, lambda _: page(**MALFORMED[name]), synced_at)
    assert fault.value.code == "feed_malformed"
    assert folder.current_number() is None


SET_ASIDE: Mapping[str, tuple[str, list[Any]]] = {
    "an unknown kind": ("secret", [1, 2]),
    "SQL as a kind": ('agency" --', [1]),
    "null for a name": ("agency", [7, None, "a"]),
    "null for a key": ("agency", [None, "A", "a"]),
    "text for a number": ("agency", ["7", "A", "a"]),
    "a number beyond SQLite's": ("agency", [2**64, "A", "a"]),
    "a fraction": ("agency", [1.5, "A", "a"]),
    "a truth for a number": ("agency", [True, "A", "a"]),
    "a list": ("agency", [7, ["A"], "a"]),
}


@pytest.mark.parametrize("name", SET_ASIDE)
def test_a_row_that_is_not_understood_is_set_aside_and_reported_once(
    folder: CacheFolder, feed: Feed, name: str
) -> None:
    kind, row = SET_ASIDE[name]
    sound = [
        packed("agency", [8, "B", "b"]),
        packed(kind, row, columns=COLUMNS.get(kind, ("a", "b"))[: len(row)]),
    ]
    both = packed("agency", row, [8, "B", "b"]) if kind == "agency" else None
    tables = {"agency": both} if both else {"agency": sound[0], kind: sound[1]}
    checksum = checksum_of([row_hash(kind, row), row_hash("agency", [8, "B", "b"])])
    reports: list[CentralFault] = []

    def fetch(cursor: str) -> ChangesAnswer:
        if not cursor:
            return page(tables=tables, checkpoint=Checkpoint(bucket="city", rev=1, checksum=checksum))
        # What was set aside goes as soon as a later rev drops it, or says it in a way that is understood.
        gone = packed(kind, row[: KEYS.get(kind, 1)], columns=[COLUMNS.get(kind, ("a",))[0]])
        last = checksum_of([row_hash("agency", [8, "C", "c"])])
        return page(
            tables={"agency": packed("agency", [8, "C", "c"])},
            tombstones={kind: gone},
            checkpoint=Checkpoint(bucket="city", rev=2, checksum=last),
            next="city=2",
        )

    for _ in range(2):
        load_changes(folder, fetch, synced_at, report=reports.append)
        folder.close()
    assert folder.current().agency_name(8) == "c"
    assert folder.current_number() == 1
    assert folder.current().rows("SELECT * FROM set_aside") == []
    assert [fault.code for fault in reports if fault.detail.get("why") != "key"] == ["feed_row_refused"]


def test_columns_of_a_newer_central_are_left_alone(folder: CacheFolder) -> None:
    row = [1, "A", "a", "https://example.invalid"]
    newer = packed("agency", row, columns=["id", "name", "short", "address"])
    checkpoint = Checkpoint(bucket="city", rev=1, checksum=checksum_of([row_hash("agency", row)]))
    load_changes(folder, lambda _: page(tables={"agency": newer}, checkpoint=checkpoint), synced_at)
    assert folder.current().agency_name(1) == "a"


def test_a_key_twice_in_a_page_counts_once(folder: CacheFolder) -> None:
    rows = {"agency": packed("agency", [1, "A", "a"], [1, "B", "b"])}
    checksum = checksum_of([row_hash("agency", [1, "B", "b"])])
    checkpoint = Checkpoint(bucket="city", rev=1, checksum=checksum)
    tombstones = {"point": packed("point", [1], [1], columns=["id"])}
    load_changes(folder, lambda _: page(tables=rows, tombstones=tombstones, checkpoint=checkpoint), synced_at)
    assert (folder.current().agency_name(1), sums_hold(folder.current())) == ("b", True)


def test_who_moves_is_known_all_the_while(folder: CacheFolder, feed: Feed) -> None:
    """The tombstone comes first and its load breaks off before the other bucket has told of the insert."""
    load(folder, feed)
    feed.write(("p1", "holder", None, (1,)), ("p2", "holder", holder(1, 2, "PINDAH"), (1,)))
    with pytest.raises(CentralFault):
        load(folder, feed, only_first(feed))
    found = folder.current().holder(1)
    assert found
    assert found.name == "X"
    load(folder, feed)
    found = folder.current().holder(1)
    assert (found and found.name, sums_hold(folder.current())) == ("PINDAH", True)


def only_first(feed: Feed) -> Callable[[str], ChangesAnswer]:
    """One page, then the network is gone."""
    pages = iter([feed.fetch])

    def fetch(cursor: str) -> ChangesAnswer:
        one = next(pages, None)
        if one is None:
            raise CentralFault("central_unreachable", "gone")
        return one(cursor)

    return fetch


def test_who_moves_out_of_what_is_followed_is_gone_at_the_end(folder: CacheFolder, feed: Feed) -> None:
    load(folder, feed)
    feed.write(("p1", "holder", None, (1,)), ("p9", "holder", holder(1, 9), (1,)))
    del feed.revs["p9"]
    load(folder, feed)
    assert (folder.current().holder(1), sums_hold(folder.current())) == (None, True)


def test_a_bucket_that_is_followed_no_more_is_forgotten(folder: CacheFolder, feed: Feed) -> None:
    load(folder, feed)
    feed.follow = ["city", "p1"]
    load(folder, feed)
    cache = folder.current()
    assert (cache.holder(2), cache.meta("sum:p2"), sums_hold(cache)) == (None, "", True)
    assert cache.holder(1)


def test_two_loads_at_once_take_turns(tmp_path: Path, feed: Feed) -> None:
    inside, most = 0, 0
    lock = threading.Lock()

    def counted(cursor: str) -> ChangesAnswer:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        answer = feed.fetch(cursor)
        with lock:
            inside -= 1
        return answer

    faults: list[Exception] = []

    def work() -> None:
        own = CacheFolder(tmp_path, KEY)
        try:
            for _ in range(5):
                load_changes(own, counted, synced_at)
        except (CentralFault, EnvironmentFault) as fault:
            faults.append(fault)
        finally:
            own.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (faults, most) == ([], 1)
    last = CacheFolder(tmp_path, KEY)
    assert (last.current_number(), sums_hold(last.current())) == (1, True)
    last.close()


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["put", "drop", "move", "sync"]),
        st.integers(1, 6),
        st.sampled_from(["p1", "p2", "p3"]),
        st.sampled_from(["A", "B", "C"]),
    ),
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(events=EVENTS, page_rows=st.integers(1, 5), cut_after=st.integers(1, 12))
def test_any_split_any_moves_and_any_cut_yield_the_same_cache(
    events: list[tuple[str, int, str, str]], page_rows: int, cut_after: int
) -> None:
    feed = Feed(page_rows)
    lives: dict[int, str] = {}
    with tempfile.TemporaryDirectory() as name:
        follower, fresh = CacheFolder(Path(name) / "a", KEY), CacheFolder(Path(name) / "b", KEY)
        for one in (follower, fresh):
            one.home.mkdir()
        calls = 0

        def sometimes_cut(cursor: str) -> ChangesAnswer:
            nonlocal calls
            calls += 1
            if calls % cut_after == 0 and cut_after > 1:
                raise CentralFault("central_unreachable", "cut")
            return feed.fetch(cursor)

        for what, number, bucket, text in events:
            here = lives.get(number)
            if what == "put" and here in (None, bucket):
                feed.put(bucket, "holder", *holder(number, int(bucket[1]), text))
                lives[number] = bucket
            elif what == "drop" and here:
                feed.drop(here, "holder", number)
                del lives[number]
            elif what == "move" and here and here != bucket:
                moved = holder(number, int(bucket[1]), text)
                feed.write((here, "holder", None, (number,)), (bucket, "holder", moved, (number,)))
                lives[number] = bucket
            elif what == "sync":
                try:
                    load(follower, feed, sometimes_cut)
                except CentralFault as fault:
                    if fault.code != "central_unreachable":
                        raise
        load(follower, feed)
        feed.page_rows = 1000
        load(fresh, feed)
        assert content(follower.current()) == content(fresh.current())
        assert sums_hold(follower.current())
        assert {row[0] for row in follower.current().rows("SELECT id FROM holder")} == set(lives)
        assert follower.current_number() == 1  # nothing ever had to be loaded anew
        follower.close()
        fresh.close()
