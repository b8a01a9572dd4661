"""Hand-outs that are refused: what the officer hears, and the record that is kept of it."""

from __future__ import annotations

from typing import Final

from kiosk.eligibility import Eligible
from kiosk.errors import OfficerFault
from kiosk.journal import Draft, Journal
from kiosk.values import OfficerSession, StateCode, Visit

REFUSED_AS: Final = {
    StateCode.CHECKING: "right_not_held",
    StateCode.TAKEN: "already_taken",
    StateCode.NOT_YET: "not_yet",
    StateCode.ENDED: "ended",
    StateCode.NEEDS_DOCUMENT: "documents",
    StateCode.HELD_ELSEWHERE: "held_elsewhere",
    StateCode.NEEDS_NETWORK: "right_not_held",
    StateCode.GRADE_TOO_LOW: "grade_too_low",
    StateCode.BLOCKED: "blocked",
    StateCode.DATE_IN_DOUBT: "date_in_doubt",
}
"""Code of the OfficerFault for each state that is not ready."""

RECORDED_REFUSALS: Final = ("already_taken", "right_not_held", "right_closed", "no_stock", "frozen")
"""What the ledger itself may say to a hand-out that looked ready; recorded like a state that is not."""


def refusal_of(chosen: Eligible) -> OfficerFault:
    """The fault that a program which is not ready is refused with."""
    state = chosen.row.state
    return OfficerFault(
        REFUSED_AS[state.code],
        f"{chosen.program.id} is {state.code.replace('_', ' ')}"
        + (f": {state.place}" if state.place else ""),
        state=str(state.code),
        place=state.place,
        date=state.date,
        by=state.by,
        documents=list(state.documents),
    )


def record_refusal(
    journal: Journal, visit: Visit, chosen: Eligible, session: OfficerSession, why: str
) -> None:
    """Keeps a record that somebody was sent away, and why. Raises EnvironmentFault when the disk refuses."""
    journal.append(
        lambda _: Draft(
            type="refusal",
            right=chosen.row.right,
            program_version=f"{chosen.program.id}@{chosen.program.version}",
            officer=session.username,
            card=visit.card_no,
            assurance=visit.grade.label,
            detail={"state": why},
        )
    )
