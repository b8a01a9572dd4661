"""Rights a tap asks central for, kept from before the request is sent until nothing can come of it any more.

The answer may be lost, and the grant then comes by a poll like one that is placed here. What was asked for
goes back if nobody uses it; what is placed stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kiosk.ledger import ASKED, Ledger

ASKED_KEPT_MS = 10 * 60 * 1000
"""Central takes a request for five minutes around its own time; of an older one nothing can come any more."""


def note_asked(ledger: Ledger, rights: Sequence[str], now_ms: int) -> None:
    """Keeps which rights a tap asks for (Unix milliseconds), before the request is sent."""
    with ledger.writing() as connection:
        connection.executemany(
            f"""INSERT INTO {ASKED} (right, asked_ms) VALUES (?, ?)
                ON CONFLICT (right) DO UPDATE SET asked_ms = excluded.asked_ms""",
            [(right, now_ms) for right in rights],
        )


def asked_ms(connection: Any, right: str) -> int:
    """When a tap asked for this right, inside the caller's transaction; 0 if none did."""
    row = connection.execute(f"SELECT asked_ms FROM {ASKED} WHERE right = ?", (right,)).fetchone()
    return int(row[0]) if row else 0


def answered(connection: Any, rights: Iterable[str]) -> None:
    """Central has given its word on these, or their grants are here; inside the caller's transaction."""
    connection.executemany(f"DELETE FROM {ASKED} WHERE right = ?", [(right,) for right in rights])


def forget_asked(ledger: Ledger, polled_ms: int) -> None:
    """Forgets rights asked for so long before a poll, all of whose grants came, that none is on its way."""
    too_old = f"FROM {ASKED} WHERE asked_ms < ?"
    if ledger.row(f"SELECT 1 {too_old}", polled_ms - ASKED_KEPT_MS):
        with ledger.writing() as connection:
            connection.execute(f"DELETE {too_old}", (polled_ms - ASKED_KEPT_MS,))
