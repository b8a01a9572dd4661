"""Checks of the people of an import document: numbers, families, guardians, officers, cards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from collections.abc import Set as AbstractSet

from kiosk.credential import uid_is_random
from kiosk.errors import OfficerFault
from kiosk.officer_pin import check_pin
from sync.central.identity_numbers import is_card_no, is_generated, kk_fault, nik_fault, nik_fits
from sync.central.import_format import ImportDocument, Mistake


def people_mistakes(document: ImportDocument, families: AbstractSet[int] = frozenset()) -> list[Mistake]:
    """Every mistake among people; ``families`` are known elsewhere and may have members there."""
    return [
        *_doubles(document),
        *_number_mistakes(document),
        *_family_mistakes(document, families),
        *_guardian_mistakes(document),
        *_officer_mistakes(document),
        *_card_mistakes(document),
    ]


def doubled(where: str, tail: str, keys: Iterable[Hashable]) -> list[Mistake]:
    """A mistake for every entry whose key stands in the list more than once, from its second place on."""
    found: list[Mistake] = []
    seen: Counter[Hashable] = Counter()
    for index, key in enumerate(keys):
        seen[key] += 1
        if seen[key] > 1:
            found.append(Mistake(f"{where}[{index}]{tail}", "duplicate", "stands in the list before"))
    return found


def _doubles(document: ImportDocument) -> list[Mistake]:
    found = doubled("agencies", ".id", (entry.id for entry in document.agencies))
    found += doubled("points", ".id", (entry.id for entry in document.points))
    found += doubled("kiosks", ".id", (entry.id for entry in document.kiosks))
    found += doubled("families", ".id", (entry.id for entry in document.families))
    found += doubled("families", ".kk", (entry.kk for entry in document.families))
    found += doubled("holders", ".id", (entry.id for entry in document.holders))
    found += doubled("holders", ".nik", (entry.nik for entry in document.holders))
    found += doubled("holders", ".card_no", (entry.card_no for entry in document.holders))
    found += doubled("guardians", ".id", (entry.id for entry in document.guardians))
    found += doubled("officers", ".username", (entry.username for entry in document.officers))
    found += doubled("cards", ".issue_no", ((entry.holder_id, entry.issue_no) for entry in document.cards))
    with_uid = [(index, card.uid) for index, card in enumerate(document.cards) if card.uid]
    first: dict[str, int] = {}
    for index, uid in with_uid:
        if first.setdefault(uid, index) != index:
            found.append(Mistake(f"cards[{index}].uid", "duplicate", "also the chip of a card before it"))
    return found


def _number_mistakes(document: ImportDocument) -> list[Mistake]:
    found: list[Mistake] = []
    demonstration = document.mode == "demonstration"
    for index, holder in enumerate(document.holders):
        where = f"holders[{index}]"
        fault = nik_fault(holder.nik)
        if fault:
            found.append(Mistake(f"{where}.nik", f"nik_{fault}", f"the NIK cannot be one: {fault}"))
        elif not holder.birth_corrected and not nik_fits(holder.nik, holder.birth, holder.sex == "f"):
            found.append(
                Mistake(f"{where}.nik", "nik_birth", "the NIK speaks of another birth date or the other sex")
            )
        found += _region_mistake(f"{where}.nik", holder.nik, demonstration)
        if not is_card_no(holder.card_no):
            found.append(Mistake(f"{where}.card_no", "card_no", "the check digit does not hold"))
        if holder.birth > document.issued:
            found.append(Mistake(f"{where}.birth", "birth", "born after the day of the document"))
    for index, family in enumerate(document.families):
        fault = kk_fault(family.kk)
        if fault:
            found.append(
                Mistake(f"families[{index}].kk", f"kk_{fault}", f"the number cannot be one: {fault}")
            )
        found += _region_mistake(f"families[{index}].kk", family.kk, demonstration)
    return found


def _region_mistake(where: str, number: str, demonstration: bool) -> list[Mistake]:
    """Generated people stay out of production, and real ones out of demonstrations."""
    if is_generated(number) == demonstration:
        return []
    said = "a number of a real region" if demonstration else "a number of a generated person"
    return [Mistake(where, "region", f"{said} in a document for {_mode(demonstration)}")]


def _mode(demonstration: bool) -> str:
    return "demonstration" if demonstration else "production"


def _family_mistakes(document: ImportDocument, known: AbstractSet[int]) -> list[Mistake]:
    """A family's right lies at its head's point, so a family needs a member."""
    peopled = {holder.family_id for holder in document.holders}
    return [
        Mistake(f"families[{index}]", "family_empty", "nobody belongs to it")
        for index, family in enumerate(document.families)
        if family.id not in peopled and family.id not in known
    ]


def _guardian_mistakes(document: ImportDocument) -> list[Mistake]:
    found: list[Mistake] = []
    born = {holder.id: holder.birth for holder in document.holders}
    for index, entry in enumerate(document.guardians):
        where = f"guardians[{index}]"
        child, guardian = born.get(entry.child_id), born.get(entry.guardian_id)
        if entry.child_id == entry.guardian_id:
            found.append(Mistake(f"{where}.guardian_id", "own_guardian", "nobody is their own guardian"))
        elif child is not None and guardian is not None and guardian >= child:
            found.append(Mistake(f"{where}.guardian_id", "guardian_younger", "younger than the child"))
        if entry.valid_until is not None and entry.valid_until <= entry.valid_from:
            found.append(Mistake(f"{where}.valid_until", "dates", "ends before it begins"))
        if entry.revoked_at is not None and entry.revoked_at < entry.valid_from:
            found.append(Mistake(f"{where}.revoked_at", "dates", "revoked before it begins"))
    return found


def _officer_mistakes(document: ImportDocument) -> list[Mistake]:
    found: list[Mistake] = []
    for index, officer in enumerate(document.officers):
        where = f"officers[{index}]"
        if (officer.pin is None) == (officer.pin_hash is None):
            found.append(Mistake(where, "pin", "needs one of pin and pin_hash"))
        if officer.pin is not None and document.mode != "demonstration":
            found.append(Mistake(f"{where}.pin", "pin", "a PIN in the clear, outside a demonstration"))
        elif officer.pin is not None:
            try:
                check_pin(officer.pin)
            except OfficerFault as fault:
                found.append(Mistake(f"{where}.pin", fault.code, fault.message))
    return found


def _card_mistakes(document: ImportDocument) -> list[Mistake]:
    """One issue of a card is active, and it is the newest."""
    found: list[Mistake] = []
    newest: dict[int, int] = {}
    for card in document.cards:
        newest[card.holder_id] = max(newest.get(card.holder_id, 0), card.issue_no)
    for index, card in enumerate(document.cards):
        where = f"cards[{index}]"
        if card.valid_until <= card.issued:
            found.append(Mistake(f"{where}.valid_until", "dates", "ends before it begins"))
        if card.status == "active" and card.issue_no < newest[card.holder_id]:
            found.append(Mistake(f"{where}.status", "older_active", "a newer issue of this card exists"))
        if (card.status == "active") != (card.since is None):
            found.append(Mistake(f"{where}.since", "since", "set for every status but active"))
        elif card.since is not None and card.since < card.issued:
            found.append(Mistake(f"{where}.since", "dates", "before the card was issued"))
        if card.uid is not None and uid_is_random(bytes.fromhex(card.uid)):
            found.append(Mistake(f"{where}.uid", "random_uid", "a UID that changes binds nothing"))
    return found
