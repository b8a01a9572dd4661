"""Pruning the journal behind an anchor: what central keeps durably, and no backup of it can miss any more.

Only a prefix of a generation goes, never its newest record, and only after its chain was checked once more:
damage is not swept away. The anchor that takes its place is signed by the device (``kiosk/anchor.py``). Marks
of what was spent stay until the right's period and the backup horizon are over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from kiosk import anchor
from kiosk.anchor import Anchor
from kiosk.clock import Clock, unix_ms
from kiosk.cose import SignedDataFault
from kiosk.errors import EnvironmentFault
from kiosk.generations import anchor_place, first_key, read_anchor
from kiosk.journal import Identity
from kiosk.journal_check import Chain
from kiosk.ledger import (
    ACKNOWLEDGED,
    ANCHOR,
    JOURNAL,
    JOURNAL_PRIVATE,
    PICKUPS,
    RIGHTS,
    Ledger,
    head_seq,
    signing_key,
)

RECORDS_AT_ONCE: Final = 200
"""One transaction's worth: a pickup that comes meanwhile waits for some milliseconds."""
RIGHTS_AT_ONCE: Final = 200
DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class _Step:
    """Records of one generation that may go, their chain checked."""

    gen: int
    before: tuple[int, bytes] | None
    """Where the generation began until now."""
    seq: int
    head: bytes
    public: bytes


def prune(ledger: Ledger, identity: Identity, clock: Clock, horizon_days: int) -> int:
    """Prunes up to RECORDS_AT_ONCE records; answers how many went, so 0 when there is nothing to do.

    ``horizon_days`` is how far back central may be restored to. Raises EnvironmentFault ``journal_damaged``
    for a record that does not hold: nothing of that generation goes then.
    """
    cutoff_ms = unix_ms(clock.now()) - horizon_days * DAY_MS
    for gen in ledger.generations():
        step = _next_step(ledger, identity.kiosk, gen, cutoff_ms)
        if step is not None:
            return _take(ledger, identity, step, unix_ms(clock.now()) // 1000)
    return 0


def forget_ended_rights(ledger: Ledger, clock: Clock, horizon_days: int) -> int:
    """Removes rights given back whose time ended before the backup horizon, and their pickups.

    Only when every record of theirs was pruned. Answers how many rights went, at most RIGHTS_AT_ONCE.
    """
    cutoff_ms = unix_ms(clock.now()) - horizon_days * DAY_MS
    with ledger.writing() as connection:
        found = connection.execute(_ENDED, (cutoff_ms // 1000, RIGHTS_AT_ONCE)).fetchall()
        connection.executemany(f"DELETE FROM {PICKUPS} WHERE right = ?", found)
        connection.executemany(f"DELETE FROM {RIGHTS} WHERE right = ?", found)
    return len(found)


# A slice's stock is counted by its pickups: they stay.
_ENDED = f"""
    SELECT r.right FROM {RIGHTS} r WHERE r.held = 0 AND r.not_after < ? AND NOT EXISTS (
        SELECT 1 FROM {JOURNAL} j WHERE j.right = r.right
    ) AND NOT EXISTS (
        SELECT 1 FROM {PICKUPS} p WHERE p.right = r.right AND (
            p.slice <> '' OR p.shown = 0
            OR p.seq > coalesce((SELECT a.seq FROM {ANCHOR} a WHERE a.gen = p.gen), 0))
    ) ORDER BY r.right LIMIT ?"""


def _next_step(ledger: Ledger, kiosk: str, gen: int, cutoff_ms: int) -> _Step | None:
    try:
        found = read_anchor(ledger, gen)
        start = found[0] if found else None
        chain = Chain(kiosk, gen, start.public if start else first_key(ledger, gen))
        if start is not None:
            chain.seq, chain.head = start.seq, start.head
        last: tuple[int, bytes, bytes] | None = None
        for seq, payload, signature in _candidates(ledger, gen, chain.seq):
            record = chain.take(seq, bytes(payload), bytes(signature))
            if record.wall >= cutoff_ms:
                break
            last = chain.seq, chain.head, chain.public
    except SignedDataFault as fault:
        raise EnvironmentFault("journal_damaged", f"generation {gen}: {fault}", gen=gen) from None
    if last is None:
        return None
    return _Step(gen, (start.seq, start.head) if start else None, *last)


def _candidates(ledger: Ledger, gen: int, after: int) -> list[Any]:
    newest = ledger.head_seq(gen)
    return ledger.rows(
        f"""SELECT seq, record, signature FROM {JOURNAL} WHERE gen = ? AND seq > ? AND seq < ?
              AND seq <= coalesce((SELECT durable_seq FROM {ACKNOWLEDGED} WHERE gen = ?), 0)
            ORDER BY seq LIMIT {RECORDS_AT_ONCE}""",
        gen,
        after,
        newest,
        gen,
    )


def _take(ledger: Ledger, identity: Identity, step: _Step, now_s: int) -> int:
    made = Anchor(identity.kiosk, step.gen, step.seq, step.head, step.public, now_s)
    kid = f"{identity.kiosk}.{identity.gen}".encode()
    with ledger.writing() as connection:
        durable = connection.execute(
            f"SELECT durable_seq FROM {ACKNOWLEDGED} WHERE gen = ?", (step.gen,)
        ).fetchone()
        if (
            anchor_place(connection, step.gen) != step.before
            or durable is None
            or durable[0] < step.seq
            or head_seq(connection, step.gen) <= step.seq
        ):
            return 0
        signed = anchor.make(made, identity.signer(signing_key(connection, identity.gen)[1]), kid)
        connection.execute(
            f"""INSERT INTO {ANCHOR} (gen, seq, hash, signature, at) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (gen) DO UPDATE SET seq = excluded.seq, hash = excluded.hash,
                    signature = excluded.signature, at = excluded.at""",
            (step.gen, step.seq, step.head, signed, now_s),
        )
        place = (step.gen, step.seq)
        connection.execute(f"DELETE FROM {JOURNAL_PRIVATE} WHERE gen = ? AND seq <= ?", place)
        gone = connection.execute(f"DELETE FROM {JOURNAL} WHERE gen = ? AND seq <= ?", place).rowcount
    return int(gone)
