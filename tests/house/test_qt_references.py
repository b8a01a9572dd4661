"""Guards against a Qt binding that loses a reference to ``True`` at each signal (docs/decisions/0001).

In a process of its own, since a binding that does abort would take the other tests along.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BATCHES = 50
EMITS = 100
"""A batch: small enough that a lost reference an emit is counted before Python aborts."""
NOISE = 50
IMMORTAL = 2**31
"""From Python 3.12 on True is immortal (PEP 683) while its count is at least this, whatever is lost."""

PROGRAM = f"""
import sys
from PySide6.QtCore import QCoreApplication, QObject, Qt, Signal, Slot

class Bell(QObject):
    rang = Signal(bool)
    named = Signal(str, object)

    def __init__(self):
        super().__init__()
        self.heard = 0

    @Slot(bool)
    def hear(self, on):
        self.heard += 1

    @Slot(str, object)
    def hear_name(self, name, value):
        self.heard += 1

application = QCoreApplication([])
bell = Bell()
kind = Qt.ConnectionType[sys.argv[1]]
bell.rang.connect(bell.hear, kind)
bell.named.connect(bell.hear_name, kind)
before = sys.getrefcount(True)
for _ in range({BATCHES}):
    for _ in range({EMITS}):
        bell.rang.emit(True)
        bell.named.emit("kmc", True)
    application.processEvents()
    lost = before - sys.getrefcount(True)
    if abs(lost) > {NOISE} and sys.getrefcount(True) < {IMMORTAL}:
        sys.stderr.write(f"{{lost}} references to True lost")
        sys.stderr.flush()
        __import__("os")._exit(1)
print(bell.heard)
"""


@pytest.mark.parametrize("connection", ["DirectConnection", "QueuedConnection"])
def test_emitting_keeps_the_references_of_true(tmp_path: Path, connection: str) -> None:
    program = tmp_path / "ring.py"
    program.write_text(PROGRAM)
    outcome = subprocess.run(
        [sys.executable, str(program), connection], capture_output=True, text=True, check=False
    )
    assert (outcome.returncode, outcome.stderr, outcome.stdout) == (0, "", f"{2 * BATCHES * EMITS}\n")
