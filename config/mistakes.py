"""Mistakes in settings, all of them at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing to mend, and where."""

    where: str
    """Path of the file, ``environment``, or ``command`` for a value given to ``save``."""
    key: str
    """Dotted key, or the name of the environment variable; empty if the whole file is meant."""
    problem: str
    nearest: str = ""
    """Right key that was probably meant; empty if none is near."""
    line: int | None = None
    """Line in the file, from 1."""
    column: int | None = None
    """Column in that line, from 1; known for wrong TOML only."""

    def __str__(self) -> str:
        place = self.where
        if self.line is not None:
            place += f":{self.line}" + (f":{self.column}" if self.column is not None else "")
        words = f"{place}: {self.key}: {self.problem}" if self.key else f"{place}: {self.problem}"
        return f"{words}; did you mean {self.nearest}?" if self.nearest else words

    def as_json(self) -> dict[str, Any]:
        """The mistake as plain JSON values."""
        return asdict(self)


class SettingsFault(Exception):
    """Settings that cannot be used; ``mistakes`` lists everything wrong with them."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes: tuple[Mistake, ...] = tuple(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))
