"""Periods of a program: which one an instant falls in, and the keys of the rights they give rise to.

A period is a half-open interval [start, end) of whole local days in the program's IANA zone. Periods of every
kind but ``windows`` tile time without gap or overlap, whatever the zone's clock does at midnight: instants
are compared in UTC, since Python compares two times of the same zone by their wall clock alone.

Keys: ``once``; ``2026-11-23`` (daily); ``2026-W48`` (weekly, ISO 8601 weeks); ``2026-11`` (monthly);
``2026-Q4``; ``2026-S2`` (July to December); ``2026`` (yearly); a window's own key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kiosk.cycle import CYCLES, Cycle
from kiosk.wording import DocumentText

PeriodKind = Literal["once", "daily", "weekly", "monthly", "quarterly", "semester", "yearly", "windows"]
SubjectKind = Literal["holder", "family"]

SLUG = r"^[a-z0-9-]{2,40}$"
"""Ids of programs and right groups."""
WINDOW_KEY = r"^[A-Za-z0-9][A-Za-z0-9-]{0,39}$"

FIRST_DAY = date(1970, 1, 1)
END_DAY = date(9998, 1, 1)
"""Days outside [FIRST_DAY, END_DAY) are refused: nobody hands out aid there, and dates overflow beyond."""

_BEYOND = date(9999, 1, 1)

MAX_WINDOWS = 64

_SUBJECT = re.compile(r"[hf][1-9][0-9]{0,17}")
_GROUP = re.compile(r"[a-z0-9-]{2,40}")
_PERIOD_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")


class Window(BaseModel):
    """One named stretch of days of a program handed out by seasons; ``until`` is the day after the last."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Annotated[str, Field(pattern=WINDOW_KEY)]
    start: date = Field(alias="from")
    until: date
    name: DocumentText


class PeriodRule(BaseModel):
    """How a program divides time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: PeriodKind
    windows: Annotated[tuple[Window, ...], Field(max_length=MAX_WINDOWS)] = ()

    @model_validator(mode="after")
    def _windows_hold(self) -> PeriodRule:
        if self.kind == "windows" and not self.windows:
            raise ValueError("a period of kind windows lists its windows")
        if self.kind != "windows" and self.windows:
            raise ValueError("only a period of kind windows lists windows")
        keys = [window.key for window in self.windows]
        if len(set(keys)) != len(keys):
            raise ValueError("two windows have the same key")
        for window in self.windows:
            if not FIRST_DAY <= window.start < window.until <= END_DAY:
                raise ValueError(
                    f"window {window.key} does not end after it starts, or lies outside the calendar"
                )
        for earlier, later in pairwise(self.windows):
            if later.start < earlier.until:
                raise ValueError(f"windows {earlier.key} and {later.key} overlap or are out of order")
        return self

    def same_time_as(self, other: PeriodRule) -> bool:
        """True if both divide time alike under the same keys; names may differ."""
        mine = [(window.key, window.start, window.until) for window in self.windows]
        theirs = [(window.key, window.start, window.until) for window in other.windows]
        return self.kind == other.kind and mine == theirs


@dataclass(frozen=True, slots=True)
class Period:
    """The half-open interval [start, end), aware times in the program's zone."""

    key: str
    start: datetime
    end: datetime

    def contains(self, at: datetime) -> bool:
        """True if the instant lies within. Raises ValueError for a time without a zone."""
        return _utc(self.start) <= _utc(at) < _utc(self.end)

    @property
    def last_day(self) -> date:
        """The last local day of the period, as people say it."""
        return (_utc(self.end) - timedelta(microseconds=1)).astimezone(self.end.tzinfo).date()


def zone_named(name: str) -> ZoneInfo:
    """The IANA zone with that name, such as ``Asia/Jakarta``. Raises ValueError if there is none."""
    if "/" not in name and name != "UTC":
        raise ValueError(f"not the name of an IANA zone: {name!r}")
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as fault:
        raise ValueError(f"not the name of an IANA zone: {name!r}") from fault


def start_of_day(day: date, zone: str) -> datetime:
    """The first instant of a local day, in that zone; where midnight is skipped, the instant of the skip.

    Raises ValueError outside the calendar.
    """
    if not FIRST_DAY <= day < _BEYOND:
        raise ValueError(f"the day {day.isoformat()} lies outside the calendar")
    tz = zone_named(zone)
    # fold 0: the first of two midnights; in a gap it names the instant of the gap (PEP 495).
    return datetime(day.year, day.month, day.day, tzinfo=tz).astimezone(UTC).astimezone(tz)


def local_day(at: datetime, zone: str) -> date:
    """The calendar day of an instant in that zone. Raises ValueError for a time without a zone."""
    _utc(at)
    try:
        return at.astimezone(zone_named(zone)).date()
    except OverflowError as fault:
        raise ValueError("a time outside the calendar") from fault


def current(rule: PeriodRule, zone: str, at: datetime) -> Period | None:
    """The period that holds the instant; None only between windows.

    Raises ValueError for a time without a zone or outside the calendar.
    """
    if rule.kind == "windows":
        spans = (_window_span(window, zone) for window in rule.windows)
        return next((span for span in spans if span.contains(at)), None)
    if rule.kind == "once":
        span = _once(zone)
        return span if span.contains(at) else None
    cycle = CYCLES[rule.kind]
    first = cycle.first_day(_day_within(at, zone))
    span = _span(cycle, first, zone)
    # Where clocks fall back over midnight, the old day's name returns after the new day has begun.
    while _utc(at) >= _utc(span.end):
        first = cycle.following(first)
        span = _span(cycle, first, zone)
    return span


def next_after(rule: PeriodRule, zone: str, at: datetime) -> Period | None:
    """The first period that starts after the instant; None if there is none (``once``, the last window).

    Raises ValueError for a time without a zone or outside the calendar.
    """
    if rule.kind == "windows":
        spans = (_window_span(window, zone) for window in rule.windows)
        return next((span for span in spans if _utc(span.start) > _utc(at)), None)
    if rule.kind == "once":
        return None
    cycle = CYCLES[rule.kind]
    first = cycle.first_day(_day_within(at, zone))
    span = _span(cycle, first, zone)
    # Empty: a day that a zone skipped whole, as Samoa did on 30 December 2011.
    while _utc(span.start) <= _utc(at) or span.start == span.end:
        first = cycle.following(first)
        span = _span(cycle, first, zone)
    return span


def of_key(rule: PeriodRule, zone: str, key: str) -> Period:
    """The period with that key. Raises ValueError if the rule has none."""
    if rule.kind == "windows":
        for window in rule.windows:
            if window.key == key:
                return _window_span(window, zone)
        raise ValueError(f"no window has the key {key!r}")
    if rule.kind == "once":
        if key != "once":
            raise ValueError(f"not the key of a period of kind once: {key!r}")
        return _once(zone)
    cycle = CYCLES[rule.kind]
    match = cycle.pattern.fullmatch(key)
    if match is None:
        raise ValueError(f"not the key of a period of kind {rule.kind}: {key!r}")
    first = cycle.of_parts(*map(int, match.groups()))
    if cycle.following(first) <= FIRST_DAY or first >= END_DAY:
        raise ValueError(f"the period {key} lies outside the calendar")
    span = _span(cycle, first, zone)
    if span.start == span.end:
        raise ValueError(f"the zone {zone} skipped the day {key}")
    return span


class RightName(NamedTuple):
    """The parts of a right key."""

    subject: str
    group: str
    period_key: str

    @property
    def subject_kind(self) -> SubjectKind:
        """Whether a holder or a family has the right."""
        return "holder" if self.subject.startswith("h") else "family"

    @property
    def subject_id(self) -> int:
        """Holder id or family id."""
        return int(self.subject[1:])


def subject_of(kind: SubjectKind, number: int) -> str:
    """The subject text of a holder id or family id: ``h12``, ``f7``. Raises ValueError."""
    subject = f"{'h' if kind == 'holder' else 'f'}{number}"
    if _SUBJECT.fullmatch(subject) is None:
        raise ValueError(f"not the id of a {kind}: {number}")
    return subject


def right_key(subject: str, group: str, period_key: str) -> str:
    """The key of a right, ``h12/beras/2026-11``. Raises ValueError if a part has a wrong shape."""
    for part, pattern in ((subject, _SUBJECT), (group, _GROUP), (period_key, _PERIOD_KEY)):
        if pattern.fullmatch(part) is None:
            raise ValueError(f"not a part of a right key: {part!r}")
    return f"{subject}/{group}/{period_key}"


def split_right(key: str) -> RightName:
    """The parts of a right key. Raises ValueError for anything ``right_key`` does not make."""
    parts = key.split("/")
    if len(parts) != 3:
        raise ValueError(f"not a right key: {key!r}")
    right_key(*parts)
    return RightName(*parts)


def _utc(at: datetime) -> datetime:
    if at.utcoffset() is None:
        raise ValueError("a time without a zone names no instant")
    try:
        return at.astimezone(UTC)
    except OverflowError as fault:
        raise ValueError("a time outside the calendar") from fault


def _day_within(at: datetime, zone: str) -> date:
    day = local_day(at, zone)
    if not FIRST_DAY <= day < END_DAY:
        raise ValueError(f"the day {day.isoformat()} lies outside the calendar")
    return day


def _span(cycle: Cycle, first: date, zone: str) -> Period:
    # The week of 1 January 1970 began in 1969; the calendar's first period is cut, not refused.
    start = start_of_day(max(first, FIRST_DAY), zone)
    return Period(cycle.key(first), start, start_of_day(cycle.following(first), zone))


def _window_span(window: Window, zone: str) -> Period:
    return Period(window.key, start_of_day(window.start, zone), start_of_day(window.until, zone))


def _once(zone: str) -> Period:
    return Period("once", start_of_day(FIRST_DAY, zone), start_of_day(END_DAY, zone))
