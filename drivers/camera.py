"""Cameras by OpenCV: each read by a thread that always has the newest frame."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from drivers.camera_devices import SYSFS, SourceKind, kind_of, refer
from drivers.reader import DeviceReference
from kiosk.errors import EnvironmentFault

READ_TIMEOUT_S = 2.0
"""A camera that gives no frame for so long has stalled; OpenCV would wait 10 s (V4L) or 30 s (HTTP)."""

OPEN_TIMEOUT_S = 2.0
"""With READ_TIMEOUT_S this leaves room for a heartbeat every 3 s."""

# OpenCV reads these once, when it is loaded or first used, so they are set before the import below.
for _name, _value in {
    "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": str(round(READ_TIMEOUT_S)),
    "OPENCV_LOG_LEVEL": "SILENT",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
}.items():
    os.environ.setdefault(_name, _value)

import cv2  # noqa: E402

cv2.setNumThreads(1)

Grey: TypeAlias = NDArray[np.uint8]
"""Rows × columns, 0 = black."""

DAMAGED_IN_A_ROW = 5
"""Pictures that may fail one after another before the camera counts as gone."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture and when it was grabbed (seconds of the camera's clock)."""

    grey: Grey
    at: float


class Camera:
    """One camera, file, image sequence (``shot_%03d.png``) or MJPEG address, read by a thread of its own.

    A device or stream is drained all the time, so a frame is never older than the wish for it; a recording
    gives each of its frames once, not faster than it was taken.
    """

    def __init__(
        self, source: str = "", *, sysfs: Path = SYSFS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = source
        self._sysfs = sysfs
        self._clock = clock
        # Which camera "the first one found" is shows when it is opened.
        self.reference = refer(source, sysfs) if source else DeviceReference("qr", "")
        self._grabber: _Grabber | None = None

    @property
    def is_open(self) -> bool:
        """True between a successful ``open`` and ``close``."""
        return self._grabber is not None

    def open(self) -> None:
        """Opens it, within 2 s; a camera that is open already stays so.

        Raises EnvironmentFault camera_missing, reader_denied or camera_stalled.
        """
        if self._grabber is not None:
            return
        reference = refer(self._source, self._sysfs)
        self.reference = reference
        # A path found by itself or by number is in the reference; an address keeps its password here only.
        source = self._source if "://" in self._source else reference.path
        kind = kind_of(source)
        if kind == "device":
            _check_node(Path(source))
        elif kind == "recording" and "%" not in source and not Path(source).exists():
            raise EnvironmentFault("camera_missing", f"there is no {source}", device=reference.path)
        grabber = _Grabber(source, kind, self._clock)
        grabber.start()
        if not grabber.opened.wait(OPEN_TIMEOUT_S):
            grabber.end(0.0)
            raise EnvironmentFault("camera_stalled", "the camera does not open", device=reference.path)
        if not grabber.is_open:
            grabber.end(OPEN_TIMEOUT_S)
            raise EnvironmentFault("camera_missing", "the camera cannot be opened", device=reference.path)
        self._grabber = grabber

    def newest(self, wait_s: float) -> Frame | None:
        """A frame that was not given before, waited for up to ``wait_s`` seconds; None if none came.

        Raises EnvironmentFault camera_gone (unplugged, closed, recording at its end) or camera_stalled (no
        frame for 2 s). ``close`` and ``open`` it then.
        """
        if self._grabber is None:
            raise EnvironmentFault("camera_gone", "the camera is closed", device=self.reference.path)
        frame = self._grabber.take(wait_s)
        if frame is not None:
            return frame
        ended = self._grabber.ended
        if ended == "stalled" or (not ended and self._grabber.silent_s() >= READ_TIMEOUT_S):
            raise EnvironmentFault(
                "camera_stalled", f"no picture for {READ_TIMEOUT_S:g} s", device=self.reference.path
            )
        if ended:
            message = (
                "the recording is at its end" if self._grabber.kind == "recording" else "unplugged or closed"
            )
            raise EnvironmentFault("camera_gone", message, device=self.reference.path)
        return None

    def close(self, wait_s: float = 0.5) -> None:
        """Closes it and waits up to ``wait_s`` seconds; a camera that hangs is let go when it wakes."""
        grabber, self._grabber = self._grabber, None
        if grabber is not None:
            grabber.end(wait_s)


def _check_node(node: Path) -> None:
    if not node.exists():
        raise EnvironmentFault("camera_missing", f"there is no {node}", device=str(node))
    if not os.access(node, os.R_OK | os.W_OK):
        raise EnvironmentFault(
            "reader_denied",
            f"{node} may not be opened: put the kiosk's user into the group video",
            device=str(node),
        )


class _Grabber:
    """The thread that owns one cv2.VideoCapture from opening to release; nobody else touches it."""

    def __init__(self, source: str, kind: SourceKind, clock: Callable[[], float]) -> None:
        self._source = source
        self.kind = kind
        self._clock = clock
        self.opened = threading.Event()
        """Set once opening has come to an end, well or not."""
        self.is_open = False
        self.ended: Literal["", "gone", "stalled"] = ""
        self._stop = threading.Event()
        self._wanted = threading.Event()
        self._news = threading.Condition()
        self._frame: Frame | None = None
        self._grabbed_at = clock()
        # A daemon: a driver that never returns must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self, wait_s: float) -> None:
        self._stop.set()
        self._wanted.set()
        self._thread.join(wait_s)

    def silent_s(self) -> float:
        """Seconds since the last grab that went well; 0 for a recording, which waits to be asked."""
        return 0.0 if self.kind == "recording" else self._clock() - self._grabbed_at

    def take(self, wait_s: float) -> Frame | None:
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
        with self._news:
            self._wanted.clear()
            self._frame = Frame(to_grey(picture), at)
            self._news.notify_all()


def to_grey(picture: NDArray[Any]) -> Grey:
    """The picture in grey: rows × columns; BGR, BGRA and grey of 8 or 16 bits are taken."""
    if picture.dtype != np.uint8:
        picture = (picture >> 8).astype(np.uint8)
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[:, :, 0]
    if picture.ndim == 3:
        code = cv2.COLOR_BGRA2GRAY if picture.shape[2] == 4 else cv2.COLOR_BGR2GRAY
        picture = cv2.cvtColor(picture, code)
    return np.ascontiguousarray(picture, dtype=np.uint8)


def _open_capture(source: str, kind: SourceKind) -> cv2.VideoCapture:
    if kind == "device":
        capture = cv2.VideoCapture(source, cv2.CAP_V4L2)
        # A card's code needs the pixels of 720p, which cameras give at full rate only as MJPEG.
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, 1280)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, 720)
        return capture
    if kind == "stream":
        wait_ms = round(READ_TIMEOUT_S * 1000)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, wait_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, wait_ms]
        return cv2.VideoCapture(source, cv2.CAP_FFMPEG, limits)
    return cv2.VideoCapture(source)
