"""Several readers, one screen: the first whole credential wins, and one card at two readers is one read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from kiosk.credential import claimed_card_no
from kiosk.values import CardRead, Medium

SAME_CARD_S = 3.0
"""So long the same card at another reader, chip or printed code, is the read that was."""

FIRST_WINS_S = 1.0
"""So long another card at another reader has to wait: two people tapped at once, and the first is served."""


class FirstRead:
    """Which reads go to the screen; of one reader alone, all do. Its calls may come from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._source = ""
        self._read: CardRead | None = None
        self._at_s = 0.0

    def admits(self, source: str, read: CardRead) -> bool:
        """True if this read goes to the screen; ``source`` is the reader it came from."""
        with self._lock:
            now_s = self._clock()
            admitted = self._read is None or source == self._source or self._wins(self._read, read, now_s)
            if admitted:
                self._source, self._read, self._at_s = source, read, now_s
            return admitted

    def refused(self) -> None:
        """The read that was admitted last served nobody: whatever comes next is taken."""
        with self._lock:
            self._read = None

    def _wins(self, first: CardRead, read: CardRead, now_s: float) -> bool:
        age_s = now_s - self._at_s
        if age_s > SAME_CARD_S:
            return True
        if is_same_card(first, read):
            # A chip proves more than the code that was seen before it.
            return first.medium is Medium.QR and read.medium is Medium.NFC
        return age_s > FIRST_WINS_S


def is_same_card(one: CardRead, other: CardRead) -> bool:
    """True if both are of one card: the same bytes, or the same card number claimed by chip and code."""
    if one.payload == other.payload and one.payload:
        return one.uid == other.uid
    card_no = claimed_card_no(one)
    return bool(card_no) and card_no == claimed_card_no(other)
