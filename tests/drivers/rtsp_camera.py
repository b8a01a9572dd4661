"""A network camera that speaks RTSP (RFC 2326) and sends JPEG in RTP (RFC 2435) over the same connection."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from itertools import count

from drivers.virtual.camera import picture

FRAMES_PER_S = 15
_PIECE_BYTES = 1400
_CLOCK_HZ = 90_000


class RtspCamera:
    """On 127.0.0.1; ``show`` and ``hide`` change what all who look see."""

    def __init__(self) -> None:
        self._pictures: tuple[bytes, bytes] = (picture(None), picture(None))
        self._flowing = threading.Event()
        self._flowing.set()
        self._open: set[socket.socket] = set()
        camera = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                camera.serve(self)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self._server.server_address[1]}/camera"

    def show(self, text: str) -> None:
        self._pictures = (picture(text), picture(text))

    def hide(self) -> None:
        self._pictures = (picture(None), picture(None))

    def stall(self) -> None:
        """No picture follows, and nothing is closed."""
        self._flowing.clear()

    def stop(self) -> None:
        """Unplugged: every connection ends and none is taken."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        self._flowing.set()
        self._server.shutdown()
        self._server.server_close()
        for one in list(self._open):
            one.close()
        self._thread.join()

    def serve(self, asked: socketserver.StreamRequestHandler) -> None:
        """Answers requests until PLAY, then sends pictures until either side is gone."""
        self._open.add(asked.connection)
        try:
            while not self._stopped.is_set():
                request = asked.rfile.readline().decode("ascii").split()
                if not request:
                    return
                headers = dict(
                    iter(lambda: asked.rfile.readline().decode("ascii").rstrip().split(": ", 1), [""])
                )
                asked.wfile.write(self._answer(request[0], headers))
                if request[0] == "PLAY":
                    self._play(asked.connection)
        except (OSError, ValueError):
            return  # whoever looked has gone
        finally:
            self._open.discard(asked.connection)

    def _answer(self, method: str, headers: dict[str, str]) -> bytes:
        more, body = "Session: 1\r\n", ""
        if method == "OPTIONS":
            more = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        elif method == "DESCRIBE":
            body = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\n"
            body += "m=video 0 RTP/AVP 26\r\na=control:video\r\n"
            more = f"Content-Base: {self.url}/\r\nContent-Type: application/sdp\r\n"
            more += f"Content-Length: {len(body)}\r\n"
        elif method == "SETUP":
            more = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
        return f"RTSP/1.0 200 OK\r\nCSeq: {headers['CSeq']}\r\n{more}\r\n{body}".encode("ascii")

    def _play(self, connection: socket.socket) -> None:
        for number in count():
            for piece in rtp_of(self._pictures[number % 2], number):
                connection.sendall(b"$\0" + struct.pack(">H", len(piece)) + piece)
            if self._stopped.wait(1 / FRAMES_PER_S):
                return
            self._flowing.wait()


def rtp_of(jpeg: bytes, number: int) -> list[bytes]:
    """The packets of one picture, RFC 2435 section 3.1: tables in the first, the last one marked."""
    tables, size, scan = _parts(jpeg)
    packets: list[bytes] = []
    for offset in range(0, len(scan), _PIECE_BYTES):
        piece = scan[offset : offset + _PIECE_BYTES]
        last = offset + _PIECE_BYTES >= len(scan)
        head = struct.pack(
            ">BBHII",
            0x80,
            26 | (0x80 if last else 0),
            (number * 1000 + offset // _PIECE_BYTES) & 0xFFFF,
            number * _CLOCK_HZ // FRAMES_PER_S & 0xFFFFFFFF,
            1,
        )
        # Type 1: 4:2:0 without restart markers; Q 255: the tables are sent with it.
        head += struct.pack(">I", offset) + bytes([1, 255, size[0] // 8, size[1] // 8])
        if offset == 0:
            head += struct.pack(">BBH", 0, 0, len(tables)) + tables
        packets.append(head + piece)
    return packets


def _parts(jpeg: bytes) -> tuple[bytes, tuple[int, int], bytes]:
    """Quantization tables, columns and rows, entropy-coded data of a baseline JPEG (ITU-T T.81, annex B)."""
    tables, size, at = b"", (0, 0), 2
    while True:
        marker, length = struct.unpack_from(">HH", jpeg, at)
        body = jpeg[at + 4 : at + 2 + length]
        if marker == 0xFFDB:
            tables += b"".join(body[start + 1 : start + 65] for start in range(0, len(body), 65))
        elif marker == 0xFFC0:
            rows, columns = struct.unpack_from(">HH", body, 1)
            size = (columns, rows)
        at += 2 + length
        if marker == 0xFFDA:
            return tables, size, jpeg[at:-2]
