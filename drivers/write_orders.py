"""JSON lines of a writing reader process: orders in, what came of each out.

Orders: ``{"command":"look"}``, ``{"command":"write","uid":…,"chip":…,"payload":…}``,
``{"command":"rekey","uid":…}``, ``{"command":"sign","challenge":…}``, ``{"command":"lift"}`` and
``{"command":"stop"}``; each but the last is answered by exactly one line: ``chip``, ``written``,
``rekeyed``, ``signed``, ``lifted`` or ``fault``.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import select
from collections import deque
from dataclasses import dataclass
from typing import Any, Literal, TextIO, TypeAlias

from drivers.child import LineSplitter
from drivers.commands import CHALLENGE_BYTES, Garbage, garbled, json_document, text_field
from drivers.reader import Faulted

Lock: TypeAlias = Literal["none", "permanent"]
LOCKS: tuple[Lock, ...] = ("none", "permanent")
_UID_SIZES = (4, 7, 8, 10)
MOST_PAYLOAD_BYTES = 2048
"""Longer than any credential, so that an order stays within a line."""


@dataclass(frozen=True, slots=True)
class Look:
    """Wait for a chip and say what it is and what lies on it."""


@dataclass(frozen=True, slots=True)
class Lift:
    """Wait until the chip has left."""


@dataclass(frozen=True, slots=True)
class StopWriting:
    """Close the device and end."""


@dataclass(frozen=True, slots=True)
class Write:
    """Write a credential onto the chip with this UID, read it back and compare."""

    uid: bytes
    chip: str
    """The kind that was ordered, such as ``NTAG215``."""
    payload: bytes
    """Payload of the NDEF record of type NDEF_TYPE."""
    overwrite: bool = False
    """Also over another content."""
    lock: Lock = "none"
    personalise: bool = False
    """Give the chip the keys it proves itself with (P2)."""


@dataclass(frozen=True, slots=True)
class Rekey:
    """Give the chip with this UID, whose keys are older ones, the keys of today (P2)."""

    uid: bytes


@dataclass(frozen=True, slots=True)
class Sign:
    """Wait for a chip that signs, and have it sign this (P3)."""

    challenge: bytes


Order: TypeAlias = Look | Lift | StopWriting | Write | Rekey | Sign


def parse_order(line: bytes | str) -> Order | Faulted:
    """The order on this line; whatever else is there becomes ``Faulted`` reader_garbled. Never raises."""
    try:
        document = json_document(line, "command")
        match document["command"]:
            case "look":
                return Look()
            case "lift":
                return Lift()
            case "stop":
                return StopWriting()
            case "write":
                return _write(document)
            case "rekey":
                return Rekey(_uid(document))
            case "sign":
                return Sign(_challenge(document))
            case _:
                raise Garbage("unknown order")
    except Garbage as error:
        return garbled(str(error))


def encode_order(order: Order) -> str:
    """The order as one line of JSON with its newline."""
    if isinstance(order, Write):
        document = {
            "command": "write",
            "uid": order.uid.hex(),
            "chip": order.chip,
            "payload": base64.b64encode(order.payload).decode("ascii"),
            "overwrite": order.overwrite,
            "lock": order.lock,
            "personalise": order.personalise,
        }
    elif isinstance(order, Rekey):
        document = {"command": "rekey", "uid": order.uid.hex()}
    elif isinstance(order, Sign):
        document = {"command": "sign", "challenge": order.challenge.hex()}
    else:
        document = {"command": {Look: "look", Lift: "lift", StopWriting: "stop"}[type(order)]}
    return json.dumps(document, separators=(",", ":")) + "\n"


def _uid(document: dict[str, Any]) -> bytes:
    try:
        uid = bytes.fromhex(text_field(document, "uid"))
    except ValueError:
        raise Garbage("the UID is not in hex") from None
    if len(uid) not in _UID_SIZES:
        raise Garbage("the UID has the wrong size")
    return uid


def _challenge(document: dict[str, Any]) -> bytes:
    try:
        challenge = bytes.fromhex(text_field(document, "challenge"))
    except ValueError:
        raise Garbage("the challenge is not in hex") from None
    if len(challenge) != CHALLENGE_BYTES:
        raise Garbage(f"a challenge has {CHALLENGE_BYTES} bytes")
    return challenge


def _write(document: dict[str, Any]) -> Write:
    uid = _uid(document)
    try:
        payload = base64.b64decode(text_field(document, "payload"), validate=True)
    except (binascii.Error, ValueError):
        raise Garbage("the payload is not encoded well") from None
    lock = document.get("lock", "none")
    flags = [document.get(name, False) for name in ("overwrite", "personalise")]
    if not 0 < len(payload) <= MOST_PAYLOAD_BYTES:
        raise Garbage("the payload has the wrong size")
    if lock not in LOCKS or not all(isinstance(flag, bool) for flag in flags):
        raise Garbage("lock, overwrite or personalise is not known")
    overwrite, personalise = (flag is True for flag in flags)
    kept: Lock = "permanent" if lock == "permanent" else "none"
    return Write(uid, text_field(document, "chip")[:16], payload, overwrite, kept, personalise)


class OrderLines:
    """Orders from a pipe, whose end means stop, or from a file, all of which is done; without a thread."""

    def __init__(self, stream: TextIO, *, is_file: bool = False) -> None:
        self._fd = stream.fileno()
        self._is_file = is_file
        self._splitter = LineSplitter()
        self._waiting: deque[Order | Faulted] = deque()
        self.ended = False
        """True once the stream is at its end; orders may still wait."""

    def take(self, wait_s: float) -> Order | Faulted | None:
        """The next order; waits up to ``wait_s`` seconds for one. None if none came."""
        if not self._waiting and not self.ended and select.select([self._fd], [], [], wait_s)[0]:
            chunk = os.read(self._fd, 65536)
            self.ended = not chunk
            # A last line without an end counts as well.
            self._waiting.extend(map(parse_order, self._splitter.feed(chunk or b"\n")))
        return self._waiting.popleft() if self._waiting else None

    def asks_to_stop(self) -> bool:
        """True if a stop comes next, or nobody gives orders any more; asked while a chip is waited for."""
        if not self._waiting and not self.ended:
            order = self.take(0)
            if order is not None:
                self._waiting.appendleft(order)
        if self._waiting:
            return isinstance(self._waiting[0], StopWriting)
        return self.ended and not self._is_file
