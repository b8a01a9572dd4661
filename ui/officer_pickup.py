"""One pickup at the officer's counter: chosen, confirmed, recorded, and painted as recorded."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from kiosk.errors import KioskError
from kiosk.values import Pickup
from ui.confirm_form import ConfirmForm
from ui.day_list import DayList
from ui.officer_corrections import OfficerCorrections
from ui.officer_desk import OfficerDesk
from ui.officer_person import OfficerPerson
from ui.program_rows import is_choosable


class OfficerPickup(QObject):
    """From the chosen program to "Tercatat"; until that is painted nothing takes it off the screen."""

    confirmSent = Signal()
    recordedSet = Signal()
    """A pickup is on the screen as recorded."""

    def __init__(
        self,
        desk: OfficerDesk,
        person: OfficerPerson,
        corrections: OfficerCorrections,
        form: ConfirmForm,
        day: DayList,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._desk = desk
        self._person = person
        self._corrections = corrections
        self._form = form
        self._day = day
        self.recorded: Pickup | None = None
        """The pickup just recorded."""
        person.dropped.connect(self._forget)

    def choose(self) -> None:
        """Go on with the chosen program."""
        visit, row = self._person.visit, self._person.selected_row()
        if visit is None or row is None:
            return
        if is_choosable(row):
            self._form.open(visit, row)
            self._desk.become("confirm")
        else:
            self._desk.say("not_now")
            self._desk.feedback.emit("attention")

    def cancel(self) -> None:
        """Back from the question to the person."""
        self._form.close()
        self._desk.become("person")

    def confirm(self) -> None:
        """Record what the form says, if it is complete."""
        visit, session, entry = self._person.visit, self._desk.session, self._form.entry
        if visit is None or session is None or entry is None:
            return
        quantity = entry.quantity()
        if entry.what_is_missing() or quantity is None:
            self._desk.say("missing")
            self._desk.feedback.emit("attention")
            return
        program_id, collector, checks = entry.row.program_id, entry.collector(), entry.checks()
        reason = entry.reason.strip() if entry.closes_right() else ""
        self.confirmSent.emit()
        self._desk.become("recording")
        self._desk.worker.ask(
            lambda counter: counter.confirm(visit, program_id, quantity, collector, checks, session, reason),
            self._confirmed,
            self._not_confirmed,
        )

    def painted(self) -> None:
        """A frame has been painted; a recorded pickup in it has now been shown."""
        ref, self._desk.unpainted = self._desk.unpainted, ""
        if ref:
            self._desk.alarms.set("recorded", self._desk.timing.recorded_s, self.finish)
            self._desk.worker.tell(lambda counter: counter.mark_shown(ref), "marking a pickup as shown")
            self._corrections.reload_day()
            self._person.refresh()
            self._desk.journalChanged.emit()
            self._desk.freed.emit()

    def finish(self) -> None:
        """From "Tercatat" back to the person."""
        if self._desk.stage != "recorded" or self._desk.unpainted:
            return
        self._desk.alarms.cancel("recorded")
        self.recorded = None
        self._form.close()
        self._person.select_first()
        self._desk.become("person" if self._person.visit is not None else "waiting")

    def _confirmed(self, pickup: Pickup) -> None:
        self.recorded = pickup
        self._desk.unpainted = pickup.ref
        self._day.highlight(pickup.ref)
        self._desk.become("recorded")
        self._desk.feedback.emit("ok")
        self.recordedSet.emit()

    def _not_confirmed(self, fault: KioskError) -> None:
        if fault.code == "already_taken":
            self.cancel()
        else:
            self._desk.become("confirm")
        self._desk.refused(fault)
        self._person.refresh()
        self._desk.freed.emit()

    @Slot()
    def _forget(self) -> None:
        self.recorded = None
        self._desk.alarms.cancel("recorded")
