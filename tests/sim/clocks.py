"""One virtual time for everybody; each machine's clock may stand off from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

WIB = ZoneInfo("Asia/Jakarta")
START = int(datetime(2026, 11, 24, 13, 0, tzinfo=WIB).timestamp())


@dataclass
class VirtualTime:
    """Unix seconds; goes on only when the simulator says so."""

    now: float = START

    def __call__(self) -> float:
        return self.now

    def go_on(self, seconds: float) -> None:
        """Lets time pass."""
        self.now += seconds

    def to_month_start(self, months: int = 1) -> None:
        """Goes on to eight in the morning of the first day, that many months from now."""
        here = datetime.fromtimestamp(self.now, WIB)
        count = here.year * 12 + here.month - 1 + months
        first = datetime(count // 12, count % 12 + 1, 1, 8, 0, tzinfo=WIB)
        self.now = max(self.now, first.timestamp())


@dataclass
class MachineClock:
    """A machine's clock as the product's port wants it."""

    time: VirtualTime
    offset_s: float = 0.0
    """How far the wall clock is ahead."""
    booted: float = START - 5000.0
    boots: int = 1

    def now(self) -> datetime:
        """Wall time in UTC."""
        return datetime.fromtimestamp(self.time.now, UTC) + timedelta(seconds=self.offset_s)

    def monotonic_ms(self) -> int:
        """Milliseconds since the boot."""
        return int((self.time.now - self.booted) * 1000)

    def boot_id(self) -> str:
        """Names the boot."""
        return f"boot-{self.boots}"

    def boot(self) -> None:
        """The machine starts anew."""
        self.boots += 1
        self.booted = self.time.now

    def month(self) -> str:
        """The local month, such as ``2026-11``."""
        return f"{self.now().astimezone(WIB):%Y-%m}"
