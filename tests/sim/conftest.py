"""One set of templates for all tests of a process, on a disk of memory where there is one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sim.template import Templates
from tests.sim.templates_home import memory_folder


@pytest.fixture(scope="session")
def templates() -> Iterator[Templates]:
    """Central and the folders to copy."""
    root = Path(tempfile.mkdtemp(prefix="kmc-sim-", dir=memory_folder()))
    made = Templates(root)
    yield made
    made.close()
    shutil.rmtree(root, ignore_errors=True)
