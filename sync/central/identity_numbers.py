"""Numbers that people and cards carry: NIK, KK number, card number, and what makes each of them coherent."""

from __future__ import annotations

import calendar
from datetime import date

GENERATED_PREFIX = "99"
"""No Indonesian province has this code: numbers of generated people start with it and hit nobody real."""

CARD_NO_DIGITS = 10
WOMAN_DAY_OFFSET = 40
"""Added to the day of birth in a woman's NIK (Permendagri 74/2015, section on the NIK's make-up)."""


def nik_of(region: str, birth: date, woman: bool, serial: int) -> str:
    """The NIK: 6 digits of region, 6 of birth date (ddmmyy, day + 40 for women), 4 of serial.

    Raises ValueError for a region that is not 6 digits or a serial outside 1..9999.
    """
    day = birth.day + (WOMAN_DAY_OFFSET if woman else 0)
    return _number(region, f"{day:02d}{birth:%m%y}", serial)


def kk_of(region: str, registered: date, serial: int) -> str:
    """The number of a family card (KK): 6 digits of region, 6 of the day it was registered, 4 of serial."""
    return _number(region, f"{registered:%d%m%y}", serial)


def nik_fault(nik: str, birth: date, woman: bool) -> str:
    """What is wrong with a NIK: ``shape``, ``birth``, ``serial``, or empty if it fits the person."""
    if not _digits(nik, 16):
        return "shape"
    if nik[6:12] != nik_of("000000", birth, woman, 1)[6:12]:
        return "birth"
    return "serial" if nik[12:] == "0000" else ""


def kk_fault(kk: str) -> str:
    """What is wrong with a KK number: ``shape``, ``date``, ``serial``, or empty if it can be one."""
    if not _digits(kk, 16):
        return "shape"
    day, month, year = int(kk[6:8]), int(kk[8:10]), 2000 + int(kk[10:12])
    if not 1 <= month <= 12 or not 1 <= day <= calendar.monthrange(year, month)[1]:
        return "date"
    return "serial" if kk[12:] == "0000" else ""


def is_generated(number: str) -> bool:
    """True for a NIK or KK number of a region that does not exist."""
    return number.startswith(GENERATED_PREFIX)


def card_no_of(body: int) -> str:
    """A card number: 9 opaque digits and a check digit (Luhn, ISO/IEC 7812-1 annex B).

    Raises ValueError unless 0 < body < 10**9.
    """
    if not 0 < body < 10 ** (CARD_NO_DIGITS - 1):
        raise ValueError("the body of a card number has at most 9 digits")
    digits = f"{body:09d}"
    return digits + str(-_luhn_sum(digits + "0") % 10)


def is_card_no(card_no: str) -> bool:
    """True if the number has ten digits and its check digit holds: no single wrong digit passes."""
    return _digits(card_no, CARD_NO_DIGITS) and _luhn_sum(card_no) % 10 == 0


def _luhn_sum(digits: str) -> int:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total


def _number(region: str, middle: str, serial: int) -> str:
    if not _digits(region, 6):
        raise ValueError("a region has 6 digits")
    if not 1 <= serial <= 9999:
        raise ValueError("a serial is 1 to 9999")
    return f"{region}{middle}{serial:04d}"


def _digits(text: str, count: int) -> bool:
    return len(text) == count and text.isascii() and text.isdigit()
