"""Asking rights back: the mark on a right, and the log of when and why it was asked for."""

from __future__ import annotations

import secrets
from typing import Any, Final

from sqlalchemy import Connection, insert

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
        """Asks a right back from the kiosk that holds it; one that is in doubt cannot be asked for."""
        if not row.held_by or row.in_doubt:
            return
        if not row.recall or wanted_by not in ("", row.wanted_by):
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

    def write(self, connection: Connection) -> None:
        """Logs what was asked for."""
        if self._rows:
            connection.execute(insert(recall_log), self._rows)
            self._rows = []
