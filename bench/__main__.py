"""``python -m bench``: measures speed and memory of the kiosk, each beside a yardstick of the same run.

Exit 0 also when a limit is missed, which the table and the last line say; exit 1 if something could not be
measured.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import (
    cards,
    central,
    domain,
    feed,
    machine,
    nfc,
    push,
    qr,
    qr_live,
    reads,
    resources,
    sick_network,
    taps,
)
from bench.figures import Figure, table
from bench.screen import display
from bench.world import ROOT, World, world

Measurement = Callable[[World, Mapping[str, str]], list[Figure]]
MEASUREMENTS: Mapping[str, Measurement] = {
    "domain": lambda built, _: domain.measure(built),
    "cards": lambda built, _: cards.measure(),
    "taps": taps.measure,
    "network": sick_network.measure,
    "start": resources.measure_start,
    "memory": resources.measure_memory,
    "nfc": nfc.measure,
    "qr": lambda built, _: [*qr.measure_set(), *reads.measure_qr(built)],
    "qr-live": lambda built, _: qr_live.measure_live(built),
    "push": lambda built, _: push.measure(built),
    "feed": lambda built, _: feed.measure(built),
    "central": lambda built, _: central.measure(built),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Measures what is asked for; answers the exit code."""
    options = _parser().parse_args(argv)
    try:
        built = world(options.holders)
    except ValueError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    failed: dict[str, str] = {}
    spans: dict[str, Any] = {}
    with display() as screen:
        platform = screen.pop("BENCH_SCREEN")
        for name in options.only or MEASUREMENTS:
            print(f"measuring {name} ...", file=sys.stderr, flush=True)
            begun, wait = time.monotonic(), machine.CpuWait()
            try:
                figures += MEASUREMENTS[name](built, screen)
            except Exception as error:
                traceback.print_exc()
                failed[name] = f"{type(error).__name__}: {error}"
            waited = wait.percent()
            spans[name] = {
                "took_s": round(time.monotonic() - begun, 1),
                "cpu_wait_percent": None if waited is None else round(waited, 1),
            }
    result = {
        "machine": machine.facts() | machine.busyness() | {"screen": platform},
        "world": built.facts,
        "measurements": spans,
        "figures": [figure.as_json() for figure in figures],
        "failed": failed,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(report(result, figures, failed))
    return 1 if failed else 0


def report(result: Mapping[str, Any], figures: Sequence[Figure], failed: Mapping[str, str]) -> str:
    """All that is printed: the machine, the world, the table and what came of the limits."""
    facts, built = result["machine"], result["world"]
    libraries = ", ".join(f"{name} {number}" for name, number in facts["libraries"].items())
    lines = [
        f"{facts['cpu']}, {facts['cores']} cores, {facts['memory']}",
        f"Linux {facts['kernel']}, {facts['libc']}",
        f"Python {facts['python']}, SQLCipher {facts['sqlcipher']}, {libraries}",
        f"screen: {facts['screen']}",
        f"load {facts['load']}; share of the time in which some process waited for a processor: "
        + ", ".join(f"{name} {span['cpu_wait_percent']}%" for name, span in result["measurements"].items()),
        _city_line(built),
        "",
        table(figures),
        "",
    ]
    lines += [f"NOT MEASURED: {name}: {why}" for name, why in failed.items()]
    missed = [figure for figure in figures if figure.holds is False]
    lines += [f"LIMIT MISSED: {figure.name.strip()}" for figure in missed]
    if not missed and any(figure.limit for figure in figures):
        lines.append("All limits hold.")
    return "\n".join(lines)


def _city_line(built: Mapping[str, Any]) -> str:
    rows = built["rows"]
    return (
        f"city: {built['holders']} holders, {rows['entitlement']} entitlements, "
        f"{rows['rights held']} rights held here; cache {built['cache_mb']} MB, "
        f"ledger {built['ledger_mb']} MB; built in {built['built_s']} s"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=list(MEASUREMENTS), help="measure just this; may be repeated"
    )
    parser.add_argument("--holders", type=int, default=200_000, metavar="N", help="size of the city")
    parser.add_argument("--json", type=Path, default=ROOT / "result.json", metavar="FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
