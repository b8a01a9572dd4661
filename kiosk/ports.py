"""What the domain asks of the outside; the composition roots fill these."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RightWord:
    """Central's word on one right that was asked for; a grant has been taken into the ledger by then."""

    right: str
    status: str
    """``granted``, ``held``, ``taken``, ``recalled``, ``unknown``, ``closed`` or ``later``."""
    point_id: int = 0
    kiosk: str = ""
    at: str = ""
    ref: str = ""


class RightsSource(Protocol):
    """Fetches rights from central in the background."""

    def acquire(self, rights: list[str]) -> Future[dict[str, RightWord]]:
        """Asks for rights; the future ends with central's words or a CentralFault, within a second."""
        ...

    def wake(self) -> None:
        """Says that there is something to send; never waits."""
        ...


class RollbackCounter(Protocol):
    """Counts up and never down, outside the disk: what an old image of the disk cannot take back."""

    def value(self) -> int:
        """Its value; 0 if it was never raised. Raises EnvironmentFault ``rollback_counter_failed``."""
        ...

    def advance(self, to: int) -> None:
        """Raises it to ``to`` at least. Raises EnvironmentFault ``rollback_counter_failed``."""
        ...
