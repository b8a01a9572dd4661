"""A card from before this system, tapped at the counter: bound to who is, or comes, on the screen."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject

from kiosk.adopting import OldCard, old_card_of
from kiosk.values import CardRead, Grade, Visit
from ui.officer_desk import OfficerDesk
from ui.officer_person import OfficerPerson

KEPT_S = 180.0
"""How long a tapped card waits for its holder to be found."""


@dataclass(frozen=True, slots=True)
class _Tapped:
    """A card without a credential, and whom it was tapped beside."""

    card: OldCard
    read: CardRead
    at_s: float
    beside: Visit | None


class OfficerAdoption(QObject):
    """The ``adopt`` stage: whose card it is was seen, KTP and person are compared, one key binds it."""

    def __init__(self, desk: OfficerDesk, person: OfficerPerson, parent: QObject) -> None:
        super().__init__(parent)
        self._desk = desk
        self._person = person
        self._tapped: _Tapped | None = None

    def note(self, read: CardRead) -> None:
        """A card was tapped; one with a credential ends what was begun with an old one."""
        card = old_card_of(read) if self._desk.session is not None else None
        visit = self._person.visit
        beside = visit if visit is not None and visit.grade is not Grade.LEGACY else None
        now_s = self._desk.schedule.now_s()
        if card is not None:
            self._tapped = _Tapped(card, read, now_s, beside)
        elif read.payload:
            self._tapped = None

    def clear(self) -> None:
        """Nobody is signed in any more."""
        self._tapped = None

    @property
    def holder(self) -> Visit | None:
        """To whom the tapped card can be bound now; None while there is no such card or nobody's name."""
        tapped = self._tapped
        if tapped is None or self._desk.session is None:
            return None
        if self._desk.schedule.now_s() - tapped.at_s > KEPT_S:
            return None
        visit = self._person.visit or tapped.beside
        return visit if visit is not None and visit.holder_id else None

    def open(self) -> None:
        """Ask whether KTP and person were compared."""
        if self.holder is not None and self._desk.stage in ("waiting", "person"):
            self._desk.step_aside("adopt")

    def confirm(self) -> None:
        """They were: bind the card, then open its holder by it."""
        tapped, visit, session = self._tapped, self.holder, self._desk.session
        if tapped is None or visit is None or session is None:
            return
        if self._desk.stage != "adopt" or self._desk.busy:
            return
        self._desk.wait()
        self._desk.worker.ask(
            lambda counter: counter.adopt(tapped.card, visit.card_no, session, identity_checked=True),
            lambda _: self._adopted(tapped.read),
            self._desk.refused,
        )

    def _adopted(self, read: CardRead) -> None:
        self._tapped = None
        self._desk.busy = False
        self._desk.journalChanged.emit()
        if self._desk.stage == "adopt":
            self._desk.step_back()
            self._person.read(read)
