"""Program documents: what is sound, what is refused, and what a pickup takes from a right."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import CentralFault, OfficerFault
from kiosk.program import (
    MAX_DOCUMENT_BYTES,
    Program,
    group_conflicts,
    needs_reason,
    parse_program,
    quantity_due,
    spends,
    validate_quantity,
)
from kiosk.values import Grade, Text
from tests.kiosk.program_document import document

RICE = document(
    version=3,
    name={"id": "Beras keluarga", "en": "Family rice"},
    agency_id=3,
    valid_until="2027-01-01",
    period={"kind": "monthly"},
    subject="family",
    right_group="pangan",
    documents=["ktp", "kk"],
    points=[1, 4],
    counter="Loket 2",
    grade_above={"quantity": 20_000, "grade": "p1"},
    officer_check_lifts=True,
    collectors=["holder", "representative"],
)
TOLERANCE = {"amount": 100_000, "count": 10, "days": 3}


def program(**change: Any) -> Program:
    return parse_program(json.dumps({**RICE, **change}))


def test_a_sound_document() -> None:
    rice = program()
    assert rice.name == Text(id="Beras keluarga", en="Family rice")
    assert (rice.grade_needed, rice.grade_above_needed) == (Grade.P0, Grade.P1)
    assert rice.documents == ("ktp", "kk")
    assert rice.served_at(4)
    assert not rice.served_at(2)
    assert program(points=None).served_at(2)
    assert rice.starts_at == datetime(2025, 12, 31, 17, tzinfo=UTC)
    assert rice.ends_at == datetime(2026, 12, 31, 17, tzinfo=UTC)
    assert program(valid_until=None).ends_at is None


def test_programs_are_frozen_and_hashable() -> None:
    assert hash(program()) == hash(program())
    assert {program(): "one"}[program()] == "one"
    with pytest.raises(Exception, match="frozen"):
        program().version = 4  # type: ignore[misc]


def test_a_document_written_out_reads_back() -> None:
    rice = program(
        period={
            "kind": "windows",
            "windows": [
                {"key": "MT1", "from": "2026-03-01", "until": "2026-05-01", "name": {"id": "a", "en": "b"}}
            ],
        }
    )
    assert parse_program(rice.model_dump_json(by_alias=True)) == rice


def test_periods_of_a_program() -> None:
    at = datetime(2026, 11, 30, 17, tzinfo=UTC)
    now, following = program().current_period(at), program().next_period(at)
    assert now is not None
    assert following is not None
    assert (now.key, following.key) == ("2026-12", "2027-01")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": "Beras"}, "id: .*pattern"),
        ({"id": "b"}, "id: .*pattern"),
        ({"id": "b" * 41}, "id: .*pattern"),
        ({"id": "beras\n"}, "id: .*pattern"),
        ({"right_group": "a/b"}, "right_group: .*pattern"),
        ({"version": 0}, "version: "),
        ({"version": True}, "version: "),
        ({"version": "3"}, "version: "),
        ({"agency_id": 2**31}, "agency_id: "),
        ({"sector": "sport"}, "sector: "),
        ({"valid_from": "1 January 2026"}, "valid_from: "),
        ({"valid_from": "2026-01-01T00:00:00"}, "valid_from: "),
        ({"valid_from": 20454}, "valid_from: "),
        ({"valid_from": "1969-12-31"}, "valid_from lies outside"),
        ({"valid_until": "2026-01-01"}, "comes after valid_from"),
        ({"valid_until": "9999-01-01"}, "valid_until"),
        ({"zone": "Asia/Metro"}, "zone: .*IANA"),
        ({"period": {"kind": "windows"}}, "period: .*lists its windows"),
        ({"period": {"kind": "monthly", "day": 1}}, "period.day: Extra"),
        ({"subject": "village"}, "subject: "),
        ({"partial": "no"}, "partial: "),
        ({"partial": 0}, "partial: "),
        ({"documents": ["ktp", "ktp"]}, "documents: .*twice"),
        ({"documents": ["KTP asli"]}, "documents.0: "),
        ({"documents": [f"d{n}" for n in range(9)]}, "documents: "),
        ({"points": []}, "points: "),
        ({"points": [1, 1]}, "points: .*twice"),
        ({"points": [0]}, "points.0: "),
        ({"counter": "L" * 25}, "counter: "),
        ({"least_grade": "typed"}, "least_grade: "),
        ({"least_grade": "p4"}, "least_grade: "),
        ({"grade_above": {"quantity": 1, "grade": "p0"}}, "above least_grade"),
        ({"grade_above": {"quantity": 0, "grade": "p2"}}, "grade_above.quantity: "),
        ({"collectors": []}, "collectors: "),
        ({"collectors": ["neighbour"]}, "collectors.0: "),
        ({"collectors": ["holder", "holder"]}, "collectors: .*twice"),
        ({"mode": "tolerate"}, "states its limits"),
        ({"tolerate": TOLERANCE}, "states its limits"),
        ({"mode": "tolerate", "tolerate": {**TOLERANCE, "days": 0}}, "tolerate.days: "),
        ({"mode": "tolerate", "tolerate": {"amount": 1, "count": 1}}, "tolerate.days: Field required"),
        ({"surprise": 1}, "surprise: Extra"),
    ],
)
def test_unsound_documents_are_refused_and_say_where(change: dict[str, Any], words: str) -> None:
    with pytest.raises(CentralFault, match=words) as caught:
        program(**change)
    assert caught.value.code == "program_malformed"


@pytest.mark.parametrize("missing", sorted(RICE))
def test_nothing_may_be_left_out(missing: str) -> None:
    document = {key: value for key, value in RICE.items() if key != missing}
    with pytest.raises(CentralFault, match=f"{missing}: Field required"):
        parse_program(json.dumps(document))


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(CentralFault) as caught:
        program(version=0, sector="sport", points=[])
    assert [mistake.split(":")[0] for mistake in caught.value.detail["mistakes"]] == [
        "version",
        "sector",
        "points",
    ]


@pytest.mark.parametrize("doc", ["", "null", "[]", "{", '"beras"', "{}", "\ud800", "[" * 10_000])
def test_what_is_no_document(doc: str) -> None:
    with pytest.raises(CentralFault, match="program document refused"):
        parse_program(doc)


def test_a_document_beyond_reason_is_not_read() -> None:
    with pytest.raises(CentralFault, match="too long"):
        parse_program(json.dumps({**RICE, "counter": "x" * MAX_DOCUMENT_BYTES}))


@given(
    doc=st.text(),
    key=st.sampled_from(sorted(RICE)),
    value=st.none() | st.integers() | st.text() | st.booleans(),
)
def test_any_document_is_read_or_refused(doc: str, key: str, value: Any) -> None:
    for text in (doc, json.dumps({**RICE, key: value})):
        try:
            read = parse_program(text)
        except CentralFault as fault:
            assert fault.code == "program_malformed"  # noqa: PT017 (either end is right)
        else:
            assert parse_program(read.model_dump_json(by_alias=True)) == read


def test_programs_that_may_share_a_right() -> None:
    money = {**RICE["benefit"], "kind": "money", "unit": "IDR", "per_display": 1}
    assert group_conflicts([program(), program(id="uang-pangan", benefit=money, points=None)]) == []
    assert group_conflicts([]) == []
    assert group_conflicts([program(partial=True)]) == []
    assert group_conflicts([program(partial=True), program(id="lain", right_group="lain", zone="UTC")]) == []
    assert group_conflicts([program(), program(version=4, period={"kind": "weekly"})]) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"partial": True}, "right group pangan: telur@3 is partial"),
        ({"period": {"kind": "weekly"}}, "beras@3 and telur@3 have different periods"),
        ({"zone": "Asia/Makassar"}, "beras@3 and telur@3 have different zones"),
        ({"subject": "holder"}, "beras@3 and telur@3 have different subjects"),
        ({"mode": "online_only"}, "beras@3 and telur@3 have different modes"),
    ],
)
def test_programs_that_may_not_share_a_right(change: dict[str, Any], words: str) -> None:
    (conflict,) = group_conflicts([program(id="telur", **change), program()])
    assert words in conflict


def test_versions_of_one_program_are_held_against_the_others_only() -> None:
    versions = [program(), program(version=4, period={"kind": "weekly"})]
    (conflict,) = group_conflicts([*versions, program(id="telur")])
    assert "beras@4 and telur@3 have different periods" in conflict


def test_every_conflict_is_told() -> None:
    conflicts = group_conflicts(
        [program(), program(id="telur", zone="UTC", partial=True), program(id="gula", subject="holder")]
    )
    assert len(conflicts) == 5
    assert all(conflict.startswith("right group pangan: ") for conflict in conflicts)


@given(left=st.integers(1, 10**9), data=st.data())
def test_what_a_pickup_takes(left: int, data: st.DataObject) -> None:
    quantity = data.draw(st.integers(1, left))
    whole, partial = WHOLE, PARTIAL
    assert spends(whole, quantity, left) == left
    assert spends(partial, quantity, left) == quantity
    assert needs_reason(whole, quantity, left) == (quantity < left)
    assert not needs_reason(partial, quantity, left)
    validate_quantity(whole, quantity, left)
    validate_quantity(partial, quantity, left)


def test_what_is_due_under_a_right_that_others_share() -> None:
    assert quantity_due(WHOLE, 10_000, 200_000) == 10_000
    assert quantity_due(WHOLE, 10_000, 8_000) == 8_000
    assert quantity_due(WHOLE, 10_000, 0) == 0
    assert quantity_due(PARTIAL, 10_000, 12_000) == 12_000


@pytest.mark.parametrize(("quantity", "left"), [(0, 10), (-1, 10), (11, 10), (1, 0)])
@pytest.mark.parametrize("partial", [False, True])
def test_quantities_that_cannot_be_handed_out(quantity: int, left: int, partial: bool) -> None:
    with pytest.raises(OfficerFault) as caught:
        validate_quantity(program(partial=partial), quantity, left)
    assert caught.value.code == "quantity"
    assert caught.value.detail == {"quantity": quantity, "quantity_left": left}


WHOLE = program()
PARTIAL = program(partial=True)
