"""What central has of this kiosk's journal: a record is done when central names it with the kiosk's hash."""

from __future__ import annotations

from enum import StrEnum

from kiosk import freezing
from kiosk.ledger import ACKNOWLEDGED, JOURNAL, Ledger, head_seq


class Acknowledged(StrEnum):
    """What became of an acknowledgement."""

    TAKEN = "taken"
    OTHER_HEAD = "other_head"
    """Central has other bytes there: the kiosk is frozen, and nothing counts as acknowledged."""
    ROLLED_BACK = "rolled_back"
    """Central has more than the kiosk: the kiosk is frozen."""


def acknowledge(ledger: Ledger, gen: int, acked_seq: int, durable_seq: int, head: str) -> Acknowledged:
    """Takes central's word that it has everything up to ``acked_seq``, whose hash is ``head`` (hex).

    An older word never takes a newer one back. A word that does not fit this journal
    freezes the kiosk.
    """
    with ledger.writing() as connection:
        if acked_seq > head_seq(connection, gen):
            freezing.freeze(connection, freezing.ROLLED_BACK)
            return Acknowledged.ROLLED_BACK
        row = connection.execute(
            f"SELECT hash FROM {JOURNAL} WHERE gen = ? AND seq = ?", (gen, acked_seq)
        ).fetchone()
        if acked_seq > 0 and (row is None or bytes(row[0]).hex() != head):
            freezing.freeze(connection, freezing.FORKED)
            return Acknowledged.OTHER_HEAD
        connection.execute(
            f"""INSERT INTO {ACKNOWLEDGED} (gen, acked_seq, durable_seq, head) VALUES (?, ?, ?, ?)
                ON CONFLICT (gen) DO UPDATE SET acked_seq = excluded.acked_seq,
                    durable_seq = excluded.durable_seq, head = excluded.head
                WHERE excluded.acked_seq >= acked_seq""",
            (gen, max(0, acked_seq), max(0, min(durable_seq, acked_seq)), head),
        )
    return Acknowledged.TAKEN


def forget_acknowledged(ledger: Ledger, gen: int, acked_seq: int) -> None:
    """Takes back what central has lost: restored from a backup, it has the journal up to ``acked_seq`` only.

    What follows is sent again.
    """
    with ledger.writing() as connection:
        row = connection.execute(
            f"SELECT hash FROM {JOURNAL} WHERE gen = ? AND seq = ?", (gen, acked_seq)
        ).fetchone()
        connection.execute(
            f"""UPDATE {ACKNOWLEDGED} SET acked_seq = ?, durable_seq = min(durable_seq, ?), head = ?
                WHERE gen = ? AND acked_seq > ?""",
            (acked_seq, acked_seq, bytes(row[0]).hex() if row else "0" * 64, gen, acked_seq),
        )
