"""A bad line between a kiosk and central: requests are lost, cut, doubled, overtaken, held up, hijacked."""

from __future__ import annotations

import dataclasses
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.e2e.loopback import Asked, Reply, forward

HTML = b"<html><title>Free Wi-Fi</title><form action=/login></form></html>"
PAGE = {"Content-Type": "text/html; charset=utf-8"}
JSON = {"Content-Type": "application/json"}


class Ended(Enum):
    """How a connection ends without an answer."""

    CLOSED = "closed"
    RESET = "reset"


Fault = Callable[["Line", Asked], Reply | Ended]
"""What becomes of one request."""


class Line:
    """What stands between a kiosk and central. Requests meet the faults that ``fail`` lays out, else none."""

    def __init__(self, central: Callable[[], str]) -> None:
        self.url = ""
        self.requests = 0
        self.late: list[Asked] = []
        """Requests that are on their way still."""
        self.over = threading.Event()
        self._central = central
        self._faults: list[tuple[str, Fault]] = []
        self._choose: Callable[[Asked], Fault] | None = None
        self._lock = threading.Lock()

    def fail(self, *faults: Fault, on: str = "/") -> None:
        """The next requests to paths that begin with ``on`` meet these faults, one each."""
        with self._lock:
            self._faults += [(on, fault) for fault in faults]

    def fail_as(self, choose: Callable[[Asked], Fault] | None) -> None:
        """Every request meets what ``choose`` says; None: the line is good again."""
        with self._lock:
            self._choose = choose

    @property
    def waiting(self) -> int:
        """Faults laid out that no request has met."""
        return len(self._faults)

    def forward(self, asked: Asked) -> Reply:
        """What central answers."""
        return forward(self._central(), asked)

    def answer(self, asked: Asked) -> Reply | Ended:
        """What becomes of a request."""
        with self._lock:
            self.requests += 1
            found = next((one for one in self._faults if asked.path.startswith(one[0])), None)
            if found:
                self._faults.remove(found)
            fault = found[1] if found else self._choose(asked) if self._choose else passed
        return fault(self, asked)

    def arrive(self) -> list[Reply]:
        """What was on its way still arrives at central, the newest first; answers what central said."""
        late, self.late = self.late[::-1], []
        return [self.forward(asked) for asked in late]


def passed(line: Line, asked: Asked) -> Reply | Ended:
    """Nothing happens to it; a central that is away is a closed connection."""
    try:
        return line.forward(asked)
    except OSError:
        return Ended.CLOSED


def lost(line: Line, asked: Asked) -> Ended:
    """It never arrives."""
    return Ended.CLOSED


def reset(line: Line, asked: Asked) -> Ended:
    """It never arrives, and the connection is reset."""
    return Ended.RESET


def unanswered(line: Line, asked: Asked) -> Ended:
    """Central does it; the answer is lost."""
    line.forward(asked)
    return Ended.CLOSED


def reset_after(line: Line, asked: Asked) -> Ended:
    """Central does it; the connection is reset."""
    line.forward(asked)
    return Ended.RESET


def cut(line: Line, asked: Asked) -> Reply:
    """Central does it; half of the answer arrives."""
    reply = line.forward(asked)
    return dataclasses.replace(reply, cut=len(reply.body) // 2)


def doubled(line: Line, asked: Asked) -> Reply:
    """It arrives twice; the first answer comes back."""
    reply = line.forward(asked)
    line.forward(asked)
    return reply


def doubled_second(line: Line, asked: Asked) -> Reply:
    """It arrives twice; the second answer comes back."""
    line.forward(asked)
    return line.forward(asked)


def overtaken(line: Line, asked: Asked) -> Ended:
    """It arrives when ``Line.arrive`` says so, after what was sent later."""
    line.late.append(asked)
    return Ended.CLOSED


def delayed(seconds: float) -> Fault:
    """It takes its time."""

    def fault(line: Line, asked: Asked) -> Reply | Ended:
        line.over.wait(seconds)
        return passed(line, asked)

    return fault


def says(status: int, body: bytes = HTML, headers: dict[str, str] | None = None) -> Fault:
    """Somebody between answers."""
    return lambda _line, _asked: Reply(status, body, PAGE if headers is None else headers)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    line: Line

    def handle_one(self) -> None:
        """Answers whatever the method."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        reply = self.line.answer(Asked(self.command, self.path, dict(self.headers.items()), body))
        self.close_connection = isinstance(reply, Ended) or reply.cut is not None
        if reply is Ended.RESET:
            # A linger of zero seconds makes close() send a reset (socket(7)).
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())
        if isinstance(reply, Ended):
            return
        self.send_response_only(reply.status)
        for name, value in (reply.headers | {"Content-Length": str(len(reply.body))}).items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(reply.body[: reply.cut])
        except OSError:
            self.close_connection = True  # the kiosk has not waited for it

    do_GET = do_POST = handle_one  # noqa: N815  names that http.server looks for


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # what is still on its way arrives before the line is taken down
    context: ssl.SSLContext | None = None

    def finish_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        """The handshake is the connection's own thread's, so that a bad one holds up nobody."""
        if self.context is None:
            super().finish_request(request, client_address)
            return
        try:
            with self.context.wrap_socket(request, server_side=True) as wrapped:
                super().finish_request(wrapped, client_address)
        except OSError:
            return  # a kiosk that does not like the certificate hangs up, which is what the test is about


@contextmanager
def bad_line(central: Callable[[], str], context: ssl.SSLContext | None = None) -> Iterator[Line]:
    """Serves a line on a free port of loopback, with TLS if a context is given."""
    line = Line(central)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"line": line}))
    server.context = context
    line.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield line
    finally:
        line.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
