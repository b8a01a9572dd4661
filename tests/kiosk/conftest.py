"""The kiosk of the domain's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kiosk.counter_world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """One enrolled kiosk with a small cache and no right yet."""
    made = World(tmp_path)
    yield made
    made.counter.close()
    made.caches.close()
