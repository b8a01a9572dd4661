"""What is late only because the machine stood still is not late by its own account."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from bench.stalls import own_s, watched_stalls


@pytest.mark.parametrize(
    ("late", "stalls", "left_s"),
    [
        ((10.0, 10.2), [], 0.2),
        ((10.0, 10.2), [(10.05, 10.15)], 0.1),
        ((10.0, 10.2), [(9.0, 10.1), (10.1, 10.4)], 0.1),
        ((10.0, 10.2), [(9.0, 9.9), (10.3, 10.4)], 0.2),
        ((10.0, 10.2), [(9.0, 11.0)], 0.0),
    ],
)
def test_a_stall_is_taken_off(
    late: tuple[float, float], stalls: list[tuple[float, float]], left_s: float
) -> None:
    assert own_s(late, stalls) == pytest.approx(left_s)


def test_a_sleeper_that_was_stopped_tells_a_stall() -> None:
    with watched_stalls() as stalls:
        sleeper = _on_its_core()
        _wait_for_naps(sleeper)
        os.kill(sleeper, signal.SIGSTOP)
        threading.Event().wait(0.2)
        os.kill(sleeper, signal.SIGCONT)
        _wait_for_naps(sleeper)
    assert any(until - since > 0.15 for since, until in stalls)


def _on_its_core() -> int:
    """A child that watches: its command line ends with its core, to which it keeps once it watches."""
    for _ in range(1000):
        for children in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
            for child in map(int, children.read_text(encoding="ascii").split()):
                words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
                if b"bench.stalls" in words and os.sched_getaffinity(child) == {int(words[-2])}:
                    return child
        threading.Event().wait(0.02)
    raise AssertionError("no child watches")


def _wait_for_naps(pid: int) -> None:
    """Until it went to sleep by itself some times more (proc_pid_status(5))."""
    before = _naps(pid)
    while _naps(pid) < before + 5:
        threading.Event().wait(0.01)


def _naps(pid: int) -> int:
    """How often it went to sleep by itself (proc_pid_status(5))."""
    told = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(told.split("\nvoluntary_ctxt_switches:")[1].split()[0])
