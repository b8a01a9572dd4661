"""What an officer enters before a pickup is recorded, and what of it is still missing."""

from __future__ import annotations

from kiosk.values import Checks, Collector, StateCode, Visit, VisitRow
from ui.amounts import amount_of

PHOTO_AND_KTP = "photo_and_ktp"
"""Code of the check that lifts a grade that is too low, beside the codes of documents."""


class ConfirmEntry:
    """Who collects, what was checked and how much, for one program of one visit."""

    def __init__(self, visit: Visit, row: VisitRow) -> None:
        self.visit = visit
        self.row = row
        self.amount = amount_of(row)
        self.collectors = _who_may_collect(visit, row)
        self.checks_asked = _what_to_check(row)
        self.ticked = set(visit.documents_seen) & set(self.checks_asked)
        self.chosen = 0
        """Position of who collects."""
        self.number = self.amount.number(row.quantity)
        """The quantity as typed."""
        self.name = ""
        """Name of the representative."""
        self.letter = ""
        """Number of the representative's letter."""
        self.reason = ""
        """Why less than all is handed out."""

    def quantity(self) -> int | None:
        """Smallest units to hand out, or None if the number is none or more than is left."""
        quantity = self.amount.parse(self.number)
        return quantity if quantity is not None and quantity <= self.row.quantity else None

    def is_less(self) -> bool:
        """Less than what is left is being handed out."""
        quantity = self.quantity()
        return quantity is not None and quantity < self.row.quantity

    def closes_right(self) -> bool:
        """Less than all is handed out under a program that does not keep the rest."""
        return not self.row.partial and self.is_less()

    def who(self) -> Collector | None:
        """Who collects as chosen from the list; None if nobody may."""
        return self.collectors[self.chosen] if self.collectors else None

    def collector(self) -> Collector:
        """Who collects, with the name and letter of a representative as entered."""
        who = self.who()
        if who is None:
            return Collector()
        if who.kind == "representative":
            return Collector("representative", 0, self.name.strip(), self.letter.strip())
        return who

    def relation(self, who: Collector) -> str:
        """What a guardian is to the holder, such as ``mother``; empty for others."""
        if who.kind != "guardian":
            return ""
        return next((g.relation for g in self.visit.guardians if g.holder_id == who.holder_id), "")

    def checks(self) -> Checks:
        """What was checked, as ticked."""
        seen = tuple(code for code in self.checks_asked if code in self.ticked and code != PHOTO_AND_KTP)
        return Checks(seen, PHOTO_AND_KTP in self.ticked)

    def what_is_missing(self) -> str:
        """collector, name, letter, a check's code, quantity or reason; empty if all is there."""
        who = self.who()
        if who is None:
            return "collector"
        if who.kind == "representative":
            if not self.name.strip():
                return "name"
            if not self.letter.strip():
                return "letter"
        for code in self.checks_asked:
            if code not in self.ticked:
                return code
        if self.quantity() is None:
            return "quantity"
        if self.closes_right() and not self.reason.strip():
            return "reason"
        return ""


def _who_may_collect(visit: Visit, row: VisitRow) -> tuple[Collector, ...]:
    found: list[Collector] = []
    for kind in row.collectors:
        if kind == "holder":
            found.append(Collector("holder", visit.holder_id, visit.full_name))
        elif kind == "guardian":
            found += [Collector("guardian", g.holder_id, g.name) for g in visit.guardians]
        elif kind == "representative":
            found.append(Collector("representative"))
    return tuple(found)


def _what_to_check(row: VisitRow) -> tuple[str, ...]:
    if row.state.code is StateCode.GRADE_TOO_LOW and row.officer_check_lifts:
        return (PHOTO_AND_KTP, *row.documents)
    return tuple(row.documents)
