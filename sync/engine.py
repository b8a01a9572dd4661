"""What a kiosk does with central: push the journal, take in grants, bring the cache up to date.

Central's refusals count only where central signed them: a revoked kiosk stops, sends what it has and wipes
its cache; one that was enrolled again elsewhere, or is frozen, stops; all of them go on pushing.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kiosk import freezing, key_roll
from kiosk.acknowledgement import forget_acknowledged
from kiosk.asking import forget_asked
from kiosk.cache_folder import DAMAGE_CODES, CacheFolder
from kiosk.clock import Clock, unix_ms
from kiosk.errors import CentralFault, EnvironmentFault
from kiosk.freezing import freeze_ledger
from kiosk.generations import salvaged_upto
from kiosk.grant import Grant, digest_of, open_fresh_grant
from kiosk.journal import Identity, Journal
from kiosk.keyset import MAX_UNIX, KeySet
from kiosk.ledger import Ledger
from kiosk.release import installed_release
from kiosk.rights import (
    GrantOutcome,
    held_epochs,
    release,
    release_forgotten,
    release_seq,
    take_in,
)
from kiosk.stock_records import receive
from kiosk.unheld import note_covers
from kiosk.upkeep import Upkeep
from kiosk.voiding import void_requested
from sync import orders
from sync.client import CentralClient
from sync.feed import load_changes
from sync.orphans import Orphans
from sync.pushing import Pusher
from sync.reporting import report_holdings
from sync.snapshots import SnapshotLoader
from sync.wire import PollAnswer, PollRequest
from sync.word import SetAside, Word

log = logging.getLogger(__name__)

STOPS = {
    "kiosk_revoked": freezing.REVOKED,
    "stale_gen": freezing.STALE_GENERATION,
    "kiosk_frozen": freezing.FROZEN_BY_CENTRAL,
    "kiosk_stopped": freezing.STOPPED,
    "key_rolled": freezing.KEY_ROLLED,
}
"""Central's signed refusals that end dispensing, and what the ledger keeps of each."""
FORGOTTEN_MS = 10 * 60 * 1000
"""A right that a tap brought here so long ago, and that nobody used, belongs to no visit any more."""
MOST_AHEAD_S = 24 * 3600
"""A keyset that says it was issued so long after central's signed time is none to go by."""
MOST_POLLS = 200
"""In one round: 100,000 grants."""


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
        take_keyset: Callable[[bytes, int], object],
        upkeep: Upkeep | None = None,
    ) -> None:
        self.home = home
        self.ledger = ledger
        self.caches = caches
        self.identity = identity
        self.client = client
        self.clock = clock
        self._journal = Journal(ledger, identity, clock)
        self._pusher = Pusher(home, ledger, identity.gen, client.push)
        self._keyset = keyset
        self._take_keyset = take_keyset
        self.word = Word(home, ledger, clock, lambda: client.central_time)
        self._set_aside = SetAside()
        self._refused_keyset = ""
        self._upkeep = upkeep
        self._orphans = Orphans(self._journal, FORGOTTEN_MS)

    def close(self) -> None:
        """Closes the connections."""
        self.client.close()
        self.caches.close()
        self.ledger.close()

    def sync_now(self) -> SyncReport:
        """One round, leaving word for the screen whether central answered.

        Raises CentralFault, after doing what a signed refusal asks for; EnvironmentFault.
        """
        try:
            return self.run_once()
        except CentralFault as fault:
            self.heed(fault)
            raise

    def run_once(self) -> SyncReport:
        """Journal out, grants and changes in, one after the other. Raises CentralFault, EnvironmentFault."""
        pushed = self.push_all()
        try:
            return self._go_on(pushed)
        except CentralFault as fault:
            if not self._is_retired(fault):
                raise
            # It is told that it may not hand out, which is its own word; what it had to send is sent.
            self.word.success()
            return SyncReport(pushed, self.ledger.waiting(), 0, 0, 0)

    def _is_retired(self, fault: CentralFault) -> bool:
        signed = fault.code == "kiosk_frozen" and fault.detail.get("signed") is True
        return signed and self.ledger.meta("frozen") == freezing.RETIRED

    def _go_on(self, pushed: int) -> SyncReport:
        """What comes in, when ``pushed`` records went out."""
        grants, released = 0, 0
        more, polls, waiting = True, 0, False
        while more and polls < MOST_POLLS:
            answer = self.poll(wait_s=0.0)
            grants += len(answer.grants)
            released += self.carry_out(answer)
            more, polls, waiting = answer.grants_more, polls + 1, answer.changes_waiting
        rows = self.fetch_changes() if waiting or not self.caches.is_sound() else 0
        released += self.release_unused() + self.release_orphans()
        if released:
            pushed += self.push_all()
        self.word.success(current=True)
        self.caches.current().set_meta(synced_at=self._now_iso())
        self.tidy()
        return SyncReport(pushed, self.ledger.waiting(), grants, rows, released)

    def push_all(self, on_batch: Callable[[], None] = lambda: None) -> int:
        """Sends every record that central has not acknowledged; answers how many it took.

        Raises CentralFault as ``Pusher.push_all`` does.
        """
        pushed = self._pusher.push_all(on_batch)
        self._change_keys()
        if pushed and self._upkeep is not None:
            self._upkeep.synced()
        return pushed

    def _change_keys(self) -> None:
        """Signs requests by the newest key from the moment on that central has the record of it."""
        gen = self.identity.gen
        if key_roll.is_acknowledged(self.ledger, gen):
            self.client.use_key(self.identity.signer(key_roll.key_in_force(self.ledger, gen)))

    def started(self) -> None:
        """To be called once by a process that stays: raises the rollback counter."""
        if self._upkeep is not None:
            self._upkeep.started()

    def tidy(self) -> None:
        """One short round of what keeps the ledger small; for when nothing else is to be done."""
        if self._upkeep is not None:
            self._upkeep.run()

    def poll(self, wait_s: float) -> PollAnswer:
        """One heartbeat; grants in the answer are in the ledger when this returns.

        Raises CentralFault; ``ledger_rolled_back`` when central has more of the journal than there is here.
        """
        gen = self.identity.gen
        acked_before = self.ledger.acked(gen)
        cursor = self._cursor()
        begun_ms = unix_ms(self.clock.now())
        answer = self.client.poll(
            PollRequest(
                gen=gen,
                versions={"kmc": installed_release()},
                queue=self.ledger.waiting(),
                highest_grant_rev=int(self.ledger.meta("grant_rev", "0")),
                grants_digest=digest_of(held_epochs(self.ledger, gen)),
                cursor=cursor,
                wait_s=wait_s,
                health=orders.health_of(self.ledger) | self._set_aside.health(),
            )
        )
        self._set_aside.told()
        self._compare_journals(answer, acked_before)
        self.word.success(current=bool(cursor) and not answer.changes_waiting)
        self._take(answer, acked_before)
        if not answer.grants_more:
            forget_asked(self.ledger, begun_ms)
        if answer.report_wanted:
            report_holdings(self.ledger, gen, self.push_all, self.client.report)
        return answer

    def take_answer(self, answer: PollAnswer) -> None:
        """Takes in what an answer brings that came by file: as of a poll asked after the journal was sent.

        Raises CentralFault as ``poll`` does.
        """
        acked = self.ledger.acked(self.identity.gen)
        self._compare_journals(answer, acked)
        self._take(answer, acked)

    def _take(self, answer: PollAnswer, acked_before: int) -> None:
        freezing.thaw(self.ledger)
        orders.obey(self, answer.order)
        if self._is_salvaged():
            # What is granted to this generation goes in doubt with the next enrolment; it is not asked again.
            self.ledger.set_meta(grant_rev=str(answer.grant_rev))
        elif answer.grants or answer.grants_reset:
            self._take_grants(answer, acked_before)

    def _cursor(self) -> str:
        """Where this kiosk's data ends; empty without a cache, or with a damaged one."""
        try:
            return self.caches.current().meta("cursor") if self.caches.is_sound() else ""
        except EnvironmentFault as fault:
            if fault.code not in DAMAGE_CODES:
                raise
            return ""

    def _compare_journals(self, answer: PollAnswer, acked_before: int) -> None:
        gen = self.identity.gen
        if self._is_salvaged():
            return  # central may have what was cut off; nothing is recorded here that could fork it
        if answer.acked_seq > self.ledger.head_seq(gen):
            freeze_ledger(self.ledger, freezing.ROLLED_BACK)
            raise CentralFault(
                "ledger_rolled_back", "central has more of this kiosk's journal than it has", gen=gen
            )
        # Acknowledged before this poll was asked, and not there now: central was restored from a backup.
        if answer.acked_seq < acked_before:
            log.warning("central has lost records of generation %d after %d", gen, answer.acked_seq)
            forget_acknowledged(self.ledger, gen, answer.acked_seq)
        known = self.ledger.meta("incarnation")
        if known != str(answer.incarnation):
            for older in self.ledger.generations() if known else ():
                if older != gen:
                    forget_acknowledged(self.ledger, older, 0)
            self.ledger.set_meta(incarnation=str(answer.incarnation))

    def _take_grants(self, answer: PollAnswer, acked_before: int) -> None:
        keyset = self._keyset()
        opened: list[tuple[Grant, bytes]] = []
        for data in answer.grants:
            try:
                opened.append((open_fresh_grant(data, keyset), data))
            except CentralFault as fault:
                # One that cannot be believed holds up no other; the digest will bring it again.
                log.warning("a grant is refused: %s", fault.message)
                self._set_aside.note_once(fault.code, data)
        identity = self.identity
        outcomes = take_in(
            self.ledger, opened, kiosk=identity.kiosk, gen=identity.gen, grant_rev=answer.grant_rev
        )
        for (grant, data), outcome in zip(opened, outcomes, strict=True):
            if outcome is GrantOutcome.TAKEN_IN:
                self._orphans.expect()
            elif (
                outcome is GrantOutcome.RELEASED
                and release_seq(self.ledger, grant.right, identity.gen) > acked_before
            ):
                # Central answered before it had the release: they crossed on their way.
                log.info("grant of %s was given back already", grant.right)
            elif outcome is not GrantOutcome.SAME:
                log.warning("grant of %s not taken in: %s", grant.right, outcome)
                self._set_aside.note_once(f"grant_{outcome}", data)

    def carry_out(self, answer: PollAnswer) -> int:
        """Does what a poll's answer asks for: recalls, stock slices, voids; answers how many records."""
        if self._is_salvaged():
            return 0
        made = self.answer_recalls(answer)
        if answer.slices:
            made += receive(self._journal, answer.slices, self._keyset())
        asked = [void_requested(self._journal, one.ref, one.reason, one.by) for one in answer.voids]
        return made + sum(record is not None for record in asked)

    def _is_salvaged(self) -> bool:
        return salvaged_upto(self.ledger.db.conn, self.identity.gen) is not None

    def answer_recalls(self, answer: PollAnswer) -> int:
        """Releases rights that central asks back; answers how many."""
        return sum(release(self._journal, right) is not None for right in answer.recalls)

    def release_unused(self) -> int:
        """Gives back rights that a tap brought here and that no visit uses any more; answers how many."""
        return release_forgotten(self._journal, FORGOTTEN_MS)

    def release_orphans(self) -> int:
        """Gives back rights of people whom this kiosk's data does not know; answers how many."""
        return self._orphans.release(self.caches.current)

    def fetch_changes(self, on_page: Callable[[int], None] = lambda rows: None) -> int:
        """Brings the cache up to date; answers how many rows changed. Raises CentralFault."""
        acked = {gen: self.ledger.acked(gen) for gen in self.ledger.generations()}
        loader = SnapshotLoader(self.client, lambda kid: self._keyset().central_key(kid), self.clock)
        rows = load_changes(
            self.caches,
            self.client.changes,
            self._now_iso,
            on_page,
            snapshots=loader,
            report=lambda fault: self._set_aside.note(fault.code),
        )
        if rows:
            self._orphans.expect()
        note_covers(self.caches.current(), acked)
        self._take_keyset_in(self.caches.current().keyset_doc())
        return rows

    def _take_keyset_in(self, doc: str) -> None:
        """Takes the feed's keyset. One that is refused is told once, and holds up nothing."""
        if not doc or doc == self._refused_keyset:
            return
        time = self.client.central_time
        latest = time.time_ms // 1000 + MOST_AHEAD_S if time else MAX_UNIX
        try:
            self._take_keyset(base64.b64decode(doc, validate=True), latest)
        except (binascii.Error, ValueError):
            log.warning("the feed's keyset is not Base64")
        except CentralFault as fault:
            log.warning("the feed's keyset is refused: %s", fault.message)
        else:
            return
        self._refused_keyset = doc
        self._set_aside.note("keyset_refused")

    def heed(self, fault: CentralFault) -> None:
        """Leaves word that central failed, and does what a signed refusal asks for."""
        self.word.failure(fault)
        why = STOPS.get(fault.code) if fault.detail.get("signed") is True else None
        if why is None:
            return
        freeze_ledger(self.ledger, why)
        if why == freezing.REVOKED:
            orders.carry_out_revocation(self)

    def _now_iso(self) -> str:
        return self.clock.now().isoformat(timespec="seconds")
