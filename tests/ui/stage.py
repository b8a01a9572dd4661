"""A real window with a scripted counter behind it, driven step by step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QKeyEvent
from PySide6.QtQuick import QQuickItem, QQuickWindow
from PySide6.QtTest import QTest

from kiosk.values import CardRead
from tests.ui.scripted_counter import ManualSchedule, ScriptedCounter, tap
from ui.events import ReaderNotice
from ui.window import KioskWindow, WindowSettings

NOW = datetime(2026, 11, 23, 1, 24, tzinfo=UTC)


class Stage:
    """Window, counter and clock together."""

    def __init__(
        self, counter: ScriptedCounter, width: int = 1280, height: int = 800, **settings: Any
    ) -> None:
        self.counter = counter
        self.schedule = ManualSchedule()
        self.tones: list[str] = []
        self.window = KioskWindow(
            lambda: counter,
            WindowSettings(width_px=width, height_px=height, sound=False, **settings),
            on_feedback=self.tones.append,
            schedule=self.schedule,
            now=lambda: NOW,
        )
        self.citizen = self.window.citizen
        self.officer = self.window.officer
        self.form = self.window.form
        self.day = self.window.day
        self.kiosk = self.window.kiosk
        self.results = 0
        self.citizen.resultSet.connect(self._count_result)
        self.officer.resultSet.connect(self._count_result)
        self._size = (width, height)
        self.window.show()
        self.until(self._is_in_place)
        self.until(lambda: bool(self.of_kiosk("statusKnown") or self.of_kiosk("frozen")))

    def of_kiosk(self, name: str) -> Any:
        """A property of the kiosk's model."""
        return self.kiosk.property(name)

    def of_citizen(self, name: str) -> Any:
        """A property of the citizen's model."""
        return self.citizen.property(name)

    def of_officer(self, name: str) -> Any:
        """A property of the officer's model."""
        return self.officer.property(name)

    def of_form(self, name: str) -> Any:
        """A property of the form before a pickup."""
        return self.form.property(name)

    @property
    def state(self) -> str:
        """The citizen's page."""
        return str(self.of_citizen("state"))

    @property
    def pane(self) -> str:
        """The officer's pane."""
        return str(self.of_officer("stage"))

    def until(self, condition: Callable[[], bool], timeout_s: float = 8.0) -> None:
        """Run the event loop until the condition holds; fail if it does not in time."""
        end_s = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end_s:
                raise AssertionError(f"waited in vain: citizen {self.state}, officer {self.pane}")
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 10)
            QCoreApplication.sendPostedEvents()

    def _is_in_place(self) -> bool:
        """The display has given the window its size: on a busy machine that may take until after a step."""
        view = self.window.view
        content = view.contentItem()
        sizes = {(view.width(), view.height()), (round(content.width()), round(content.height()))}
        return view.isExposed() and sizes == {self._size}

    def _count_result(self) -> None:
        self.results += 1

    def settle(self) -> None:
        """Until every question has its answer on the screen."""
        self.until(lambda: self.window.worker.waiting == 0)
        self.until(self._is_in_place)
        for _ in range(3):
            QCoreApplication.processEvents()
            QCoreApplication.sendPostedEvents()

    def readers(self) -> None:
        """Both readers are ready."""
        self.post("ready")
        self.post("ready", source="qr")
        self.until(lambda: bool(self.of_kiosk("qrReady")))

    def post(self, kind: Any, code: str = "", read: CardRead | None = None, source: Any = "nfc") -> None:
        """What a reader saw."""
        self.window.post_reader_event(ReaderNotice(kind, code, read, source))

    def hint(self, code: str, region: tuple[float, float, float, float]) -> None:
        """A code is seen at that place of the camera's picture and cannot be read."""
        self.window.post_reader_event(ReaderNotice("hint", code, source="qr", region=region))
        self.until(lambda: self.of_citizen("hint") == code)

    def tap(self, read: CardRead | None = None) -> None:
        """Tap and wait for the answer on the screen."""
        before = self.results
        self.post("read", read=read or tap())
        self.until(lambda: self.results > before)
        self.settle()

    def sign_in(self, username: str = "dewi") -> None:
        """An officer signs in by the keyboard."""
        self.key(Qt.Key.Key_F4)
        self.until(lambda: self.pane == "signin")
        self.settle()
        self.type(username)
        self.key(Qt.Key.Key_Return)
        self.type("2468")
        self.key(Qt.Key.Key_Return)
        self.until(lambda: bool(self.of_officer("isSignedIn")))
        self.settle()

    def key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        """One real key press on the window."""
        QTest.keyClick(self.window.view, key, modifiers)
        self.settle()

    def type(self, text: str) -> None:
        """Type characters on the window."""
        for character in text:
            key = Qt.Key(ord(character.upper()))
            for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
                event = QKeyEvent(kind, key, Qt.KeyboardModifier.NoModifier, character)
                QCoreApplication.sendEvent(self.window.view, event)

    def click(self, item: QQuickItem) -> None:
        """A real click in the middle of an item, where the last frame has it."""
        self.grab()
        middle = item.mapToScene(QPointF(item.width() / 2, item.height() / 2))
        QTest.mouseClick(
            self.window.view,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
            QPoint(round(middle.x()), round(middle.y())),
        )
        self.settle()

    def items(self) -> Iterator[QQuickItem]:
        """Every item that is visible, delegates and loaded parts too."""
        yield from visible_items(self.window.view)

    def texts(self) -> list[str]:
        """Every text on the screen, buttons' too."""
        return [str(i.property("text")) for i in self.items() if is_text(i) and i.property("text")]

    def all_words(self) -> str:
        """All that can be read on the screen."""
        return "\n".join(self.texts())

    def button(self, label: str) -> QQuickItem:
        """The visible button with that label."""
        for item in self.items():
            if is_button(item) and item.property("label") == label:
                return item
        raise AssertionError(f"no button {label!r} among {self.texts()}")

    def grab(self) -> QImage:
        """What is painted."""
        self.settle()
        return self.window.view.grabWindow()

    def close(self) -> None:
        """End the window."""
        for hold in self.counter.holds.values():
            hold.set()
        self.window.close()


def visible_items(view: QQuickWindow) -> Iterator[QQuickItem]:
    """Every visible item of a window."""
    yield from _visible(view.contentItem())


def is_text(item: QQuickItem) -> bool:
    """Whether the item is a Text or TextInput."""
    return item.inherits("QQuickText") or item.inherits("QQuickTextInput")


def is_button(item: QQuickItem) -> bool:
    """Whether the item is one of our buttons or choices."""
    return item.metaObject().className().startswith(("PushButton", "Choice"))


def _visible(item: QQuickItem) -> Iterator[QQuickItem]:
    if not item.isVisible() or item.opacity() == 0:
        return
    yield item
    for child in item.childItems():
        yield from _visible(child)
