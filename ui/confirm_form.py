"""The form before a pickup is recorded, as QML sees it."""

from __future__ import annotations

from PySide6.QtCore import Property, QObject, Signal, Slot
from PySide6.QtQml import QmlElement

from kiosk.values import Text, Visit, VisitRow
from ui.confirm_entry import ConfirmEntry
from ui.rows import Rows

QML_IMPORT_NAME = "Kmc.Models"
QML_IMPORT_MAJOR_VERSION = 1


@QmlElement
class ConfirmForm(QObject):
    """The form behind 'Serahkan … kepada …?'; ``missing`` is empty when Enter may record."""

    changed = Signal()
    checksDone = Signal()
    """The last check was ticked: the row's state may be asked for again."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._entry: ConfirmEntry | None = None
        self._collectors = Rows({"kind": "", "name": "", "relation": "", "chosen": False}, self)
        self._checks = Rows({"code": "", "ticked": False}, self)

    def open(self, visit: Visit, row: VisitRow) -> None:
        """Begin afresh for one program of one visit."""
        self._entry = ConfirmEntry(visit, row)
        self._update()

    def close(self) -> None:
        """Forget everything that was entered."""
        self._entry = None
        self._update()

    @property
    def entry(self) -> ConfirmEntry | None:
        """What is entered so far; None while the form is closed."""
        return self._entry

    @Property(QObject, constant=True)
    def collectors(self) -> Rows:
        """Who may collect."""
        return self._collectors

    @Property(QObject, constant=True)
    def checkRows(self) -> Rows:
        """What the program asks to check."""
        return self._checks

    @Property(str, notify=changed)
    def collectorKind(self) -> str:
        """``holder``, ``guardian`` or ``representative``."""
        who = self._entry.who() if self._entry else None
        return who.kind if who else ""

    @Property(str, notify=changed)
    def collectorName(self) -> str:
        """Who takes it away."""
        return self._entry.collector().name if self._entry else ""

    @Property(str, notify=changed)
    def holderName(self) -> str:
        """Whose card it is."""
        return self._entry.visit.full_name if self._entry else ""

    @Property(str, notify=changed)
    def giftId(self) -> str:
        """What is handed out, in Indonesian: ``10 kg beras``."""
        return self._gift().id

    @Property(str, notify=changed)
    def giftEn(self) -> str:
        """What is handed out, in English."""
        return self._gift().en

    @Property(str, notify=changed)
    def number(self) -> str:
        """The quantity as typed."""
        return self._entry.number if self._entry else ""

    @Property(str, notify=changed)
    def amountId(self) -> str:
        """The quantity in Indonesian: ``2,5 kg``."""
        return self._amount().id

    @Property(str, notify=changed)
    def amountEn(self) -> str:
        """The quantity in English: ``2.5 kg``."""
        return self._amount().en

    @Property(bool, notify=changed)
    def isLess(self) -> bool:
        """Less than what is left is being handed out."""
        return self._entry is not None and self._entry.is_less()

    @Property(bool, notify=changed)
    def closesRight(self) -> bool:
        """Less than all closes the right, and needs a reason."""
        return self._entry is not None and self._entry.closes_right()

    @Property(str, notify=changed)
    def representativeName(self) -> str:
        """Name of the representative."""
        return self._entry.name if self._entry else ""

    @Property(str, notify=changed)
    def letter(self) -> str:
        """Number of the representative's letter."""
        return self._entry.letter if self._entry else ""

    @Property(str, notify=changed)
    def reason(self) -> str:
        """Why less than all is handed out."""
        return self._entry.reason if self._entry else ""

    @Property(str, notify=changed)
    def missing(self) -> str:
        """What still keeps Enter from recording (``what_is_missing``); ``row`` while the form is closed."""
        return self._entry.what_is_missing() if self._entry else "row"

    @Slot(int)
    def choose(self, position: int) -> None:
        """Choose who collects."""
        if self._entry and 0 <= position < len(self._entry.collectors):
            self._entry.chosen = position
            self._update()

    @Slot(int)
    def chooseNext(self, step: int) -> None:
        """Choose the next (1) or previous (-1) who may collect."""
        if self._entry and self._entry.collectors:
            self.choose((self._entry.chosen + step) % len(self._entry.collectors))

    @Slot(int)
    def tick(self, position: int) -> None:
        """Tick or untick one check."""
        asked = self._entry.checks_asked if self._entry else ()
        if self._entry and 0 <= position < len(asked):
            self._entry.ticked ^= {asked[position]}
            self._update()
            if set(asked) <= self._entry.ticked:
                self.checksDone.emit()

    @Slot(str)
    def setNumber(self, text: str) -> None:
        """Type the quantity."""
        if self._entry:
            self._entry.number = text
            self._update()

    @Slot(int)
    def step(self, by: int) -> None:
        """One shown unit more (1) or less (-1)."""
        if self._entry:
            at = self._entry.quantity() or self._entry.row.quantity
            to = at + by * self._entry.amount.per_shown
            if 0 < to <= self._entry.row.quantity:
                self.setNumber(self._entry.amount.number(to))

    @Slot(str)
    def setRepresentativeName(self, text: str) -> None:
        """Type the representative's name."""
        if self._entry:
            self._entry.name = text
            self._update()

    @Slot(str)
    def setLetter(self, text: str) -> None:
        """Type the letter's number."""
        if self._entry:
            self._entry.letter = text
            self._update()

    @Slot(str)
    def setReason(self, text: str) -> None:
        """Type why less than all is handed out."""
        if self._entry:
            self._entry.reason = text
            self._update()

    def _amount(self) -> Text:
        quantity = self._entry.quantity() if self._entry else None
        return self._entry.amount.text(quantity) if self._entry and quantity else Text("", "")

    def _gift(self) -> Text:
        amount = self._amount()
        if not self._entry or not amount.id:
            return amount
        benefit = self._entry.row.benefit
        return Text(f"{amount.id} {benefit.id}".strip(), f"{amount.en} {benefit.en}".strip())

    def _update(self) -> None:
        entry = self._entry
        self._collectors.show(
            [
                {
                    "kind": who.kind,
                    "name": who.name,
                    "relation": entry.relation(who),
                    "chosen": position == entry.chosen,
                }
                for position, who in enumerate(entry.collectors)
            ]
            if entry
            else []
        )
        asked = entry.checks_asked if entry else ()
        self._checks.show([{"code": code, "ticked": code in entry.ticked} for code in asked] if entry else [])
        self.changed.emit()
