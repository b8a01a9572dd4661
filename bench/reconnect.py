"""All kiosks of a city come back at once, each with a morning's records: who waits how long, and for what.

Each is a real client: requests signed as they are sent, answers checked, turned away by 429 and 503 and back
after ``Retry-After`` with the jitter of the product's own sync process. Only its journal is made before.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select

from bench import big_central, central_process
from bench.central_process import CpuClock, Running
from bench.figures import Figure, Limit, Yardstick, percentile, single, spread
from bench.load import Answered, LoadKiosk, Prepared, check_answer
from bench.push import Database, databases
from bench.world import World
from kiosk.errors import CentralFault, EnvironmentFault
from sync.central.models import journal, kiosk_gen
from sync.central.state import Central
from sync.client import refused
from sync.signature import keyid_of, new_nonce, sign_request
from sync.watch import back_off_s
from sync.wire import JournalRequest

KIOSKS: Final = 500
RECORDS: Final = 200
POINTS: Final = 25
ANSWER_S: Final = 10.0
"""How long a kiosk waits for an answer: the product's own setting."""
MOST_TRIES: Final = 60
MEMORY_MB: Final = 64.0
SAMPLE_S: Final = 0.25


@dataclass(slots=True)
class _Come:
    """One kiosk's way back."""

    done_s: float
    """From the moment at which all came."""
    tries: int
    turned_away: int


def measure(world: World) -> list[Figure]:
    """The longest wait against the fair share, and central's memory, on each kind of database."""
    folder = world.folder / "reconnect"
    with databases(folder) as found:
        figures = [figure for database in found for figure in _measure_on(database, world)]
    shutil.rmtree(folder, ignore_errors=True)
    return figures


def _measure_on(database: Database, world: World) -> list[Figure]:
    home = world.folder / "reconnect" / database.name
    kiosks = [LoadKiosk(f"K{n:03d}", n % POINTS + 1, 1 + n * 1000) for n in range(KIOSKS)]
    central = big_central.make(home, database.url, kiosks, RECORDS, POINTS)
    big_central.settle(database.url)
    bodies = [JournalRequest(gen=1, from_seq=1, records=one.records(RECORDS)) for one in kiosks]
    work = [body.model_dump_json().encode() for body in bodies]
    del bodies
    with closing(central), central_process.running(home, database.url) as running:
        before_mb, cpu = running.rss_mb(), CpuClock(running, database.pids)
        begun = time.perf_counter()
        come, most_mb = asyncio.run(_all_come(central, running, kiosks, work))
        took_s, (central_s, server_s, _) = time.perf_counter() - begun, cpu.read()
        after_mb = running.rss_mb()
        _check_stored(central)
    done = sorted(one.done_s for one in come)
    # The share that each would have had to wait for if all were served evenly, at the pace that was kept.
    early, late = percentile(done, 0.1), percentile(done, 0.9)
    fair_s = (late - early) / 0.8
    turned, each = sum(one.turned_away for one in come), 1e6 / KIOSKS / RECORDS
    note = (
        f"{KIOSKS * RECORDS / took_s:.0f} records/s in all, {turned} times turned away, at most "
        f"{max(one.tries for one in come)} tries; "
        f"processor for each record: central {central_s * each:.0f}, database server {server_s * each:.0f} us"
    )
    fair = Yardstick("fair share", single(fair_s))
    return [
        Figure(
            f"{KIOSKS} kiosks with {RECORDS} records each come back, {database.name}: waits",
            "s",
            spread(done),
            fair,
            None,
            note,
        ),
        Figure(
            "  longest wait in fair shares",
            "",
            single(done[-1] / fair_s),
            None,
            Limit(2.0),
            "every record is there exactly once",
        ),
        Figure(
            "  central's memory above idle",
            "MB",
            single(most_mb - before_mb),
            Yardstick("idle", single(before_mb)),
            Limit(MEMORY_MB),
            f"{before_mb:.0f} MB before, {most_mb:.0f} at most, {after_mb:.0f} when all had been served",
        ),
    ]


async def _all_come(
    central: Central, running: Running, kiosks: Sequence[LoadKiosk], work: Sequence[bytes]
) -> tuple[list[_Come], float]:
    most = [running.rss_mb()]

    async def watch() -> None:
        while True:
            most[0] = max(most[0], running.rss_mb())
            await asyncio.sleep(SAMPLE_S)

    watching = asyncio.create_task(watch())
    begun = time.perf_counter()
    ways = (_come_back(central, running, one, body, begun) for one, body in zip(kiosks, work, strict=True))
    come = await asyncio.gather(*ways)
    watching.cancel()
    return come, most[0]


async def _come_back(
    central: Central, running: Running, kiosk: LoadKiosk, body: bytes, begun: float
) -> _Come:
    failures = turned_away = 0
    while failures < MOST_TRIES:
        retry_after_s = 0.0
        try:
            answer = await asyncio.wait_for(_ask(running, kiosk, body), ANSWER_S)
            if answer.status == 200:
                check_answer(answer, lambda _: central.keys.central.private.public_key())
                return _Come(time.perf_counter() - begun, failures + 1, turned_away)
            fault: CentralFault = refused(answer.status, answer.headers, answer.body)
            if answer.status not in (429, 503):
                raise EnvironmentFault("bench_stuck", f"{kiosk.kiosk}: {fault}")
            turned_away += 1
            retry_after_s = float(fault.detail.get("retry_after_s", 0))
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # as a kiosk: later again
        failures += 1
        await asyncio.sleep(back_off_s(failures, retry_after_s, random.random()))
    raise EnvironmentFault("bench_stuck", f"{kiosk.kiosk} was not let in {MOST_TRIES} times")


async def _ask(running: Running, kiosk: LoadKiosk, body: bytes) -> Answered:
    path, nonce = "/v1/journal", new_nonce()
    signed = sign_request(
        "POST",
        running.url + path,
        body,
        kiosk.key,
        keyid_of(kiosk.kiosk, 1),
        nonce=nonce,
        created=time.time(),
    )
    headers = {"Host": f"127.0.0.1:{running.port}", "Content-Length": str(len(body)), "Connection": "close"}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in (headers | signed).items())]
    begun = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    try:
        writer.write("\r\n".join([*lines, "Content-Type: application/json", "", ""]).encode() + body)
        await writer.drain()
        status = int((await reader.readline()).split()[1])
        found: dict[str, str] = {}
        while line := (await reader.readline()).strip():
            name, _, value = line.decode("latin-1").partition(":")
            found[name.lower()] = value.strip()
        told = await reader.readexactly(int(found["content-length"]))
    except IndexError:
        raise ConnectionError("no answer") from None
    finally:
        writer.close()
    done = time.perf_counter()
    asked = Prepared(path, b"", {}, nonce, kiosk.seq, kiosk.head)
    return Answered(asked, status, found, told, done - begun, done)


def _check_stored(central: Central) -> None:
    """Every record of every kiosk, once."""
    with central.database.read() as connection:
        stored = connection.execute(select(func.count()).select_from(journal)).scalar_one()
        whole = select(func.count()).select_from(kiosk_gen).where(kiosk_gen.c.acked_seq == RECORDS)
        kiosks = connection.execute(whole).scalar_one()
    if (stored, kiosks) != (KIOSKS * RECORDS, KIOSKS):
        raise EnvironmentFault("bench_stuck", f"{stored} records of {kiosks} kiosks are there")
