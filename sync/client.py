"""The kiosk's side of the wire: one signed call at a time, every answer checked before it is believed."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, ValidationError

from kiosk.clock import Clock
from kiosk.errors import CentralFault
from kiosk.keystore import public_of
from sync.signature import KeyFor, keyid_of, new_nonce, open_answer, sign_request
from sync.snapshot_format import PIECE_BYTES
from sync.transport import is_address, new_session, number_of, send, stream
from sync.wire import (
    ANSWER_HEADER,
    ChangesAnswer,
    ErrorAnswer,
    HoldingsAnswer,
    HoldingsRequest,
    JournalAnswer,
    JournalRequest,
    KeysetAnswer,
    LookupAnswer,
    LookupRequest,
    PollAnswer,
    PollRequest,
    RightsAnswer,
    RightsRequest,
    SnapshotManifest,
)

MAX_RETRY_AFTER_S: Final = 300
KEYSET_EVERY_MS: Final = 60_000
"""Between two attempts to fetch the keyset because of answers under an unknown key."""
UNSIGNED_CODES: Final = (
    "unknown_key", "bad_signature", "signature_missing", "body_too_large", "body_invalid",
)  # fmt: skip
"""What central says before it knows who asks; nothing follows from them but trying again."""
MAX_REFUSAL_BYTES: Final = 64 * 1024
KEY_CODES: Final = ("bad_signature", "key_rolled")
"""Central knows this kiosk by another key."""
_SPAN: Final = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")
_CODE: Final = re.compile(r"[a-z_]{1,40}")
log = logging.getLogger(__name__)
ModelT = TypeVar("ModelT", bound=BaseModel)
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class CentralTime:
    """Central's signed time and the monotonic moment at which it came, both in milliseconds."""

    time_ms: int
    mono_ms: int


class CentralClient:
    """Calls central as one enrolled kiosk. Used by one thread: it keeps one connection alive."""

    def __init__(
        self,
        url: str,
        kiosk: str,
        gen: int,
        key: Ed25519PrivateKey,
        key_for: KeyFor,
        clock: Clock,
        *,
        timeout_s: float = 10.0,
        ca_file: str = "",
        proxy: str = "",
        other_keys: Callable[[], Sequence[Ed25519PrivateKey]] = tuple,
        take_keyset: Callable[[bytes], bool] | None = None,
    ) -> None:
        """``other_keys``: what else this device may sign with, where central knows it by another key.

        ``take_keyset`` keeps a newer keyset, for an answer under a key that ``key_for`` does not know.
        """
        self.url = url.rstrip("/")
        self.central_time: CentralTime | None = None
        self._keyid = keyid_of(kiosk, gen)
        self._key = key
        self._other_keys = other_keys
        self._take_keyset = take_keyset
        self._keyset_asked_ms: int | None = None
        self._key_for = key_for
        self._clock = clock
        self._timeout_s = timeout_s
        self._ca_file = ca_file
        self._proxy = proxy
        self._session: requests.Session | None = None

    def close(self) -> None:
        """Closes the connection; a call under way in another thread ends with a fault."""
        if self._session is not None:
            self._session.close()

    def push(self, request: JournalRequest) -> JournalAnswer:
        """``POST /v1/journal``."""
        return self._post("/v1/journal", request, JournalAnswer, self._timeout_s)

    def ask_rights(self, request: RightsRequest, timeout_s: float | None = None) -> RightsAnswer:
        """``POST /v1/rights``."""
        return self._post("/v1/rights", request, RightsAnswer, timeout_s or self._timeout_s)

    def poll(self, request: PollRequest) -> PollAnswer:
        """``POST /v1/poll``; waits up to ``wait_s`` of the request longer than other calls."""
        return self._post("/v1/poll", request, PollAnswer, self._timeout_s + request.wait_s)

    def report(self, request: HoldingsRequest) -> HoldingsAnswer:
        """``POST /v1/holdings``."""
        return self._post("/v1/holdings", request, HoldingsAnswer, self._timeout_s)

    def changes(self, cursor: str) -> ChangesAnswer:
        """``GET /v1/changes``. A cursor of another incarnation: CentralFault ``cursor_gone``."""
        body = self._call(
            "GET", "/v1/changes" + (f"?cursor={cursor}" if cursor else ""), b"", self._timeout_s
        )
        return parse_answer(body, ChangesAnswer)

    def look_up(self, request: LookupRequest, timeout_s: float | None = None) -> LookupAnswer:
        """``POST /v1/lookup``. Too many of them: CentralFault ``lookup_too_often``."""
        return self._post("/v1/lookup", request, LookupAnswer, timeout_s or self._timeout_s)

    def manifest(self, bucket: str) -> bytes:
        """``GET /v1/snapshot/{bucket}``: the signed manifest. CentralFault ``snapshot_later``: being made."""
        body = self._call("GET", f"/v1/snapshot/{bucket}", b"", self._timeout_s)
        return parse_answer(body, SnapshotManifest).manifest

    def snapshot_piece(
        self, bucket: str, gen: int, first: int, size: int, on_bytes: Callable[[bytes], None]
    ) -> None:
        """``GET /v1/snapshot/{bucket}/{gen}`` from byte ``first`` of ``size``; hands them on as they come.

        When it returns, central's seal on the whole piece held. Raises CentralFault: what came until then
        was handed on, to be believed only if the manifest's digest of all bytes holds in the end; after
        ``answer_refused`` none of it.
        """
        last = min(first + PIECE_BYTES, size) - 1
        url = f"{self.url}/v1/snapshot/{bucket}/{gen}"
        # A refusal hands no bytes on, so the same piece can be asked for by another key.
        self._by_a_known_key(lambda key: self._piece(key, url, first, last, size, on_bytes))

    def _piece(
        self,
        key: Ed25519PrivateKey,
        url: str,
        first: int,
        last: int,
        size: int,
        on_bytes: Callable[[bytes], None],
    ) -> None:
        nonce, created = new_nonce(), self._clock.now().timestamp()
        headers = sign_request("GET", url, b"", key, self._keyid, nonce=nonce, created=created)
        digest, seals, refusal = hashlib.sha256(), [""], bytearray()

        def on_headers(status: int, found: dict[str, str]) -> None:
            seals[0] = found.get(ANSWER_HEADER.lower(), "")
            if status != 206:
                refusals.append((status, found))
            elif not _is_span(found.get("content-range", ""), first, last, size):
                raise CentralFault("answer_refused", "other bytes than were asked for")
            elif not seals[0]:
                raise CentralFault("answer_refused", "an unsigned answer")

        def take(data: bytes) -> None:
            if refusals:
                refusal.extend(data[: MAX_REFUSAL_BYTES - len(refusal)])
                return
            digest.update(data)
            on_bytes(data)

        refusals: list[tuple[int, dict[str, str]]] = []
        if self._session is None:
            self._session = new_session(self._ca_file, self._proxy)
        asked = {**headers, "Range": f"bytes={first}-{last}"}
        stream(self._session, url, asked, self._timeout_s, on_headers, take)
        for status, found in refusals:
            body = bytes(refusal)
            self._opened(partial(open_answer_or_name_it, status, found, body, nonce), self._timeout_s)
            raise refused(status, found, body)
        sealed = partial(open_answer, seals[0], nonce=nonce, status=206, body_digest=digest.digest())
        self._opened(lambda key_for: sealed(key_for=key_for), self._timeout_s)

    def _post(self, path: str, request: BaseModel, answer: type[ModelT], timeout_s: float) -> ModelT:
        body = request.model_dump_json(exclude_defaults=True).encode()
        return parse_answer(self._call("POST", path, body, timeout_s), answer)

    def _call(self, method: str, path: str, body: bytes, timeout_s: float) -> bytes:
        if not is_address(self.url):
            raise CentralFault("central_unreachable", "central's address is none", why="address")
        return self._by_a_known_key(lambda key: self._signed_call(key, method, path, body, timeout_s))

    def _has_newer_keyset(self, timeout_s: float) -> bool:
        """Fetches the keyset, which needs no seal since a root key signed it; True if it is a newer one."""
        now_ms, asked_ms = self._clock.monotonic_ms(), self._keyset_asked_ms
        if self._take_keyset is None or self._session is None:
            return False
        if asked_ms is not None and 0 <= now_ms - asked_ms < KEYSET_EVERY_MS:
            return False
        self._keyset_asked_ms = now_ms
        try:
            status, _, body = send(self._session, "GET", self.url + "/v1/keyset", {}, b"", timeout_s)
            return self._take_keyset(_keyset_of(status, body))
        except CentralFault as fault:
            log.warning("no newer keyset: %s", fault.code)
            return False

    def use_key(self, key: Ed25519PrivateKey) -> None:
        """Signs with this key from now on: central has the record that names it."""
        self._key = key

    def _by_a_known_key(self, call: Callable[[Ed25519PrivateKey], ResultT]) -> ResultT:
        """A call by the key that central knows this kiosk by, which is kept; else the first refusal."""
        try:
            return call(self._key)
        except CentralFault as fault:
            if fault.code not in KEY_CODES:
                raise
            first = fault
        tried = public_of(self._key)
        for key in self._other_keys():
            if public_of(key) == tried:
                continue
            try:
                answer = call(key)
            except CentralFault as fault:
                if fault.code not in KEY_CODES:
                    self._key = key
                    raise
                continue
            self._key = key
            return answer
        raise first

    def _opened(self, opening: Callable[[KeyFor], ResultT], timeout_s: float) -> ResultT:
        """Checks an answer's seal; under a key that is not known here, again with the newest keyset."""
        try:
            return opening(self._key_for)
        except CentralFault as fault:
            if fault.detail.get("why") != "unknown_key" or not self._has_newer_keyset(timeout_s):
                raise
        return opening(self._key_for)

    def _signed_call(
        self, key: Ed25519PrivateKey, method: str, path: str, body: bytes, timeout_s: float
    ) -> bytes:
        if self._session is None:
            self._session = new_session(self._ca_file, self._proxy)
        nonce = new_nonce()
        url = self.url + path
        headers = sign_request(
            method, url, body, key, self._keyid, nonce=nonce, created=self._clock.now().timestamp()
        )
        status, answer_headers, answer = send(self._session, method, url, headers, body, timeout_s)
        opening = partial(open_answer_or_name_it, status, answer_headers, answer, nonce)
        seal = self._opened(opening, timeout_s)
        self.central_time = CentralTime(seal, self._clock.monotonic_ms())
        if status >= 400:
            raise refused(status, answer_headers, answer)
        return answer


def _keyset_of(status: int, body: bytes) -> bytes:
    """Raises CentralFault ``keyset_refused`` for an answer without one."""
    try:
        return KeysetAnswer.model_validate_json(body).keyset if status == 200 else b""
    except ValidationError:
        raise CentralFault("keyset_refused", "no keyset where one was asked for", why="malformed") from None


def _is_span(header: str, first: int, last: int, size: int) -> bool:
    """True for a Content-Range (RFC 9110 section 14.4) that begins where it should and goes no further."""
    found = _SPAN.fullmatch(header)
    return found is not None and int(found[1]) == first <= int(found[2]) <= last and int(found[3]) == size


def open_answer_or_name_it(
    status: int, headers: dict[str, str], body: bytes, nonce: str, key_for: KeyFor
) -> int:
    """Central's signed time in milliseconds, if the answer is central's.

    An unsigned answer is nobody's: a captive portal's page, or a proxy's 502. Raises CentralFault
    ``answer_refused`` or, for the unsigned errors a proxy or a starting server gives, ``central_error``.
    """
    header = headers.get(ANSWER_HEADER.lower())
    if header is None:
        if status >= 400:
            raise refused(status, headers, body, signed=False)
        kind = headers.get("content-type", "nothing").split(";")[0]
        raise CentralFault(
            "answer_refused", f"an unsigned answer ({kind}): is it a sign-in page?", status=status
        )
    return open_answer(header, key_for, nonce=nonce, status=status, body=body).time_ms


def refused(
    status: int, headers: dict[str, str], body: bytes, *, signed: bool = True, name_it: bool = False
) -> CentralFault:
    """The fault that an error answer stands for; its code is central's own if signed, or of UNSIGNED_CODES.

    ``signed`` goes into the detail: only a signed refusal may have consequences beyond trying again. What an
    unsigned one says of itself is in the detail ``said``; ``name_it`` makes that the code, for enrolling,
    where nobody can be believed yet and a person reads it.
    """
    detail: dict[str, Any] = {"status": status, "signed": signed}
    retry_after_s = number_of(headers.get("retry-after", ""))
    if retry_after_s is not None:
        detail["retry_after_s"] = min(retry_after_s, MAX_RETRY_AFTER_S)
    try:
        told = ErrorAnswer.model_validate_json(body)
    except ValidationError:
        told = None
    if told is not None and not _CODE.fullmatch(told.code):
        told = None
    if told is not None and (signed or name_it or told.code in UNSIGNED_CODES):
        return CentralFault(told.code, told.message[:500], **detail)
    if told is not None:
        detail["said"] = told.code
    code = "central_error" if status >= 500 else "central_refused"
    return CentralFault(code, f"HTTP {status}" + (f": {detail['said']}" if told else ""), **detail)


def parse_answer(body: bytes, model: type[ModelT]) -> ModelT:
    """The body as a message. Raises CentralFault ``answer_not_understood``, which repeats no value of it."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        places = [".".join(map(str, one["loc"])) for one in error.errors(include_input=False)[:5]]
        raise CentralFault(
            "answer_not_understood", f"{model.__name__} at {', '.join(places)}"[:300]
        ) from None
