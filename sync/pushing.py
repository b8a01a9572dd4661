"""Sending the journal: oldest first, one uploader at a time, done only when central names our own hash.

Status codes never delete anything, and a refusal never stops what comes after: what left the counter is a
fact that central has to hear of, also from a kiosk that is frozen, forked or revoked.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk import file_lock, freezing
from kiosk.acknowledgement import Acknowledged, acknowledge
from kiosk.errors import CentralFault, EnvironmentFault
from kiosk.freezing import freeze_ledger
from kiosk.generations import anchor_place
from kiosk.ledger import JOURNAL, JOURNAL_PRIVATE, Ledger
from sync.wire import MAX_RECORDS, JournalAnswer, JournalRequest, PrivateNote, SignedRecord

log = logging.getLogger(__name__)

BATCH_RECORDS = 200
"""Of the first push, and of each after one that took long or failed."""
MOST_RECORDS = MAX_RECORDS
MOST_BYTES = 1024 * 1024
"""Of records and texts in one batch, before Base64: a thousand usual records take half of it."""
QUICK_S = 2.0
"""An answer sooner than this doubles the next batch: a kiosk waits ten seconds for one."""
LOCK_FILE = "push.lock"
MAX_GAPS = 3

Push = Callable[[JournalRequest], JournalAnswer]


@dataclass(slots=True)
class _Progress:
    """How far one generation's push has come."""

    pushed: int = 0
    gaps: int = 0
    go_back_to: int = 0
    """Where central says its gap begins; 0 for none."""
    forked: bool = False


class Pusher:
    """Pushes the journal of one ledger connection."""

    def __init__(
        self,
        home: Path,
        ledger: Ledger,
        gen: int,
        push: Push,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._home = home
        self._ledger = ledger
        self._gen = gen
        self._push = push
        self._monotonic = monotonic
        self._records = BATCH_RECORDS

    def push_all(self, on_batch: Callable[[], None] = lambda: None) -> int:
        """Sends every record that central has not acknowledged; answers how many it took.

        Raises CentralFault: ``journal_fork``, after all was sent, when central has other bytes somewhere;
        ``journal_gap``, ``journal_not_taken``, and what a call raises. What was acknowledged before stays so.
        """
        pushed, forked = 0, False
        for gen in self._ledger.generations():
            progress = _Progress()
            while self._push_batch(gen, progress):
                on_batch()
            pushed += progress.pushed
            forked = forked or progress.forked
        if forked:
            raise CentralFault("journal_fork", "central has other bytes in this kiosk's journal")
        return pushed

    def _push_batch(self, gen: int, progress: _Progress) -> bool:
        """Sends one batch; False when there is none left. Two uploaders take turns, batch by batch."""
        with file_lock.held(self._home / LOCK_FILE):
            start = progress.go_back_to or self._ledger.acked(gen) + 1
            request = self._batch(gen, start)
            if not request.records:
                return False
            answer = self._timed_push(request)
            self._take(gen, start, answer, progress)
        for conflict in answer.conflicts:
            log.warning("conflict %s: %s", conflict.code, ", ".join(conflict.refs))
        if answer.quarantined:
            log.warning("central could not interpret records %s of generation %d", answer.quarantined, gen)
        return True

    def _timed_push(self, request: JournalRequest) -> JournalAnswer:
        """Fits the next batch to how soon this one is answered: each costs both ends the same once more."""
        records, self._records = self._records, BATCH_RECORDS
        begun = self._monotonic()
        answer = self._push(request)
        if self._monotonic() - begun < QUICK_S:
            self._records = min(MOST_RECORDS, records * 2)
        return answer

    def _take(self, gen: int, start: int, answer: JournalAnswer, progress: _Progress) -> None:
        if answer.status == "gap":
            progress.gaps += 1
            if progress.gaps > MAX_GAPS or not answer.gap_from or answer.gap_from >= start:
                raise CentralFault("journal_gap", f"central asks for {gen}:{answer.gap_from} again and again")
            progress.go_back_to = answer.gap_from
            return
        if answer.status == "fork" and gen != self._gen:
            log.warning("generation %d, which is over, was forked at central", gen)
        elif answer.status == "fork":
            freeze_ledger(self._ledger, freezing.FORKED)
            progress.forked = True
        elif answer.status == "stale_gen" and gen == self._gen:
            freeze_ledger(self._ledger, freezing.STALE_GENERATION)
        outcome = acknowledge(self._ledger, gen, answer.acked_seq, answer.durable_seq, answer.head)
        if outcome is Acknowledged.ROLLED_BACK:
            raise CentralFault(
                "journal_fork", f"central has more of generation {gen} than this kiosk", gen=gen
            )
        if outcome is Acknowledged.OTHER_HEAD:
            raise CentralFault("journal_fork", f"central's head differs in generation {gen}", gen=gen)
        if answer.acked_seq < start:
            raise CentralFault("journal_not_taken", f"central stays at {gen}:{answer.acked_seq}")
        progress.pushed += answer.acked_seq - start + 1
        # After a gap the ledger's own word may be far ahead of where central is.
        progress.go_back_to = answer.acked_seq + 1 if progress.go_back_to else 0

    def _batch(self, gen: int, start: int) -> JournalRequest:
        rows = self._ledger.rows(
            f"""SELECT j.seq, j.record, j.signature, p.salt, p.text FROM {JOURNAL} j
                LEFT JOIN {JOURNAL_PRIVATE} p ON p.gen = j.gen AND p.seq = j.seq
                WHERE j.gen = ? AND j.seq >= ? ORDER BY j.seq LIMIT ?""",
            gen,
            start,
            self._records,
        )
        anchor = anchor_place(self._ledger.db.conn, gen)
        if anchor is not None and start <= anchor[0]:
            raise CentralFault(
                "journal_pruned",
                f"central asks for {gen}:{start}, but only what follows {anchor[0]} is left here",
                gen=gen,
            )
        if rows and rows[0][0] != start:
            raise EnvironmentFault("journal_damaged", f"record {gen}:{start} is missing", gen=gen, seq=start)
        rows = list(_not_too_long(rows))
        return JournalRequest(
            gen=gen,
            from_seq=start,
            records=[SignedRecord(record=bytes(row[1]), signature=bytes(row[2])) for row in rows],
            private=[PrivateNote(seq=row[0], salt=bytes(row[3]), text=row[4]) for row in rows if row[4]],
        )


def _not_too_long(rows: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
    """As many of the first rows as MOST_BYTES hold, one at least."""
    size = 0
    for count, (_, record, signature, _, text) in enumerate(rows):
        size += len(record) + len(signature) + len((text or "").encode())
        if size > MOST_BYTES and count:
            return rows[:count]
    return rows
