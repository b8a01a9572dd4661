"""Tap to painted result, and confirm to "Tercatat": the real kiosk, its reader process, a virtual field."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

from bench import yardsticks
from bench.figures import Figure, Limit, Yardstick, single, spread
from bench.processes import Speaking, Stamps, Station, says, station, watched_kiosk
from bench.world import OFFICER, PIN, World
from kiosk.errors import EnvironmentFault
from kiosk.home import Home

LIMIT = Limit(40.0)
FROM_ATTRACT = 30
BARE_CHANGES = 120
_FIRST = "programs are parsed, pictures loaded and the cache read for the first time"


def measure(world: World, screen: Mapping[str, str]) -> list[Figure]:
    """The figures of one kiosk that was tapped all the time."""
    world.put_back()
    log = world.folder / "taps.log"
    stamps = Stamps(world.folder / "stamps")
    opened = Home(world.home)
    with (
        station(world.home, log) as running,
        watched_kiosk(world.home, running, screen, log, stamps.path) as kiosk,
    ):
        wait_until_ready(kiosk)
        first = tap(kiosk, running, stamps, world.many_programs()[-1])
        queued = _queued_taps(world, kiosk, running, stamps)
        alone = _taps_from_attract(world, kiosk, running, stamps)
        commits = yardsticks.bare_commits(world.folder, 150)
        confirms = _confirms(world, kiosk, running, stamps)
        kiosk.order(do="bare", count=BARE_CHANGES)
        bare = kiosk.wait_for(says("bare"), "bare window")["ms"]
    lookups = {
        1: yardsticks.bare_lookups(opened, world.city, world.city.one_program),
        14: yardsticks.bare_lookups(opened, world.city, world.city.many_programs),
    }
    change = Yardstick("bare QML text to frame", spread(bare))
    found = []
    for count in (1, 14):
        taps = queued[count]
        lookup = Yardstick("bare SQLCipher lookups", spread(lookups[count]))
        words = f"{count} program{'s' if count > 1 else ''}"
        found += [
            Figure(
                f"tap to painted, {words}",
                "ms",
                spread([tap["ms"] for tap in taps]),
                change,
                LIMIT,
                f"from the notice in the kiosk process to frameSwapped; {_frames(taps)} frames a tap",
            ),
            Figure(
                f"  from the reader's line, {words}",
                "ms",
                spread([tap["whole_ms"] for tap in taps]),
                change,
                LIMIT,
                "from just before the reader process wrote the line",
            ),
            Figure(
                f"  processor time, {words}",
                "ms",
                spread([tap["cpu_ms"] for tap in taps]),
                note="all its threads from notice to frame: what a tap takes where nothing else runs",
            ),
            Figure(f"  in the domain, {words}", "ms", spread([t["domain_ms"] for t in taps]), lookup),
            Figure(f"  to a still screen, {words}", "ms", spread([t["still_ms"] for t in taps]), change),
            Figure(
                f"  from the attract screen, {words}",
                "ms",
                spread([tap["ms"] for tap in alone[count]]),
                change,
                LIMIT,
            ),
        ]
    found.append(
        Figure("first tap after the start, 14 programs", "ms", single(first["ms"]), change, note=_FIRST)
    )
    found.append(
        Figure(
            'confirm to "Tercatat" painted',
            "ms",
            spread([one["ms"] for one in confirms]),
            Yardstick("bare SQLCipher insert + commit", spread(commits)),
            LIMIT,
            "from Enter in the officer's model to frameSwapped, the record durable before",
        )
    )
    found.append(
        Figure(
            "  in the domain",
            "ms",
            spread([one["domain_ms"] for one in confirms]),
            Yardstick("bare SQLCipher insert + commit", spread(commits)),
        )
    )
    return found


def wait_until_ready(kiosk: Speaking) -> tuple[float, float]:
    """When the first frame was painted and when the reader was ready, in seconds of CLOCK_MONOTONIC."""
    seen: dict[str, float] = {}

    def both(line: dict[str, Any]) -> bool:
        if line.get("event") in ("ready", "reader_ready"):
            seen[line["event"]] = line["at"]
        return len(seen) == 2

    kiosk.wait_for(both, "ready kiosk")
    return seen["ready"], seen["reader_ready"]


def tap(kiosk: Speaking, running: Station, stamps: Stamps, card_no: str) -> dict[str, float]:
    """Puts one card in the place of the one before, and waits for its result and a screen that is still."""
    running.put(card_no)
    written = stamps.wait_for("read")
    painted = kiosk.wait_for(says("painted", kind="read"), "painted result")
    still = kiosk.wait_for(says("settled"), "still screen")
    arrived = painted["at"] - painted["ms"] / 1000
    return {
        "ms": painted["ms"],
        "domain_ms": painted["domain_ms"],
        "cpu_ms": painted["cpu_ms"],
        "whole_ms": (painted["at"] - written) * 1000,
        "still_ms": (still["at"] - arrived) * 1000,
        "frames": still["frames"],
    }


def _queued_taps(
    world: World, kiosk: Speaking, running: Station, stamps: Stamps
) -> dict[int, list[dict[str, float]]]:
    """Holders with one and with fourteen programs in turn, each another one, as in a queue."""
    ones, manies = world.one_program(), world.many_programs()
    found: dict[int, list[dict[str, float]]] = {1: [], 14: []}
    for one, many in zip(ones, manies, strict=True):
        found[1].append(tap(kiosk, running, stamps, one))
        found[14].append(tap(kiosk, running, stamps, many))
    running.lift()
    stamps.wait_for("lifted")
    _check_state(kiosk)
    return found


def _check_state(kiosk: Speaking) -> None:
    """A result has to be on the screen: a painted fault would be a measurement of something else."""
    kiosk.drop_lines()
    kiosk.order(do="finish")
    kiosk.wait_for(says("state", state="clearing"), "end of a result")
    kiosk.wait_for(says("state", state="attract"), "attract screen")
    kiosk.wait_for(says("settled"), "still screen")


def _taps_from_attract(
    world: World, kiosk: Speaking, running: Station, stamps: Stamps
) -> dict[int, list[dict[str, float]]]:
    found: dict[int, list[dict[str, float]]] = {1: [], 14: []}
    cards = chain.from_iterable(zip(world.one_program(), world.many_programs(), strict=True))
    for place, card_no in zip(range(2 * FROM_ATTRACT), cards, strict=False):
        found[14 if place % 2 else 1].append(tap(kiosk, running, stamps, card_no))
        running.lift()
        stamps.wait_for("lifted")
        _check_state(kiosk)
    return found


def _confirms(world: World, kiosk: Speaking, running: Station, stamps: Stamps) -> list[dict[str, float]]:
    kiosk.drop_lines()
    kiosk.order(do="sign_in", username=OFFICER, pin=PIN)
    kiosk.wait_for(says("stage", stage="waiting"), "signed-in officer")
    found = []
    for card_no in world.one_program():
        running.put(card_no)
        stamps.wait_for("read")
        person = kiosk.wait_for(says("stage", stage="person"), "person on the officer's screen")
        if person["ready"] != 1:
            raise EnvironmentFault("bench_stuck", f"{person['ready']} programs of {card_no} are ready, not 1")
        kiosk.wait_for(says("painted", kind="read"), "painted person")
        kiosk.order(do="enter")
        kiosk.wait_for(says("stage", stage="confirm"), "form to confirm")
        kiosk.wait_for(says("settled"), "still screen")
        kiosk.order(do="enter")
        painted = kiosk.wait_for(says("painted", kind="recorded"), "recorded pickup")
        kiosk.wait_for(says("settled"), "still screen")
        found.append(painted)
    kiosk.order(do="sign_out")
    running.lift()
    kiosk.wait_for(says("stage", stage="off"), "citizen's screen")
    return found


def _frames(taps: list[dict[str, float]]) -> str:
    """Frames from one still screen to the next, as a median."""
    return f"{spread([tap['frames'] for tap in taps]).p50:.0f}"
