"""Programs of a visit as the two screens list them: who may see what, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kiosk.values import Grade, StateCode, Visit, VisitRow

CITIZEN_ROW: dict[str, Any] = {
    "programId": "",
    "nameId": "",
    "nameEn": "",
    "giftId": "",
    "giftEn": "",
    "code": "",
    "now": {},
}
"""``now`` holds all that the words of the state are made of, so that a change lays them out once."""
OFFICER_ROW: dict[str, Any] = CITIZEN_ROW | {
    "agency": "",
    "takenRef": "",
    "takenBy": "",
    "choosable": False,
    "sensitive": False,
}
POOL = 14
"""Rows drawn ahead of the first tap: as many programs as a holder usually has at most."""

_ORDER = {
    StateCode.READY: 0,
    StateCode.NEEDS_DOCUMENT: 1,
    StateCode.GRADE_TOO_LOW: 2,
    StateCode.CHECKING: 3,
    StateCode.DATE_IN_DOUBT: 4,
    StateCode.HELD_ELSEWHERE: 5,
    StateCode.NEEDS_NETWORK: 6,
    StateCode.BLOCKED: 7,
    StateCode.TAKEN: 8,
    StateCode.NOT_YET: 9,
    StateCode.ENDED: 10,
}


def in_order(rows: Sequence[VisitRow], shown: Sequence[str] = ()) -> list[VisitRow]:
    """What can be had first; rows already on the screen (``shown``, program ids) keep their places."""
    places = {program_id: place for place, program_id in enumerate(shown)}
    return sorted(rows, key=lambda row: (places.get(row.program_id, len(places)), _ORDER[row.state.code]))


def hides_person(visit: Visit) -> bool:
    """True if the public screen shows neither name nor places: the read may be of somebody else's code."""
    return visit.grade <= Grade.P0 or not visit.public_name


def is_choosable(row: VisitRow) -> bool:
    """Whether the officer can go on to confirm this row."""
    return row.state.code in (StateCode.READY, StateCode.NEEDS_DOCUMENT) or (
        row.state.code is StateCode.GRADE_TOO_LOW and row.officer_check_lifts
    )


def citizen_rows(visit: Visit, shown: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Rows for the public screen: nothing sensitive, and no place when the person is hidden."""
    hidden = hides_person(visit)
    return [
        _common(row, row.state.code, "" if hidden else row.state.place)
        for row in in_order(visit.rows, shown)
        if not row.sensitive
    ]


def officer_rows(
    visit: Visit, shown: Sequence[str], overdue: bool, officers: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Rows for the officer. ``overdue``: what is still being checked reads as needing the network.

    ``officers`` maps pickup references of today to the officer's name.
    """
    out = []
    for row in in_order(visit.rows, shown):
        code = row.state.code
        if overdue and code is StateCode.CHECKING:
            code = StateCode.NEEDS_NETWORK
        out.append(
            {
                **_common(row, code, row.state.place),
                "agency": row.agency,
                "takenRef": row.state.by,
                "takenBy": officers.get(row.state.by, ""),
                "choosable": is_choosable(row),
                "sensitive": row.sensitive,
            }
        )
    return out


def _common(row: VisitRow, code: StateCode, place: str) -> dict[str, Any]:
    return {
        "programId": row.program_id,
        "nameId": row.name.id,
        "nameEn": row.name.en,
        "giftId": f"{row.quantity_text.id} {row.benefit.id}".strip(),
        "giftEn": f"{row.quantity_text.en} {row.benefit.en}".strip(),
        "code": code.value,
        "now": {
            "code": code.value,
            "date": row.state.date,
            "place": place,
            "documents": list(row.state.documents),
            "counter": row.counter,
        },
    }
