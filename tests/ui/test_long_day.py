"""Today's list of a busy counter: it grows at the top, and its pages never turn in a circle."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QSignalSpy

from tests.ui.long_day import PICKUPS
from ui.rows import Rows

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("size", ["1024x600", "1280x800", "1920x1080", "1080x1920"])
def test_a_long_day_is_listed(size: str, x_display: str) -> None:
    """At 1920x1080 the tenth page once made a button wrap, which made an eleventh, which made it fit."""
    command = [sys.executable, "-m", "tests.ui.long_day", size]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(PICKUPS)]


def test_the_newest_entry_comes_on_top_and_moves_no_other(application: QGuiApplication) -> None:
    parent = QObject()
    rows = Rows({"ref": "", "fresh": False}, parent)
    rows.show([{"ref": "2", "fresh": True}, {"ref": "1", "fresh": False}])
    changed, added = QSignalSpy(rows.dataChanged), QSignalSpy(rows.rowsInserted)
    rows.show([{"ref": ref, "fresh": ref == "3"} for ref in "321"])
    assert (added.count(), changed.count()) == (1, 1)  # the entry before is no longer the newest
    assert added.at(0)[1:] == [0, 0]
    assert [dict(rows.row(n)) for n in range(3)] == [
        {"ref": "3", "fresh": True}, {"ref": "2", "fresh": False}, {"ref": "1", "fresh": False},
    ]  # fmt: skip
    assert len(rows) == rows.rowCount() == 3


def test_other_rows_in_the_same_places_are_told_one_by_one(application: QGuiApplication) -> None:
    parent = QObject()
    rows = Rows({"ref": ""}, parent)
    rows.show([{"ref": "2"}, {"ref": "1"}])
    rows.show([{"ref": ref} for ref in "987"])
    assert [rows.row(n)["ref"] for n in range(3)] == ["9", "8", "7"]
