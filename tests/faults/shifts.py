"""Shifts at a counter that end badly, and the officer who sorts out what is left."""

from __future__ import annotations

import random
import resource
import subprocess
import sys
from dataclasses import dataclass
from functools import partial

from kiosk.clock import SystemClock
from kiosk.home import Home
from kiosk.journal_walk import list_records
from tests.e2e.town import OFFICERS, PINS, ROOT, KioskAt
from tests.faults.counting import HandOuts

SHIFT_S = 60.0
MANY = 1_000_000


def seeded(name: str) -> random.Random:
    """A random source whose seed is printed when a test fails."""
    seed = random.randrange(2**32)
    print(f"{name}: seed {seed}")
    return random.Random(seed)


@dataclass(frozen=True)
class Shift:
    """How a process at the counter ended. ``code`` is negative for a signal."""

    code: int
    events: list[dict[str, str]]

    @property
    def fault(self) -> str:
        """The code of the fault that ended it, or nothing."""
        return next((event["code"] for event in self.events if event["event"] in ("fault", "refused")), "")


def shift(
    kiosk: KioskAt,
    handed: HandOuts,
    seed: int,
    pickups: int,
    taken_back: int = 0,
    *,
    disk: dict[str, str] | None = None,
    file_limit: int | None = None,
) -> Shift:
    """Runs a process at the counter to its end, however it comes.

    ``disk`` is a faulty disk's environment; no file may grow past ``file_limit`` bytes.
    """
    officer = OFFICERS[kiosk.name]
    words = [str(kiosk.home), officer, str(seed), str(pickups), str(taken_back)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.at_counter", *words],
        env=kiosk.environment(officer) | (disk or {}),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SHIFT_S,
        preexec_fn=None if file_limit is None else partial(_limit_files, file_limit),
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Shift(done.returncode, handed.hear(done.stdout.splitlines()))


def _limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def sort_out(kiosk: KioskAt, handed: HandOuts) -> None:
    """What an officer does after an unclean stop: says of each unseen pickup whether it was handed over.

    It was if the officer had been told so. Whatever the officer was told must be there, and nothing else.
    """
    officer = OFFICERS[kiosk.name]
    counter = Home(kiosk.home).counter(SystemClock())
    try:
        session = counter.sign_in(officer, PINS[officer])
        told = {ref for ref, _ in handed.told}
        for pickup in counter.unshown():
            counter.answer_unshown(pickup.ref, pickup.ref in told, session)
    finally:
        counter.close()
    dispensed, voided = recorded(kiosk)
    assert told <= dispensed, f"told and not recorded: {sorted(told - dispensed)}"
    # The answer to a void may have been lost: the list of pickups shows that it happened.
    for ref, _ in handed.standing:
        if ref in voided:
            handed.take_back(ref)
    assert dispensed - voided == {ref for ref, _ in handed.standing}


def recorded(kiosk: KioskAt) -> tuple[set[str], set[str]]:
    """References of the pickups in a kiosk's journal, and of those of them that were taken back."""
    ledger = Home(kiosk.home).ledger()
    try:
        dispensed = list_records(ledger, last=MANY, type_="dispense")
        voided = list_records(ledger, last=MANY, type_="void")
        return {one["name"] for one in dispensed}, {one["ref"] for one in voided}
    finally:
        ledger.close()
