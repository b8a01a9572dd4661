"""What tests must not say unasked: errors in the log, warnings of Qt, skips without a remedy."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

HARMLESS = (
    r"This plugin does not support propagateSizeHints\(\)",  # Qt's offscreen platform, at every window
    r"This plugin does not support raise\(\)",
)
"""Qt's warnings about the test machine, which say nothing about our code."""


class Words(logging.Handler):
    """Collects log records of level ERROR and above, and Qt's warnings."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """One log record, with the exception that came with it."""
        fault = f" ({record.exc_info[1]!r})" if record.exc_info and record.exc_info[1] else ""
        self.said.append(f"{record.levelname} {record.name}: {record.getMessage()}{fault}")

    def unexpected(self, expected: Sequence[str] | None) -> list[str]:
        """What was said and matches none of ``expected``: None expects nothing, an empty sequence all."""
        if expected is not None and not expected:
            return []
        allowed = (*HARMLESS, *(expected or ()))
        return [line for line in self.said if not any(re.search(pattern, line) for pattern in allowed)]


_listeners: list[Words] = []


@contextmanager
def listening() -> Iterator[Words]:
    """Hears everything said inside."""
    words = Words()
    root = logging.getLogger()
    root.addHandler(words)
    _listeners.append(words)
    hear_qt()
    try:
        yield words
    finally:
        _listeners.remove(words)
        root.removeHandler(words)


def hear_qt() -> None:
    """Listens to Qt's messages if this process has loaded Qt."""
    core = sys.modules.get("PySide6.QtCore")
    if core is not None:
        core.qInstallMessageHandler(_qt_said)


def _qt_said(kind: Any, context: Any, message: str) -> None:
    if kind.name in ("QtDebugMsg", "QtInfoMsg"):
        return
    line = f"Qt {kind.name.removeprefix('Qt').removesuffix('Msg').lower()}: {message}"
    if context.file:
        line += f" ({context.file}:{context.line})"
    print(line, file=sys.stderr)
    for words in _listeners:
        words.said.append(line)


def judge_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turns a skip into a failure in CI, and where it does not say what to install."""
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if os.environ.get("CI", "").lower() in ("1", "true"):
        report.outcome = "failed"
        report.longrepr = f"{reason}: in CI nothing is skipped"
    elif "install " not in reason:
        report.outcome = "failed"
        report.longrepr = f"{reason}: a skip names the command that installs what is missing"
