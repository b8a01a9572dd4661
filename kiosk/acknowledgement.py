"""What central has of this kiosk's journal: a record is done when central names it with the kiosk's hash."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from kiosk import freezing
from kiosk.generations import anchor_place, salvaged_upto
from kiosk.ledger import ACKNOWLEDGED, JOURNAL, Ledger, head_seq, meta_of


class Acknowledged(StrEnum):
    """What became of an acknowledgement."""

    TAKEN = "taken"
    OTHER_HEAD = "other_head"
    """Central has other bytes there: the kiosk is frozen, and nothing counts as acknowledged."""
    ROLLED_BACK = "rolled_back"
    """Central has more than the kiosk: the kiosk is frozen."""


def acknowledge(ledger: Ledger, gen: int, acked_seq: int, durable_seq: int, head: str) -> Acknowledged:
    """Takes central's word that it has everything up to ``acked_seq``, whose hash is ``head`` (hex).

    An older word never takes a newer one back. A word that does not fit the journal of the current
    generation freezes the kiosk. Of a generation that is over, or that was salvaged, central may have more
    than is left here: what is here it has then, or it would say that it forks.
    """
    with ledger.writing() as connection:
        newest = head_seq(connection, gen)
        over = int(meta_of(connection, "gen") or gen) != gen
        if acked_seq > newest and (over or salvaged_upto(connection, gen) is not None):
            acked_seq, head = newest, _hash_at(connection, gen, newest).hex()
        if acked_seq > newest:
            freezing.freeze(connection, freezing.ROLLED_BACK)
            return Acknowledged.ROLLED_BACK
        anchor = anchor_place(connection, gen)
        if anchor is not None and 0 < acked_seq < anchor[0]:
            return Acknowledged.TAKEN  # an old word of what was pruned since
        if acked_seq > 0 and _hash_at(connection, gen, acked_seq).hex() != head:
            if not over:
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


def _hash_at(connection: Any, gen: int, seq: int) -> bytes:
    """Hash of a record that is here, or of the last one that was pruned; empty for any other."""
    row = connection.execute(f"SELECT hash FROM {JOURNAL} WHERE gen = ? AND seq = ?", (gen, seq)).fetchone()
    if row is not None:
        return bytes(row[0])
    anchor = anchor_place(connection, gen)
    return anchor[1] if anchor is not None and anchor[0] == seq else b""


def forget_acknowledged(ledger: Ledger, gen: int, acked_seq: int) -> None:
    """Takes back what central has lost: restored from a backup, it has the journal up to ``acked_seq`` only.

    What follows is sent again, as far as it is here: what was pruned no backup of central may lack.
    """
    with ledger.writing() as connection:
        anchor = anchor_place(connection, gen)
        acked_seq = max(acked_seq, anchor[0] if anchor else 0)
        head = _hash_at(connection, gen, acked_seq).hex() or "0" * 64
        connection.execute(
            f"""UPDATE {ACKNOWLEDGED} SET acked_seq = ?, durable_seq = min(durable_seq, ?), head = ?
                WHERE gen = ? AND acked_seq > ?""",
            (acked_seq, acked_seq, head, gen, acked_seq),
        )
