"""A seed becomes a run: a small city, some troubles, some steps, and the healing at the end.

The same seed gives the same run in every process: all is drawn from one generator, keys and nonces from
another, and there are no threads. What was drawn is noted, and can be played again without the seed.
"""

from __future__ import annotations

import hashlib
import shutil
import traceback
from collections import Counter as Tally
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.sim import healing, invariants
from tests.sim.drawing import Drawing
from tests.sim.oracle import Broken
from tests.sim.player import Player
from tests.sim.steadiness import steady
from tests.sim.steps import Step, parse, text_of
from tests.sim.template import Templates
from tests.sim.world import World

SCOPE_WEIGHTS: Final = {
    "one": 5,
    "partial": 3,
    "family": 2,
    "excluding": 2,
    "tolerated": 2,
    "strangers": 1,
    "counters": 3,
}
LENGTHS: Final = ((1, 3), (3, 7), (7, 20))
LENGTH_WEIGHTS: Final = (12, 6, 1)
"""Many short runs find more than few long ones in the same time: most dangers lie a few steps ahead."""
PAGES: Final = {1: 1, 3: 1, 5000: 8}
"""Rows on a page of the feed. Where each row is a page, a load takes as long as all the rest of a run."""
ENDS: Final = {"stop": 6, "arrive": 7, "heal": 6, "period": 1}


@dataclass
class Run:
    """What one schedule did."""

    name: str
    """``seed 17``, or the name of a schedule that was written down."""
    scope: str
    pages: int = 5000
    """Rows on each page of the feed."""
    boards: bool = False
    """Machines have rollback counters."""
    ends: str = "heal"
    """How it ends: ``stop`` at once; ``arrive``: all that was recorded is sent; ``heal``: all is well again,
    and what is still due is served; ``period``: the period after is served, too, and all of that arrives."""
    steps: list[Step] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    """What became of each step, innermost first."""
    tally: Tally[str] = field(default_factory=Tally)
    broken: Broken | None = None

    def told(self) -> str:
        """The whole run for a person: its schedule, what broke, and how to play it again."""
        boards = "with" if self.boards else "without"
        head = (
            f"# {self.name}: city {self.scope}, {self.pages} rows a page, {boards} boards, ends: {self.ends}"
        )
        last = f"# BROKEN {self.broken}" if self.broken else "# all holds"
        return "\n".join([head, text_of(self.steps), last])

    def digest(self) -> str:
        """Names everything that happened: schedule, what became of each step, and what broke."""
        told = "\n".join([self.told(), *self.trace])
        return hashlib.sha256(told.encode()).hexdigest()


def run_seed(templates: Templates, seed: int) -> Run:
    """Draws and plays one run."""
    rng = Random(seed)
    scope = rng.choices(list(SCOPE_WEIGHTS), list(SCOPE_WEIGHTS.values()))[0]
    run = Run(
        f"seed {seed}",
        scope,
        rng.choices(list(PAGES), list(PAGES.values()))[0],
        rng.random() < 0.5,
        rng.choices(list(ENDS), list(ENDS.values()))[0],
    )
    length = rng.randint(*rng.choices(LENGTHS, LENGTH_WEIGHTS)[0])

    def play(world: World) -> None:
        Player(world, run.trace.append, Drawing(world, rng)).draw(length, run.steps)

    return _run(templates, run, play)


def run_again(templates: Templates, run: Run, steps: list[Step]) -> Run:
    """Plays written steps in the city of a run, with its end."""
    again = Run(run.name, run.scope, run.pages, run.boards, run.ends, steps)

    def play(world: World) -> None:
        player = Player(world, again.trace.append)
        for step in steps:
            player.play(step)

    return _run(templates, again, play)


def run_text(templates: Templates, name: str, scope: str, text: str) -> Run:
    """Plays a schedule that was written down."""
    return run_again(templates, Run(name, scope), parse(text))


def _run(templates: Templates, run: Run, play: Callable[[World], None]) -> Run:
    folder = templates.root / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with steady(run.name):
        world = World(templates, run.scope, folder, rows_per_page=run.pages, signed=False, boards=run.boards)
        with world:
            try:
                play(world)
                _end(world, run)
            except Broken as broken:
                run.broken = broken
            except Exception as fault:  # a fault that is none of the product's kinds, wherever it is
                told = "".join(traceback.format_exception(fault)[-3:])
                run.broken = Broken(f"crash {type(fault).__name__}", told)
        run.tally = world.tally + world.network.tally + Tally({"central_died": world.host.stops})
        run.tally += Tally({f"died at {name}": count for name, count in world.frames.points.items()})
    return run


def _end(world: World, run: Run) -> None:
    """The end that was drawn; what central has then is part of what happened."""
    if run.ends == "arrive":
        world.tally += invariants.followed(healing.arrive(world), world.oracle)
    elif run.ends != "stop":
        books = healing.heal(world)
        world.tally += invariants.followed(books, world.oracle)
        waiting = healing.served_again(world, books)
        if run.ends == "period":
            if waiting:
                healing.served_next_period(world)
            healing.until_quiet(world)
            books = world.books()
            invariants.everything_arrived(world, books)
            invariants.overspends_are_reported(books, world.oracle)
    books = world.books()
    invariants.books_are_right(books, world.oracle)
    world.tally += books.counts()
    world.tally["overspent"] += len(world.oracle.overspent)
    run.trace += [f"{ref} {told}" for ref, told in sorted(books.pickups.items())]
    run.trace += [f"{right} {held}" for right, held in sorted(books.held.items())]
    run.trace += sorted(f"{code} {right} {refs}" for code, right, refs in books.cases)
