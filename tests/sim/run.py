"""``python -m tests.sim.run``: many seeds on some processes, or one seed told in full."""

from __future__ import annotations

import argparse
import gc
import logging
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.pool import Pool
from pathlib import Path

from tests.sim.mutations import MUTATIONS, Mutation, mutated
from tests.sim.schedule import SCOPE_WEIGHTS, Run, run_again, run_seed
from tests.sim.shrinking import shortest
from tests.sim.steps import parse, text_of
from tests.sim.template import Templates
from tests.sim.templates_home import memory_folder

CHUNK = 50
TOLD_EVERY = 500
"""Runs between two reports of how far it is."""


@dataclass
class Result:
    """What some seeds did."""

    runs: int = 0
    cpu_s: float = 0.0
    steps: int = 0
    tally: Tally[str] = field(default_factory=Tally)
    broken: dict[int, str] = field(default_factory=dict)

    def totals(self) -> str:
        """What all runs did, in one line."""
        codes = Tally(why.split(":")[0] for why in self.broken.values())
        tally = self.tally
        return (
            f"{self.runs} seeds, {self.steps} steps, {tally['handed_out']} hand-outs; "
            f"{tally['followed']} of them looked for at central after healing, {tally['arrived']} found, "
            f"{tally['gone_with_their_disk']} gone with the disk that recorded them; "
            f"lost {codes['I2'] + codes['I3']}, doubled {codes['I1'] + codes['I4']}, "
            f"broken {len(self.broken)}; {tally['overspent']} rights overspent where no guard can help "
            f"(copied disks, kiosks written off, hand-outs without the right within their limits), "
            f"{tally['overspends told'] + tally['overspends tolerated']} cases of them at central"
        )

    def __iadd__(self, other: Result) -> Result:
        self.runs += other.runs
        self.cpu_s += other.cpu_s
        self.steps += other.steps
        self.tally += other.tally
        self.broken |= other.broken
        return self


@contextmanager
def templates() -> Iterator[Templates]:
    """Central and the cities, in memory, for this process."""
    root = Path(tempfile.mkdtemp(prefix="kmc-sim-", dir=memory_folder()))
    made = Templates(root)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(root, ignore_errors=True)


def run_seeds(made: Templates, seeds: range, *, stop_at_first: bool = False) -> Result:
    """Runs seeds one after the other."""
    result = Result()
    for seed in seeds:
        began = time.process_time()
        run = run_seed(made, seed)
        result.cpu_s += time.process_time() - began
        result.runs += 1
        result.steps += len(run.steps)
        result.tally += run.tally
        if run.broken is not None:
            result.broken[seed] = str(run.broken)
            if stop_at_first:
                break
    return result


def seeds_to_notice(made: Templates, mutation: Mutation, seeds: Iterable[int]) -> Run | None:
    """The first run that breaks without that guard; None if none does."""
    for scope in SCOPE_WEIGHTS:
        made.folder(scope)  # made by the product as it is
    with mutated(mutation):
        for seed in seeds:
            run = run_seed(made, seed)
            if run.broken is not None:
                return run
    return None


_mine: list[Templates] = []


def _start(root: str) -> None:
    logging.disable(logging.CRITICAL)
    _mine.append(Templates(Path(tempfile.mkdtemp(dir=root))))
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _work(seeds: range) -> Result:
    return run_seeds(_mine[0], seeds)


def _noticed(work: tuple[str, int, int]) -> str:
    name, first, count = work
    mutation = next(one for one in MUTATIONS if one.name == name)
    began = time.process_time()
    run = seeds_to_notice(_mine[0], mutation, range(first, first + count))
    took = f"{time.process_time() - began:.0f} s"
    if run is None:
        return f"{name}: not by {count} seeds ({took})"
    return f"{name}: {run.name} ({run.scope}, {len(run.steps)} steps, {took}): {run.broken}"


def notice_all(names: list[str], first: int, count: int, jobs: int) -> Iterator[str]:
    """Says of each mutation which seed notices it first."""
    with _pool(jobs) as pool:
        yield from pool.imap_unordered(_noticed, [(name, first, count) for name in names])


@contextmanager
def _pool(jobs: int) -> Iterator[Pool]:
    root = tempfile.mkdtemp(prefix="kmc-sim-", dir=memory_folder())
    try:
        with multiprocessing.get_context("spawn").Pool(jobs, _start, (root,)) as pool:
            yield pool
    finally:
        shutil.rmtree(root, ignore_errors=True)


def run_many(first: int, count: int, jobs: int, chunk: int = CHUNK) -> Iterator[Result]:
    """Runs seeds on processes of their own; answers what each chunk did."""
    chunks = [range(at, min(at + chunk, first + count)) for at in range(first, first + count, chunk)]
    with _pool(jobs) as pool:
        yield from pool.imap_unordered(_work, chunks)


def told(made: Templates, seed: int) -> tuple[Run, Run | None]:
    """One seed's run; and its shortest form if it breaks, checked to break again when its text is played."""
    run = run_seed(made, seed)
    if run.broken is None:
        return run, None
    short = shortest(made, run)
    again = run_again(made, short, parse(text_of(short.steps)))
    if again.digest() != short.digest():
        raise AssertionError("the schedule as text does not give the same run")
    return run, short


def main(arguments: list[str]) -> int:
    """The command; answers 1 if a seed breaks."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim.run", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first one")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, help="only this one, told in full and made short if it breaks")
    parser.add_argument("--digest", action="store_true", help="of that seed: only the hash of all it did")
    parser.add_argument("--most-told", type=int, default=3, help="how many broken seeds are made short")
    parser.add_argument("--without", metavar="GUARD", help="which seed misses this guard (all: each of them)")
    chosen = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    if chosen.without:
        names = [one.name for one in MUTATIONS if chosen.without in ("all", one.name)]
        for line in notice_all(names, chosen.first, chosen.seeds, chosen.jobs):
            print(line, flush=True)
        return 0 if names else 2
    if chosen.seed is not None:
        return _one(chosen.seed, chosen.digest)
    total, began = Result(), time.monotonic()
    for result in run_many(chosen.first, chosen.seeds, chosen.jobs):
        total += result
        for seed, why in result.broken.items():
            print(f"seed {seed} BROKEN {why}", flush=True)
        if total.runs % TOLD_EVERY == 0:
            print(total.totals(), flush=True)
            print("  " + ", ".join(f"{name} {number}" for name, number in sorted(total.tally.items())))
    took = time.monotonic() - began
    for name, number in sorted(total.tally.items()):
        print(f"{number:8d}  {name}")
    if total.broken:
        with templates() as made:
            for seed in sorted(total.broken)[: chosen.most_told]:
                _, short = told(made, seed)
                print(short.told() if short else f"seed {seed} holds in this process")
    print(f"{total.totals()}; {total.cpu_s:.0f} s of processor, {took:.0f} s on {chosen.jobs}")
    return 1 if total.broken else 0


def _one(seed: int, only_digest: bool) -> int:
    with templates() as made:
        if only_digest:
            print(run_seed(made, seed).digest())
            return 0
        run, short = told(made, seed)
        print("\n".join(run.trace))
        print(run.told())
        if short is not None:
            print("\n# the shortest that was found:")
            print("\n".join(short.trace))
            print(short.told())
    return 1 if run.broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
