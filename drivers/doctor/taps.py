"""Ten taps on one reader: how many were read at once, how fast, and whether an empty field stays silent."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

from drivers.reader import Faulted, Lifted, ReaderConnection
from kiosk.errors import EnvironmentFault
from kiosk.values import CardRead

TAPS: Final = 10
TIMEOUT_S: Final = 60.0
"""For the next tap to come."""
EMPTY_S: Final = 3.0
"""How long the field is watched with nothing in it."""

GOOD_MS: Final = 300.0
"""Oyster's gates ask for 300 to 350 ms (Transport for London); above 500 ms queues grow."""

Verdict: TypeAlias = Literal["good", "slow", "unsure", "bad"]


@dataclass(frozen=True, slots=True)
class Score:
    """What ten taps showed. Times in milliseconds."""

    taps: int
    reads: int
    faults: dict[str, int]
    """Fault codes of taps that were not read at once, and how often."""
    p50_ms: float
    p95_ms: float
    noise: int
    """Events while the field was empty: there should be none."""
    rounds_per_s: float
    """Looks at the empty field."""
    verdict: Verdict

    def as_json(self) -> dict[str, Any]:
        """The document of ``test … --json``."""
        return asdict(self)


def verdict_of(taps: int, reads: int, p95_ms: float, noise: int) -> Verdict:
    """``bad`` below eight of ten or with noise, ``unsure`` below ten of ten, ``slow`` above 300 ms at p95."""
    if noise or reads * 10 < taps * 8:
        return "bad"
    if reads < taps:
        return "unsure"
    return "slow" if p95_ms > GOOD_MS else "good"


def measure(
    connection: ReaderConnection,
    say: Callable[[str], None],
    *,
    taps: int = TAPS,
    timeout_s: float = TIMEOUT_S,
    empty_s: float = EMPTY_S,
    clock: Callable[[], float] = time.monotonic,
    rest: Callable[[float], None] = time.sleep,
) -> Score:
    """Watches an open reader through so many taps of one card, and then an empty field.

    ``say`` is told what to do next, for a person. Raises EnvironmentFault ``tap_timeout`` when no tap comes,
    and what the reader raises when it goes.
    """
    times: list[float] = []
    faults: dict[str, int] = {}
    done = 0
    while done < taps:
        say(f"tap {done + 1} of {taps}")
        event = _wait(connection, (CardRead, Faulted), timeout_s, clock, rest)
        done += 1
        if isinstance(event, CardRead):
            times.append(event.read_ms)
        elif isinstance(event, Faulted):
            faults[event.fault.code] = faults.get(event.fault.code, 0) + 1
            say(f"{event.fault.code}: {event.fault.message}")
        say("take it away")
        _wait(connection, (Lifted,), timeout_s, clock, rest)
    say(f"keep the field empty for {empty_s:g} s")
    noise, rounds_per_s = _empty_field(connection, empty_s, clock, rest)
    ordered = sorted(times)
    p50 = statistics.median(ordered) if ordered else 0.0
    p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))] if ordered else 0.0
    return Score(
        taps,
        len(times),
        faults,
        round(p50, 1),
        round(p95, 1),
        noise,
        round(rounds_per_s, 1),
        verdict_of(taps, len(times), p95, noise),
    )


def _wait(
    connection: ReaderConnection,
    wanted: tuple[type, ...],
    timeout_s: float,
    clock: Callable[[], float],
    rest: Callable[[float], None],
) -> object:
    until = clock() + timeout_s
    while clock() < until:
        event = connection.poll()
        if isinstance(event, wanted):
            return event
        if event is None and connection.interval_s:
            rest(connection.interval_s)
    names = " or ".join(kind.__name__ for kind in wanted)
    raise EnvironmentFault("tap_timeout", f"nothing came for {timeout_s:g} s (waited for {names})")


def _empty_field(
    connection: ReaderConnection, empty_s: float, clock: Callable[[], float], rest: Callable[[float], None]
) -> tuple[int, float]:
    begun = clock()
    rounds = noise = 0
    while clock() < begun + empty_s:
        rounds += 1
        if connection.poll() is not None:
            noise += 1
        elif connection.interval_s:
            rest(connection.interval_s)
    return noise, rounds / max(clock() - begun, 1e-9)
