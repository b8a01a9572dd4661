"""Checks of an import document as a whole: every entry against the others and against what central has.

An importer calls ``accept`` with a function that looks up what a document refers to and does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

from kiosk.errors import OfficerFault
from kiosk.program import Program
from sync.central.import_format import (
    Holder,
    ImportDocument,
    Kiosk,
    Mistake,
    Officer,
    Reading,
    read_document,
)
from sync.central.import_people import people_mistakes
from sync.central.import_programs import program_mistakes


@dataclass(frozen=True, slots=True)
class Unresolved:
    """What a document refers to and does not hold itself: what an importer has to look up at central."""

    agencies: frozenset[int] = frozenset()
    points: frozenset[int] = frozenset()
    families: frozenset[int] = frozenset()
    holders: frozenset[int] = frozenset()
    programs: frozenset[str] = frozenset()
    right_groups: frozenset[str] = frozenset()
    """Right groups of the document's programs: other programs of the same group lie at central."""
    kiosk_points: frozenset[int] = frozenset()
    """Points that get a kiosk: one there may be the keeper already."""

    def __bool__(self) -> bool:
        return any((self.agencies, self.points, self.families, self.holders, self.programs))


@dataclass(frozen=True, slots=True)
class Known:
    """What central has of what a document refers to."""

    agencies: AbstractSet[int] = frozenset()
    points: AbstractSet[int] = frozenset()
    families: AbstractSet[int] = frozenset()
    holders: AbstractSet[int] = frozenset()
    programs: Mapping[str, Program] = field(default_factory=dict)
    """Newest version of the programs asked for, and of all programs of the right groups asked for."""
    keepers: Mapping[int, str] = field(default_factory=dict)
    """Point id to the id of its keeper kiosk."""
    dropped_programs: AbstractSet[str] = frozenset()
    """Programs of the document that were left out for their own mistakes."""


Lookup = Callable[[Unresolved], Known]


def accept(raw: str | bytes, lookup: Lookup = lambda _: Known()) -> ImportDocument:
    """The document of ``raw`` if nothing is wrong with it.

    Raises OfficerFault ``import_refused`` with every mistake in ``detail["mistakes"]`` (dicts of where,
    code, message; no personal data).
    """
    reading = read_document(raw)
    mistakes = list(reading.mistakes)
    if reading.document is not None:
        found = lookup(unresolved(reading.document))
        mistakes += _placed(check(reading.document, _with_dropped(found, reading)), reading)
    if reading.document is None or mistakes:
        raise refusal(mistakes)
    return reading.document


def refusal(mistakes: list[Mistake]) -> OfficerFault:
    """The fault that says all mistakes of a document."""
    listed: list[dict[str, Any]] = [mistake.as_json() for mistake in mistakes]
    return OfficerFault("import_refused", f"{len(mistakes)} mistakes, nothing imported", mistakes=listed)


def unresolved(document: ImportDocument) -> Unresolved:
    """What the document refers to and does not hold."""
    holders = {guardian.child_id for guardian in document.guardians}
    holders |= {guardian.guardian_id for guardian in document.guardians}
    holders |= {card.holder_id for card in document.cards}
    holders |= {int(item.subject[1:]) for item in document.entitlements if item.subject[0] == "h"}
    families = {holder.family_id for holder in document.holders}
    families |= {int(item.subject[1:]) for item in document.entitlements if item.subject[0] == "f"}
    points = {holder.point_id for holder in document.holders}
    points |= {officer.point_id for officer in document.officers}
    points |= {kiosk.point_id for kiosk in document.kiosks}
    points |= {point for program in document.programs for point in program.points or ()}
    programs = {item.program_id for item in document.entitlements}
    return Unresolved(
        agencies=frozenset(
            {program.agency_id for program in document.programs} - {agency.id for agency in document.agencies}
        ),
        points=frozenset(points - {point.id for point in document.points}),
        families=frozenset(families - {family.id for family in document.families}),
        holders=frozenset(holders - {holder.id for holder in document.holders}),
        programs=frozenset(programs - {program.id for program in document.programs}),
        right_groups=frozenset(program.right_group for program in document.programs),
        kiosk_points=frozenset(kiosk.point_id for kiosk in document.kiosks),
    )


def check(document: ImportDocument, known: Known | None = None) -> tuple[Mistake, ...]:
    """Every mistake of the document as a whole; references are good if ``known`` has them.

    ``where`` counts the entries of the document as given.
    """
    known = known or Known()
    return (
        *_unknown(document, unresolved(document), known),
        *people_mistakes(document, known.families),
        *_place_mistakes(document, known),
        *program_mistakes(document, known.programs, known.dropped_programs),
    )


def _unknown(document: ImportDocument, wanted: Unresolved, known: Known) -> list[Mistake]:
    agencies = wanted.agencies - known.agencies
    points = wanted.points - known.points
    families = wanted.families - known.families
    holders = wanted.holders - known.holders
    programs = wanted.programs - known.programs.keys() - known.dropped_programs
    found: list[Mistake] = []

    def report(where: str, kind: str, key: int | str) -> None:
        found.append(Mistake(where, f"unknown_{kind}", f"no {kind} {key}"))

    for index, program in enumerate(document.programs):
        if program.agency_id in agencies:
            report(f"programs[{index}].agency_id", "agency", program.agency_id)
        for at, point in enumerate(program.points or ()):
            if point in points:
                report(f"programs[{index}].points[{at}]", "point", point)
    located: dict[str, Sequence[Holder | Officer | Kiosk]] = {
        "holders": document.holders,
        "officers": document.officers,
        "kiosks": document.kiosks,
    }
    for name, entries in located.items():
        for index, entry in enumerate(entries):
            if entry.point_id in points:
                report(f"{name}[{index}].point_id", "point", entry.point_id)
    for index, holder in enumerate(document.holders):
        if holder.family_id in families:
            report(f"holders[{index}].family_id", "family", holder.family_id)
    for index, guardian in enumerate(document.guardians):
        for attribute in ("child_id", "guardian_id"):
            if getattr(guardian, attribute) in holders:
                report(f"guardians[{index}].{attribute}", "holder", getattr(guardian, attribute))
    for index, card in enumerate(document.cards):
        if card.holder_id in holders:
            report(f"cards[{index}].holder_id", "holder", card.holder_id)
    for index, item in enumerate(document.entitlements):
        kind, among = ("holder", holders) if item.subject[0] == "h" else ("family", families)
        if int(item.subject[1:]) in among:
            report(f"entitlements[{index}].subject", kind, item.subject)
        if item.program_id in programs:
            report(f"entitlements[{index}].program_id", "program", item.program_id)
    return found


def _place_mistakes(document: ImportDocument, known: Known) -> list[Mistake]:
    """Kiosks and keepers: a point's rights lie at exactly one of its kiosks."""
    found: list[Mistake] = []
    keepers = dict(known.keepers)
    for index, kiosk in enumerate(document.kiosks):
        if kiosk.keeper and keepers.setdefault(kiosk.point_id, kiosk.id) != kiosk.id:
            found.append(
                Mistake(f"kiosks[{index}].keeper", "two_keepers", f"point {kiosk.point_id} has a keeper")
            )
    for index, kiosk in enumerate(document.kiosks):
        if kiosk.point_id not in keepers:
            found.append(
                Mistake(f"kiosks[{index}].point_id", "no_keeper", f"point {kiosk.point_id} has no keeper")
            )
    return found


def _with_dropped(known: Known, reading: Reading) -> Known:
    """``known`` and the entries left out for their own mistakes, which are not also unknown."""

    def numbers(name: str) -> frozenset[int]:
        return frozenset(key for key in reading.dropped[name] if isinstance(key, int))

    return replace(
        known,
        agencies=known.agencies | numbers("agencies"),
        points=known.points | numbers("points"),
        families=known.families | numbers("families"),
        holders=known.holders | numbers("holders"),
        dropped_programs=frozenset(str(key) for key in reading.dropped["programs"]),
    )


def _placed(mistakes: tuple[Mistake, ...], reading: Reading) -> list[Mistake]:
    """The mistakes with the indexes of the file, which differ where entries were left out."""
    moved = []
    for mistake in mistakes:
        name, opened, rest = mistake.where.partition("[")
        if opened and name in reading.places:
            index, _, tail = rest.partition("]")
            moved.append(replace(mistake, where=f"{name}[{reading.places[name][int(index)]}]{tail}"))
        else:
            moved.append(mistake)
    return moved
