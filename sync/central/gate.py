"""The door of ``/v1``: size, signature, replay and clock on the way in; seal and compression going out."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from kiosk.errors import CentralFault, EnvironmentFault, KioskError
from sync.central import bodies, key_rows
from sync.central.admission import Admission, caller_of
from sync.central.bodies import Message, Receive
from sync.central.key_rows import DeviceKey
from sync.central.limits import Limits, OutOfLine, check_depth
from sync.central.state import Central
from sync.signature import ENROL_KEYID, SignedBy, check_clock, seal_answer, signer_of, verify_request
from sync.snapshot_format import MEDIA_TYPE
from sync.wire import ANSWER_HEADER, EnrolRequest, ErrorAnswer

Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

UNSIGNED_PATHS: Final = ("/v1/health", "/v1/keyset")
ENROL_PATH: Final = "/v1/enrol"
JOURNAL_PATH: Final = "/v1/journal"
MIN_COMPRESSED: Final = 512
TROUBLE_RETRY_S: Final = 5
"""When a kiosk may ask again after trouble of central's own."""
STATUS: Final = {
    "signature_missing": 401,
    "unknown_key": 401,
    "bad_signature": 401,
    "replayed": 401,
    "clock": 401,
    "ticket_malformed": 403,
    "ticket_foreign": 403,
    "ticket_unknown": 403,
    "ticket_expired": 403,
    "ticket_used": 403,
    "key_used": 403,
    "kiosk_revoked": 403,
    "kiosk_frozen": 403,
    "kiosk_stopped": 403,
    "stale_gen": 403,
    "key_rolled": 403,
    "unknown_gen": 404,
    "cursor_malformed": 400,
    "cursor_gone": 410,
    "not_followed": 403,
    "snapshot_gone": 404,
    "range_unsatisfiable": 416,
    "lookup_too_often": 429,
    "snapshot_later": 503,
    "too_many_requests": 429,
    "central_busy": 503,
    "body_slow": 408,
    "length_required": 411,
    "body_too_large": 413,
    "body_too_deep": 422,
    "too_many_records": 413,
    "body_invalid": 422,
}

logger = logging.getLogger(__name__)


def status_of(fault: KioskError) -> int:
    """The HTTP status of a fault; trouble of central's own is 503."""
    return 503 if isinstance(fault, EnvironmentFault) else STATUS.get(fault.code, 400)


def error_body(code: str, message: str) -> bytes:
    """The body of an answer that is not 2xx."""
    return ErrorAnswer(code=code, message=message).model_dump_json().encode()


class Gate:
    """Wraps the routes; paths outside ``/v1`` pass untouched."""

    def __init__(self, app: App, central: Central, limits: Limits | None = None) -> None:
        self._app = app
        self._central = central
        self._limits = limits or Limits()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        try:
            pushes = scope["path"] == JOURNAL_PATH
            async with self._limits.line(headers) if pushes else nullcontext(), self._limits.room(headers):
                answer, signed = await self._answer(scope, headers, receive)
        except OutOfLine as fault:
            # Nothing of it is looked at or kept, but who still sends does not hear an answer.
            with suppress(CentralFault):
                await bodies.pass_over(receive, self._limits.rules.body_s)
            answer, signed = _refusal(fault), None
        except CentralFault as fault:
            answer, signed = _refusal(fault), None
        await self._send(answer, headers, signed, send)

    async def _answer(
        self, scope: Scope, headers: dict[str, str], receive: Receive
    ) -> tuple[_Answer, SignedBy | None]:
        signed: SignedBy | None = None
        try:
            body = await bodies.take(headers, receive, self._limits.rules.body_s)
            if scope["path"] in UNSIGNED_PATHS:
                return await self._run(scope, body, receive), None
            by, keys, public = await run_in_threadpool(self._verify, scope, headers, body)
            signed = by
            self._limits.count(by.keyid)
            check_depth(body)
            first_by = public if keys and key_rows.is_first_use(keys, public) else b""
            admission = Admission(by, self._central.now(), first_by)
            async with self._limits.place(len(body)) if scope["path"] == JOURNAL_PATH else nullcontext():
                await run_in_threadpool(self._admit, admission, scope["path"], keys, public)
                scope.setdefault("state", {})["admission"] = admission
                answer = await self._run(scope, body, receive)
                if not admission.kept and answer.status < 500:
                    # A push that was refused: its transaction kept nothing.
                    await run_in_threadpool(self._keep, admission)
                return answer, signed
        except (CentralFault, EnvironmentFault) as fault:
            if isinstance(fault, EnvironmentFault):
                logger.error("%s", fault)
            return _refusal(fault), signed

    def _verify(
        self, scope: Scope, headers: dict[str, str], body: bytes
    ) -> tuple[SignedBy, list[DeviceKey], bytes]:
        """Who signed, and by which of its keys; whether that may be is asked next: refusals can be sealed."""
        keyid = signer_of(headers)
        path = scope.get("raw_path") or scope["path"].encode()
        query = scope["query_string"]
        url = "http://central" + (path + (b"?" + query if query else b"")).decode("latin-1")
        if scope["path"] == ENROL_PATH:
            if keyid != ENROL_KEYID:
                raise CentralFault("unknown_key", "enrolment is signed with keyid enrol")
            public = _enrol_public(body)
            return verify_request(scope["method"], url, headers, body, _loaded(public)), [], public
        keys = self._keys_of(keyid)
        tried: set[bytes] = set()
        for key in reversed(keys):
            if key.public in tried:
                continue
            tried.add(key.public)
            try:
                signed = verify_request(scope["method"], url, headers, body, _loaded(key.public))
            except CentralFault as fault:
                if fault.code != "bad_signature":
                    raise
                continue
            return signed, keys, key.public
        raise CentralFault("bad_signature", "the request's signature does not hold")

    def _admit(self, admission: Admission, path: str, keys: list[DeviceKey], public: bytes) -> None:
        check_clock(admission.signed.created, self._central.clock())
        if path == JOURNAL_PATH:
            return
        self._keep(admission)
        if keys and not key_rows.may_ask(keys, public):
            raise CentralFault("key_rolled", "this kiosk signs by another key since; its journal is taken")

    def _keep(self, admission: Admission) -> None:
        self._central.database.write(admission.keep, quiet=True)
        admission.kept = True

    def _keys_of(self, keyid: str) -> list[DeviceKey]:
        caller = caller_of(keyid)
        with self._central.database.read() as connection:
            keys = key_rows.of_generation(connection, caller.kiosk, caller.gen)
        if not keys:
            raise CentralFault("unknown_key", "no kiosk is registered under this key id")
        return keys

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
        packed_already = headers[b"content-type"] == MEDIA_TYPE.encode()
        small = len(body) < MIN_COMPRESSED
        coding = "" if small or packed_already else _coding(asked.get("accept-encoding", ""))
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


def retry_after(fault: KioskError) -> str | None:
    """The value of ``Retry-After`` (seconds, RFC 9110 section 10.2.3); None where asking again is no use."""
    if isinstance(fault, EnvironmentFault):
        return str(TROUBLE_RETRY_S)
    retry_after_s = fault.detail.get("retry_after_s")
    return None if retry_after_s is None else str(retry_after_s)


def _refusal(fault: KioskError) -> _Answer:
    wait = retry_after(fault)
    headers = {} if wait is None else {b"retry-after": wait.encode()}
    return _Answer(status_of(fault), headers, error_body(fault.code, fault.message))


def _headers(scope: Scope) -> dict[str, str]:
    """Header fields; of one that stands twice, both values joined (RFC 9110 section 5.3)."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _enrol_public(body: bytes) -> bytes:
    try:
        return EnrolRequest.model_validate_json(body).public
    except ValidationError:
        raise CentralFault("body_invalid", "not an enrolment request") from None


@lru_cache(maxsize=4096)
def _loaded(public: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public)


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
