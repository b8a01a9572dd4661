"""Fetching rights on a tap: one worker thread beside the screen, with its own connections."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from kiosk.asking import note_asked
from kiosk.clock import Clock, unix_ms
from kiosk.errors import CentralFault
from kiosk.grant import Grant, open_grant
from kiosk.journal import Identity
from kiosk.keyset import KeySet
from kiosk.ledger import Ledger
from kiosk.ports import RightWord
from kiosk.rights import take_in

if TYPE_CHECKING:  # the screen is up before the wire's libraries are loaded
    from sync.client import CentralClient
    from sync.wire import RightAnswer

log = logging.getLogger(__name__)

DEADLINE_S = 0.8
"""Longest that "Sedang dicek…" may stand on the screen."""

Words = Future[dict[str, RightWord]]


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
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._open_ledger = open_ledger
        self._make_client = make_client
        self._identity = identity
        self._keyset = keyset
        self._clock = clock
        self._wake_sync = wake_sync
        self._deadline_s = deadline_s
        self._ending = threading.RLock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="rights")
        self._ledger: Ledger | None = None
        self._client: CentralClient | None = None

    def acquire(self, rights: list[str]) -> Words:
        """Asks in the background; the future ends with central's words, or with a CentralFault.

        Within the deadline, whatever the network does. What comes later is in the ledger all the same.
        """
        words: Words = Future()
        overdue = CentralFault("central_unreachable", "no answer in time", why="timeout")
        alarm = threading.Timer(self._deadline_s, self._end, (words, None, overdue))
        alarm.daemon = True
        alarm.start()
        self._worker.submit(self._answer, list(rights), words, alarm)
        return words

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
        try:
            if self._begin(words):
                self._end(words, self._ask(rights), None)
        except Exception as fault:
            self._end(words, None, fault)
        finally:
            alarm.cancel()

    def _begin(self, words: Words) -> bool:
        """False if the future is overdue or taken back by now: then nobody is asked."""
        with self._ending:
            return not words.done() and words.set_running_or_notify_cancel()

    def _end(self, words: Words, result: dict[str, RightWord] | None, fault: Exception | None) -> None:
        """Ends the future unless the deadline was faster."""
        with self._ending:
            if words.done():
                return
            if fault is not None:
                words.set_exception(fault)
            else:
                words.set_result(result or {})

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
                grant = open_grant(word.grant, keyset)
            except CentralFault as fault:
                log.warning("a grant is refused: %s", fault.message)
                continue
            if grant.right == word.right:
                opened.append((grant, word.grant))
        identity = self._identity
        now_ms = unix_ms(self._clock.now())
        take_in(
            ledger, opened, kiosk=identity.kiosk, gen=identity.gen, acquired_ms=now_ms, told=asked
        )

    def _close(self) -> None:
        if self._ledger is not None:
            self._ledger.close()
        if self._client is not None:
            self._client.close()
