"""JSON lines between a reader process and the kiosk: events out, commands in, the loop that serves them."""

from __future__ import annotations

import base64
import binascii
import json
import os
import select
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TextIO, TypeAlias

from drivers.reader import (
    Faulted,
    FeedbackWhat,
    Gone,
    Health,
    Lifted,
    ReaderConnection,
    ReaderEvent,
    Reading,
    Ready,
)
from kiosk.errors import CardFault, CentralFault, EnvironmentFault, KioskError, OfficerFault
from kiosk.values import CardRead, Medium

MAX_LINE_BYTES = 16 * 1024
"""Longest line either way, without its newline."""

HEALTH_EVERY_S = 1.0

MOST_COMMANDS = 16
"""Commands taken between two polls: a flood of them never keeps cards waiting."""

EXIT_OK = 0
EXIT_FAULT = 1
EXIT_GONE = 3
"""The device is missing, denied or gone: not a crash, so starting again needs no back-off."""

_FAMILIES: dict[str, type[KioskError]] = {
    family.family: family for family in (EnvironmentFault, CardFault, CentralFault, OfficerFault)
}


@dataclass(frozen=True, slots=True)
class Stop:
    """Command: close the device and end."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """Command: show something on the device's lamp or buzzer."""

    what: FeedbackWhat


Command: TypeAlias = Stop | Feedback


def garbled(reason: str) -> Faulted:
    """The fault that stands for a line which is no event or command: EnvironmentFault reader_garbled."""
    return Faulted(EnvironmentFault("reader_garbled", f"line not understood: {reason}", reason=reason))


def encode_event(event: ReaderEvent) -> str:
    """The event as one line of ASCII JSON with its newline, never above MAX_LINE_BYTES."""
    document: dict[str, Any]
    match event:
        case Ready(kind, device, name):
            document = {"event": "ready", "kind": kind, "device": device, "name": name}
        case CardRead():
            document = {
                "event": "read",
                "medium": event.medium.value,
                "payload": base64.b64encode(event.payload).decode("ascii"),
                "uid": event.uid.hex(),
                "chip": event.chip,
                "read_ms": round(event.read_ms, 1),
            }
        case Reading():
            document = {"event": "reading"}
        case Lifted():
            document = {"event": "lifted"}
        case Faulted(fault):
            document = {"event": "fault", **fault.as_json()}
        case Gone(fault):
            document = {
                "event": "gone",
                "code": fault.code,
                "message": fault.message,
                "detail": fault.detail,
            }
        case _:
            document = {"event": "health", **asdict(event)}
    line = json.dumps(document, separators=(",", ":"), default=str)
    if len(line) > MAX_LINE_BYTES:
        return encode_event(_too_long(event))
    return line + "\n"


def _too_long(event: ReaderEvent) -> ReaderEvent:
    if isinstance(event, CardRead):
        return Faulted(CardFault("card_oversized", "what the card holds does not fit into a line"))
    if isinstance(event, Gone):
        return Gone(EnvironmentFault(event.fault.code[:60], event.fault.message[:200]))
    if isinstance(event, Faulted):
        return Faulted(type(event.fault)(event.fault.code[:60], event.fault.message[:200]))
    return Faulted(EnvironmentFault("reader_garbled", "an event did not fit into a line"))


def parse_event(line: bytes | str) -> ReaderEvent:
    """The event on this line; whatever else is there becomes ``Faulted`` reader_garbled. Never raises."""
    try:
        return _event(_document(line, "event"))
    except _Garbage as error:
        return garbled(str(error))


def parse_command(line: bytes | str) -> Command | Faulted:
    """The command on this line; whatever else is there becomes ``Faulted`` reader_garbled. Never raises."""
    try:
        document = _document(line, "command")
        match document["command"]:
            case "stop":
                return Stop()
            case "feedback":
                what = _text(document, "what")
                if what == "ok":
                    return Feedback("ok")
                if what == "attention":
                    return Feedback("attention")
                raise _Garbage("what must be ok or attention")
            case _:
                raise _Garbage("unknown command")
    except _Garbage as error:
        return garbled(str(error))


def encode_command(command: Command) -> str:
    """The command as one line of JSON with its newline."""
    if isinstance(command, Stop):
        return '{"command":"stop"}\n'
    return json.dumps({"command": "feedback", "what": command.what}, separators=(",", ":")) + "\n"


class _Garbage(Exception):
    """Why a line is no event or command; never leaves this module."""


def _document(line: bytes | str, key: str) -> dict[str, Any]:
    if len(line) > MAX_LINE_BYTES + 2:
        raise _Garbage("longer than 16 KiB")
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        raise _Garbage("not JSON") from None
    if not isinstance(document, dict) or not isinstance(document.get(key), str):
        raise _Garbage(f"no {key}")
    return document


def _text(document: dict[str, Any], key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str):
        raise _Garbage(f"{key} is not text")
    return value


def _count(document: dict[str, Any], key: str) -> int:
    value = document.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _Garbage(f"{key} is not a count")
    return value


def _detail(document: dict[str, Any]) -> dict[str, Any]:
    value = document.get("detail", {})
    if not isinstance(value, dict):
        raise _Garbage("detail is not an object")
    return {key: item for key, item in value.items() if key not in ("code", "message", "self")}


def _event(document: dict[str, Any]) -> ReaderEvent:
    match document["event"]:
        case "ready":
            kind = _text(document, "kind")
            if kind == "nfc":
                return Ready("nfc", _text(document, "device"), _text(document, "name"))
            if kind == "qr":
                return Ready("qr", _text(document, "device"), _text(document, "name"))
            raise _Garbage("kind must be nfc or qr")
        case "read":
            return _read(document)
        case "reading":
            return Reading()
        case "lifted":
            return Lifted()
        case "fault":
            family = _FAMILIES.get(_text(document, "family"))
            if family is None:
                raise _Garbage("unknown family")
            return Faulted(family(_text(document, "code"), _text(document, "message"), **_detail(document)))
        case "gone":
            return Gone(
                EnvironmentFault(_text(document, "code"), _text(document, "message"), **_detail(document))
            )
        case "health":
            return Health(_count(document, "polls"), _count(document, "reads"), _count(document, "faults"))
        case _:
            raise _Garbage("unknown event")


def _read(document: dict[str, Any]) -> CardRead:
    medium = _text(document, "medium")
    if medium not in (Medium.NFC.value, Medium.QR.value):
        raise _Garbage("medium must be nfc or qr")
    read_ms = document.get("read_ms", 0.0)
    if not isinstance(read_ms, (int, float)) or isinstance(read_ms, bool) or not 0 <= read_ms < 1e9:
        raise _Garbage("read_ms is not a time")
    try:
        payload = base64.b64decode(_text(document, "payload"), validate=True)
        uid = bytes.fromhex(_text(document, "uid"))
    except (binascii.Error, ValueError):
        raise _Garbage("payload or uid is not encoded well") from None
    if len(uid) > 10:
        raise _Garbage("uid is longer than 10 bytes")
    return CardRead(Medium(medium), payload, uid, _text(document, "chip")[:60], "", float(read_ms))


class CommandLines:
    """Commands from a stream without a thread: a file descriptor is watched, anything else is read by line.

    A line above MAX_LINE_BYTES is skipped to its end and counts as garbled; memory stays bounded.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self._skipping = False
        self._waiting: deque[Command | Faulted] = deque()
        self.ended = stream is None or stream.closed
        self._fd = -1
        if stream is not None and not self.ended:
            try:
                self._fd = stream.fileno()
            except (OSError, ValueError):
                self._fd = -1

    def take(self, wait_s: float) -> Command | Faulted | None:
        """The next command; waits up to ``wait_s`` seconds for one. None if none came or the stream ended."""
        if not self._waiting and not self.ended:
            self._fill(wait_s)
        elif not self._waiting and wait_s > 0:
            time.sleep(wait_s)
        return self._waiting.popleft() if self._waiting else None

    def _fill(self, wait_s: float) -> None:
        if self._fd < 0 and self._stream is not None:
            line = self._stream.readline(MAX_LINE_BYTES + 1)
            if line == "":
                self.ended = True
            elif line.strip():
                self._waiting.append(parse_command(line))
            return
        if not select.select([self._fd], [], [], wait_s)[0]:
            return
        try:
            chunk = os.read(self._fd, 65536)
        except OSError:
            chunk = b""
        if not chunk:
            self.ended = True
            return
        self._buffer += chunk
        *lines, rest = bytes(self._buffer).split(b"\n")
        for line in lines:
            if self._skipping:
                self._skipping = False
            elif line.strip():
                self._waiting.append(parse_command(line))
        self._buffer = bytearray(rest)
        if len(rest) > MAX_LINE_BYTES:
            if not self._skipping:
                self._waiting.append(garbled("longer than 16 KiB"))
            self._skipping = True
            self._buffer = bytearray()


class _OutputClosed(Exception):
    """Nobody reads our lines any more: the kiosk process ended."""


def serve(
    connection: ReaderConnection,
    out: TextIO,
    commands: TextIO | None,
    once: bool = False,
    timeout_s: float | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Open the connection and turn its events into lines until told to stop; the exit code of the process.

    0: stopped, or with ``once`` a card was read. 1: with ``once`` the card gave a fault or ``timeout_s``
    passed (fault ``reader_timeout``). 3: the device is missing, denied or gone, said in a ``gone`` line.
    The end of ``commands`` stops it, except with ``once``: there a card is waited for all the same.
    """

    def tell(event: ReaderEvent) -> None:
        try:
            out.write(encode_event(event))
            out.flush()
        except (OSError, ValueError):
            raise _OutputClosed from None

    try:
        try:
            with connection:
                reference = connection.reference
                tell(Ready(reference.kind, reference.path, reference.name))
                return _loop(connection, tell, CommandLines(commands), once, timeout_s, clock)
        except EnvironmentFault as fault:
            tell(Gone(fault))
            return EXIT_GONE
    except _OutputClosed:
        return EXIT_OK


def _loop(
    connection: ReaderConnection,
    tell: Callable[[ReaderEvent], None],
    commands: CommandLines,
    once: bool,
    timeout_s: float | None,
    clock: Callable[[], float],
) -> int:
    started = clock()
    health_at = started + HEALTH_EVERY_S
    rest_s = 0.0
    while True:
        for wait_s in (rest_s, *(0.0,) * MOST_COMMANDS):
            command = commands.take(wait_s)
            if command is None:
                break
            if isinstance(command, Stop):
                return EXIT_OK
            if isinstance(command, Feedback):
                connection.feedback(command.what)
            else:
                tell(command)
        if commands.ended and not once:
            return EXIT_OK

        event = connection.poll()
        if event is not None:
            tell(event)
            if once and isinstance(event, CardRead):
                return EXIT_OK
            if once and isinstance(event, Faulted) and isinstance(event.fault, CardFault):
                return EXIT_FAULT
        rest_s = connection.interval_s if event is None else 0.0

        now = clock()
        if timeout_s is not None and now - started >= timeout_s:
            tell(
                Faulted(
                    EnvironmentFault("reader_timeout", f"no card within {timeout_s:g} s", timeout_s=timeout_s)
                )
            )
            return EXIT_FAULT
        if not once and now >= health_at:
            tell(connection.health())
            health_at = now + HEALTH_EVERY_S
