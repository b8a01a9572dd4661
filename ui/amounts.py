"""Quantities as people read and type them, beside the smallest unit in which they are recorded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from kiosk.benefit import number_text
from kiosk.values import Text, VisitRow

_NUMBER = re.compile(r"\d[\d.,]*\d|\d")
_FINEST = 1_000_000
"""Shown units have a power of ten or the like of smallest units in them (``number_text``)."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How one row's quantity is shown: ``per_shown`` smallest units make one shown unit."""

    per_shown: int
    pattern: Text
    """The text for people with ``{}`` for the number, such as ``{} kg``."""

    def number(self, quantity: int) -> str:
        """The number alone as it is typed, such as ``2,5``."""
        return number_text(quantity, self.per_shown)

    def text(self, quantity: int) -> Text:
        """The quantity for people, such as ``2,5 kg``."""
        number = self.number(quantity)
        return Text(self.pattern.id.format(number), self.pattern.en.format(number))

    def parse(self, typed: str) -> int | None:
        """Smallest units of a number as typed (``1.500`` or ``2,5``), or None if it is none."""
        try:
            value = Decimal(typed.strip().replace(".", "").replace(",", "."))
        except InvalidOperation:
            return None
        if not value.is_finite():
            return None
        scaled = value * self.per_shown
        return int(scaled) if scaled == scaled.to_integral_value() and scaled > 0 else None


def amount_of(row: VisitRow) -> Amount:
    """Read the shown unit off the row's own text; without one number in it, the smallest unit is shown."""
    found = _NUMBER.search(row.quantity_text.id)
    found_en = _NUMBER.search(row.quantity_text.en)
    if found and found_en:
        value = Decimal(found.group().replace(".", "").replace(",", "."))
        if value > 0 and Decimal(row.quantity) % value == 0 and _FINEST % int(row.quantity / value) == 0:
            return Amount(
                int(row.quantity / value),
                Text(_around(row.quantity_text.id, found), _around(row.quantity_text.en, found_en)),
            )
    unit = f"{{}} {row.unit}".strip()
    return Amount(1, Text(unit, unit))


def _around(text: str, number: re.Match[str]) -> str:
    before, after = text[: number.start()], text[number.end() :]
    return before.replace("{", "").replace("}", "") + "{}" + after.replace("{", "").replace("}", "")
