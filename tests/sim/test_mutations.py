"""Each guard of the protocol, taken away, is missed: a directed schedule breaks without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk import rights
from tests.sim.directed import SCHEDULES
from tests.sim.mutations import MUTATIONS, Edit, Mutation, edited, mutated
from tests.sim.oracle import Broken
from tests.sim.rounds import run_schedule
from tests.sim.template import Templates

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


def test_an_edit_that_does_not_fit_is_no_mutation() -> None:
    with pytest.raises(ValueError, match="0 times"):
        edited([Edit(rights, "_take_in_one", "this is not there", "")])
