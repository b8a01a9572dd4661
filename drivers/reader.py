"""The one interface of every reader: a cheap device reference, a connection opened from it, typed events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Protocol, Self, TypeAlias, runtime_checkable

from kiosk.errors import EnvironmentFault, KioskError
from kiosk.values import CardRead

Kind: TypeAlias = Literal["nfc", "qr"]
Capability: TypeAlias = Literal["type_a", "type_f", "qr", "lamp", "buzzer", "virtual"]
FeedbackWhat: TypeAlias = Literal["ok", "attention"]


@dataclass(frozen=True, slots=True)
class DeviceReference:
    """A reader that was listed, not opened: cheap, comparable, safe to keep."""

    kind: Kind
    path: str
    """What opens it: ``usb:001:004``, ``udp:127.0.0.1:5000``, ``/dev/video0``, a URL or a file."""
    name: str = ""
    fingerprint: str = ""
    """Stays the same when the device is plugged again: vendor:product:serial, or the path."""
    capabilities: frozenset[Capability] = frozenset()


@dataclass(frozen=True, slots=True)
class Ready:
    """The device is open and polled from now on."""

    kind: Kind
    device: str
    name: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A card was found and its read has begun."""


@dataclass(frozen=True, slots=True)
class Lifted:
    """The card or code that was read, or gave a fault, has left."""


@dataclass(frozen=True, slots=True)
class Faulted:
    """Something went wrong and the reader goes on: a card it cannot read, a line nobody understands."""

    fault: KioskError


@dataclass(frozen=True, slots=True)
class Gone:
    """The device or the process that serves it is gone; nothing is read until the next ``Ready``."""

    fault: EnvironmentFault


HintCode: TypeAlias = Literal["closer", "farther", "blurred", "dark", "glare"]


@dataclass(frozen=True, slots=True)
class Hint:
    """A code is seen but cannot be read: what the person who holds it can do about it."""

    code: HintCode
    region: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    """Where it is seen: left, top, right and bottom as shares of the picture."""


@dataclass(frozen=True, slots=True)
class Health:
    """Counts since the device was opened."""

    polls: int
    reads: int
    faults: int
    stages: Mapping[str, int] = field(default_factory=dict)
    """What each stage of the reader did, by its name; only what is above 0."""


PollEvent: TypeAlias = Reading | CardRead | Lifted | Faulted | Hint
"""What ``poll`` of a connection returns."""

ReaderEvent: TypeAlias = Ready | Reading | CardRead | Lifted | Faulted | Hint | Gone | Health
"""What a reader process tells the kiosk."""


@dataclass(slots=True)
class Tally:
    """The running counts behind ``health()`` of a connection."""

    polls: int = 0
    reads: int = 0
    faults: int = 0

    def count(self, event: PollEvent | None) -> None:
        """One poll went by and gave this event."""
        self.polls += 1
        if isinstance(event, CardRead):
            self.reads += 1
        elif isinstance(event, Faulted):
            self.faults += 1

    def health(self) -> Health:
        """The counts now."""
        return Health(self.polls, self.reads, self.faults)


class ReaderConnection(Protocol):
    """An open reader. Entering opens the device and raises EnvironmentFault; leaving closes it, always.

    ``reference`` may become more exact (name) once the device is open. ``interval_s`` is how long the loop
    rests after a poll that found nothing; 0 when ``poll`` waits for its device itself.
    """

    @property
    def reference(self) -> DeviceReference: ...

    @property
    def interval_s(self) -> float: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def poll(self) -> PollEvent | None:
        """Look once, within 2 s; at most one event. Raises EnvironmentFault when the device is gone."""
        ...

    def health(self) -> Health:
        """Counts since the device was opened."""
        ...

    def feedback(self, what: FeedbackWhat) -> bool:
        """Show ``ok`` or ``attention`` on the device's lamp or buzzer; False if it has none."""
        ...


@runtime_checkable
class TakesChallenges(Protocol):
    """A connection whose chips can sign: the newest challenge is used for one read, then forgotten."""

    def take_challenge(self, value: bytes) -> None:
        """Have the next chip that can sign, sign this (``commands.CHALLENGE_BYTES`` bytes)."""
        ...
