"""Asking rights back: the mark on a right, and the log of when and why it was asked for."""

from __future__ import annotations

import secrets
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from sync.central.models import recall_log
from sync.central.right_rows import Right

WANTED: Final = "wanted"
"""Somebody stands elsewhere with the card."""
CHANGED: Final = "changed"
"""Its entitlement, period or usual point changed."""
MISLED: Final = "misled"
"""Its holder believes in another rest than there is."""
MERGED: Final = "merged"
"""It became part of another right."""


class Recalls:
    """Collects what one transaction asks back; ``write`` logs it."""

    def __init__(self, now: int) -> None:
        self._now = now
        self._rows: list[dict[str, Any]] = []

    def ask(self, row: Right, why: str, wanted_by: str = "") -> None:
        """Asks a right back from the kiosk that holds it; one that is in doubt cannot be asked for.

        A second reason is logged as well: a recall for somebody who waits lapses once nothing is left, one
        because its holder is misled does not.
        """
        if not row.held_by or row.in_doubt:
            return
        misled = why == MISLED and not self._asks_misled(row)
        if not row.recall or misled or wanted_by not in ("", row.wanted_by):
            self._rows.append(
                {
                    "id": secrets.token_hex(16),
                    "right": row.right,
                    "epoch_incarnation": row.epoch_incarnation,
                    "epoch_n": row.epoch_n,
                    "kiosk": row.held_by,
                    "gen": row.gen,
                    "why": why,
                    "wanted_by": wanted_by,
                    "at": self._now,
                }
            )
        row.recall = True

    def is_misled(self, connection: Connection, row: Right) -> bool:
        """True if the grant outstanding was asked back because its holder believes in more than there is."""
        if self._asks_misled(row):
            return True
        epoch = (row.epoch_incarnation, row.epoch_n)
        query = select(recall_log.c.id).where(recall_log.c.right == row.right, recall_log.c.why == MISLED)
        query = query.where(recall_log.c.epoch_incarnation == epoch[0], recall_log.c.epoch_n == epoch[1])
        return connection.execute(query.limit(1)).first() is not None

    def _asks_misled(self, row: Right) -> bool:
        mine = (row.right, MISLED, row.epoch_incarnation, row.epoch_n)
        return any(
            (one["right"], one["why"], one["epoch_incarnation"], one["epoch_n"]) == mine for one in self._rows
        )

    def write(self, connection: Connection) -> None:
        """Logs what was asked for."""
        if self._rows:
            connection.execute(insert(recall_log), self._rows)
            self._rows = []
