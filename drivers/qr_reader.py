"""The QR reader: a camera as a reader connection, and the loop around it that outlives an unplugged one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from drivers.camera import Camera
from drivers.commands import CommandLines, Stop
from drivers.lines import (
    EXIT_FAULT,
    EXIT_GONE,
    EXIT_OK,
    HEALTH_EVERY_S,
    encode_event,
    serve,
)
from drivers.qr_decode import CodeWatch, MotionGate, find_codes
from drivers.reader import DeviceReference, FeedbackWhat, Health, PollEvent, Tally
from kiosk.errors import EnvironmentFault

FRAME_WAIT_S = 0.25
IDLE_REST_S = 0.07
"""Rest between pictures while nothing moves: with the wait for a picture, about 10 looks a second."""
FIRST_RETRY_S = 0.25
LAST_RETRY_S = 4.0


class QrConnection:
    """A camera as a reader: each poll looks at the newest picture and gives at most one event."""

    def __init__(self, camera: Camera, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._camera = camera
        self._clock = clock
        self._start_over()

    def _start_over(self) -> None:
        self._tally = Tally()
        self._gate = MotionGate()
        self._watch = CodeWatch(self._clock)
        self._waiting: deque[PollEvent] = deque()
        self._awake = False

    @property
    def reference(self) -> DeviceReference:
        """The camera; known once it is open."""
        return self._camera.reference

    @property
    def interval_s(self) -> float:
        """Rest after a poll without an event: none for 2 s after motion or while a code is held."""
        return 0.0 if self._awake or self._waiting else IDLE_REST_S

    def __enter__(self) -> Self:
        """Opens the camera unless it is open. Raises EnvironmentFault as ``Camera.open`` does."""
        self._camera.open()
        self._start_over()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._camera.close()

    def poll(self) -> PollEvent | None:
        """The next event, waited for up to 0.25 s. Raises EnvironmentFault camera_gone or camera_stalled."""
        event = self._look()
        self._tally.count(event)
        return event

    def _look(self) -> PollEvent | None:
        if not self._waiting:
            frame = self._camera.newest(FRAME_WAIT_S)
            if frame is None:
                return None
            watch, gate = self._watch, self._gate
            if gate.wants(frame.grey, frame.at, held=watch.holds, missed=watch.missed):
                begun = self._clock()
                codes = find_codes(frame.grey)
                gate.decoded(frame.at, self._clock() - begun)
                self._waiting.extend(watch.seen(codes, frame.at))
            self._awake = gate.is_awake(frame.at) or watch.missed
        return self._waiting.popleft() if self._waiting else None

    def health(self) -> Health:
        """Counts since the camera was opened."""
        return self._tally.health()

    def feedback(self, what: FeedbackWhat) -> bool:
        """A camera has no lamp: False."""
        return False


def run(
    source: str,
    *,
    once: bool = False,
    timeout_s: float | None = None,
    out: TextIO,
    commands: TextIO | None,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Reads QR codes by the camera ``source`` (empty = find one, number, path or address) and writes lines.

    A camera that is missing or goes away is told once (``gone``) and tried again after 0.25 s to 4 s, with
    ``health`` meanwhile, until it is back (``ready``). With ``once`` it ends the process. Answers the exit
    code: 0 stopped, or with ``once`` a code was read; 1 a card fault or the time was up; 3 no camera.
    """
    started = clock()
    camera = Camera(source, clock=clock)
    connection = QrConnection(camera, clock=clock)
    try:
        while True:
            left_s = None if timeout_s is None else max(0.0, timeout_s - (clock() - started))
            code = serve(connection, out, commands, once, left_s, clock=clock)
            if code != EXIT_GONE or once:
                return code
            ended = _wait_for_camera(
                camera, connection, out, CommandLines(commands), clock, started, timeout_s
            )
            if ended is not None:
                return ended
    finally:
        camera.close()


def _wait_for_camera(
    camera: Camera,
    connection: QrConnection,
    out: TextIO,
    commands: CommandLines,
    clock: Callable[[], float],
    started: float,
    timeout_s: float | None,
) -> int | None:
    """Tries to open the camera until it does (None) or the process is to end (its exit code)."""
    rest_s = FIRST_RETRY_S
    retry_at = clock() + rest_s
    health_at = clock()
    while True:
        now = clock()
        if timeout_s is not None and now - started >= timeout_s:
            return EXIT_FAULT
        # Also before each try, which may take seconds: the kiosk ends a process that is silent for 3 s.
        if now >= min(health_at, retry_at):
            try:
                out.write(encode_event(connection.health()))
                out.flush()
            except (OSError, ValueError):
                return EXIT_OK  # Nobody reads our lines any more.
            health_at = now + HEALTH_EVERY_S
        if now >= retry_at:
            try:
                camera.open()
            except EnvironmentFault:
                # Told already, in the line that said the camera is gone; only its return is news.
                rest_s = min(2 * rest_s, LAST_RETRY_S)
                retry_at = clock() + rest_s
            else:
                return None
        command = commands.take(max(0.0, min(retry_at, health_at) - clock()))
        if isinstance(command, Stop) or commands.ended:
            return EXIT_OK
