"""Guards against a Qt binding that loses a reference to ``True`` at each signal (docs/decisions/0001)."""

from __future__ import annotations

import sys

from PySide6.QtCore import QCoreApplication, QObject, Qt, Signal, Slot

BATCHES = 50
EMITS = 100
"""A batch: small enough that losing one or two references an emit fails here before Python aborts."""
NOISE = 50


class Bell(QObject):
    """Rings; whoever listens counts."""

    rang = Signal(bool)
    named = Signal(str, object)

    def __init__(self) -> None:
        super().__init__()
        self.heard = 0

    @Slot(bool)
    def hear(self, _on: bool) -> None:
        """Counts."""
        self.heard += 1

    @Slot(str, object)
    def hear_name(self, _name: str, _value: object) -> None:
        """Counts."""
        self.heard += 1


def test_emitting_keeps_the_reference_count_of_true() -> None:
    bell = Bell()
    bell.rang.connect(bell.hear)
    bell.named.connect(bell.hear_name)
    before = sys.getrefcount(True)
    for _ in range(BATCHES):
        for _ in range(EMITS):
            bell.rang.emit(True)
            bell.named.emit("kmc", True)
        assert abs(sys.getrefcount(True) - before) < NOISE
    assert bell.heard == 2 * BATCHES * EMITS


def test_queued_emits_keep_the_reference_count_of_true() -> None:
    application = QCoreApplication.instance() or QCoreApplication([])
    bell = Bell()
    bell.rang.connect(bell.hear, Qt.ConnectionType.QueuedConnection)
    before = sys.getrefcount(True)
    for _ in range(BATCHES):
        for _ in range(EMITS):
            bell.rang.emit(True)
        application.processEvents()
        assert abs(sys.getrefcount(True) - before) < NOISE
    assert bell.heard == BATCHES * EMITS
