"""Checks of an import document's programs and entitlements against each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date

from kiosk.program import Program, group_conflicts
from sync.central.import_format import Entitlement, ImportDocument, Mistake
from sync.central.import_people import doubled

SUBJECT_LETTER = {"holder": "h", "family": "f"}


def program_mistakes(
    document: ImportDocument, known: Mapping[str, Program], dropped: AbstractSet[str] = frozenset()
) -> list[Mistake]:
    """Every mistake among programs and entitlements.

    ``known``: programs that central has, by id. ``dropped``: programs of the document that are left out for
    mistakes of their own; entitlements under them are not judged.
    """
    found = doubled("programs", "", ((program.id, program.version) for program in document.programs))
    found += doubled("entitlements", "", ((item.id, item.version) for item in document.entitlements))
    programs = {name: program for name, program in known.items() if name not in dropped}
    for program in sorted(document.programs, key=lambda program: program.version):
        programs[program.id] = program
    return [
        *found,
        *_group_mistakes(document, known),
        *_version_mistakes(document, known),
        *_entitlement_mistakes(document, programs),
        *_overlaps(document.entitlements),
    ]


def _group_mistakes(document: ImportDocument, known: Mapping[str, Program]) -> list[Mistake]:
    """Programs that exclude each other share one right: what keeps them from it, at the group's first."""
    found: list[Mistake] = []
    judged: set[str] = set()
    own = {program.id for program in document.programs}
    elsewhere = [program for name, program in known.items() if name not in own]
    for index, program in enumerate(document.programs):
        if program.right_group in judged:
            continue
        judged.add(program.right_group)
        members = [*document.programs, *elsewhere]
        for conflict in group_conflicts(
            member for member in members if member.right_group == program.right_group
        ):
            found.append(Mistake(f"programs[{index}].right_group", "group_conflict", conflict))
    return found


def _version_mistakes(document: ImportDocument, known: Mapping[str, Program]) -> list[Mistake]:
    """A version once given never changes, and an older one never comes back."""
    found: list[Mistake] = []
    for index, program in enumerate(document.programs):
        before = known.get(program.id)
        if before is None or program == before:
            continue
        if program.version <= before.version:
            said = f"central has version {before.version}; a change needs a higher one"
            found.append(Mistake(f"programs[{index}].version", "version", said))
        if program.right_group != before.right_group:
            said = "a program keeps its right group: another one would make a second right"
            found.append(Mistake(f"programs[{index}].right_group", "group_moved", said))
        if program.mode != before.mode and before.period.kind == "once":
            said = "a mode changes when a period is over, and this one never is"
            found.append(Mistake(f"programs[{index}].mode", "mode_fixed", said))
    return found


def _entitlement_mistakes(document: ImportDocument, programs: Mapping[str, Program]) -> list[Mistake]:
    found: list[Mistake] = []
    for index, item in enumerate(document.entitlements):
        where = f"entitlements[{index}]"
        if item.valid_until is not None and item.valid_until <= item.valid_from:
            found.append(Mistake(f"{where}.valid_until", "dates", "ends before it begins"))
        program = programs.get(item.program_id)
        if program is None:
            continue
        if item.subject[0] != SUBJECT_LETTER[program.subject]:
            said = f"{program.id} is for each {program.subject}"
            found.append(Mistake(f"{where}.subject", "subject_kind", said))
        if not _meet(item.valid_from, item.valid_until, program.valid_from, program.valid_until):
            said = f"never valid while {program.id} is"
            found.append(Mistake(f"{where}.valid_from", "outside_program", said))
    return found


def _overlaps(items: Iterable[Entitlement]) -> list[Mistake]:
    """Two entitlements of one subject under one program at one time would be two amounts for one right."""
    newest: dict[int, int] = {}
    listed = list(items)
    for item in listed:
        newest[item.id] = max(newest.get(item.id, 0), item.version)
    found: list[Mistake] = []
    seen: dict[tuple[str, str], list[Entitlement]] = defaultdict(list)
    for index, item in enumerate(listed):
        if item.status != "active" or item.version < newest[item.id]:
            continue
        for other in seen[item.subject, item.program_id]:
            if other.id != item.id and _meet(
                item.valid_from, item.valid_until, other.valid_from, other.valid_until
            ):
                said = f"same subject, program and time as entitlement {other.id}"
                found.append(Mistake(f"entitlements[{index}]", "overlap", said))
        seen[item.subject, item.program_id].append(item)
    return found


def _meet(start: date, end: date | None, other_start: date, other_end: date | None) -> bool:
    """True if two half-open spans of days share a day."""
    return (end is None or other_start < end) and (other_end is None or start < other_end)
