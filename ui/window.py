"""The kiosk's window: view-models, QML and the worker put together from plain arguments."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import shiboken6
from PySide6.QtCore import (
    QEvent,
    QObject,
    Qt,
    QTimer,
    Signal,
    Slot,
    qInstallMessageHandler,
)
from PySide6.QtGui import QGuiApplication
from PySide6.QtQml import QQmlApplicationEngine

from kiosk.scanner_keys import ScannerKeys
from ui.application import load_window, log_qt, make_application
from ui.citizen_model import CitizenModel
from ui.confirm_form import ConfirmForm
from ui.counter_port import CounterPort
from ui.day_list import DayList
from ui.events import ReaderNotice
from ui.geometry import usual_pixels_per_mm
from ui.kiosk_model import KioskModel
from ui.officer_model import OfficerModel
from ui.probe import PaintProbe
from ui.quit_signals import QuitSignals
from ui.schedule import QtSchedule, Schedule
from ui.timing import Timing
from ui.tones import Speaker, Tone
from ui.translation import Languages
from ui.typing_scanner import READER, TypingScanner
from ui.worker import CounterWorker

LOG = logging.getLogger(__name__)

_TOUCHES = (QEvent.Type.MouseButtonPress, QEvent.Type.TouchBegin, QEvent.Type.KeyPress)


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """What the window needs to know of the settings."""

    card_name: str = "Kartu Metro Cerita"
    city_name: str = "Kota Metro"
    pixels_per_mm: float = 0.0
    """As calibrated; 0 derives it from the screen's pixels."""
    width_px: int = 0
    """0 takes the whole screen; also for the height."""
    height_px: int = 0
    reader_side: Literal["below", "above", "left", "right"] = "below"
    """Where the card reader is, seen from the screen."""
    zone: str = "Asia/Jakarta"
    sound: bool = True
    scanner: ScannerKeys[Any] | None = None
    """How a scanner that types is told from a person; None if there is none."""
    take_scan: Callable[[ReaderNotice], None] | None = None
    """Who is told what it read, and hands on what is to be shown; None shows all of it."""
    timing: Timing = field(default_factory=Timing)


class KioskWindow(QObject):
    """One kiosk's screen. Make it in the main thread after ``make_application``; ``close`` it there too.

    ``counter_factory`` and ``counter_closer`` run in the worker's thread. ``on_feedback`` is told ``ok`` or
    ``attention`` for a reader with a lamp or buzzer, in the main thread.
    """

    painted = Signal(str, float, float)
    """Paint probe: kind (``read``, ``recorded``), milliseconds in all, of these in the domain."""
    ready = Signal()
    """The first frame with the kiosk's own state has been painted."""
    _noticed = Signal(object)

    def __init__(
        self,
        counter_factory: Callable[[], CounterPort],
        settings: WindowSettings,
        *,
        counter_closer: Callable[[CounterPort], None] | None = None,
        on_feedback: Callable[[Tone], None] | None = None,
        schedule: Schedule | None = None,
        now: Callable[[], datetime] | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._on_feedback = on_feedback
        self._speaker = Speaker() if settings.sound else None
        self._closed = False
        self._status_seen = False
        self._ready_told = False
        clock = schedule or QtSchedule(self)
        timing = settings.timing
        self.worker = CounterWorker(counter_factory, counter_closer, self)
        self.citizen = CitizenModel(self.worker, clock, timing, self)
        self.form = ConfirmForm(self)
        self.day = DayList(self)
        self.officer = OfficerModel(self.worker, clock, timing, self.form, self.day, self)
        self.kiosk = KioskModel(
            self.worker,
            clock,
            timing,
            self.citizen,
            self.officer,
            now or (lambda: datetime.now(UTC)),
            ZoneInfo(settings.zone),
            self,
        )
        self.probe = PaintProbe(self)
        self._engine = QQmlApplicationEngine()
        self._languages = Languages(self._engine, self)
        width, height = settings.width_px, settings.height_px
        screen = QGuiApplication.primaryScreen().geometry()
        self._whole_screen = not (width and height)
        if self._whole_screen:
            width, height = screen.width(), screen.height()
        scale = settings.pixels_per_mm or usual_pixels_per_mm(width, height)
        self.view = load_window(
            self._engine,
            "Main.qml",
            {
                "kiosk": self.kiosk,
                "citizen": self.citizen,
                "officer": self.officer,
                "form": self.form,
                "day": self.day,
                "pixelsPerMm": scale,
                "cardName": settings.card_name,
                "cityName": settings.city_name,
                "readerSide": settings.reader_side,
                "width": width,
                "height": height,
            },
        )
        self.view.installEventFilter(self)
        self._scanner: TypingScanner | None = None
        if settings.scanner is not None:
            # Installed last, it sees every key first.
            take_scan = settings.take_scan or self.post_reader_event
            self._scanner = TypingScanner(settings.scanner, take_scan, self)
            self.view.installEventFilter(self._scanner)
        self.view.frameSwapped.connect(self.probe.frame)
        self.probe.framed.connect(self._framed)
        self.probe.painted.connect(self.painted)
        self.kiosk.languageChanged.connect(self._use_language)
        self.kiosk.statusRead.connect(self._status_read)
        self.citizen.feedback.connect(self._feedback)
        self.officer.feedback.connect(self._feedback)
        self.citizen.resultSet.connect(self._result_set)
        self.officer.resultSet.connect(self._result_set)
        self.officer.confirmSent.connect(self._confirm_sent)
        self.officer.recordedSet.connect(self._recorded_set)
        self._noticed.connect(self._take, Qt.ConnectionType.QueuedConnection)
        self.worker.start()
        if self._scanner is not None:
            self.post_reader_event(ReaderNotice("ready", source="qr", reader=READER))

    def show(self) -> None:
        """Show the window, over the whole screen unless the settings give it a size."""
        if self._whole_screen:
            self.view.showFullScreen()
        else:
            self.view.show()

    def prepare(self) -> None:
        """Do ahead what the first tap would wait for; to be called when the window is ready."""
        self.worker.tell(lambda counter: counter.prepare(), "preparing the first read")

    def post_reader_event(self, notice: ReaderNotice) -> None:
        """Hand over what a reader saw; from any thread."""
        self._noticed.emit(notice)

    def close(self) -> None:
        """End everything: window, engine, then the worker with its counter."""
        if self._closed:
            return
        self._closed = True
        self.officer.signOut()
        self.citizen.finish()
        self.view.removeEventFilter(self)
        if self._scanner is not None:
            self.view.removeEventFilter(self._scanner)
        self.view.close()
        shiboken6.delete(self._engine)
        if not self.worker.stop():
            LOG.error("the counter's thread did not end")
        if self._speaker is not None:
            self._speaker.stop()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Every key and touch keeps the session (Qt)."""
        if event.type() in _TOUCHES:
            self.kiosk.touched()
        return False

    @Slot(object)
    def _take(self, notice: ReaderNotice) -> None:
        if self._closed:
            return
        if notice.kind in ("read", "fault"):
            self.probe.begin("read", notice.arrived_s)
        self.kiosk.take(notice)

    @Slot()
    def _result_set(self) -> None:
        self.probe.arm("read", self.worker.last_ms)

    @Slot()
    def _confirm_sent(self) -> None:
        self.probe.begin("recorded", time.perf_counter())

    @Slot()
    def _recorded_set(self) -> None:
        self.probe.arm("recorded", self.worker.last_ms)

    @Slot()
    def _framed(self) -> None:
        if self._status_seen and not self._ready_told:
            self._ready_told = True
            self.ready.emit()
        self.officer.painted()
        self.citizen.painted()

    @Slot()
    def _status_read(self) -> None:
        self._status_seen = True

    @Slot()
    def _use_language(self) -> None:
        self._languages.use(self.kiosk.language_now())

    @Slot(str)
    def _feedback(self, tone: Tone) -> None:
        if self._speaker is not None:
            self._speaker.play(tone)
        if self._on_feedback is not None:
            self._on_feedback(tone)


def run_window(
    counter_factory: Callable[[], CounterPort],
    settings: WindowSettings,
    *,
    counter_closer: Callable[[CounterPort], None] | None = None,
    on_ready: Callable[[KioskWindow], None] | None = None,
    on_feedback: Callable[[Tone], None] | None = None,
    with_window: Callable[[KioskWindow], None] | None = None,
) -> int:
    """Show the kiosk's window until SIGTERM, SIGINT or its closing, whatever other windows there are.

    Returns the exit code.

    ``with_window`` runs before the first frame (start the readers there), ``on_ready`` once the first frame
    with the kiosk's own state is painted; both in the main thread.
    """
    application = make_application()
    qInstallMessageHandler(log_qt)
    window = KioskWindow(counter_factory, settings, counter_closer=counter_closer, on_feedback=on_feedback)
    signals = QuitSignals(window)
    if on_ready is not None:
        told = on_ready
        # Not from within the frame that was just painted: what is told may close the window.
        window.ready.connect(lambda: QTimer.singleShot(0, lambda: told(window)))

    def shown(visible: bool) -> None:
        if not visible:
            application.quit()

    window.view.visibleChanged.connect(shown)
    try:
        window.show()
        if with_window is not None:
            with_window(window)
        return application.exec()
    finally:
        window.close()
        signals.stop()
        qInstallMessageHandler(None)
