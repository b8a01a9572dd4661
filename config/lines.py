"""Where in a TOML file each key stands."""

from __future__ import annotations

import re
import tomllib
from typing import Any

_PLACE = re.compile(r"\s*\(at line (\d+), column (\d+)\)$")
_END = re.compile(r"\s*\(at end of document\)$")


def lines_of_keys(text: str) -> dict[tuple[str, ...], int]:
    """Line (from 1) on which each key path of a valid TOML text begins.

    A statement of TOML is valid alone, so the text is read statement by statement: lines are gathered until
    they parse. Tables inside arrays are counted under the array's path.
    """
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    gathered: list[str] = []
    begun_at = 1
    for number, line in enumerate(text.split("\n"), start=1):
        if not gathered:
            begun_at = number
        gathered.append(line)
        try:
            statement = tomllib.loads("\n".join(gathered))
        except ValueError:
            continue
        is_header = "\n".join(gathered).lstrip().startswith("[")
        gathered = []
        paths = list(_paths(statement))
        if is_header:
            table = max(paths, key=len)
        for path in paths:
            whole = path if is_header else (*table, *path)
            found.setdefault(whole, begun_at)
    return found


def syntax_place(message: str, text: str) -> tuple[str, int | None, int | None]:
    """Splits tomllib's message into problem, line and column (both from 1; None if it names none)."""
    place = _PLACE.search(message)
    if place:
        return message[: place.start()], int(place[1]), int(place[2])
    if _END.search(message):
        lines = text.split("\n")
        return _END.sub("", message) + " at the end of the file", len(lines), len(lines[-1]) + 1
    return message, None, None


def _paths(value: Any) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    if isinstance(value, list):
        for item in value:
            found.extend(_paths(item))
    elif isinstance(value, dict):
        for name, inner in value.items():
            found.append((name,))
            found.extend((name, *path) for path in _paths(inner))
    return found
