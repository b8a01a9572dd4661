"""Playing a person at a real window: keys, waiting for what the screen says, pictures of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, QEventLoop, QPoint, QPointF, Qt
from PySide6.QtQuick import QQuickItem
from PySide6.QtTest import QTest

from kiosk.errors import EnvironmentFault
from ui.window import KioskWindow

NO_MODIFIER = Qt.KeyboardModifier.NoModifier


class Guide:
    """Drives one window from its own thread and keeps a transcript of what a person would see."""

    def __init__(self, window: KioskWindow, pictures: Path) -> None:
        self.window = window
        self.transcript: list[str] = []
        self._pictures = pictures
        self._count = 0
        pictures.mkdir(parents=True, exist_ok=True)

    def until(self, what: str, condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
        """Runs the window until the condition holds. Raises EnvironmentFault ``tour_stuck``."""
        end_s = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end_s:
                stages = f"citizen {self.citizen('state')}, officer {self.officer('stage')}"
                raise EnvironmentFault(
                    "tour_stuck", f"waited in vain for {what} ({stages})", texts=self.texts()
                )
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 10)
            QCoreApplication.sendPostedEvents()

    def officer(self, name: str) -> Any:
        """A value that the officer's screen shows."""
        return self.window.officer.property(name)

    def citizen(self, name: str) -> Any:
        """A value that the citizen's screen shows."""
        return self.window.citizen.property(name)

    def kiosk(self, name: str) -> Any:
        """A value that the kiosk shows of itself."""
        return self.window.kiosk.property(name)

    def form(self, name: str) -> Any:
        """A value of the form before a pickup is recorded."""
        return self.window.form.property(name)

    def rest(self, seconds: float) -> None:
        """Lets the window run for a while, as somebody does who moves a hand."""
        end_s = time.monotonic() + seconds
        self.until("nothing", lambda: time.monotonic() >= end_s)

    def officer_at(self, stage: str) -> None:
        """Waits until the officer's screen is at this stage and can be used."""
        self.until(f"the officer's {stage}", lambda: self.officer("stage") == stage and not self.is_busy())

    def citizen_at(self, state: str) -> None:
        """Waits until the citizen's screen is in this state."""
        self.until(f"the citizen's {state}", lambda: self.citizen("state") == state)

    def is_busy(self) -> bool:
        """True while a question to the counter has no answer yet."""
        return self.window.worker.waiting > 0

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NO_MODIFIER) -> None:
        """One key press on the window."""
        QTest.keyClick(self.window.view, key, modifiers)

    def type(self, text: str) -> None:
        """Types characters on the window."""
        for character in text:
            # The stubs leave out the overload for characters.
            QTest.keyClick(self.window.view, character)  # type: ignore[call-overload]

    def click(self, item: QQuickItem) -> None:
        """Clicks in the middle of an item."""
        middle = item.mapToScene(QPointF(item.width() / 2, item.height() / 2))
        point = QPoint(round(middle.x()), round(middle.y()))
        QTest.mouseClick(self.window.view, Qt.MouseButton.LeftButton, NO_MODIFIER, point)

    def button(self, label: str) -> QQuickItem:
        """The visible button with that label. Raises EnvironmentFault ``tour_stuck``."""
        for item in self.items():
            if item.property("label") == label:
                return item
        raise EnvironmentFault("tour_stuck", f"no button {label!r}", texts=self.texts())

    def items(self) -> Iterator[QQuickItem]:
        """Every visible item, delegates and loaded parts too."""
        yield from _visible(self.window.view.contentItem())

    def texts(self) -> list[str]:
        """All that can be read on the screen."""
        return [str(item.property("text")) for item in self.items() if item.property("text")]

    def note(self, text: str) -> None:
        """One line of the transcript, also said at once."""
        self.transcript.append(text)
        print(text, flush=True)

    def picture(self, name: str, what: str) -> Path:
        """Saves what is painted now and notes what can be read on it. Raises EnvironmentFault."""
        self.until("all answers", lambda: not self.is_busy())
        for _ in range(3):
            QCoreApplication.processEvents()
            QCoreApplication.sendPostedEvents()
        self._count += 1
        path = self._pictures / f"{self._count:02d}-{name}.png"
        if not self.window.view.grabWindow().save(str(path)):
            raise EnvironmentFault("disk_full", f"could not write {path.name}")
        self.note(f"{self._count:02d} {what}")
        self.transcript.append("     on the screen: " + " | ".join(self.texts()))
        return path


def _visible(item: QQuickItem) -> Iterator[QQuickItem]:
    if not item.isVisible() or item.opacity() == 0:
        return
    yield item
    for child in item.childItems():
        yield from _visible(child)
