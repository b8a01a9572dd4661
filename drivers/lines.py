"""JSON lines between a reader process and the kiosk: events out, commands in, the loop that serves them."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any, TextIO, TypeVar

from drivers.commands import (
    CHALLENGE_BYTES,
    MAX_LINE_BYTES,
    Challenge,
    CommandLines,
    Feedback,
    Garbage,
    Stop,
    garbled,
    json_document,
    text_field,
)
from drivers.hint_lines import hint_document, parse_hint, parse_stages
from drivers.hotplug import enter_when_there
from drivers.reader import (
    Faulted,
    Gone,
    Health,
    Hint,
    Lifted,
    ReaderConnection,
    ReaderEvent,
    Reading,
    Ready,
    TakesChallenges,
)
from kiosk.errors import CardFault, CentralFault, EnvironmentFault, KioskError, OfficerFault
from kiosk.values import CardRead, ChipProof, Grade, Medium

HEALTH_EVERY_S = 1.0

MOST_CERTIFICATE_BYTES = 2048
MOST_SIGNATURE_BYTES = 128
MOST_COUNTER = 2**24 - 1
"""The read counter of NTAG 424 DNA has three bytes (data sheet NT4H2421Gx, section 9.3.4)."""

MOST_COMMANDS = 16
"""Commands taken between two polls: a flood of them never keeps cards waiting."""

EXIT_OK = 0
EXIT_FAULT = 1
EXIT_GONE = 3
"""The device is missing, denied or gone: not a crash, so starting again needs no back-off."""

_F = TypeVar("_F", bound=KioskError)

_FAMILIES: dict[str, type[KioskError]] = {
    family.family: family for family in (EnvironmentFault, CardFault, CentralFault, OfficerFault)
}


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
            if event.proof is not None:
                document["proof"] = _proof_document(event.proof)
        case Reading():
            document = {"event": "reading"}
        case Lifted():
            document = {"event": "lifted"}
        case Faulted(fault):
            document = {"event": "fault", **fault.as_json()}
        case Hint(code, region):
            document = hint_document(code, region)
        case Gone(fault):
            document = {
                "event": "gone",
                "code": fault.code,
                "message": fault.message,
                "detail": fault.detail,
            }
        case _:
            document = {"event": "health", **asdict(event)}
            if not event.stages:
                del document["stages"]
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
        return _event(json_document(line, "event"))
    except Garbage as error:
        return garbled(str(error))


def _count(document: dict[str, Any], key: str) -> int:
    value = document.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Garbage(f"{key} is not a count")
    return value


def _fault(family: type[_F], document: dict[str, Any]) -> _F:
    detail = document.get("detail", {})
    if not isinstance(detail, dict):
        raise Garbage("detail is not an object")
    plain = {key: item for key, item in detail.items() if key not in ("code", "message", "self")}
    return family(text_field(document, "code"), text_field(document, "message"), **plain)


def _event(document: dict[str, Any]) -> ReaderEvent:
    match document["event"]:
        case "ready":
            kind = text_field(document, "kind")
            if kind == "nfc":
                return Ready("nfc", text_field(document, "device"), text_field(document, "name"))
            if kind == "qr":
                return Ready("qr", text_field(document, "device"), text_field(document, "name"))
            raise Garbage("kind must be nfc or qr")
        case "read":
            return _read(document)
        case "reading":
            return Reading()
        case "lifted":
            return Lifted()
        case "fault":
            family = _FAMILIES.get(text_field(document, "family"))
            if family is None:
                raise Garbage("unknown family")
            return Faulted(_fault(family, document))
        case "gone":
            return Gone(_fault(EnvironmentFault, document))
        case "health":
            return Health(
                _count(document, "polls"),
                _count(document, "reads"),
                _count(document, "faults"),
                parse_stages(document),
            )
        case "hint":
            return parse_hint(document)
        case _:
            raise Garbage("unknown event")


def _read(document: dict[str, Any]) -> CardRead:
    medium = text_field(document, "medium")
    if medium not in (Medium.NFC.value, Medium.QR.value):
        raise Garbage("medium must be nfc or qr")
    read_ms = document.get("read_ms", 0.0)
    if not isinstance(read_ms, (int, float)) or isinstance(read_ms, bool) or not 0 <= read_ms < 1e9:
        raise Garbage("read_ms is not a time")
    try:
        payload = base64.b64decode(text_field(document, "payload"), validate=True)
        uid = bytes.fromhex(text_field(document, "uid"))
    except (binascii.Error, ValueError):
        raise Garbage("payload or uid is not encoded well") from None
    if len(uid) > 10:
        raise Garbage("uid is longer than 10 bytes")
    chip = text_field(document, "chip")[:60]
    return CardRead(Medium(medium), payload, uid, chip, "", float(read_ms), _proof(document))


def _proof_document(proof: ChipProof) -> dict[str, Any]:
    """What says nothing is left out."""
    document: dict[str, Any] = {"grade": proof.grade.label}
    if proof.challenge:
        document["challenge"] = proof.challenge.hex()
    if proof.certificate:
        document["certificate"] = base64.b64encode(proof.certificate).decode("ascii")
    if proof.signature:
        document["signature"] = base64.b64encode(proof.signature).decode("ascii")
    if proof.original is not None:
        document["original"] = proof.original
    if proof.counter is not None:
        document["counter"] = proof.counter
    return document


def _proof(read: dict[str, Any]) -> ChipProof | None:
    document = read.get("proof")
    if document is None:
        return None
    if not isinstance(document, dict) or document.get("grade") not in ("p1", "p2", "p3"):
        raise Garbage("proof is none")
    original, counter = document.get("original"), document.get("counter")
    if original is not None and not isinstance(original, bool):
        raise Garbage("original is neither true nor false")
    if counter is not None and _count(document, "counter") > MOST_COUNTER:
        raise Garbage("counter is too large")
    try:
        challenge = bytes.fromhex(_text_or_none(document, "challenge"))
        certificate = base64.b64decode(_text_or_none(document, "certificate"), validate=True)
        signature = base64.b64decode(_text_or_none(document, "signature"), validate=True)
    except (binascii.Error, ValueError):
        raise Garbage("proof is not encoded well") from None
    if len(challenge) not in (0, CHALLENGE_BYTES):
        raise Garbage(f"a challenge has {CHALLENGE_BYTES} bytes")
    if len(certificate) > MOST_CERTIFICATE_BYTES or len(signature) > MOST_SIGNATURE_BYTES:
        raise Garbage("proof is too long")
    return ChipProof(Grade.of(document["grade"]), challenge, certificate, signature, original, counter)


def _text_or_none(document: dict[str, Any], key: str) -> str:
    return text_field(document, key) if key in document else ""


class _OutputClosed(Exception):
    """Nobody reads our lines any more: the kiosk process ended."""


def serve(
    connection: ReaderConnection,
    out: TextIO,
    commands: TextIO | None,
    once: bool = False,
    timeout_s: float | None = None,
    *,
    waits: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Open the connection and turn its events into lines until told to stop; the exit code of the process.

    0: stopped, or with ``once`` a card was read. 1: with ``once`` the card gave a fault or ``timeout_s``
    passed (fault ``reader_timeout``). 3: the device is missing, denied or gone, said in a ``gone`` line.
    The end of ``commands`` stops it, except with ``once``: there a card is waited for all the same.
    With ``waits``, and not ``once``, a device that is not there yet is waited for (``drivers.hotplug``).
    """

    def tell(event: ReaderEvent) -> None:
        try:
            out.write(encode_event(event))
            out.flush()
        except (OSError, ValueError):
            raise _OutputClosed from None

    try:
        try:
            with ExitStack() as stack:
                orders = CommandLines(commands)
                if not waits or once:
                    stack.enter_context(connection)
                elif not enter_when_there(stack, connection, tell, orders, clock=clock):
                    return EXIT_OK
                reference = connection.reference
                tell(Ready(reference.kind, reference.path, reference.name))
                return _loop(connection, tell, orders, once, timeout_s, clock)
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
            elif isinstance(command, Challenge):
                if isinstance(connection, TakesChallenges):
                    connection.take_challenge(command.value)
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
