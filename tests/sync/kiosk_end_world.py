"""A kiosk's engine over real files, and a central that is a few Python values behind a scripted client."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kiosk import grant as grants
from kiosk.errors import CentralFault
from kiosk.grant import Grant
from kiosk.journal_format import ZERO_HASH, record_hash
from sync.client import CentralTime
from sync.engine import SyncEngine
from sync.wire import ChangesAnswer, JournalAnswer, JournalRequest, PollAnswer, PollRequest, VoidRequest
from tests.kiosk.counter_world import World
from tests.sync.test_feed_apply import Feed


@dataclass
class FakeCentral:
    """In the place of ``CentralClient``: the simplest central there is, with faults to order."""

    world: World
    feed: Feed = field(default_factory=Feed)
    journals: dict[int, list[bytes]] = field(default_factory=dict)
    """Hashes of the records of each generation."""
    private: dict[tuple[int, int], str] = field(default_factory=dict)
    grants: list[bytes] = field(default_factory=list)
    recalls: list[str] = field(default_factory=list)
    slices: list[bytes] = field(default_factory=list)
    voids: list[VoidRequest] = field(default_factory=list)
    incarnation: int = 1
    status: str = "ok"
    acked_seq: int | None = None
    """What a poll says in the place of the truth."""
    fault: CentralFault | None = None
    """Raised by every call but those in ``spared``."""
    spared: tuple[str, ...] = ()
    calls: list[str] = field(default_factory=list)
    polls: list[PollRequest] = field(default_factory=list)
    before_answer: Callable[[str], None] = lambda call: None
    central_time: CentralTime | None = None
    closed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def _begin(self, call: str) -> None:
        with self.lock:
            self.calls.append(call)
        self.before_answer(call)
        if self.fault is not None and call not in self.spared:
            raise self.fault
        clock = self.world.clock
        self.central_time = CentralTime(int(clock.now().timestamp() * 1000), clock.monotonic_ms())

    def close(self) -> None:
        """Counts."""
        self.closed += 1

    def push(self, request: JournalRequest) -> JournalAnswer:
        """Takes what follows its own head; other bytes at a known place are a fork."""
        self._begin("push")
        known = self.journals.setdefault(request.gen, [])
        if request.from_seq > len(known) + 1:
            return self._journal_answer("gap", known, gap_from=len(known) + 1)
        status = self.status
        for place, one in enumerate(request.records, request.from_seq):
            hashed = record_hash(one.record)
            if place <= len(known) and known[place - 1] != hashed:
                status = "fork"
                known[place - 1] = hashed  # the other side is kept elsewhere
            elif place > len(known):
                known.append(hashed)
        self.private |= {(request.gen, note.seq): note.text for note in request.private}
        upto = known[: request.from_seq + len(request.records) - 1] if status == "fork" else known
        return self._journal_answer(status, upto)

    def _journal_answer(self, status: str, known: list[bytes], **rest: Any) -> JournalAnswer:
        head = (known[-1] if known else ZERO_HASH).hex()
        fields = {"status": status, "acked_seq": len(known), "durable_seq": len(known), "head": head}
        return JournalAnswer.model_validate(fields | rest)

    def poll(self, request: PollRequest) -> PollAnswer:
        """Hands out all grants that the cursor has not seen."""
        self._begin("poll")
        self.polls.append(request)
        fresh = self.grants[request.highest_grant_rev :]
        known = dict(part.split("=") for part in request.cursor.split(",")) if request.cursor else {}
        return PollAnswer(
            changes_waiting=any(int(known.get(name, 0)) < rev for name, rev in self.feed.revs.items()),
            recalls=list(self.recalls),
            slices=list(self.slices),
            voids=list(self.voids),
            grants=fresh,
            grant_rev=len(self.grants),
            time_ms=0,
            incarnation=self.incarnation,
            acked_seq=len(self.journals.get(1, [])) if self.acked_seq is None else self.acked_seq,
        )

    def changes(self, cursor: str) -> ChangesAnswer:
        """A page of the feed."""
        self._begin("changes")
        return self.feed.fetch(cursor)

    def give(self, *made: Grant) -> None:
        """Signs grants that the next poll delivers."""
        self.grants += [grants.make(one, self.world.city.central, b"c-now") for one in made]


def make_engine(world: World, central: FakeCentral) -> SyncEngine:
    """An engine with connections of its own, for the calling thread."""
    home = world.home
    return SyncEngine(
        home.path,
        home.ledger(),
        home.caches(),
        home.identity(),
        central,  # type: ignore[arg-type]
        home.keyset,
        world.clock,
        take_keyset=home.take_keyset,
    )
