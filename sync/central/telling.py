"""Answers of ``kmc-central`` for people: a line for each value, times as the city's clocks show them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

ZONE: Final = ZoneInfo("Asia/Jakarta")
_TIMES: Final = ("at", "from", "until", "since")
NO_TIME: Final = "-" * 19


def as_text(answer: Any) -> str:
    """A text as it is, rows each ended by an empty line, ``none`` for no rows."""
    if isinstance(answer, str):
        return answer
    if not answer:
        return "none"
    rows = answer if isinstance(answer, list) else [answer]
    return "\n".join("".join(f"{name}: {value_text(name, row[name])}\n" for name in row) for row in rows)


def value_text(name: str, value: Any) -> str:
    """One value: lists and maps as JSON, ``wall`` (Unix ms) and ``…_at`` (Unix s) as times, None as ""."""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        if name == "wall":
            return time_text(value // 1000)
        if name.endswith("_at") or name in _TIMES:
            return time_text(value)
    return str(value)


def words(event: Mapping[str, Any], but: tuple[str, ...] = ()) -> str:
    """What is known of an event in one line; what is empty or no is left out."""
    return ", ".join(
        f"{name} {value_text(name, value)}"
        for name, value in event.items()
        if name not in but and value not in (None, "", False)
    )


def time_text(seconds: int) -> str:
    """Local time to the second; dashes for none."""
    if not 0 < seconds < 2**40:
        return NO_TIME
    return datetime.fromtimestamp(seconds, UTC).astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")
