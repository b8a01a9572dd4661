"""Servers on loopback that answer as a test says: a captive portal, a broken proxy, a line that drops."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """One answer. ``cut`` ends the connection after so many bytes of the body."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


Answering = Callable[[Asked], Reply | None]
"""None ends the connection without a word."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answering: Answering

    def handle_one(self) -> None:
        """Answers whatever the method."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        reply = self.answering(Asked(self.command, self.path, dict(self.headers.items()), body))
        self.close_connection = reply is None or reply.cut is not None
        if reply is None:
            return
        self.send_response_only(reply.status)
        for name, value in (reply.headers | {"Content-Length": str(len(reply.body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body[: reply.cut])

    do_GET = do_POST = handle_one  # noqa: N815  names that http.server looks for


@contextmanager
def answering(answer: Answering) -> Iterator[str]:
    """Serves on a free port of loopback; gives the address."""
    handler = type("Handler", (_Handler,), {"answering": staticmethod(answer)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


def forward(url: str, asked: Asked) -> Reply:
    """What the server at ``url`` answers to the same request."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request(asked.method, asked.path, asked.body or None, asked.headers)
        response = connection.getresponse()
        headers = {name: value for name, value in response.getheaders() if name.lower() not in _HOP}
        return Reply(response.status, response.read(), headers)
    finally:
        connection.close()
