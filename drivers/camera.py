"""A camera, file, image sequence or stream: always its newest picture, or why there is none."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from drivers.camera_controls import CameraControls, prepare
from drivers.camera_devices import BY_ID, SYSFS, kind_of, refer
from drivers.camera_frame import Frame
from drivers.camera_grab import Grabber
from drivers.camera_sight import Sight, is_black
from drivers.opencv import READ_TIMEOUT_S
from drivers.reader import DeviceReference
from kiosk.errors import EnvironmentFault

OPEN_TIMEOUT_S = 2.0
"""With SIGHT_WAIT_S this leaves room for a heartbeat every 3 s."""

SIGHT_WAIT_S = 0.7
"""A camera that saw nothing is open again only when it sees something within this time."""


class Camera:
    """One camera, file, image sequence (``shot_%03d.png``), MJPEG or RTSP address, read by its own thread.

    A device or stream is drained all the time, so a frame is never older than the wish for it; a recording
    gives each of its frames once, not faster than it was taken. ``controls`` is what a device is set to.
    """

    def __init__(
        self,
        source: str = "",
        *,
        controls: CameraControls | None = None,
        sysfs: Path = SYSFS,
        by_id: Path = BY_ID,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._controls = controls or CameraControls()
        self._sysfs, self._by_id = sysfs, by_id
        self._clock = clock
        # Which camera "the first one found" is shows when it is opened.
        self.reference = refer(source, sysfs, by_id) if source else DeviceReference("qr", "")
        self._grabber: Grabber | None = None
        self._sight = Sight()
        self._was_blind = ""

    @property
    def is_open(self) -> bool:
        """True between a successful ``open`` and ``close``."""
        return self._grabber is not None

    def open(self) -> None:
        """Opens it, within 2.7 s; a camera that is open already stays so.

        Raises EnvironmentFault camera_missing, reader_denied or camera_stalled, and again camera_black or
        camera_frozen if it was closed for that and still is.
        """
        if self._grabber is not None:
            return
        reference = refer(self._source, self._sysfs, self._by_id)
        self.reference = reference
        # A path found by itself or by number is in the reference; an address keeps its password here only.
        source = self._source if "://" in self._source else reference.path
        kind = kind_of(source)
        if kind == "device":
            _check_node(Path(source))
        elif kind == "recording" and "%" not in source and not Path(source).exists():
            raise EnvironmentFault("camera_missing", f"there is no {source}", device=reference.path)
        grabber = Grabber(source, kind, self._clock)
        grabber.start()
        if not grabber.opened.wait(OPEN_TIMEOUT_S):
            grabber.end(0.0)
            raise EnvironmentFault("camera_stalled", "the camera does not open", device=reference.path)
        if not grabber.is_open:
            grabber.end(OPEN_TIMEOUT_S)
            raise EnvironmentFault("camera_missing", "the camera cannot be opened", device=reference.path)
        if kind == "device":
            prepare(source, self._controls)
        self._grabber = grabber
        self._sight = Sight(can_freeze=kind != "recording")
        if self._was_blind:
            self._wait_for_sight()

    def newest(self, wait_s: float) -> Frame | None:
        """A frame that was not given before, waited for up to ``wait_s`` seconds; None if none came.

        Raises EnvironmentFault camera_gone (unplugged, closed, recording at its end), camera_stalled (no
        frame for 2 s), camera_black, camera_frozen or camera_format. ``close`` and ``open`` it then.
        """
        if self._grabber is None:
            raise EnvironmentFault("camera_gone", "the camera is closed", device=self.reference.path)
        ends_at = self._clock() + wait_s
        while (frame := self._grabber.take(max(0.0, ends_at - self._clock()))) is not None:
            if self._sees(frame):
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

    def _sees(self, frame: Frame) -> bool:
        try:
            return self._sight.judge(frame)
        except EnvironmentFault as fault:
            self._was_blind = fault.code
            fault.detail.setdefault("device", self.reference.path)
            raise

    def close(self, wait_s: float = 0.5) -> None:
        """Closes it and waits up to ``wait_s`` seconds; a camera that hangs is let go when it wakes."""
        grabber, self._grabber = self._grabber, None
        if grabber is not None:
            grabber.end(wait_s)

    def _wait_for_sight(self) -> None:
        """Looks until a picture is neither black nor the one before; else closes it and says the fault."""
        ends_at = self._clock() + SIGHT_WAIT_S
        try:
            while (left_s := ends_at - self._clock()) > 0:
                frame = self.newest(left_s)
                if frame is not None and not is_black(frame.small) and self._sight.differed:
                    self._was_blind = ""
                    return
            raise EnvironmentFault(
                self._was_blind, "the camera still sees nothing", device=self.reference.path
            )
        except EnvironmentFault:
            self.close()
            raise


def _check_node(node: Path) -> None:
    if not node.exists():
        raise EnvironmentFault("camera_missing", f"there is no {node}", device=str(node))
    if not os.access(node, os.R_OK | os.W_OK):
        raise EnvironmentFault(
            "reader_denied",
            f"{node} may not be opened: put the kiosk's user into the group video",
            device=str(node),
        )
