"""A sound program document: rice, 10 kg a month, strict, for the holder."""

from __future__ import annotations

from typing import Any


def document(program_id: str = "beras", **changes: Any) -> dict[str, Any]:
    """The document of a program; ``changes`` are fields of it."""
    made: dict[str, Any] = {
        "id": program_id,
        "version": 1,
        "name": {"id": f"Program {program_id}", "en": f"Program {program_id}"},
        "agency_id": 1,
        "sector": "social",
        "valid_from": "2026-01-01",
        "valid_until": None,
        "zone": "Asia/Jakarta",
        "period": {"kind": "monthly", "windows": []},
        "subject": "holder",
        "right_group": program_id,
        "benefit": {
            "kind": "goods",
            "item": {"id": "beras", "en": "rice"},
            "unit": "g",
            "display": {"id": "kg", "en": "kg"},
            "per_display": 1000,
        },
        "partial": False,
        "documents": [],
        "points": None,
        "counter": "",
        "least_grade": "p0",
        "grade_above": None,
        "officer_check_lifts": False,
        "typed_allowed": False,
        "collectors": ["holder"],
        "sensitive": False,
        "mode": "strict",
        "tolerate": None,
    }
    return made | changes
