"""The kiosk's side of the wire: one signed call at a time, every answer checked before it is believed."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import requests
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

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
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
        self._session = new_session(ca_file, proxy)

    def close(self) -> None:
        """Closes the connection; a call under way in another thread ends with a fault."""
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
        return _parse(body, ChangesAnswer)

    def _post(self, path: str, request: BaseModel, answer: type[ModelT], timeout_s: float) -> ModelT:
        body = request.model_dump_json().encode()
        return _parse(self._call("POST", path, body, timeout_s), answer)

    def _call(self, method: str, path: str, body: bytes, timeout_s: float) -> bytes:
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
    """A session that keeps its connection and takes nothing from the environment."""
    session = requests.Session()
    session.trust_env = False
    if proxy:
        session.proxies = {"http": proxy, "https": proxy}
    if ca_file:
        session.verify = ca_file
    return session


def send(
    session: requests.Session,
    method: str,
    url: str,
    headers: dict[str, str],
    body: bytes,
    timeout_s: float,
) -> tuple[int, dict[str, str], bytes]:
    """One HTTP exchange: status, headers and the decoded body, at most MAX_ANSWER_BYTES.

    Raises CentralFault: ``central_unreachable``, ``central_certificate``, ``answer_cut``,
    ``answer_too_large``.
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
            timeout=(min(timeout_s, 5.0), timeout_s),
            stream=True,
            allow_redirects=False,
        ) as response:
            raw = response.raw.read(MAX_ANSWER_BYTES + 1, decode_content=False)
            expected = response.headers.get("Content-Length")
            if expected is not None and expected.isdigit() and len(raw) < int(expected):
                raise CentralFault("answer_cut", f"{len(raw)} of {expected} bytes")
            found = {name.lower(): value for name, value in response.headers.items()}
            return response.status_code, found, _decoded(raw, found.get("content-encoding", ""))
    except requests.exceptions.SSLError as error:
        raise CentralFault("central_certificate", str(error)) from error
    except requests.exceptions.Timeout as error:
        raise CentralFault("central_unreachable", "no answer in time", why="timeout") from error
    except requests.exceptions.RequestException as error:
        raise CentralFault("central_unreachable", str(error), why=type(error).__name__) from error
    except OSError as error:  # urllib3's own errors, raised while the body streams
        raise CentralFault("answer_cut", str(error)) from error
    except Exception as error:
        if type(error).__module__.startswith("urllib3"):
            raise CentralFault("answer_cut", str(error)) from error
        raise


def _decoded(raw: bytes, encoding: str) -> bytes:
    if len(raw) > MAX_ANSWER_BYTES:
        raise CentralFault("answer_too_large", f"over {MAX_ANSWER_BYTES} bytes")
    try:
        if encoding == "zstd":
            reader = zstandard.ZstdDecompressor().stream_reader(raw)
            data = reader.read(MAX_ANSWER_BYTES + 1)
        elif encoding == "gzip":
            data = zlib.decompressobj(31).decompress(raw, MAX_ANSWER_BYTES + 1)
        else:
            return raw
    except (zstandard.ZstdError, zlib.error) as error:
        raise CentralFault("answer_cut", f"{encoding}: {error}") from error
    if len(data) > MAX_ANSWER_BYTES:
        raise CentralFault("answer_too_large", f"over {MAX_ANSWER_BYTES} bytes inflated")
    return data


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


def refused(status: int, headers: dict[str, str], body: bytes, *, signed: bool = True) -> CentralFault:
    """The fault that an error answer stands for; its code is central's own where it gives one.

    ``signed`` goes into the detail: only a signed refusal may have consequences beyond trying again.
    """
    retry_after = headers.get("retry-after", "")
    detail: dict[str, Any] = {"status": status, "signed": signed}
    if retry_after.isdigit():
        detail["retry_after_s"] = int(retry_after)
    try:
        told = ErrorAnswer.model_validate_json(body)
    except ValidationError:
        code = "central_error" if status >= 500 else "central_refused"
        return CentralFault(code, f"HTTP {status}", **detail)
    return CentralFault(told.code, told.message, **detail)


def _parse(body: bytes, model: type[ModelT]) -> ModelT:
    try:
        return model.model_validate_json(body)
    except (ValidationError, json.JSONDecodeError) as error:
        raise CentralFault("answer_not_understood", f"{model.__name__}: {error}"[:500]) from error
