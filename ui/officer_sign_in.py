"""Who works at this counter: signing in with a PIN, out again, and out by itself when nobody is there."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from kiosk.errors import KioskError
from kiosk.values import CardRead, OfficerSession
from ui.officer_corrections import OfficerCorrections
from ui.officer_desk import OfficerDesk
from ui.officer_person import OfficerPerson


class OfficerSignIn(QObject):
    """Begins and ends the session that the other parts work under."""

    signedIn = Signal()
    signedOut = Signal()

    def __init__(
        self, desk: OfficerDesk, person: OfficerPerson, corrections: OfficerCorrections, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._desk = desk
        self._person = person
        self._corrections = corrections
        self.badge_user = ""
        """User name of the badge that was shown; empty without one."""
        self._badge: CardRead | None = None

    def open(self) -> None:
        """Ask who it is."""
        if self._desk.stage == "off":
            self._desk.become("signin")
            self.touched()

    def show_badge(self, read: CardRead) -> None:
        """A card was shown: whose badge it is stands in the form, and goes with the PIN."""
        if self._desk.stage != "signin" or self._desk.busy:
            return
        self._desk.wait()
        self._desk.worker.ask(
            lambda counter: counter.badge_owner(read),
            lambda username: self._badge_read(read, username),
            self._no_badge,
        )

    def _badge_read(self, read: CardRead, username: str) -> None:
        self._desk.busy = False
        if self._desk.stage == "signin":
            self._badge, self.badge_user = read, username
            self._desk.say("badge_read")
            self._desk.feedback.emit("ok")
            self.touched()

    def _no_badge(self, fault: KioskError) -> None:
        self._desk.refused(fault)
        if fault.code == "not_a_badge":
            # Most likely the next holder's card, too early.
            self._desk.say("sign_in_first")

    def _forget_badge(self) -> None:
        self._badge, self.badge_user = None, ""

    def cancel(self) -> None:
        """Back to the citizen's screen."""
        if self._desk.stage == "signin" and not self._desk.busy:
            self._forget_badge()
            self._desk.alarms.cancel("signin")
            self._desk.become("off")

    def try_pin(self, username: str, pin: str) -> None:
        """Try this user name and PIN."""
        if self._desk.stage != "signin" or self._desk.busy:
            return
        name = username.strip()
        if not name or not pin:
            self._desk.say("fill_in")
            return
        self._desk.busy = True
        self._desk.say("")
        badge = self._badge if name.lower() == self.badge_user else None
        self._desk.worker.ask(
            lambda counter: counter.sign_in(name, pin, badge), self._signed_in, self._desk.refused
        )

    def end(self) -> None:
        """End the session, unless something is just being recorded."""
        session = self._desk.session
        if session is None or self._desk.is_recording:
            return
        self._person.drop()
        self._desk.session = None
        self._desk.alarms.cancel("idle")
        self._corrections.clear()
        self._desk.worker.tell(lambda counter: counter.sign_out(session), "signing out")
        self._desk.become("off")
        self.signedOut.emit()

    def touched(self) -> None:
        """A key or a touch: the officer is there."""
        timing = self._desk.timing
        if self._desk.session is not None:
            self._desk.alarms.set("idle", timing.officer_s, self.end)
        elif self._desk.stage == "signin":
            self._desk.alarms.set("signin", timing.sign_in_s, self.cancel)

    def _signed_in(self, session: OfficerSession) -> None:
        self._desk.busy = False
        self._forget_badge()
        self._desk.session = session
        self._desk.alarms.cancel("signin")
        self.touched()
        self._desk.become("waiting")
        self.signedIn.emit()
        self._corrections.reload_day()
        self._corrections.reload_unshown()
