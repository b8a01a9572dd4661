"""A time that central named (``Retry-After``) is kept by those who ask for people standing there, too."""

from __future__ import annotations

from kiosk.clock import Clock
from kiosk.errors import CentralFault


class Patience:
    """Of one kind of question; used by one thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._fault: CentralFault | None = None
        self._until_ms = 0

    def note(self, fault: CentralFault) -> None:
        """Central did not answer as hoped; if it named a time, nothing is asked before it."""
        wait_s = float(fault.detail.get("retry_after_s", 0))
        self._fault = fault if wait_s > 0 else None
        self._until_ms = self._clock.monotonic_ms() + int(wait_s * 1000)

    def check(self) -> None:
        """Raises the CentralFault of before while its time lasts; its ``retry_after_s`` is what is left."""
        left_ms = self._until_ms - self._clock.monotonic_ms()
        if self._fault is None or left_ms <= 0:
            return
        detail = self._fault.detail | {"retry_after_s": -(-left_ms // 1000)}
        raise CentralFault(self._fault.code, self._fault.message, **detail)
