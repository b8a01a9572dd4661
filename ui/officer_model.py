"""The officer's screen as a state machine: sign in, person, confirm, recorded, and what goes beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Property, QObject, Signal, Slot
from PySide6.QtQml import QmlElement

from kiosk.errors import KioskError
from kiosk.values import CardRead, Medium, OfficerSession, Pickup, StateCode, Visit, VisitRow
from ui.confirm_form import ConfirmForm
from ui.day_list import PICKUP_ROW, DayList, pickup_row
from ui.program_rows import OFFICER_ROW, POOL, in_order, is_choosable, officer_rows
from ui.rows import Rows
from ui.schedule import Alarms, Schedule
from ui.timing import Timing
from ui.worker import CounterWorker

QML_IMPORT_NAME = "Kmc.Models"
QML_IMPORT_MAJOR_VERSION = 1

_BUSY = ("recording", "voiding")


@QmlElement
class OfficerModel(QObject):
    """Stages: off, signin, unshown, waiting, person, confirm, recording, recorded, find, void, voiding."""

    changed = Signal()
    feedback = Signal(str)
    signedIn = Signal()
    signedOut = Signal()
    resultSet = Signal()
    """A read has become a person or a fault on the screen."""
    recordedSet = Signal()
    """A pickup is on the screen as recorded."""
    journalChanged = Signal()
    confirmSent = Signal()

    def __init__(
        self,
        worker: CounterWorker,
        schedule: Schedule,
        timing: Timing,
        form: ConfirmForm,
        day: DayList,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._worker = worker
        self._schedule = schedule
        self._timing = timing
        self._alarms = Alarms(schedule)
        self._form = form
        self._day = day
        self._rows = Rows(OFFICER_ROW, self, POOL)
        self._asked = Rows(PICKUP_ROW, self)
        self._stage = "off"
        self._before = "waiting"
        self._message = ""
        self._number = 0
        self._busy = False
        self._session: OfficerSession | None = None
        self._visit: Visit | None = None
        self._order: tuple[str, ...] = ()
        self._selected = 0
        self._overdue = False
        self._birth = ""
        self._recorded: Pickup | None = None
        self._unpainted = ""
        self._unshown: tuple[Pickup, ...] = ()
        self._turn = 0
        self._next_read: CardRead | None = None
        self._last: tuple[CardRead, float] | None = None
        form.checksDone.connect(self._refresh_checked)

    # what QML reads

    @Property(str, notify=changed)
    def stage(self) -> str:
        """Which pane is shown."""
        return self._stage

    @Property(str, notify=changed)
    def message(self) -> str:
        """Code of the last thing that was refused, or empty."""
        return self._message

    @Property(int, notify=changed)
    def messageNumber(self) -> int:
        """The number that goes with the message, such as seconds to wait."""
        return self._number

    @Property(bool, notify=changed)
    def busy(self) -> bool:
        """An answer is being waited for."""
        return self._busy

    @Property(bool, notify=changed)
    def isSignedIn(self) -> bool:
        """An officer is signed in."""
        return self._session is not None

    @Property(str, notify=changed)
    def officerName(self) -> str:
        """Who is signed in."""
        return self._session.name if self._session else ""

    @Property(bool, notify=changed)
    def isSupervisor(self) -> bool:
        """A supervisor is signed in."""
        return self._session is not None and self._session.role == "supervisor"

    @Property(str, notify=changed)
    def visitId(self) -> str:
        """Changes with each person."""
        return self._visit.visit_id if self._visit else ""

    @Property(str, notify=changed)
    def fullName(self) -> str:
        """The holder's full name."""
        return self._visit.full_name if self._visit else ""

    @Property(str, notify=changed)
    def nikLast4(self) -> str:
        """Last four digits of the holder's NIK."""
        return self._visit.nik_last4 if self._visit else ""

    @Property(str, notify=changed)
    def cardNo(self) -> str:
        """Number of the card."""
        return self._visit.card_no if self._visit else ""

    @Property(str, notify=changed)
    def medium(self) -> str:
        """``nfc``, ``qr`` or ``typed``."""
        return self._visit.medium.value if self._visit else ""

    @Property(str, notify=changed)
    def grade(self) -> str:
        """How much the read proves: ``typed``, ``legacy``, ``p0`` … ``p3``."""
        return self._visit.grade.label if self._visit else ""

    @Property(str, notify=changed)
    def birthDate(self) -> str:
        """ISO birth date once the officer asked for it; else empty."""
        return self._birth

    @Property(int, notify=changed)
    def rowCount(self) -> int:
        """How many of the rows are in use."""
        return len(self._rows)

    @Property(QObject, constant=True)
    def rows(self) -> Rows:
        """The programs of the person."""
        return self._rows

    @Property(QObject, constant=True)
    def askedAbout(self) -> Rows:
        """Pickups recorded before an unclean stop."""
        return self._asked

    @Property(int, notify=changed)
    def selected(self) -> int:
        """Position of the chosen program."""
        return self._selected

    @Property(int, notify=changed)
    def readyCount(self) -> int:
        """How many programs can be gone on with."""
        return self._choosable()

    @Property(str, notify=changed)
    def recordedRef(self) -> str:
        """Reference of the pickup just recorded."""
        return self._recorded.ref if self._recorded else ""

    @Property(str, notify=changed)
    def recordedId(self) -> str:
        """What was recorded, in Indonesian."""
        return self._recorded.quantity_text.id if self._recorded else ""

    # sign in and out

    @Slot()
    def openSignIn(self) -> None:
        """F4 or the button: ask who it is."""
        if self._stage == "off":
            self._become("signin")
            self._alarms.set("signin", self._timing.sign_in_s, self.cancelSignIn)

    @Slot()
    def cancelSignIn(self) -> None:
        """Back to the citizen's screen."""
        if self._stage == "signin" and not self._busy:
            self._alarms.cancel("signin")
            self._become("off")

    @Slot(str, str)
    def signIn(self, username: str, pin: str) -> None:
        """Try this user name and PIN."""
        if self._stage != "signin" or self._busy:
            return
        if not username.strip() or not pin:
            self._say("fill_in")
            return
        self._busy = True
        self._say("")
        name = username.strip()
        self._worker.ask(lambda counter: counter.sign_in(name, pin), self._signed_in, self._refused)

    @Slot()
    def signOut(self) -> None:
        """End the officer's session."""
        session = self._session
        if session is None or self._stage in _BUSY or self._unpainted:
            return
        self._drop_visit()
        self._session = None
        self._alarms.cancel("idle", "recorded", "checking")
        self._form.close()
        self._day.end_void()
        self._day.show(())
        self._asked.show([])
        self._recorded = None
        self._worker.tell(lambda counter: counter.sign_out(session), "signing out")
        self._become("off")
        self.signedOut.emit()

    def has_screen(self) -> bool:
        """Whether the window shows the officer's layout, sign-in included."""
        return self._stage != "off"

    def touched(self) -> None:
        """A key or a touch: the officer is there."""
        if self._session is not None:
            self._alarms.set("idle", self._timing.officer_s, self.signOut)
        elif self._stage == "signin":
            self._alarms.set("signin", self._timing.sign_in_s, self.cancelSignIn)

    # cards

    def read(self, read: CardRead) -> None:
        """A card was read: the next person, at once; while one is being recorded, right after it."""
        session = self._session
        if session is None:
            self._say("sign_in_first")
            self.feedback.emit("attention")
            return
        if self._stage in _BUSY or self._unpainted:
            self._next_read = read
            return
        if self._is_same_code(read):
            return
        self._last = (read, self._schedule.now_s())
        self._open_visit(lambda counter: counter.read(read, session))

    def fault(self, code: str) -> None:
        """The reader refused the card."""
        if self._session is None or self._stage in _BUSY or self._unpainted:
            return
        if self._stage in ("waiting", "person", "confirm", "recorded"):
            self._drop_visit()
            self._become("waiting")
        self._say(code)
        self.feedback.emit("attention")
        self.resultSet.emit()

    @Slot(str, str)
    def findCard(self, card_no: str, reason: str) -> None:
        """F2: open a person by the card number, with a reason."""
        session = self._session
        if session is None or self._stage != "find":
            return
        number, why = card_no.strip(), reason.strip()
        if not number or not why:
            self._say("fill_in")
            return
        self._open_visit(lambda counter: counter.read_typed(number, session, why))

    @Slot()
    def revealBirth(self) -> None:
        """Show the birth date; goes into the journal."""
        visit, session = self._visit, self._session
        if visit is not None and session is not None and not self._birth:
            turn = self._turn
            self._worker.ask(
                lambda counter: counter.reveal(visit, "birth", session),
                lambda text: self._revealed(turn, text),
                self._refused,
            )

    # one pickup

    @Slot(int)
    def select(self, position: int) -> None:
        """Choose a program of the person."""
        if self._stage == "person" and 0 <= position < len(self._rows):
            self._selected = position
            self._say("")

    @Slot(int)
    def selectNext(self, step: int) -> None:
        """Choose the next (1) or previous (-1) program."""
        if len(self._rows):
            self.select(max(0, min(len(self._rows) - 1, self._selected + step)))

    @Slot()
    def enter(self) -> None:
        """Enter: go on with what is on the screen."""
        if self._stage == "person":
            self._choose()
        elif self._stage == "confirm":
            self._confirm()
        elif self._stage == "recorded":
            self._next()
        elif self._stage == "void":
            self._void()

    @Slot()
    def back(self) -> None:
        """Esc: one step back."""
        if self._stage == "signin":
            self.cancelSignIn()
        elif self._stage == "confirm":
            self._form.close()
            self._become("person")
        elif self._stage in ("find", "void"):
            self._day.end_void()
            self._become(self._before)
        elif self._stage == "recorded":
            self._next()
        elif self._stage == "unshown":
            self._become("waiting")
        elif self._stage in ("person", "waiting"):
            self._drop_visit()
            self._become("waiting")

    @Slot()
    def openFind(self) -> None:
        """F2: look for a card number."""
        if self._stage in ("waiting", "person"):
            self._before = self._stage
            self._become("find")

    # voids and asked-about pickups

    @Slot()
    def voidLast(self) -> None:
        """Ctrl+Z: void this officer's last entry."""
        if self._session is not None:
            pickup = self._day.last_own(self._session)
            if pickup is None:
                self._say("nothing_to_void")
            else:
                self.voidEntry(pickup.ref)

    @Slot(str)
    def voidEntry(self, ref: str) -> None:
        """Open the void form for an entry of today's list."""
        pickup = self._day.find(ref)
        if pickup is None or pickup.voided or self._stage not in ("waiting", "person", "recorded", "void"):
            return
        if self._stage == "recorded":
            self._next()
            if self._stage == "recorded":
                return
        if self._stage != "void":
            self._before = self._stage
        self._day.begin_void(pickup)
        self._become("void")

    @Slot(bool)
    def answerUnshown(self, handed_over: bool) -> None:
        """Say whether the first asked-about pickup was handed over."""
        session = self._session
        if self._stage != "unshown" or session is None or not self._unshown or self._busy:
            return
        ref = self._unshown[0].ref
        self._busy = True
        self.changed.emit()
        self._worker.ask(
            lambda counter: counter.answer_unshown(ref, handed_over, session),
            self._unshown_answered,
            self._refused,
        )

    def painted(self) -> None:
        """A frame has been painted; a recorded pickup in it has now been shown."""
        ref, self._unpainted = self._unpainted, ""
        if ref:
            self._alarms.set("recorded", self._timing.recorded_s, self._next)
            self._worker.tell(lambda counter: counter.mark_shown(ref), "marking a pickup as shown")
            self._reload_day()
            self._refresh()
            self.journalChanged.emit()
            self._take_next_read()

    # answers of the counter

    def _signed_in(self, session: OfficerSession) -> None:
        self._busy = False
        self._session = session
        self._alarms.cancel("signin")
        self.touched()
        self._become("waiting")
        self.signedIn.emit()
        self._reload_day()
        self._reload_unshown()

    def _refused(self, fault: KioskError) -> None:
        self._busy = False
        wait = fault.detail.get("wait_s", 0)
        self._say(fault.code, int(wait) if isinstance(wait, int | float) else 0)
        self.feedback.emit("attention")

    def _open_visit(self, call: Any) -> None:
        self._turn += 1
        turn = self._turn
        self._busy = True
        self.changed.emit()
        self._worker.ask(
            call, lambda visit: self._visit_opened(turn, visit), lambda fault: self._not_opened(turn, fault)
        )

    def _visit_opened(self, turn: int, visit: Visit) -> None:
        if turn != self._turn or self._session is None:
            self._worker.tell(lambda counter: counter.leave(visit), "leaving a replaced visit")
            return
        self._busy = False
        self._drop_visit(visit)
        self._visit = visit
        self._order = tuple(row.program_id for row in in_order(visit.rows))
        self._select_first()
        self._show_rows()
        self._become("person")
        self.feedback.emit("ok")
        self.resultSet.emit()
        if any(row.state.code is StateCode.CHECKING for row in visit.rows):
            self._acquire(visit)

    def _not_opened(self, turn: int, fault: KioskError) -> None:
        if turn != self._turn:
            return
        self._busy = False
        if self._stage != "find":
            self._drop_visit()
            self._become("waiting")
        self._refused(fault)
        self.resultSet.emit()

    def _acquire(self, visit: Visit) -> None:
        session = self._session
        if session is None:
            return
        turn = self._turn
        self._alarms.set("checking", self._timing.checking_s, self._checking_overdue)
        self._worker.ask(
            lambda counter: counter.acquire(visit, session),
            lambda futures: self._worker.watch(futures, lambda: self._acquired(turn)),
            self._refused,
        )

    def _acquired(self, turn: int) -> None:
        if turn == self._turn:
            self._refresh()

    def _checking_overdue(self) -> None:
        self._overdue = True
        self._show_rows()
        self.changed.emit()

    def _refresh(self) -> None:
        visit, session, turn = self._visit, self._session, self._turn
        if visit is not None and session is not None:
            self._worker.ask(
                lambda counter: counter.refresh(visit, session),
                lambda fresh: self._refreshed(turn, fresh),
                self._refused,
            )

    @Slot()
    def _refresh_checked(self) -> None:
        visit, session, turn = self._visit, self._session, self._turn
        if visit is not None and session is not None:
            checks = self._form.checks()
            self._worker.ask(
                lambda counter: counter.refresh(visit, session, checks),
                lambda fresh: self._refreshed(turn, fresh),
                self._refused,
            )

    def _refreshed(self, turn: int, visit: Visit) -> None:
        if turn != self._turn or self._visit is None:
            return
        before = self._in_order()
        self._visit = visit
        rows = self._in_order()
        was_ready = self._selected < len(before) and is_choosable(before[self._selected])
        is_ready = self._selected < len(rows) and is_choosable(rows[self._selected])
        if self._stage == "person" and not is_ready and (was_ready or not any(map(is_choosable, before))):
            self._select_first()
        self._show_rows()
        self.changed.emit()

    def _revealed(self, turn: int, text: str) -> None:
        if turn == self._turn:
            self._birth = text
            self.changed.emit()

    def _choose(self) -> None:
        rows = self._in_order()
        if self._visit is None or self._selected >= len(rows):
            return
        row = rows[self._selected]
        if is_choosable(row):
            self._form.open(self._visit, row)
            self._become("confirm")
        else:
            self._say("not_now")
            self.feedback.emit("attention")

    def _confirm(self) -> None:
        visit, session, row, quantity = self._visit, self._session, self._form.row, self._form.quantity()
        if visit is None or session is None or row is None:
            return
        if self._form.what_is_missing() or quantity is None:
            self._say("missing")
            self.feedback.emit("attention")
            return
        program_id, collector, checks = row.program_id, self._form.collector(), self._form.checks()
        reason = self._form.closing_reason()
        self.confirmSent.emit()
        self._become("recording")
        self._worker.ask(
            lambda counter: counter.confirm(visit, program_id, quantity, collector, checks, session, reason),
            self._confirmed,
            self._not_confirmed,
        )

    def _confirmed(self, pickup: Pickup) -> None:
        self._recorded = pickup
        self._unpainted = pickup.ref
        self._day.highlight(pickup.ref)
        self._become("recorded")
        self.feedback.emit("ok")
        self.recordedSet.emit()

    def _not_confirmed(self, fault: KioskError) -> None:
        if fault.code == "already_taken":
            self._form.close()
            self._become("person")
        else:
            self._become("confirm")
        self._refused(fault)
        self._refresh()
        self._take_next_read()

    def _next(self) -> None:
        if self._stage != "recorded" or self._unpainted:
            return
        self._alarms.cancel("recorded")
        self._recorded = None
        self._form.close()
        self._select_first()
        self._become("person" if self._visit is not None else "waiting")

    def _take_next_read(self) -> None:
        read, self._next_read = self._next_read, None
        if read is not None:
            self.read(read)

    def _void(self) -> None:
        session, pickup, goods = self._session, self._day.voiding, self._day.goods
        reason = self._day.reason
        if session is None or pickup is None:
            return
        if not reason:
            self._say("reason")
            return
        ref = pickup.ref
        self._become("voiding")
        self._worker.ask(
            lambda counter: counter.void(ref, goods, reason, session), self._voided, self._not_voided
        )

    def _voided(self, _: Pickup) -> None:
        self._day.end_void()
        self._become(self._before)
        self._say("voided")
        self.feedback.emit("ok")
        self._reload_day()
        self._refresh()
        self.journalChanged.emit()
        self._take_next_read()

    def _not_voided(self, fault: KioskError) -> None:
        self._become("void")
        self._refused(fault)
        self._take_next_read()

    def _unshown_answered(self, _: None) -> None:
        self._busy = False
        self._reload_unshown()
        self._reload_day()
        self.journalChanged.emit()

    def _reload_day(self) -> None:
        session = self._session
        if session is not None:
            self._worker.ask(lambda counter: counter.today(session), self._day_loaded, self._refused)

    def _day_loaded(self, pickups: Sequence[Pickup]) -> None:
        if self._session is not None:
            self._day.show(pickups)
            self._show_rows()

    def _reload_unshown(self) -> None:
        self._worker.ask(lambda counter: counter.unshown(), self._unshown_loaded, self._refused)

    def _unshown_loaded(self, pickups: Sequence[Pickup]) -> None:
        if self._session is None:
            return
        self._unshown = tuple(pickups)
        self._asked.show([pickup_row(pickup) for pickup in self._unshown])
        if self._unshown and self._stage in ("waiting", "unshown"):
            self._become("unshown")
        elif self._stage == "unshown":
            self._become("waiting")

    # the machine itself

    def _become(self, stage: str) -> None:
        self._stage = stage
        self._message = ""
        self._number = 0
        self.changed.emit()

    def _say(self, code: str, number: int = 0) -> None:
        self._message = code
        self._number = number
        self.changed.emit()

    def _in_order(self) -> list[VisitRow]:
        return in_order(self._visit.rows, self._order) if self._visit else []

    def _select_first(self) -> None:
        rows = self._in_order()
        self._selected = next((n for n, row in enumerate(rows) if is_choosable(row)), 0)

    def _choosable(self) -> int:
        return sum(is_choosable(row) for row in self._in_order())

    def _show_rows(self) -> None:
        if self._visit is not None:
            self._rows.show(officer_rows(self._visit, self._order, self._overdue, self._day.officers()))

    def _drop_visit(self, instead: Visit | None = None) -> None:
        visit, self._visit = self._visit, None
        self._overdue = False
        self._birth = ""
        self._selected = 0
        self._recorded = None
        self._alarms.cancel("checking", "recorded")
        self._form.close()
        self._day.highlight("")
        if visit is not None:
            self._worker.tell(lambda counter: counter.leave(visit), "leaving a visit")
        if instead is None:
            self._turn += 1
            self._busy = False
            self._last = None
            self._rows.show([])

    def _is_same_code(self, read: CardRead) -> bool:
        if read.medium is not Medium.QR or self._last is None:
            return False
        before, at_s = self._last
        same = before.medium is Medium.QR and before.payload == read.payload
        if same and self._schedule.now_s() - at_s <= self._timing.same_code_s:
            self._last = (before, self._schedule.now_s())
            return True
        return False
