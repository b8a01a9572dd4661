"""Turns at something that only one thread may use, in the order in which they came.

SQLite has one writer at a time, and those who wait by asking again and again may wait for ever.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class NoTurn(Exception):
    """It took too long."""


class Turns:
    """A lock that is handed on in the order of asking."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Event] = deque()

    @contextmanager
    def turn(self, timeout_s: float) -> Iterator[None]:
        """Waits for this thread's turn and holds it until the end of the block. Raises NoTurn."""
        with self._guard:
            mine = None
            if self._taken:
                mine = threading.Event()
                self._waiting.append(mine)
            self._taken = True
        if mine is not None and not mine.wait(max(0.0, timeout_s)):
            with self._guard:
                if mine in self._waiting:
                    self._waiting.remove(mine)
                    raise NoTurn
            # It was handed over in the very moment of giving up.
        try:
            yield
        finally:
            self._hand_on()

    def _hand_on(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False
