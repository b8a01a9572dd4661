"""Every way in which a line can fail, at every kind of request: each hand-out reaches central once."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from kiosk.clock import SystemClock
from kiosk.errors import CentralFault
from kiosk.home import Home
from sync.engine import SyncEngine
from sync.kiosk_end import CentralAddress, make_engine
from tests.e2e.loopback import Asked
from tests.e2e.town import KIOSK, ROOT, KioskAt, Town
from tests.faults import bad_line
from tests.faults.bad_line import JSON, Fault, says
from tests.faults.counter_work import Queue, counter_of, journal_of
from tests.faults.counting import HandOuts, agree, at_central
from tests.faults.shifts import seeded, shift

pytestmark = pytest.mark.slow

TIMEOUT_S = 1.0
REFUSAL = b'{"code":"kiosk_revoked","message":"not from central"}'
FAULTS: dict[str, tuple[Fault, str]] = {
    "request lost": (bad_line.lost, "central_unreachable"),
    "reply lost after commit": (bad_line.unanswered, "central_unreachable"),
    "reply cut mid-body": (bad_line.cut, "answer_cut"),
    "request duplicated": (bad_line.doubled, ""),
    "request duplicated, second reply": (bad_line.doubled_second, "replayed"),
    "request overtaken": (bad_line.overtaken, "central_unreachable"),
    "request delayed": (bad_line.delayed(0.3), ""),
    "connection reset": (bad_line.reset, "central_unreachable"),
    "connection reset after commit": (bad_line.reset_after, "central_unreachable"),
    "stalled": (bad_line.delayed(10.0), "central_unreachable"),
    "captive portal": (says(200), "answer_refused"),
    "captive portal, redirect": (says(302, b"", {"Location": "/login"}), "answer_refused"),
    "429 with Retry-After": (says(429, b"", {"Retry-After": "7"}), "central_refused"),
    "500": (says(500), "central_error"),
    "502": (says(502), "central_error"),
    "503 with Retry-After": (says(503, b"", {"Retry-After": "7"}), "central_error"),
    "401": (says(401, b"", {}), "central_refused"),
    "403 that central did not sign": (says(403, REFUSAL, JSON), "central_refused"),
}
"""What happens to a request, and the code of the fault in which the round then ends."""
STEPS = ("/v1/journal", "/v1/poll", "/v1/changes")


@contextmanager
def engine_over(kiosk: KioskAt, url: str) -> Iterator[SyncEngine]:
    """The kiosk's own engine in this process, over a real line to a real central."""
    address = CentralAddress(url, TIMEOUT_S)
    with closing(make_engine(Home(kiosk.home), address, SystemClock())) as engine:
        yield engine


def round_ends_in(engine: SyncEngine) -> str:
    """The code of the fault in which one round ends, or nothing."""
    try:
        engine.sync_now()
    except CentralFault as fault:
        return fault.code
    return ""


def each_fault(town: Town) -> None:
    """Met by each kind of request once, while the counter goes on handing out."""
    kiosk, rng = town.kiosk("IRM1"), seeded("line")
    town.start_central()
    with bad_line.bad_line(lambda: town.url) as line, counter_of(kiosk) as counter:
        queue = Queue(kiosk, counter, rng.randrange(2**32))
        for name, (fault, code) in FAULTS.items():
            before, handed = at_central(town.database), HandOuts()
            for step in STEPS:
                queue.serve(handed)
                line.fail(fault, on=step)
                with engine_over(kiosk, line.url) as engine:
                    assert round_ends_in(engine) == code, (name, step)
                    assert not line.waiting, f"nobody asked for {step}"
                    queue.serve(handed)
                    assert round_ends_in(engine) == ""
                assert all(reply.status == 200 for reply in line.arrive())
            agree(f"line: {name}", len(STEPS), handed, town, before=before)
        status = counter.status()
        assert (status.waiting, status.frozen) == (0, "")
    assert town.books().of("IRM1") == journal_of(kiosk).hashes


def test_each_fault_of_the_line(town: Town) -> None:
    each_fault(town)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(5))
def test_each_fault_of_the_line_often(town: Town, part: int) -> None:
    """Other people in another order."""
    each_fault(town)


def watched(town: Town, shifts: int) -> None:
    """The sync process on a line where half of all requests fail somehow, while shifts go on."""
    kiosk, handed, rng = town.kiosk("IRM1"), HandOuts(), seeded("watched")
    town.start_central()
    faults = [fault for name, (fault, _) in FAULTS.items() if name != "stalled"]

    def choose(_asked: Asked) -> Fault:
        return rng.choice(faults) if rng.random() < 0.5 else bad_line.passed

    with bad_line.bad_line(lambda: town.url) as line:
        kiosk.url = line.url
        line.fail_as(choose)
        with watching(kiosk) as wake:
            for _ in range(shifts):
                assert shift(kiosk, handed, rng.randrange(2**32), 2, rng.randint(0, 1)).code == 0
                wake()
            line.arrive()
            failed = line.requests
            line.fail_as(None)
            town.wait_for(lambda: journal_of(kiosk).waiting == 0, "the end of the queue", 150.0)
        line.arrive()
        agree("line: half of all requests fail", failed, handed, town)
    assert town.books().of("IRM1") == journal_of(kiosk).hashes


@contextmanager
def watching(kiosk: KioskAt) -> Iterator[Callable[[], None]]:
    """The kiosk's sync process; gives what tells it that something was recorded."""
    words = [*KIOSK, "sync", "--watch"]
    with subprocess.Popen(
        words,
        env=kiosk.environment(),
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        commands = process.stdin
        assert commands is not None

        def wake() -> None:
            commands.write('{"command": "wake"}\n')
            commands.flush()

        try:
            yield wake
        finally:
            _, said = process.communicate()
        assert "Traceback" not in said, said
        assert process.returncode == 0


def test_a_line_on_which_half_fails(town: Town) -> None:
    watched(town, 3)


@pytest.mark.soak
def test_a_line_on_which_half_fails_for_long(town: Town) -> None:
    watched(town, 60)
