"""What the sync process leaves word of: that central answered, when, and what it set aside.

The screen reads the one, central hears the other at the next poll.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kiosk import sync_state
from kiosk.central_time import note_heard
from kiosk.clock import Clock, unix_ms
from kiosk.errors import CentralFault
from kiosk.ledger import Ledger
from kiosk.sync_state import SyncState
from sync.client import CentralTime


class Word:
    """Word for the screen, by one engine."""

    def __init__(
        self, home: Path, ledger: Ledger, clock: Clock, central_time: Callable[[], CentralTime | None]
    ) -> None:
        self._home = home
        self._ledger = ledger
        self._clock = clock
        self._central_time = central_time

    def success(self, *, current: bool = False) -> None:
        """Central answered, with its signed time; ``current``: nothing is waiting there."""
        time, before = self._central_time(), sync_state.load(self._home)
        mono_ms, now_ms = self._clock.monotonic_ms(), unix_ms(self._clock.now())
        state = SyncState(
            online=True,
            recent=sync_state.with_result(before.recent, sync_state.GOOD),
            last_success_ms=now_ms,
            current_ms=now_ms if current else before.current_ms,
            checked_mono_ms=mono_ms,
            central_ms=time.time_ms if time else 0,
            central_mono_ms=time.mono_ms if time else 0,
            boot_id=self._clock.boot_id(),
        )
        sync_state.save(self._home, state)
        heard_ms = sync_state.expected_ms(state, self._clock)
        if heard_ms is not None:
            note_heard(self._ledger, heard_ms)

    def failure(self, fault: CentralFault) -> None:
        """Central did not answer, or not well; its time stays known, and online is what most results say."""
        before = sync_state.load(self._home)
        recent = sync_state.with_result(before.recent, sync_state.FAILED)
        state = replace(
            before,
            online=sync_state.is_reached(recent),
            recent=recent,
            checked_mono_ms=self._clock.monotonic_ms(),
            fault=fault.code,
        )
        sync_state.save(self._home, state)


class SetAside:
    """Codes of what central sent and this kiosk set aside, to be told at the next poll."""

    def __init__(self) -> None:
        self._codes: list[str] = []
        self._told: set[bytes] = set()
        """Digests of what was refused and told: central sends some of it again."""

    def note(self, code: str) -> None:
        """Something was set aside."""
        self._codes.append(code)

    def note_once(self, code: str, data: bytes) -> None:
        """The same, unless it was told of these bytes already."""
        known = hashlib.sha256(data).digest()
        if known not in self._told:
            self._told.add(known)
            self._codes.append(code)

    def health(self) -> dict[str, object]:
        """As it goes into a poll."""
        return {"refused": sorted(set(self._codes))} if self._codes else {}

    def told(self) -> None:
        """Central has heard it."""
        self._codes.clear()
