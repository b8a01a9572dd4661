"""Moments at which the machine itself stood still: seen by processes that do nothing but sleep, one a core.

A shared or virtual processor is taken away now and then; what is late then is not late by its own account.
Times are CLOCK_MONOTONIC in seconds, the same for all processes of a machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

Stretch = tuple[float, float]
NAP_S = 0.005
STALL_S = 0.02
"""A nap that ends so much too late is a stall."""


def own_s(late: Stretch, stalls: Iterable[Stretch]) -> float:
    """What is left of a stretch without the stalls of the core that stood still longest in it, in seconds."""
    begun, ended = late
    return (
        ended
        - begun
        - max((max(0.0, min(ended, until) - max(begun, since)) for since, until in stalls), default=0.0)
    )


@contextmanager
def watched_stalls() -> Iterator[list[Stretch]]:
    """A list that holds the stalls of all cores once the block has ended."""
    found: list[Stretch] = []
    watchers = [
        subprocess.Popen([sys.executable, "-m", "bench.stalls", str(core)], stdout=subprocess.PIPE, text=True)
        for core in sorted(os.sched_getaffinity(0))
    ]
    try:
        yield found
    finally:
        for watcher in watchers:
            watcher.terminate()
        for watcher in watchers:
            told, _ = watcher.communicate()
            for line in told.splitlines():
                since, until = map(float, line.split())
                found.append((since, until))


def main(core: int) -> None:
    """Naps on one core for ever and prints each stall as soon as it is over."""
    os.sched_setaffinity(0, {core})
    before = time.perf_counter()
    while True:
        time.sleep(NAP_S)
        now = time.perf_counter()
        if now - before > NAP_S + STALL_S:
            print(before + NAP_S, now, flush=True)
        before = now


if __name__ == "__main__":
    main(int(sys.argv[1]))
