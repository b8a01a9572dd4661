"""The journal on its way to a real central on loopback."""

from __future__ import annotations

import shutil
import time
from contextlib import closing

from bench import yardsticks
from bench.figures import Figure, Yardstick, single
from bench.world import World
from kiosk.clock import SystemClock
from kiosk.demonstration import Demonstration
from kiosk.errors import EnvironmentFault
from kiosk.home import Home
from kiosk.journal import Draft, Journal
from sync.kiosk_end import CentralAddress, make_engine

RECORDS = 2000
KIOSK = "HDM1"


def measure(world: World) -> list[Figure]:
    """Records a second, from the ledger to central's acknowledgement, 200 in a request."""
    folder = world.folder / "push"
    shutil.rmtree(folder, ignore_errors=True)
    demonstration = Demonstration(folder)
    demonstration.set_up_central()
    with demonstration.central_running() as url:
        demonstration.set_up_kiosk(url, name=KIOSK)
        home = Home(demonstration.kiosk_home)
        _record(home)
        with closing(make_engine(home, CentralAddress(url), SystemClock())) as engine:
            waiting = engine.ledger.waiting()
            begun = time.perf_counter()
            pushed = engine.push_all()
            took_s = time.perf_counter() - begun
            left = engine.ledger.waiting()
    if pushed < RECORDS or left:
        raise EnvironmentFault("bench_stuck", f"{pushed} of {waiting} records were pushed, {left} are left")
    rate = yardsticks.bare_inserts_per_s(world.folder, RECORDS)
    stick = Yardstick("bare SQLite inserts/s", single(rate))
    return [
        Figure("journal pushed into a local central", "records/s", single(pushed / took_s), stick, note=_NOTE)
    ]


_NOTE = "central on SQLite checks signature and chain of each, keeps it and answers once it is durable"


def _record(home: Home) -> None:
    """Writes RECORDS notes."""
    with closing(home.ledger()) as ledger:
        journal = Journal(ledger, home.identity(), SystemClock())
        draft = Draft(type="note", officer="bench", detail={"what": "bench"})
        for _ in range(RECORDS):
            journal.append(lambda _: draft)
