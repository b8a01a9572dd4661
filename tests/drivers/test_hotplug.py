"""A device that is not there yet: waited for in its reader process, looked for at each arrival."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self, TextIO

import pytest

from drivers.commands import CommandLines
from drivers.hotplug import LOOK_EVERY_S, UdevArrivals, enter_when_there
from drivers.lines import EXIT_OK
from drivers.nfc_process import run
from drivers.reader import (
    DeviceReference,
    FeedbackWhat,
    Gone,
    Health,
    PollEvent,
    ReaderEvent,
)
from kiosk.errors import EnvironmentFault
from tests.drivers.nfc_rig import make_card
from tests.drivers.serial_line import SerialReader


class Absent:
    """A connection whose device is missing for the first ``times`` tries, then denied once, then there."""

    reference = DeviceReference("nfc", "usb")
    interval_s = 0.0

    def __init__(self, *codes: str) -> None:
        self._codes = list(codes)
        self.entered = False

    def __enter__(self) -> Self:
        if self._codes:
            raise EnvironmentFault(self._codes.pop(0), "not now")
        self.entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.entered = False

    def poll(self) -> PollEvent | None:
        return None

    def health(self) -> Health:
        return Health(0, 0, 0)

    def feedback(self, what: FeedbackWhat) -> bool:
        return False


class Plugs:
    """Tells of arrivals as scripted."""

    def __init__(self, *seen: bool) -> None:
        self._seen = list(seen)

    def seen(self) -> bool:
        return self._seen.pop(0) if self._seen else False


@pytest.fixture
def pipe() -> Iterator[tuple[TextIO, TextIO]]:
    """Commands: the end that is read, the end that is written."""
    read, write = os.pipe()
    with os.fdopen(read) as reading, os.fdopen(write, "w") as writing:
        yield reading, writing


def wait(connection: Absent, commands: TextIO, plugs: Plugs, step_s: float) -> tuple[bool, list[ReaderEvent]]:
    told: list[ReaderEvent] = []
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += step_s
        return now

    with ExitStack() as stack:
        entered = enter_when_there(
            stack, connection, told.append, CommandLines(commands), arrivals=lambda: plugs, clock=clock
        )
        assert connection.entered is entered
    assert not connection.entered
    return entered, told


def test_what_is_missing_is_told_once_and_health_goes_on(pipe: tuple[TextIO, TextIO]) -> None:
    connection = Absent("reader_missing", "reader_missing", "reader_missing", "reader_denied")
    entered, told = wait(connection, pipe[0], Plugs(), LOOK_EVERY_S / 4)
    assert entered
    assert [event.fault.code for event in told if isinstance(event, Gone)] == [
        "reader_missing",
        "reader_denied",
    ]
    assert Health(0, 0, 0) in told


def test_an_arrival_is_tried_at_once(pipe: tuple[TextIO, TextIO]) -> None:
    # Time stands still: without the word of an arrival nothing would ever be tried again.
    entered, told = wait(Absent("reader_missing"), pipe[0], Plugs(False, True), 0.0)
    assert entered
    assert len(told) == 1


def test_stop_and_the_end_of_commands_end_the_waiting(pipe: tuple[TextIO, TextIO]) -> None:
    pipe[1].write('{"command":"stop"}\n')
    pipe[1].flush()
    assert not wait(Absent("reader_missing"), pipe[0], Plugs(), 0.0)[0]
    pipe[1].close()
    assert not wait(Absent("reader_missing"), pipe[0], Plugs(), 0.0)[0]


def test_udev_is_listened_to_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyudev

    happened = [SimpleNamespace(action="remove"), SimpleNamespace(action="add"), None]
    subsystems: list[str] = []
    started: list[bool] = []

    class Monitor:
        @classmethod
        def from_netlink(cls, context: object, source: str) -> Monitor:
            assert source in ("udev", "kernel")
            return cls()

        def filter_by(self, subsystem: str) -> None:
            subsystems.append(subsystem)

        def start(self) -> None:
            started.append(True)

        def poll(self, timeout: float) -> Any:
            assert timeout == 0
            return happened.pop(0) if happened else None

    monkeypatch.setattr(pyudev, "Monitor", Monitor)
    arrivals = UdevArrivals()
    assert started
    assert {"usb", "tty"} <= set(subsystems)
    assert arrivals.seen() is True
    assert arrivals.seen() is False


def test_a_machine_without_udev_is_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyudev

    def refuse(*_: object) -> None:
        raise OSError("no netlink here")

    monkeypatch.setattr(pyudev, "Context", refuse)
    assert UdevArrivals().seen() is False


def test_a_reader_process_begins_when_its_device_comes(tmp_path: Path, pipe: tuple[TextIO, TextIO]) -> None:
    reader = SerialReader(tmp_path / "ttyNFC")
    reader.card = make_card("NTAG215")
    read_end, write_end = os.pipe()
    with os.fdopen(read_end) as lines, os.fdopen(write_end, "w") as out:
        codes: list[int] = []
        process = threading.Thread(target=lambda: codes.append(run(reader.device, out=out, commands=pipe[0])))
        process.start()
        try:
            assert json.loads(lines.readline())["code"] == "reader_missing"
            with reader:
                events = [json.loads(lines.readline())["event"]]
                while events[-1] != "read":
                    events.append(json.loads(lines.readline())["event"])
                assert [event for event in events if event != "health"] == ["ready", "reading", "read"]
                pipe[1].write('{"command":"stop"}\n')
                pipe[1].flush()
                process.join(20)
        finally:
            pipe[1].close()
            process.join(20)
        assert codes == [EXIT_OK]
