"""Handing out without the right while cut off from central, within limits: programs of mode ``tolerate``.

The kiosk asks central first whenever it can be reached. Cut off, it may hand out under no grant (epoch
``[0,0]``) as long as amount and count since central's last acknowledgement, and days since its last signed
answer, stay within the program's limits. What that may cost is bounded, and each overspend becomes one case
at central.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kiosk.central_time import HEARD
from kiosk.ledger import PICKUPS, TOLERATED, meta_of
from kiosk.program import Program

MODE: Final = "tolerate"
NO_GRANT: Final = (0, 0)
"""The epoch of a hand-out under no grant."""
_DAY_MS: Final = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class WithoutRight:
    """What is known here of a right that this kiosk does not hold; quantities in the smallest unit."""

    total: int
    """What the right holds in this period."""
    spent: int
    """What central has counted, as the cache has it."""
    covers: Mapping[int, int] = field(default_factory=dict)
    """By generation, the last of this kiosk's own records that ``spent`` is sure to count."""

    def left(self, connection: Any, right: str) -> int:
        """What may be left of it: less what central has counted, less what left this counter since."""
        rows = connection.execute(
            f"SELECT gen, seq, spends FROM {PICKUPS} WHERE right = ? AND voided = 0", (right,)
        )
        here = sum(int(spends) for gen, seq, spends in rows if seq > self.covers.get(gen, 0))
        return max(0, self.total - self.spent - here)


def room(connection: Any, program: Program, now_ms: int) -> int:
    """How much of a program may still be handed out without the right; 0 if any of its limits is reached.

    Inside the caller's transaction, or by itself for a look.
    """
    limits = program.tolerate
    heard_ms = int(meta_of(connection, HEARD) or 0)
    if program.mode != MODE or limits is None or not heard_ms:
        return 0
    if (now_ms - heard_ms) // _DAY_MS >= limits.days:
        return 0
    row = connection.execute(
        f"SELECT quantity, count FROM {TOLERATED} WHERE program_id = ?", (program.id,)
    ).fetchone()
    quantity, count = row or (0, 0)
    return 0 if count >= limits.count else max(0, limits.amount - quantity)
