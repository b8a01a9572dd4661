"""What the sync process does for the ledger while it is idle: rollback counter, private text, pruning."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from kiosk import central_time, private_text, pruning, rollback
from kiosk.clock import Clock, unix_ms
from kiosk.errors import EnvironmentFault
from kiosk.journal import Identity
from kiosk.ledger import Ledger
from kiosk.ports import RollbackCounter
from kiosk.sync_state import date_in_doubt, load

log = logging.getLogger(__name__)

REST_MS: Final = 10 * 60 * 1000
"""After a round that found nothing to do."""


@dataclass(frozen=True, slots=True)
class UpkeepLimits:
    """How long things stay at the kiosk, in days."""

    backup_horizon_days: int = 90
    """How far back central may be restored to: younger records stay here."""
    private_text_days: int = 30


@dataclass(frozen=True, slots=True)
class UpkeepReport:
    """What one round did."""

    erased: int = 0
    pruned: int = 0
    rights: int = 0

    @property
    def nothing(self) -> bool:
        """True if there was nothing to do."""
        return not (self.erased or self.pruned or self.rights)


class Upkeep:
    """Keeps one ledger small; used by the thread that owns its connection."""

    def __init__(
        self,
        ledger: Ledger,
        identity: Identity,
        clock: Clock,
        limits: UpkeepLimits,
        counter: RollbackCounter | None = None,
    ) -> None:
        self._ledger = ledger
        self._identity = identity
        self._clock = clock
        self._limits = limits
        self._counter = counter
        self._rest_until_ms = 0

    def started(self) -> None:
        """Raises the rollback counter once for this start of the sync process."""
        rollback.advance(self._ledger, self._counter, self._clock, at_start=True)

    def synced(self) -> None:
        """Raises the rollback counter after central has got new records, now and then."""
        rollback.advance(self._ledger, self._counter, self._clock)

    def run(self) -> UpkeepReport:
        """One short round; does nothing while the last one found nothing, or while the date is in doubt.

        A record that does not hold stops pruning and is logged; nothing is removed then.
        """
        mono_ms = self._clock.monotonic_ms()
        if mono_ms < self._rest_until_ms or self._date_in_doubt():
            return UpkeepReport()
        report = self._round()
        self._rest_until_ms = mono_ms + REST_MS if report.nothing else 0
        return report

    def _round(self) -> UpkeepReport:
        limits = self._limits
        erased = private_text.erase_old(self._ledger, self._clock, limits.private_text_days)
        try:
            pruned = pruning.prune(self._ledger, self._identity, self._clock, limits.backup_horizon_days)
        except EnvironmentFault as fault:
            if fault.code != "journal_damaged":
                raise
            log.warning("nothing is pruned: %s", fault.message)
            pruned = 0
        rights = pruning.forget_ended_rights(self._ledger, self._clock, limits.backup_horizon_days)
        return UpkeepReport(erased, pruned, rights)

    def _date_in_doubt(self) -> bool:
        """A clock that is ahead would take for old what is not."""
        highest = central_time.highest_ms(self._ledger)
        return unix_ms(self._clock.now()) <= 0 or date_in_doubt(
            load(self._ledger.path.parent), self._clock, highest
        )
