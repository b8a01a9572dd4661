"""What the screens ask of the counter; the domain's ``Counter`` fills it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from datetime import date
from typing import Any, Literal, Protocol

from kiosk.adopting import OldCard
from kiosk.values import CardRead, Checks, Collector, KioskStatus, OfficerSession, Pickup, Visit

Goods = Literal["never_left", "returned"]
Revealed = Literal["nik", "birth"]
NO_CHECKS = Checks()


class CounterPort(Protocol):
    """Made, called and closed in one worker thread only; calls raise the families of ``kiosk.errors``."""

    def prepare(self) -> None:
        """Do ahead what the first read would wait for."""

    def read(self, read: CardRead, session: OfficerSession | None = None) -> Visit:
        """Trust a card and list its programs. Raises CardFault, EnvironmentFault."""

    def look_up(self, visit: Visit) -> Sequence[Future[Any]]:
        """Ask whose card this is, in the background, of a visit that is ``asking``; then refresh."""

    def read_typed(self, card_no: str, session: OfficerSession, reason: str) -> Visit:
        """The same for a card number an officer typed. Raises CardFault, OfficerFault."""

    def refresh(self, visit: Visit, session: OfficerSession | None, checks: Checks = NO_CHECKS) -> Visit:
        """The visit with its states as of now."""

    def acquire(self, visit: Visit, session: OfficerSession) -> Sequence[Future[Any]]:
        """Ask for the rights that lie elsewhere, in the background; refresh as each future is done."""

    def leave(self, visit: Visit) -> None:
        """The card's session ended; what was acquired and not used goes back."""

    def badge_owner(self, read: CardRead) -> str:
        """User name of the officer whose badge this is. Raises CardFault, OfficerFault not_a_badge."""

    def adopt(self, card: OldCard, card_no: str, session: OfficerSession, *, identity_checked: bool) -> int:
        """Bind a card from before this system to a holder. Raises OfficerFault."""

    def sign_in(self, username: str, pin: str, badge: CardRead | None = None) -> OfficerSession:
        """Raises OfficerFault: wrong_pin and locked_out (detail wait_s), unknown_officer, officer_stale,
        badge_needed, wrong_badge; CardFault for a badge that does not hold.
        """

    def sign_out(self, session: OfficerSession) -> None:
        """End an officer's session."""

    def confirm(
        self,
        visit: Visit,
        program_id: str,
        quantity: int,
        collector: Collector,
        checks: Checks,
        session: OfficerSession,
        reason: str = "",
    ) -> Pickup:
        """Record a pickup, durable before it returns. Raises OfficerFault."""

    def mark_shown(self, ref: str) -> None:
        """The officer has seen this pickup recorded."""

    def void(self, ref: str, goods: Goods, reason: str, session: OfficerSession) -> Pickup:
        """Take a pickup back. Raises OfficerFault."""

    def unshown(self) -> Sequence[Pickup]:
        """Pickups recorded before an unclean stop that no officer saw."""

    def answer_unshown(self, ref: str, handed_over: bool, session: OfficerSession) -> None:
        """Say whether such a pickup was handed over."""

    def today(self, session: OfficerSession) -> Sequence[Pickup]:
        """Today's pickups of this kiosk, newest first."""

    def assert_clock(self, day: date, session: OfficerSession) -> str:
        """A supervisor confirms the local date; answers the local ISO time that counts now.

        Raises OfficerFault.
        """

    def status(self) -> KioskStatus:
        """The kiosk itself: place, connection, records waiting."""

    def reveal(self, visit: Visit, what: Revealed, session: OfficerSession) -> str:
        """Show what is hidden by default; goes into the journal."""
