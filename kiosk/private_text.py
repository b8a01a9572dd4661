"""Private text beside the journal: names, relations and reasons, bound by a salted commitment and erasable.

The salt goes with the text: a name could be guessed from the commitment and its salt.
"""

from __future__ import annotations

from typing import Final

from kiosk.clock import Clock, unix_ms
from kiosk.cose import SignedDataFault
from kiosk.journal_format import decode
from kiosk.ledger import ACKNOWLEDGED, JOURNAL, JOURNAL_PRIVATE, Ledger
from kiosk.pruning import DAY_MS

TEXTS_AT_ONCE: Final = 500


def erase_old(ledger: Ledger, clock: Clock, days: int) -> int:
    """Erases private text that central keeps durably and that is older than ``days``; answers how many.

    At most TEXTS_AT_ONCE in one go. The records stay, and their chain with them.
    """
    cutoff_ms = unix_ms(clock.now()) - days * DAY_MS
    rows = ledger.rows(
        f"""SELECT n.gen, n.seq, j.record FROM {JOURNAL_PRIVATE} n
            JOIN {JOURNAL} j ON j.gen = n.gen AND j.seq = n.seq
            JOIN {ACKNOWLEDGED} a ON a.gen = n.gen AND a.durable_seq >= n.seq
            WHERE n.text IS NOT NULL ORDER BY n.gen, n.seq LIMIT {TEXTS_AT_ONCE}"""
    )
    old = [(gen, seq) for gen, seq, payload in rows if _wall_of(bytes(payload)) < cutoff_ms]
    if old:
        _erase(ledger, old)
    return len(old)


def _erase(ledger: Ledger, places: list[tuple[int, int]]) -> None:
    # What is overwritten must not live on in free pages, nor in the write-ahead log.
    ledger.rows("PRAGMA secure_delete = ON")
    with ledger.writing() as connection:
        connection.executemany(
            f"UPDATE {JOURNAL_PRIVATE} SET text = NULL, salt = x'' WHERE gen = ? AND seq = ?", places
        )
    ledger.rows("PRAGMA secure_delete = OFF")
    ledger.rows("PRAGMA wal_checkpoint(TRUNCATE)")


def _wall_of(payload: bytes) -> int:
    """A record's wall time; that of a damaged one is now, so that nothing beside it is touched."""
    try:
        return decode(payload).wall
    except SignedDataFault:
        return 2**63
