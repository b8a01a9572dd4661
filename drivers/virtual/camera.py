"""A camera that is not there: an MJPEG stream on loopback of a card held before a lens, or of nobody."""

from __future__ import annotations

import io
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import segno
from PIL import Image, ImageChops, ImageDraw, ImageFilter

WIDTH, HEIGHT = 640, 480
FRAMES_PER_S = 15
PATH = "/stream.mjpg"
QUIET_MODULES = 4
"""Blank modules around a code (ISO/IEC 18004, 9.1)."""

_CODE_SHARE = 0.6
_TILT_DEGREES = 4.0
_LENS_BLUR = 0.8
_SENSOR_NOISE = 6.0
_BOUNDARY = "frame"


def picture(text: str | None) -> bytes:
    """A 640×480 JPEG of a tilted card with ``text`` as a QR code of 60% of the height; None = no card.

    Error correction M. Raises ValueError if the text does not fit into a QR code.
    """
    scene = Image.linear_gradient("L").resize((WIDTH, HEIGHT)).point(lambda level: 90 + level // 6)
    if text is not None:
        card, mask = _card(text)
        corner = ((WIDTH - card.width) // 2, (HEIGHT - card.height) // 2)
        scene.paste(card, corner, mask)
    scene = scene.filter(ImageFilter.GaussianBlur(_LENS_BLUR))
    grain = Image.effect_noise((WIDTH, HEIGHT), _SENSOR_NOISE)
    scene = ImageChops.add(scene, grain, scale=1.0, offset=-128)
    written = io.BytesIO()
    scene.convert("RGB").save(written, "JPEG", quality=85)
    return written.getvalue()


def _card(text: str) -> tuple[Image.Image, Image.Image]:
    code = segno.make(text, error="m", boost_error=False, micro=False)
    rows = [bytes(0 if module else 235 for module in row) for row in code.matrix]
    modules = len(rows)
    bare = Image.frombytes("L", (modules, modules), b"".join(rows))
    whole = Image.new("L", (modules + 2 * QUIET_MODULES,) * 2, 235)
    whole.paste(bare, (QUIET_MODULES, QUIET_MODULES))
    side = round(HEIGHT * _CODE_SHARE * whole.width / modules)
    enlarged = whole.resize((whole.width * 8,) * 2, Image.Resampling.NEAREST)
    label = enlarged.resize((side, side), Image.Resampling.LANCZOS)
    card = Image.new("L", (side + 120, side + 30), 235)
    ImageDraw.Draw(card).rectangle((card.width - 90, 20, card.width - 20, card.height - 20), fill=150)
    card.paste(label, (15, 15))
    mask = Image.new("L", card.size, 255)
    return (
        card.rotate(_TILT_DEGREES, Image.Resampling.BICUBIC, expand=True),
        mask.rotate(_TILT_DEGREES, Image.Resampling.BICUBIC, expand=True),
    )


def _twice(text: str | None) -> tuple[bytes, ...]:
    return picture(text), picture(text)


class VirtualCamera:
    """An MJPEG server on 127.0.0.1; JPEGs are made only when the picture changes.

    Two of each picture take turns, which differ by their grain, as a sensor's pictures do.
    """

    def __init__(self, port: int = 0, frames_per_s: float = FRAMES_PER_S) -> None:
        self.frames_per_s = frames_per_s

        self.port = port
        """Port listened on; 0 before ``start`` means any. It is kept from one start to the next."""
        self.frames_sent = 0
        """Frames sent to viewers since it was made."""
        self._nobody = _twice(None)
        self._frames: tuple[bytes, ...] = self._nobody
        self._flowing = threading.Event()
        self._flowing.set()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Address of the stream."""
        return f"http://127.0.0.1:{self.port}{PATH}"

    def start(self) -> int:
        """Listens, and answers the port. Raises OSError if the port is taken."""
        if self._server is not None:
            return self.port
        server = _Server(self, self.port)
        self.port = int(server.server_address[1])
        self._thread = threading.Thread(
            target=server.serve_forever, args=(0.05,), name="virtual-camera", daemon=True
        )
        self._thread.start()
        self._server = server
        return self.port

    def stop(self) -> None:
        """Closes every stream and the port, as if the camera were unplugged."""
        server, self._server = self._server, None
        if server is None:
            return
        server.ended.set()
        server.shutdown()
        server.hang_up()
        server.server_close()
        if self._thread is not None:
            self._thread.join()

    def show(self, text: str) -> None:
        """Holds a card with this text before the lens. Raises ValueError if no QR code can hold it."""
        self._frames = _twice(text)

    def show_pictures(self, *jpegs: bytes) -> None:
        """Sends these JPEGs in turn, whatever is on them; one alone is a frozen picture."""
        self._frames = jpegs

    def hide(self) -> None:
        """Takes the card away."""
        self._frames = self._nobody

    def stall(self) -> None:
        """Stops sending while every connection stays open, as a camera that hangs does."""
        self._flowing.clear()

    def flow(self) -> None:
        """Sends again."""
        self._flowing.set()

    def frame(self, number: int) -> bytes | None:
        """The JPEG that a viewer gets as its ``number``-th; None while stalled."""
        frames = self._frames
        return frames[number % len(frames)] if self._flowing.is_set() else None

    def __enter__(self) -> VirtualCamera:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close() waits for the streams, so nothing outlives stop().
    request_queue_size = 16

    def __init__(self, camera: VirtualCamera, port: int) -> None:
        self.camera = camera
        self.ended = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Stream)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Ends all streams, also one that waits for a viewer who does not read."""
        with self._lock:
            for request in self._open:
                try:
                    request.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # The viewer has hung up first.


class _Stream(BaseHTTPRequestHandler):
    server: _Server
    timeout = 5.0

    def do_GET(self) -> None:
        if self.path.split("?")[0] != PATH:
            self.send_error(404)
            return
        self.close_connection = True
        try:
            self.send_response(200)
            self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self._send_frames()
        except (ConnectionError, TimeoutError):
            return  # The viewer has hung up or no longer reads.

    def _send_frames(self) -> None:
        due = time.monotonic()
        # Counted for each viewer: by one count for all, two of them would each see one picture for ever.
        sent = 0
        while not self.server.ended.is_set():
            frame = self.server.camera.frame(sent)
            if frame is not None:
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(frame)}\r\n\r\n"
                self.wfile.write(head.encode("ascii") + frame + b"\r\n")
                sent += 1
                self.server.camera.frames_sent += 1
            due = max(due + 1 / self.server.camera.frames_per_s, time.monotonic())
            self.server.ended.wait(due - time.monotonic())

    def log_message(self, format: str, *args: Any) -> None:
        return  # A stream is no news, and standard error belongs to the station's own messages.
