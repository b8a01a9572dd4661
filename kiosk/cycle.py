"""Kinds of period that repeat: days, ISO weeks, and stretches of whole months, told by their first days.

Weeks are those of ISO 8601: Monday to Sunday, numbered within the year that holds their Thursday.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class Cycle:
    """A kind of period that repeats, described by the first days of its periods."""

    first_day: Callable[[date], date]
    """First day of the period that holds a day."""
    following: Callable[[date], date]
    """First day of the next period, from that of this one."""
    key: Callable[[date], str]
    """Period key, from the first day."""
    pattern: re.Pattern[str]
    """A whole key, its numbers as groups."""
    of_parts: Callable[..., date]
    """First day, from the numbers in a key. Raises ValueError if there is no such period."""


def _months(count: int, key: Callable[[date], str], pattern: str) -> Cycle:
    def following(first: date) -> date:
        months = first.year * 12 + first.month - 1 + count
        return date(months // 12, months % 12 + 1, 1)

    return Cycle(
        first_day=lambda day: date(day.year, (day.month - 1) // count * count + 1, 1),
        following=following,
        key=key,
        pattern=re.compile(pattern),
        of_parts=lambda year, number=1: date(year, (number - 1) * count + 1, 1),
    )


def _week_key(first: date) -> str:
    year, week, _ = first.isocalendar()
    return f"{year:04d}-W{week:02d}"


CYCLES: dict[str, Cycle] = {
    "daily": Cycle(
        first_day=lambda day: day,
        following=lambda first: first + timedelta(days=1),
        key=date.isoformat,
        pattern=re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})"),
        of_parts=date,
    ),
    "weekly": Cycle(
        first_day=lambda day: day - timedelta(days=day.weekday()),
        following=lambda first: first + timedelta(days=7),
        key=_week_key,
        pattern=re.compile(r"([0-9]{4})-W([0-9]{2})"),
        of_parts=lambda year, week: date.fromisocalendar(year, week, 1),
    ),
    "monthly": _months(1, lambda first: f"{first.year:04d}-{first.month:02d}", r"([0-9]{4})-(0[1-9]|1[0-2])"),
    "quarterly": _months(
        3, lambda first: f"{first.year:04d}-Q{(first.month + 2) // 3}", r"([0-9]{4})-Q([1-4])"
    ),
    "semester": _months(
        6, lambda first: f"{first.year:04d}-S{(first.month + 5) // 6}", r"([0-9]{4})-S([12])"
    ),
    "yearly": _months(12, lambda first: f"{first.year:04d}", r"([0-9]{4})"),
}
"""Every kind of period but ``once`` and ``windows``, by its name in program documents."""
