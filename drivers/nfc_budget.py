"""A contactless front end that lets one tap take no longer than its budget, whatever the card answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import nfc.clf

TAP_BUDGET_S = 1.5
"""From card found to payload complete; transit cards are read in 0.2 to 0.5 s."""

LEAST_ANSWER_S = 0.0
"""Radio needs no more time than the chip protocol asks for."""


class BudgetSpent(Exception):
    """The tap took its whole budget. No nfc.clf error, so that no retry in the tag layer swallows it."""


class BudgetedFrontend(nfc.clf.ContactlessFrontend):  # type: ignore[misc]
    """nfcpy's front end with a deadline and a count of exchanges per tap.

    ``least_answer_s`` raises time-outs that are too short for a device that is not radio.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._deadline: float | None = None
        self.least_answer_s = LEAST_ANSWER_S
        self.exchanges = 0

    @contextmanager
    def budget(self, seconds: float) -> Iterator[None]:
        """Within this block ``exchange`` and ``sense`` raise BudgetSpent once ``seconds`` have passed."""
        self._deadline = self._clock() + seconds
        self.exchanges = 0
        try:
            yield
        finally:
            self._deadline = None

    def exchange(self, send_data: Any, timeout: float) -> Any:
        """Send a frame, return the answer; the time-out never reaches past the budget."""
        self.exchanges += 1
        timeout = max(timeout, self.least_answer_s)
        return super().exchange(send_data, min(timeout, self._left()))

    def sense(self, *targets: Any, **options: Any) -> Any:
        """As nfcpy's ``sense``; raises BudgetSpent within a spent budget."""
        self._left()
        return super().sense(*targets, **options)

    def _left(self) -> float:
        if self._deadline is None:
            return 60.0
        left = self._deadline - self._clock()
        if left <= 0:
            raise BudgetSpent("the tap took its whole budget")
        return left
