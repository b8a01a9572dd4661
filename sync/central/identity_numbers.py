"""Numbers that people and cards carry: NIK, KK number, card number, and what makes each of them coherent."""

from __future__ import annotations

import calendar
from datetime import date

GENERATED_PREFIX = "99"
"""No Indonesian province has this code: numbers of generated people start with it and hit nobody real."""

CARD_NO_DIGITS = 10
WOMAN_DAY_OFFSET = 40
"""Added to the day of birth in a woman's NIK (government regulation PP 37/2007, article 37)."""


def nik_of(region: str, birth: date, woman: bool, serial: int) -> str:
    """The NIK: 6 digits of region, 6 of birth date (ddmmyy, day + 40 for women), 4 of serial.

    Raises ValueError for a region that is not 6 digits or a serial outside 1..9999.
    """
    day = birth.day + (WOMAN_DAY_OFFSET if woman else 0)
    return _number(region, f"{day:02d}{birth:%m%y}", serial)


def kk_of(region: str, registered: date, serial: int) -> str:
    """The number of a family card (KK): 6 digits of region, 6 of the day it was registered, 4 of serial."""
    return _number(region, f"{registered:%d%m%y}", serial)


def nik_fault(nik: str) -> str:
    """What is wrong with a NIK by itself: ``shape``, ``date``, ``serial``, or empty if it can be one."""
    if not _digits(nik, 16):
        return "shape"
    day = int(nik[6:8])
    return _tail_fault(day - WOMAN_DAY_OFFSET if day > WOMAN_DAY_OFFSET else day, nik)


def nik_fits(nik: str, birth: date, woman: bool) -> bool:
    """True if the middle digits of the NIK are this person's birth date and sex."""
    return nik[6:12] == nik_of("000000", birth, woman, 1)[6:12]


def kk_fault(kk: str) -> str:
    """What is wrong with a KK number: ``shape``, ``date``, ``serial``, or empty if it can be one."""
    if not _digits(kk, 16):
        return "shape"
    return _tail_fault(int(kk[6:8]), kk)


def _tail_fault(day: int, number: str) -> str:
    month, year = int(number[8:10]), int(number[10:12])
    # Either century may be meant; only 29 February 1900 and 2000 differ, and 2000 had one.
    if not 1 <= month <= 12 or not 1 <= day <= calendar.monthrange(2000 + year, month)[1]:
        return "date"
    return "serial" if number[12:] == "0000" else ""


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
