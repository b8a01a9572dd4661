"""How long people wait: from a read or a key to the frame that shows the answer."""

from __future__ import annotations

import time

from PySide6.QtCore import QObject, Signal, Slot


class PaintProbe(QObject):
    """``begin`` at the cause, ``arm`` when the answer is set; the next frame ends the measure."""

    painted = Signal(str, float, float)
    """Kind (``read`` or ``recorded``), milliseconds in all, and of these in the domain."""
    framed = Signal()
    """Any frame has been painted."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._begun: dict[str, float] = {}
        self._armed: dict[str, float] = {}

    def begin(self, kind: str, at_s: float) -> None:
        """The cause happened at ``at_s`` (``time.perf_counter``)."""
        self._begun[kind] = at_s

    def arm(self, kind: str, domain_ms: float) -> None:
        """The answer is set; the domain took ``domain_ms`` of the time."""
        if kind in self._begun:
            self._armed[kind] = domain_ms

    @Slot()
    def frame(self) -> None:
        """A frame was swapped."""
        if self._armed:
            now_s = time.perf_counter()
            for kind, domain_ms in self._armed.items():
                self.painted.emit(kind, (now_s - self._begun.pop(kind, now_s)) * 1000, domain_ms)
            self._armed.clear()
        self.framed.emit()
