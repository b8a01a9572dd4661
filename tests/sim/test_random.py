"""Schedules drawn from seeds, on the product as it is; and that a seed gives the same run everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.sim.coverage import CI_SEEDS, too_rare
from tests.sim.mutations import MUTATIONS, mutated
from tests.sim.run import Result, run_many
from tests.sim.schedule import run_again, run_seed, run_text
from tests.sim.shrinking import shortest
from tests.sim.steps import parse, text_of
from tests.sim.template import Templates

pytestmark = pytest.mark.expects_log()
ROOT: Final = Path(__file__).resolve().parents[2]
SOAK_SEEDS: Final = 5_000
PART: Final = 300
PARTS: Final = 6
"""So many tests of so many seeds more: each ends well within the time that one test may take."""


def test_seeds_hold_and_everything_happens() -> None:
    total = Result()
    for result in run_many(0, CI_SEEDS, jobs=2):
        total += result
    assert not total.broken, f"see `python -m tests.sim.run --seed N`: {total.broken}"
    assert not too_rare(total.tally), "of how many: how often, how often at least"


@pytest.mark.parametrize("part", range(PARTS))
def test_more_seeds_hold(part: int) -> None:
    (total,) = run_many(CI_SEEDS + part * PART, PART, jobs=1, chunk=PART)
    assert total.runs == PART
    assert not total.broken, f"see `python -m tests.sim.run --seed N`: {total.broken}"


@pytest.mark.soak
def test_many_seeds_hold() -> None:
    for result in run_many(CI_SEEDS, SOAK_SEEDS, jobs=2):
        assert not result.broken, f"see `python -m tests.sim.run --seed N`: {result.broken}"


def test_a_seed_gives_the_same_run_in_every_process(templates: Templates) -> None:
    seeds = (3, 17)
    here = [run_seed(templates, seed).digest() for seed in seeds]
    for hash_seed in ("1", "2"):
        assert [_digest_elsewhere(seed, hash_seed) for seed in seeds] == here


def _digest_elsewhere(seed: int, hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.sim.run", "--seed", str(seed), "--digest"],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("seed", [1, 4])
def test_its_text_gives_the_same_run(templates: Templates, seed: int) -> None:
    run = run_seed(templates, seed)
    assert run.steps
    assert text_of(parse(text_of(run.steps))) == text_of(run.steps)
    assert run_again(templates, run, parse(text_of(run.steps))).digest() == run.digest()


def test_a_broken_run_is_made_short(templates: Templates) -> None:
    templates.folder("one")
    long = """
clock bbb1 seconds=120
serve bbb1 holder=1 program=beras leaves
pass seconds=61
sync bbb1
cut aaa1
serve aaa1 holder=1 program=beras
    at 1: sync bbb1
pass seconds=90000
power bbb1
sync bbb1
serve bbb1 holder=1 program=beras net.3=doubled
settle aaa1
"""
    assert run_text(templates, "long", "one", long).broken is None
    with mutated(next(one for one in MUTATIONS if one.name == "reclaim on expiry")):
        run = run_text(templates, "long", "one", long)
        assert run.broken is not None
        assert run.broken.invariant == "I1"
        short = shortest(templates, run)
        assert len(short.steps) <= 4
        again = run_text(templates, "long", "one", text_of(short.steps))
        assert str(again.broken) == str(short.broken)


@pytest.mark.parametrize(
    "line", ["    sync aaa1", "sync aaa1\n    sync bbb1", "sync aaa1\n  at 1: sync bbb1"]
)
def test_a_line_that_is_none_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"stands too deep|does not say when"):
        parse(line)
