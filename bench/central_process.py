"""Central as it runs in an office, ``kmc-central serve`` on loopback, and the processor time it takes."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.processes import environment
from kiosk.demonstration import CENTRAL_COMMAND, end
from kiosk.errors import EnvironmentFault

START_S: Final = 60.0
_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Running:
    """A central that takes connections."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def cpu_s(self) -> float:
        """Processor seconds so far, of central and the processes it started."""
        return cpu_s([self.pid, *children_of(self.pid)])

    def rss_mb(self) -> float:
        """Resident memory of central itself (VmRSS of proc(5))."""
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise EnvironmentFault("bench_stuck", "central has no memory")


@contextmanager
def running(home: Path, database: str) -> Iterator[Running]:
    """Runs central until the end of the block. Raises EnvironmentFault ``bench_stuck``."""
    log = (home / "central.log").open("ab")
    command = [*CENTRAL_COMMAND, "serve", "--database", database, "--port", "0", "--json"]
    process = subprocess.Popen(
        command, env=environment(home), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
    )
    log.close()
    assert process.stdout is not None
    try:
        ready, _, _ = select.select([process.stdout], [], [], START_S)
        line = process.stdout.readline() if ready else b""
        if not line:
            raise EnvironmentFault("bench_stuck", f"central did not start: see {home / 'central.log'}")
        port = int(json.loads(line)["url"].rpartition(":")[2])
        yield Running(port, process.pid)
    finally:
        end(process)
        process.stdout.close()


def children_of(pid: int) -> list[int]:
    """Process ids of what a process started and what still runs (proc_pid_task(5): children)."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


def cpu_s(pids: Sequence[int]) -> float:
    """Processor seconds of processes and of the children they have waited for (proc_pid_stat(5))."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except FileNotFoundError:
            continue  # it ended meanwhile; its parent has its time
        total += sum(int(field) for field in fields[11:15])
    return total * _TICK_S


class CpuClock:
    """Processor time spent between its start and ``read``: central's, the database server's, the bench's."""

    def __init__(self, central: Running, database_pids: Callable[[], Sequence[int]]) -> None:
        self._central = central
        self._database_pids = database_pids
        self._begun = self._now()

    def _now(self) -> tuple[float, float, float]:
        return self._central.cpu_s(), cpu_s(self._database_pids()), time.process_time()

    def read(self) -> tuple[float, float, float]:
        """Seconds of central with its workers, of the database server, of the clients."""
        now = self._now()
        return now[0] - self._begun[0], now[1] - self._begun[1], now[2] - self._begun[2]
