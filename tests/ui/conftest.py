"""A real window for each test, closed again, with the counter scripted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtGui import QGuiApplication

from tests.ui.scripted_counter import ScriptedCounter, counter_with
from tests.ui.stage import Stage
from ui.application import make_application


@pytest.fixture(scope="session")
def application() -> QGuiApplication:
    """The Qt application of this process."""
    return make_application()


@pytest.fixture
def open_stage(application: QGuiApplication) -> Iterator[Callable[..., Stage]]:
    """Opens windows with a scripted counter behind them; both readers are ready."""
    stages: list[Stage] = []

    def open_one(counter: ScriptedCounter | None = None, **settings: Any) -> Stage:
        stage = Stage(counter or counter_with(), **settings)
        stages.append(stage)
        stage.readers()
        return stage

    yield open_one
    for stage in stages:
        stage.close()


@pytest.fixture
def stage(open_stage: Callable[..., Stage]) -> Stage:
    """A window that knows SITI with one ready program."""
    return open_stage()
