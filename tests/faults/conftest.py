"""Faults: whole towns whose processes are killed and whose disks fail."""

from __future__ import annotations

from tests.e2e.town_fixtures import any_town, town, town_template

__all__ = ["any_town", "town", "town_template"]
