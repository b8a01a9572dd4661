"""The person at the officer's counter: opened by a card or a typed number, and the programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from kiosk.errors import KioskError
from kiosk.values import CardRead, Checks, Medium, StateCode, Visit, VisitRow
from ui.confirm_form import ConfirmForm
from ui.counter_port import NO_CHECKS, CounterPort
from ui.day_list import DayList
from ui.officer_desk import OfficerDesk
from ui.program_rows import OFFICER_ROW, POOL, in_order, is_choosable, officer_rows
from ui.rows import Rows

_UNPAINTED_S = 0.1
"""A window that nobody sees is not painted: it is not waited for."""


class OfficerPerson(QObject):
    """One visit at a time; a new one replaces it, and answers to an older one are dropped (``turn``)."""

    dropped = Signal()
    """The person has left the screen."""

    def __init__(self, desk: OfficerDesk, form: ConfirmForm, day: DayList, parent: QObject) -> None:
        super().__init__(parent)
        self._desk = desk
        self._form = form
        self._day = day
        self.rows = Rows(OFFICER_ROW, self, POOL)
        self.visit: Visit | None = None
        self.selected = 0
        self.birth = ""
        self._order: tuple[str, ...] = ()
        self._overdue = False
        self._turn = 0
        self._last: tuple[CardRead, float] | None = None
        self._next_read: CardRead | None = None
        self._to_ask: tuple[int, Visit] | None = None
        self._left: list[Visit] = []
        desk.freed.connect(self._take_next_read)
        form.checksDone.connect(self._refresh_checked)

    def read(self, read: CardRead) -> None:
        """A card was read: its person, at once; while something is being recorded, right after it.

        A code that is still held before the camera counts once.
        """
        session = self._desk.session
        if session is None:
            self._desk.say("sign_in_first")
            self._desk.feedback.emit("attention")
        elif self._desk.is_recording:
            self._next_read = read
        elif not self._is_same_code(read):
            self._last = (read, self._desk.schedule.now_s())
            self._open(lambda counter: counter.read(read, session))

    def fault(self, code: str) -> None:
        """The reader refused the card."""
        if self._desk.session is None or self._desk.is_recording:
            return
        if self._desk.stage in ("waiting", "person", "confirm", "recorded"):
            self.drop()
            self._desk.become("waiting")
        self._desk.say(code)
        self._desk.feedback.emit("attention")
        self._desk.resultSet.emit()

    def find(self, card_no: str, reason: str) -> None:
        """Open the person of a typed card number."""
        session = self._desk.session
        if session is not None:
            self._open(lambda counter: counter.read_typed(card_no, session, reason))

    def reveal_birth(self) -> None:
        """Show the birth date; goes into the journal."""
        visit, session, turn = self.visit, self._desk.session, self._turn
        if visit is not None and session is not None and not self.birth:
            self._desk.worker.ask(
                lambda counter: counter.reveal(visit, "birth", session),
                lambda text: self._revealed(turn, text),
                self._desk.refused,
            )

    def refresh(self, checks: Checks = NO_CHECKS) -> None:
        """Ask for the states as of now, given what the officer has checked."""
        visit, session, turn = self.visit, self._desk.session, self._turn
        if visit is not None and session is not None:
            self._desk.worker.ask(
                lambda counter: counter.refresh(visit, session, checks),
                lambda fresh: self._refreshed(turn, fresh),
                self._desk.refused,
            )

    def select(self, position: int) -> None:
        """Choose a program."""
        if self._desk.stage == "person" and 0 <= position < len(self.rows):
            self.selected = position
            self._desk.say("")

    def select_next(self, step: int) -> None:
        """Choose the next (1) or previous (-1) program."""
        if len(self.rows):
            self.select(max(0, min(len(self.rows) - 1, self.selected + step)))

    def select_first(self) -> None:
        """Choose the first program that can be gone on with."""
        rows = self.in_order()
        self.selected = next((n for n, row in enumerate(rows) if is_choosable(row)), 0)

    def selected_row(self) -> VisitRow | None:
        """The chosen program."""
        rows = self.in_order()
        return rows[self.selected] if self.selected < len(rows) else None

    def in_order(self) -> list[VisitRow]:
        """The programs as they are listed."""
        return in_order(self.visit.rows, self._order) if self.visit else []

    def choosable(self) -> int:
        """How many programs can be gone on with."""
        return sum(is_choosable(row) for row in self.in_order())

    def show_rows(self) -> None:
        """List the programs as they are now."""
        if self.visit is not None:
            self.rows.show(officer_rows(self.visit, self._order, self._overdue, self._day.officers()))

    def drop(self) -> None:
        """Nobody is at the counter any more; an answer that is still under way is not waited for."""
        self._leave()
        self.painted()
        self._turn += 1
        self._desk.busy = False
        self._last = None
        self.rows.show([])

    def _leave(self) -> None:
        visit, self.visit = self.visit, None
        self._overdue = False
        self.birth = ""
        self.selected = 0
        self._desk.alarms.cancel("checking")
        self._form.close()
        self._day.highlight("")
        self.dropped.emit()
        self._to_ask = None
        if visit is not None:
            self._left.append(visit)
            self._desk.alarms.set("painted", _UNPAINTED_S, self.painted)

    def painted(self) -> None:
        """A frame has been painted: what would have taken the counter's thread from it is done now."""
        if not self._left and self._to_ask is None:
            return
        self._desk.alarms.cancel("painted")
        left, self._left = self._left, []
        to_ask, self._to_ask = self._to_ask, None

        def leave(counter: CounterPort) -> None:
            for visit in left:
                counter.leave(visit)

        if left:
            self._desk.worker.tell(leave, "leaving a visit")
        if to_ask is not None and to_ask[0] == self._turn:
            turn, visit = to_ask
            self._acquire_checking(visit)
            if visit.asking:
                self._look_up(turn, visit)

    def _open(self, call: Callable[[CounterPort], Visit]) -> None:
        self._turn += 1
        turn = self._turn
        self._desk.wait()
        self._desk.worker.ask(
            call, lambda visit: self._opened(turn, visit), lambda fault: self._not_opened(turn, fault)
        )

    def _opened(self, turn: int, visit: Visit) -> None:
        desk = self._desk
        if turn != self._turn or desk.session is None:
            desk.worker.tell(lambda counter: counter.leave(visit), "leaving a replaced visit")
            return
        desk.busy = False
        self._leave()
        self.visit = visit
        self._order = tuple(row.program_id for row in in_order(visit.rows))
        self.select_first()
        self.show_rows()
        desk.become("person")
        desk.feedback.emit("ok")
        desk.resultSet.emit()
        if visit.asking and not visit.holder_id:
            desk.say("asking")
        self._to_ask = (turn, visit)
        desk.alarms.set("painted", _UNPAINTED_S, self.painted)

    def _look_up(self, turn: int, visit: Visit) -> None:
        """A card of another point: central says whose it is, or what is not known of its holder here."""

        def asked(futures: Sequence[Future[Any]]) -> None:
            if futures:
                self._desk.worker.watch(futures, lambda: self._looked_up(turn))
            else:
                self._looked_up(turn)

        self._desk.worker.ask(
            lambda counter: counter.look_up(visit), asked, lambda fault: self._not_found(turn, fault)
        )

    def _looked_up(self, turn: int) -> None:
        visit, session = self.visit, self._desk.session
        if turn == self._turn and visit is not None and session is not None:
            self._desk.worker.ask(
                lambda counter: counter.refresh(visit, session),
                lambda fresh: self._found(turn, fresh),
                lambda fault: self._not_found(turn, fault),
            )

    def _found(self, turn: int, visit: Visit) -> None:
        if turn != self._turn or self.visit is None:
            return
        if not self.visit.holder_id:
            self._order = tuple(row.program_id for row in in_order(visit.rows))
            self.visit = visit
            self.select_first()
            self.show_rows()
            if self._desk.message == "asking":
                self._desk.say("")
            self._desk.changed.emit()
        else:
            self._refreshed(turn, visit)
        self._acquire_checking(visit)

    def _not_found(self, turn: int, fault: KioskError) -> None:
        if turn == self._turn and self.visit is not None and not self.visit.holder_id:
            self._not_opened(turn, fault)

    def _acquire_checking(self, visit: Visit) -> None:
        if any(row.state.code is StateCode.CHECKING for row in visit.rows):
            self._acquire(visit)

    def _not_opened(self, turn: int, fault: KioskError) -> None:
        if turn != self._turn:
            return
        self._desk.busy = False
        if self._desk.stage != "find":
            self.drop()
            self._desk.become("waiting")
        self._desk.refused(fault)
        self._desk.resultSet.emit()

    @Slot()
    def _take_next_read(self) -> None:
        read, self._next_read = self._next_read, None
        if read is not None:
            self.read(read)

    def _acquire(self, visit: Visit) -> None:
        session, turn, worker = self._desk.session, self._turn, self._desk.worker
        if session is not None:
            self._desk.alarms.set("checking", self._desk.timing.checking_s, self._checking_overdue)
            worker.ask(
                lambda counter: counter.acquire(visit, session),
                lambda futures: worker.watch(futures, lambda: self._acquired(turn)),
                self._desk.refused,
            )

    def _acquired(self, turn: int) -> None:
        if turn == self._turn:
            self.refresh()

    def _checking_overdue(self) -> None:
        self._overdue = True
        self.show_rows()
        self._desk.changed.emit()

    @Slot()
    def _refresh_checked(self) -> None:
        if self._form.entry is not None:
            self.refresh(self._form.entry.checks())

    def _refreshed(self, turn: int, visit: Visit) -> None:
        if turn != self._turn or self.visit is None:
            return
        before = self.in_order()
        was_ready = self.selected < len(before) and is_choosable(before[self.selected])
        self.visit = visit
        now = self.selected_row()
        is_ready = now is not None and is_choosable(now)
        was_none = not any(map(is_choosable, before))
        if self._desk.stage == "person" and not is_ready and (was_ready or was_none):
            self.select_first()
        self.show_rows()
        self._desk.changed.emit()

    def _revealed(self, turn: int, text: str) -> None:
        if turn == self._turn:
            self.birth = text
            self._desk.changed.emit()

    def _is_same_code(self, read: CardRead) -> bool:
        if read.medium is not Medium.QR or self._last is None:
            return False
        before, at_s = self._last
        now_s = self._desk.schedule.now_s()
        same = before.medium is Medium.QR and before.payload == read.payload
        if same and now_s - at_s <= self._desk.timing.same_code_s:
            self._last = (before, now_s)
            return True
        return False
