"""Which period an instant falls in: edges of months, years, weeks and zones, and the tiling of time."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosk.period import Period, PeriodKind, PeriodRule, current, local_day, next_after, of_key, start_of_day

JAKARTA = "Asia/Jakarta"
BERLIN = "Europe/Berlin"
CYCLES = [kind for kind in get_args(PeriodKind) if kind not in ("once", "windows")]
ZONES = [
    JAKARTA,
    BERLIN,
    "America/St_Johns",  # until 2011 the clocks went back at 00:01, into the day before
    "America/Havana",  # clocks go forward at 00:00 and back at 01:00
    "Africa/Cairo",  # clocks go forward at 00:00
    "Pacific/Apia",  # 30 December 2011 did not happen
    "Pacific/Kiritimati",
    "UTC",
]
SEASONS: dict[str, Any] = {
    "kind": "windows",
    "windows": [
        {"key": "MT1", "from": "2026-03-01", "until": "2026-05-01", "name": {"id": "Rendeng", "en": "Wet"}},
        {"key": "MT2", "from": "2026-05-01", "until": "2026-07-01", "name": {"id": "Gadu", "en": "Dry"}},
        {"key": "MT3", "from": "2026-11-01", "until": "2027-01-15", "name": {"id": "Akhir", "en": "Late"}},
    ],
}


def rule(kind: str) -> PeriodRule:
    return PeriodRule.model_validate_json(json.dumps({"kind": kind}))


def seasons() -> PeriodRule:
    return PeriodRule.model_validate_json(json.dumps(SEASONS))


def wib(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(JAKARTA))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def found(period: Period | None) -> Period:
    assert period is not None
    return period


@pytest.mark.parametrize(
    ("kind", "at", "key", "start", "end"),
    [
        ("daily", "2026-11-23T12:00", "2026-11-23", "2026-11-23T00:00", "2026-11-24T00:00"),
        ("daily", "2024-02-29T12:00", "2024-02-29", "2024-02-29T00:00", "2024-03-01T00:00"),
        ("daily", "2025-02-28T23:59:59.999999", "2025-02-28", "2025-02-28T00:00", "2025-03-01T00:00"),
        ("weekly", "2026-11-23T00:00", "2026-W48", "2026-11-23T00:00", "2026-11-30T00:00"),
        ("weekly", "2026-11-22T23:59:59.999", "2026-W47", "2026-11-16T00:00", "2026-11-23T00:00"),
        ("weekly", "2027-01-03T12:00", "2026-W53", "2026-12-28T00:00", "2027-01-04T00:00"),
        ("weekly", "2027-01-04T00:00", "2027-W01", "2027-01-04T00:00", "2027-01-11T00:00"),
        ("weekly", "2024-12-30T00:00", "2025-W01", "2024-12-30T00:00", "2025-01-06T00:00"),
        ("weekly", "2023-01-01T12:00", "2022-W52", "2022-12-26T00:00", "2023-01-02T00:00"),
        ("monthly", "2026-11-30T23:59:59.999", "2026-11", "2026-11-01T00:00", "2026-12-01T00:00"),
        ("monthly", "2026-12-01T00:00", "2026-12", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("monthly", "2024-02-29T23:59:59.999", "2024-02", "2024-02-01T00:00", "2024-03-01T00:00"),
        ("quarterly", "2026-09-30T23:59:59.999", "2026-Q3", "2026-07-01T00:00", "2026-10-01T00:00"),
        ("quarterly", "2026-10-01T00:00", "2026-Q4", "2026-10-01T00:00", "2027-01-01T00:00"),
        ("semester", "2026-06-30T23:59:59.999", "2026-S1", "2026-01-01T00:00", "2026-07-01T00:00"),
        ("semester", "2026-07-01T00:00", "2026-S2", "2026-07-01T00:00", "2027-01-01T00:00"),
        ("yearly", "2026-12-31T23:59:59.999", "2026", "2026-01-01T00:00", "2027-01-01T00:00"),
        ("yearly", "2027-01-01T00:00", "2027", "2027-01-01T00:00", "2028-01-01T00:00"),
    ],
)
def test_period_of_an_instant(kind: str, at: str, key: str, start: str, end: str) -> None:
    assert current(rule(kind), JAKARTA, wib(at)) == Period(key, wib(start), wib(end))


@pytest.mark.parametrize(
    ("at", "jakarta", "greenwich"),
    [
        ("2026-11-30T16:59:59.999", "2026-11", "2026-11"),
        ("2026-11-30T17:00:00", "2026-12", "2026-11"),
        ("2026-11-30T23:59:59.999", "2026-12", "2026-11"),
        ("2026-12-01T00:00:00", "2026-12", "2026-12"),
    ],
)
def test_the_month_turns_at_midnight_of_the_zone(at: str, jakarta: str, greenwich: str) -> None:
    assert found(current(rule("monthly"), JAKARTA, utc(at))).key == jakarta
    assert found(current(rule("monthly"), "UTC", utc(at))).key == greenwich


def test_days_of_changing_clocks_have_23_and_25_hours() -> None:
    spring = of_key(rule("daily"), BERLIN, "2026-03-29")
    autumn = of_key(rule("daily"), BERLIN, "2026-10-25")
    assert spring.end.astimezone(UTC) - spring.start.astimezone(UTC) == timedelta(hours=23)
    assert autumn.end.astimezone(UTC) - autumn.start.astimezone(UTC) == timedelta(hours=25)


def test_both_two_o_clocks_of_autumn_are_the_same_day() -> None:
    for fold in (0, 1):
        at = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo(BERLIN), fold=fold)
        assert found(current(rule("daily"), BERLIN, at)).key == "2026-10-25"


def test_a_day_whose_midnight_is_skipped_starts_at_the_skip() -> None:
    start = start_of_day(date(2023, 4, 28), "Africa/Cairo")
    assert start.astimezone(UTC) == utc("2023-04-27T22:00")
    assert (start.hour, start.date()) == (1, date(2023, 4, 28))


def test_a_day_that_a_zone_skipped_is_no_period() -> None:
    at = datetime(2011, 12, 29, 12, tzinfo=ZoneInfo("Pacific/Apia"))
    assert found(next_after(rule("daily"), "Pacific/Apia", at)).key == "2011-12-31"
    with pytest.raises(ValueError, match="skipped the day 2011-12-30"):
        of_key(rule("daily"), "Pacific/Apia", "2011-12-30")


def test_a_day_that_has_begun_stays_begun_when_clocks_fall_back_over_midnight() -> None:
    # At 00:01 on 7 November 2010, St. John's went back to 23:01 on the 6th.
    begun = utc("2010-11-07T02:30")
    again_the_old_day = utc("2010-11-07T03:00")
    assert local_day(again_the_old_day, "America/St_Johns") == date(2010, 11, 6)
    assert found(current(rule("daily"), "America/St_Johns", begun)).key == "2010-11-07"
    assert found(current(rule("daily"), "America/St_Johns", again_the_old_day)).key == "2010-11-07"


def test_once_is_one_period_for_good() -> None:
    period = found(current(rule("once"), JAKARTA, wib("2026-11-23T08:00")))
    assert period.key == "once"
    assert period == of_key(rule("once"), JAKARTA, "once")
    assert next_after(rule("once"), JAKARTA, wib("2026-11-23T08:00")) is None


@pytest.mark.parametrize(
    ("at", "now", "following"),
    [
        ("2026-02-28T23:59:59.999", None, "MT1"),
        ("2026-03-01T00:00", "MT1", "MT2"),
        ("2026-04-30T23:59:59.999", "MT1", "MT2"),
        ("2026-05-01T00:00", "MT2", "MT3"),
        ("2026-07-01T00:00", None, "MT3"),
        ("2026-12-31T23:59", "MT3", None),
        ("2027-01-15T00:00", None, None),
    ],
)
def test_windows(at: str, now: str | None, following: str | None) -> None:
    open_now = current(seasons(), JAKARTA, wib(at))
    upcoming = next_after(seasons(), JAKARTA, wib(at))
    assert (open_now and open_now.key) == now
    assert (upcoming and upcoming.key) == following


def test_last_day_is_the_day_before_the_end() -> None:
    assert of_key(rule("monthly"), JAKARTA, "2024-02").last_day == date(2024, 2, 29)
    assert of_key(seasons(), JAKARTA, "MT3").last_day == date(2027, 1, 14)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("once", "Once"),
        ("daily", "2025-02-29"),
        ("daily", "2026-11-3"),
        ("daily", "２０２６-11-03"),
        ("daily", "2026-11-03\n"),
        ("weekly", "2025-W53"),
        ("weekly", "2026-W00"),
        ("weekly", "2026-48"),
        ("monthly", "2026-13"),
        ("monthly", "2026-00"),
        ("monthly", "2026-Q4"),
        ("quarterly", "2026-Q5"),
        ("semester", "2026-S3"),
        ("semester", "2026-S0"),
        ("yearly", "26"),
        ("yearly", "0000"),
        ("yearly", "1969"),
        ("yearly", "9998"),
        ("windows", "MT4"),
        ("windows", "2026-11"),
    ],
)
def test_keys_of_no_period_are_refused(kind: str, key: str) -> None:
    with pytest.raises(ValueError):
        of_key(seasons() if kind == "windows" else rule(kind), JAKARTA, key)


@pytest.mark.parametrize("kind", [*CYCLES, "once", "windows"])
def test_a_time_without_a_zone_is_refused(kind: str) -> None:
    naive = datetime(2026, 11, 23, 8)  # noqa: DTZ001 (that is the point)
    with pytest.raises(ValueError, match="without a zone"):
        current(seasons() if kind == "windows" else rule(kind), JAKARTA, naive)


@pytest.mark.parametrize(
    "zone", ["Asia/Metro", "Asia", "localtime", "../etc/passwd", "/etc/localtime", "", "WIB"]
)
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="IANA zone"):
        current(rule("daily"), zone, utc("2026-11-23T08:00"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "monthly"}, "only a period of kind windows"),
        ({"windows": []}, "lists its windows"),
        ({"windows": [SEASONS["windows"][0], SEASONS["windows"][0]]}, "same key"),
        ({"windows": [SEASONS["windows"][1], SEASONS["windows"][0]]}, "overlap or are out of order"),
        ({"windows": [{**SEASONS["windows"][0], "until": "2026-05-02"}, SEASONS["windows"][1]]}, "overlap"),
        ({"windows": [{**SEASONS["windows"][0], "until": "2026-03-01"}]}, "does not end after it starts"),
        ({"windows": [{**SEASONS["windows"][0], "key": "a/b"}]}, "pattern"),
        ({"kind": "fortnightly", "windows": []}, "kind"),
        ({"surprise": 1}, "Extra inputs"),
    ],
)
def test_unsound_rules_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        PeriodRule.model_validate_json(json.dumps({**SEASONS, **change}))


def test_the_same_time_under_other_names() -> None:
    renamed = json.loads(json.dumps(SEASONS))
    renamed["windows"][0]["name"] = {"id": "Hujan", "en": "Rain"}
    moved = json.loads(json.dumps(SEASONS))
    moved["windows"][0]["from"] = "2026-03-02"
    assert seasons().same_time_as(PeriodRule.model_validate_json(json.dumps(renamed)))
    assert not seasons().same_time_as(PeriodRule.model_validate_json(json.dumps(moved)))
    assert not rule("monthly").same_time_as(rule("weekly"))


instants = st.datetimes(min_value=datetime(1975, 1, 1), max_value=datetime(2100, 1, 1)).map(  # noqa: DTZ001
    lambda naive: naive.replace(tzinfo=UTC)
)
# Around the days when clocks change, where a mistake would hide.
turns = st.builds(
    lambda day, minutes: day + timedelta(minutes=minutes),
    st.sampled_from(
        [
            utc(text)
            for text in (
                "2010-11-07T03:00",
                "2011-12-30T10:00",
                "2023-04-27T22:00",
                "2026-03-29T01:00",
                "2026-10-25T01:00",
                "2026-11-01T05:00",
                "2026-12-31T17:00",
            )
        ]
    ),
    st.integers(-3 * 24 * 60, 3 * 24 * 60),
)
moments = st.one_of(instants, turns)


@settings(deadline=None, max_examples=300)
@given(kind=st.sampled_from(CYCLES), zone=st.sampled_from(ZONES), at=moments)
def test_periods_tile_time(kind: str, zone: str, at: datetime) -> None:
    here = found(current(rule(kind), zone, at))
    following = found(next_after(rule(kind), zone, at))
    assert here.contains(at)
    assert following.start.astimezone(UTC) == here.end.astimezone(UTC)
    assert following.key != here.key
    assert not here.contains(here.end)
    just_before = here.end.astimezone(UTC) - timedelta(microseconds=1)
    assert found(current(rule(kind), zone, just_before)).key == here.key
    assert found(current(rule(kind), zone, here.end)).key == following.key


@settings(deadline=None, max_examples=300)
@given(kind=st.sampled_from([*CYCLES, "once"]), zone=st.sampled_from(ZONES), at=moments)
def test_a_period_is_found_by_its_start_and_by_its_key(kind: str, zone: str, at: datetime) -> None:
    here = found(current(rule(kind), zone, at))
    assert current(rule(kind), zone, here.start) == here
    assert of_key(rule(kind), zone, here.key) == here


@settings(deadline=None, max_examples=200)
@given(kind=st.sampled_from(CYCLES), zone=st.sampled_from(ZONES), one=moments, other=moments)
def test_keys_tell_periods_apart(kind: str, zone: str, one: datetime, other: datetime) -> None:
    mine, theirs = found(current(rule(kind), zone, one)), found(current(rule(kind), zone, other))
    assert (mine.key == theirs.key) == (mine.start == theirs.start)
    if one < other:
        assert mine.start.astimezone(UTC) <= theirs.start.astimezone(UTC)


@settings(deadline=None, max_examples=200)
@given(at=instants)
def test_windows_never_hold_an_instant_outside_them(at: datetime) -> None:
    open_now = current(seasons(), JAKARTA, at)
    upcoming = next_after(seasons(), JAKARTA, at)
    assert open_now is None or open_now.contains(at)
    assert upcoming is None or upcoming.start > at
    if open_now is not None:
        assert of_key(seasons(), JAKARTA, open_now.key) == open_now


@settings(deadline=None, max_examples=50)
@given(kind=st.sampled_from([*CYCLES, "once", "windows"]), zone=st.sampled_from(ZONES), at=st.datetimes())
def test_any_instant_has_a_period_or_is_refused_in_words(kind: str, zone: str, at: datetime) -> None:
    division = seasons() if kind == "windows" else rule(kind)
    moment = at.replace(tzinfo=UTC)
    if 1971 <= at.year < 9997:
        here = current(division, zone, moment)
        assert here is None or here.contains(moment)
    elif not 1969 <= at.year <= 9998 and kind in CYCLES:
        with pytest.raises(ValueError, match="outside the calendar"):
            current(division, zone, moment)
