"""A right is asked for that lies with another kiosk: from the asking to the grant, with real processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from bench.figures import Figure, Limit, Yardstick, spread
from bench.processes import Speaking, environment, says
from kiosk.clock import SystemClock
from kiosk.demonstration import KIOSK, KIOSK_COMMAND, Demonstration
from kiosk.errors import EnvironmentFault
from kiosk.home import Home
from kiosk.rights import held_epochs
from sync.client import CentralClient
from sync.kiosk_end import CentralAddress, make_client
from sync.wire import RightsRequest

ASKER: Final = "HDM1"
TIMES: Final = 20
LIMIT_S: Final = 2.0
ASK_EVERY_S: Final = 0.05
WITHIN_S: Final = 30.0


def measure(folder: Path) -> Figure:
    """Seconds from the first asking until central grants what the other kiosk has released."""
    holder = Demonstration(folder)
    holder.set_up_central()
    with holder.central_running() as url:
        holder.set_up_kiosk(url)
        asker = _second_home(holder, folder / "asker", url)
        with syncing(holder.kiosk_home, url, folder / "sync.log"):
            home = Home(holder.kiosk_home)
            with closing(home.ledger()) as ledger:
                held = [right for right, _ in held_epochs(ledger, home.identity().gen)]
            with closing(make_client(Home(asker), CentralAddress(url), SystemClock())) as client:
                idle = spread([_ask_s(client, "h1/none/2026-11") for _ in range(TIMES)])
                waits = _waits(client, held)
    if len(waits) < TIMES:
        raise EnvironmentFault("bench_stuck", f"{len(waits)} of {len(held)} rights could be recalled")
    note = f"{KIOSK} runs `sync --watch`; {ASKER} asks again every {ASK_EVERY_S * 1000:.0f} ms"
    stick = Yardstick("one asking", idle)
    return Figure("recall to release, both online", "s", spread(waits), stick, Limit(LIMIT_S), note)


def _waits(client: CentralClient, held: list[str]) -> list[float]:
    waits: list[float] = []
    for right in held:
        if len(waits) == TIMES:
            break
        begun = time.perf_counter()
        status = _ask(client, right)
        if status != "recalled":
            continue
        while status == "recalled":
            if time.perf_counter() - begun > WITHIN_S:
                raise EnvironmentFault("bench_stuck", f"{right} did not come within {WITHIN_S:.0f} s")
            time.sleep(ASK_EVERY_S)
            status = _ask(client, right)
        if status != "granted":
            raise EnvironmentFault("bench_stuck", f"{right} is {status}")
        waits.append(time.perf_counter() - begun)
    return waits


def _ask(client: CentralClient, right: str) -> str:
    return client.ask_rights(RightsRequest(rights=[right])).answers[0].status


def _ask_s(client: CentralClient, right: str) -> float:
    begun = time.perf_counter()
    _ask(client, right)
    return time.perf_counter() - begun


def _second_home(demonstration: Demonstration, home: Path, url: str) -> Path:
    other = Demonstration(home)
    ticket = demonstration.central("kiosk", "ticket", ASKER)["ticket"]
    other.kiosk("enrol", ticket, "--central", url)
    return other.kiosk_home


@contextmanager
def syncing(home: Path, url: str, log: Path) -> Iterator[Speaking]:
    """A kiosk's sync process that has polled once."""
    with Speaking(
        [*KIOSK_COMMAND, "sync", "--watch", "--json"], environment(home) | {"KMC_CENTRAL__URL": url}, log
    ) as process:
        process.wait_for(says("ready"), "sync process")
        yield process
