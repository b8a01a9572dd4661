"""The feed: revs without holes, checksums that hold, any page size alike."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, select

from kiosk.errors import CentralFault
from kiosk.feed_columns import unpack
from kiosk.feed_rows import COLUMNS, KEYS
from sync.central import changes, feed, importing, state
from sync.central.cards import issue, revoke
from sync.central.feed import FeedChanges
from sync.central.following import Follower
from sync.central.models import feed as feed_table
from sync.central.models import holder as holders
from sync.central.state import Central
from sync.wire import CITY, FEED_COLUMNS, FEED_KEYS, ColumnarRows, checksum_of, row_hash
from tests.sync.central_side import CARD_1, RICE, PlainKiosk, city, holder

pytestmark = pytest.mark.anyio
Rows = dict[tuple[str, str], dict[tuple[Any, ...], list[Any]]]


def rows_of(table: ColumnarRows) -> list[list[Any]]:
    """The rows of a packed table."""
    columns = [unpack(packed, table.count) for packed in table.data]
    return [list(row) for row in zip(*columns, strict=True)]


class Copy:
    """What a kiosk would have after applying pages."""

    def __init__(self) -> None:
        self.rows: Rows = {}
        self.cursor = ""
        self.pages = 0

    def follow(
        self, central: Central, point_id: int = 1, limit: int = 5000, also: tuple[int, ...] = (2,)
    ) -> Copy:
        """Reads until there is no more, checking each checkpoint."""
        while True:
            page = changes.page(central, Follower(point_id, also), self.cursor, limit)
            self.pages += 1
            assert len(page.parts) == 1 or all(part.checkpoint for part in page.parts)
            for part in page.parts:
                for kind, table in part.tables.items():
                    assert tuple(table.columns) == FEED_COLUMNS[kind]
                    for row in rows_of(table):
                        self.rows.setdefault((part.bucket, kind), {})[tuple(row[: FEED_KEYS[kind]])] = row
                for kind, keys in part.tombstones.items():
                    for key in rows_of(keys):
                        self.rows.get((part.bucket, kind), {}).pop(tuple(key), None)
                if part.checkpoint:
                    assert part.checkpoint.bucket == part.bucket
                    assert part.checkpoint.checksum == self.checksum(part.bucket)
            self.cursor = page.next
            if not page.more:
                return self

    def checksum(self, bucket: str) -> str:
        """Counted from the rows alone."""
        mine = ((kind, rows) for (name, kind), rows in self.rows.items() if name == bucket)
        return checksum_of(row_hash(kind, row) for kind, rows in mine for row in rows.values())

    def keys(self, bucket: str, kind: str) -> list[tuple[Any, ...]]:
        """Keys of the rows of a kind in one bucket."""
        return sorted(self.rows.get((bucket, kind), {}))

    def of(self, kind: str) -> list[list[Any]]:
        """All rows of a kind."""
        return [row for (_, one), rows in self.rows.items() if one == kind for row in rows.values()]


def test_both_ends_name_the_same_columns() -> None:
    assert dict(FEED_COLUMNS) == COLUMNS
    assert dict(FEED_KEYS) == KEYS


def test_the_own_point_and_those_named_are_told_and_officers_only_their_own(central: Central) -> None:
    copy = Copy().follow(central)
    assert {bucket for bucket, _ in copy.rows} == {CITY, "o1", "p1", "p2"}
    assert [row[0] for row in copy.of("holder")] == [1, 2, 3]
    assert [row[0] for row in copy.of("entitlement")] == [1, 2, 3]
    assert [row[0] for row in copy.of("officer")] == ["ani"]
    assert Copy().follow(central, 2).of("officer") == []
    assert {bucket for bucket, _ in Copy().follow(central, also=()).rows} == {CITY, "o1", "p1"}
    assert len(copy.of("guardian")) == 1
    assert copy.of("right") == []
    (program,) = copy.of("program")
    assert program[:2] == ["beras", 1]
    assert not any("9901" in str(row) for row in copy.of("holder"))


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 5000])
def test_any_page_size_gives_the_same_rows(central: Central, limit: int) -> None:
    whole = Copy().follow(central)
    copy = Copy().follow(central, limit=limit)
    revoke_and_move(central)
    whole.follow(central)
    copy.follow(central, limit=limit)
    assert copy.rows == whole.rows
    assert copy.rows == without_empty(Copy().follow(central, limit=limit).rows, copy.rows)
    assert copy.cursor == whole.cursor


def revoke_and_move(central: Central) -> None:
    """Changes, additions and removals."""
    issue(central, 1, "NTAG215", bytes.fromhex("04aabbccddeeff"))
    issue(central, 1, "NTAG215", bytes.fromhex("04aabbccddee01"))
    revoke(central, CARD_1, 2, "lost")
    importing.apply(central, city(holders=(holder(2, 2),), entitlements=(), guardians=()))


def without_empty(rows: Rows, like: Rows) -> Rows:
    """Kinds that lost their last row stand empty in one and not at all in the other."""
    return {key: rows.get(key, {}) for key in like}


def test_a_move_is_a_tombstone_here_and_a_row_there(central: Central) -> None:
    copy = Copy().follow(central)
    revoke_and_move(central)
    copy.follow(central)
    assert copy.keys("p1", "holder") == [(1,)]
    assert copy.keys("p2", "holder") == [(2,), (3,)]
    assert copy.keys("p2", "entitlement") == [(2,), (3,)]
    assert copy.keys("p1", "guardian") == []
    assert copy.keys("p2", "guardian") == [(1,)]


def test_cards_out_of_use_are_denied_with_a_date(central: Central) -> None:
    revoke_and_move(central)
    copy = Copy().follow(central)
    day = "2026-11-24"
    assert copy.of("denied_card") == [
        [CARD_1, 1, "replaced", day],
        [CARD_1, 2, "lost", day],
    ]
    assert next(row for row in copy.of("holder") if row[0] == 1)[2] == 2


async def test_a_spent_right_is_told_and_an_idle_one_is_not(
    central: Central, keeper: PlainKiosk, second: PlainKiosk
) -> None:
    copy = Copy().follow(central)
    ref = keeper.dispense()
    await keeper.push()
    (row,) = copy.follow(central).of("right")
    assert row == [RICE, "AAA1", 1, 10_000, 10_000, "2026-11-24T13:00:00+07:00", 1, ref]
    other = "h2/beras/2026-11"
    await second.acquire(other)
    keeper.release(other)
    await keeper.push(2)
    await second.acquire(other)
    rows = {row[0]: row for row in copy.follow(central).of("right")}
    assert rows[other] == [other, "AAA2", 1, 10_000, 0, None, None, None]
    second.release(other, upto=(1, 2))
    await second.push()
    assert {row[0]: row for row in copy.follow(central).of("right")}[other][1:3] == ["", 0]
    await keeper.acquire(other)
    assert [row[0] for row in copy.follow(central).of("right")] == [RICE]


def test_the_stored_checksum_is_the_sum_of_the_rows(central: Central) -> None:
    revoke_and_move(central)
    with central.database.read() as connection:
        for name in (CITY, "p1", "p2"):
            assert feed.page(connection, name, 0, 10**6).checksum == feed.recount(connection, name)


def test_a_rev_larger_than_the_page_goes_out_whole(central: Central) -> None:
    copy = Copy()
    central.database.write(partial(_put_many, 50))
    page = changes.page(central, Follower(1), changes.Cursor(1, {}).encode(), 10)
    copy.follow(central, limit=10)
    assert page.parts[0].tables
    assert len([row for row in copy.of("agency") if row[0] >= 100]) == 50


def _put_many(number: int, connection: Connection) -> None:
    rows = FeedChanges()
    for n in range(number):
        rows.put(CITY, "agency", (100 + n, "name", "short"))
    rows.write(connection)


def test_an_unchanged_row_is_not_sent_again(central: Central) -> None:
    copy = Copy().follow(central)
    importing.apply(central, city())
    parts = changes.page(central, Follower(1, (2,)), copy.cursor).parts
    assert [
        (dict(part.tables), dict(part.tombstones)) for part in parts if part.tables or part.tombstones
    ] == []


@pytest.mark.parametrize("cursor", ["!", "e30", "bnVsbA", "AAAA", "WzFd", "eyJpbmNhcm5hdGlvbiI6MX0"])
def test_a_cursor_that_is_none_is_refused(central: Central, cursor: str) -> None:
    with pytest.raises(CentralFault, match="cursor_malformed"):
        changes.page(central, Follower(1), cursor)


def test_a_cursor_of_another_time_is_gone(central: Central) -> None:
    for cursor in (changes.Cursor(2, {}), changes.Cursor(1, {CITY: 10**9})):
        with pytest.raises(CentralFault, match="cursor_gone"):
            changes.page(central, Follower(1), cursor.encode())


def test_a_cursor_of_another_kiosk_opens_nothing_and_hides_nothing(central: Central) -> None:
    """What it follows counts, whatever the cursor names; what the other had is loaded from the beginning."""
    theirs = Copy().follow(central, 2, also=()).cursor
    known = changes.read_cursor(theirs, 1).revs
    assert "p2" in known
    copy = Copy()
    copy.cursor = theirs
    copy.follow(central, 1, also=())
    assert {bucket for bucket, _ in copy.rows} == {"p1", "o1"}
    assert copy.keys("p1", "holder") == [(1,), (2,)]
    assert set(changes.read_cursor(copy.cursor, 1).revs) == known.keys() - {"p2", "o2"} | {"p1", "o1"}


def test_eight_writers_lose_no_rev(central: Central) -> None:
    """Readers that follow while eight threads write to one bucket see every row."""
    per_writer = 12
    failures: list[BaseException] = []
    done = threading.Event()

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as fault:
            failures.append(fault)

    def write(writer: int) -> None:
        for n in range(per_writer):
            central.database.write(partial(_put_one, writer * 1000 + n))

    def follow(copy: Copy) -> None:
        while not done.is_set():
            copy.follow(central, limit=5)
        copy.follow(central, limit=5)

    copies = [Copy(), Copy()]
    writers = [threading.Thread(target=guarded, args=(partial(write, n),)) for n in range(1, 9)]
    readers = [threading.Thread(target=guarded, args=(partial(follow, copy),)) for copy in copies]
    for thread in (*writers, *readers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert failures == []
    expected = {writer * 1000 + n for writer in range(1, 9) for n in range(per_writer)}
    for copy in copies:
        assert {row[0] for row in copy.of("agency")} - {1} == expected
    with central.database.read() as connection:
        assert feed.page(connection, CITY, 0, 10**6).checksum == feed.recount(connection, CITY)


def _put_one(number: int, connection: Connection) -> None:
    rows = FeedChanges()
    rows.put(CITY, "agency", (number, "name", "short"))
    rows.write(connection)


def test_the_day_of_a_denied_card_is_the_city_s(central: Central) -> None:
    from sync.central.cards import today

    assert today(central) == date(2026, 11, 24)


def test_a_family_is_told_where_a_member_lives_away_from_its_head(central: Central) -> None:
    """Holder 3 lives at point 2, the family's head at point 1; then the head follows, then everybody."""
    copy = Copy().follow(central)
    assert copy.of("family") == [[1, 2, 1, 1]]
    assert ("p2", "family") in copy.rows
    importing.apply(central, city(holders=(holder(1, 2),), entitlements=(), guardians=()))
    assert copy.follow(central).of("family") == [[1, 1, 1, 2]]  # holder 2 stays behind
    importing.apply(central, city(holders=(holder(2, 2),), entitlements=(), guardians=()))
    assert copy.follow(central).of("family") == []


def test_data_of_before_gets_its_families_once(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    with central.database.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM feed WHERE kind = 'family'")
        connection.exec_driver_sql("DELETE FROM meta WHERE key = 'families_told'")
    for _ in range(2):
        state.init(central.home, central.database.url, central.mode, central.clock).close()
        page = changes.page(central, Follower(2), "")
        part = next(part for part in page.parts if part.bucket == "p2")
        assert rows_of(part.tables["family"]) == [[1, 2, 1, 1]]


def test_a_move_carries_one_id_on_both_sides(central: Central) -> None:
    cursor = Copy().follow(central).cursor
    revoke_and_move(central)
    told: dict[str, dict[tuple[str, Any], str]] = {}
    for part in changes.page(central, Follower(1, (2,)), cursor).parts:
        for kind, table in (*part.tables.items(), *part.tombstones.items()):
            moves = unpack(table.moves, table.count) if table.moves else [""] * table.count
            for row, move in zip(rows_of(table), moves, strict=True):
                if move:
                    told.setdefault(part.bucket, {})[kind, row[0]] = move
    assert told["p1"] == told["p2"]
    assert set(told["p1"]) == {("holder", 2), ("guardian", 1), ("entitlement", 2)}
    assert len(set(told["p1"].values())) == 3


def test_no_row_has_a_whole_nik(central: Central) -> None:
    """Four digits to tell people apart, and a hash under central's key: neither gives the number away."""
    with central.database.read() as connection:
        niks = list(connection.execute(select(holders.c.nik)).scalars())
        bodies = list(connection.execute(select(feed_table.c.body)).scalars())
    assert len(niks) == 3
    assert all(len(nik) == 16 for nik in niks)
    told = [body for body in bodies if body]
    assert any(f'"{nik[-4:]}"' in body for nik in niks for body in told)
    assert [nik for nik in niks for body in told if nik in body] == []
    plain = {hashlib.sha256(nik.encode()).hexdigest() for nik in niks}
    assert not any(digest in body for digest in plain for body in told)
