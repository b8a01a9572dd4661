"""A seed becomes a run: a small city, some troubles, a few dozen actions, and the healing at the end.

The same seed gives the same actions: everything is drawn from one generator, and there are no threads.
"""

from __future__ import annotations

import shutil
from collections import Counter as Tally
from dataclasses import dataclass, field
from random import Random

from tests.sim import healing, invariants
from tests.sim.actions import Actions
from tests.sim.network import Odds
from tests.sim.oracle import Broken
from tests.sim.template import SCOPES, Templates
from tests.sim.world import World

SCOPE_WEIGHTS = {"one": 5, "partial": 3, "family": 2, "excluding": 2, "counters": 3}
STEPS = (15, 36)


@dataclass
class Run:
    """What one seed did."""

    seed: int
    scope: str = ""
    actions: list[str] = field(default_factory=list)
    tally: Tally[str] = field(default_factory=Tally)
    broken: Broken | None = None

    def told(self) -> str:
        """The whole run for a person: how to repeat it, its actions, and what broke."""
        head = f"seed {self.seed} ({self.scope})"
        return "\n".join([head, *self.actions, f"BROKEN {self.broken}" if self.broken else "all holds"])


def run_seed(templates: Templates, seed: int, *, most_steps: int | None = None) -> Run:
    """Runs one seed; ``most_steps`` cuts it short, to find the shortest run that still breaks."""
    rng = Random(seed)
    name = rng.choices(list(SCOPE_WEIGHTS), list(SCOPE_WEIGHTS.values()))[0]
    run = Run(seed, name)
    folder = templates.root / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    world = World(templates, name, folder, rng, rows_per_page=rng.choice((1, 2, 3, 5000)), signed=False)
    world.network.odds = _odds(rng)
    steps = rng.randint(*STEPS)
    actions = Actions(world, rng, run.actions.append)
    with world:
        try:
            for _ in range(steps if most_steps is None else min(steps, most_steps)):
                actions.step()
            _end(world, actions, run)
        except Broken as broken:
            run.broken = broken
        run.tally = world.tally + world.network.tally + Tally({"central_died": world.host.stops})
        run.tally += Tally({f"died at {name}": count for name, count in world.frames.points.items()})
    return run


def shortest(templates: Templates, seed: int) -> Run:
    """The run of a seed that breaks, cut down to the fewest steps after which the same invariant breaks."""
    whole = run_seed(templates, seed)
    if whole.broken is None:
        return whole
    for steps in range(1, STEPS[1]):
        cut = run_seed(templates, seed, most_steps=steps)
        if cut.broken is not None and cut.broken.invariant == whole.broken.invariant:
            return cut
    return whole


def _odds(rng: Random) -> Odds:
    kind = rng.random()
    if kind < 0.2:
        return Odds(meanwhile=0.2)
    if kind < 0.8:
        return Odds(0.03, 0.08, 0.04, 0.05, 0.15, 0.02)
    return Odds(0.1, 0.2, 0.1, 0.1, 0.2, 0.05)


def _end(world: World, actions: Actions, run: Run) -> None:
    invariants.books_are_right(world.books(), world.oracle)
    actions.say("heal")
    books = healing.heal(world)
    waiting = healing.served_again(world, books)
    if waiting or run.seed % 8 == 0:
        actions.say(f"{waiting} wait for another period")
        healing.served_next_period(world)
    if run.seed % 2:
        return
    healing.until_quiet(world)
    books = world.books()
    invariants.books_are_right(books, world.oracle)
    invariants.everything_arrived(world, books)
    invariants.overspends_are_reported(books, world.oracle)


__all__ = ["SCOPES", "Run", "run_seed", "shortest"]
