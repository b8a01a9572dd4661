"""The thread that owns one cv2.VideoCapture, and how each kind of source is opened."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

import numpy as np

from drivers.camera_devices import SourceKind
from drivers.camera_frame import Frame, GreyMaker
from drivers.opencv import READ_TIMEOUT_S, cv2

DAMAGED_IN_A_ROW = 5
"""Pictures that may fail one after another before the camera counts as gone."""

_MJPG = cv2.VideoWriter.fourcc(*"MJPG")
_JPEG_START = (0xFF, 0xD8)
"""Start of image (ITU-T T.81, table B.1)."""


class Grabber:
    """Owns one capture from opening to release; nobody else touches it."""

    def __init__(self, source: str, kind: SourceKind, clock: Callable[[], float]) -> None:
        self._source = source
        self.kind = kind
        self._clock = clock
        self.opened = threading.Event()
        """Set once opening has come to an end, well or not."""
        self.is_open = False
        self.ended: Literal["", "gone", "stalled"] = ""
        self._maker = GreyMaker()
        self._stop = threading.Event()
        self._wanted = threading.Event()
        self._news = threading.Condition()
        self._frame: Frame | None = None
        self._grabbed_at = clock()
        # A daemon: a driver that never returns must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)

    def start(self) -> None:
        """Opens the capture in the thread; ``opened`` tells when that came to an end."""
        self._thread.start()

    def end(self, wait_s: float) -> None:
        """Asks the thread to release the capture, and waits up to ``wait_s`` seconds for it."""
        self._stop.set()
        self._wanted.set()
        self._thread.join(wait_s)

    def silent_s(self) -> float:
        """Seconds since the last grab that went well; 0 for a recording, which waits to be asked."""
        return 0.0 if self.kind == "recording" else self._clock() - self._grabbed_at

    def take(self, wait_s: float) -> Frame | None:
        """A picture that was grabbed after the wish for it, waited for up to ``wait_s`` seconds."""
        with self._news:
            self._wanted.set()
            self._news.wait_for(lambda: self._frame is not None or bool(self.ended), wait_s)
            frame, self._frame = self._frame, None
            return frame

    def _run(self) -> None:
        capture = _open_capture(self._source, self.kind)
        self.is_open = capture.isOpened()
        self._grabbed_at = self._clock()
        self.opened.set()
        ended: Literal["gone", "stalled"] = "gone"
        try:
            if self.is_open:
                ended = self._grab_all(capture)
        finally:
            capture.release()
            with self._news:
                self.ended = ended
                self._news.notify_all()

    def _grab_all(self, capture: cv2.VideoCapture) -> Literal["gone", "stalled"]:
        rate = capture.get(cv2.CAP_PROP_FPS)
        step_s = 1 / rate if self.kind == "recording" and 1 <= rate <= 120 else 0.0
        failures = 0
        while not self._stop.is_set():
            if self.kind == "recording":
                self._wanted.wait()
                self._stop.wait(step_s)
            begun = self._clock()
            if not capture.grab():
                # Unplugged answers False at once, every time; a stall when the time-out has run down. A
                # damaged picture answers False once, and the next one is well.
                failures += 1
                if self._clock() - begun >= 0.75 * READ_TIMEOUT_S:
                    return "stalled"
                if failures > DAMAGED_IN_A_ROW:
                    return "gone"
                continue
            failures = 0
            at = self._grabbed_at = self._clock()
            if self._wanted.is_set():
                self._publish(capture, at)
        return "gone"

    def _publish(self, capture: cv2.VideoCapture, at: float) -> None:
        good, picture = capture.retrieve()
        if not good or picture.size == 0:
            return  # One damaged picture; the next one is a thirtieth of a second away.
        flat = picture.reshape(-1)
        is_jpeg = picture.dtype == np.uint8 and min(picture.shape[:2]) == 1 and tuple(flat[:2]) == _JPEG_START
        with self._news:
            self._wanted.clear()
            self._frame = Frame(flat if is_jpeg else picture, at, self._maker, is_jpeg=is_jpeg)
            self._news.notify_all()


def _open_capture(source: str, kind: SourceKind) -> cv2.VideoCapture:
    """Motion JPEG is asked for as it comes: what nobody looks at is then never decoded."""
    if kind == "device":
        capture = cv2.VideoCapture(source, cv2.CAP_V4L2)
        # A card's code needs the pixels of 720p, which cameras give at full rate only as MJPEG.
        capture.set(cv2.CAP_PROP_FOURCC, _MJPG)
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, 1280)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, 720)
        if int(capture.get(cv2.CAP_PROP_FOURCC)) == _MJPG:
            capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        return capture
    if kind == "stream":
        wait_ms = round(READ_TIMEOUT_S * 1000)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, wait_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, wait_ms]
        capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, limits)
        if capture.isOpened() and int(capture.get(cv2.CAP_PROP_FOURCC)) == _MJPG:
            capture.set(cv2.CAP_PROP_FORMAT, -1)
        return capture
    return cv2.VideoCapture(source)
