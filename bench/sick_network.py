"""A network that is sick: everything that goes out stalls for ten seconds, while officers serve people."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.figures import Figure, Limit, Yardstick, spread
from bench.processes import Speaking, Stamps, Station, says, station, watched_kiosk
from bench.taps import wait_until_ready
from bench.world import OFFICER, PIN, World
from kiosk import sync_state
from kiosk.clock import SystemClock, unix_ms
from kiosk.errors import EnvironmentFault
from kiosk.sync_state import SyncState

STALL_S = 10.0
CARDS = 30
RENEWED_EVERY_S = 0.5
AS_FAST = 1.2
"""As fast as offline: medians of 30 taps on a shared machine differ by less."""
CHECKING_LIMIT = Limit(800.0, "most")


def measure(world: World, screen: Mapping[str, str]) -> list[Figure]:
    """First paint beside the same without a network, and how long rows say that they are being checked."""
    with _stalling() as url:
        offline = _taps(world, screen, url, online=False)
        sick = _taps(world, screen, url, online=True)
    if not sick.checking_ms:
        raise EnvironmentFault("bench_stuck", "no row was ever being checked")
    stick = Yardstick("the same offline", spread(offline.painted_ms))
    return [
        Figure(
            "tap to painted, sick network",
            "ms",
            spread(sick.painted_ms),
            stick,
            Limit(stick.spread.p50 * AS_FAST, "p50"),
            f"an officer is signed in, 14 programs; whatever is sent stalls for {STALL_S:.0f} s",
        ),
        Figure(
            '  until no row says "Sedang dicek…"',
            "ms",
            spread(sick.checking_ms),
            None,
            CHECKING_LIMIT,
            f"of {len(sick.checking_ms)} taps that had such rows, from the painted person on",
        ),
    ]


@dataclass(slots=True)
class _Seen:
    painted_ms: list[float] = field(default_factory=list)
    checking_ms: list[float] = field(default_factory=list)


def _taps(world: World, screen: Mapping[str, str], url: str, *, online: bool) -> _Seen:
    world.put_back()
    log = world.folder / "network.log"
    stamps = Stamps(world.folder / "network-stamps")
    seen = _Seen()
    with (
        station(world.home, log) as running,
        watched_kiosk(world.home, running, {**screen, "KMC_CENTRAL__URL": url}, log, stamps.path) as kiosk,
        _kept_state(world, online=online),
    ):
        wait_until_ready(kiosk)
        kiosk.order(do="sign_in", username=OFFICER, pin=PIN)
        kiosk.wait_for(says("stage", stage="waiting"), "signed-in officer")
        for card_no in world.many_programs()[:CARDS]:
            _tap(kiosk, running, card_no, seen)
        kiosk.order(do="sign_out")
        kiosk.wait_for(says("stage", stage="off"), "citizen's screen")
    return seen


def _tap(kiosk: Speaking, running: Station, card_no: str, seen: _Seen) -> None:
    kiosk.drop_lines()
    running.put(card_no)
    painted = kiosk.wait_for(says("painted", kind="read"), "painted person")
    seen.painted_ms.append(painted["ms"])
    if painted["checking"]:
        done = kiosk.wait_for(says("checking", count=0), "rows that are checked no longer")
        seen.checking_ms.append((done["at"] - painted["at"]) * 1000)
    running.lift()
    kiosk.wait_for(says("settled"), "still screen")


@contextmanager
def _kept_state(world: World, *, online: bool) -> Iterator[None]:
    """What a kiosk knows whose sync heard of central a moment ago, or never: said again and again."""
    clock, ended = SystemClock(), threading.Event()

    def renew() -> None:
        while True:
            now_ms, mono_ms = unix_ms(clock.now()), clock.monotonic_ms()
            heard = SyncState(online, now_ms, now_ms, mono_ms, now_ms, mono_ms, clock.boot_id())
            sync_state.save(world.home, heard)
            if ended.wait(RENEWED_EVERY_S):
                return

    thread = threading.Thread(target=renew, name="state", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def _stalling() -> Iterator[str]:
    """A server on loopback that takes everything and answers nothing, then hangs up; its address."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening, selectors.DefaultSelector() as selector:
        listening.setblocking(False)
        selector.register(listening, selectors.EVENT_READ)
        thread = threading.Thread(target=_stall, args=(listening, selector, ended), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            ended.set()
            thread.join()


def _stall(listening: socket.socket, selector: selectors.BaseSelector, ended: threading.Event) -> None:
    held: list[tuple[float, socket.socket]] = []
    while not ended.is_set():
        if selector.select(0.1):
            with contextlib.suppress(OSError):
                held.append((time.monotonic() + STALL_S, listening.accept()[0]))
        due = time.monotonic()
        for at_s, connection in held:
            if at_s <= due:
                connection.close()
        held = [(at_s, connection) for at_s, connection in held if at_s > due]
    for _, connection in held:
        connection.close()
