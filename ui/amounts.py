"""Quantities as people read and type them, beside the smallest unit in which they are recorded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from kiosk.benefit import number_text, shown_quantity
from kiosk.values import Text, VisitRow

_TYPED = re.compile(r"(\d{1,3}(?:\.\d{3})+|\d+)(?:,(\d+))?")
"""A number in Indonesian use; a dot that parts no thousands is not taken for anything."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How one row's quantity is shown: ``per_shown`` smallest units (``unit``) make one of ``display``."""

    unit: str
    per_shown: int
    display: Text

    def number(self, quantity: int) -> str:
        """The number alone as it is typed, such as ``2,5``."""
        return number_text(quantity, self.per_shown)

    def text(self, quantity: int) -> Text:
        """The quantity for people, such as ``2,5 kg``."""
        return shown_quantity(quantity, self.unit, self.per_shown, self.display)

    def parse(self, typed: str) -> int | None:
        """Smallest units of a number as typed (``1.500`` or ``2,5``), or None if it is none."""
        found = _TYPED.fullmatch(typed.strip())
        if found is None:
            return None
        whole, decimals = found.groups()
        scaled = Decimal(f"{whole.replace('.', '')}.{decimals or 0}") * self.per_shown
        return int(scaled) if scaled > 0 and scaled == scaled.to_integral_value() else None


def amount_of(row: VisitRow) -> Amount:
    """The amount of a row; a row that names no shown unit is shown in its smallest one."""
    if row.display.id:
        return Amount(row.unit, row.per_display, row.display)
    return Amount(row.unit, 1, Text(row.unit, row.unit))
