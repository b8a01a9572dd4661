"""The fixtures and watches that every other test leans on."""

from __future__ import annotations

import logging
import subprocess
import warnings
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy

ROOT = Path(__file__).resolve().parents[2]

pytest_plugins = ["pytester"]


def test_each_database_is_new_and_empty(central_database_url: str) -> None:
    engine = sqlalchemy.create_engine(central_database_url)
    with engine.begin() as connection:
        assert sqlalchemy.inspect(connection).get_table_names() == []
        connection.execute(sqlalchemy.text("CREATE TABLE pickup (id INTEGER PRIMARY KEY)"))
    engine.dispose()


def test_two_postgres_databases_do_not_see_each_other(postgres_url: str) -> None:
    engine = sqlalchemy.create_engine(postgres_url)
    with engine.begin() as connection:
        assert sqlalchemy.inspect(connection).get_table_names() == []
        assert connection.scalar(sqlalchemy.text("SHOW server_version_num")) >= "120000"
    engine.dispose()


def test_a_busy_machine_fails_no_drawn_example() -> None:
    assert hypothesis.settings.default is not None
    assert hypothesis.settings.default.deadline is None


def test_a_window_can_open(x_display: str) -> None:
    outcome = subprocess.run(
        ["xdotool", "getdisplaygeometry"],
        capture_output=True,
        text=True,
        check=True,
        env={"DISPLAY": x_display, "PATH": "/usr/bin:/bin"},
    )
    width, height = map(int, outcome.stdout.split())
    assert width >= 1920
    assert height >= 1920


def test_python_warnings_are_errors() -> None:
    with pytest.raises(DeprecationWarning):
        warnings.warn("old", DeprecationWarning, stacklevel=1)


@pytest.mark.expects_log("lost .* records")
def test_an_expected_error_in_the_log_passes() -> None:
    logging.getLogger("sync").error("lost %d records", 3)


INNER = """
import logging, pytest, subprocess, sys

def test_error_in_the_log():
    logging.getLogger("sync").error("boom")

@pytest.mark.expects_log("another")
def test_other_error_than_expected():
    logging.getLogger("sync").error("boom")

@pytest.fixture
def qt():
    from PySide6 import QtCore
    return QtCore

def test_qt_warning(qt):
    qt.qWarning("boom")

def test_warning_in_the_log():
    logging.getLogger("sync").warning("only a warning")

def test_skipped_without_remedy():
    pytest.skip("not today")

def test_skipped_with_remedy():
    pytest.skip("Xvfb is missing: apt-get install xvfb")
"""


@pytest.mark.parametrize(("ci", "skipped"), [("", 1), ("true", 0)])
def test_unexpected_words_and_silent_skips_fail(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str, skipped: int
) -> None:
    monkeypatch.setenv("CI", ci)
    pytester.makepyfile(INNER)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeini("[pytest]\nmarkers = expects_log(*patterns): expected")
    outcome = pytester.runpytest_subprocess("-p", "tests.conftest", "-p", "no:schemathesis", "-q")
    counts = outcome.parseoutcomes()
    # the calls of the three noisy tests pass, their teardown does not
    assert counts.get("errors") == 3
    assert counts.get("skipped", 0) == skipped
    assert counts.get("failed") == 2 - skipped
