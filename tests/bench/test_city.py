"""The bench's city: as many rows as it says, and its tapped holders have exactly the programs they should."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from bench.city import LEAST_HOLDERS, PER_HOLDER, POINTS, City
from kiosk.feed_rows import COLUMNS, row_fault

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def city() -> City:
    return City(LEAST_HOLDERS, "IRM1", 10, NOW)


def test_every_row_is_of_the_feed(city: City) -> None:
    for kind in COLUMNS:
        keys = set()
        for _, values in city.rows(kind, {"rina": "hash"}):
            assert row_fault(kind, values) == ""
            keys.add(values[: 2 if kind == "denied_card" else 1])
        assert len(keys) == sum(1 for _ in city.rows(kind, {"rina": "hash"}))


def test_there_are_five_entitlements_a_holder(city: City) -> None:
    found = list(city.entitled())
    assert len(found) == PER_HOLDER * city.holders
    assert [one.id for one in found] == list(range(1, len(found) + 1))
    assert len({(one.subject, one.program) for one in found}) == len(found)


def test_tapped_holders_have_one_and_fourteen_programs(city: City) -> None:
    count: Counter[str] = Counter()
    for one in city.entitled():
        count[one.subject] += 1
    for holders, wanted in ((city.one_program, 1), (city.many_programs, 14)):
        for holder in holders:
            family = (holder - 1) // 4 + 1
            assert count[f"h{holder}"] + count[f"f{family}"] == wanted


def test_holders_live_at_all_points_and_many_at_the_own_one(city: City) -> None:
    lived = Counter(city.point_of(family) for family in range(1, city.families + 1))
    assert set(lived) == set(range(1, POINTS + 1))
    assert lived[10] == city.own_families


def test_no_right_lies_in_two_places(city: City) -> None:
    listed = {values[0] for _, values in city.rows("right", {})}
    held = {city.right_of(one) for one in city.entitled() if city.is_held_here(one)}
    assert listed
    assert held
    assert not listed & held
