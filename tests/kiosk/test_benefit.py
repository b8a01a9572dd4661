"""Quantities and dates as people read them."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosk.benefit import Benefit, day_text, number_text, quantity_text
from kiosk.values import Text

RICE: dict[str, Any] = {
    "kind": "goods",
    "item": {"id": "beras", "en": "rice"},
    "unit": "g",
    "display": {"id": "kg", "en": "kg"},
    "per_display": 1000,
}
MONEY = {**RICE, "kind": "money", "unit": "IDR", "display": {"id": "Rp", "en": "Rp"}, "per_display": 1}
VISITS = {
    **RICE,
    "kind": "service",
    "unit": "time",
    "display": {"id": "kali", "en": "visit|visits"},
    "per_display": 1,
}
SACKS = {**RICE, "display": {"id": "karung", "en": "sack|sacks"}, "per_display": 50_000}


def benefit(document: dict[str, Any]) -> Benefit:
    return Benefit.model_validate_json(json.dumps(document), strict=True)


@pytest.mark.parametrize(
    ("document", "quantity", "indonesian", "english"),
    [
        (RICE, 10_000, "10 kg", "10 kg"),
        (RICE, 2_500, "2,5 kg", "2,5 kg"),
        (RICE, 1, "0,001 kg", "0,001 kg"),
        (RICE, 1_234_567, "1.234,567 kg", "1.234,567 kg"),
        (RICE, 0, "0 kg", "0 kg"),
        (MONEY, 200_000, "Rp 200.000", "Rp 200.000"),
        (MONEY, 1_500_000, "Rp 1.500.000", "Rp 1.500.000"),
        (MONEY, 500, "Rp 500", "Rp 500"),
        (MONEY, -200_000, "-Rp 200.000", "-Rp 200.000"),
        (VISITS, 1, "1 kali", "1 visit"),
        (VISITS, 3, "3 kali", "3 visits"),
        (SACKS, 50_000, "1 karung", "1 sack"),
        (SACKS, 25_000, "0,5 karung", "0,5 sacks"),
    ],
)
def test_quantities(document: dict[str, Any], quantity: int, indonesian: str, english: str) -> None:
    assert quantity_text(benefit(document), quantity) == Text(id=indonesian, en=english)


@pytest.mark.parametrize(
    ("document", "change", "words"),
    [
        (RICE, {"unit": "IDR"}, "money is counted in IDR"),
        (MONEY, {"unit": "USD"}, "money is counted in IDR"),
        (MONEY, {"per_display": 100}, "shown whole"),
        (VISITS, {"per_display": 2}, "counted whole"),
        (RICE, {"per_display": 12}, "no end of decimals"),
        (RICE, {"per_display": 0}, "greater than or equal"),
        (RICE, {"per_display": 1000.0}, "valid integer"),
        (RICE, {"per_display": True}, "valid integer"),
        (RICE, {"unit": ""}, "pattern"),
        (RICE, {"unit": "k g"}, "pattern"),
        (RICE, {"display": {"id": "kg|kg", "en": "kg"}}, "only the English display"),
        (RICE, {"display": {"id": "kg", "en": "kg|"}}, "only the English display"),
        (RICE, {"display": {"id": "kg", "en": "a|b|c"}}, "only the English display"),
        (RICE, {"display": {"id": "kg"}}, "languages id and en"),
        (RICE, {"display": {"id": "kg", "en": "kg", "jv": "kg"}}, "languages id and en"),
        (RICE, {"item": {"id": "", "en": "rice"}}, "in id is empty"),
        (RICE, {"item": {"id": "beras", "en": " rice"}}, "begins or ends with a space"),
        (RICE, {"item": {"id": "beras\u202e", "en": "rice"}}, "not printable"),
        (RICE, {"item": {"id": "b" * 81, "en": "rice"}}, "longer than 80"),
        (RICE, {"item": "beras"}, "languages id and en"),
        (RICE, {"kind": "promise"}, "kind"),
        (RICE, {"colour": "white"}, "Extra inputs"),
    ],
)
def test_unsound_benefits(document: dict[str, Any], change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        benefit({**document, **change})


@given(
    value=st.integers(-(10**12), 10**12), per_display=st.sampled_from([1, 2, 8, 10, 1000, 50_000, 1_000_000])
)
def test_no_digit_is_lost(value: int, per_display: int) -> None:
    said = number_text(value, per_display).replace(".", "").replace(",", ".")
    whole, _, decimals = said.lstrip("-").partition(".")
    millionths = int(whole) * 1_000_000 + int(decimals.ljust(6, "0"))
    assert millionths * per_display == abs(value) * 1_000_000
    assert said.startswith("-") == (value < 0)


@pytest.mark.parametrize(
    ("day", "today", "indonesian", "english"),
    [
        (date(2026, 5, 3), None, "3 Mei 2026", "3 May 2026"),
        (date(2026, 8, 17), None, "17 Agustus 2026", "17 August 2026"),
        (date(2026, 5, 3), date(2026, 11, 23), "3 Mei", "3 May"),
        (date(2025, 12, 31), date(2026, 1, 1), "31 Desember 2025", "31 December 2025"),
    ],
)
def test_days(day: date, today: date | None, indonesian: str, english: str) -> None:
    assert day_text(day, today) == Text(id=indonesian, en=english)


@pytest.mark.parametrize(
    ("month", "indonesian", "english"),
    [
        (1, "Januari", "January"),
        (2, "Februari", "February"),
        (3, "Maret", "March"),
        (4, "April", "April"),
        (5, "Mei", "May"),
        (6, "Juni", "June"),
        (7, "Juli", "July"),
        (8, "Agustus", "August"),
        (9, "September", "September"),
        (10, "Oktober", "October"),
        (11, "November", "November"),
        (12, "Desember", "December"),
    ],
)
def test_months(month: int, indonesian: str, english: str) -> None:
    assert day_text(date(2026, month, 1)) == Text(id=f"1 {indonesian} 2026", en=f"1 {english} 2026")
