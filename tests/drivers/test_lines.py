"""Events and commands as lines, and the loop of a reader process."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from types import TracebackType
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.commands import (
    MAX_LINE_BYTES,
    Challenge,
    Command,
    CommandLines,
    Feedback,
    Stop,
    encode_command,
    parse_command,
)
from drivers.lines import encode_event, parse_event, serve
from drivers.reader import (
    DeviceReference,
    Faulted,
    FeedbackWhat,
    Gone,
    Health,
    Hint,
    Lifted,
    PollEvent,
    ReaderEvent,
    Reading,
    Ready,
    Tally,
)
from kiosk.errors import CardFault, EnvironmentFault
from kiosk.values import CardRead, ChipProof, Grade, Medium

READ = CardRead(Medium.NFC, b"\x00payload\xff", bytes.fromhex("04112233445566"), "NTAG215", "", 12.3)


@pytest.mark.parametrize(
    "event",
    [
        Ready("nfc", "usb:001:002", "Sony RC-S380"),
        READ,
        CardRead(Medium.QR, b"KMC1:ABC"),
        replace(READ, proof=ChipProof(Grade.P1)),
        replace(READ, proof=ChipProof(Grade.P2, original=True)),
        replace(READ, proof=ChipProof(Grade.P1, original=False, counter=0)),
        replace(READ, proof=ChipProof(Grade.P3, bytes(16), bytes(2048), bytes(128))),
        Reading(),
        Lifted(),
        Health(10, 2, 1),
        Health(10, 2, 1, {"zxing": 2, "retry_2x": 1}),
        Hint("farther", (0.25, 0.1, 0.75, 1.0)),
    ],
)
def test_events_come_back_as_they_went(event: ReaderEvent) -> None:
    line = encode_event(event)
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert parse_event(line) == event
    assert parse_event(line.encode()) == event


def test_faults_come_back_with_family_code_message_and_detail() -> None:
    event = parse_event(encode_event(Faulted(CardFault("card_foreign", "no", chip="MIFARE Classic 1K"))))
    assert isinstance(event, Faulted)
    assert isinstance(event.fault, CardFault)
    assert event.fault.as_json() == {
        "family": "card",
        "code": "card_foreign",
        "message": "no",
        "detail": {"chip": "MIFARE Classic 1K"},
    }
    gone = parse_event(encode_event(Gone(EnvironmentFault("reader_gone", "cable"))))
    assert isinstance(gone, Gone)
    assert (gone.fault.code, gone.fault.message) == ("reader_gone", "cable")


def test_what_does_not_fit_into_a_line_is_a_fault_that_does() -> None:
    cases: list[tuple[ReaderEvent, str]] = [
        (CardRead(Medium.QR, bytes(20_000)), "card_oversized"),
        (Faulted(CardFault("card_foreign", "x" * 20_000)), "card_foreign"),
        (Gone(EnvironmentFault("reader_gone", "m", noise="x" * 20_000)), "reader_gone"),
    ]
    for event, code in cases:
        line = encode_event(event)
        assert len(line) <= MAX_LINE_BYTES
        short = parse_event(line)
        assert isinstance(short, (Faulted, Gone))
        assert short.fault.code == code


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
FIELDS = [
    "kind",
    "device",
    "name",
    "medium",
    "payload",
    "uid",
    "chip",
    "read_ms",
    "family",
    "code",
    "message",
    "proof",
    "region",
    "stages",
]
EVENTS = ["ready", "read", "reading", "lifted", "fault", "gone", "health", "challenge", "hint"]
documents = st.fixed_dictionaries(
    {"event": st.sampled_from(EVENTS)},
    optional=dict.fromkeys([*FIELDS, "detail", "polls", "reads", "faults"], json_values),
)
KNOWN = (Ready, Reading, CardRead, Lifted, Faulted, Hint, Gone, Health)


@given(st.one_of(st.binary(max_size=200), documents.map(lambda value: json.dumps(value).encode())))
def test_no_line_makes_the_parser_raise(line: bytes) -> None:
    event = parse_event(line)
    assert isinstance(event, KNOWN)
    assert encode_event(event)
    assert isinstance(parse_command(line), (Stop, Feedback, Challenge, Faulted))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\xfe",
        b"Traceback (most recent call last):",
        b"[1]",
        b'{"event":1}',
        b'{"event":"unknown"}',
        b'{"event":"read","medium":"typed","payload":"","uid":"","chip":""}',
        b'{"event":"read","medium":"nfc","payload":"#","uid":"","chip":""}',
        b'{"event":"read","medium":"nfc","payload":"","uid":"0","chip":""}',
        b'{"event":"read","medium":"nfc","payload":"","uid":"","chip":"","read_ms":NaN}',
        b'{"event":"health","polls":-1,"reads":0,"faults":0}',
        b'{"event":"fault","family":"weather","code":"a","message":"b"}',
        b"[" * 10_000,
        b'{"event":"reading","x":"' + b"x" * MAX_LINE_BYTES + b'"}',
    ],
)
def test_garbage_is_a_typed_fault(line: bytes) -> None:
    event = parse_event(line)
    assert isinstance(event, Faulted)
    assert event.fault.code == "reader_garbled"
    assert isinstance(event.fault, EnvironmentFault)


def test_commands_come_back_as_they_went() -> None:
    commands: tuple[Command, ...] = (
        Stop(),
        Feedback("ok"),
        Feedback("attention"),
        Challenge(bytes(range(16))),
    )
    for command in commands:
        assert parse_command(encode_command(command)) == command


@pytest.mark.parametrize("value", ["", "00", "00" * 15, "00" * 17, "zz" * 16, 1, None])
def test_a_challenge_of_another_size_is_garbage(value: object) -> None:
    command = parse_command(json.dumps({"command": "challenge", "value": value}))
    assert isinstance(command, Faulted)
    assert command.fault.code == "reader_garbled"


@pytest.mark.parametrize(
    "proof",
    [
        "p2",
        {},
        {"grade": "p9"},
        {"grade": ["p2"]},
        {"grade": "legacy"},
        {"grade": "p3", "challenge": "00"},
        {"grade": "p3", "challenge": "zz" * 16},
        {"grade": "p3", "certificate": "#"},
        {"grade": "p3", "certificate": "AAAA" * 700},
        {"grade": "p3", "signature": "AAAA" * 50},
        {"grade": "p1", "original": 1},
        {"grade": "p1", "counter": -1},
        {"grade": "p1", "counter": 2**24},
        {"grade": "p1", "counter": True},
    ],
)
def test_a_proof_that_is_none_is_garbage(proof: object) -> None:
    line = json.dumps({**json.loads(encode_event(READ)), "proof": proof})
    event = parse_event(line)
    assert isinstance(event, Faulted)
    assert event.fault.code == "reader_garbled"


@pytest.fixture
def pipe() -> Iterator[tuple[Any, int]]:
    """The reading end as text, and the writing descriptor."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "r") as stream, os.fdopen(writing, "wb", buffering=0) as out:
        yield stream, out.fileno()


def test_command_lines_survive_halves_garbage_and_endless_lines(pipe: tuple[Any, int]) -> None:
    stream, out = pipe
    commands = CommandLines(stream)
    assert commands.take(0) is None
    os.write(out, b'{"command":"sto')
    assert commands.take(0) is None
    os.write(out, b'p"}\nnonsense\n')
    assert commands.take(1) == Stop()
    assert isinstance(commands.take(1), Faulted)
    os.write(out, b"x" * 30_000)
    assert isinstance(commands.take(1), Faulted)
    os.write(out, b"x" * 30_000 + b'\n{"command":"feedback","what":"ok"}\n')
    assert commands.take(1) == Feedback("ok")
    assert not commands.ended
    os.close(os.dup(out))
    assert commands.take(0) is None


class Scripted:
    """A connection that plays a list of events; the last is repeated for ever."""

    interval_s = 0.0
    reference = DeviceReference("nfc", "scripted", "Scripted", "scripted")

    def __init__(self, events: list[PollEvent | EnvironmentFault | None]) -> None:
        self._events = events
        self._tally = Tally()
        self.entered = self.left = 0
        self.shown: list[FeedbackWhat] = []

    def __enter__(self) -> Self:
        self.entered += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.left += 1

    def poll(self) -> PollEvent | None:
        event = self._events.pop(0) if len(self._events) > 1 else self._events[0]
        if isinstance(event, EnvironmentFault):
            raise event
        self._tally.count(event)
        return event

    def health(self) -> Health:
        return self._tally.health()

    def feedback(self, what: FeedbackWhat) -> bool:
        self.shown.append(what)
        return True


class Ticks:
    """A clock that goes on by a step each time it is asked."""

    def __init__(self, step_s: float) -> None:
        self._now, self._step = 0.0, step_s

    def __call__(self) -> float:
        self._now += self._step
        return self._now


def told(out: io.StringIO) -> list[ReaderEvent]:
    return [parse_event(line) for line in out.getvalue().splitlines()]


def test_it_says_ready_and_stops_at_the_end_of_its_input() -> None:
    out, connection = io.StringIO(), Scripted([None])
    assert serve(connection, out, io.StringIO("")) == 0
    assert told(out) == [Ready("nfc", "scripted", "Scripted")]
    assert (connection.entered, connection.left) == (1, 1)


def test_commands_are_obeyed_and_garbage_is_answered() -> None:
    out, connection = io.StringIO(), Scripted([None])
    lines = '{"command":"feedback","what":"attention"}\nrubbish\n{"command":"stop"}\n'
    assert serve(connection, out, io.StringIO(lines)) == 0
    assert connection.shown == ["attention"]
    [_, fault] = told(out)
    assert isinstance(fault, Faulted)
    assert fault.fault.code == "reader_garbled"


def test_health_comes_every_second(pipe: tuple[Any, int]) -> None:
    stream, descriptor = pipe
    out, clock = io.StringIO(), Ticks(0.25)

    class Stopping(Scripted):
        def poll(self) -> PollEvent | None:
            if self.health().polls == 20:
                os.write(descriptor, b'{"command":"stop"}\n')
            return super().poll()

    assert serve(Stopping([None]), out, stream, clock=clock) == 0
    health = [event for event in told(out) if isinstance(event, Health)]
    assert len(health) >= 4
    assert [later.polls - sooner.polls for sooner, later in pairwise(health)] == [4] * (len(health) - 1)


@pytest.mark.parametrize(
    ("events", "code", "last"),
    [
        ([None, Reading(), READ, None], 0, READ),
        ([Faulted(EnvironmentFault("camera_stalled")), READ], 0, READ),
    ],
)
@pytest.mark.parametrize("commands", [None, io.StringIO("")])
def test_once_ends_with_the_first_read_even_without_input(
    events: list[Any], code: int, last: ReaderEvent, commands: io.StringIO | None
) -> None:
    out = io.StringIO()
    assert serve(Scripted(list(events)), out, commands, True) == code
    assert told(out)[-1] == last


def test_once_ends_with_a_card_fault() -> None:
    out = io.StringIO()
    assert serve(Scripted([Reading(), Faulted(CardFault("card_empty"))]), out, None, True) == 1
    last = told(out)[-1]
    assert isinstance(last, Faulted)
    assert last.fault.code == "card_empty"


def test_once_gives_up_after_its_timeout() -> None:
    out = io.StringIO()
    assert serve(Scripted([None]), out, None, True, 5.0, clock=Ticks(0.5)) == 1
    last = told(out)[-1]
    assert isinstance(last, Faulted)
    assert last.fault.code == "reader_timeout"
    assert last.fault.detail == {"timeout_s": 5.0}


def test_a_device_that_goes_is_told_and_closed() -> None:
    out, connection = io.StringIO(), Scripted([None, EnvironmentFault("reader_gone", "cable")])
    assert serve(connection, out, None, True) == 3
    last = told(out)[-1]
    assert isinstance(last, Gone)
    assert last.fault.code == "reader_gone"
    assert connection.left == 1


def test_it_ends_when_nobody_listens() -> None:
    out = io.StringIO()
    out.close()
    connection = Scripted([None])
    assert serve(connection, out, None, True) == 0
    assert connection.left == 1
