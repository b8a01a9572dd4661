"""The import document: what an agency or the city hands to central, as one JSON file.

A document may be whole (a city to start from) or partial (an agency's programs and entitlements); what it
refers to and does not hold is looked up at central. ``read_document`` checks each entry by itself,
``sync.central.import_checks`` checks them against each other; both report every mistake, not the first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from kiosk import program
from kiosk.benefit import MAX_QUANTITY
from kiosk.program import Program

FORMAT: Literal["kmc-import/1"] = "kmc-import/1"
MAX_BYTES = 256 * 1024 * 1024

_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _iso_day(value: Any) -> Any:
    """Lets only ``YYYY-MM-DD`` through: pydantic takes "86400" for the second of January 1970."""
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not _ISO_DAY.fullmatch(value):
        raise ValueError("a day is written YYYY-MM-DD")
    return date.fromisoformat(value)


Id = Annotated[int, Field(ge=1, lt=2**53)]
"""Ids of people and entitlements: whole in any JSON reader (RFC 8259 section 6)."""
PlaceId = program.Id
"""Ids of agencies and points, as programs name them."""
Day = Annotated[date, BeforeValidator(_iso_day)]
Line = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$")]
KioskId = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,8}$")]
Subject = Annotated[str, Field(pattern=r"^[hf][1-9][0-9]{0,15}$")]
Digits16 = Annotated[str, Field(pattern=r"^[0-9]{16}$")]
Chip = Literal["NTAG215", "NTAG216", "FeliCa", "DESFire", "NTAG424", "SmartCard"]
Relation = Literal["mother", "father", "grandmother", "grandfather", "aunt", "uncle", "sibling", "guardian"]


class Entry(BaseModel):
    """Base of everything in a document: unknown fields are mistakes, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Agency(Entry):
    """An agency (OPD)."""

    id: PlaceId
    name: Line
    short: Annotated[str, Field(min_length=1, max_length=24)]


class Point(Entry):
    """A service point; ``district`` is its kecamatan."""

    id: PlaceId
    name: Line
    district: Line
    kind: Literal["kelurahan", "puskesmas", "school", "agency"]


class Kiosk(Entry):
    """A kiosk to enrol; the rights of its point lie at the one that is ``keeper``."""

    id: KioskId
    point_id: PlaceId
    counter: Line
    keeper: bool


class Family(Entry):
    """A family (KK)."""

    id: Id
    kk: Digits16


class Holder(Entry):
    """A person with a card number; ``sex`` only serves to check the NIK and is not kept.

    ``birth_corrected``: the birth date was put right after the NIK was given, which never changes, so that
    the two may differ.
    """

    id: Id
    card_no: Annotated[str, Field(pattern=r"^[0-9]{10}$")]
    name: Line
    sex: Literal["f", "m"]
    birth: Day
    birth_corrected: bool = False
    nik: Digits16
    family_id: Id
    point_id: PlaceId
    status: Literal["active", "blocked", "deceased"] = "active"


class Guardian(Entry):
    """A person who may collect for a child, within dates (``valid_until`` exclusive) and until revoked."""

    id: Id
    child_id: Id
    guardian_id: Id
    relation: Relation
    valid_from: Day
    valid_until: Day | None = None
    revoked_at: Day | None = None


class Entitlement(Entry):
    """What a subject (``h<holder>`` or ``f<family>``) may have of a program, per period.

    ``quantity`` is in the benefit's smallest unit; ``valid_until`` is exclusive.
    """

    id: Id
    version: Id = 1
    subject: Subject
    program_id: program.Slug
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)]
    valid_from: Day
    valid_until: Day | None = None
    status: Literal["active", "ended"] = "active"


class Officer(Entry):
    """An officer of a point: ``pin`` in demonstration documents only, else ``pin_hash`` (Argon2id)."""

    username: Annotated[str, Field(pattern=r"^[a-z][a-z0-9._-]{1,31}$")]
    name: Line
    role: Literal["officer", "supervisor"]
    point_id: PlaceId
    pin: Annotated[str, Field(pattern=r"^[0-9]{6,12}$")] | None = None
    pin_hash: Annotated[str, Field(pattern=r"^\$argon2id\$.+")] | None = None
    valid_until: Day


class Card(Entry):
    """A card wanted or one handed out before; other than ``active`` it is on the deny list from ``since``.

    ``uid`` (hex) is known once a chip has been written; virtual chips have it from the start.
    """

    holder_id: Id
    issue_no: Annotated[int, Field(ge=1, le=999)]
    chip: Chip
    uid: Annotated[str, Field(pattern=r"^([0-9a-f]{2}){4,10}$")] | None = None
    issued: Day
    valid_until: Day
    status: Literal["active", "lost", "stolen", "replaced", "revoked", "deceased"] = "active"
    since: Day | None = None


class ImportDocument(Entry):
    """One import document. Lists may be empty; ``issued`` is the day the source made it."""

    format: Literal["kmc-import/1"] = FORMAT
    mode: Literal["production", "demonstration"]
    source: Line
    issued: Day
    agencies: tuple[Agency, ...] = ()
    points: tuple[Point, ...] = ()
    kiosks: tuple[Kiosk, ...] = ()
    families: tuple[Family, ...] = ()
    holders: tuple[Holder, ...] = ()
    guardians: tuple[Guardian, ...] = ()
    programs: tuple[Program, ...] = ()
    entitlements: tuple[Entitlement, ...] = ()
    officers: tuple[Officer, ...] = ()
    cards: tuple[Card, ...] = ()


LISTS: Mapping[str, type[BaseModel]] = {
    "agencies": Agency,
    "points": Point,
    "kiosks": Kiosk,
    "families": Family,
    "holders": Holder,
    "guardians": Guardian,
    "programs": Program,
    "entitlements": Entitlement,
    "officers": Officer,
    "cards": Card,
}
"""The lists of a document and what each holds, in the order in which an importer can apply them."""


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing wrong: ``where`` as ``holders[3].nik``, a stable ``code``, words without personal data."""

    where: str
    code: str
    message: str

    def as_json(self) -> dict[str, str]:
        """The mistake as commands print it."""
        return {"where": self.where, "code": self.code, "message": self.message}


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read: the well-shaped entries, their places in the file, and what was wrong elsewhere."""

    document: ImportDocument | None
    """None if the document itself cannot be understood (no JSON, another format)."""
    mistakes: tuple[Mistake, ...]
    places: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """For each list, the index in the file of each entry that was kept."""
    dropped: Mapping[str, frozenset[int | str]] = field(default_factory=dict)
    """For each list, the ids of entries left out, so that what refers to them is not called unknown."""


def read_document(raw: str | bytes) -> Reading:
    """Reads an import document; each entry is checked by itself. Raises nothing for bad content."""
    if len(raw) > MAX_BYTES:
        return Reading(None, (Mistake("", "oversized", f"more than {MAX_BYTES} bytes"),))
    doubled: list[str] = []
    try:
        body = json.loads(raw, object_pairs_hook=lambda pairs: _unique(pairs, doubled))
    except (ValueError, RecursionError) as fault:
        return Reading(None, (Mistake("", "not_json", _reason(fault)),))
    if not isinstance(body, dict):
        return Reading(None, (Mistake("", "shape", "the document is not an object"),))
    mistakes = [Mistake("", "doubled_field", f"field {name!r} twice in one object") for name in doubled]
    kept: dict[str, list[BaseModel]] = {}
    places: dict[str, tuple[int, ...]] = {}
    dropped: dict[str, frozenset[int | str]] = {}
    head = dict(body)
    for name, model in LISTS.items():
        kept[name], places[name], dropped[name] = _entries(name, model, head.pop(name, []), mistakes)
    try:
        document = ImportDocument.model_validate_json(json.dumps(head), strict=True)
    except ValidationError as fault:
        mistakes.extend(_shape_mistakes("", fault))
        return Reading(None, tuple(mistakes), places, dropped)
    whole = document.model_copy(update={name: tuple(entries) for name, entries in kept.items()})
    return Reading(whole, tuple(mistakes), places, dropped)


def to_json(document: ImportDocument) -> str:
    """The document as the JSON text that ``read_document`` reads, one entry per line."""
    head = document.model_dump(mode="json", exclude=set(LISTS))
    lines = [f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in head.items()]
    for name in LISTS:
        entries = [
            _compact(entry.model_dump(mode="json", by_alias=True)) for entry in getattr(document, name)
        ]
        if entries:
            lines.append(f" {json.dumps(name)}: [\n  " + ",\n  ".join(entries) + "\n ]")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _entries(
    name: str, model: type[BaseModel], raw: Any, mistakes: list[Mistake]
) -> tuple[list[BaseModel], tuple[int, ...], frozenset[int | str]]:
    if not isinstance(raw, list):
        mistakes.append(Mistake(name, "shape", "not a list"))
        return [], (), frozenset()
    kept: list[BaseModel] = []
    places: list[int] = []
    dropped: set[int | str] = set()
    for index, entry in enumerate(raw):
        try:
            # From JSON text and strictly: "7" is no number and 7 no day.
            kept.append(model.model_validate_json(json.dumps(entry), strict=True))
            places.append(index)
        except ValidationError as fault:
            mistakes.extend(_shape_mistakes(f"{name}[{index}]", fault))
            key = entry.get("id", entry.get("username")) if isinstance(entry, dict) else None
            if isinstance(key, int | str):
                dropped.add(key)
    return kept, tuple(places), frozenset(dropped)


def _shape_mistakes(where: str, fault: ValidationError) -> list[Mistake]:
    """Pydantic's errors without the values, which may be personal."""
    mistakes = []
    for error in fault.errors(include_input=False, include_url=False, include_context=False):
        path = where
        for part in error["loc"]:
            path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
        mistakes.append(Mistake(path, "shape", error["msg"]))
    return mistakes


def _unique(pairs: list[tuple[str, Any]], doubled: list[str]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        doubled.extend(sorted({name for name in names if names.count(name) > 1}))
    return found


def _reason(fault: Exception) -> str:
    """Where JSON broke, without quoting it."""
    if isinstance(fault, json.JSONDecodeError):
        return f"{fault.msg} at line {fault.lineno} column {fault.colno}"
    return type(fault).__name__
