"""The demonstration's programs: every sector, every kind of period, every rule a program can state.

Dates stand around ``today``, so that a demonstration shows something open, something not yet open and
something over, whenever it is held.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from kiosk.program import Program
from sync.central.demo_places import (
    AGRICULTURE,
    CIVIL_REGISTRY,
    EDUCATION,
    HADIMULYO_TIMUR,
    HEALTH,
    HEALTH_CENTRE,
    IRINGMULYO,
    PROTECTION,
    SOCIAL,
)

AMOUNTS: dict[str, int] = {
    "beras-keluarga": 10_000,
    "transport-siswa": 200_000,
    "seragam-sekolah": 1,
    "buku-pelajaran": 5,
    "sarapan-sekolah": 1,
    "makanan-balita": 14,
    "nutrisi-terapi": 12,
    "periksa-kesehatan": 1,
    "bantuan-lansia": 600_000,
    "pupuk-bersubsidi": 50_000,
    "benih-padi": 10_000,
    "konseling-anak": 1,
    "kartu-identitas-anak": 1,
    "tas-sekolah": 1,
    "masker-sekolah": 10,
}
"""What one subject gets of each program per period, in the benefit's smallest unit."""


def programs(today: date) -> tuple[Program, ...]:
    """The programs as of ``today``; all began on 1 January of the year before."""
    return tuple(
        Program.model_validate(_defaults(today) | document)
        for document in (*_education(today), *_health(), *_social(), *_agriculture(today), *_protection())
    )


def month_after(day: date, months: int) -> date:
    """The first day of the month that comes ``months`` after the month of ``day``."""
    count = day.year * 12 + day.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def _defaults(today: date) -> dict[str, Any]:
    return {
        "version": 1,
        "valid_from": date(today.year - 1, 1, 1),
        "valid_until": None,
        "zone": "Asia/Jakarta",
        "subject": "holder",
        "partial": False,
        "documents": (),
        "points": None,
        "counter": "",
        "least_grade": "p0",
        "grade_above": None,
        "officer_check_lifts": False,
        "typed_allowed": False,
        "collectors": ("holder",),
        "sensitive": False,
        "mode": "strict",
        "tolerate": None,
    }


def _text(indonesian: str, english: str) -> dict[str, str]:
    return {"id": indonesian, "en": english}


def _own(program_id: str, indonesian: str, english: str, **rest: Any) -> dict[str, Any]:
    """A program that shares its right with no other."""
    return {"id": program_id, "name": _text(indonesian, english), "right_group": program_id} | rest


def _pieces(indonesian: str, english: str, unit: str, unit_id: str, unit_en: str) -> dict[str, Any]:
    display = _text(unit_id, unit_en)
    item = _text(indonesian, english)
    return {"kind": "goods", "item": item, "unit": unit, "display": display, "per_display": 1}


def _kilograms(indonesian: str, english: str) -> dict[str, Any]:
    item = _text(indonesian, english)
    return {"kind": "goods", "item": item, "unit": "g", "display": _text("kg", "kg"), "per_display": 1000}


def _money(indonesian: str, english: str) -> dict[str, Any]:
    item = _text(indonesian, english)
    return {"kind": "money", "item": item, "unit": "IDR", "display": _text("Rp", "Rp"), "per_display": 1}


def _service(indonesian: str, english: str) -> dict[str, Any]:
    item = _text(indonesian, english)
    display = _text("kali", "time|times")
    return {"kind": "service", "item": item, "unit": "time", "display": display, "per_display": 1}


def _education(today: date) -> tuple[dict[str, Any], ...]:
    common = {"agency_id": EDUCATION, "sector": "education"}
    opens = month_after(today, 2)
    return (
        common
        | _own("transport-siswa", "Uang transport siswa", "School transport money")
        | {
            "period": {"kind": "monthly"},
            "benefit": _money("uang transport", "transport money"),
            "documents": ("kartu_pelajar",),
            "least_grade": "p1",
            "officer_check_lifts": True,
            "collectors": ("holder", "guardian"),
        },
        common
        | _own("seragam-sekolah", "Seragam sekolah", "School uniform")
        | {
            "period": {"kind": "yearly"},
            "benefit": _pieces("seragam", "uniform", "piece", "setel", "set|sets"),
            "documents": ("kk", "kartu_pelajar"),
            "collectors": ("guardian", "holder"),
        },
        common
        | _own("buku-pelajaran", "Buku pelajaran", "School books")
        | {
            "period": {"kind": "semester"},
            "benefit": _pieces("buku", "books", "piece", "buku", "book|books"),
            "collectors": ("holder", "guardian"),
        },
        common
        | _own("sarapan-sekolah", "Sarapan anak sekolah", "School breakfast")
        | {
            "period": {"kind": "daily"},
            "benefit": _pieces("sarapan", "breakfast", "portion", "porsi", "portion|portions"),
            "typed_allowed": True,
            "collectors": ("holder",),
            "mode": "tolerate",
            "tolerate": {"amount": 40, "count": 40, "days": 3},
        },
        common
        | _own("tas-sekolah", "Tas sekolah", "School bag")
        | {
            "period": {
                "kind": "windows",
                "windows": (
                    {
                        "key": f"{opens:%Y-%m}",
                        "from": opens,
                        "until": month_after(opens, 1),
                        "name": _text("Pembagian tas", "Bags handed out"),
                    },
                ),
            },
            "benefit": _pieces("tas sekolah", "school bag", "piece", "buah", "bag|bags"),
            "collectors": ("holder", "guardian"),
        },
        common
        | _own("masker-sekolah", "Masker anak sekolah", "Masks for pupils")
        | {
            "valid_until": date(today.year, today.month, 1),
            "period": {"kind": "monthly"},
            "benefit": _pieces("masker", "masks", "piece", "lembar", "mask|masks"),
            "collectors": ("holder", "guardian"),
        },
    )


def _health() -> tuple[dict[str, Any], ...]:
    common = {"agency_id": HEALTH, "sector": "health"}
    return (
        common
        | _own("makanan-balita", "Makanan tambahan balita", "Supplementary food for toddlers")
        | {
            "period": {"kind": "weekly"},
            "benefit": _pieces("makanan tambahan", "supplementary food", "pack", "bungkus", "pack|packs"),
            "partial": True,
            "collectors": ("guardian", "representative"),
        },
        common
        | _own("nutrisi-terapi", "Nutrisi masa pengobatan", "Nutrition during treatment")
        | {
            "period": {"kind": "monthly"},
            "benefit": _pieces("susu nutrisi", "nutrition milk", "box", "kotak", "box|boxes"),
            "documents": ("surat_dokter",),
            "least_grade": "p1",
            "collectors": ("holder", "representative"),
            "sensitive": True,
        },
        common
        | _own("periksa-kesehatan", "Pemeriksaan kesehatan gratis", "Free health check")
        | {
            "period": {"kind": "yearly"},
            "benefit": _service("pemeriksaan", "health check"),
            "points": (HADIMULYO_TIMUR, IRINGMULYO, HEALTH_CENTRE),
            "typed_allowed": True,
        },
    )


def _social() -> tuple[dict[str, Any], ...]:
    common = {"agency_id": SOCIAL, "sector": "social"}
    return (
        common
        | _own("beras-keluarga", "Beras keluarga", "Rice for families")
        | {
            "period": {"kind": "monthly"},
            "subject": "family",
            "benefit": _kilograms("beras", "rice"),
            "documents": ("ktp",),
            "collectors": ("holder", "representative"),
        },
        common
        | _own("bantuan-lansia", "Bantuan lanjut usia", "Aid for the elderly")
        | {
            "period": {"kind": "quarterly"},
            "benefit": _money("bantuan", "aid"),
            "documents": ("ktp", "kk"),
            "counter": "Loket 2",
            "grade_above": {"quantity": 300_000, "grade": "p1"},
            "officer_check_lifts": True,
            "collectors": ("holder", "representative"),
        },
    )


def _agriculture(today: date) -> tuple[dict[str, Any], ...]:
    common = {
        "agency_id": AGRICULTURE,
        "sector": "agriculture",
        "period": {"kind": "windows", "windows": _seasons(today)},
        "right_group": "sarana-tanam",
        "documents": ("ktp",),
        "least_grade": "p1",
        "officer_check_lifts": True,
        "collectors": ("holder", "representative"),
    }
    fertiliser = {
        "id": "pupuk-bersubsidi",
        "name": _text("Pupuk bersubsidi", "Subsidised fertiliser"),
        "benefit": _kilograms("pupuk", "fertiliser"),
    }
    seed = {
        "id": "benih-padi",
        "name": _text("Benih padi", "Rice seed"),
        "benefit": _kilograms("benih padi", "rice seed"),
    }
    return common | fertiliser, common | seed


def _seasons(today: date) -> tuple[dict[str, Any], ...]:
    """Planting seasons from October and from April, without a gap, around ``today``."""
    seasons: list[dict[str, Any]] = []
    for year in range(today.year - 2, today.year + 2):
        wet = {"from": date(year, 10, 1), "until": date(year + 1, 4, 1), "key": f"{year}-MT1"}
        dry = {"from": date(year + 1, 4, 1), "until": date(year + 1, 10, 1), "key": f"{year}-MT2"}
        for number, season in ((1, wet), (2, dry)):
            span = f"{year}/{year + 1}"
            seasons.append(
                season | {"name": _text(f"Musim tanam {number} {span}", f"Planting season {number} {span}")}
            )
    return tuple(seasons)


def _protection() -> tuple[dict[str, Any], ...]:
    return (
        _own("konseling-anak", "Konseling anak", "Counselling for children")
        | {
            "agency_id": PROTECTION,
            "sector": "child_protection",
            "period": {"kind": "weekly"},
            "benefit": _service("konseling", "counselling session"),
            "least_grade": "p1",
            "collectors": ("holder", "guardian"),
            "sensitive": True,
        },
        _own("kartu-identitas-anak", "Kartu Identitas Anak (KIA)", "Child identity card")
        | {
            "agency_id": CIVIL_REGISTRY,
            "sector": "child_protection",
            "period": {"kind": "once"},
            "benefit": _service("pencetakan KIA", "printing of the card"),
            "documents": ("kk", "akta"),
            "collectors": ("guardian",),
            "mode": "online_only",
        },
    )
