"""The kiosk itself as the screens see it: readers, connection, language, and whose screen it is."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from PySide6.QtCore import Property, QObject, Signal, Slot
from PySide6.QtQml import QmlElement

from kiosk.errors import KioskError
from kiosk.values import KioskStatus
from ui.citizen_model import CitizenModel
from ui.events import ReaderNotice
from ui.officer_model import OfficerModel
from ui.schedule import Alarms, Schedule
from ui.timing import Timing
from ui.worker import CounterWorker

QML_IMPORT_NAME = "Kmc.Models"
QML_IMPORT_MAJOR_VERSION = 1

LOG = logging.getLogger(__name__)


@QmlElement
class KioskModel(QObject):
    """Hands what the readers see to whoever has the screen, and keeps what both screens say of the kiosk."""

    changed = Signal()
    languageChanged = Signal()
    statusRead = Signal()
    """The kiosk's own state is known (again)."""

    def __init__(
        self,
        worker: CounterWorker,
        schedule: Schedule,
        timing: Timing,
        citizen: CitizenModel,
        officer: OfficerModel,
        now: Callable[[], datetime],
        zone: ZoneInfo,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._worker = worker
        self._timing = timing
        self._alarms = Alarms(schedule)
        self._citizen = citizen
        self._officer = officer
        self._now = now
        self._zone = zone
        self._language = "id"
        self._readers: dict[str, str] = {}
        self._status: KioskStatus | None = None
        self._broken = ""
        citizen.languageReset.connect(self._reset_language)
        officer.signedIn.connect(self._officer_came)
        officer.signedOut.connect(self._officer_left)
        officer.journalChanged.connect(self.readStatus)
        worker.opened.connect(self.readStatus)
        worker.failed.connect(self._counter_failed)

    @Property(str, notify=languageChanged)
    def language(self) -> str:
        """``id`` or ``en``."""
        return self._language

    @Property(bool, notify=changed)
    def tapReady(self) -> bool:
        """A reader for cards works."""
        return self._works("nfc")

    @Property(bool, notify=changed)
    def qrReady(self) -> bool:
        """A camera for QR codes works."""
        return self._works("qr")

    @Property(bool, notify=changed)
    def cameraLost(self) -> bool:
        """There should be a camera for QR codes, and none works."""
        return not self._works("qr") and any(name.partition(":")[0] == "qr" for name in self._readers)

    @Property(str, notify=changed)
    def readerFault(self) -> str:
        """Code of the first reader that does not work; empty if all do."""
        return next((code for code in self._readers.values() if code), "")

    @Property(str, notify=changed)
    def point(self) -> str:
        """Name of the service point."""
        return self._status.point if self._status else ""

    @Property(str, notify=changed)
    def counter(self) -> str:
        """Label of this counter."""
        return self._status.counter if self._status else ""

    @Property(str, notify=changed)
    def kioskId(self) -> str:
        """Id of this kiosk."""
        return self._status.kiosk if self._status else ""

    @Property(bool, notify=changed)
    def isDemonstration(self) -> bool:
        """Nothing here is real."""
        return self._status is not None and self._status.mode.value == "demonstration"

    @Property(bool, notify=changed)
    def online(self) -> bool:
        """Central can be reached."""
        return self._status is not None and self._status.online

    @Property(int, notify=changed)
    def waiting(self) -> int:
        """Records that central has not acknowledged yet."""
        return self._status.waiting if self._status else 0

    @Property(str, notify=changed)
    def frozen(self) -> str:
        """Code of what keeps this kiosk from dispensing."""
        return self._broken or (self._status.frozen if self._status else "")

    @Property(bool, notify=changed)
    def dateInDoubt(self) -> bool:
        """The kiosk is unsure of the date."""
        return self._status is not None and "date_in_doubt" in self._status.warnings

    @Property(int, notify=changed)
    def loading(self) -> int:
        """Percent of a load of all data that is on its way; -1 if none is."""
        loading = self._status.loading if self._status else None
        return -1 if loading is None else loading

    @Property(bool, notify=changed)
    def unshownOverdue(self) -> bool:
        """A pickup that nobody saw recorded waits for a supervisor's answer for a day and more."""
        return self._status is not None and "unshown_overdue" in self._status.warnings

    @Property(bool, notify=changed)
    def statusKnown(self) -> bool:
        """The kiosk's own state has been read."""
        return self._status is not None

    @Property(str, notify=changed)
    def dataAt(self) -> str:
        """Local ISO minute of the last successful sync, such as ``2026-11-23T08:10``; empty if never."""
        at = self._data_at()
        return at.strftime("%Y-%m-%dT%H:%M") if at else ""

    @Property(int, notify=changed)
    def dataAgeMinutes(self) -> int:
        """Minutes since the last successful sync; -1 if never."""
        at = self._data_at()
        return -1 if at is None else max(0, int((self._now() - at).total_seconds() // 60))

    @Property(str, notify=changed)
    def today(self) -> str:
        """Local ISO date."""
        return self._now().astimezone(self._zone).date().isoformat()

    @Property(str, notify=changed)
    def clockText(self) -> str:
        """Local time of day, ``08:10``."""
        return self._now().astimezone(self._zone).strftime("%H:%M")

    @Slot(str)
    def setLanguage(self, language: str) -> None:
        """Choose ``id`` or ``en``; a citizen's choice lasts for the session."""
        if language in ("id", "en") and language != self._language:
            self._language = language
            self.languageChanged.emit()

    @Slot()
    def touched(self) -> None:
        """A key or a touch anywhere on the screen."""
        if self._officer.has_screen():
            self._officer.touched()
        else:
            self._citizen.active()

    @Slot()
    def openSignIn(self) -> None:
        """F4 or the button on the citizen's screen."""
        self._citizen.finish()
        self._officer.openSignIn()

    @Slot()
    def readStatus(self) -> None:
        """Read the kiosk's own state now, and again after a while."""
        self._alarms.set("status", self._timing.status_s, self.readStatus)
        self._worker.ask(lambda counter: counter.status(), self._status_read, self._status_failed)

    def language_now(self) -> str:
        """``id`` or ``en``."""
        return self._language

    def take(self, notice: ReaderNotice) -> None:
        """Hand on what a reader saw."""
        if notice.kind in ("ready", "gone"):
            name = notice.reader or notice.source
            self._readers[name] = "" if notice.kind == "ready" else notice.code or "reader_gone"
            faults = list(self._readers.values())
            self._citizen.set_reader_fault(faults[0] if faults and all(faults) else "")
            if notice.kind == "gone":
                self._citizen.lifted()
            self.changed.emit()
        elif self._officer.has_screen():
            if notice.kind == "read" and notice.read is not None:
                self._officer.read(notice.read)
            elif notice.kind == "fault":
                self._officer.fault(notice.code)
        elif notice.kind == "reading":
            self._citizen.begin_reading()
        elif notice.kind == "hint":
            self._citizen.set_hint(notice.code, notice.region)
        elif notice.kind == "lifted":
            self._citizen.lifted()
        elif notice.kind == "fault":
            self._citizen.fault(notice.code)
        elif notice.read is not None:
            self._citizen.read(notice.read)

    def _works(self, kind: str) -> bool:
        """Any reader of this kind, ``nfc`` or ``qr``, works."""
        return any(not code for name, code in self._readers.items() if name.partition(":")[0] == kind)

    def _data_at(self) -> datetime | None:
        if self._status is None or not self._status.data_as_of:
            return None
        at = datetime.fromisoformat(self._status.data_as_of)
        return at.astimezone(self._zone) if at.tzinfo else at.replace(tzinfo=self._zone)

    def _status_read(self, status: KioskStatus) -> None:
        self._status = status
        self._broken = ""
        self._citizen.set_out_of_order(bool(status.frozen))
        self._officer.status_read(status)
        self.changed.emit()
        self.statusRead.emit()

    def _status_failed(self, fault: KioskError) -> None:
        if fault.code != self._broken:
            LOG.error("reading the kiosk's state: %s", fault.code)
        self._broken = fault.code
        self._citizen.set_out_of_order(True)
        self.changed.emit()

    @Slot(object)
    def _counter_failed(self, fault: KioskError) -> None:
        LOG.error("the counter could not be opened: %s: %s", fault.code, fault.message)
        self._status_failed(fault)
        self.statusRead.emit()

    @Slot()
    def _reset_language(self) -> None:
        self.setLanguage("id")

    @Slot()
    def _officer_came(self) -> None:
        self.setLanguage("id")
        self.readStatus()

    @Slot()
    def _officer_left(self) -> None:
        self.setLanguage("id")
