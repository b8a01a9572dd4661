"""The window as a process of its own: it starts, is ready, and ends on SIGTERM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROGRAM = """
from tests.ui.scripted_counter import counter_with
from ui.window import WindowSettings, run_window
closed = []
code = run_window(
    counter_with,
    WindowSettings(width_px=1024, height_px=600, sound=False),
    counter_closer=closed.append,
    on_ready=lambda window: print("ready", flush=True),
)
print("closed", len(closed), "code", code, flush=True)
"""


def test_ready_then_sigterm_closes_the_counter() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGTERM)
        out, errors = child.communicate(timeout=10)
    finally:
        child.kill()
        child.wait()
    assert out == "closed 1 code 0\n", errors
    assert child.returncode == 0
    assert errors == ""
