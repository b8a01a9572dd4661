"""Each guard of the protocol, taken away, is missed: a directed schedule breaks without it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from kiosk import rights
from tests.sim.coverage import CI_SEEDS
from tests.sim.directed import SCHEDULES
from tests.sim.mutations import MUTATIONS, Edit, Mutation, edited, mutated
from tests.sim.oracle import Broken
from tests.sim.rounds import run_schedule
from tests.sim.run import seeds_to_notice
from tests.sim.template import Templates

HINTS: Final = {
    "reclaim on expiry": 40,
    "missing epoch check at the kiosk": 5,
    "missing release floor": 42,
    "missing generation check": 53,
    "missing dedupe of records": 19,
    "accepted gaps": 173,
    "release racing a dispense": 349,
    "missing rollback counter": 40,
    "restore without a new incarnation": 29,
    "void of a released right": 57,
}
"""A seed of CI's that missed each of these guards; it is tried first, since runs change with the product."""
pytestmark = pytest.mark.expects_log()


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_mutation_is_caught(templates: Templates, tmp_path: Path, mutation: Mutation) -> None:
    templates.folder("one")
    with mutated(mutation):
        caught = [name for name in mutation.schedules if breaks(templates, name, tmp_path)]
    assert caught, f"nothing misses what {mutation.name!r} takes away"


def breaks(templates: Templates, name: str, folder: Path) -> str:
    """What breaks in a schedule; empty if it holds."""
    try:
        run_schedule(templates, SCHEDULES[name], folder / "run", signed=False)
    except Broken as broken:
        return str(broken)
    return ""


@pytest.mark.parametrize("name", HINTS)
def test_a_seed_of_ci_misses_it(templates: Templates, name: str) -> None:
    mutation = next(one for one in MUTATIONS if one.name == name)
    run = seeds_to_notice(templates, mutation, (HINTS[name], *range(CI_SEEDS)))
    assert run is not None, f"no seed below {CI_SEEDS} breaks without that guard"


def test_an_edit_that_does_not_fit_is_no_mutation() -> None:
    with pytest.raises(ValueError, match="0 times"):
        edited([Edit(rights, "_take_in_one", "this is not there", "")])
