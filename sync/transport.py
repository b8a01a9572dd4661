"""One HTTP exchange, bounded in time and size; every way it can fail has its own code."""

from __future__ import annotations

import http.client
import ssl
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

import requests
import urllib3
import zstandard
from urllib3.util import SKIP_HEADER

from kiosk.errors import CentralFault

MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024
READ_BYTES: Final = 64 * 1024
CONNECT_TIMEOUT_S: Final = 5.0
STREAM_S: Final = 120.0
"""For one piece of a large file, on a slow line."""
ZSTD_WINDOW_BYTES: Final = 8 * 1024 * 1024
"""Largest window a receiver should have to support (RFC 8878 section 3.1.1.1.2)."""
MAX_DIGITS: Final = 9


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
    # Said by nobody's need: an idle kiosk's poll is mostly headers.
    session.headers.clear()
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
    # Else urllib3 names itself.
    send_headers = {**headers, "Accept-Encoding": "zstd, gzip", "User-Agent": SKIP_HEADER}
    if body:
        send_headers["Content-Type"] = "application/json"
    with (
        _faults(),
        session.request(
            method,
            url,
            data=body or None,
            headers=send_headers,
            timeout=(min(timeout_s, CONNECT_TIMEOUT_S), timeout_s),
            stream=True,
            allow_redirects=False,
        ) as response,
    ):
        raw = _read_body(response, time.monotonic() + timeout_s)
        found = {name.lower(): value for name, value in response.headers.items()}
        return response.status_code, found, _decoded(raw, found.get("content-encoding", ""))


@contextmanager
def _faults() -> Iterator[None]:
    """Turns the libraries' errors into CentralFault."""
    try:
        yield
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


def stream(
    session: requests.Session,
    url: str,
    headers: dict[str, str],
    timeout_s: float,
    on_headers: Callable[[int, dict[str, str]], None],
    on_bytes: Callable[[bytes], None],
) -> None:
    """One GET whose body is handed on as it comes, not decoded; ``on_headers`` may refuse it first.

    A server that is silent for ``timeout_s``, or needs longer than STREAM_S in all, is given up. What came
    until then has been handed on. Raises CentralFault as ``send`` does.
    """
    with (
        _faults(),
        session.get(
            url,
            headers={**headers, "Accept-Encoding": "identity"},
            timeout=(min(timeout_s, CONNECT_TIMEOUT_S), timeout_s),
            stream=True,
            allow_redirects=False,
        ) as response,
    ):
        on_headers(response.status_code, {name.lower(): value for name, value in response.headers.items()})
        deadline, size = time.monotonic() + STREAM_S, 0
        while part := response.raw.read1(READ_BYTES, decode_content=False):
            size += len(part)
            on_bytes(part)
            if time.monotonic() > deadline:
                raise CentralFault("central_unreachable", "no answer in time", why="timeout")
        expected = number_of(response.headers.get("Content-Length", ""))
        if expected is not None and size < expected:
            raise CentralFault("answer_cut", f"{size} of {expected} bytes")


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
