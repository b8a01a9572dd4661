"""Programs as data: the JSON document agencies and central agree on, and what makes one sound."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import combinations
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from kiosk import period
from kiosk.benefit import MAX_QUANTITY, Benefit
from kiosk.errors import CentralFault, OfficerFault
from kiosk.period import Period, PeriodRule, SubjectKind
from kiosk.values import Grade
from kiosk.wording import DocumentText

MAX_DOCUMENT_BYTES = 64 * 1024
"""Longest program document read, in bytes of UTF-8."""

MAX_ID = 2**31 - 1

Slug = Annotated[str, Field(pattern=period.SLUG)]
Id = Annotated[int, Field(ge=1, le=MAX_ID)]
GradeLabel = Literal["legacy", "p0", "p1", "p2", "p3"]
"""Grades a program may ask for; a typed card number is let in by ``typed_allowed`` alone."""
CollectorKind = Literal["holder", "guardian", "representative"]
ProgramMode = Literal["strict", "tolerate", "online_only"]


class GradeAbove(BaseModel):
    """A higher grade asked for when more than ``quantity`` (smallest unit) is handed out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)]
    grade: GradeLabel


class Tolerance(BaseModel):
    """How far a kiosk that is cut off may hand out without the right.

    ``amount`` in the smallest unit and ``count`` of pickups since central last acknowledged; ``days`` since
    then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: Annotated[int, Field(ge=1, le=MAX_QUANTITY)]
    count: Annotated[int, Field(ge=1, le=10_000)]
    days: Annotated[int, Field(ge=1, le=60)]


class Program(BaseModel):
    """One version of a program. ``valid_until`` is the day after its last; points None means all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Slug
    version: Id
    name: DocumentText
    agency_id: Id
    sector: Literal["education", "health", "social", "agriculture", "child_protection"]
    valid_from: date
    valid_until: date | None
    zone: str
    period: PeriodRule
    subject: SubjectKind
    right_group: Slug
    benefit: Benefit
    partial: bool
    documents: Annotated[tuple[Annotated[str, Field(pattern=r"^[a-z0-9_]{2,24}$")], ...], Field(max_length=8)]
    points: Annotated[tuple[Id, ...], Field(min_length=1, max_length=512)] | None
    counter: Annotated[str, Field(max_length=24)]
    least_grade: GradeLabel
    grade_above: GradeAbove | None
    officer_check_lifts: bool
    typed_allowed: bool
    collectors: Annotated[tuple[CollectorKind, ...], Field(min_length=1)]
    sensitive: bool
    mode: ProgramMode
    tolerate: Tolerance | None
    stock: bool = False
    """Handed out only from stock slices that central allotted to the kiosk."""

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        period.zone_named(zone)
        return zone

    @field_validator("documents", "points", "collectors")
    @classmethod
    def _listed_once(cls, items: tuple[object, ...] | None) -> tuple[object, ...] | None:
        if items is not None and len(set(items)) != len(items):
            raise ValueError("lists something twice")
        return items

    @model_validator(mode="after")
    def _parts_agree(self) -> Program:
        if not period.FIRST_DAY <= self.valid_from < period.END_DAY:
            raise ValueError("valid_from lies outside the calendar")
        if self.valid_until is not None and not self.valid_from < self.valid_until <= period.END_DAY:
            raise ValueError("valid_until is the day after the last, and comes after valid_from")
        if (self.mode == "tolerate") != (self.tolerate is not None):
            raise ValueError("mode tolerate, and no other, states its limits in tolerate")
        if self.grade_above is not None and self.grade_above_needed <= self.grade_needed:
            raise ValueError("grade_above asks for a grade above least_grade")
        return self

    @property
    def grade_needed(self) -> Grade:
        """The least grade for a quantity that asks for no more."""
        return Grade.of(self.least_grade)

    @property
    def grade_above_needed(self) -> Grade:
        """The grade for a quantity above the limit; the least grade if there is no limit."""
        return self.grade_needed if self.grade_above is None else Grade.of(self.grade_above.grade)

    @property
    def starts_at(self) -> datetime:
        """The first instant of the program."""
        return period.start_of_day(self.valid_from, self.zone)

    @property
    def ends_at(self) -> datetime | None:
        """The instant from which the program is over; None if no end is set."""
        return None if self.valid_until is None else period.start_of_day(self.valid_until, self.zone)

    def current_period(self, at: datetime) -> Period | None:
        """The period of this program that holds the instant, whether or not the program is valid then."""
        return period.current(self.period, self.zone, at)

    def next_period(self, at: datetime) -> Period | None:
        """The first period that starts after the instant, whether or not the program is valid then."""
        return period.next_after(self.period, self.zone, at)

    def served_at(self, point_id: int) -> bool:
        """True if that service point hands the program out."""
        return self.points is None or point_id in self.points


def parse_program(doc: str) -> Program:
    """The program a JSON document describes.

    Raises CentralFault ``program_malformed``, whose detail ``mistakes`` lists every mistake found at once.
    """
    size = len(doc.encode("utf-8", "surrogatepass"))
    if size > MAX_DOCUMENT_BYTES:
        raise CentralFault("program_malformed", "program document too long", mistakes=[f"{size} bytes"])
    try:
        return Program.model_validate_json(doc, strict=True)
    except ValidationError as fault:
        mistakes = [
            ": ".join(filter(None, (".".join(map(str, error["loc"])), error["msg"])))
            for error in fault.errors(include_url=False, include_input=False, include_context=False)
        ]
        message = "program document refused: " + "; ".join(mistakes)
        raise CentralFault("program_malformed", message, mistakes=mistakes) from fault


def group_conflicts(programs: Iterable[Program]) -> list[str]:
    """Why programs that exclude each other cannot share one right; empty if they can.

    Programs of one right group must divide time alike in one zone, have the same subject and mode (a grant
    carries one), and hand out all or nothing. Versions of one program are not held against each other.
    """
    groups: dict[str, list[Program]] = defaultdict(list)
    for program in programs:
        groups[program.right_group].append(program)
    return [
        f"right group {name}: {conflict}"
        for name, members in sorted(groups.items())
        for conflict in _conflicts_within(sorted(members, key=lambda member: (member.id, member.version)))
    ]


def _conflicts_within(members: Sequence[Program]) -> list[str]:
    if len({member.id for member in members}) < 2:
        return []
    found = [f"{_named(member)} is partial" for member in members if member.partial]
    for one, other in combinations(members, 2):
        if one.id == other.id:
            continue
        pair = f"{_named(one)} and {_named(other)}"
        if not one.period.same_time_as(other.period):
            found.append(f"{pair} have different periods")
        if one.zone != other.zone:
            found.append(f"{pair} have different zones")
        if one.subject != other.subject:
            found.append(f"{pair} have different subjects")
        if one.mode != other.mode:
            found.append(f"{pair} have different modes")
    return found


def _named(program: Program) -> str:
    return f"{program.id}@{program.version}"


def spends(program: Program, quantity: int, quantity_left: int) -> int:
    """What a pickup of ``quantity`` takes from a right with ``quantity_left`` (smallest unit).

    A program that is not partial closes the right whatever was handed out.
    """
    return quantity if program.partial else quantity_left


def quantity_due(program: Program, entitled: int, quantity_left: int) -> int:
    """What may be handed out under this program of a right with ``quantity_left`` (smallest unit).

    A right shared by programs that exclude each other holds the most of any; each hands out no more than its
    own entitlement says. What is left of a partial program's right stands as granted.
    """
    return quantity_left if program.partial else min(entitled, quantity_left)


def needs_reason(program: Program, quantity: int, quantity_left: int) -> bool:
    """True if this pickup closes the right with less than was due: the officer gives a reason."""
    return not program.partial and quantity < quantity_left


def validate_quantity(program: Program, quantity: int, quantity_left: int) -> None:
    """Accept a quantity (smallest unit) to hand out, of which ``quantity_left`` is due under this program.

    ``quantity_due`` tells it where programs share the right.
    Raises OfficerFault ``quantity`` with the detail ``quantity`` and ``quantity_left``.
    """
    if not 1 <= quantity <= quantity_left:
        raise OfficerFault(
            "quantity",
            f"{program.id} has {quantity_left} {program.benefit.unit} to hand out, not {quantity}",
            quantity=quantity,
            quantity_left=quantity_left,
        )
