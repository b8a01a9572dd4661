"""The journal on its way to a real central on loopback: signed requests, signed answers, durable when told.

Records and requests are made and signed before the clock starts; answers are checked after it has stopped.
Eight of ten records change a right, seven of them also make a pickup (``bench.load.MIX``).
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy.engine import make_url

from bench import big_central, central_process, postgres, yardsticks
from bench.central_process import CpuClock, Running
from bench.figures import Figure, Limit, Spread, Yardstick, spread
from bench.load import MIX, LoadKiosk, check_answer, send_all
from bench.world import World
from kiosk.clock import SystemClock
from kiosk.demonstration import Demonstration
from kiosk.errors import EnvironmentFault
from kiosk.home import Home
from kiosk.journal import Draft, Journal
from sync.central.state import Central
from sync.kiosk_end import CentralAddress, make_engine

KIOSKS: Final = 4
PUSHES: Final = 4
RECORDS: Final = 1000
POINTS: Final = 4
LIMIT_US: Final = 500.0
"""2,000 records a second."""
LIMIT_GROWTH: Final = 1.2
ROUNDS: Final = 3
"""At each size; the least processor time counts: whoever shares the machine only ever adds to it."""
SIZES: Final = (1, 10_000)
FULL_SIZES: Final = (1, 10_000, 100_000, 1_000_000)
FULL: Final = "BENCH_FULL"
"""Set to 1 in the environment: up to a million records stored before."""
LONE_RECORDS: Final = 2000
LONE_KIOSK: Final = "HDM1"


@dataclass(frozen=True, slots=True)
class Database:
    """Where a central keeps its tables."""

    name: str
    url: str
    pids: Callable[[], Sequence[int]]
    """The server's processes; none where central is its own."""


def measure(world: World) -> list[Figure]:
    """Time for each record pushed by four kiosks at once, by one, by a real one, and onto a growing store."""
    folder = world.folder / "push"
    figures: list[Figure] = []
    with databases(folder) as found:
        for database in found:
            figures += _measure_on(folder, database)
    figures.append(_real_kiosk(folder))
    shutil.rmtree(folder, ignore_errors=True)
    return figures


@contextmanager
def databases(folder: Path) -> Iterator[list[Database]]:
    """An empty database of each kind, in an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "sqlite").mkdir(parents=True)
    (folder / "postgresql").mkdir()
    with postgres.server(folder) as server, server.database("bench") as url:
        yield [
            Database("sqlite", f"sqlite:///{folder}/sqlite/central.db", list),
            Database("postgresql", url, lambda: server.pids),
        ]


def _measure_on(folder: Path, database: Database) -> list[Figure]:
    home = folder / database.name
    sizes = FULL_SIZES if os.environ.get(FULL) == "1" else SIZES
    pushes = 1 + PUSHES * 2 + PUSHES // 2 * ROUNDS * len(sizes)
    kiosks = [LoadKiosk(f"K{n:03d}", n % POINTS + 1, 1 + n * 100_000) for n in range(KIOSKS)]
    central = big_central.make(home, database.url, kiosks, pushes * RECORDS * 8 // len(MIX) + 10, POINTS)
    with closing(central):
        bare = _bare_store(folder, database)
        with central_process.running(home, database.url) as running:
            _timed(central, running, database, kiosks, 1)  # the first one finds everything cold
            together = _timed(central, running, database, kiosks, PUSHES)
            alone = _timed(central, running, database, kiosks[:1], PUSHES)
            figures = [
                _figure(f"push by {KIOSKS} kiosks at once, {database.name}", together, bare, Limit(LIMIT_US)),
                _figure(f"push by one kiosk alone, {database.name}", alone, bare, None),
            ]
            stored, first = 1, 0.0
            for size in sizes:
                big_central.prefill(database.url, stored, size - stored, POINTS)
                stored = max(stored, size)
                rounds = [_timed(central, running, database, kiosks, PUSHES // 2) for _ in range(ROUNDS)]
                timed = min(rounds, key=lambda one: one.cpu_us)
                first = first or timed.cpu_us
                figures.append(_growth(database, size, timed, first))
    return figures


@dataclass(frozen=True, slots=True)
class _Timed:
    wall_us: Spread
    """For each record, over as many pushes as there are kiosks."""
    push_ms: Spread
    cpu_us: float
    """For each record: central with its workers, and the database server."""
    note: str


def _timed(
    central: Central, running: Running, database: Database, kiosks: Sequence[LoadKiosk], pushes: int
) -> _Timed:
    work = [[kiosk.prepare(running.url, RECORDS) for _ in range(pushes)] for kiosk in kiosks]
    with ThreadPoolExecutor(len(kiosks)) as threads:
        cpu = CpuClock(running, database.pids)
        begun = time.perf_counter()
        sent = threads.map(lambda requests: send_all(running.port, requests), work)
        answers = [answer for found in sent for answer in found]
        took_s = time.perf_counter() - begun
        central_s, server_s, client_s = cpu.read()
    for answer in answers:
        check_answer(answer, lambda _: central.keys.central.private.public_key())
    records = len(answers) * RECORDS
    at = sorted(answer.done_s - begun for answer in answers)
    windows = _windows([0.0, *at], len(kiosks))
    each = 1e6 / records
    note = (
        f"{records / took_s:.0f} records/s; processor for each record: central {central_s * each:.0f}, "
        f"database server {server_s * each:.0f}, client {client_s * each:.0f} us"
    )
    return _Timed(
        spread(windows),
        spread([answer.took_s * 1000 for answer in answers]),
        (central_s + server_s) * each,
        note,
    )


def _windows(at: Sequence[float], width: int) -> list[float]:
    """Microseconds a record between every ``width``-th answer and the next such."""
    marks = at[::width]
    return [(after - before) * 1e6 / (width * RECORDS) for before, after in pairwise(marks)]


def _figure(name: str, timed: _Timed, bare: Yardstick, limit: Limit | None) -> Figure:
    note = f"{timed.note}; a push of {RECORDS} p50 {timed.push_ms.p50:.0f}, p95 {timed.push_ms.p95:.0f} ms"
    return Figure(name, "us/record", timed.wall_us, bare, limit, note)


def _growth(database: Database, size: int, timed: _Timed, first_us: float) -> Figure:
    limit = Limit(first_us * LIMIT_GROWTH, "p50") if size > 1 else None
    stick = Yardstick("processor at the first size", spread([first_us]))
    name = f"  onto {size} stored, {database.name}, processor"
    wall = f"wall p50 {timed.wall_us.p50:.0f}, p95 {timed.wall_us.p95:.0f} us"
    return Figure(name, "us/record", spread([timed.cpu_us]), stick, limit, f"{wall}; {timed.note}")


def _bare_store(folder: Path, database: Database) -> Yardstick:
    """The least a record can cost: one bare signature check and one bare durable row of 300 bytes."""
    verify_us = spread(yardsticks.bare_verifies(500)).p50 * 1000
    if database.name == "sqlite":
        rows = 1e6 / yardsticks.bare_inserts_per_s(folder, RECORDS * KIOSKS)
    else:
        rows = _bare_copies_us(database.url, KIOSKS)
    return Yardstick("bare verify + bare row", spread([verify_us + rows]))


def _bare_copies_us(url: str, copies: int) -> float:
    parsed = make_url(url)
    row = "\\x" + "5a" * 300
    with psycopg.connect(
        host=parsed.host, port=parsed.port or 5432, user=parsed.username, dbname=parsed.database
    ) as connection:
        connection.execute("CREATE TABLE yardstick (seq bigint PRIMARY KEY, body bytea)")
        connection.commit()
        begun = time.perf_counter()
        for number in range(copies):
            with connection.cursor().copy("COPY yardstick FROM STDIN") as copy:
                for seq in range(RECORDS):
                    copy.write_row((number * RECORDS + seq, row))
            connection.commit()
        took_s = time.perf_counter() - begun
        connection.execute("DROP TABLE yardstick")
    return took_s * 1e6 / (copies * RECORDS)


def _real_kiosk(folder: Path) -> Figure:
    """The whole way of one real kiosk: out of its ledger, onto the wire, acknowledged in its ledger."""
    demonstration = Demonstration(folder / "real")
    demonstration.set_up_central()
    with demonstration.central_running() as url:
        demonstration.set_up_kiosk(url, name=LONE_KIOSK)
        home = Home(demonstration.kiosk_home)
        _record(home)
        with closing(make_engine(home, CentralAddress(url), SystemClock())) as engine:
            waiting = engine.ledger.waiting()
            begun, cpu = time.perf_counter(), time.process_time()
            pushed = engine.push_all()
            took_s, cpu_s = time.perf_counter() - begun, time.process_time() - cpu
            left = engine.ledger.waiting()
    if pushed < LONE_RECORDS or left:
        raise EnvironmentFault("bench_stuck", f"{pushed} of {waiting} records were pushed, {left} are left")
    rate = yardsticks.bare_inserts_per_s(folder, LONE_RECORDS)
    stick = Yardstick("bare SQLite insert", spread([1e6 / rate]))
    note = (
        f"{pushed / took_s:.0f} records/s from one ledger to a central on SQLite, both on this machine; "
        f"processor of the kiosk {cpu_s * 1e6 / pushed:.0f} us a record"
    )
    return Figure(
        "push by a real kiosk from its ledger",
        "us/record",
        spread([took_s * 1e6 / pushed]),
        stick,
        None,
        note,
    )


def _record(home: Home) -> None:
    """Writes LONE_RECORDS notes."""
    with closing(home.ledger()) as ledger:
        journal = Journal(ledger, home.identity(), SystemClock())
        draft = Draft(type="note", officer="bench", detail={"what": "bench"})
        for _ in range(LONE_RECORDS):
            journal.append(lambda _: draft)
