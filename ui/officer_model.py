"""The officer's screen as QML sees it: what it reads, and which part a card, key or button goes to."""

from __future__ import annotations

from PySide6.QtCore import Property, QObject, Signal, Slot
from PySide6.QtQml import QmlElement

from kiosk.values import CardRead, KioskStatus
from ui.confirm_form import ConfirmForm
from ui.day_list import DayList
from ui.officer_adoption import OfficerAdoption
from ui.officer_corrections import OfficerCorrections
from ui.officer_date import OfficerDate
from ui.officer_desk import OfficerDesk
from ui.officer_person import OfficerPerson
from ui.officer_pickup import OfficerPickup
from ui.officer_sign_in import OfficerSignIn
from ui.rows import Rows
from ui.schedule import Schedule
from ui.timing import Timing
from ui.worker import CounterWorker

QML_IMPORT_NAME = "Kmc.Models"
QML_IMPORT_MAJOR_VERSION = 1


@QmlElement
class OfficerModel(QObject):
    """Stages: off, signin, unshown, waiting, person, confirm, recording, recorded, find, void,
    voiding, date, adopt.
    """

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
        self._day = day
        self._desk = OfficerDesk(worker, schedule, timing, self)
        self._person = OfficerPerson(self._desk, form, day, self)
        self._corrections = OfficerCorrections(self._desk, self._person, day, self)
        self._pickup = OfficerPickup(self._desk, self._person, self._corrections, form, day, self)
        self._date = OfficerDate(self._desk, self)
        self._adoption = OfficerAdoption(self._desk, self._person, self)
        self._sign_in = OfficerSignIn(self._desk, self._person, self._corrections, self)
        self._desk.changed.connect(self.changed)
        self._desk.feedback.connect(self.feedback)
        self._desk.resultSet.connect(self.resultSet)
        self._desk.journalChanged.connect(self.journalChanged)
        self._sign_in.signedIn.connect(self.signedIn)
        self._sign_in.signedOut.connect(self.signedOut)
        self._pickup.confirmSent.connect(self.confirmSent)
        self._pickup.recordedSet.connect(self.recordedSet)

    # what QML reads

    @Property(str, notify=changed)
    def stage(self) -> str:
        """Which pane is shown."""
        return self._desk.stage

    @Property(str, notify=changed)
    def message(self) -> str:
        """Code of the last thing that was refused, or empty."""
        return self._desk.message

    @Property(int, notify=changed)
    def messageNumber(self) -> int:
        """The number that goes with the message, such as seconds to wait."""
        return self._desk.number

    @Property(bool, notify=changed)
    def busy(self) -> bool:
        """An answer is being waited for."""
        return self._desk.busy

    @Property(bool, notify=changed)
    def isSignedIn(self) -> bool:
        """An officer is signed in."""
        return self._desk.session is not None

    @Property(str, notify=changed)
    def officerName(self) -> str:
        """Who is signed in."""
        return self._desk.session.name if self._desk.session else ""

    @Property(bool, notify=changed)
    def isSupervisor(self) -> bool:
        """A supervisor is signed in."""
        session = self._desk.session
        return session is not None and session.role == "supervisor"

    @Property(str, notify=changed)
    def visitId(self) -> str:
        """Changes with each person."""
        visit = self._person.visit
        return visit.visit_id if visit else ""

    @Property(str, notify=changed)
    def fullName(self) -> str:
        """The holder's full name."""
        visit = self._person.visit
        return visit.full_name if visit else ""

    @Property(str, notify=changed)
    def nikLast4(self) -> str:
        """Last four digits of the holder's NIK."""
        visit = self._person.visit
        return visit.nik_last4 if visit else ""

    @Property(str, notify=changed)
    def cardNo(self) -> str:
        """Number of the card."""
        visit = self._person.visit
        return visit.card_no if visit else ""

    @Property(str, notify=changed)
    def medium(self) -> str:
        """``nfc``, ``qr`` or ``typed``."""
        visit = self._person.visit
        return visit.medium.value if visit else ""

    @Property(str, notify=changed)
    def grade(self) -> str:
        """How much the read proves: ``typed``, ``legacy``, ``p0`` … ``p3``."""
        visit = self._person.visit
        return visit.grade.label if visit else ""

    @Property(str, notify=changed)
    def birthDate(self) -> str:
        """ISO birth date once the officer asked for it; else empty."""
        return self._person.birth

    @Property(int, notify=changed)
    def rowCount(self) -> int:
        """How many of the rows are in use."""
        return len(self._person.rows)

    @Property(QObject, constant=True)
    def rows(self) -> Rows:
        """The programs of the person."""
        return self._person.rows

    @Property(QObject, constant=True)
    def askedAbout(self) -> Rows:
        """Pickups recorded before an unclean stop."""
        return self._corrections.asked

    @Property(int, notify=changed)
    def selected(self) -> int:
        """Position of the chosen program."""
        return self._person.selected

    @Property(int, notify=changed)
    def readyCount(self) -> int:
        """How many programs can be gone on with."""
        return self._person.choosable()

    @Property(str, notify=changed)
    def recordedRef(self) -> str:
        """Reference of the pickup just recorded."""
        recorded = self._pickup.recorded
        return recorded.ref if recorded else ""

    @Property(str, notify=changed)
    def adoptName(self) -> str:
        """To whom the old card that was tapped can be bound; empty if there is none, or nobody."""
        visit = self._adoption.holder
        return visit.full_name if visit else ""

    @Property(str, notify=changed)
    def adoptNik(self) -> str:
        """Last four digits of that person's NIK."""
        visit = self._adoption.holder
        return visit.nik_last4 if visit else ""

    @Property(str, notify=changed)
    def badgeUser(self) -> str:
        """User name of the badge that was shown at the sign-in; empty without one."""
        return self._sign_in.badge_user

    @Property(str, notify=changed)
    def recordedId(self) -> str:
        """What was recorded, in Indonesian."""
        recorded = self._pickup.recorded
        return recorded.quantity_text.id if recorded else ""

    # sign in and out

    @Slot()
    def openSignIn(self) -> None:
        """F4 or the button: ask who it is."""
        self._sign_in.open()

    @Slot()
    def cancelSignIn(self) -> None:
        """Back to the citizen's screen."""
        self._sign_in.cancel()

    @Slot(str, str)
    def signIn(self, username: str, pin: str) -> None:
        """Try this user name and PIN."""
        self._sign_in.try_pin(username, pin)

    @Slot()
    def signOut(self) -> None:
        """End the officer's session."""
        self._sign_in.end()

    def has_screen(self) -> bool:
        """Whether the window shows the officer's layout, sign-in included."""
        return self._desk.stage != "off"

    def status_read(self, status: KioskStatus) -> None:
        """The kiosk's own state was read: what the day's list says of central may be old."""
        self._corrections.follow_sync(status)

    def touched(self) -> None:
        """A key or a touch: the officer is there."""
        self._sign_in.touched()

    # cards

    def read(self, read: CardRead) -> None:
        """A card was read: a badge at the sign-in, else the next person, or right after what is recorded."""
        if self._desk.stage == "signin":
            self._sign_in.show_badge(read)
            return
        self._adoption.note(read)
        self._person.read(read)

    def fault(self, code: str) -> None:
        """The reader refused the card."""
        self._person.fault(code)

    def painted(self) -> None:
        """A frame has been painted; a recorded pickup in it has now been shown."""
        self._pickup.painted()
        self._person.painted()

    @Slot(str, str)
    def findCard(self, card_no: str, reason: str) -> None:
        """F2: open a person by the card number, with a reason."""
        if self._desk.session is None or self._desk.stage != "find":
            return
        if not card_no.strip() or not reason.strip():
            self._desk.say("fill_in")
            return
        self._person.find(card_no.strip(), reason.strip())

    # keys and buttons

    @Slot()
    def enter(self) -> None:
        """Enter: go on with what is on the screen."""
        steps = {
            "person": self._pickup.choose,
            "confirm": self._pickup.confirm,
            "recorded": self._pickup.finish,
            "void": self._corrections.void,
            "adopt": self._adoption.confirm,
        }
        if self._desk.stage in steps:
            steps[self._desk.stage]()

    @Slot()
    def back(self) -> None:
        """Esc: one step back."""
        stage = self._desk.stage
        if stage == "signin":
            self._sign_in.cancel()
        elif stage == "confirm":
            self._pickup.cancel()
        elif stage in ("find", "void", "date", "adopt"):
            self._day.end_void()
            self._desk.step_back()
        elif stage == "recorded":
            self._pickup.finish()
        elif stage == "unshown":
            self._desk.become("waiting")
        elif stage in ("person", "waiting"):
            self._person.drop()
            self._desk.become("waiting")

    @Slot(int)
    def select(self, position: int) -> None:
        """Choose a program of the person."""
        self._person.select(position)

    @Slot(int)
    def selectNext(self, step: int) -> None:
        """Choose the next (1) or previous (-1) program."""
        self._person.select_next(step)

    @Slot()
    def revealBirth(self) -> None:
        """Show the birth date; goes into the journal."""
        self._person.reveal_birth()

    @Slot()
    def openFind(self) -> None:
        """F2: look for a card number."""
        if self._desk.stage in ("waiting", "person"):
            self._desk.step_aside("find")

    @Slot()
    def openAdopt(self) -> None:
        """F7: bind the old card that was tapped."""
        self._adoption.open()

    @Slot()
    def openDate(self) -> None:
        """F6: say which day it is."""
        self._date.open()

    @Slot(str)
    def confirmDate(self, day: str) -> None:
        """It is this day (ISO)."""
        self._date.confirm(day)

    @Slot()
    def voidLast(self) -> None:
        """Ctrl+Z: void this officer's last entry."""
        if self._desk.session is not None:
            pickup = self._day.last_own(self._desk.session)
            if pickup is None:
                self._desk.say("nothing_to_void")
            else:
                self.voidEntry(pickup.ref)

    @Slot(str)
    def voidEntry(self, ref: str) -> None:
        """Open the void form for an entry of today's list."""
        pickup = self._day.find(ref)
        if pickup is None or pickup.voided:
            return
        self._pickup.finish()
        if self._desk.stage in ("waiting", "person", "void"):
            self._corrections.open(pickup)

    @Slot(bool)
    def answerUnshown(self, handed_over: bool) -> None:
        """Say whether the first asked-about pickup was handed over."""
        if self._desk.stage == "unshown":
            self._corrections.answer(handed_over)
