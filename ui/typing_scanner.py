"""A scanner that types: its keys are told from a person's before any text field sees them."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimer, Slot
from PySide6.QtGui import QKeyEvent

from kiosk.scanner_keys import Outcome, ScannerKeys
from kiosk.values import CardRead, Medium
from ui.events import ReaderNotice

READER = "qr:keyboard"

_COMMANDS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier


class TypingScanner(QObject):
    """An event filter for the window: holds back each key for a moment, hands on what a person typed.

    ``take`` gets what was scanned as a reader's notice. ``clock`` gives seconds.
    """

    def __init__(
        self,
        keys: ScannerKeys[tuple[QObject, QKeyEvent]],
        take: Callable[[ReaderNotice], None],
        parent: QObject | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self._keys = keys
        self._take = take
        self._clock = clock
        self._handing_on = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.expire)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """True for a key that is held back (Qt)."""
        if self._handing_on or event.type() != QEvent.Type.KeyPress or not isinstance(event, QKeyEvent):
            return False
        text = event.text()
        if len(text) != 1 or event.isAutoRepeat() or event.modifiers() & _COMMANDS:
            # No scanner presses it: what is held goes first, so that nothing changes places.
            self._use(self._keys.expire(float("inf")))
            return False
        self._use(self._keys.press((watched, _copy(event)), text, self._clock()))
        if self._keys.is_holding:
            self._timer.start(round(self._keys.wait_s * 1000) + 1)
        return True

    @Slot()
    def expire(self) -> None:
        """Silence has lasted: what was held were a person's keys, or a scan that broke off."""
        self._use(self._keys.expire(self._clock()))
        if self._keys.is_holding:
            self._timer.start(round(self._keys.wait_s * 1000) + 1)

    def _use(self, outcome: Outcome[tuple[QObject, QKeyEvent]]) -> None:
        self._handing_on = True
        try:
            for watched, event in outcome.typed:
                QCoreApplication.sendEvent(watched, event)
        finally:
            self._handing_on = False
        for content in outcome.scanned:
            read = CardRead(Medium.QR, content.encode("utf-8"), reader="scanner")
            self._take(ReaderNotice("read", read=read, source="qr", reader=READER))
        for _ in outcome.broken:
            self._take(ReaderNotice("fault", "card_unreadable", source="qr", reader=READER))


def _copy(event: QKeyEvent) -> QKeyEvent:
    """The same key; Qt's own event is gone when its filter returns."""
    return QKeyEvent(event.type(), event.key(), event.modifiers(), event.text())
