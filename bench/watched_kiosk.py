"""``kmc-kiosk run`` in a process that also says what it did and when, as JSON lines on standard output.

The kiosk is the product's own, put together by its own root; only its window is watched and its officer's
keys are pressed from here. Times are CLOCK_MONOTONIC in seconds, the same for all processes of a machine.
Orders come as JSON lines on standard input; the end of it ends the kiosk.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ui.events import ReaderNotice
    from ui.window import KioskWindow

STAMPS_VARIABLE = "BENCH_STAMPS"
QUIET_MS = 150
"""No frame for so long: the screen has settled."""
BARE_SIZE = (1920, 1080)
LATE_MS = 100
"""The deadline of a frame; when those before and after a later one were painted, is told."""


def say(**line: object) -> None:
    """One line for the bench."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Runs the kiosk; answers its exit code."""
    from kiosk import app
    from kiosk.commands import settings_or_fault

    if os.environ.get(STAMPS_VARIABLE):
        app.COMMAND = (sys.executable, "-m", "bench.stamped_reader")
    watches: list[Any] = []

    def meet(window: KioskWindow) -> None:
        watches.append(_make_watch(window))

    def ready(window: KioskWindow) -> None:
        say(event="ready", at=time.perf_counter())

    return app.run(settings_or_fault(), with_window=meet, on_ready=ready, with_tray=False)


def _value(of_property: object) -> Any:
    """What QML would read; for the type checker a Qt property is an object of its own."""
    return of_property


def _make_watch(window: KioskWindow) -> object:
    from PySide6.QtCore import QCoreApplication, QObject, Qt, QTimer, Signal, Slot

    from bench.bare_window import measure_changes

    class Watch(QObject):
        """Lives in the window's thread."""

        ordered = Signal(str)

        def __init__(self) -> None:
            super().__init__(window)
            self._frames = 0
            self._checking = 0
            self._last_frame = 0.0
            self._cpu_s = 0.0
            self._stage = ""
            self._state = ""
            self._told_reader = False
            self._reader_works = False
            self._gaps_ms: list[float] = []
            self._late: list[tuple[float, float]] = []
            self._painted_at = 0.0
            self._paint = QTimer(self)
            self._paint.timeout.connect(window.view.update)
            self._quiet = QTimer(self)
            self._quiet.setSingleShot(True)
            self._quiet.setInterval(QUIET_MS)
            self._quiet.timeout.connect(self.settled)
            window.view.frameSwapped.connect(self.framed)
            window.painted.connect(self.painted)
            # In the thread that brought the notice, before anything is done about it.
            window._noticed.connect(self.noticed, Qt.ConnectionType.DirectConnection)
            window.kiosk.changed.connect(self.kiosk_changed)
            window.citizen.changed.connect(self.citizen_changed)
            window.officer.changed.connect(self.officer_changed)
            self.ordered.connect(self.obey, Qt.ConnectionType.QueuedConnection)
            threading.Thread(target=self._listen, name="orders", daemon=True).start()

        def _listen(self) -> None:
            for line in sys.stdin:
                self.ordered.emit(line)
            self.ordered.emit('{"do": "quit"}')

        def _checking_rows(self) -> int:
            """How many of the officer's rows say that they are being checked."""
            rows = window.officer._person.rows
            return sum(rows.row(position)["code"] == "checking" for position in range(len(rows)))

        @Slot()
        def framed(self) -> None:
            self._frames += 1
            if self._paint.isActive():
                now_s = time.perf_counter()
                if self._painted_at:
                    self._gaps_ms.append((now_s - self._painted_at) * 1000)
                    if self._gaps_ms[-1] > LATE_MS:
                        self._late.append((self._painted_at, now_s))
                self._painted_at = now_s
            checking = self._checking_rows()
            if checking != self._checking:
                self._checking = checking
                say(event="checking", count=checking, at=time.perf_counter())
            self._last_frame = time.perf_counter()
            self._quiet.start()

        @Slot(object)
        def noticed(self, notice: ReaderNotice) -> None:
            if notice.kind == "read":
                self._cpu_s = time.process_time()

        @Slot(str, float, float)
        def painted(self, kind: str, ms: float, domain_ms: float) -> None:
            now_s, cpu_ms = time.perf_counter(), (time.process_time() - self._cpu_s) * 1000
            checking = self._checking_rows()
            say(
                event="painted",
                kind=kind,
                ms=ms,
                domain_ms=domain_ms,
                cpu_ms=cpu_ms,
                at=now_s,
                checking=checking,
            )

        @Slot()
        def settled(self) -> None:
            say(event="settled", at=self._last_frame, frames=self._frames)
            self._frames = 0

        @Slot()
        def kiosk_changed(self) -> None:
            works = bool(_value(window.kiosk.tapReady))
            if works != self._reader_works:
                self._reader_works = works
                say(event="reader", works=works, at=time.perf_counter())
            if works and not self._told_reader:
                self._told_reader = True
                say(event="reader_ready", at=time.perf_counter())

        @Slot()
        def citizen_changed(self) -> None:
            state = _value(window.citizen.state)
            if state != self._state:
                self._state = state
                say(event="state", state=state, fault=_value(window.citizen.faultCode))

        @Slot()
        def officer_changed(self) -> None:
            officer = window.officer
            stage = _value(officer.stage)
            if stage != self._stage:
                self._stage = stage
                ready, message = _value(officer.readyCount), _value(officer.message)
                say(event="stage", stage=stage, ready=ready, message=message)

        @Slot(str)
        def obey(self, line: str) -> None:
            order = json.loads(line)
            does: dict[str, Callable[[], object]] = {
                "quit": QCoreApplication.quit,
                "finish": window.citizen.finish,
                "enter": window.officer.enter,
                "sign_out": window.officer.signOut,
                "sign_in": lambda: self._sign_in(order["username"], order["pin"]),
                "paint": lambda: self._paint_all_the_time(order["every_ms"], order["seconds"]),
                "bare": lambda: measure_changes(order["count"], BARE_SIZE, self._bare_done),
            }
            does[order["do"]]()

        def _paint_all_the_time(self, every_ms: int, seconds: float) -> None:
            """Frames one after the other, for ever or for a while; in the end the gaps between are told."""
            self._painted_at = 0.0
            if every_ms:
                self._paint.start(every_ms)
                if seconds:
                    QTimer.singleShot(int(seconds * 1000), self, self.painted_enough)
            else:
                self.painted_enough()

        @Slot()
        def painted_enough(self) -> None:
            self._paint.stop()
            gaps_ms, self._gaps_ms = self._gaps_ms, []
            late, self._late = self._late, []
            say(event="paint", gaps_ms=gaps_ms, late=late)

        def _sign_in(self, username: str, pin: str) -> None:
            window.kiosk.openSignIn()
            window.officer.signIn(username, pin)

        def _bare_done(self, values: list[float]) -> None:
            say(event="bare", ms=values)

    return Watch()


if __name__ == "__main__":
    sys.exit(main())
