"""End to end: whole towns of real processes."""

from __future__ import annotations

from tests.e2e.town_fixtures import any_town, clocked_town, town, town_template

__all__ = ["any_town", "clocked_town", "town", "town_template"]
