"""The demonstration's card tray: a window of virtual cards that calls what the root hands it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import shiboken6
from PySide6.QtCore import Property, QObject, Qt, Signal, Slot
from PySide6.QtQml import QmlElement, QQmlApplicationEngine
from PySide6.QtQuick import QQuickWindow

from kiosk.errors import KioskError
from ui.application import load_window
from ui.rows import Rows

QML_IMPORT_NAME = "Kmc.Models"
QML_IMPORT_MAJOR_VERSION = 1

LOG = logging.getLogger(__name__)

_PIXELS_PER_MM = 3.6
GAP_PX = 12
_ROW = {"cardNo": "", "label": "", "holder": "", "chip": "", "onReader": False, "atCamera": False}


@dataclass(frozen=True, slots=True)
class TrayCard:
    """One virtual card."""

    card_no: str
    label: str
    holder: str
    chip: str


@dataclass(frozen=True, slots=True)
class TrayActions:
    """What the tray can do; each may take a while, may raise KioskError, and runs off the main thread."""

    tap: Callable[[str], object]
    put: Callable[[str], object]
    lift: Callable[[], object]
    show_qr: Callable[[str], object]
    hide_qr: Callable[[], object]


@QmlElement
class TrayModel(QObject):
    """The cards, and which one lies on the reader or is held to the camera."""

    changed = Signal()
    _finished = Signal(str)

    def __init__(self, cards: Sequence[TrayCard], actions: TrayActions, parent: QObject) -> None:
        super().__init__(parent)
        self._all = tuple(cards)
        self._actions = actions
        self._on_reader = ""
        self._at_camera = ""
        self._trouble = ""
        self._rows = Rows(_ROW, self)
        self._hand = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tray")
        self._finished.connect(self._done, Qt.ConnectionType.QueuedConnection)
        self._draw()

    @Property(QObject, constant=True)
    def cards(self) -> Rows:
        """The cards."""
        return self._rows

    @Property(str, notify=changed)
    def trouble(self) -> str:
        """Why the last thing did not work; empty if it did."""
        return self._trouble

    @Slot(str)
    def tap(self, card_no: str) -> None:
        """Tap a card and take it away again."""
        self._on_reader = ""
        self._do(lambda: self._actions.tap(card_no))

    @Slot(str)
    def put(self, card_no: str) -> None:
        """Put a card on the reader and leave it there."""
        self._on_reader = card_no
        self._do(lambda: self._actions.put(card_no))

    @Slot()
    def lift(self) -> None:
        """Take the card off the reader."""
        self._on_reader = ""
        self._do(self._actions.lift)

    @Slot(str)
    def showQr(self, card_no: str) -> None:
        """Hold a card's QR code to the camera."""
        self._at_camera = card_no
        self._do(lambda: self._actions.show_qr(card_no))

    @Slot()
    def hideQr(self) -> None:
        """Take the QR code away."""
        self._at_camera = ""
        self._do(self._actions.hide_qr)

    def stop(self) -> None:
        """Finish what was begun."""
        self._hand.shutdown(wait=True)

    def _do(self, action: Callable[[], object]) -> None:
        self._draw()
        future: Future[object] = self._hand.submit(action)
        future.add_done_callback(self._report)

    def _report(self, future: Future[object]) -> None:
        error = future.exception()
        if error is None:
            self._finished.emit("")
        elif isinstance(error, KioskError):
            self._finished.emit(f"{error.code}: {error.message}")
        else:
            LOG.error("card tray: unexpected %s", type(error).__name__, exc_info=error)
            self._finished.emit(type(error).__name__)

    @Slot(str)
    def _done(self, trouble: str) -> None:
        self._trouble = trouble
        if trouble:
            self._on_reader = self._at_camera = ""
            self._draw()
        self.changed.emit()

    def _draw(self) -> None:
        self._rows.show(
            [
                {
                    "cardNo": card.card_no,
                    "label": card.label,
                    "holder": card.holder,
                    "chip": card.chip,
                    "onReader": card.card_no == self._on_reader,
                    "atCamera": card.card_no == self._at_camera,
                }
                for card in self._all
            ]
        )


class TrayWindow(QObject):
    """The tray's window, with an engine of its own. Make, show and close it in the main thread."""

    def __init__(
        self, cards: Sequence[TrayCard], actions: TrayActions, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.model = TrayModel(cards, actions, self)
        self._engine = QQmlApplicationEngine()
        self.view = load_window(
            self._engine,
            "Tray.qml",
            {"tray": self.model, "pixelsPerMm": _PIXELS_PER_MM, "width": 480, "height": 760},
        )
        self._closed = False

    def show(self, beside: QQuickWindow | None = None) -> None:
        """Show the window, to the right of another one where the screen is wide enough."""
        if beside is not None:
            room = self.view.screen().availableGeometry()
            left = beside.x() + beside.width() + GAP_PX
            self.view.setX(min(left, room.right() - self.view.width()))
        self.view.show()

    def close(self) -> None:
        """Close the window and finish what was begun."""
        if not self._closed:
            self._closed = True
            self.view.close()
            shiboken6.delete(self._engine)
            self.model.stop()
