"""Cuts a schedule that breaks down to a short one that breaks in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Final

from tests.sim.schedule import Run, run_again
from tests.sim.steps import Step
from tests.sim.template import Templates

MOST_RUNS: Final = 200


def shortest(templates: Templates, run: Run, most_runs: int = MOST_RUNS) -> Run:
    """The shortest run found in ``most_runs`` tries that breaks the same invariant as this one."""
    assert run.broken is not None
    best, left = run, most_runs

    def still_breaks(steps: list[Step]) -> bool:
        nonlocal best, left
        if left <= 0:
            return False
        left -= 1
        tried = run_again(templates, best, steps)
        if tried.broken is None or tried.broken.invariant != best.broken.invariant:  # type: ignore[union-attr]
            return False
        best = tried
        return True

    while left > 0 and (_without_chunks(best, still_breaks) or _without_details(best, still_breaks)):
        pass
    return best


def _without_chunks(run: Run, still_breaks: Callable[[list[Step]], bool]) -> bool:
    """Takes away runs of steps, long ones first."""
    steps = run.steps
    size = max(1, len(steps) // 2)
    while size:
        for start in range(len(steps) - size, -1, -size):
            if still_breaks(deepcopy(steps[:start] + steps[start + size :])):
                return True
        size //= 2
    return False


def _without_details(run: Run, still_breaks: Callable[[list[Step]], bool]) -> bool:
    """Takes away one thing of one step: what happens within it, a trouble, a word."""
    return any(still_breaks(tried) for tried in _simpler(run.steps))


def _simpler(steps: list[Step]) -> Iterator[list[Step]]:
    for place in range(len(steps)):
        for simpler in _simpler_step(steps[place]):
            tried = deepcopy(steps)
            tried[place] = simpler
            yield tried


def _simpler_step(step: Step) -> Iterator[Step]:
    for at in range(len(step.within)):
        simpler = deepcopy(step)
        del simpler.within[at]
        yield simpler
    for number in step.fates:
        simpler = deepcopy(step)
        del simpler.fates[number]
        yield simpler
    for name in step.args:
        if name not in ("holder", "program", "id", "point", "goods") and step.verb != "due":
            simpler = deepcopy(step)
            del simpler.args[name]
            yield simpler
    for at, (place, inner) in enumerate(step.within):
        for less in _simpler_step(inner):
            simpler = deepcopy(step)
            simpler.within[at] = (place, less)
            yield simpler
