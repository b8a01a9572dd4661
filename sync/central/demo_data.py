"""The demonstration's import document: 500 generated holders, the same for the same seed and day."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Literal

from sync.central.card_issue import virtual_uid
from sync.central.demo_people import ADULT_AGE, OLD_AGE, Household, Person, Registry, families_of
from sync.central.demo_places import AGENCIES, HADIMULYO_TIMUR, IRINGMULYO, KIOSKS, officers, points
from sync.central.demo_programs import AMOUNTS, programs
from sync.central.demo_showcase import FAMILIES, SHOWCASE, Showcase
from sync.central.import_format import (
    Card,
    Chip,
    Entitlement,
    Family,
    Guardian,
    Holder,
    ImportDocument,
    Relation,
)

HOLDERS = 500
POPULATION = {IRINGMULYO: 150, HADIMULYO_TIMUR: 120}
"""Holders at the points with kiosks; the others are spread over the other kelurahan."""
KELURAHAN = 22
CARD_YEARS = 5

_RICE_PERCENT = 45
_BY_AGE: tuple[tuple[str, int, int, int], ...] = (
    ("makanan-balita", 0, 5, 60),
    ("kartu-identitas-anak", 0, 17, 40),
    ("transport-siswa", 6, ADULT_AGE, 60),
    ("seragam-sekolah", 6, ADULT_AGE, 80),
    ("buku-pelajaran", 6, ADULT_AGE, 70),
    ("sarapan-sekolah", 6, 13, 50),
    ("tas-sekolah", 6, 13, 40),
    ("masker-sekolah", 6, 13, 40),
    ("konseling-anak", 6, ADULT_AGE, 8),
    ("nutrisi-terapi", ADULT_AGE, 120, 3),
    ("periksa-kesehatan", ADULT_AGE, 120, 45),
    ("bantuan-lansia", OLD_AGE, 120, 75),
)
"""Program, ages from and until (exclusive), percent of them who are entitled."""


def generate(seed: int, today: date) -> ImportDocument:
    """The demonstration's document: whole, free of mistakes, for a day ``today`` of the city's calendar."""
    rng = random.Random(seed)
    households = _households(rng, today)
    people = [person for household in households for person in household.members]
    return ImportDocument(
        mode="demonstration",
        source="Diskominfo",
        issued=today,
        agencies=AGENCIES,
        points=points(),
        kiosks=KIOSKS,
        families=tuple(Family(id=household.id, kk=household.kk) for household in households),
        holders=tuple(_holder(person) for person in people),
        guardians=_guardians(households, today),
        programs=programs(today),
        entitlements=_entitlements(rng, households, today),
        officers=officers(today),
        cards=tuple(card for person in people for card in _cards(rng, person, today)),
    )


def _households(rng: random.Random, today: date) -> tuple[Household, ...]:
    registry = Registry(rng, today, frozenset(person.card_no for person in SHOWCASE.values()))
    left = dict(POPULATION)
    others = [number for number in range(1, KELURAHAN + 1) if number not in POPULATION]
    for place, point_id in enumerate(others):
        share, rest = divmod(HOLDERS - sum(POPULATION.values()), len(others))
        left[point_id] = share + (place < rest)
    found = []
    for family in FAMILIES:
        members = tuple(person.member for person in family.people)
        numbers = tuple(person.card_no for person in family.people)
        found.append(registry.family(family.point_id, members, numbers))
        left[family.point_id] -= len(members)
    for point_id, people in left.items():
        found.extend(registry.family(point_id, members) for members in families_of(rng, people))
    return tuple(found)


def _shown(person: Person) -> Showcase | None:
    return next((shown for shown in SHOWCASE.values() if shown.holder_id == person.id), None)


def _holder(person: Person) -> Holder:
    shown = _shown(person)
    return Holder(
        id=person.id,
        card_no=person.card_no,
        name=person.name,
        sex=person.sex,
        birth=person.birth,
        nik=person.nik,
        family_id=person.family_id,
        point_id=person.point_id,
        status=_status(shown),
    )


def _status(shown: Showcase | None) -> Literal["active", "blocked", "deceased"]:
    if shown is not None and shown.label == "blocked":
        return "blocked"
    return "deceased" if shown is not None and shown.label == "deceased" else "active"


def _guardians(households: Iterable[Household], today: date) -> tuple[Guardian, ...]:
    """The adults of each child's family, and the two whose right over the showcase's ward is over."""
    found: list[Guardian] = []
    for household in households:
        adults = [person for person in household.members if person.age >= ADULT_AGE]
        for child in household.members:
            if child.age >= ADULT_AGE:
                continue
            for adult in adults:
                found.append(
                    Guardian(
                        id=len(found) + 1,
                        child_id=child.id,
                        guardian_id=adult.id,
                        relation=_relation(adult),
                        valid_from=child.birth,
                        valid_until=child.birth.replace(year=child.birth.year + ADULT_AGE),
                    )
                )
    ward, aunt, uncle = SHOWCASE["ward"], SHOWCASE["aunt"], SHOWCASE["no-program"]
    began = today - timedelta(days=730)
    found.append(
        Guardian(
            id=len(found) + 1,
            child_id=ward.holder_id,
            guardian_id=aunt.holder_id,
            relation="aunt",
            valid_from=began,
            valid_until=today - timedelta(days=30),
        )
    )
    found.append(
        Guardian(
            id=len(found) + 1,
            child_id=ward.holder_id,
            guardian_id=uncle.holder_id,
            relation="uncle",
            valid_from=began,
            revoked_at=today - timedelta(days=60),
        )
    )
    return tuple(found)


def _relation(adult: Person) -> Relation:
    woman = adult.sex == "f"
    if adult.age >= OLD_AGE:
        return "grandmother" if woman else "grandfather"
    return "mother" if woman else "father"


def _entitlements(
    rng: random.Random, households: Iterable[Household], today: date
) -> tuple[Entitlement, ...]:
    wanted: list[tuple[str, str]] = []
    family_programs = {family.people[0].holder_id: family.programs for family in FAMILIES}
    for household in households:
        head = household.members[0]
        if head.id in family_programs:
            wanted += [(f"f{household.id}", program) for program in family_programs[head.id]]
        elif rng.randrange(100) < _RICE_PERCENT:
            wanted.append((f"f{household.id}", "beras-keluarga"))
        for person in household.members:
            shown = _shown(person)
            chosen = shown.programs if shown else _drawn(rng, person)
            wanted += [(f"h{person.id}", program) for program in chosen]
    return tuple(
        Entitlement(
            id=number,
            subject=subject,
            program_id=program,
            quantity=AMOUNTS[program],
            valid_from=date(today.year - 1, 1, 1),
        )
        for number, (subject, program) in enumerate(wanted, start=1)
    )


def _drawn(rng: random.Random, person: Person) -> list[str]:
    drawn = [
        program
        for program, youngest, until, percent in _BY_AGE
        if youngest <= person.age < until and rng.randrange(100) < percent
    ]
    return [*drawn, "pupuk-bersubsidi", "benih-padi"] if person.farmer else drawn


_DENIED = {"lost", "stolen", "revoked", "deceased"}


def _cards(rng: random.Random, person: Person, today: date) -> list[Card]:
    """The issues of one person's card, oldest first; the showcase's end as their labels say."""
    shown = _shown(person)
    chip: Chip = shown.chip if shown else rng.choice(("NTAG215", "NTAG215", "NTAG215", "FeliCa", "DESFire"))
    issued = today - timedelta(days=rng.randrange(120, 700))
    label = shown.label if shown else ""
    if label == "expired":
        issued = today - timedelta(days=365 * CARD_YEARS + 90)
    if label == "replaced-new":
        since = today - timedelta(days=45)
        return [
            _card(person, 1, chip, issued, "replaced", since),
            _card(person, 2, chip, since, "active", None),
        ]
    if label in _DENIED:
        return [_card(person, 1, chip, issued, label, today - timedelta(days=10))]
    return [_card(person, 1, chip, issued, "active", None)]


def _card(person: Person, issue_no: int, chip: Chip, issued: date, status: str, since: date | None) -> Card:
    return Card.model_validate(
        {
            "holder_id": person.id,
            "issue_no": issue_no,
            "chip": chip,
            "uid": virtual_uid(person.card_no, issue_no, chip).hex(),
            "issued": issued,
            "valid_until": issued + timedelta(days=365 * CARD_YEARS),
            "status": status,
            "since": since,
        }
    )
