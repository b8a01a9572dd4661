"""A reader that is killed or unplugged under a running kiosk: when the screen says so, when it reads again.

The reader is a PN532 in software at the end of a pseudo-terminal, under nfcpy's own driver in the product's
own reader process; the screen paints all the time, and the gaps between its frames are measured.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from bench.figures import Figure, Limit, Yardstick, single, spread
from bench.processes import Speaking, environment, says, watched_command
from bench.stalls import own_s, watched_stalls
from bench.watched_kiosk import LATE_MS
from bench.world import World
from drivers.lines import HEALTH_EVERY_S
from drivers.supervisor import Patience
from kiosk.errors import EnvironmentFault
from tests.drivers.serial_line import SerialReader

TIMES = 10
GONE_MS = Limit(1000.0, "most")
BACK_MS = Limit(3000.0, "most")
AWAY_S = 0.5
_PAINT_EVERY_MS = 30


def measure(world: World, screen: Mapping[str, str]) -> list[Figure]:
    """Kills and unplugs in turn, ``TIMES`` each."""
    log = world.folder / "returns.log"
    line = SerialReader(world.folder / "ttyNFC")
    settings = {
        "KMC_READERS__VIRTUAL": "off",
        "KMC_READERS__NFC__DEVICE": line.device,
        "KMC_READERS__QR__ENABLED": "false",
    }
    gone: dict[str, list[float]] = {"killed": [], "unplugged": []}
    back: dict[str, list[float]] = {"killed": [], "unplugged": []}
    with (
        watched_stalls() as stalls,
        line,
        Speaking(watched_command(), environment(world.home) | settings | dict(screen), log) as kiosk,
    ):
        kiosk.wait_for(says("reader_ready"), "ready reader")
        kiosk.order(do="paint", every_ms=_PAINT_EVERY_MS, seconds=2.0)
        still = kiosk.wait_for(says("paint"), "frames")["gaps_ms"]
        kiosk.order(do="paint", every_ms=_PAINT_EVERY_MS, seconds=0.0)
        for number in range(2 * TIMES):
            # Crashes one after the other are answered by longer rests; this is about single ones.
            time.sleep(Patience().healthy_s + HEALTH_EVERY_S)
            how = "killed" if number % 2 else "unplugged"
            went, returned = _once(how, line, kiosk)
            gone[how].append(went)
            back[how].append(returned)
        kiosk.order(do="paint", every_ms=0, seconds=0.0)
        painted = kiosk.wait_for(says("paint"), "frames")
    gaps = painted["gaps_ms"]
    late = sum(own_s((begun, ended), stalls) * 1000 > LATE_MS for begun, ended in painted["late"])
    figures = []
    for how, times in gone.items():
        figures += [
            Figure(f"NFC reader {how}, shown", "ms", spread(times), None, GONE_MS),
            Figure(f"NFC reader {how}, reads again", "ms", spread(back[how]), None, BACK_MS),
        ]
    usual = Yardstick("the same without", spread(still))
    note = f"painted every {_PAINT_EVERY_MS} ms through {2 * TIMES} losses of the reader"
    figures.append(Figure("  between two frames meanwhile", "ms", spread(gaps), usual, None, note))
    longest_ms = max((until - since for since, until in stalls), default=0.0) * 1000
    figures.append(
        Figure(
            f"  frames later than {LATE_MS} ms",
            "",
            single(late),
            Yardstick("with the machine's own stalls", single(len(painted["late"]))),
            Limit(0, "most"),
            f"sleepers beside, one a core, were late by 20 ms and more {len(stalls)} times, "
            f"at most by {longest_ms:.0f} ms",
        )
    )
    return figures


def _once(how: str, line: SerialReader, kiosk: Speaking) -> tuple[float, float]:
    """Milliseconds from the loss to the screen's word, and from the device's return to ready."""
    begun = time.perf_counter()
    if how == "killed":
        os.kill(_reader_pid(kiosk.process.pid), signal.SIGKILL)
    else:
        line.unplug()
    went = kiosk.wait_for(says("reader", works=False), "loss of the reader")["at"]
    returned = begun
    if how == "unplugged":
        time.sleep(AWAY_S)
        returned = time.perf_counter()
        line.plug()
    came = kiosk.wait_for(says("reader", works=True), "return of the reader")["at"]
    return (went - begun) * 1000, (came - returned) * 1000


def _reader_pid(kiosk_pid: int) -> int:
    """The kiosk's own reader process (proc(5), children)."""
    for children in Path(f"/proc/{kiosk_pid}/task").glob("*/children"):
        for pid in children.read_text("ascii").split():
            if b"\0read\0nfc" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return int(pid)
    raise EnvironmentFault("bench_stuck", "the kiosk runs no NFC reader process")
