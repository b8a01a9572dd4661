"""The twenty programs of the bench's city: sixteen for holders, four for families."""

from __future__ import annotations

from typing import Any, Final

ZONE: Final = "Asia/Jakarta"
AGENCIES: Final = (
    (1, "Dinas Sosial", "Dinsos"),
    (2, "Dinas Pendidikan dan Kebudayaan", "Disdikbud"),
    (3, "Dinas Kesehatan", "Dinkes"),
    (4, "Dinas Ketahanan Pangan, Pertanian dan Perikanan", "DKP3"),
)

RICE: Final = "beras-warga"
"""What the holders with one program have: ten kilograms a month, no document asked for."""

_MONTHLY: Final = ("monthly", "monthly", "monthly", "weekly", "quarterly", "semester", "yearly", "once")
_ITEMS: Final = (
    ("beras", "rice", "g", "kg", 1000, 10_000),
    ("uang transport", "transport money", "IDR", "Rp", 1, 200_000),
    ("susu", "milk", "box", "kotak", 1, 12),
    ("pupuk", "fertiliser", "g", "kg", 1000, 50_000),
    ("buku", "books", "piece", "buku", 1, 5),
)
_SECTORS: Final = ("social", "education", "health", "agriculture")


def documents() -> list[dict[str, Any]]:
    """All programs as JSON documents, those for holders first; none is sensitive, so that all are listed."""
    return [_holder(number) for number in range(16)] + [_family(number) for number in range(4)]


def _holder(number: int) -> dict[str, Any]:
    if number == 0:
        return _program(RICE, "Beras warga", number, "monthly", "holder", ())
    kind = _MONTHLY[number % len(_MONTHLY)]
    needed = ("ktp", "kk") if number in (5, 11) else ()
    name = f"Bantuan {_ITEMS[number % len(_ITEMS)][0]} {_SECTORS[number % 4]} {number:02d}"
    return _program(f"bantuan-{number:02d}", name, number, kind, "holder", needed)


def _family(number: int) -> dict[str, Any]:
    name = f"Paket keluarga {_ITEMS[number][0]} {number:02d}"
    kind = "quarterly" if number == 3 else "monthly"
    return _program(f"keluarga-{number:02d}", name, number, kind, "family", ("kk",) if number == 2 else ())


def _program(
    program_id: str, name: str, number: int, kind: str, subject: str, needed: tuple[str, ...]
) -> dict[str, Any]:
    indonesian, english, unit, shown, per_shown, _ = _ITEMS[number % len(_ITEMS)]
    money = unit == "IDR"
    return {
        "id": program_id,
        "version": 3,
        "name": {"id": name, "en": name},
        "agency_id": AGENCIES[number % len(AGENCIES)][0],
        "sector": _SECTORS[number % len(_SECTORS)],
        "valid_from": "2025-01-01",
        "valid_until": None,
        "zone": ZONE,
        "period": {"kind": kind, "windows": []},
        "subject": subject,
        "right_group": program_id,
        "benefit": {
            "kind": "money" if money else "goods",
            "item": {"id": indonesian, "en": english},
            "unit": unit,
            "display": {"id": shown, "en": shown},
            "per_display": per_shown,
        },
        "partial": number % 4 == 3,
        "documents": list(needed),
        "points": None,
        "counter": f"Loket {number % 4 + 1}",
        "least_grade": "p1" if number % 3 == 2 else "p0",
        "grade_above": None,
        "officer_check_lifts": number % 3 == 2,
        "typed_allowed": False,
        "collectors": ["holder", "guardian", "representative"],
        "sensitive": False,
        "mode": "strict",
        "tolerate": None,
    }


def quantity_of(number: int) -> int:
    """What one subject gets of the ``number``-th program of its kind, in the benefit's smallest unit."""
    return _ITEMS[number % len(_ITEMS)][5]
