"""Rights of people whom this kiosk's data does not know: nobody can be shown them, so they go back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kiosk.cache import Cache
from kiosk.journal import Journal
from kiosk.rights import held_subjects, release_unless_just_acquired

MOST_ORPHANS: Final = 500
"""Released in one round; the others in the next."""


class Orphans:
    """Looks only if something has changed since all were found in order; used by one engine."""

    def __init__(self, journal: Journal, acquired_stay_ms: int) -> None:
        """``acquired_stay_ms``: so long one that a tap fetched stays: only that tap may know its holder."""
        self._journal = journal
        self._acquired_stay_ms = acquired_stay_ms
        self._due = True

    def expect(self) -> None:
        """Rights or holders have come or gone."""
        self._due = True

    def release(self, cache: Callable[[], Cache]) -> int:
        """Gives them back; answers how many. To be called when the data is complete."""
        if not self._due:
            return 0
        held = held_subjects(self._journal.ledger, self._journal.identity.gen)
        missing = cache().missing_subjects(held)
        orphans = [right for subject in sorted(missing) for right in held[subject]]
        released = sum(
            release_unless_just_acquired(self._journal, right, self._acquired_stay_ms) is not None
            for right in orphans[:MOST_ORPHANS]
        )
        self._due = len(orphans) > released
        return released
