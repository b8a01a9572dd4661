"""Fetching rights on a tap: one worker thread beside the screen, with its own connections."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from kiosk.grant import open_grant
from kiosk.journal import Identity
from kiosk.keyset import KeySet
from kiosk.ledger import Ledger
from kiosk.ports import RightWord
from kiosk.rights import take_in
from sync.client import CentralClient
from sync.wire import RightsRequest

DEADLINE_S = 0.8
"""Longest that "Sedang dicek…" may stand on the screen."""


class CentralRights:
    """Asks central for rights and takes the grants into the ledger before it answers."""

    def __init__(
        self,
        open_ledger: Callable[[], Ledger],
        make_client: Callable[[], CentralClient],
        identity: Identity,
        keyset: Callable[[], KeySet],
        wake_sync: Callable[[], None],
    ) -> None:
        self._open_ledger = open_ledger
        self._make_client = make_client
        self._identity = identity
        self._keyset = keyset
        self._wake_sync = wake_sync
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="rights")
        self._ledger: Ledger | None = None
        self._client: CentralClient | None = None

    def acquire(self, rights: list[str]) -> Future[dict[str, RightWord]]:
        """Asks in the background; the future ends with central's words, or with a CentralFault."""
        return self._worker.submit(self._ask, list(rights))

    def wake(self) -> None:
        """Tells the sync process that there is something to send."""
        self._wake_sync()

    def close(self) -> None:
        """Ends the worker once what it does is done, and closes its connections."""
        self._worker.submit(self._close)
        self._worker.shutdown(wait=True)

    def _ask(self, rights: list[str]) -> dict[str, RightWord]:
        if self._ledger is None or self._client is None:
            self._ledger, self._client = self._open_ledger(), self._make_client()
        answer = self._client.ask_rights(RightsRequest(rights=rights), timeout_s=DEADLINE_S)
        granted = [word.grant for word in answer.answers if word.status == "granted" and word.grant]
        if granted:
            keyset = self._keyset()
            opened = [(open_grant(data, keyset), data) for data in granted]
            take_in(self._ledger, opened, kiosk=self._identity.kiosk, gen=self._identity.gen, acquired=True)
        return {
            word.right: RightWord(
                word.right, word.status, word.point or 0, word.kiosk or "", word.at or "", word.ref or ""
            )
            for word in answer.answers
        }

    def _close(self) -> None:
        if self._ledger is not None:
            self._ledger.close()
        if self._client is not None:
            self._client.close()
