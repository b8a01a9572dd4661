"""One directed schedule from its beginning to the end of the healing."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.sim import healing
from tests.sim.directed import Directed
from tests.sim.template import Templates
from tests.sim.world import World


def run_schedule(templates: Templates, schedule: Directed, folder: Path, *, signed: bool = True) -> World:
    """Runs it; raises Broken for whatever does not hold."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with World(
        templates, schedule.scope, folder, rows_per_page=schedule.pages, signed=signed, boards=schedule.boards
    ) as world:
        schedule.run(world)
        books = healing.heal(world)
        healing.served_again(world, books)
        healing.served_next_period(world)
    return world
