"""A supervisor says which day it is while the kiosk is unsure of the date."""

from __future__ import annotations

from datetime import date

from PySide6.QtCore import QObject

from kiosk.errors import KioskError
from ui.officer_desk import OfficerDesk


class OfficerDate(QObject):
    """The ``date`` stage: one question, one answer; forward only, and in the journal."""

    def __init__(self, desk: OfficerDesk, parent: QObject) -> None:
        super().__init__(parent)
        self._desk = desk

    def open(self) -> None:
        """Ask which day it is."""
        session = self._desk.session
        if self._desk.stage == "waiting" and session is not None:
            self._desk.step_aside("date")

    def confirm(self, text: str) -> None:
        """It is this day (ISO, ``2026-11-23``)."""
        session = self._desk.session
        if session is None or self._desk.stage != "date" or self._desk.busy:
            return
        try:
            day = date.fromisoformat(text.strip())
        except ValueError:
            self._desk.say("date_malformed")
            return
        self._desk.wait()
        self._desk.worker.ask(
            lambda counter: counter.assert_clock(day, session), self._confirmed, self._refused
        )

    def _confirmed(self, _: str) -> None:
        self._desk.busy = False
        if self._desk.stage == "date":
            self._desk.step_back()
            self._desk.say("date_confirmed")
        self._desk.feedback.emit("ok")
        self._desk.journalChanged.emit()

    def _refused(self, fault: KioskError) -> None:
        self._desk.refused(fault)
