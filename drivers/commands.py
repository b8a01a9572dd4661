"""Commands to a reader process: JSON lines on its standard input, read without a thread."""

from __future__ import annotations

import json
import os
import select
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, TextIO, TypeAlias

from drivers.reader import Faulted, FeedbackWhat
from kiosk.errors import EnvironmentFault

MAX_LINE_BYTES = 16 * 1024
"""Longest line either way, without its newline."""

CHALLENGE_BYTES = 16
"""Size of a challenge that a chip signs (docs/card-profile.md)."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Command: close the device and end."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """Command: show something on the device's lamp or buzzer."""

    what: FeedbackWhat


@dataclass(frozen=True, slots=True)
class Challenge:
    """Command: have the next chip that can sign, sign this; the newest one is used, once."""

    value: bytes
    """CHALLENGE_BYTES random bytes."""


Command: TypeAlias = Stop | Feedback | Challenge


def garbled(reason: str) -> Faulted:
    """The fault that stands for a line which is no event or command: EnvironmentFault reader_garbled."""
    return Faulted(EnvironmentFault("reader_garbled", f"line not understood: {reason}", reason=reason))


class Garbage(Exception):
    """Why a line is no event or command; never leaves the line parsers."""


def json_document(line: bytes | str, key: str) -> dict[str, Any]:
    """The JSON object on this line, which must have a text under ``key``. Raises Garbage."""
    if len(line) > MAX_LINE_BYTES + 2:
        raise Garbage("longer than 16 KiB")
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        raise Garbage("not JSON") from None
    if not isinstance(document, dict) or not isinstance(document.get(key), str):
        raise Garbage(f"no {key}")
    return document


def text_field(document: dict[str, Any], key: str) -> str:
    """The text under ``key``. Raises Garbage."""
    value = document.get(key)
    if not isinstance(value, str):
        raise Garbage(f"{key} is not text")
    return value


def parse_command(line: bytes | str) -> Command | Faulted:
    """The command on this line; whatever else is there becomes ``Faulted`` reader_garbled. Never raises."""
    try:
        document = json_document(line, "command")
        match document["command"]:
            case "stop":
                return Stop()
            case "feedback":
                what = text_field(document, "what")
                if what == "ok":
                    return Feedback("ok")
                if what == "attention":
                    return Feedback("attention")
                raise Garbage("what must be ok or attention")
            case "challenge":
                return Challenge(_challenge(text_field(document, "value")))
            case _:
                raise Garbage("unknown command")
    except Garbage as error:
        return garbled(str(error))


def _challenge(text: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        raise Garbage("value is not hex") from None
    if len(value) != CHALLENGE_BYTES:
        raise Garbage(f"a challenge has {CHALLENGE_BYTES} bytes")
    return value


def encode_command(command: Command) -> str:
    """The command as one line of JSON with its newline."""
    if isinstance(command, Stop):
        return '{"command":"stop"}\n'
    if isinstance(command, Challenge):
        return (
            json.dumps({"command": "challenge", "value": command.value.hex()}, separators=(",", ":")) + "\n"
        )
    return json.dumps({"command": "feedback", "what": command.what}, separators=(",", ":")) + "\n"


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
            text = self._stream.readline(MAX_LINE_BYTES + 1)
            if text == "":
                self.ended = True
            elif text.strip():
                self._waiting.append(parse_command(text))
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
