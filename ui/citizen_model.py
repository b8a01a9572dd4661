"""The citizen's screen as a state machine: tap, result, warning, clearing, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from PySide6.QtCore import Property, QObject, QRectF, Signal, Slot
from PySide6.QtQml import QmlElement

from kiosk.errors import CardFault, KioskError
from kiosk.values import CardRead, Medium, Visit
from ui.counter_port import CounterPort
from ui.program_rows import CITIZEN_ROW, POOL, citizen_rows, hides_person
from ui.rows import Rows
from ui.schedule import Alarms, Schedule
from ui.timing import Timing
from ui.worker import CounterWorker

QML_IMPORT_NAME = "Kmc.Models"
QML_IMPORT_MAJOR_VERSION = 1


HINT_S = 2.0
"""A hint stays so long after the last look that gave it."""


@QmlElement
class CitizenModel(QObject):
    """States: attract, reading, result, fault, clearing; over them reader_gone and out_of_order."""

    changed = Signal()
    feedback = Signal(str)
    """``ok`` or ``attention``: what the tap sounds like."""
    languageReset = Signal()
    resultSet = Signal()
    """A read has become a result or a fault on the screen."""

    def __init__(
        self, worker: CounterWorker, schedule: Schedule, timing: Timing, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._worker = worker
        self._schedule = schedule
        self._timing = timing
        self._alarms = Alarms(schedule)
        self._rows = Rows(CITIZEN_ROW, self, POOL)
        self._stage = "attract"
        self._fault = ""
        self._visit: Visit | None = None
        self._left: list[Visit] = []
        self._room = 0
        self._last: tuple[CardRead, float] | None = None
        self._turn = 0
        self._pending = False
        self._warning = False
        self._ends_at_s = 0.0
        self._reader_fault = ""
        self._hint = ""
        self._hint_region = QRectF(0, 0, 1, 1)
        self._out_of_order = False

    @Property(str, notify=changed)
    def state(self) -> str:
        """Which page is shown."""
        if self._out_of_order and self._stage != "result":
            return "out_of_order"
        if self._stage == "attract" and self._reader_fault:
            return "reader_gone"
        return self._stage

    @Property(str, notify=changed)
    def faultCode(self) -> str:
        """Code of the card fault that is shown."""
        return self._fault

    @Property(str, notify=changed)
    def hint(self) -> str:
        """What the person who holds a code can do so that it is read; empty for nothing."""
        return self._hint if self._stage == "attract" else ""

    @Property(QRectF, notify=changed)
    def hintRegion(self) -> QRectF:
        """Where that code is, as shares of the camera's picture."""
        return self._hint_region

    @Property(str, notify=changed)
    def visitId(self) -> str:
        """Changes with each session; nothing personal."""
        return self._visit.visit_id if self._visit else ""

    @Property(str, notify=changed)
    def name(self) -> str:
        """The masked name, or empty where no name may be shown."""
        if self._visit is None or hides_person(self._visit):
            return ""
        return self._visit.public_name

    @Property(bool, notify=changed)
    def hasOtherServices(self) -> bool:
        """There are programs that are never listed here."""
        return self._visit is not None and any(row.sensitive for row in self._visit.rows)

    @Property(bool, notify=changed)
    def isAsking(self) -> bool:
        """Central is being asked whose card this is."""
        return self._visit is not None and not self._visit.holder_id

    @Property(bool, notify=changed)
    def hasNone(self) -> bool:
        """There is no program at all for this card."""
        return self._visit is not None and not self._visit.rows

    @Property(bool, notify=changed)
    def warning(self) -> bool:
        """The session is about to end."""
        return self._warning

    @Property(int, notify=changed)
    def secondsLeft(self) -> int:
        """Whole seconds until the session ends, while the warning is shown."""
        return max(0, math.ceil(self._ends_at_s - self._schedule.now_s())) if self._warning else 0

    @Property(int, notify=changed)
    def rowCount(self) -> int:
        """How many of the rows are in use."""
        return len(self._rows)

    @Property(QObject, constant=True)
    def rows(self) -> Rows:
        """The programs."""
        return self._rows

    @Slot(int)
    def setRoom(self, rows: int) -> None:
        """How many rows a page has room for at most: those are painted first, the rest right after."""
        self._room = rows

    def painted(self) -> None:
        """A frame has been painted: what it did not need is done now."""
        if self._stage != "result":
            return
        self._tell_left()
        before = len(self._rows)
        self._rows.settle()
        if len(self._rows) != before:
            self.changed.emit()

    def set_hint(self, code: str, region: tuple[float, float, float, float]) -> None:
        """A code is seen and cannot be read: say for a moment what helps, and show where it is.

        ``region``: left, top, right and bottom as shares of the camera's picture.
        """
        self._alarms.set("hint", HINT_S, self._drop_hint)
        left, top, right, bottom = region
        place = QRectF(left, top, right - left, bottom - top)
        if (code, place) != (self._hint, self._hint_region):
            self._hint, self._hint_region = code, place
            self.changed.emit()

    def _drop_hint(self) -> None:
        self._hint = ""
        self.changed.emit()

    def set_reader_fault(self, code: str) -> None:
        """No reader works any more (its fault code), or one does again (empty)."""
        if code != self._reader_fault:
            self._reader_fault = code
            self.changed.emit()

    def set_out_of_order(self, out: bool) -> None:
        """The kiosk cannot serve, or can again."""
        if out != self._out_of_order:
            self._out_of_order = out
            self.changed.emit()

    def begin_reading(self) -> None:
        """A card is in the field; say so if it takes longer than people wait without a sign."""
        if not self._alarms.is_set("reading"):
            self._alarms.set("reading", self._timing.reading_s, self._show_reading)

    def lifted(self) -> None:
        """The card has gone; a read that has not come by now will not come."""
        if not self._pending:
            self._alarms.cancel("reading")
            if self._stage == "reading":
                self._become("attract")

    def read(self, read: CardRead) -> None:
        """Ask who this is; a running session is replaced as soon as the answer is there."""
        if self._is_same_code(read):
            self.touched()
            return
        self._last = (read, self._schedule.now_s())
        self._turn += 1
        self._pending = True
        self.begin_reading()
        turn = self._turn
        self._worker.ask(
            lambda counter: counter.read(read, None),
            lambda visit: self._read_done(turn, visit),
            lambda fault: self._read_failed(turn, fault),
        )

    def fault(self, code: str) -> None:
        """The reader or the counter refused the card."""
        self._turn += 1
        self._pending = False
        self._replace_visit()
        self._become("fault")
        self._fault = code
        self.changed.emit()
        self._alarms.set("end", self._timing.fault_s, self.finish)
        self.feedback.emit("attention")
        self.resultSet.emit()

    def active(self) -> None:
        """A key or touch somewhere; under the warning only its own buttons and background count."""
        if not self._warning:
            self.touched()

    @Slot()
    def touched(self) -> None:
        """Somebody is there: the session goes on."""
        if self._stage == "result":
            self._arm()
        elif self._stage == "attract":
            self._alarms.set("end", self._timing.session_s, self.finish)
        elif self._stage == "fault":
            self._alarms.set("end", self._timing.fault_s, self.finish)

    @Slot()
    def finish(self) -> None:
        """End the session: nothing personal stays, the language goes back to Indonesian."""
        was = self._stage
        self._turn += 1
        self._pending = False
        self._last = None
        self._drop_visit()
        self.languageReset.emit()
        if was == "result":
            self._become("clearing")
            self._alarms.set("end", self._timing.clearing_s, self._cleared)
        else:
            self._become("attract")

    def _cleared(self) -> None:
        self._become("attract")

    def _is_same_code(self, read: CardRead) -> bool:
        if read.medium is not Medium.QR or self._last is None:
            return False
        before, at_s = self._last
        same = before.medium is Medium.QR and before.payload == read.payload
        if same and self._schedule.now_s() - at_s <= self._timing.same_code_s:
            self._last = (before, self._schedule.now_s())
            return self._pending or self._stage in ("result", "fault")
        return False

    def _read_done(self, turn: int, visit: Visit) -> None:
        if turn != self._turn:
            self._worker.tell(lambda counter: counter.leave(visit), "leaving a replaced visit")
            return
        self._pending = False
        if self._visit is not None:
            # Its rows become the next visit's in one step: emptied first, each would be drawn twice.
            self._leave_visit()
            self.languageReset.emit()
        self._visit = visit
        self._rows.show(citizen_rows(visit), self._room)
        self._set_stage("result")
        self._arm()
        self.feedback.emit("ok")
        self.resultSet.emit()
        if visit.asking:
            self._look_up(turn, visit)

    def _look_up(self, turn: int, visit: Visit) -> None:
        """A card of another point: what is known here is on the screen, central says the rest."""

        def asked(futures: Sequence[Future[Any]]) -> None:
            if futures:
                self._worker.watch(futures, lambda: self._looked_up(turn))
            else:
                self._looked_up(turn)

        self._worker.ask(
            lambda counter: counter.look_up(visit), asked, lambda fault: self._not_found(turn, fault)
        )

    def _looked_up(self, turn: int) -> None:
        visit = self._visit
        if turn == self._turn and visit is not None:
            self._worker.ask(
                lambda counter: counter.refresh(visit, None),
                lambda fresh: self._found(turn, fresh),
                lambda fault: self._not_found(turn, fault),
            )

    def _found(self, turn: int, visit: Visit) -> None:
        if turn != self._turn or self._visit is None:
            return
        self._visit = visit
        shown = [self._rows.row(position)["programId"] for position in range(len(self._rows))]
        self._rows.show(citizen_rows(visit, shown))
        self.changed.emit()

    def _not_found(self, turn: int, fault: KioskError) -> None:
        """What is known of the holder here stays on the screen."""
        if turn == self._turn and self._visit is not None and not self._visit.holder_id:
            self._read_failed(turn, fault)

    def _read_failed(self, turn: int, fault: KioskError) -> None:
        if turn == self._turn:
            self.fault(fault.code if isinstance(fault, CardFault) else "kiosk")

    def _show_reading(self) -> None:
        self._replace_visit()
        self._become("reading")
        self._alarms.set("end", self._timing.fault_s, self.finish)

    def _replace_visit(self) -> None:
        if self._visit is not None:
            self._drop_visit()
            self.languageReset.emit()

    def _become(self, stage: str) -> None:
        self._set_stage(stage)
        self.changed.emit()

    def _set_stage(self, stage: str) -> None:
        self._stage = stage
        if stage != "reading":
            self._alarms.cancel("reading")
        if stage != "fault":
            self._fault = ""
        if stage != "result":
            self._alarms.cancel("warn", "count")
            self._warning = False
        if stage in ("attract", "reading"):
            self._alarms.cancel("end")

    def _drop_visit(self) -> None:
        if self._visit is not None:
            self._leave_visit()
            self._rows.show([])
        self._tell_left()

    def _leave_visit(self) -> None:
        visit, self._visit = self._visit, None
        if visit is not None:
            self._left.append(visit)

    def _tell_left(self) -> None:
        """Not before the next result is painted: the counter's thread would take its time from the screen."""
        left, self._left = self._left, []

        def leave(counter: CounterPort) -> None:
            for visit in left:
                counter.leave(visit)

        if left:
            self._worker.tell(leave, "leaving a visit")

    def _arm(self) -> None:
        self._alarms.cancel("count")
        self._warning = False
        self._ends_at_s = self._schedule.now_s() + self._timing.session_s
        self._alarms.set("warn", self._timing.session_s - self._timing.warning_s, self._warn)
        self._alarms.set("end", self._timing.session_s, self.finish)
        self.changed.emit()

    def _warn(self) -> None:
        self._warning = True
        self._count()

    def _count(self) -> None:
        self._alarms.set("count", 1.0, self._count)
        self.changed.emit()
