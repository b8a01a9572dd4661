"""The domain without screen and processes: a credential, a counter's read, the journal, a tap's queries."""

from __future__ import annotations

import json
import re
import time
from contextlib import closing
from typing import Any

from bench import yardsticks
from bench.figures import Figure, Yardstick, single, spread
from bench.world import World
from kiosk.clock import SystemClock
from kiosk.counter import Counter
from kiosk.credential import verify
from kiosk.errors import EnvironmentFault
from kiosk.home import Home
from kiosk.journal import Draft, Journal
from kiosk.values import CardRead, Medium
from kiosk.virtual_readers import cards_file
from sync.wire import from_base64

VERIFIES = 500
APPENDS = 200
_SCAN = re.compile(r"^SCAN (?!CONSTANT ROW)")


def measure(world: World) -> list[Figure]:
    """All figures of the domain."""
    world.put_back()
    home = Home(world.home)
    reads = card_reads(world)
    ones = [reads[card_no] for card_no in world.one_program()]
    manies = [reads[card_no] for card_no in world.many_programs()]
    now_s, keyset = int(time.time()), home.keyset()
    bare = Yardstick("bare Ed25519 verify", spread(yardsticks.bare_verifies(VERIFIES)))
    verifies = yardsticks.times_ms(lambda: verify(ones[0], keyset, now_s), VERIFIES)
    found = [Figure("credential verified", "ms", spread(verifies), bare)]
    with closing(home.counter(SystemClock())) as counter:
        for count, these, ids in (
            (1, ones, world.city.one_program),
            (14, manies, world.city.many_programs),
        ):
            lookup = yardsticks.bare_lookups(home, world.city, ids)
            times = [_read_ms(counter, one, count) for one in these]
            words = f"Counter.read, {count} program{'s' if count > 1 else ''}"
            found.append(
                Figure(words, "ms", spread(times), Yardstick("bare SQLCipher lookups", spread(lookup)))
            )
        queries = _queries(counter, manies[0])
    scans = [sql for sql, plan in queries if any(_SCAN.search(step) for step in plan)]
    found.append(
        Figure(
            "SQL statements of a tap, 14 programs",
            "",
            single(len(queries)),
            note="each finds its rows by an index" if not scans else f"whole tables read by: {scans}",
        )
    )
    found.append(_appends(world, home))
    return found


def card_reads(world: World) -> dict[str, CardRead]:
    """What a reader would give of each virtual card's chip, by card number."""
    found = {}
    for line in cards_file(world.home).read_text(encoding="utf-8").splitlines():
        card: dict[str, Any] = json.loads(line)
        uid = bytes.fromhex(card["uid"])
        found[card["card_no"]] = CardRead(Medium.NFC, from_base64(card["nfc"]), uid, card["chip"])
    return found


def _read_ms(counter: Counter, read: CardRead, count: int) -> float:
    begun = time.perf_counter()
    visit = counter.read(read)
    took_ms = (time.perf_counter() - begun) * 1000
    if len(visit.rows) != count:
        raise EnvironmentFault("bench_stuck", f"{len(visit.rows)} programs, not {count}")
    return took_ms


def _queries(counter: Counter, read: CardRead) -> list[tuple[str, list[str]]]:
    """Every statement of one read with the plan SQLite makes for it."""
    found: list[tuple[str, list[str]]] = []
    for connection in (counter._caches.current().db.conn, counter._ledger.db.conn):
        seen: list[str] = []
        connection.set_trace_callback(seen.append)
        counter.read(read)
        connection.set_trace_callback(None)
        found += [(sql, _plan(connection, sql)) for sql in seen if sql.lstrip().startswith("SELECT")]
    return found


def _plan(connection: Any, sql: str) -> list[str]:
    return [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()]


def _appends(world: World, home: Home) -> Figure:
    commits = yardsticks.bare_commits(world.folder, APPENDS)
    with closing(home.ledger()) as ledger:
        journal = Journal(ledger, home.identity(), SystemClock())
        draft = Draft(type="note", officer="bench", detail={"what": "bench"})
        times = yardsticks.times_ms(lambda: journal.append(lambda _: draft), APPENDS)
    stick = Yardstick("bare SQLCipher insert + commit", spread(commits))
    return Figure("journal append, durable", "ms", spread(times), stick)
