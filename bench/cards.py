"""What hostile cards cost: processor time and memory of the worst input of every parser that meets a card."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
import tracemalloc
from typing import Any

from bench import yardsticks
from bench.figures import Figure, Limit, Yardstick, spread
from bench.hostile import KEYSET, NOW, cases, good
from kiosk.credential import verify

REPEATS = 20
MOST_MS = 50.0
MOST_MB = 16.0
MOST_VERIFY_MS = 0.5


def measure() -> list[Figure]:
    """All figures of cards; the hostile ones in a process of their own, whose memory is then theirs."""
    read = good()
    bare = Yardstick("bare Ed25519 verify", spread(yardsticks.bare_verifies(500)))
    times = yardsticks.times_ms(lambda: verify(read, KEYSET, NOW), 500)
    child = subprocess.run([sys.executable, "-m", "bench.cards"], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(child.stdout)
    slowest, largest = (max(found[kind], key=found[kind].get) for kind in ("ms", "mb"))
    return [
        Figure("credential of a chip verified", "ms", spread(times), bare, Limit(MOST_VERIFY_MS, "p50")),
        Figure(
            f"hostile card, {len(found['ms'])} kinds",
            "ms",
            spread(list(found["ms"].values())),
            limit=Limit(MOST_MS, "most"),
            note=f"processor time, each kind's slowest of {REPEATS}; slowest kind: {slowest}",
        ),
        Figure(
            "memory of a hostile card",
            "MB",
            spread(list(found["mb"].values())),
            limit=Limit(MOST_MB, "most"),
            note=f"Python's own, at its peak; largest kind: {largest}",
        ),
        Figure(
            "memory of all hostile cards",
            "MB",
            spread([found["rss_mb"]]),
            limit=Limit(MOST_MB, "most"),
            note="rise of the resident size beyond one good card and the inputs, as the kernel counts it",
        ),
    ]


def _measured() -> dict[str, Any]:
    verify(good(), KEYSET, NOW)
    worst = cases()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = {}
    for name, case in worst.items():
        spans = []
        for _ in range(REPEATS):
            begun = time.thread_time()
            case()
            spans.append((time.thread_time() - begun) * 1000)
        times[name] = max(spans)
    rise_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    peaks = {}
    for name, case in worst.items():
        tracemalloc.start()
        case()
        peaks[name] = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
    return {"ms": times, "mb": peaks, "rss_mb": rise_kb / 1024}


if __name__ == "__main__":
    print(json.dumps(_measured()))
