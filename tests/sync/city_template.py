"""The city of the tests, made once on each kind of database, and copied for each test.

Making it takes ten times as long as copying it: every step of the tables, and an import.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sync.central import state
from sync.central.state import Central
from tests.house.postgres import Cluster
from tests.sync.central_side import Clock, new_central

SQLITE, POSTGRESQL = "sqlite", "postgresql"


class CityTemplates:
    """The templates of one process that runs tests."""

    def __init__(self, folder: Path, cluster: Callable[[], Cluster]) -> None:
        """``cluster`` starts PostgreSQL when it is first needed."""
        self._folder = folder
        self._cluster = cluster
        self._names: dict[str, str] = {}

    @contextmanager
    def copy(self, kind: str, folder: Path, clock: Clock) -> Iterator[Central]:
        """A central of one's own: its data is in ``folder / "central"``, an SQLite file beside it."""
        template = self._folder / kind
        if kind == SQLITE:
            if kind not in self._names:
                new_central(template / "central", _beside(template), Clock()).close()
                self._names[kind] = str(template)
            shutil.copytree(template, folder, dirs_exist_ok=True)
            with _opened(folder, _beside(folder), clock) as made:
                yield made
            return
        cluster = self._cluster()
        if kind not in self._names:
            name = cluster.create()
            new_central(template / "central", cluster.url(name), Clock()).close()
            self._names[kind] = name
        shutil.copytree(template, folder, dirs_exist_ok=True)
        with cluster.database(self._names[kind]) as url, _opened(folder, url, clock) as made:
            yield made


@contextmanager
def _opened(folder: Path, url: str, clock: Clock) -> Iterator[Central]:
    made = state.open_central(folder / "central", url, clock)
    try:
        yield made
    finally:
        made.close()


def _beside(folder: Path) -> str:
    return f"sqlite:///{folder}/central.db"
