"""The change feed on its way to a kiosk: pages, how they are applied, and first loads of one point.

Each first load is what a new kiosk does, over a socket from a central in a process of its own: the bucket as
a file, the rest by pages, until the cache is current and on the disk.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, Final

import sqlcipher3.dbapi2
import zstandard

from bench.city import City
from bench.figures import Figure, Limit, Yardstick, single, spread
from bench.world import World
from kiosk.cache_folder import CacheFolder
from kiosk.clock import SystemClock
from kiosk.demonstration import KIOSK, Demonstration
from kiosk.errors import CentralFault
from kiosk.feed_rows import COLUMNS, KEYS, row_hashes
from kiosk.home import Home
from sync.central.changes import columnar
from sync.central.feed import ROWS_PER_REV, text_of
from sync.feed_page import Sums, apply_part
from sync.kiosk_end import CentralAddress, make_engine
from sync.wire import MAX_ROWS, BucketPart, ChangesAnswer

SMALL: Final = 10_000
ROUNDS: Final = 5
LOT: Final = 20_000
KINDS: Final = ("holder", "guardian", "entitlement", "right")
OFFSET: Final = 10_000_000
"""Added to ids, so that the bench's people and the demonstration's do not meet."""
LIMIT_SMALL_S: Final = 3.0
LIMIT_EXPORTS: Final = 2.0
LIMIT_MB: Final = 250.0
LIMIT_APPLY: Final = 1 / 0.4
LIMIT_SIZE: Final = {"entitlement": 0.07, "holder": 0.25}
_LEVEL: Final = 3


def measure(world: World) -> list[Figure]:
    """Pages, then first loads of 10,000 holders and of the whole city as one point."""
    folder = world.folder / "feed"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    city = world.city
    figures = [*_page_sizes(), *_apply_rates(folder)]
    figures += _first_load(folder / "small", City(SMALL * 2, city.kiosk, city.point, city.now), SMALL)
    figures += _first_load(folder / "whole", city, city.holders)
    shutil.rmtree(folder)
    return figures


# -- pages --


def _page_sizes() -> list[Figure]:
    figures = []
    for kind, most in LIMIT_SIZE.items():
        rows = [list(row) for row in islice(scattered(kind), MAX_ROWS)]
        told = ChangesAnswer(
            parts=[BucketPart(bucket="p1", tables={kind: columnar(kind, rows)})], next="", more=True
        )
        page = told.model_dump_json().encode()
        plain = json.dumps(
            [dict(zip(COLUMNS[kind], row, strict=True)) for row in rows], ensure_ascii=False
        ).encode()
        stick = Yardstick(
            "the rows as JSON objects, compressed alike", single(len(_packed(plain)) / len(plain))
        )
        figures.append(
            Figure(
                f"page of {len(rows):,} {kind}s, compressed",
                "of plain JSON",
                single(len(_packed(page)) / len(plain)),
                stick,
                Limit(most, "p50"),
                note=f"{len(_packed(page)):,} of {len(plain):,} bytes",
            )
        )
    return figures


def _packed(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_LEVEL).compress(data)


def scattered(kind: str) -> Iterator[tuple[Any, ...]]:
    """Rows as a city has them: numbers with gaps, names and days in no order; the same in every run."""
    dice = random.Random(f"bench {kind}")
    number = subject = 100_000
    names = [
        f"{first}{second}".upper()
        for first in ("si", "ra", "de", "nu", "wa")
        for second in ("ti", "hma", "wi", "r", "yan", "ni")
    ]
    programs = [f"program-{place}" for place in range(20)]
    while True:
        number += dice.randint(1, 9)
        subject += dice.choice((0, 0, 1, 1, 2, 5))
        if kind == "entitlement":
            letter = dice.choice("hhhf")
            ends = dice.choice((None, None, None, f"2027-{dice.randint(1, 12):02d}-01"))
            yield (
                number, dice.choice((1, 1, 1, 2)), f"{letter}{subject}", dice.choice(programs),
                dice.choice((10_000, 5_000, 1, 200_000)), f"2025-{dice.randint(1, 12):02d}-01", ends,
                "active" if dice.random() < 0.97 else "ended",
            )  # fmt: skip
        else:
            name = " ".join(dice.choice(names) for _ in range(3))
            birth = f"{dice.randint(1940, 2025)}-{dice.randint(1, 12):02d}-{dice.randint(1, 28):02d}"
            yield (
                number, f"{dice.randint(0, 10**10 - 1):010d}", dice.choice((1, 1, 1, 2)), name, birth,
                f"{dice.randint(0, 9999):04d}", dice.randbytes(32).hex(), number // 4, 22,
                "active" if dice.random() < 0.98 else "blocked",
            )  # fmt: skip


def _apply_rates(folder: Path) -> list[Figure]:
    figures = []
    for kind in LIMIT_SIZE:
        rows = [list(row) for row in islice(scattered(kind), 2 * MAX_ROWS)]
        fresh, changed = rows[:MAX_ROWS], [[*row[:-1], "blocked"] for row in rows[:MAX_ROWS]]
        ours: list[float] = []
        bare: list[float] = []
        for round_ in range(ROUNDS):
            for name, times, apply in (("ours", ours, _apply_page), ("bare", bare, _apply_bare)):
                with closing(_empty(folder / f"{name}-{kind}-{round_}")) as caches:
                    connection = caches.current().db.conn
                    for lot in (fresh, changed):
                        times.append(apply(connection, kind, lot))
        stick = Yardstick("executemany of upserts", spread(bare))
        figures.append(
            Figure(
                f"page of {MAX_ROWS:,} {kind}s applied",
                "ms CPU",
                spread(ours),
                stick,
                Limit(statistics.median(bare) * LIMIT_APPLY, "p50"),
                note=f"{statistics.median(bare) / statistics.median(ours):.2f} of the bare rate; half new, "
                "half changed; unpacked, checked, summed up; in one transaction each",
            )
        )
    return figures


def _empty(home: Path) -> CacheFolder:
    home.mkdir()
    caches = CacheFolder(home, b"b" * 32)
    with caches.loading():
        number, cache = caches.create()
        cache.close()
        caches.make_current(number)
    return caches


def _apply_page(connection: Any, kind: str, rows: list[list[Any]]) -> float:
    part = BucketPart(bucket="p1", tables={kind: columnar(kind, rows)})
    part = BucketPart.model_validate_json(part.model_dump_json())
    return _in_a_transaction(connection, lambda: apply_part(connection, part, Sums(), print))


def _apply_bare(connection: Any, kind: str, rows: list[list[Any]]) -> float:
    hashes = row_hashes(kind, list(zip(*rows, strict=True)))
    names = [*COLUMNS[kind], "bucket", "row_hash"]
    key, rest = names[: KEYS[kind]], names[KEYS[kind] :]
    upsert = (
        f'INSERT INTO "{kind}" ({", ".join(names)}) VALUES ({", ".join("?" * len(names))}) '
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {', '.join(f'{n} = excluded.{n}' for n in rest)}"
    )
    values = [(*row, "p1", hashed) for row, hashed in zip(rows, hashes, strict=True)]
    return _in_a_transaction(connection, lambda: connection.executemany(upsert, values))


def _in_a_transaction(connection: Any, work: Callable[[], object]) -> float:
    """Milliseconds of this processor's time: one thread works, and others on the machine do not count."""
    begun = time.process_time()
    connection.execute("BEGIN IMMEDIATE")
    work()
    connection.execute("COMMIT")
    return (time.process_time() - begun) * 1000


# -- first loads --


def _first_load(folder: Path, city: City, holders: int) -> list[Figure]:
    demonstration = Demonstration(folder)
    demonstration.set_up_central()
    point = _point_of(demonstration)
    counts = fill_bucket(demonstration.central_home / "central.db", f"p{point}", city, holders)
    with demonstration.central_running() as url:
        ticket = demonstration.central("kiosk", "ticket", KIOSK)["ticket"]
        demonstration.kiosk("enrol", ticket, "--central", url)
        home = Home(demonstration.kiosk_home)
        _make_snapshot(home, url, point)
        took = [_load(home, url, demonstration.kiosk_home) for _ in range(3 if holders <= SMALL else 2)]
        _forget(demonstration.kiosk_home)
        used_mb = _peak_mb(demonstration, url)
        export = [_bare_export(folder, home, point) for _ in took]
    rows = ", ".join(f"{number:,} {kind}s" for kind, number in counts.items())
    large = holders > SMALL
    most = LIMIT_EXPORTS * statistics.median(export) if large else LIMIT_SMALL_S
    figures = [
        Figure(
            f"first load of a point of {holders:,} holders",
            "s",
            spread(took),
            Yardstick("bare sqlcipher_export of the same file", spread(export)),
            Limit(most, "p50"),
            note=f"{rows}; the snapshot stood ready; downloaded, verified, copied, synced to disk",
        )
    ]
    if large:
        figures.append(
            Figure(
                "  most memory of `kmc-kiosk sync --once` in it",
                "MB",
                single(used_mb),
                None,
                Limit(LIMIT_MB, "most"),
            )
        )
    return figures


def _point_of(demonstration: Demonstration) -> int:
    listed: Any = demonstration.central("kiosk", "list")
    return int(next(one["point_id"] for one in listed if one["id"] == KIOSK))


def fill_bucket(database: Path, bucket: str, city: City, holders: int) -> dict[str, int]:
    """Puts a city's first ``holders`` people, as of one point, into a central's feed in bulk."""
    counts: dict[str, int] = {}
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -200000")
        connection.execute("BEGIN")
        rev, checksum = connection.execute(
            "SELECT rev, checksum FROM bucket WHERE name = ?", (bucket,)
        ).fetchone()
        for kind in KINDS:
            rows = _people(city, kind, holders)
            counts[kind] = 0
            while lot := list(islice(rows, LOT)):
                hashes = row_hashes(kind, list(zip(*lot, strict=True)))
                connection.executemany(
                    "INSERT INTO feed (bucket, kind, row_key, rev, body, hash) VALUES (?, ?, ?, ?, ?, ?)",
                    [
                        (
                            bucket,
                            kind,
                            text_of(row[: KEYS[kind]]),
                            rev + 1 + place // ROWS_PER_REV,
                            text_of(row),
                            hashed,
                        )
                        for place, (row, hashed) in enumerate(zip(lot, hashes, strict=True))
                    ],
                )
                rev += -(-len(lot) // ROWS_PER_REV)
                checksum += sum(hashes)
                counts[kind] += len(lot)
        signed = (checksum + 2**63) % 2**64 - 2**63
        connection.execute("UPDATE bucket SET rev = ?, checksum = ? WHERE name = ?", (rev, signed, bucket))
        connection.execute("COMMIT")
    return counts


def _people(city: City, kind: str, holders: int) -> Iterator[tuple[Any, ...]]:
    """A city's rows of a kind about its first people, with ids that the demonstration does not use."""
    families = holders // 4
    for _, row in city.rows(kind, {}):
        values = dict(zip(COLUMNS[kind], row, strict=True))
        if kind == "holder" and values["id"] > holders:
            return
        if kind == "guardian" and values["child_id"] > holders:
            return
        subject = str(values.get("subject") or values.get("right") or "")
        if subject:
            letter = subject[0]
            number, slash, tail = subject[1:].partition("/")
            if int(number) > (holders if letter == "h" else families):
                continue
            moved = f"{letter}{int(number) + OFFSET}{slash}{tail}"
            values["subject" if kind == "entitlement" else "right"] = moved
        for name in ("id", "family_id", "child_id", "guardian_id"):
            if isinstance(values.get(name), int):
                values[name] += OFFSET
        yield tuple(values.values())


def _make_snapshot(home: Home, url: str, point: int) -> None:
    """Has central make the snapshot, and waits until it stands."""
    with closing(make_engine(home, CentralAddress(url), SystemClock())) as engine:
        while True:
            try:
                engine.client.manifest(f"p{point}")
                return
            except CentralFault as fault:
                if fault.detail.get("status") != 503:
                    raise
                time.sleep(1)


def _load(home: Home, url: str, folder: Path) -> float:
    _forget(folder)
    with closing(make_engine(home, CentralAddress(url), SystemClock())) as engine:
        begun = time.perf_counter()
        engine.fetch_changes()
        return time.perf_counter() - begun


def _forget(folder: Path) -> None:
    for path in folder.glob("cache.*"):
        path.unlink()


def _peak_mb(demonstration: Demonstration, url: str) -> float:
    """The most memory that a whole first sync holds at once, as the kernel counts it."""
    command = [sys.executable, "-m", "kiosk.cli", "sync", "--once", "--json"]
    process = subprocess.Popen(
        command, env=demonstration.kiosk_environment(url), stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    # A child's resource usage would begin with what this process held when it forked.
    most_kb = 0
    while process.poll() is None:
        for line in Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                most_kb = max(most_kb, int(line.split()[1]))
        time.sleep(0.02)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return most_kb / 1000


def _bare_export(folder: Path, home: Home, point: int) -> float:
    """The snapshot's own file, plain on the disk, exported encrypted with SQLCipher's defaults."""
    source, target = folder / "plain.db", folder / "bare.db"
    target.unlink(missing_ok=True)
    if not source.exists():
        (packed,) = (folder / "central" / "snapshots").glob(f"p{point}-*.zst")
        with packed.open("rb") as compressed, source.open("wb") as plain:
            zstandard.ZstdDecompressor().copy_stream(compressed, plain)
    with closing(sqlcipher3.dbapi2.connect(str(target), isolation_level=None)) as connection:
        connection.execute(f"PRAGMA key = \"x'{home.keys.database_key.hex()}'\"")
        begun = time.perf_counter()
        connection.execute("ATTACH ? AS plain KEY ''", (str(source),))
        connection.execute("SELECT sqlcipher_export('main', 'plain')").fetchall()
        return time.perf_counter() - begun
