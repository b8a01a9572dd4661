"""Quantities as people read and type them, beside the smallest unit in which they are recorded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from kiosk.values import Text, VisitRow

_NUMBER = re.compile(r"\d[\d.,]*\d|\d")


@dataclass(frozen=True, slots=True)
class Amount:
    """How one row's quantity is shown: ``per_shown`` smallest units make one shown unit."""

    per_shown: int
    pattern: Text
    """The text for people with ``{}`` for the number, such as ``{} kg``."""

    def number(self, quantity: int) -> str:
        """The number alone as typed in Indonesian, such as ``2,5``."""
        return _plain(Decimal(quantity) / self.per_shown).replace(".", ",")

    def text(self, quantity: int) -> Text:
        """The quantity for people in both languages, such as ``2,5 kg`` and ``2.5 kg``."""
        english = _grouped(Decimal(quantity) / self.per_shown)
        indonesian = english.translate(str.maketrans(",.", ".,"))
        return Text(self.pattern.id.format(indonesian), self.pattern.en.format(english))

    def parse(self, typed: str) -> int | None:
        """Smallest units of a number typed in Indonesian (``1.500`` or ``2,5``), or None if it is none."""
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
        if value > 0 and Decimal(row.quantity) % value == 0:
            return Amount(
                int(row.quantity / value),
                Text(_around(row.quantity_text.id, found), _around(row.quantity_text.en, found_en)),
            )
    unit = f"{{}} {row.unit}".strip()
    return Amount(1, Text(unit, unit))


def _around(text: str, number: re.Match[str]) -> str:
    before, after = text[: number.start()], text[number.end() :]
    return before.replace("{", "").replace("}", "") + "{}" + after.replace("{", "").replace("}", "")


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _grouped(value: Decimal) -> str:
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
