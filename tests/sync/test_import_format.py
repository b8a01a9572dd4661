"""Import documents: shape, references, and every mistake at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from kiosk.errors import OfficerFault
from kiosk.program import Program
from sync.central.demo_data import generate
from sync.central.demo_showcase import SHOWCASE
from sync.central.identity_numbers import card_no_of, is_card_no, nik_fault, nik_of
from sync.central.import_checks import Known, Unresolved, accept, check, unresolved
from sync.central.import_format import ImportDocument, read_document, to_json

TODAY = date(2026, 11, 23)
SHOWN = {person.holder_id for person in SHOWCASE.values()}


def showcase_alone(city: ImportDocument) -> ImportDocument:
    """The demonstration's city with nobody but the showcase: whole, and quick to read again and again."""
    families = {holder.family_id for holder in city.holders if holder.id in SHOWN}
    subjects = {f"h{holder}" for holder in SHOWN} | {f"f{family}" for family in families}
    return city.model_copy(
        update={
            "families": tuple(family for family in city.families if family.id in families),
            "holders": tuple(holder for holder in city.holders if holder.id in SHOWN),
            "guardians": tuple(entry for entry in city.guardians if entry.child_id in SHOWN),
            "entitlements": tuple(item for item in city.entitlements if item.subject in subjects),
            "cards": tuple(card for card in city.cards if card.holder_id in SHOWN),
        }
    )


CITY = showcase_alone(generate(1, TODAY))


def body() -> dict[str, Any]:
    """A whole document as plain JSON, fresh for each test."""
    loaded: dict[str, Any] = json.loads(to_json(CITY))
    return loaded


def mistakes(document: dict[str, Any], known: Known | None = None) -> dict[str, str]:
    """Where and code of every mistake of a document; empty if it is accepted."""
    try:
        accept(json.dumps(document), lambda _: known or Known())
    except OfficerFault as fault:
        return {mistake["where"]: mistake["code"] for mistake in fault.detail["mistakes"]}
    return {}


def test_a_document_survives_its_own_text() -> None:
    assert accept(to_json(CITY)) == CITY


def test_an_unchanged_copy_has_no_mistake() -> None:
    assert mistakes(body()) == {}


Change = Callable[[dict[str, Any]], None]


def put(entries: str, place: int, /, **fields: Any) -> Change:
    """A change of fields of one entry."""

    def change(document: dict[str, Any]) -> None:
        document[entries][place] |= fields

    return change


def drop_field(name: str, index: int, field: str) -> Change:
    def change(document: dict[str, Any]) -> None:
        del document[name][index][field]

    return change


FIRST = CITY.holders[0]
FERTILISER = next(place for place, program in enumerate(CITY.programs) if program.id == "pupuk-bersubsidi")
OLD_CARD = next(place for place, card in enumerate(CITY.cards) if card.status == "replaced")
HOLDERS_OWN = next(place for place, item in enumerate(CITY.entitlements) if item.subject[0] == "h")

ONE_MISTAKE: list[tuple[Change, str, str]] = [
    (put("holders", 0, nik="123"), "holders[0].nik", "shape"),
    (put("holders", 0, nik=FIRST.nik[:6] + "993199" + FIRST.nik[12:]), "holders[0].nik", "nik_date"),
    (put("holders", 0, nik=FIRST.nik[:12] + "0000"), "holders[0].nik", "nik_serial"),
    (put("holders", 0, sex="m"), "holders[0].nik", "nik_birth"),
    (put("holders", 0, nik="18" + FIRST.nik[2:]), "holders[0].nik", "region"),
    (put("holders", 1, nik=FIRST.nik, sex="f", birth=FIRST.birth.isoformat()), "holders[1].nik", "duplicate"),
    (put("holders", 0, birth="1700000000"), "holders[0].birth", "shape"),
    (put("holders", 0, birth="86400"), "holders[0].birth", "shape"),
    (put("holders", 0, birth=86400), "holders[0].birth", "shape"),
    (put("holders", 0, birth="2027-01-01", birth_corrected=True), "holders[0].birth", "birth"),
    (put("holders", 0, card_no=FIRST.card_no[:-1] + str((int(FIRST.card_no[-1]) + 1) % 10)),
     "holders[0].card_no", "card_no"),
    (put("holders", 1, card_no=FIRST.card_no), "holders[1].card_no", "duplicate"),
    (put("holders", 0, name="A\nB"), "holders[0].name", "shape"),
    (put("holders", 0, point_id=99), "holders[0].point_id", "unknown_point"),
    (put("holders", 1, family_id=9999), "holders[1].family_id", "unknown_family"),
    (put("holders", 0, nickname="Wulan"), "holders[0].nickname", "shape"),
    (drop_field("holders", 0, "status"), "", ""),
    (put("families", 0, kk="99" + "0" * 14), "families[0].kk", "kk_date"),
    (put("families", 0, kk="18" + CITY.families[0].kk[2:]), "families[0].kk", "region"),
    (put("families", 1, id=1), "families[1].id", "duplicate"),
    (put("agencies", 1, id=1), "agencies[1].id", "duplicate"),
    (put("points", 1, id=1), "points[1].id", "duplicate"),
    (put("kiosks", 1, id="IRM1"), "kiosks[1].id", "duplicate"),
    (put("kiosks", 0, id="irm 1"), "kiosks[0].id", "shape"),
    (put("kiosks", 1, keeper=True), "kiosks[1].keeper", "two_keepers"),
    (put("kiosks", 2, keeper=False), "kiosks[2].point_id", "no_keeper"),
    (put("kiosks", 2, point_id=77), "kiosks[2].point_id", "unknown_point"),
    (put("guardians", 0, guardian_id=CITY.guardians[0].child_id), "guardians[0].guardian_id", "own_guardian"),
    (put("guardians", 0, guardian_id=CITY.holders[3].id), "guardians[0].guardian_id", "guardian_younger"),
    (put("guardians", 0, child_id=4711), "guardians[0].child_id", "unknown_holder"),
    (put("guardians", 0, valid_until="2000-01-01"), "guardians[0].valid_until", "dates"),
    (put("guardians", 0, revoked_at="2000-01-01"), "guardians[0].revoked_at", "dates"),
    (put("guardians", 1, id=1), "guardians[1].id", "duplicate"),
    (put("programs", 0, agency_id=99), "programs[0].agency_id", "unknown_agency"),
    (put("programs", 0, points=[1, 88]), "programs[0].points[1]", "unknown_point"),
    (put("programs", 0, sector="sport"), "programs[0].sector", "shape"),
    (put("programs", 0, version="1"), "programs[0].version", "shape"),
    (put("programs", FERTILISER, partial=True), f"programs[{FERTILISER}].right_group", "group_conflict"),
    (put("programs", FERTILISER, zone="Asia/Makassar"),
     f"programs[{FERTILISER}].right_group", "group_conflict"),
    (put("entitlements", 0, program_id="nothing"), "entitlements[0].program_id", "unknown_program"),
    (put("entitlements", 0, subject="f99999"), "entitlements[0].subject", "unknown_family"),
    (put("entitlements", HOLDERS_OWN, subject="h99999"),
     f"entitlements[{HOLDERS_OWN}].subject", "unknown_holder"),
    (put("entitlements", HOLDERS_OWN, subject="f2"), f"entitlements[{HOLDERS_OWN}].subject", "subject_kind"),
    (put("entitlements", 0, quantity=0), "entitlements[0].quantity", "shape"),
    (put("entitlements", 0, quantity="10"), "entitlements[0].quantity", "shape"),
    (put("entitlements", 0, valid_until="2020-01-01"), "entitlements[0].valid_until", "dates"),
    (put("entitlements", 0, valid_from="2010-01-01", valid_until="2011-01-01"),
     "entitlements[0].valid_from", "outside_program"),
    (put("entitlements", 1, id=CITY.entitlements[0].id), "entitlements[1]", "duplicate"),
    (put("entitlements", 1, subject=CITY.entitlements[0].subject, program_id=CITY.entitlements[0].program_id),
     "entitlements[1]", "overlap"),
    (put("officers", 0, pin="12"), "officers[0].pin", "shape"),
    (put("officers", 0, pin=None), "officers[0]", "pin"),
    (put("officers", 0, pin="123456"), "officers[0].pin", "pin_too_simple"),
    (put("officers", 0, pin_hash="$argon2id$x"), "officers[0]", "pin"),
    (put("officers", 1, username="rina"), "officers[1].username", "duplicate"),
    (put("officers", 0, point_id=55), "officers[0].point_id", "unknown_point"),
    (put("cards", 0, holder_id=31337), "cards[0].holder_id", "unknown_holder"),
    (put("cards", 0, chip="Classic"), "cards[0].chip", "shape"),
    (put("cards", 1, uid=CITY.cards[0].uid), "cards[1].uid", "duplicate"),
    (put("cards", 0, uid="08112233"), "cards[0].uid", "random_uid"),
    (put("cards", 0, valid_until="2000-01-01"), "cards[0].valid_until", "dates"),
    (put("cards", 0, status="lost"), "cards[0].since", "since"),
    (put("cards", 0, since="2026-11-01"), "cards[0].since", "since"),
    (put("cards", OLD_CARD, since="2000-01-01"), f"cards[{OLD_CARD}].since", "dates"),
    (put("cards", OLD_CARD, status="active", since=None), f"cards[{OLD_CARD}].status", "older_active"),
    (put("cards", OLD_CARD, issue_no=2), f"cards[{OLD_CARD + 1}].issue_no", "duplicate"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "where", "code"), ONE_MISTAKE)
def test_each_mistake_is_named(change: Change, where: str, code: str) -> None:
    document = body()
    change(document)
    found = mistakes(document)
    if where:
        assert found.get(where) == code, found
    else:
        assert found == {}


def test_all_mistakes_come_at_once() -> None:
    """Mistakes of shape in one entry do not hide those between others, nor breed new ones."""
    document = body()
    for change, _, _ in (entry for entry in ONE_MISTAKE if entry[1] in SEPARATE):
        change(document)
    assert {where: code for where, code in mistakes(document).items() if where in SEPARATE} == SEPARATE


SEPARATE = {
    "holders[1].family_id": "unknown_family",
    "kiosks[1].keeper": "two_keepers",
    "programs[0].sector": "shape",
    "entitlements[0].quantity": "shape",
    "officers[1].username": "duplicate",
    "cards[0].chip": "shape",
    "guardians[1].id": "duplicate",
}


def test_what_refers_to_a_malformed_entry_is_not_called_unknown() -> None:
    document = body()
    document["holders"][0]["nik"] = "x"
    document["points"][9]["kind"] = "moon"
    document["programs"][0]["mode"] = "sometimes"
    assert mistakes(document) == {
        "holders[0].nik": "shape",
        "points[9].kind": "shape",
        "programs[0].mode": "shape",
    }


def test_places_are_those_of_the_file_after_a_malformed_entry() -> None:
    document = body()
    document["officers"][0]["role"] = "king"
    document["officers"][2]["pin"] = None
    assert mistakes(document) == {"officers[0].role": "shape", "officers[2]": "pin"}


def test_a_mistake_quotes_nothing_personal() -> None:
    document = body()
    document["holders"][0] |= {"nik": "3171234567890123x", "name": "Rahasia\n"}
    document["holders"][1] |= {"nik": nik_of("317201", date(1980, 1, 2), False, 1)}
    with pytest.raises(OfficerFault) as caught:
        accept(json.dumps(document))
    said = json.dumps(caught.value.as_json())
    assert "31712" not in said
    assert "31720" not in said
    assert "Rahasia" not in said


def test_a_corrected_birth_date_may_differ_from_the_nik() -> None:
    document = body()
    document["holders"][0] |= {"birth": "1991-05-04", "birth_corrected": True}
    assert mistakes(document) == {}


def test_demonstration_people_stay_out_of_production() -> None:
    document = body() | {"mode": "production"}
    found = mistakes(document)
    assert found["holders[0].nik"] == "region"
    assert found["families[0].kk"] == "region"
    assert found["officers[0].pin"] == "pin"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("", "not_json"),
        ("[]", "shape"),
        ("{}", "shape"),
        ('{"format":"kmc-import/2","mode":"production","source":"x","issued":"2026-01-01"}', "shape"),
        (
            '{"format":"kmc-import/1","mode":"production","source":"x","issued":"2026-01-01","extra":1}',
            "shape",
        ),
        (
            '{"format":"kmc-import/1","mode":"production","source":"x","issued":"2026-01-01","points":{}}',
            "shape",
        ),
        ('{"mode":"production","source":"x","issued":"2026-01-01","issued":"2026-01-02"}', "doubled_field"),
        ("[" * 100_000, "not_json"),
        (b"\xff\xfe\x00", "not_json"),
    ],
)
def test_what_is_no_document_is_refused(raw: str | bytes, code: str) -> None:
    with pytest.raises(OfficerFault) as caught:
        accept(raw)
    assert caught.value.code == "import_refused"
    assert code in {mistake["code"] for mistake in caught.value.detail["mistakes"]}


def test_deep_nesting_inside_an_entry_is_a_mistake_not_a_crash() -> None:
    nested = '{"id":' + "[" * 900 + "]" * 900 + "}"
    head = '"mode":"production","source":"x","issued":"2026-01-01"'
    with pytest.raises(OfficerFault):
        accept(f'{{{head},"points":[{nested}]}}')


def partial() -> ImportDocument:
    """What an agency sends: a program of its own and entitlements for people it does not list."""
    rice = next(program for program in CITY.programs if program.id == "beras-keluarga")
    seed = next(program for program in CITY.programs if program.id == "benih-padi")
    return ImportDocument(
        mode="demonstration",
        source="DKP3",
        issued=TODAY,
        programs=(seed,),
        entitlements=tuple(
            item
            for item in CITY.entitlements
            if item.program_id == seed.id or (item.program_id == rice.id and item.subject == "f1")
        ),
    )


def test_a_partial_document_says_what_to_look_up() -> None:
    asked: list[Unresolved] = []

    def lookup(wanted: Unresolved) -> Known:
        asked.append(wanted)
        return Known(
            agencies=wanted.agencies,
            families=wanted.families,
            holders=wanted.holders,
            programs={program.id: program for program in CITY.programs if program.id in wanted.programs},
        )

    accept(to_json(partial()), lookup)
    (wanted,) = asked
    assert wanted.agencies == {4}
    assert wanted.families == {1}
    assert wanted.programs == {"beras-keluarga"}
    assert wanted.right_groups == {"sarana-tanam"}
    assert {7, 24} <= wanted.holders


def test_a_partial_document_without_what_it_needs_is_refused() -> None:
    codes = {mistake.code for mistake in check(partial(), Known())}
    assert codes == {"unknown_agency", "unknown_holder", "unknown_family", "unknown_program"}


def test_a_whole_document_needs_nothing() -> None:
    assert not unresolved(CITY)


def changed(program: Program, **fields: Any) -> Program:
    return Program.model_validate(program.model_dump(by_alias=True) | fields)


def test_programs_at_central_are_held_against_those_of_the_document() -> None:
    seed = next(program for program in CITY.programs if program.id == "benih-padi")
    fertiliser = next(program for program in CITY.programs if program.id == "pupuk-bersubsidi")
    document = ImportDocument(mode="demonstration", source="DKP3", issued=TODAY, programs=(seed,))

    def codes(*known: Program) -> set[str]:
        central = Known(agencies={4}, programs={program.id: program for program in known})
        return {mistake.code for mistake in check(document, central)}

    assert codes(fertiliser) == set()
    assert codes(changed(fertiliser, mode="online_only")) == {"group_conflict"}
    assert codes(seed) == set()
    assert codes(changed(seed, version=2)) == {"version"}
    assert codes(changed(seed, documents=())) == {"version"}
    assert codes(changed(seed, right_group="other")) == {"version", "group_moved"}


def test_a_mode_stays_where_no_period_is_ever_over() -> None:
    before = changed(CITY.programs[0], period={"kind": "once", "windows": []}, version=1, right_group="own")
    limits = {"amount": 1, "count": 1, "days": 1}
    after = changed(before, version=2, mode="tolerate", tolerate=limits)
    document = ImportDocument(mode="demonstration", source="x", issued=TODAY, programs=(after,))
    known = Known(agencies={before.agency_id}, points=set(before.points or ()), programs={before.id: before})
    assert {mistake.code for mistake in check(document, known)} == {"mode_fixed"}


def test_a_keeper_at_central_counts() -> None:
    document = ImportDocument(
        mode="demonstration", source="Diskominfo", issued=TODAY, kiosks=(CITY.kiosks[1],)
    )
    with_keeper = Known(points={10}, keepers={10: "IRM1"})
    assert check(document, with_keeper) == ()
    assert [mistake.code for mistake in check(document, Known(points={10}))] == ["no_keeper"]


def test_the_reader_tells_where_each_entry_stood() -> None:
    document = body()
    document["points"].insert(0, {"id": 1})
    reading = read_document(json.dumps(document))
    assert reading.places["points"][0] == 1
    assert reading.document is not None
    assert len(reading.document.points) == len(CITY.points)


def test_card_numbers_of_one_wrong_digit_never_pass() -> None:
    good = card_no_of(123_456_789)
    for place in range(10):
        for digit in "0123456789":
            wrong = good[:place] + digit + good[place + 1 :]
            assert is_card_no(wrong) == (wrong == good)


@pytest.mark.parametrize("wrong", ["", "123456789", "12345678901", "12345678٣٠", "+123456789"])
def test_what_is_not_ten_digits_is_no_card_number(wrong: str) -> None:
    assert not is_card_no(wrong)


@pytest.mark.parametrize("body_of_number", [0, 10**9, -1])
def test_a_card_number_has_nine_digits_of_its_own(body_of_number: int) -> None:
    with pytest.raises(ValueError, match="9 digits"):
        card_no_of(body_of_number)


def test_a_nik_is_region_birth_and_serial() -> None:
    """The day of birth is raised by 40 for women (PP 37/2007, article 37)."""
    assert nik_of("997203", date(2001, 2, 3), True, 17) == "9972034302010017"
    assert nik_of("997203", date(2001, 2, 3), False, 17) == "9972030302010017"
    assert nik_fault("9972034302010017") == ""
    assert nik_fault("9972030002010017") == "date"
    assert nik_fault("9972034002010017") == "date"
    assert nik_fault("9972037202010017") == "date"
    assert nik_fault("9972030302010000") == "serial"
    with pytest.raises(ValueError, match="serial"):
        nik_of("997203", date(2001, 2, 3), True, 10_000)
    with pytest.raises(ValueError, match="region"):
        nik_of("9972", date(2001, 2, 3), True, 1)
