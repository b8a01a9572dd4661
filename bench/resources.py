"""Start time and memory of the kiosk's processes together."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure, Limit, Yardstick, single, spread
from bench.processes import Speaking, Stamps, environment, says, station, watched_kiosk
from bench.taps import tap, wait_until_ready
from bench.world import World

STARTS = 5
READY_LIMIT = Limit(3.0, "p50")
MEMORY_LIMIT = Limit(250.0, "most")
TAPS_BEFORE = 50
KIB = 1024
IMPORT = (sys.executable, "-c", "import PySide6.QtQuick")


def measure_start(world: World, screen: Mapping[str, str]) -> list[Figure]:
    """From the start of the process to its first own frame and a reader that is ready, in seconds."""
    world.put_back()
    log = world.folder / "start.log"
    imports, frames, ready = [], [], []
    with station(world.home, log) as running:
        for _ in range(STARTS):
            begun = time.perf_counter()
            subprocess.run(IMPORT, check=True, env=environment(world.home))
            imports.append(time.perf_counter() - begun)
            with watched_kiosk(world.home, running, screen, log) as kiosk:
                frame, reader = wait_until_ready(kiosk)
            frames.append(frame - kiosk.begun_s)
            ready.append(max(frame, reader) - kiosk.begun_s)
    stick = Yardstick("python -c 'import PySide6.QtQuick'", spread(imports))
    return [
        Figure("ready after start", "s", spread(ready), stick, READY_LIMIT, "files in the page cache"),
        Figure("  first frame of its own", "s", spread(frames), stick),
    ]


@dataclass(frozen=True, slots=True)
class Resident:
    """What one process has in memory, in bytes."""

    pss: int
    """Proportional set size (/proc/PID/smaps_rollup): what is shared counts in parts."""
    private: int
    shared: dict[tuple[str, str], int]
    """Resident bytes of each mapping that other processes have too, by file and offset."""


def resident(pid: int) -> Resident:
    """Memory of a process as the kernel counts it (proc_pid_smaps(5)). Raises OSError if it has gone."""
    proc = Path("/proc") / str(pid)
    rollup = _fields((proc / "smaps_rollup").read_text(encoding="ascii").splitlines()[1:])
    shared: dict[tuple[str, str], int] = {}
    place = ("", "")
    for line in (proc / "smaps").read_text(encoding="utf-8").splitlines():
        head = line.split(maxsplit=5)
        if not head[0].endswith(":"):
            place = (head[5] if len(head) > 5 else "", head[2])
        elif head[0] in ("Shared_Clean:", "Shared_Dirty:") and place[0]:
            shared[place] = shared.get(place, 0) + int(head[1]) * KIB
    private = rollup["Private_Clean"] + rollup["Private_Dirty"]
    return Resident(rollup["Pss"], private, shared)


def as_if_alone(processes: Sequence[Resident]) -> int:
    """Bytes that the processes need on a machine of their own.

    PSS is smaller where foreign processes share the same libraries, as on a machine that runs tests beside.
    Here each shared mapping counts once, at the largest any of these processes has of it.
    """
    union: dict[tuple[str, str], int] = {}
    for process in processes:
        for place, size in process.shared.items():
            union[place] = max(size, union.get(place, 0))
    return sum(process.private for process in processes) + sum(union.values())


def children_of(pid: int) -> dict[int, str]:
    """The process's descendants and their command lines."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue  # it ended meanwhile
            parents[int(entry.name)] = int(status.rpartition(")")[2].split()[1])
    found: dict[int, str] = {}
    wave = {pid}
    while wave:
        wave = {child for child, parent in parents.items() if parent in wave}
        for child in wave:
            raw = (Path("/proc") / str(child) / "cmdline").read_bytes()
            found[child] = raw.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def measure_memory(world: World, screen: Mapping[str, str]) -> list[Figure]:
    """Memory of kiosk, NFC reader and sync with the big cache open, after fifty taps; no camera."""
    world.put_back()
    log = world.folder / "memory.log"
    stamps = Stamps(world.folder / "stamps")
    with station(world.home, log) as running:
        with watched_kiosk(world.home, running, screen, log, stamps.path) as kiosk:
            wait_until_ready(kiosk)
            cards = [
                card for pair in zip(world.one_program(), world.many_programs(), strict=True) for card in pair
            ]
            for card_no in cards[:TAPS_BEFORE]:
                tap(kiosk, running, stamps, card_no)
            children = children_of(kiosk.process.pid)
            named = {"kiosk run": resident(kiosk.process.pid)}
            for pid, line in children.items():
                named["read nfc" if "read nfc" in line else "sync --watch"] = resident(pid)
            beside = resident(running.pid)
        empty = _empty_window(world, screen, log)
    if set(named) != {"kiosk run", "read nfc", "sync --watch"}:
        raise RuntimeError(f"other processes than expected: {sorted(named)}")
    parts = ", ".join(f"{name} {mb(one.pss):.0f}" for name, one in named.items())
    stick = Yardstick("empty Qt Quick window", single(mb(empty.pss)))
    alone_stick = Yardstick("empty Qt Quick window", single(mb(as_if_alone([empty]))))
    together = list(named.values())
    return [
        Figure(
            "memory of all processes (PSS)",
            "MB",
            single(mb(sum(one.pss for one in together))),
            stick,
            MEMORY_LIMIT,
            f"{parts}; virtual station apart: {mb(beside.pss):.0f}",
        ),
        Figure(
            "memory as if alone on the machine",
            "MB",
            single(mb(as_if_alone(together))),
            alone_stick,
            MEMORY_LIMIT,
            ", ".join(f"{name} {mb(as_if_alone([one])):.0f}" for name, one in named.items())
            + " each by itself; shared libraries count once in the sum",
        ),
    ]


def _empty_window(world: World, screen: Mapping[str, str], log: Path) -> Resident:
    command = [sys.executable, "-m", "bench.bare_window"]
    with Speaking(command, environment(world.home) | dict(screen), log) as window:
        window.wait_for(says("painted"), "empty window")
        found = resident(window.process.pid)
        window.process.terminate()
    return found


def mb(size: int) -> float:
    """Bytes as millions of bytes."""
    return size / 1e6


def _fields(lines: Sequence[str]) -> dict[str, int]:
    """Bytes by name, of lines such as ``Pss: 1234 kB``."""
    return {line.split(":")[0]: int(line.split()[1]) * KIB for line in lines if line.endswith("kB")}
