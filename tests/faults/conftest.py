"""Faults: whole towns whose processes are killed, whose disks fail and whose line is bad."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.town_fixtures import any_town, clocked_town, shared_folder, town, town_template
from tests.faults.faulty_disk import CompilerMissing, FaultyDisk, Under, build

__all__ = ["any_town", "clocked_town", "town", "town_template"]


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The compiled shim between a process and its disk."""
    try:
        return build(shared_folder(tmp_path_factory, worker_id))
    except CompilerMissing:
        pytest.skip("a C compiler is missing: apt-get install gcc libc6-dev")


@pytest.fixture
def disk_under(shim: Path, tmp_path: Path) -> Under:
    """Puts a faulty disk under a folder."""
    return lambda folder: FaultyDisk(shim, folder, tmp_path / f"{folder.name}.image")
