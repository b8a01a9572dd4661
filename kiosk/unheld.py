"""Rights not held here that a ``tolerate`` program may do without while central is away."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from kiosk import tolerate
from kiosk.cache import Cache, RightPlace
from kiosk.clock import unix_ms
from kiosk.database import database_faults
from kiosk.ledger import HeldRight, Ledger
from kiosk.program import Program, quantity_due
from kiosk.tolerate import WithoutRight

COVERS = "covers"
"""Name of the cache's value that says, by generation, up to which of our own records it is sure to count."""


def note_covers(cache: Cache, acked: Mapping[int, int]) -> None:
    """Keeps that the cache counts our own records up to these (by generation), once it is complete.

    They were acknowledged before central was asked for what has changed: what they did is in its answer.
    """
    text = json.dumps({str(gen): seq for gen, seq in sorted(acked.items())})
    if cache.meta(COVERS) != text:
        cache.set_meta(**{COVERS: text})


@dataclass(frozen=True, slots=True)
class Unheld:
    """One right as a program may use it without holding it; quantities in the smallest unit."""

    without: WithoutRight
    left: int
    """What may be left of the right; 0: taken, as far as is known here."""
    due: int
    """What may be handed out now; less than is left where the program's limits leave no room for more."""
    room: int


def unheld(
    cache: Cache,
    ledger: Ledger,
    programs: Iterable[tuple[Program, str, int]],
    known: Mapping[str, HeldRight],
    places: Mapping[str, RightPlace],
    gen: int,
    now: datetime,
) -> dict[tuple[str, str], Unheld]:
    """What the programs of a visit may do without; by program id and right.

    ``programs`` are given with the right of each and the quantity of its entitlement. A right that a grant
    made strict for this period stays so, whatever the program says by now.
    """
    wanted = list(programs)
    found = {}
    for program, right, quantity in wanted:
        mine = known.get(right)
        held = mine is not None and mine.held and mine.gen == gen
        if program.mode != tolerate.MODE or held or (mine is not None and mine.mode != tolerate.MODE):
            continue
        place = places.get(right)
        # Programs that exclude each other share a right, which holds the most of any.
        total = max(other_quantity for _, other, other_quantity in wanted if other == right)
        without = WithoutRight(
            place.quantity if place and place.quantity > 0 else total,
            place.spent if place else 0,
            _covers(cache),
        )
        with database_faults(ledger.path):
            left = without.left(ledger.db.conn, right)
            room = tolerate.room(ledger.db.conn, program, unix_ms(now))
        due = quantity_due(program, quantity, left)
        found[program.id, right] = Unheld(without, left, min(due, room) if program.partial else due, room)
    return found


def _covers(cache: Cache) -> dict[int, int]:
    try:
        told = json.loads(cache.meta(COVERS, "{}"))
    except ValueError:
        return {}
    return {int(gen): int(seq) for gen, seq in told.items()}
