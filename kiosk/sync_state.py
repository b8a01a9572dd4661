"""What the sync process last found out about central, left where the screen and the commands read it.

Written whole and swapped in by the sync process, read at each tap by the kiosk process: one small file, so
that the screen never asks the network.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Final

from kiosk.clock import Clock, unix_ms
from kiosk.errors import EnvironmentFault

STATE_FILE = "sync.json"
MAX_DRIFT_MS = 10 * 60 * 1000
FRESH_MS = 90_000
"""A state older than this says nothing about now: a poll of 60 s at most, and some room."""
GOOD: Final = "+"
FAILED: Final = "-"
WINDOW: Final = 3
"""So many results of late decide whether central counts as reached."""
_MAX_MS = 253_402_300_799_000


@dataclass(frozen=True, slots=True)
class SyncState:
    """Times are Unix or boot milliseconds; 0 is never."""

    online: bool = False
    """By ``is_reached`` of the last results."""
    last_success_ms: int = 0
    """When central last answered."""
    current_ms: int = 0
    """When central last said that this kiosk's data is complete."""
    checked_mono_ms: int = 0
    central_ms: int = 0
    central_mono_ms: int = 0
    boot_id: str = ""
    fault: str = ""
    """Code of the last failure; empty while all is well."""
    recent: str = ""
    """The last results, the newest last: GOOD or FAILED each."""


def load(home: Path) -> SyncState:
    """The last state; an empty one if there is none or it cannot be read."""
    try:
        data = json.loads((home / STATE_FILE).read_text(encoding="utf-8"))
        values = {f.name: data[f.name] for f in fields(SyncState)}
    except (OSError, ValueError, KeyError, TypeError):
        return SyncState()
    sound = (
        isinstance(values["online"], bool)
        and all(isinstance(values[name], str) for name in ("boot_id", "fault", "recent"))
        and len(values["recent"]) <= WINDOW
        and all(
            type(value) is int and 0 <= value <= _MAX_MS
            for name, value in values.items()
            if name.endswith("_ms")
        )
    )
    return SyncState(**values) if sound else SyncState()


def with_result(recent: str, result: str) -> str:
    """The last results with one more."""
    return (recent + result)[-WINDOW:]


def is_reached(recent: str) -> bool:
    """True if central answered last, or most times of late.

    One exchange that fails among good ones makes nobody wait for the network, and one that succeeds is enough
    to be served again.
    """
    return recent.endswith(GOOD) or 2 * recent.count(GOOD) > len(recent)


def save(home: Path, state: SyncState) -> None:
    """Swaps a new state in. It is only a hint, so it is not forced to the disk.

    Raises EnvironmentFault ``write_failed``.
    """
    # A name of its own: two threads and a command may leave word at once.
    staging = home / f".{STATE_FILE}.{secrets.token_hex(4)}"
    try:
        staging.write_text(json.dumps(asdict(state)), encoding="utf-8")
        staging.replace(home / STATE_FILE)
    except OSError as fault:
        with contextlib.suppress(OSError):
            staging.unlink()
        raise EnvironmentFault("write_failed", f"{STATE_FILE}: {fault.strerror}", file=STATE_FILE) from fault


def is_online(state: SyncState, clock: Clock) -> bool:
    """True if central answered lately, in this boot."""
    age = clock.monotonic_ms() - state.checked_mono_ms
    return state.online and state.boot_id == clock.boot_id() and 0 <= age <= FRESH_MS


def date_in_doubt(state: SyncState, clock: Clock, highest_wall_ms: int) -> bool:
    """True if the wall clock cannot be right.

    Against central's signed time carried forward by the monotonic clock of the same boot, or else against
    the highest wall time ever recorded here. Doubt only asks for a person: escrow, not the clock, prevents
    a second hand-out.
    """
    return is_doubtful(clock.now(), state, clock, highest_wall_ms)


def is_doubtful(now: datetime, state: SyncState, clock: Clock, highest_wall_ms: int) -> bool:
    """The same for any wall time; of ``clock`` only the monotonic one is asked."""
    now_ms, expected = unix_ms(now), expected_ms(state, clock)
    if expected is not None:
        return abs(now_ms - expected) > MAX_DRIFT_MS
    return now_ms < highest_wall_ms - MAX_DRIFT_MS


def expected_ms(state: SyncState, clock: Clock) -> int | None:
    """Central's signed time carried forward by the monotonic clock; None if not heard in this boot."""
    if not state.central_ms or state.boot_id != clock.boot_id():
        return None
    return state.central_ms + clock.monotonic_ms() - state.central_mono_ms
