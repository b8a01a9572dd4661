"""What a grant was made for, as the ledger keeps it: its terms stand until the right goes back.

An entitlement or program that was cut, changed or ended meanwhile does not change what is held. What is then
handed out is marked ``within_grant``, and central reports it as exposure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache

from kiosk import period
from kiosk.grant import Term
from kiosk.program import Program
from kiosk.program_state import EntitlementFact

_LAST_SECOND = int(datetime(9990, 1, 1, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class Basis:
    """What a hand-out under a grant goes by."""

    term: Term | None
    """The program's term; None for a program that the grant does not name."""
    differs: bool
    """The cache says something else than the grant."""
    within_grant: bool
    """Something has changed since the grant; it is not that the cache is the older of both."""


@lru_cache(maxsize=1024)
def basis_of(
    terms: str, program_id: str, program_version: int, entitlement: tuple[int, int], active: bool
) -> Basis:
    """How a grant's terms stand to what the cache says: versions, and whether the entitlement is active.

    Without terms (a grant from before they were kept) nothing is known to differ.
    """
    if not terms:
        return Basis(None, False, False)
    of_program = [term for term in (Term(*one) for one in json.loads(terms)) if term.program_id == program_id]
    # Several records of one person may give rise to a right: the one that is looked at, else the largest.
    term = max(of_program, key=lambda one: (one.entitlement_id == entitlement[0], one.quantity), default=None)
    if term is None:
        return Basis(None, True, True)
    cached = (program_version, *entitlement)
    granted = (term.program_version, term.entitlement_id, term.entitlement_version)
    since = (
        program_version > term.program_version
        or entitlement[0] != term.entitlement_id
        or entitlement[1] > term.entitlement_version
        or (not active and entitlement[1] == term.entitlement_version)
    )
    return Basis(term, not active or cached != granted, since)


def as_granted(
    program: Program, fact: EntitlementFact, basis: Basis, not_before: int, not_after: int
) -> tuple[Program, EntitlementFact]:
    """Program and entitlement with the dates and the quantity of the grant, where the cache says otherwise.

    ``not_before`` and ``not_after`` are the grant's, in Unix seconds; whose entitlement or program is
    unchanged keeps its own dates.
    """
    if basis.term is None or not basis.differs:
        return program, fact
    first, first_over = _day(not_before, program.zone), _day(not_after, program.zone)
    granted = (basis.term.entitlement_id, basis.term.entitlement_version)
    if (fact.entitlement_id, fact.version) != granted or fact.status != "active":
        fact = EntitlementFact(
            basis.term.entitlement_id,
            basis.term.entitlement_version,
            basis.term.quantity,
            first,
            first_over,
        )
    if program.version != basis.term.program_version:
        until = program.valid_until
        dates = {
            "valid_from": min(program.valid_from, first),
            "valid_until": until and max(until, first_over),
        }
        program = program.model_copy(update=dates)
    return program, fact


def _day(at_s: int, zone: str) -> date:
    return period.local_day(datetime.fromtimestamp(min(at_s, _LAST_SECOND), UTC), zone)
