"""The demonstration's card tray on a real window."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QEventLoop, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtQuick import QQuickItem
from PySide6.QtTest import QTest

from kiosk.errors import EnvironmentFault
from tests.ui.stage import is_button, visible_items
from ui.tray import TrayActions, TrayCard, TrayWindow

CARDS = [
    TrayCard("1000234", "Satu hak siap", "SITI RAHAYU", "NTAG215"),
    TrayCard("1000235", "Kartu hilang", "BUDI SANTOSO", "FeliCa"),
]


class Station:
    """Notes what the tray asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.threads: set[int] = set()
        self.fault: Exception | None = None

    def note(self, *what: str) -> None:
        """One thing asked for."""
        self.threads.add(threading.get_ident())
        if self.fault is not None:
            raise self.fault
        self.asked.append(what)

    def actions(self) -> TrayActions:
        """The plain callables the root hands over."""
        return TrayActions(
            tap=lambda card: self.note("tap", card),
            put=lambda card: self.note("put", card),
            lift=lambda: self.note("lift"),
            show_qr=lambda card: self.note("show_qr", card),
            hide_qr=lambda: self.note("hide_qr"),
        )


@pytest.fixture
def station() -> Station:
    """The virtual hardware's stand-in."""
    return Station()


@pytest.fixture
def tray(application: QGuiApplication, station: Station) -> Iterator[TrayWindow]:
    """The tray's window."""
    window = TrayWindow(CARDS, station.actions())
    window.show()
    yield window
    window.close()


def spin(condition: Callable[[], bool]) -> None:
    """Run the event loop until the condition holds."""
    end_s = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end_s, "waited in vain"
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 10)


def click(tray: TrayWindow, label: str, nth: int = 0) -> None:
    """Click a button by its label, as soon as it is there."""

    def found() -> list[QQuickItem]:
        tray.view.grabWindow()
        return [i for i in visible_items(tray.view) if is_button(i) and i.property("label") == label]

    spin(lambda: len(found()) > nth)
    item = found()[nth]
    middle = item.mapToScene(QPointF(item.width() / 2, item.height() / 2))
    QTest.mouseClick(
        tray.view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
        QPoint(round(middle.x()), round(middle.y())),
    )  # fmt: skip


def test_buttons_ask_the_station_off_the_main_thread(tray: TrayWindow, station: Station) -> None:
    click(tray, "Tempelkan", 1)
    spin(lambda: station.asked == [("tap", "1000235")])
    click(tray, "Taruh", 0)
    spin(lambda: station.asked[-1] == ("put", "1000234"))
    click(tray, "Angkat")
    spin(lambda: station.asked[-1] == ("lift",))
    click(tray, "Tunjukkan QR", 0)
    spin(lambda: station.asked[-1] == ("show_qr", "1000234"))
    click(tray, "Turunkan QR")
    spin(lambda: station.asked[-1] == ("hide_qr",))
    assert len(station.asked) == 5
    assert threading.get_ident() not in station.threads


def test_trouble_is_shown_in_the_window(tray: TrayWindow, station: Station) -> None:
    station.fault = EnvironmentFault("station_gone", "the virtual station does not answer")
    click(tray, "Taruh", 0)
    spin(lambda: tray.model.property("trouble") != "")
    assert "station_gone" in tray.model.property("trouble")
    click(tray, "Taruh", 0)
