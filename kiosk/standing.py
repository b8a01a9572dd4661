"""How the kiosk stands: with central, and with the time. Looked at anew at each tap."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from kiosk import sync_state
from kiosk.cache import Cache
from kiosk.central_time import highest_ms
from kiosk.clock import Clock, from_unix_ms, unix_ms
from kiosk.clock_assertion import likely_now
from kiosk.ledger import Ledger
from kiosk.sync_state import SyncState


class Standing:
    """What the sync process has left word of, and what follows from it; used by the counter's thread."""

    def __init__(self, home: Path, ledger: Ledger, clock: Clock, zone: str) -> None:
        self._home = home
        self._ledger = ledger
        self._clock = clock
        self.zone = ZoneInfo(zone)

    def sync(self) -> SyncState:
        """What the sync process last found out."""
        return sync_state.load(self._home)

    def online(self) -> bool:
        """True if central answered lately."""
        return sync_state.is_online(self.sync(), self._clock)

    def date_in_doubt(self) -> bool:
        """True if the clock cannot be right."""
        return sync_state.date_in_doubt(self.sync(), self._clock, highest_ms(self._ledger))

    def card_time(self) -> datetime:
        """When a card is read: a clock in doubt does not make it expired or not yet valid."""
        if not self.date_in_doubt():
            return self._clock.now()
        return likely_now(self._clock, self.sync(), highest_ms(self._ledger))

    def local_now(self) -> datetime:
        """The time at this point."""
        return self._clock.now().astimezone(self.zone)

    def now_ms(self) -> int:
        """The time in Unix milliseconds."""
        return unix_ms(self._clock.now())

    def synced_at(self, cache: Cache | None) -> datetime:
        """When central last said that the data is complete; 1970 for never."""
        stored = cache.meta("synced_at") if cache else ""
        known = datetime.fromisoformat(stored) if stored else datetime.fromtimestamp(0, UTC)
        return max(known, from_unix_ms(self.sync().current_ms))

    def data_as_of(self, cache: Cache | None, holder_id: int = 0) -> str:
        """The same for a holder's data, who may have been looked up; ISO local time, empty for never."""
        synced = self.synced_at(cache)
        gaps = cache.gaps(holder_id) if cache and holder_id else None
        if gaps is not None and gaps.from_elsewhere and gaps.looked_up_ms is not None:
            synced = from_unix_ms(gaps.looked_up_ms)
        if synced.year <= 1970:
            return ""
        return synced.astimezone(self.zone).isoformat(timespec="seconds")
