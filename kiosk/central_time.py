"""The highest time this kiosk has seen, and central's signed time: durable, and cheap to keep.

A clock behind the highest time is in doubt. Records raise it, and so does central's signed time. It gives way
to central alone: a time that was only ever the word of this machine's clock, and that central's signed time
shows to lie ahead, would keep every right clock in doubt until then.
"""

from __future__ import annotations

from typing import Any, Final

from kiosk.cose import SignedDataFault
from kiosk.journal_format import decode
from kiosk.ledger import ACKNOWLEDGED, JOURNAL, Ledger, meta_of, put_meta
from kiosk.sync_state import MAX_DRIFT_MS

HIGHEST_WALL: Final = "highest_wall_ms"
HEARD: Final = "central_heard_ms"
NOTE_EVERY_MS: Final = 10 * 60 * 1000
"""Central's time is written no more often than this: a poll alone costs no commit."""
_ANY_TIME: Final = 2**62
"""Of a record that cannot be read: later than whatever it might have said."""


def highest_ms(ledger: Ledger) -> int:
    """The highest time seen, in Unix milliseconds; 0 if none."""
    return int(ledger.meta(HIGHEST_WALL, "0"))


def raise_highest(connection: Any, wall_ms: int) -> None:
    """Notes a time that was seen, inside the caller's transaction."""
    if int(meta_of(connection, HIGHEST_WALL) or 0) < wall_ms:
        put_meta(connection, **{HIGHEST_WALL: str(wall_ms)})


def note_heard(ledger: Ledger, central_ms: int) -> None:
    """Keeps central's signed time of this moment (Unix milliseconds), and lets the highest time follow it.

    Up to it if it was behind; down to it if it is ahead by more than clocks may differ.
    """
    due = central_ms - int(ledger.meta(HEARD, "0")) >= NOTE_EVERY_MS
    if not due and highest_ms(ledger) <= central_ms + MAX_DRIFT_MS:
        return
    with ledger.writing() as connection:
        _keep_heard(connection, central_ms)
        if int(meta_of(connection, HIGHEST_WALL) or 0) > central_ms + MAX_DRIFT_MS:
            put_meta(connection, **{HIGHEST_WALL: str(central_ms)})


def note_file(ledger: Ledger, central_ms: int) -> None:
    """Keeps central's signed time of an answer that came by file, after what it acknowledges was noted.

    It was some time ago. What central had by then was recorded before: where only such records say that it is
    later than that, the highest time comes down to it, or to what was recorded since.
    """
    with ledger.writing() as connection:
        _keep_heard(connection, central_ms)
        proven = max(central_ms, int(meta_of(connection, HEARD)), _highest_since(connection))
        if int(meta_of(connection, HIGHEST_WALL) or 0) > proven + MAX_DRIFT_MS:
            put_meta(connection, **{HIGHEST_WALL: str(proven)})


def _keep_heard(connection: Any, central_ms: int) -> None:
    if central_ms > int(meta_of(connection, HEARD) or 0):
        put_meta(connection, **{HEARD: str(central_ms)})
    raise_highest(connection, central_ms)


def _highest_since(connection: Any) -> int:
    """The highest wall time of the records that central has not acknowledged; 0 if none."""
    rows = connection.execute(
        f"""SELECT j.record FROM {JOURNAL} j LEFT JOIN {ACKNOWLEDGED} a ON a.gen = j.gen
            WHERE j.seq > coalesce(a.acked_seq, 0)"""
    )
    highest = 0
    for (payload,) in rows:
        try:
            highest = max(highest, decode(bytes(payload)).wall)
        except SignedDataFault:
            return _ANY_TIME
    return highest
