"""What the domain asks of the outside; the composition roots fill these."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from kiosk.values import CardRead


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


@dataclass(frozen=True, slots=True)
class LookupWord:
    """Central's word on a card of another point; its holder has been put into the cache by then."""

    status: str
    """``found``, ``unknown`` or ``refused``."""
    code: str = ""
    """Refused: the code of the card's fault."""


class RightsSource(Protocol):
    """Fetches rights, and holders of other points, from central in the background."""

    def acquire(self, rights: list[str]) -> Future[dict[str, RightWord]]:
        """Asks for rights; the future ends with central's words or a CentralFault, within a second."""
        ...

    def look_up(self, read: CardRead, card_no: str) -> Future[LookupWord]:
        """Asks whose card this is; the future ends with central's word or a CentralFault, within seconds."""
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
