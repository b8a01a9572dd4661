"""The schedules written by hand, on the product as it is, with requests that are really signed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sim.directed import SCHEDULES, Directed
from tests.sim.rounds import run_schedule
from tests.sim.template import Templates


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_schedule(templates: Templates, tmp_path: Path, schedule: Directed) -> None:
    run_schedule(templates, schedule, tmp_path / "run")
