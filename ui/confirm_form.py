"""What an officer settles before a pickup is recorded: who collects, what was checked, how much."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Property, QObject, Signal, Slot
from PySide6.QtQml import QmlElement

from kiosk.values import Checks, Collector, StateCode, Text, Visit, VisitRow
from ui.amounts import Amount, amount_of
from ui.rows import Rows

QML_IMPORT_NAME = "Kmc.Models"
QML_IMPORT_MAJOR_VERSION = 1

PHOTO_AND_KTP = "photo_and_ktp"


@dataclass(frozen=True, slots=True)
class _Open:
    visit: Visit
    row: VisitRow
    amount: Amount
    collectors: tuple[Collector, ...]
    checks: tuple[str, ...]


@QmlElement
class ConfirmForm(QObject):
    """The form behind 'Serahkan … kepada …?'; ``missing`` is empty when Enter may record."""

    changed = Signal()
    checksDone = Signal()
    """The last check was ticked: the row's state may be asked for again."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._open: _Open | None = None
        self._chosen = 0
        self._ticked: set[str] = set()
        self._name = ""
        self._letter = ""
        self._number = ""
        self._reason = ""
        self._collectors = Rows({"kind": "", "name": "", "relation": "", "chosen": False}, self)
        self._checks = Rows({"code": "", "ticked": False}, self)

    def open(self, visit: Visit, row: VisitRow) -> None:
        """Begin afresh for one program of one visit."""
        collectors: list[Collector] = []
        for kind in row.collectors:
            if kind == "holder":
                collectors.append(Collector("holder", visit.holder_id, visit.full_name))
            elif kind == "guardian":
                collectors += [Collector("guardian", g.holder_id, g.name) for g in visit.guardians]
            elif kind == "representative":
                collectors.append(Collector("representative"))
        checks = list(row.documents)
        if row.state.code is StateCode.GRADE_TOO_LOW and row.officer_check_lifts:
            checks.insert(0, PHOTO_AND_KTP)
        self._open = _Open(visit, row, amount_of(row), tuple(collectors), tuple(checks))
        self._chosen = 0
        self._ticked = set(visit.documents_seen) & set(checks)
        self._name = self._letter = self._reason = ""
        self._number = self._open.amount.number(row.quantity)
        self._update()

    def close(self) -> None:
        """Forget everything that was entered."""
        self._open = None
        self._ticked = set()
        self._name = self._letter = self._number = self._reason = ""
        self._update()

    @property
    def row(self) -> VisitRow | None:
        """The program being confirmed."""
        return self._open.row if self._open else None

    def quantity(self) -> int | None:
        """Smallest units to hand out, or None if the number is none or more than is left."""
        if self._open is None:
            return None
        quantity = self._open.amount.parse(self._number)
        return quantity if quantity is not None and quantity <= self._open.row.quantity else None

    def collector(self) -> Collector:
        """Who collects, as entered."""
        chosen = self._collector()
        if chosen is None:
            return Collector()
        if chosen.kind == "representative":
            return Collector("representative", 0, self._name.strip(), self._letter.strip())
        return chosen

    def checks(self) -> Checks:
        """What was checked, as ticked."""
        return Checks(
            tuple(code for code in self._checks_asked() if code in self._ticked and code != PHOTO_AND_KTP),
            PHOTO_AND_KTP in self._ticked,
        )

    def closing_reason(self) -> str:
        """Why less than all is handed out; empty when nothing is closed by it."""
        return self._reason.strip() if self.closes_right() else ""

    def closes_right(self) -> bool:
        """Less than all is handed out under a program that does not keep the rest."""
        return self._open is not None and not self._open.row.partial and self._less()

    def what_is_missing(self) -> str:
        """row, collector, name, letter, quantity, reason or a check's code; empty if all is there."""
        if self._open is None:
            return "row"
        chosen = self._collector()
        if chosen is None:
            return "collector"
        if chosen.kind == "representative":
            if not self._name.strip():
                return "name"
            if not self._letter.strip():
                return "letter"
        for code in self._checks_asked():
            if code not in self._ticked:
                return code
        if self.quantity() is None:
            return "quantity"
        if self.closes_right() and not self._reason.strip():
            return "reason"
        return ""

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
        chosen = self._collector()
        return chosen.kind if chosen else ""

    @Property(str, notify=changed)
    def collectorName(self) -> str:
        """Who takes it away."""
        return self.collector().name

    @Property(str, notify=changed)
    def holderName(self) -> str:
        """Whose card it is."""
        return self._open.visit.full_name if self._open else ""

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
        return self._number

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
        return self._less()

    @Property(bool, notify=changed)
    def closesRight(self) -> bool:
        """Less than all closes the right, and needs a reason."""
        return self.closes_right()

    @Property(str, notify=changed)
    def representativeName(self) -> str:
        """Name of the representative."""
        return self._name

    @Property(str, notify=changed)
    def letter(self) -> str:
        """Number of the representative's letter."""
        return self._letter

    @Property(str, notify=changed)
    def reason(self) -> str:
        """Why less than all is handed out."""
        return self._reason

    @Property(str, notify=changed)
    def missing(self) -> str:
        """What still keeps Enter from recording (``what_is_missing``)."""
        return self.what_is_missing()

    @Slot(int)
    def choose(self, position: int) -> None:
        """Choose who collects."""
        if self._open and 0 <= position < len(self._open.collectors):
            self._chosen = position
            self._update()

    @Slot(int)
    def chooseNext(self, step: int) -> None:
        """Choose the next (1) or previous (-1) who may collect."""
        if self._open and self._open.collectors:
            self.choose((self._chosen + step) % len(self._open.collectors))

    @Slot(int)
    def tick(self, position: int) -> None:
        """Tick or untick one check."""
        asked = self._checks_asked()
        if 0 <= position < len(asked):
            self._ticked ^= {asked[position]}
            self._update()
            if set(asked) <= self._ticked:
                self.checksDone.emit()

    @Slot(str)
    def setNumber(self, text: str) -> None:
        """Type the quantity."""
        self._number = text
        self._update()

    @Slot(int)
    def step(self, by: int) -> None:
        """One shown unit more (1) or less (-1)."""
        if self._open is not None:
            at = self.quantity() or self._open.row.quantity
            to = at + by * self._open.amount.per_shown
            if 0 < to <= self._open.row.quantity:
                self.setNumber(self._open.amount.number(to))

    @Slot(str)
    def setRepresentativeName(self, text: str) -> None:
        """Type the representative's name."""
        self._name = text
        self._update()

    @Slot(str)
    def setLetter(self, text: str) -> None:
        """Type the letter's number."""
        self._letter = text
        self._update()

    @Slot(str)
    def setReason(self, text: str) -> None:
        """Type why less than all is handed out."""
        self._reason = text
        self._update()

    def _less(self) -> bool:
        quantity = self.quantity()
        return self._open is not None and quantity is not None and quantity < self._open.row.quantity

    def _collector(self) -> Collector | None:
        if self._open is None or not self._open.collectors:
            return None
        return self._open.collectors[self._chosen]

    def _checks_asked(self) -> tuple[str, ...]:
        return self._open.checks if self._open else ()

    def _amount(self) -> Text:
        quantity = self.quantity()
        if self._open is None or quantity is None:
            return Text("", "")
        return self._open.amount.text(quantity)

    def _gift(self) -> Text:
        quantity = self.quantity()
        if self._open is None or quantity is None:
            return Text("", "")
        amount, benefit = self._open.amount.text(quantity), self._open.row.benefit
        return Text(f"{amount.id} {benefit.id}".strip(), f"{amount.en} {benefit.en}".strip())

    def _update(self) -> None:
        relations = {g.holder_id: g.relation for g in self._open.visit.guardians} if self._open else {}
        self._collectors.show(
            [
                {
                    "kind": who.kind,
                    "name": who.name,
                    "relation": relations.get(who.holder_id, "") if who.kind == "guardian" else "",
                    "chosen": position == self._chosen,
                }
                for position, who in enumerate(self._open.collectors if self._open else ())
            ]
        )
        self._checks.show([{"code": c, "ticked": c in self._ticked} for c in self._checks_asked()])
        self.changed.emit()
