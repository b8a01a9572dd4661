"""The door of ``/v1``: size, signature, replay and clock on the way in; seal and compression going out."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError
from starlette.concurrency import run_in_threadpool

from kiosk.errors import CentralFault, EnvironmentFault, KioskError
from sync.central.database import is_duplicate
from sync.central.models import kiosk_gen, nonce
from sync.central.state import Central
from sync.signature import ENROL_KEYID, SignedBy, check_clock, seal_answer, signer_of, verify_request
from sync.wire import ANSWER_HEADER, MAX_BODY_BYTES, EnrolRequest, ErrorAnswer

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

UNSIGNED_PATHS: Final = ("/v1/health",)
ENROL_PATH: Final = "/v1/enrol"
MIN_COMPRESSED: Final = 512
STATUS: Final = {
    "signature_missing": 401,
    "unknown_key": 401,
    "bad_signature": 401,
    "replayed": 401,
    "clock": 401,
    "ticket_refused": 403,
    "kiosk_revoked": 403,
    "kiosk_frozen": 403,
    "stale_gen": 403,
    "unknown_gen": 404,
    "cursor_malformed": 400,
    "cursor_gone": 410,
    "body_too_large": 413,
    "body_invalid": 422,
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """The kiosk that signed a request; ``kiosk`` is empty at enrolment."""

    kiosk: str
    gen: int


def status_of(fault: KioskError) -> int:
    """The HTTP status of a fault; trouble of central's own is 503."""
    return 503 if isinstance(fault, EnvironmentFault) else STATUS.get(fault.code, 400)


def error_body(code: str, message: str) -> bytes:
    """The body of an answer that is not 2xx."""
    return ErrorAnswer(code=code, message=message).model_dump_json().encode()


class Gate:
    """Wraps the routes; paths outside ``/v1`` pass untouched."""

    def __init__(self, app: App, central: Central) -> None:
        self._app = app
        self._central = central

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        signed: SignedBy | None = None
        body: bytes | None = None
        try:
            body = await _body(headers, receive)
            if scope["path"] not in UNSIGNED_PATHS:
                signed = await run_in_threadpool(self._verify, scope, headers, body)
                await run_in_threadpool(self._admit, signed)
                scope.setdefault("state", {})["caller"] = _caller(signed.keyid)
            answer = await self._run(scope, body, receive)
        except (CentralFault, EnvironmentFault) as fault:
            if isinstance(fault, EnvironmentFault):
                logger.error("%s", fault)
            answer = _Answer(status_of(fault), {}, error_body(fault.code, fault.message))
        await self._send(answer, headers, signed, send)

    def _verify(self, scope: Scope, headers: dict[str, str], body: bytes) -> SignedBy:
        """Who signed; whether that may be is asked next, so that refusals can be sealed."""
        keyid = signer_of(headers)
        path = scope.get("raw_path") or scope["path"].encode()
        query = scope["query_string"]
        url = "http://central" + (path + (b"?" + query if query else b"")).decode("latin-1")
        if scope["path"] == ENROL_PATH:
            if keyid != ENROL_KEYID:
                raise CentralFault("unknown_key", "enrolment is signed with keyid enrol")
            public = _enrol_public(body)
        else:
            public = self._public_of(keyid)
        return verify_request(scope["method"], url, headers, body, public)

    def _admit(self, signed: SignedBy) -> None:
        check_clock(signed.created, self._central.clock())
        remember = partial(_remember, signed, self._central.now())
        try:
            self._central.database.write(remember, quiet=True)
        except IntegrityError as fault:
            if not is_duplicate(fault):
                raise
            raise CentralFault("replayed", "this request was made before") from None

    def _public_of(self, keyid: str) -> Ed25519PublicKey:
        caller = _caller(keyid)
        with self._central.database.read() as connection:
            public = connection.execute(
                select(kiosk_gen.c.public).where(
                    kiosk_gen.c.kiosk == caller.kiosk, kiosk_gen.c.gen == caller.gen
                )
            ).scalar()
        if public is None:
            raise CentralFault("unknown_key", "no kiosk is registered under this key id")
        return Ed25519PublicKey.from_public_bytes(public)

    async def _run(self, scope: Scope, body: bytes, receive: Receive) -> _Answer:
        answer = _Answer(500, {}, b"")
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def read() -> Message:
            return waiting.pop() if waiting else await receive()

        async def write(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.lower(): value for name, value in message.get("headers", [])}
            elif message["type"] == "http.response.body":
                answer.body += message.get("body", b"")

        await self._app(scope, read, write)
        return answer

    async def _send(
        self, answer: _Answer, asked: dict[str, str], signed: SignedBy | None, send: Send
    ) -> None:
        body = answer.body
        headers = {b"content-type": b"application/json"} | answer.headers
        headers |= {b"cache-control": b"no-store", b"vary": b"accept-encoding"}
        if signed is not None:
            key = self._central.keys.central
            headers[ANSWER_HEADER.lower().encode()] = seal_answer(
                key.private,
                key.kid,
                nonce=signed.nonce,
                time_ms=int(self._central.clock() * 1000),
                status=answer.status,
                body=body,
            ).encode()
        coding = _coding(asked.get("accept-encoding", "")) if len(body) >= MIN_COMPRESSED else ""
        if coding:
            body = await run_in_threadpool(_compress, coding, body)
            headers[b"content-encoding"] = coding.encode()
        headers[b"content-length"] = str(len(body)).encode()
        await send({"type": "http.response.start", "status": answer.status, "headers": list(headers.items())})
        await send({"type": "http.response.body", "body": body})


@dataclass(slots=True)
class _Answer:
    status: int
    headers: dict[bytes, bytes]
    body: bytes


def _headers(scope: Scope) -> dict[str, str]:
    """Header fields; of one that stands twice, both values joined (RFC 9110 section 5.3)."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


async def _body(headers: dict[str, str], receive: Receive) -> bytes:
    announced = headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        raise CentralFault("body_too_large", f"at most {MAX_BODY_BYTES} bytes")
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise CentralFault("body_invalid", "the request was cut off")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY_BYTES:
            raise CentralFault("body_too_large", f"at most {MAX_BODY_BYTES} bytes")
        if not message.get("more_body", False):
            return b"".join(parts)


def _caller(keyid: str) -> Caller:
    if keyid == ENROL_KEYID:
        return Caller("", 0)
    kiosk_id, _, gen = keyid.rpartition(".")
    if not kiosk_id or len(kiosk_id) > 8 or not gen.isdecimal() or len(gen) > 9 or not kiosk_id.isalnum():
        raise CentralFault("unknown_key", "a key id is <kiosk>.<generation>")
    return Caller(kiosk_id, int(gen))


def _enrol_public(body: bytes) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(EnrolRequest.model_validate_json(body).public)
    except ValidationError:
        raise CentralFault("body_invalid", "not an enrolment request") from None


def _remember(signed: SignedBy, now: int, connection: Connection) -> None:
    connection.execute(insert(nonce).values(keyid=signed.keyid, nonce=signed.nonce, seen_at=now))


def _coding(accepted: str) -> str:
    """``zstd``, else ``gzip``, else none, by RFC 9110 section 12.5.3."""
    named: set[str] = set()
    for part in accepted.lower().split(","):
        name, _, parameters = part.partition(";")
        if parameters.replace(" ", "").rstrip("0").rstrip(".") != "q=":
            named.add(name.strip())
    return next((coding for coding in ("zstd", "gzip") if coding in named), "")


def _compress(coding: str, body: bytes) -> bytes:
    if coding == "zstd":
        return zstandard.ZstdCompressor(level=3).compress(body)
    return gzip.compress(body, compresslevel=5, mtime=0)
