"""What is put right afterwards at the officer's counter: voids, and pickups recorded that nobody saw."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from PySide6.QtCore import QObject

from kiosk.errors import KioskError
from kiosk.values import KioskStatus, Pickup
from ui.day_list import PICKUP_ROW, DayList, pickup_row
from ui.officer_desk import OfficerDesk
from ui.officer_person import OfficerPerson
from ui.rows import Rows

LOG = logging.getLogger(__name__)


class OfficerCorrections(QObject):
    """Keeps today's list fresh; both the entry and its void stay in the journal."""

    def __init__(self, desk: OfficerDesk, person: OfficerPerson, day: DayList, parent: QObject) -> None:
        super().__init__(parent)
        self._desk = desk
        self._person = person
        self._day = day
        self.asked = Rows(PICKUP_ROW, self)
        self._unshown: tuple[Pickup, ...] = ()
        self._waiting = 0

    def open(self, pickup: Pickup) -> None:
        """Ask what became of the goods of this entry, and why it is voided."""
        self._day.begin_void(pickup)
        if self._desk.stage == "void":
            self._desk.become("void")
        else:
            self._desk.step_aside("void")

    def void(self) -> None:
        """Void the entry that the form is open for."""
        session, pickup, goods = self._desk.session, self._day.voiding, self._day.goods
        reason = self._day.reason
        if session is None or pickup is None:
            return
        if not reason:
            self._desk.say("reason")
            return
        ref = pickup.ref
        self._desk.become("voiding")
        self._desk.worker.ask(
            lambda counter: counter.void(ref, goods, reason, session), self._voided, self._not_voided
        )

    def answer(self, handed_over: bool) -> None:
        """Say whether the first asked-about pickup was handed over."""
        session = self._desk.session
        if session is None or not self._unshown or self._desk.busy:
            return
        ref = self._unshown[0].ref
        self._desk.wait()
        self._desk.worker.ask(
            lambda counter: counter.answer_unshown(ref, handed_over, session),
            self._answered,
            self._desk.refused,
        )

    def reload_day(self) -> None:
        """Read today's list again."""
        session = self._desk.session
        if session is not None:
            self._desk.worker.ask(
                lambda counter: counter.today(session), self._day_loaded, self._desk.refused
            )

    def follow_sync(self, status: KioskStatus) -> None:
        """Read today's list again while it shows entries as waiting that may have reached central since."""
        moved, self._waiting = status.waiting != self._waiting, status.waiting
        session = self._desk.session
        if session is None or self._desk.is_recording or not self._day.has_waiting():
            return
        if moved or status.online:
            self._desk.worker.ask(
                lambda counter: counter.today(session), self._day_loaded, self._not_followed
            )

    def reload_unshown(self) -> None:
        """Read again which pickups to ask about."""
        self._desk.worker.ask(lambda counter: counter.unshown(), self._unshown_loaded, self._desk.refused)

    def clear(self) -> None:
        """The officer has left: nothing of the day stays on the screen."""
        self._day.end_void()
        self._day.show(())
        self.asked.show([])

    def _voided(self, _: Pickup) -> None:
        self._day.end_void()
        self._desk.step_back()
        self._desk.say("voided")
        self._desk.feedback.emit("ok")
        self.reload_day()
        self._person.refresh()
        self._desk.journalChanged.emit()
        self._desk.freed.emit()

    def _not_voided(self, fault: KioskError) -> None:
        self._desk.become("void")
        self._desk.refused(fault)
        self._desk.freed.emit()

    def _answered(self, _: None) -> None:
        self._desk.busy = False
        self.reload_unshown()
        self.reload_day()
        self._desk.journalChanged.emit()

    def _day_loaded(self, pickups: Sequence[Pickup]) -> None:
        if self._desk.session is not None:
            self._day.show(pickups)
            self._person.show_rows()

    def _not_followed(self, fault: KioskError) -> None:
        # Nobody asked for it: what the officer does next says it on the screen.
        LOG.warning("today's list: %s", fault.code)

    def _unshown_loaded(self, pickups: Sequence[Pickup]) -> None:
        if self._desk.session is None:
            return
        self._unshown = tuple(pickups)
        self.asked.show([pickup_row(pickup) for pickup in self._unshown])
        if self._unshown and self._desk.stage in ("waiting", "unshown"):
            self._desk.become("unshown")
        elif self._desk.stage == "unshown":
            self._desk.become("waiting")
