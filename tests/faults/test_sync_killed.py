"""Sync and central killed in the middle of a round, and two rounds at once."""

from __future__ import annotations

import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

import pytest

from tests.e2e.loopback import Asked, Reply, answering, forward
from tests.e2e.town import KioskAt, Town
from tests.faults.counter_work import hand_out_to_many, journal_of
from tests.faults.counting import HandOuts, agree
from tests.faults.shifts import seeded

pytestmark = pytest.mark.slow

PICKUPS = 25
SNAPSHOT = (r"/v1/snapshot/\w+$", r"/v1/snapshot/\w+/")
"""What a kiosk asks for that loads a large bucket as a file: its manifest, then its bytes."""
Running = queue.Queue[subprocess.Popen[bytes]]


def agrees(fault: str, tries: int, town: Town, kiosk: KioskAt, handed: HandOuts) -> None:
    """Central has exactly what the kiosk's journal has, each hand-out once."""
    agree(fault, tries, handed, town)
    books, journal = town.books(), journal_of(kiosk)
    assert (journal.intact, journal.waiting) == (True, 0)
    assert books.of(kiosk.name) == journal.hashes
    assert books.cases == []


@pytest.mark.parametrize(
    "when", [pytest.param("before central hears", marks=pytest.mark.soak), "after central has done it"]
)
def test_sync_killed_at_each_step(town: Town, when: str) -> None:
    """Killed as each kind of request is on its way; the next round takes up where that one was."""
    kiosk, handed = town.kiosk("IRM1"), HandOuts()
    hand_out_to_many(kiosk, PICKUPS, handed)
    town.program = (sys.executable, "-m", "tests.faults.small_snapshots")
    town.start_central()
    for step in ("/v1/journal", "/v1/poll", "/v1/changes", *SNAPSHOT):
        if step in SNAPSHOT:
            (kiosk.home / "cache.current").unlink(missing_ok=True)  # then large parts come as files
        running: Running = queue.Queue()

        def answer(asked: Asked, step: str = step, running: Running = running) -> Reply | None:
            if not re.match(step, asked.path):
                return forward(town.url, asked)
            if when == "after central has done it":
                forward(town.url, asked)
            running.get(timeout=30).kill()
            return None

        with answering(answer) as url:
            kiosk.url = url
            with kiosk.start("sync", "--once") as process:
                running.put(process)
                assert process.wait(timeout=60) == -signal.SIGKILL
        kiosk.url = ""
        assert journal_of(kiosk).intact
        if step not in SNAPSHOT:
            hand_out_to_many(kiosk, 1, handed)
    code, report = kiosk.sync()
    assert (code, report["waiting"]) == (0, 0)
    agrees(f"sync killed {when}", 5, town, kiosk, handed)
    assert kiosk.sync().answer["rows"] == 0


def kills_of_central(town: Town, delays: Sequence[float], pickups: int) -> None:
    """Killed so long after the records begin to arrive."""
    kiosk, handed = town.kiosk("IRM1"), HandOuts()
    town.start_central()
    for delay_s in delays:
        hand_out_to_many(kiosk, pickups, handed)

        def answer(asked: Asked, delay_s: float = delay_s) -> Reply | None:
            if asked.path != "/v1/journal":
                return forward(town.url, asked)
            found: list[Reply] = []
            pushing = threading.Thread(target=_forward_if_it_can, args=(town.url, asked, found))
            pushing.start()
            pushing.join(delay_s)
            town.kill_central()
            pushing.join()
            return found[0] if found else None

        with answering(answer) as url:
            kiosk.url = url
            assert kiosk.sync().fault == "central_unreachable"
        kiosk.url = ""
        journal = journal_of(kiosk)
        acknowledged = len(journal.hashes) - journal.waiting
        assert acknowledged <= len(town.books().of("IRM1")), "acknowledged and not there"
        town.start_central()
    assert kiosk.sync().code == 0
    agrees("central killed during pushes", len(delays), town, kiosk, handed)


def test_central_killed_during_pushes(any_town: Town) -> None:
    """As the records arrive, and a moment later: what it acknowledged it has, and it has it once."""
    kills_of_central(any_town, (0.01, 0.05), PICKUPS)


@pytest.mark.soak
def test_central_killed_during_pushes_often(any_town: Town) -> None:
    rng = seeded("central killed")
    kills_of_central(any_town, [rng.uniform(0, 0.12) for _ in range(20)], 5)


def _forward_if_it_can(url: str, asked: Asked, found: list[Reply]) -> None:
    try:
        found.append(forward(url, asked))
    except OSError:
        return  # central was killed under it, which is what the test is about
    except Exception as error:
        if type(error).__module__ != "http.client":
            raise


def rounds_at_once(town: Town, tries: int, pickups: int) -> None:
    """Two processes of one kiosk send the same journal."""
    kiosk, handed = town.kiosk("IRM1"), HandOuts()
    town.start_central()
    for _ in range(tries):
        hand_out_to_many(kiosk, pickups, handed)
        with kiosk.start("sync", "--once") as one, kiosk.start("sync", "--once") as other:
            assert [one.wait(timeout=60), other.wait(timeout=60)] == [0, 0]
    agrees("two uploaders", 2 * tries, town, kiosk, handed)
    assert kiosk.status()["frozen"] == ""


def test_two_rounds_at_once(town: Town) -> None:
    rounds_at_once(town, 1, PICKUPS)


@pytest.mark.soak
def test_two_rounds_at_once_often(town: Town) -> None:
    rounds_at_once(town, 20, 4)
