"""A supervisor confirms the date where the clock is in doubt: forward only, in the journal, for this boot.

What was confirmed goes on by the monotonic clock, and counts only while the machine's own clock is in doubt.
It ends with the boot, and as soon as central's signed time of this boot says otherwise.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from kiosk import sync_state
from kiosk.central_time import HIGHEST_WALL, highest_ms
from kiosk.clock import Clock, from_unix_ms, unix_ms
from kiosk.errors import OfficerFault
from kiosk.journal import Draft, Journal
from kiosk.journal_format import CLOCK_ASSERTION, Record
from kiosk.ledger import Ledger, meta_of, put_meta
from kiosk.sync_state import SyncState

_ASSERTED = "clock_asserted"


@dataclass(frozen=True, slots=True)
class _Asserted:
    boot_id: str
    mono_ms: int
    to_ms: int


class AssertedClock:
    """The machine's clock, or what a supervisor confirmed in this boot while that one is in doubt."""

    def __init__(self, machine: Clock, ledger: Ledger, home: Path) -> None:
        """``ledger`` is read at each look: another process may have recorded the assertion."""
        self.machine = machine
        self._ledger = ledger
        self._home = home

    def now(self) -> datetime:
        """Wall time, aware, in UTC."""
        said = self._asserted()
        machine = self.machine.now()
        if said is None:
            return machine
        state = sync_state.load(self._home)
        highest = highest_ms(self._ledger)
        asserted = from_unix_ms(said.to_ms + self.monotonic_ms() - said.mono_ms)
        trusted = not sync_state.is_doubtful(machine, state, self, highest)
        otherwise = sync_state.is_doubtful(asserted, state, self, highest)
        return machine if trusted or otherwise else asserted

    def monotonic_ms(self) -> int:
        """The machine's."""
        return self.machine.monotonic_ms()

    def boot_id(self) -> str:
        """The machine's."""
        return self.machine.boot_id()

    def _asserted(self) -> _Asserted | None:
        stored = self._ledger.meta(_ASSERTED)
        if not stored:
            return None
        said = _Asserted(*json.loads(stored))
        return said if said.boot_id == self.boot_id() else None


def likely_now(clock: Clock, state: SyncState, highest: int) -> datetime:
    """The best guess at the time where the clock is in doubt; good enough to judge a card by."""
    expected_ms = sync_state.expected_ms(state, clock)
    return from_unix_ms(max(unix_ms(clock.now()), highest) if expected_ms is None else expected_ms)


def assert_date(
    journal: Journal, state: SyncState, day: date, supervisor: str, *, zone: str, last_day: date
) -> Record:
    """Records that a supervisor confirms the local date; the journal's clock follows it from then on.

    The hour is the machine's, or central's where central was heard in this boot. ``last_day`` is the last one
    on which the kiosk still knows its officers. Where central was not heard in this boot it is forward only;
    else the highest time seen gives way to central's, should it be ahead. Raises OfficerFault:
    ``date_backwards`` before the highest time seen, ``date_too_far``, ``date_not_central`` (detail ``date``)
    where central's signed time of this boot names another day.
    """
    clock, tz = journal.clock, ZoneInfo(zone)

    def decide(connection: Any) -> Draft:
        highest = int(meta_of(connection, HIGHEST_WALL) or 0)
        expected_ms = sync_state.expected_ms(state, clock)
        seen = from_unix_ms(highest).astimezone(tz).date()
        if expected_ms is None:
            hour = clock.now().astimezone(tz).timetz().replace(tzinfo=None)
            at_ms = unix_ms(datetime.combine(day, hour, tz).astimezone(UTC))
            to_ms = max(at_ms, highest) if day == seen else at_ms
            if to_ms < highest:
                raise OfficerFault(
                    "date_backwards", f"this kiosk has seen {seen} already", date=seen.isoformat()
                )
        else:
            expected = from_unix_ms(expected_ms).astimezone(tz).date()
            if day != expected:
                raise OfficerFault(
                    "date_not_central", f"central says it is {expected}", date=expected.isoformat()
                )
            to_ms = expected_ms
        if day > last_day:
            raise OfficerFault(
                "date_too_far", f"nothing was synced since long before {day}", date=last_day.isoformat()
            )
        said = [clock.boot_id(), clock.monotonic_ms(), to_ms]
        put_meta(connection, **{_ASSERTED: json.dumps(said), HIGHEST_WALL: str(to_ms)})
        detail = {"from_ms": highest, "to_ms": to_ms, "supervisor": supervisor}
        return Draft(type=CLOCK_ASSERTION, officer=supervisor, detail=detail)

    return journal.append(decide)
