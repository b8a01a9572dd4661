"""A loopback server that answers what a test has put down, byte by byte if it likes."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.signature import seal_answer

CENTRAL_KID = b"c-now"
REASONS = {200: "OK", 302: "Found", 401: "Unauthorized", 403: "Forbidden", 410: "Gone", 500: "Error"}


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def nonce(self) -> str:
        """The nonce the kiosk signed."""
        return self.headers["signature-input"].split('nonce="')[1].split('"')[0]


Answer = Callable[["Connection", Asked], None]


@dataclass
class Connection:
    """What an answer writes to."""

    raw: socket.socket
    stopping: threading.Event
    key: Ed25519PrivateKey

    def send(self, data: bytes) -> None:
        """Bytes as they are."""
        self.raw.sendall(data)

    def head(self, status: int, **headers: str) -> None:
        """A status line and headers; underscores stand for hyphens."""
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'X')}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def plain(self, status: int, body: bytes, **headers: str) -> None:
        """A whole answer that nobody signed."""
        self.head(status, Content_Length=str(len(body)), **headers)
        self.send(body)

    def signed(
        self,
        asked: Asked,
        status: int,
        body: bytes,
        *,
        sent: bytes | None = None,
        nonce: str = "",
        **headers: str,
    ) -> None:
        """Central's own answer; ``sent`` goes out in the body's place, such as its compressed form."""
        self.plain(
            status,
            body if sent is None else sent,
            KMC_Answer=self.seal(asked, status, body, nonce),
            **headers,
        )

    def seal(
        self, asked: Asked, status: int, body: bytes, nonce: str = "", time_ms: int = 1_795_500_000_000
    ) -> str:
        """Central's seal."""
        nonce = nonce or asked.nonce
        return seal_answer(self.key, CENTRAL_KID, nonce=nonce, time_ms=time_ms, status=status, body=body)


def refusal(code: str, message: str = "no") -> bytes:
    """An error's body."""
    return json.dumps({"code": code, "message": message}).encode()


@dataclass
class ScriptedServer:
    """Answers each request with ``answer``; connections are kept alive until it closes them."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    answer: Answer = lambda connection, asked: connection.plain(500, b"")
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads: list[threading.Thread] = []

    @contextmanager
    def running(self) -> Iterator[ScriptedServer]:
        """Serves until the block ends."""
        accepting = threading.Thread(target=self._accept)
        accepting.start()
        try:
            yield self
        finally:
            self.stopping.set()
            accepting.join()
            for thread in self._threads:
                thread.join()
            self._listener.close()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                raw, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(raw,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, raw: socket.socket) -> None:
        raw.settimeout(0.05)
        with raw:
            while not self.stopping.is_set():
                asked = self._read(raw)
                if asked is None:
                    return
                self.asked.append(asked)
                try:
                    self.answer(Connection(raw, self.stopping, self.key), asked)
                except OSError:
                    return

    def _read(self, raw: socket.socket) -> Asked | None:
        data = b""
        while b"\r\n\r\n" not in data:
            part = self._receive(raw)
            if not part:
                return None
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        while len(body) < int(headers.get("content-length", "0")):
            part = self._receive(raw)
            if not part:
                return None
            body += part
        method, path, _ = first.split(" ")
        return Asked(method, path, headers, body)

    def _receive(self, raw: socket.socket) -> bytes:
        while not self.stopping.is_set():
            try:
                return raw.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                return b""
        return b""
