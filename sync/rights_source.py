"""Fetching rights on a tap: one worker thread beside the screen, with its own connections."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from kiosk.asking import note_asked
from kiosk.cache_folder import CacheFolder
from kiosk.clock import Clock, unix_ms
from kiosk.errors import CentralFault
from kiosk.grant import Grant, open_fresh_grant
from kiosk.journal import Identity
from kiosk.keyset import KeySet
from kiosk.ledger import Ledger
from kiosk.ports import LookupWord, RightWord
from kiosk.rights import GrantOutcome, take_in
from kiosk.values import CardRead
from sync.patience import Patience

if TYPE_CHECKING:  # the screen is up before the wire's libraries are loaded
    from sync.client import CentralClient
    from sync.wire import RightAnswer

log = logging.getLogger(__name__)

DEADLINE_S = 0.8
"""Longest that "Sedang dicek…" may stand on the screen."""

LOOKUP_DEADLINE_S = 3.0
"""Longest that a card of another point is looked up before its holder hears that it needs the network."""

Words = Future[dict[str, RightWord]]
T = TypeVar("T")


class CentralRights:
    """Asks central for rights and takes the grants into the ledger before it answers."""

    def __init__(
        self,
        open_ledger: Callable[[], Ledger],
        make_client: Callable[[], CentralClient],
        identity: Identity,
        keyset: Callable[[], KeySet],
        clock: Clock,
        wake_sync: Callable[[], None],
        *,
        open_caches: Callable[[], CacheFolder],
        deadline_s: float = DEADLINE_S,
        lookup_deadline_s: float = LOOKUP_DEADLINE_S,
    ) -> None:
        self._open_ledger = open_ledger
        self._make_client = make_client
        self._identity = identity
        self._keyset = keyset
        self._clock = clock
        self._wake_sync = wake_sync
        self._open_caches = open_caches
        self._deadline_s = deadline_s
        self._lookup_deadline_s = lookup_deadline_s
        self._ending = threading.RLock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="rights")
        self._ledger: Ledger | None = None
        self._client: CentralClient | None = None
        self._caches: CacheFolder | None = None
        self._rights_patience, self._lookup_patience = Patience(clock), Patience(clock)

    def acquire(self, rights: list[str]) -> Words:
        """Asks in the background; the future ends with central's words, or with a CentralFault.

        Within the deadline, whatever the network does. What comes later is in the ledger all the same. Before
        a time that central named it is not asked again: the fault is the one that named it.
        """
        words, alarm = self._future_within(self._deadline_s)
        self._worker.submit(self._answer, list(rights), words, alarm)
        return words

    def look_up(self, read: CardRead, card_no: str) -> Future[LookupWord]:
        """Asks whose card this is; the future ends with central's word, or with a CentralFault.

        Within a deadline of its own; what comes later is in the cache for the next tap. A time that central
        named is kept, as by ``acquire``.
        """
        word: Future[LookupWord]
        word, alarm = self._future_within(self._lookup_deadline_s)
        ask = partial(self._look_up, read, card_no)
        self._worker.submit(self._answer_with, ask, self._lookup_patience, word, alarm)
        return word

    def _future_within(self, deadline_s: float) -> tuple[Future[Any], threading.Timer]:
        future: Future[Any] = Future()
        overdue = CentralFault("central_unreachable", "no answer in time", why="timeout")
        alarm = threading.Timer(deadline_s, self._end, (future, None, overdue))
        alarm.daemon = True
        alarm.start()
        return future, alarm

    def prepare(self) -> None:
        """Loads and opens ahead what the first tap would wait for; returns at once."""
        self._worker.submit(self._open)

    def wake(self) -> None:
        """Tells the sync process that there is something to send."""
        self._wake_sync()

    def close(self) -> None:
        """Ends the worker once what it does is done, and closes its connections."""
        self._worker.submit(self._close)
        self._worker.shutdown(wait=True)

    def _answer(self, rights: list[str], words: Words, alarm: threading.Timer) -> None:
        self._answer_with(partial(self._ask, rights), self._rights_patience, words, alarm)

    def _answer_with(
        self, ask: Callable[[], T], patience: Patience, future: Future[T], alarm: threading.Timer
    ) -> None:
        try:
            if self._begin(future):
                patience.check()
                self._end(future, self._asked(ask, patience), None)
        except Exception as fault:
            self._end(future, None, fault)
        finally:
            alarm.cancel()

    @staticmethod
    def _asked(ask: Callable[[], T], patience: Patience) -> T:
        try:
            return ask()
        except CentralFault as fault:
            patience.note(fault)
            raise

    def _begin(self, future: Future[T]) -> bool:
        """False if the future is overdue or taken back by now: then nobody is asked."""
        with self._ending:
            return not future.done() and future.set_running_or_notify_cancel()

    def _end(self, future: Future[T], result: T | None, fault: Exception | None) -> None:
        """Ends the future unless the deadline was faster."""
        with self._ending:
            if future.done():
                return
            if fault is not None:
                future.set_exception(fault)
            elif result is not None:
                future.set_result(result)

    def _look_up(self, read: CardRead, card_no: str) -> LookupWord:
        from sync.lookup import look_up

        _, client = self._open()
        if self._caches is None:
            self._caches = self._open_caches()
        now_ms = unix_ms(self._clock.now())
        return look_up(client, self._caches, read, card_no, now_ms, self._lookup_deadline_s)

    def _open(self) -> tuple[Ledger, CentralClient]:
        if self._ledger is None:
            self._ledger = self._open_ledger()
        if self._client is None:
            self._client = self._make_client()
        return self._ledger, self._client

    def _ask(self, rights: list[str]) -> dict[str, RightWord]:
        from sync.wire import MAX_RIGHTS, RightsRequest

        ledger, client = self._open()
        request = RightsRequest(rights=rights[:MAX_RIGHTS])
        # If the answer is lost, the grant comes by a poll, and is known as asked for all the same.
        note_asked(ledger, request.rights, unix_ms(self._clock.now()))
        answer = client.ask_rights(request, timeout_s=self._deadline_s)
        self._take_in(ledger, answer.answers, request.rights)
        return {
            word.right: RightWord(
                word.right, word.status, word.point or 0, word.kiosk or "", word.at or "", word.ref or ""
            )
            for word in answer.answers
        }

    def _take_in(self, ledger: Ledger, answers: list[RightAnswer], asked: list[str]) -> None:
        keyset = self._keyset()
        opened: list[tuple[Grant, bytes]] = []
        for word in answers:
            if word.status != "granted" or not word.grant:
                continue
            try:
                grant = open_fresh_grant(word.grant, keyset)
            except CentralFault as fault:
                log.warning("a grant is refused: %s", fault.message)
                continue
            if grant.right == word.right:
                opened.append((grant, word.grant))
            else:
                log.warning("a grant of %s is refused: %s was asked for", grant.right, word.right)
        identity = self._identity
        now_ms = unix_ms(self._clock.now())
        outcomes = take_in(
            ledger, opened, kiosk=identity.kiosk, gen=identity.gen, acquired_ms=now_ms, told=asked
        )
        for (grant, _), outcome in zip(opened, outcomes, strict=True):
            # What is outstanding comes by a poll as well, and central hears of it there.
            if outcome in (GrantOutcome.OTHER_GENERATION, GrantOutcome.ROLLED_BACK):
                log.warning("grant of %s not taken in: %s", grant.right, outcome)

    def _close(self) -> None:
        if self._ledger is not None:
            self._ledger.close()
        if self._caches is not None:
            self._caches.close()
        if self._client is not None:
            self._client.close()
