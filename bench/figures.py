"""The arithmetic of the bench: spreads of measured values, limits and whether they hold, the table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Measure = Literal["p50", "p95", "most"]


@dataclass(frozen=True, slots=True)
class Spread:
    """How values lie: their number, median, 95th percentile and largest."""

    count: int
    p50: float
    p95: float
    most: float

    def as_json(self) -> dict[str, float]:
        """Rounded to three significant places behind the point."""
        return {
            "n": self.count,
            "p50": round(self.p50, 3),
            "p95": round(self.p95, 3),
            "max": round(self.most, 3),
        }


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the least value that ``share`` (0 to 1) of all do not exceed.

    Never between two values, so that each percentile was really seen. Raises ValueError without values.
    """
    if not values or not 0 < share <= 1:
        raise ValueError("a percentile needs values, and a share above 0 up to 1")
    return sorted(values)[math.ceil(share * len(values)) - 1]


def spread(values: Sequence[float]) -> Spread:
    """The spread of some values. Raises ValueError without values."""
    return Spread(len(values), percentile(values, 0.5), percentile(values, 0.95), max(values))


def single(value: float) -> Spread:
    """The spread of one value."""
    return Spread(1, value, value, value)


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that one measure of a figure may be."""

    value: float
    of: Measure = "p95"


@dataclass(frozen=True, slots=True)
class Yardstick:
    """Something bare that was measured in the same run on the same machine."""

    name: str
    spread: Spread


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing beside its yardstick and, where the product has one, its limit."""

    name: str
    unit: str
    spread: Spread
    yardstick: Yardstick | None = None
    limit: Limit | None = None
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the limit holds; None without a limit."""
        if self.limit is None:
            return None
        return float(getattr(self.spread, self.limit.of)) <= self.limit.value

    @property
    def ratio(self) -> float | None:
        """The median as a multiple of the yardstick's median; None without a yardstick."""
        if self.yardstick is None or self.yardstick.spread.p50 == 0:
            return None
        return self.spread.p50 / self.yardstick.spread.p50

    def as_json(self) -> dict[str, Any]:
        """Everything, for ``result.json``."""
        return {
            "name": self.name,
            "unit": self.unit,
            **self.spread.as_json(),
            "limit": None if self.limit is None else {"of": self.limit.of, "most": self.limit.value},
            "holds": self.holds,
            "yardstick": None
            if self.yardstick is None
            else {"name": self.yardstick.name, **self.yardstick.spread.as_json()},
            "ratio_of_medians": None if self.ratio is None else round(self.ratio, 3),
            "note": self.note,
        }


HEAD = ("what", "n", "p50", "p95", "max", "unit", "yardstick: median", "ratio", "limit", "holds")


def table(figures: Sequence[Figure]) -> str:
    """The figures as lines of aligned columns, each note below its figure."""
    rows = [_row(figure) for figure in figures]
    widths = [max(len(row[column]) for row in (HEAD, *rows)) for column in range(len(HEAD))]
    lines = [_line(HEAD, widths), _line(["-" * width for width in widths], widths)]
    for figure, row in zip(figures, rows, strict=True):
        lines.append(_line(row, widths))
        if figure.note:
            lines.append(f"    {figure.note}")
    return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, ...]:
    found, stick, limit = figure.spread, figure.yardstick, figure.limit
    one = found.count == 1
    return (
        figure.name,
        str(found.count),
        number(found.p50),
        "" if one else number(found.p95),
        "" if one else number(found.most),
        figure.unit,
        "" if stick is None else f"{stick.name}: {number(stick.spread.p50)}",
        "" if figure.ratio is None else f"{number(figure.ratio)}x",
        "" if limit is None else f"{'' if one else limit.of + ' '}<= {number(limit.value)}",
        "" if figure.holds is None else "yes" if figure.holds else "NO",
    )


def number(value: float) -> str:
    """A value with as many places as it needs to be compared."""
    size = abs(value)
    return f"{value:.0f}" if size >= 1000 else f"{value:.1f}" if size >= 10 else f"{value:.3f}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    numeric = range(1, 5)
    cells = (
        cell.rjust(width) if column in numeric else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()
