"""Rights asked for on a tap: which visit asked for which, what central said, and what goes back unused."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from kiosk.eligibility import Asked
from kiosk.errors import CentralFault
from kiosk.journal import Journal
from kiosk.ports import RightsSource, RightWord
from kiosk.rights import release

Words = Future[dict[str, RightWord]]

ASK_AGAIN = ("failed", "recalled", "later")
"""Words after which the same visit may ask once more."""


class Acquiring:
    """Asks through a RightsSource; used by the thread that owns the journal's connection."""

    def __init__(self, journal: Journal, source: RightsSource | None) -> None:
        self._journal = journal
        self._source = source
        self._asked: dict[str, dict[str, Words]] = {}
        self._left: dict[str, Words] = {}

    def ask(self, visit_id: str, wanted: Sequence[str]) -> list[Words]:
        """Asks for the rights that this visit does not wait for already; answers the futures to wait for."""
        if self._source is None:
            return []
        asked = self._asked.setdefault(visit_id, {})
        lacking = [
            right for right in wanted if right not in asked or _word(asked[right], right).status in ASK_AGAIN
        ]
        # The visit before asked for the same and left before the answer came.
        adopted = {right: self._left.pop(right) for right in lacking if right in self._left}
        asked.update(adopted)
        fresh = [right for right in lacking if right not in adopted]
        if fresh:
            asked.update(dict.fromkeys(fresh, self._source.acquire(fresh)))
        return list(dict.fromkeys(asked[right] for right in lacking))

    def words(self, visit_id: str) -> dict[str, Asked]:
        """What became of each right this visit asked for."""
        return {right: _word(future, right) for right, future in self._asked.get(visit_id, {}).items()}

    def leave(self, visit_id: str) -> None:
        """Ends a visit: what came for it and was not used goes back, now or when it comes."""
        for right, future in self._asked.pop(visit_id, {}).items():
            if not future.cancel():
                self._left[right] = future
        self.settle()

    def settle(self) -> None:
        """Gives back what came for visits that have ended."""
        waited_for = {right for asked in self._asked.values() for right in asked}
        done = [right for right, future in self._left.items() if future.done()]
        released = []
        for right in done:
            del self._left[right]
            if right not in waited_for:
                released.append(release(self._journal, right, only_acquired=True))
        if any(released):
            self.wake()

    def wake(self) -> None:
        """Says that there is something to send."""
        if self._source is not None:
            self._source.wake()


def _word(future: Words, right: str) -> Asked:
    if not future.done():
        return Asked(under_way=True)
    fault = None if future.cancelled() else future.exception()
    if future.cancelled() or fault is not None:
        refused = isinstance(fault, CentralFault) and fault.detail.get("signed") is True
        network = isinstance(fault, CentralFault | TimeoutError) and not refused
        return Asked(under_way=False, status="failed", offline=network)
    word = future.result().get(right)
    if word is None:
        return Asked(under_way=False, status="unknown")
    return Asked(False, word.status, word.point_id, word.at, word.ref)
