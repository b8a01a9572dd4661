"""What a program hands out, and how quantities and dates read: ``10 kg``, ``Rp 200.000``, ``3 Mei 2026``.

Numbers follow Indonesian use in both languages, a dot between thousands and a decimal comma: the figure on
the English screen is the one on the receipt and on the sack, and is never read two ways.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kiosk.values import Text
from kiosk.wording import DocumentText

MAX_QUANTITY = 1_000_000_000
"""Largest quantity in a benefit's smallest unit: a tonne in milligrams, or a thousand million rupiah."""

RUPIAH = "IDR"
"""ISO 4217 code of the only money handed out."""

_FINEST = 1_000_000

_MONTHS_ID = ("Januari", "Februari", "Maret", "April", "Mei", "Juni", "Juli", "Agustus", "September",
              "Oktober", "November", "Desember")  # fmt: skip
_MONTHS_EN = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
              "October", "November", "December")  # fmt: skip


class Benefit(BaseModel):
    """What a program hands out, counted in whole smallest units (``unit``).

    ``display`` is the unit people read, ``per_display`` smallest units each. In English it may name singular
    and plural: ``visit|visits``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["goods", "money", "service"]
    item: DocumentText
    unit: Annotated[str, Field(pattern=r"^[A-Za-z]{1,12}$")]
    display: DocumentText
    per_display: Annotated[int, Field(ge=1, le=_FINEST)]

    @model_validator(mode="after")
    def _unit_holds(self) -> Benefit:
        if (self.kind == "money") != (self.unit == RUPIAH):
            raise ValueError(f"money is counted in {RUPIAH}, and nothing else is")
        if self.kind == "money" and self.per_display != 1:
            raise ValueError("rupiah are shown whole: per_display is 1")
        if self.kind == "service" and self.per_display != 1:
            raise ValueError("a service is counted whole: per_display is 1")
        if _FINEST % self.per_display:
            raise ValueError(f"per_display must divide {_FINEST}, else a quantity has no end of decimals")
        if "|" in self.display.id or self.display.en.count("|") > 1 or "" in self.display.en.split("|"):
            raise ValueError("only the English display names a plural, as singular|plural")
        return self


def number_text(value: int, per_display: int = 1) -> str:
    """``value / per_display`` in decimal notation: ``12.500,5``. per_display divides one million."""
    whole, rest = divmod(abs(value), per_display)
    sign = "-" if value < 0 else ""
    grouped = f"{whole:,}".replace(",", ".")
    decimals = f"{rest * (_FINEST // per_display):06d}".rstrip("0")
    return f"{sign}{grouped},{decimals}" if decimals else f"{sign}{grouped}"


def quantity_text(benefit: Benefit, quantity: int) -> Text:
    """A quantity in the smallest unit as people read it: ``10 kg``, ``Rp 200.000``, ``1 kali``."""
    display = Text(benefit.display.id, benefit.display.en)
    return shown_quantity(quantity, benefit.unit, benefit.per_display, display)


def shown_quantity(quantity: int, unit: str, per_display: int, display: Text) -> Text:
    """The same from the parts of a benefit (``Benefit`` says what they mean)."""
    number = number_text(quantity, per_display)
    if unit == RUPIAH:
        rupiah = f"-Rp {number[1:]}" if number.startswith("-") else f"Rp {number}"
        return Text(id=rupiah, en=rupiah)
    singular, _, plural = display.en.partition("|")
    shown = singular if quantity == per_display or not plural else plural
    return Text(id=f"{number} {display.id}", en=f"{number} {shown}")


def day_text(day: date, today: date | None = None) -> Text:
    """``3 Mei 2026`` and ``3 May 2026``; without the year if ``today`` is given and lies in the same one."""
    year = "" if today is not None and today.year == day.year else f" {day.year}"
    return Text(
        id=f"{day.day} {_MONTHS_ID[day.month - 1]}{year}",
        en=f"{day.day} {_MONTHS_EN[day.month - 1]}{year}",
    )
