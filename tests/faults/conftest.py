"""Faults: whole towns whose processes are killed, whose disks fail and whose line is bad."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.town_fixtures import any_town, clocked_town, shared_folder, town, town_template
from tests.faults.faulty_disk import CompilerMissing, FaultyDisk, Under, build

__all__ = ["any_town", "clocked_town", "town", "town_template"]


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Callable[[str], Path]:
    """The compiled shim of a name, which a process is started under."""

    def built(name: str) -> Path:
        try:
            return build(name, shared_folder(tmp_path_factory, worker_id))
        except CompilerMissing:
            pytest.skip("a C compiler is missing: apt-get install gcc libc6-dev")

    return built


@pytest.fixture
def disk_under(shim: Callable[[str], Path], tmp_path: Path) -> Under:
    """Puts a faulty disk under a folder."""
    return lambda folder: FaultyDisk(shim("disk"), folder, tmp_path / f"{folder.name}.image")


@pytest.fixture
def clock_off_by(shim: Callable[[str], Path]) -> Callable[[int], dict[str, str]]:
    """The environment of a process whose wall clock is wrong by so many seconds."""
    return lambda seconds: {"LD_PRELOAD": str(shim("clock")), "KMC_CLOCK_OFFSET_S": str(seconds)}
