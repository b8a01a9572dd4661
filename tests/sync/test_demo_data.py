"""The demonstration's document: always the same, without mistakes, and with something of everything."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from kiosk.period import start_of_day
from kiosk.program import Program, parse_program
from kiosk.values import Grade
from sync.central.demo_data import HOLDERS, generate
from sync.central.demo_places import BANJARSARI, DISTRICTS, HADIMULYO_TIMUR, IRINGMULYO
from sync.central.demo_programs import AMOUNTS, month_after, programs
from sync.central.demo_showcase import SHOWCASE
from sync.central.identity_numbers import is_card_no
from sync.central.import_checks import accept, check, unresolved
from sync.central.import_format import ImportDocument, to_json

TODAY = date(2026, 11, 23)
CITY = generate(1, TODAY)
PROGRAMS = {program.id: program for program in CITY.programs}
DAYS = [date(2024, 2, 29), date(2026, 1, 1), date(2026, 3, 31), date(2026, 12, 31), date(2028, 10, 1)]


def test_the_same_seed_and_day_make_the_same_document() -> None:
    assert to_json(generate(1, TODAY)) == to_json(CITY)


def test_another_seed_makes_other_people_with_the_same_showcase() -> None:
    other = generate(2, TODAY)
    assert to_json(other) != to_json(CITY)
    for document in (CITY, other):
        numbers = {holder.id: (holder.card_no, holder.name) for holder in document.holders}
        for shown in SHOWCASE.values():
            assert numbers[shown.holder_id] == (shown.card_no, shown.member.name)


@pytest.mark.parametrize("today", DAYS)
@pytest.mark.parametrize("seed", range(3))
def test_no_mistake_on_any_day(seed: int, today: date) -> None:
    document = generate(seed, today)
    assert check(document) == ()
    assert not unresolved(document)
    assert accept(to_json(document)) == document


@pytest.mark.parametrize("today", DAYS)
def test_programs_read_as_kiosks_read_them(today: date) -> None:
    for program in programs(today):
        assert parse_program(program.model_dump_json(by_alias=True)) == program


def test_people_are_where_they_should_be() -> None:
    at = Counter(holder.point_id for holder in CITY.holders)
    assert sum(at.values()) == HOLDERS == 500
    assert (at[IRINGMULYO], at[HADIMULYO_TIMUR]) == (150, 120)
    assert set(at) == set(range(1, 23))


def test_the_city_has_its_kecamatan_and_kelurahan() -> None:
    assert [len(names) for names in DISTRICTS.values()] == [5, 4, 5, 4, 4]
    names = {point.id: point.name for point in CITY.points}
    assert names[IRINGMULYO] == "Kelurahan Iringmulyo"
    assert names[HADIMULYO_TIMUR] == "Kelurahan Hadimulyo Timur"
    assert names[BANJARSARI] == "Kelurahan Banjarsari"
    assert Counter(point.kind for point in CITY.points) == {"kelurahan": 22, "puskesmas": 1, "school": 1}
    assert len(CITY.agencies) == 7


def test_nobody_is_real() -> None:
    for number in (*(holder.nik for holder in CITY.holders), *(family.kk for family in CITY.families)):
        assert number.startswith("99")


def test_numbers_are_never_given_twice_and_say_nothing_of_the_person() -> None:
    for numbers in (
        [holder.card_no for holder in CITY.holders],
        [holder.nik for holder in CITY.holders],
        [family.kk for family in CITY.families],
        [card.uid for card in CITY.cards],
    ):
        assert len(set(numbers)) == len(numbers)
    for holder in CITY.holders:
        assert is_card_no(holder.card_no)
        assert holder.nik[6:12] not in holder.card_no
        assert holder.nik[12:] not in holder.card_no


def test_kiosks_and_officers() -> None:
    assert {kiosk.id: (kiosk.point_id, kiosk.keeper) for kiosk in CITY.kiosks} == {
        "IRM1": (IRINGMULYO, True),
        "IRM2": (IRINGMULYO, False),
        "HDM1": (HADIMULYO_TIMUR, True),
    }
    roles = Counter((officer.point_id, officer.role) for officer in CITY.officers)
    assert roles == {
        (IRINGMULYO, "officer"): 2,
        (IRINGMULYO, "supervisor"): 1,
        (HADIMULYO_TIMUR, "officer"): 2,
        (HADIMULYO_TIMUR, "supervisor"): 1,
    }
    assert len({officer.pin for officer in CITY.officers}) == len(CITY.officers)


def test_programs_cover_every_sector_period_and_rule() -> None:
    every = PROGRAMS.values()
    assert len(every) >= 9
    assert {program.sector for program in every} == {
        "education",
        "health",
        "social",
        "agriculture",
        "child_protection",
    }
    assert {program.period.kind for program in every} == {
        "once",
        "daily",
        "weekly",
        "monthly",
        "quarterly",
        "semester",
        "yearly",
        "windows",
    }
    assert {program.benefit.kind for program in every} == {"goods", "money", "service"}
    assert {program.benefit.unit for program in every} >= {"g", "piece", "IDR", "time"}
    assert {program.mode for program in every} == {"strict", "tolerate", "online_only"}
    assert {program.subject for program in every} == {"holder", "family"}
    assert {collector for program in every for collector in program.collectors} == {
        "holder",
        "guardian",
        "representative",
    }
    assert {program.least_grade for program in every} == {"p0", "p1"}
    for rule in ("partial", "sensitive", "officer_check_lifts", "typed_allowed", "grade_above", "documents"):
        assert any(getattr(program, rule) for program in every), rule
        assert not all(getattr(program, rule) for program in every), rule
    assert any(program.points for program in every)
    assert sum(program.sensitive for program in every) == 2
    assert set(AMOUNTS) == set(PROGRAMS)


def test_two_programs_exclude_each_other() -> None:
    groups: dict[str, set[str]] = defaultdict(set)
    for program in PROGRAMS.values():
        groups[program.right_group].add(program.id)
    shared = [ids for ids in groups.values() if len(ids) > 1]
    assert shared == [{"pupuk-bersubsidi", "benih-padi"}]
    farmer = f"h{SHOWCASE['farmer'].holder_id}"
    own = {item.program_id for item in CITY.entitlements if item.subject == farmer}
    assert own == {"pupuk-bersubsidi", "benih-padi"}


@pytest.mark.parametrize("today", DAYS)
def test_something_is_open_something_comes_and_something_is_over(today: date) -> None:
    """Whatever the day, planting is in season, the bags are not yet given out, the masks are no more."""
    at = datetime.combine(today, time(9), ZoneInfo("Asia/Jakarta"))
    now = {program.id: program for program in programs(today)}
    season = now["pupuk-bersubsidi"].current_period(at)
    assert season is not None
    assert season.contains(at)
    assert now["tas-sekolah"].current_period(at) is None
    opening = now["tas-sekolah"].next_period(at)
    assert opening is not None
    assert opening.start == start_of_day(month_after(today, 2), "Asia/Jakarta")
    over = now["masker-sekolah"].ends_at
    assert over is not None
    assert over <= at


def test_every_entitlement_gives_what_the_program_says() -> None:
    for item in CITY.entitlements:
        assert item.quantity == AMOUNTS[item.program_id]
    used = Counter(item.program_id for item in CITY.entitlements)
    assert set(used) == set(PROGRAMS)


def test_aid_for_the_elderly_asks_for_a_chip_or_a_check() -> None:
    elderly: Program = PROGRAMS["bantuan-lansia"]
    assert elderly.grade_above is not None
    assert AMOUNTS["bantuan-lansia"] > elderly.grade_above.quantity
    assert elderly.grade_above_needed is Grade.P1


def test_children_have_guardians_and_the_ward_lost_two() -> None:
    """Everybody under eighteen has somebody who may collect for them today."""
    valid = {
        entry.child_id
        for entry in CITY.guardians
        if entry.valid_from <= TODAY
        and (entry.valid_until is None or entry.valid_until > TODAY)
        and entry.revoked_at is None
    }
    for holder in CITY.holders:
        eighteenth = holder.birth.replace(year=holder.birth.year + 18)
        assert (holder.id in valid) == (eighteenth > TODAY)
    ward = [entry for entry in CITY.guardians if entry.child_id == SHOWCASE["ward"].holder_id]
    assert [entry.relation for entry in ward] == ["grandmother", "aunt", "uncle"]
    assert ward[1].valid_until is not None
    assert ward[1].valid_until < TODAY
    assert ward[2].revoked_at is not None


def test_statuses_and_issues_of_the_showcase() -> None:
    assert Counter(holder.status for holder in CITY.holders) == {"active": 498, "blocked": 1, "deceased": 1}
    denied = {card.holder_id: card.status for card in CITY.cards if card.status != "active"}
    assert denied == {
        SHOWCASE["deceased"].holder_id: "deceased",
        SHOWCASE["lost"].holder_id: "lost",
        SHOWCASE["stolen"].holder_id: "stolen",
        SHOWCASE["revoked"].holder_id: "revoked",
        SHOWCASE["replaced-new"].holder_id: "replaced",
    }
    expired = [card.holder_id for card in CITY.cards if card.valid_until <= TODAY]
    assert expired == [SHOWCASE["expired"].holder_id]


def programs_of(document: ImportDocument, label: str) -> set[str]:
    """Programs of a showcase's holder, with those of the family."""
    holder = next(holder for holder in document.holders if holder.id == SHOWCASE[label].holder_id)
    subjects = {f"h{holder.id}", f"f{holder.family_id}"}
    return {item.program_id for item in document.entitlements if item.subject in subjects}


def test_the_showcase_has_what_it_is_shown_for() -> None:
    assert programs_of(CITY, "mother") == {"beras-keluarga", "periksa-kesehatan"}
    assert programs_of(CITY, "father") == {"beras-keluarga"}
    assert programs_of(CITY, "one-program") == {"periksa-kesehatan"}
    assert programs_of(CITY, "no-program") == set()
    assert programs_of(CITY, "treatment") == {"nutrisi-terapi"}
    assert "konseling-anak" in programs_of(CITY, "sensitive")
    assert "makanan-balita" in programs_of(CITY, "toddler")
    assert len({shown.card_no for shown in SHOWCASE.values()}) == len(SHOWCASE) == 25
