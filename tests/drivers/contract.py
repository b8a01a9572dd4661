"""What every reader connection keeps, whatever the device: subclass and give the fixture ``rig``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import pytest

from drivers.reader import (
    DeviceReference,
    Faulted,
    Health,
    Lifted,
    PollEvent,
    ReaderConnection,
    Reading,
)
from kiosk.errors import EnvironmentFault
from kiosk.values import CardRead, Medium


class Rig(Protocol):
    """A device under test, and hands that move cards before it."""

    @property
    def medium(self) -> Medium:
        """What its reads are of."""
        ...

    @property
    def reference(self) -> DeviceReference:
        """The device as it is listed."""
        ...

    def connection(self) -> ReaderConnection:
        """A connection that was not entered."""
        ...

    def present(self, number: int) -> bytes:
        """Show card ``number`` (0, 1, …); the payload that a read must give."""
        ...

    def remove(self) -> None:
        """Take the card away."""
        ...

    def break_device(self, connection: ReaderConnection) -> None:
        """Unplug the device under an open connection."""
        ...


def poll_until(
    connection: ReaderConnection, wanted: Callable[[PollEvent], bool], within_s: float = 20.0
) -> list[PollEvent]:
    """All events up to the first that is wanted; fails after ``within_s`` seconds without it."""
    events: list[PollEvent] = []
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        event = connection.poll()
        if event is not None:
            events.append(event)
            if wanted(event):
                return events
    raise AssertionError(f"waited in vain; seen: {events}")


def is_end(event: PollEvent) -> bool:
    """A read has ended, well or not."""
    return isinstance(event, (CardRead, Faulted))


def is_lifted(event: PollEvent) -> bool:
    """The card left."""
    return isinstance(event, Lifted)


def is_nothing_more(connection: ReaderConnection, rounds: int = 12) -> bool:
    """True if this many polls bring no event."""
    return all(connection.poll() is None for _ in range(rounds))


class ReaderContract:
    """The suite; a subclass provides ``rig``."""

    def test_reference_tells_the_device_without_opening_it(self, rig: Rig) -> None:
        connection = rig.connection()
        assert connection.reference.kind == rig.medium.value
        assert connection.reference.path == rig.reference.path
        assert rig.reference.fingerprint
        assert rig.reference == DeviceReference(
            rig.reference.kind,
            rig.reference.path,
            rig.reference.name,
            rig.reference.fingerprint,
            rig.reference.capabilities,
        )

    def test_nothing_before_the_device_gives_nothing(self, rig: Rig) -> None:
        with rig.connection() as connection:
            started = time.monotonic()
            assert connection.poll() is None
            assert time.monotonic() - started < 2.0
            assert is_nothing_more(connection, 3)

    def test_a_card_is_announced_read_once_and_lifted_once(self, rig: Rig) -> None:
        with rig.connection() as connection:
            payload = rig.present(0)
            events = poll_until(connection, is_end)
            assert events[:-1] == [Reading()]
            read = events[-1]
            assert isinstance(read, CardRead)
            assert (read.medium, read.payload) == (rig.medium, payload)
            assert read.read_ms > 0
            assert is_nothing_more(connection)
            rig.remove()
            assert poll_until(connection, is_lifted) == [Lifted()]
            assert is_nothing_more(connection, 6)

    def test_the_same_card_comes_again_after_it_was_lifted(self, rig: Rig) -> None:
        with rig.connection() as connection:
            for _ in range(2):
                payload = rig.present(0)
                read = poll_until(connection, is_end)[-1]
                assert isinstance(read, CardRead)
                assert read.payload == payload
                rig.remove()
                poll_until(connection, is_lifted)

    def test_another_card_without_a_gap_is_read_too(self, rig: Rig) -> None:
        with rig.connection() as connection:
            rig.present(0)
            poll_until(connection, is_end)
            payload = rig.present(1)
            events = poll_until(connection, is_end)
            assert events[:-1] == [Lifted(), Reading()]
            read = events[-1]
            assert isinstance(read, CardRead)
            assert read.payload == payload

    def test_health_counts_polls_and_reads(self, rig: Rig) -> None:
        with rig.connection() as connection:
            assert connection.health() == Health(0, 0, 0)
            rig.present(0)
            poll_until(connection, is_end)
            health = connection.health()
            assert health.polls >= 2
            assert (health.reads, health.faults) == (1, 0)

    def test_feedback_says_whether_there_is_any(self, rig: Rig) -> None:
        with rig.connection() as connection:
            able = bool({"lamp", "buzzer"} & connection.reference.capabilities)
            assert connection.feedback("ok") is able
            assert connection.feedback("attention") is able

    def test_a_device_that_goes_is_an_environment_fault(self, rig: Rig) -> None:
        with rig.connection() as connection:
            connection.poll()
            rig.break_device(connection)
            with pytest.raises(EnvironmentFault) as caught:
                poll_until(connection, lambda event: False)
            assert caught.value.code in ("reader_gone", "camera_gone", "camera_stalled")
            assert caught.value.message

    def test_it_opens_again_after_it_was_closed(self, rig: Rig) -> None:
        with rig.connection() as connection:
            connection.poll()
        payload = rig.present(0)
        with rig.connection() as connection:
            read = poll_until(connection, is_end)[-1]
            assert isinstance(read, CardRead)
            assert read.payload == payload
