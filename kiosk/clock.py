"""Time as a port: wall time for people, monotonic time for intervals, the boot they belong to."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Protocol

BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """What the domain asks of time."""

    def now(self) -> datetime:
        """Wall time, aware, in UTC."""
        ...

    def monotonic_ms(self) -> int:
        """Milliseconds since an arbitrary point of this boot; never goes back."""
        ...

    def boot_id(self) -> str:
        """Names the boot that ``monotonic_ms`` belongs to."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """Wall time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic_ms(self) -> int:
        """CLOCK_BOOTTIME in milliseconds: it goes on while the machine sleeps."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000

    def boot_id(self) -> str:
        """The kernel's boot id, or one of this process where the kernel gives none."""
        return _boot_id()


@cache
def _boot_id() -> str:
    try:
        return BOOT_ID_FILE.read_text(encoding="ascii").strip()
    except OSError:
        return str(uuid.uuid4())


def unix_ms(at: datetime) -> int:
    """Milliseconds since 1970-01-01 UTC of an aware datetime."""
    return int(at.timestamp() * 1000)


def from_unix_ms(value: int) -> datetime:
    """The aware UTC datetime of milliseconds since 1970-01-01."""
    return datetime.fromtimestamp(value / 1000, UTC)
