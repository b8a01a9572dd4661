"""A contactless front end that lets one tap take no longer than its budget, whatever the card answers."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import nfc.clf

from drivers import nfc_pn53x

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
        self._lean = nfc_pn53x.LeanExchange()

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
        timeout = min(max(timeout, self.least_answer_s), self._left())
        if self.target is None or not nfc_pn53x.is_pn53x(self.device):
            return super().exchange(send_data, timeout)
        with self.lock:
            return self._lean(self.device, self.target, send_data, timeout)

    def tell(self, frame: bytes, timeout_s: float) -> None:
        """Send a frame that asks for no answer; whatever is heard within ``timeout_s`` is dropped."""
        usual, self.least_answer_s = self.least_answer_s, 0.0
        try:
            self.exchange(frame, timeout_s)
        except nfc.clf.CommunicationError:
            pass  # silence is what was asked for
        finally:
            self.least_answer_s = usual

    def check(self) -> None:
        """Raise BudgetSpent within a spent budget; the transport asks before each host command."""
        self._left()

    def sense(self, *targets: Any, **options: Any) -> Any:
        """As nfcpy's ``sense``; raises BudgetSpent within a spent budget."""
        self._left()
        return super().sense(*targets, **options)

    def sense_on(self, target: Any) -> Any:
        """Look for one technology without switching the field off first, so that halted cards keep silent.

        Raises as ``sense``, and nfc.clf.CommunicationError.
        """
        self._left()
        with self.lock:
            if self.device is None:
                raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
            look = {"A": self.device.sense_tta, "B": self.device.sense_ttb, "F": self.device.sense_ttf}
            self.target = look[target.brty[-1]](target)
            return self.target

    def _left(self) -> float:
        if self._deadline is None:
            return 60.0
        left = self._deadline - self._clock()
        if left <= 0:
            raise BudgetSpent("the tap took its whole budget")
        return left
