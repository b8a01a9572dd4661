"""The QR reader: a camera as a reader connection, and the loop around it that outlives an unplugged one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TextIO

from drivers.camera import Camera
from drivers.camera_controls import CameraControls
from drivers.camera_frame import Frame, Grey
from drivers.code_kinds import is_ours
from drivers.commands import CommandLines, Stop
from drivers.lines import (
    EXIT_FAULT,
    EXIT_GONE,
    EXIT_OK,
    HEALTH_EVERY_S,
    encode_event,
    serve,
)
from drivers.qr_decode import CodeWatch, MotionGate
from drivers.qr_hints import HintWatch
from drivers.qr_pipeline import Look, QrPipeline, check_decoder
from drivers.reader import (
    DeviceReference,
    Faulted,
    FeedbackWhat,
    Gone,
    Health,
    PollEvent,
    ReaderEvent,
    Tally,
)
from kiosk.errors import EnvironmentFault

FRAME_WAIT_S = 0.25
IDLE_REST_S = 0.07
"""Rest between pictures while nothing moves: with the wait for a picture, about 10 looks a second."""
FIRST_RETRY_S = 0.25
LAST_RETRY_S = 4.0
HEALTHY_S = 5.0
"""A camera that was there so long is tried at once again when it goes; one that flaps is not."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The picture that was decoded last, and what came of it."""

    grey: Grey
    look: Look
    took_ms: float


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
        self._hints = HintWatch()
        self._pipeline = QrPipeline(is_ours, self._clock)
        self._told_size = False
        self.seen: Seen | None = None
        """What was decoded last, for a technician who watches; None before the first picture."""
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
            self._pipeline.counts["pictures"] += 1
            if gate.wants(frame.small, frame.at, held=watch.holds, missed=watch.missed):
                begun = self._clock()
                self._decode(frame)
                gate.decoded(frame.at, self._clock() - begun)
            self._awake = gate.is_awake(frame.at) or watch.missed
        return self._waiting.popleft() if self._waiting else None

    def _decode(self, frame: Frame) -> None:
        if frame.is_reduced and not self._told_size:
            self._told_size = True
            self._waiting.append(Faulted(_too_large(frame, self.reference.path)))
        grey = frame.grey
        if grey.size == 0:
            return  # Damaged beyond its first eighth; the next one follows at once.
        begun = self._clock()
        look = self._pipeline.look(grey)
        self.seen = Seen(grey, look, (self._clock() - begun) * 1000)
        self._waiting.extend(self._watch.seen(look.codes, frame.at))
        hint = None if self._watch.holds else self._hints.seen(look, grey, frame.at)
        if hint is not None:
            self._pipeline.counts["hints"] += 1
            self._waiting.append(hint)

    def health(self) -> Health:
        """Counts since the camera was opened; stages: ``pictures``, those of decoding, ``hints``."""
        counted = self._tally.health()
        return Health(counted.polls, counted.reads, counted.faults, dict(self._pipeline.counts))

    def feedback(self, what: FeedbackWhat) -> bool:
        """A camera has no lamp: False."""
        return False


def _too_large(frame: Frame, device: str) -> EnvironmentFault:
    columns, rows = frame.size
    return EnvironmentFault(
        "camera_oversized",
        f"the camera gives pictures of {columns} × {rows}: it reads, but slower than at 1280 × 720",
        device=device,
        megapixels=round(columns * rows / 1e6, 1),
    )


def run(
    source: str,
    *,
    controls: CameraControls | None = None,
    once: bool = False,
    timeout_s: float | None = None,
    out: TextIO,
    commands: TextIO | None,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Reads QR codes by camera ``source`` (empty = find one, number, path, name, address), writes lines.

    A camera that is missing or goes away is told once (``gone``) and tried again after 0.25 s to 4 s, with
    ``health`` meanwhile, until it is back (``ready``). With ``once`` it ends the process. Answers the exit
    code: 0 stopped, or with ``once`` a code was read; 1 a card fault or the time was up; 3 no camera, or no
    decoder is installed.
    """
    try:
        check_decoder()
        camera = Camera(source, controls=controls, clock=clock)
    except EnvironmentFault as fault:
        return EXIT_GONE if _tell(Gone(fault), out) else EXIT_OK
    return _Attendance(camera, out, commands, clock, timeout_s).attend(once)


def _tell(event: ReaderEvent, out: TextIO) -> bool:
    try:
        out.write(encode_event(event))
        out.flush()
    except (OSError, ValueError):
        return False  # Nobody reads our lines any more.
    return True


class _Attendance:
    """Serves a camera while it is there and waits for it while it is not."""

    def __init__(
        self,
        camera: Camera,
        out: TextIO,
        commands: TextIO | None,
        clock: Callable[[], float],
        timeout_s: float | None,
    ) -> None:
        self._camera = camera
        self._connection = QrConnection(camera, clock=clock)
        self._out = out
        self._commands = commands
        self._clock = clock
        self._ends_at = float("inf") if timeout_s is None else clock() + timeout_s
        self._limited = timeout_s is not None
        self._rest_s = FIRST_RETRY_S

    def attend(self, once: bool) -> int:
        """Until told to stop, out of time or, with ``once``, done: the exit code."""
        try:
            while True:
                begun = self._clock()
                left_s = max(0.0, self._ends_at - begun) if self._limited else None
                code = serve(self._connection, self._out, self._commands, once, left_s, clock=self._clock)
                if code != EXIT_GONE or once:
                    return code
                if self._clock() - begun >= HEALTHY_S:
                    self._rest_s = FIRST_RETRY_S
                ended = self._wait_for_camera(CommandLines(self._commands))
                if ended is not None:
                    return ended
        finally:
            self._camera.close()

    def _wait_for_camera(self, commands: CommandLines) -> int | None:
        """Tries to open the camera until it does (None) or the process is to end (its exit code)."""
        retry_at = self._clock() + self._rest_s
        health_at = self._clock()
        while True:
            now = self._clock()
            if now >= self._ends_at:
                return EXIT_FAULT
            # Also before each try, which may take 2 s: the kiosk ends a process that is silent for 3 s.
            if now >= min(health_at, retry_at):
                if not _tell(self._connection.health(), self._out):
                    return EXIT_OK
                health_at = now + HEALTH_EVERY_S
            if now >= retry_at:
                self._rest_s = min(2 * self._rest_s, LAST_RETRY_S)
                try:
                    self._camera.open()
                except EnvironmentFault:
                    # Told already, in the line that said the camera is gone; only its return is news.
                    retry_at = self._clock() + self._rest_s
                else:
                    return None
            command = commands.take(max(0.0, min(retry_at, health_at, self._ends_at) - self._clock()))
            if isinstance(command, Stop) or commands.ended:
                return EXIT_OK
