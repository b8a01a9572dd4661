"""The kiosk's side of the wire: one signed call at a time, every answer checked before it is believed."""

from __future__ import annotations

import http.client
import re
import ssl
import time
import zlib
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, ValidationError

from kiosk.clock import Clock
from kiosk.errors import CentralFault
from sync.signature import KeyFor, keyid_of, new_nonce, open_answer, sign_request
from sync.wire import (
    ANSWER_HEADER,
    ChangesAnswer,
    ErrorAnswer,
    JournalAnswer,
    JournalRequest,
    PollAnswer,
    PollRequest,
    RightsAnswer,
    RightsRequest,
)

MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024
READ_BYTES: Final = 64 * 1024
CONNECT_TIMEOUT_S: Final = 5.0
ZSTD_WINDOW_BYTES: Final = 8 * 1024 * 1024
"""Largest window a receiver should have to support (RFC 8878 section 3.1.1.1.2)."""
MAX_RETRY_AFTER_S: Final = 300
MAX_DIGITS: Final = 9
UNSIGNED_CODES: Final = (
    "unknown_key", "bad_signature", "signature_missing", "body_too_large", "body_invalid",
)  # fmt: skip
"""What central says before it knows who asks; nothing follows from them but trying again."""
_CODE: Final = re.compile(r"[a-z_]{1,40}")
ModelT = TypeVar("ModelT", bound=BaseModel)


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
    ) -> None:
        self.url = url.rstrip("/")
        self.central_time: CentralTime | None = None
        self._keyid = keyid_of(kiosk, gen)
        self._key = key
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

    def changes(self, cursor: str) -> ChangesAnswer:
        """``GET /v1/changes``. A cursor of another incarnation: CentralFault ``cursor_gone``."""
        body = self._call(
            "GET", "/v1/changes" + (f"?cursor={cursor}" if cursor else ""), b"", self._timeout_s
        )
        return parse_answer(body, ChangesAnswer)

    def _post(self, path: str, request: BaseModel, answer: type[ModelT], timeout_s: float) -> ModelT:
        body = request.model_dump_json().encode()
        return parse_answer(self._call("POST", path, body, timeout_s), answer)

    def _call(self, method: str, path: str, body: bytes, timeout_s: float) -> bytes:
        if not is_address(self.url):
            raise CentralFault("central_unreachable", "central's address is none", why="address")
        if self._session is None:
            self._session = new_session(self._ca_file, self._proxy)
        nonce = new_nonce()
        url = self.url + path
        headers = sign_request(
            method, url, body, self._key, self._keyid, nonce=nonce, created=self._clock.now().timestamp()
        )
        status, answer_headers, answer = send(self._session, method, url, headers, body, timeout_s)
        seal = open_answer_or_name_it(status, answer_headers, answer, nonce, self._key_for)
        self.central_time = CentralTime(seal, self._clock.monotonic_ms())
        if status >= 400:
            raise refused(status, answer_headers, answer)
        return answer


def new_session(ca_file: str = "", proxy: str = "") -> requests.Session:
    """A session that keeps its connection and takes nothing from the environment.

    Raises CentralFault ``central_unreachable`` (detail ``why`` is ``proxy``) for a proxy without an address,
    ``central_certificate`` for a file of certificates that is none.
    """
    if proxy and not is_address(proxy):
        raise CentralFault("central_unreachable", "the proxy's address is none", why="proxy")
    if ca_file:
        try:
            ssl.create_default_context(cafile=ca_file)
        except OSError as error:
            raise CentralFault(
                "central_certificate", f"{ca_file}: {_reason(error)}", why="ca_file"
            ) from error
    session = requests.Session()
    session.trust_env = False
    if proxy:
        session.proxies = {"http": proxy, "https": proxy}
    if ca_file:
        session.verify = ca_file
    return session


def is_address(url: str) -> bool:
    """True if this is an http or https address with a host that can be one."""
    try:
        parts = urlsplit(url)
        named = (parts.hostname or "").encode("idna")
        return parts.scheme in ("http", "https") and bool(named) and (parts.port is None or parts.port > 0)
    except (ValueError, UnicodeError):
        return False


def send(
    session: requests.Session,
    method: str,
    url: str,
    headers: dict[str, str],
    body: bytes,
    timeout_s: float,
) -> tuple[int, dict[str, str], bytes]:
    """One HTTP exchange: status, headers and the decoded body, at most MAX_ANSWER_BYTES.

    Once the headers are there, the whole body has to come within ``timeout_s``; a server that sends one byte
    at a time holds nobody up for longer. Raises CentralFault: ``central_unreachable`` (detail ``why``),
    ``central_certificate``, ``answer_cut``, ``answer_too_large``. No message of these names a proxy's
    password or a body.
    """
    send_headers = {**headers, "Accept-Encoding": "zstd, gzip", "Accept": "application/json"}
    if body:
        send_headers["Content-Type"] = "application/json"
    try:
        with session.request(
            method,
            url,
            data=body or None,
            headers=send_headers,
            timeout=(min(timeout_s, CONNECT_TIMEOUT_S), timeout_s),
            stream=True,
            allow_redirects=False,
        ) as response:
            raw = _read_body(response, time.monotonic() + timeout_s)
            found = {name.lower(): value for name, value in response.headers.items()}
            return response.status_code, found, _decoded(raw, found.get("content-encoding", ""))
    except requests.exceptions.SSLError as error:
        raise CentralFault("central_certificate", _reason(error)) from error
    except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise CentralFault("central_unreachable", "no answer in time", why="timeout") from error
    except requests.exceptions.RequestException as error:
        raise CentralFault("central_unreachable", _reason(error), why=type(error).__name__) from error
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
        raise CentralFault("answer_cut", _reason(error)) from error
    except UnicodeError as error:  # a host name that cannot be one
        raise CentralFault("central_unreachable", "the address is none", why="UnicodeError") from error


def _read_body(response: requests.Response, deadline: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := response.raw.read1(READ_BYTES, decode_content=False):
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise CentralFault("answer_too_large", f"over {MAX_ANSWER_BYTES} bytes")
        if time.monotonic() > deadline:
            raise CentralFault("central_unreachable", "no answer in time", why="timeout")
    expected = number_of(response.headers.get("Content-Length", ""))
    if expected is not None and size < expected:
        raise CentralFault("answer_cut", f"{size} of {expected} bytes")
    return b"".join(parts)


def _decoded(raw: bytes, encoding: str) -> bytes:
    try:
        if encoding == "zstd":
            decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
            data = decompressor.stream_reader(raw).read(MAX_ANSWER_BYTES + 1)
        elif encoding == "gzip":
            stream = zlib.decompressobj(31)
            data = stream.decompress(raw, MAX_ANSWER_BYTES + 1)
            if not stream.eof and len(data) <= MAX_ANSWER_BYTES:
                raise CentralFault("answer_cut", "gzip: it ends too early")
        else:
            return raw
    except (zstandard.ZstdError, zlib.error, MemoryError) as error:
        raise CentralFault("answer_cut", f"{encoding}: {type(error).__name__}") from error
    if len(data) > MAX_ANSWER_BYTES:
        raise CentralFault("answer_too_large", f"over {MAX_ANSWER_BYTES} bytes inflated")
    return data


def number_of(text: str) -> int | None:
    """The number of a header such as ``Retry-After``; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None


def _reason(error: BaseException) -> str:
    """What went wrong beneath the libraries' wrappers, without addresses and what may stand in them."""
    causes = [error]
    while (inner := _cause_of(causes[-1])) is not None and inner not in causes:
        causes.append(inner)
    told = [str(one.strerror) for one in causes if isinstance(one, OSError) and one.strerror]
    return ": ".join([type(causes[-1]).__name__, *told[-1:]])


def _cause_of(error: BaseException) -> BaseException | None:
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return reason
    wrapped = next((part for part in reversed(error.args) if isinstance(part, BaseException)), None)
    return wrapped or error.__cause__ or error.__context__


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
