"""What a kiosk does with central: push the journal, take in grants, bring the cache up to date.

Status codes never delete anything: a record is done when central acknowledged it with the same hash.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from kiosk import sync_state
from kiosk.cache import CacheFolder
from kiosk.clock import Clock, unix_ms
from kiosk.database import writing
from kiosk.errors import CentralFault
from kiosk.grant import digest_of, open_grant
from kiosk.journal import Identity, Journal
from kiosk.keyset import KeySet
from kiosk.ledger import ACKNOWLEDGED, JOURNAL, JOURNAL_PRIVATE, Ledger, put_meta
from kiosk.rights import held_epochs, release, take_in
from kiosk.sync_state import SyncState
from sync.client import CentralClient
from sync.feed import load_changes
from sync.wire import JournalAnswer, JournalRequest, PollAnswer, PollRequest, PrivateNote, SignedRecord

log = logging.getLogger(__name__)

BATCH_RECORDS = 200


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What one round did."""

    pushed: int = 0
    waiting: int = 0
    grants: int = 0
    rows: int = 0
    released: int = 0


class SyncEngine:
    """One kiosk's sync over one ledger connection and one client; used by one thread."""

    def __init__(
        self,
        home: Path,
        ledger: Ledger,
        caches: CacheFolder,
        identity: Identity,
        client: CentralClient,
        keyset: Callable[[], KeySet],
        clock: Clock,
        *,
        take_keyset: Callable[[bytes], None],
    ) -> None:
        self.home = home
        self.ledger = ledger
        self.caches = caches
        self.identity = identity
        self.client = client
        self.clock = clock
        self._journal = Journal(ledger, identity, clock)
        self._keyset = keyset
        self._take_keyset = take_keyset

    def sync_now(self) -> SyncReport:
        """One round, leaving word for the screen whether central answered. Raises CentralFault."""
        try:
            return self.run_once()
        except CentralFault as fault:
            self.note_failure(fault)
            raise

    def close(self) -> None:
        """Closes the connections."""
        self.client.close()
        self.caches.close()
        self.ledger.close()

    def run_once(self) -> SyncReport:
        """Journal out, grants and changes in, one after the other. Raises CentralFault."""
        pushed = self.push_all()
        grants, released = 0, 0
        changed = True
        while True:
            answer = self.poll(wait_s=0.0)
            grants += len(answer.grants)
            released += self.answer_recalls(answer)
            changed = answer.changes_waiting
            if not answer.grants_more and not answer.grants_reset:
                break
        rows = self.fetch_changes() if changed or self.caches.current_number() is None else 0
        if released:
            pushed += self.push_all()
        self.caches.current().set_meta(synced_at=self._now_iso())
        return SyncReport(pushed, self.ledger.waiting(), grants, rows, released)

    def push_all(self, on_batch: Callable[[], None] = lambda: None) -> int:
        """Sends every record that central has not acknowledged, oldest first; answers how many it took.

        Raises CentralFault; what was acknowledged before stays so.
        """
        pushed = 0
        for gen in self._generations():
            start = self.ledger.acked(gen) + 1
            gaps = 0
            while True:
                request = self._batch(gen, start)
                if not request.records:
                    break
                answer = self.client.push(request)
                on_batch()
                if answer.status == "gap":
                    gaps += 1
                    if gaps > 3:
                        raise CentralFault(
                            "journal_gap", f"central asks for {gen}:{answer.gap_from} again and again"
                        )
                    start = answer.gap_from or 1
                    continue
                self._note_acknowledged(gen, request, answer)
                if answer.status == "fork":
                    raise CentralFault(
                        "journal_fork", f"central has other bytes in generation {gen}", gen=gen
                    )
                if answer.acked_seq < start:
                    raise CentralFault("journal_not_taken", f"central stays at {gen}:{answer.acked_seq}")
                pushed += answer.acked_seq - start + 1
                start = answer.acked_seq + 1
        return pushed

    def poll(self, wait_s: float) -> PollAnswer:
        """One heartbeat; grants in the answer are in the ledger when this returns. Raises CentralFault."""
        cursor = ""
        if self.caches.current_number() is not None:
            cursor = self.caches.current().meta("cursor")
        request = PollRequest(
            gen=self.identity.gen,
            queue=self.ledger.waiting(),
            highest_grant_rev=int(self.ledger.meta("grant_rev", "0")),
            grants_digest=digest_of(held_epochs(self.ledger, self.identity.gen)),
            cursor=cursor,
            wait_s=wait_s,
        )
        answer = self.client.poll(request)
        self.note_success()
        if answer.grants_reset:
            self.ledger.set_meta(grant_rev="0")
        if answer.grants:
            keyset = self._keyset()
            opened = [(open_grant(data, keyset), data) for data in answer.grants]
            outcomes = take_in(
                self.ledger,
                opened,
                kiosk=self.identity.kiosk,
                gen=self.identity.gen,
                grant_rev=answer.grant_rev,
            )
            for (grant, _), outcome in zip(opened, outcomes, strict=True):
                if outcome in ("stale_epoch", "other_generation"):
                    log.warning("grant of %s not taken in: %s", grant.right, outcome)
        return answer

    def answer_recalls(self, answer: PollAnswer) -> int:
        """Releases rights that central asks back and that lie idle here."""
        return sum(release(self._journal, right) is not None for right in answer.recalls)

    def fetch_changes(self, on_page: Callable[[int], None] = lambda rows: None) -> int:
        """Brings the cache up to date; answers how many rows changed. Raises CentralFault."""
        rows = load_changes(self.caches, self.client.changes, self._now_iso, on_page)
        doc = self.caches.current().keyset_doc()
        if doc:
            self._take_keyset(base64.b64decode(doc))
        return rows

    def note_success(self) -> None:
        """Leaves word that central answered, and its signed time."""
        time = self.client.central_time
        mono = self.clock.monotonic_ms()
        sync_state.save(
            self.home,
            SyncState(
                online=True,
                last_success_ms=unix_ms(self.clock.now()),
                checked_mono_ms=mono,
                central_ms=time.time_ms if time else 0,
                central_mono_ms=time.mono_ms if time else 0,
                boot_id=self.clock.boot_id(),
            ),
        )

    def note_failure(self, fault: CentralFault) -> None:
        """Leaves word that central did not answer; central's time stays known."""
        before = sync_state.load(self.home)
        mono = self.clock.monotonic_ms()
        sync_state.save(
            self.home,
            replace(before, online=False, checked_mono_ms=mono, fault=fault.code, boot_id=before.boot_id),
        )

    def _generations(self) -> list[int]:
        rows = self.ledger.db.conn.execute(f"SELECT DISTINCT gen FROM {JOURNAL} ORDER BY gen")
        return [row[0] for row in rows]

    def _batch(self, gen: int, start: int) -> JournalRequest:
        rows = self.ledger.db.conn.execute(
            f"""SELECT j.seq, j.record, j.signature, p.salt, p.text FROM {JOURNAL} j
                LEFT JOIN {JOURNAL_PRIVATE} p ON p.gen = j.gen AND p.seq = j.seq
                WHERE j.gen = ? AND j.seq >= ? ORDER BY j.seq LIMIT ?""",
            (gen, start, BATCH_RECORDS),
        ).fetchall()
        return JournalRequest(
            gen=gen,
            from_seq=start,
            records=[SignedRecord(record=bytes(row[1]), signature=bytes(row[2])) for row in rows],
            private=[PrivateNote(seq=row[0], salt=bytes(row[3]), text=row[4]) for row in rows if row[4]],
        )

    def _note_acknowledged(self, gen: int, request: JournalRequest, answer: JournalAnswer) -> None:
        row = self.ledger.db.conn.execute(
            f"SELECT hash FROM {JOURNAL} WHERE gen = ? AND seq = ?", (gen, answer.acked_seq)
        ).fetchone()
        known = bytes(row[0]).hex() if row else "0" * 64
        frozen = ""
        if answer.status == "fork" or (answer.acked_seq > 0 and known != answer.head):
            frozen = "journal_fork"
        elif answer.status == "stale_gen" and gen == self.identity.gen:
            frozen = "stale_generation"
        with writing(self.ledger.db, self.ledger.path) as connection:
            if frozen:
                put_meta(connection, frozen=frozen)
            if frozen != "journal_fork":
                connection.execute(
                    f"""INSERT INTO {ACKNOWLEDGED} (gen, acked_seq, durable_seq, head) VALUES (?, ?, ?, ?)
                        ON CONFLICT (gen) DO UPDATE SET acked_seq = excluded.acked_seq,
                            durable_seq = excluded.durable_seq, head = excluded.head""",
                    (gen, answer.acked_seq, answer.durable_seq, answer.head),
                )
        if frozen == "journal_fork":
            raise CentralFault("journal_fork", f"central's head differs in generation {gen}", gen=gen)
        for conflict in answer.conflicts:
            log.warning("conflict %s on %s: %s", conflict.code, conflict.right, ", ".join(conflict.refs))
        if answer.quarantined:
            log.warning("central could not interpret records %s of generation %d", answer.quarantined, gen)

    def _now_iso(self) -> str:
        return self.clock.now().isoformat(timespec="seconds")
