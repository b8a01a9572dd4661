"""Fixtures of a whole town, for the folders of tests that use one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clocked import ClockedTown, clocked_template
from tests.e2e.template import copy_town, template
from tests.e2e.town import Town


@pytest.fixture(scope="session")
def town_template(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder of a filled town, shared by all workers of a run."""
    return template(shared_folder(tmp_path_factory, worker_id))


def shared_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder that all workers of a run share."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@pytest.fixture
def town(town_template: Path, tmp_path: Path) -> Iterator[Town]:
    """A town whose central is not running yet, on SQLite."""
    made = copy_town(town_template, tmp_path / "town")
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_town(request: pytest.FixtureRequest, town_template: Path, tmp_path: Path) -> Iterator[Town]:
    """The same on each database that central supports."""
    url = "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    made = copy_town(town_template, tmp_path / "town", url)
    yield made
    made.close()


@pytest.fixture
def clocked_town(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str, tmp_path: Path
) -> Iterator[ClockedTown]:
    """A town on a clock that the test sets; it stands on the last evening of March 2027."""
    shutil.copytree(clocked_template(shared_folder(tmp_path_factory, worker_id)), tmp_path / "town")
    made = ClockedTown(tmp_path / "town")
    yield made
    made.close()
