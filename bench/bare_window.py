"""The least that Qt Quick can do: a window with one text. A yardstick for frames, start and memory."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QObject, QTimer, QUrl, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtQml import QQmlApplicationEngine
from PySide6.QtQuick import QQuickWindow

from ui.quit_signals import QuitSignals

QML = b"""
import QtQuick
Window {
    property alias words: text.text
    visible: true
    color: "white"
    Text { id: text; anchors.centerIn: parent; font.pixelSize: 40; text: "-" }
}
"""
PAUSE_MS = 20


class BareWindow(QObject):
    """A window of one text, and how long its changes take to be swapped in, in milliseconds."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self._engine = QQmlApplicationEngine()
        self._engine.setInitialProperties({"width": size[0], "height": size[1]})
        self._engine.loadData(QML, QUrl())
        view = self._engine.rootObjects()[0]
        if not isinstance(view, QQuickWindow):
            raise TypeError("the bare window was not loaded")
        self.view = view
        self.view.frameSwapped.connect(self._swapped)
        self._left = 0
        self._begun: float | None = None
        self._values: list[float] = []
        self._done: Callable[[list[float]], None] = lambda values: None
        self._next = QTimer(self)
        self._next.setSingleShot(True)
        self._next.setInterval(PAUSE_MS)
        self._next.timeout.connect(self._change)

    def measure(self, count: int, done: Callable[[list[float]], None]) -> None:
        """Changes the text ``count`` times, each when the frame before is through."""
        self._left, self._done = count, done
        self._next.start()

    @Slot()
    def _change(self) -> None:
        self._begun = time.perf_counter()
        self.view.setProperty("words", f"change {self._left}")

    @Slot()
    def _swapped(self) -> None:
        if self._begun is None:
            return
        self._values.append((time.perf_counter() - self._begun) * 1000)
        self._begun = None
        self._left -= 1
        if self._left > 0:
            self._next.start()
        else:
            self._done(self._values)


_measuring: list[BareWindow] = []


def measure_changes(count: int, size: tuple[int, int], done: Callable[[list[float]], None]) -> None:
    """Opens a bare window in this process, measures ``count`` changes and closes it; ``done`` gets them."""
    window = BareWindow(size)
    _measuring.append(window)

    def finished(values: list[float]) -> None:
        window.view.close()
        done(values)

    window.measure(count, finished)


def main() -> int:
    """Shows an empty window until it is told to end; says on standard output when it is painted."""
    application = QGuiApplication(sys.argv[:1])
    window = BareWindow((1920, 1080))
    signals = QuitSignals(window)

    def painted(_: list[float]) -> None:
        print(json.dumps({"event": "painted", "at": time.perf_counter()}), flush=True)

    window.measure(1, painted)
    code = application.exec()
    signals.stop()
    QCoreApplication.processEvents()
    return code


if __name__ == "__main__":
    sys.exit(main())
