"""Whether a camera that gives pictures sees anything: black and frozen ones come at full rate too."""

from __future__ import annotations

from drivers.camera_frame import Frame, Grey
from drivers.opencv import cv2
from kiosk.errors import EnvironmentFault

BLACK_LEVEL = 24
"""Grey level below which all of the picture is black; coded black may be 16 (ITU-R BT.601)."""
BLACK_S = 3.0
FROZEN_S = 10.0
"""A sensor's noise changes each picture: the same one for so long comes from a buffer, not from a lens."""
DAMAGED_S = 2.0


class Sight:
    """Judges the pictures of one camera as they come."""

    def __init__(self, *, can_freeze: bool = True) -> None:
        self._can_freeze = can_freeze
        self._last: Grey | None = None
        self._changed_at = 0.0
        self._black_since: float | None = None
        self._damaged_since: float | None = None
        self.differed = False
        """Two pictures that differ have been seen."""

    def judge(self, frame: Frame) -> bool:
        """True if the picture can be looked at; False if it alone is damaged.

        Raises EnvironmentFault camera_format, camera_black or camera_frozen once it has lasted.
        """
        small = frame.small
        if small.size == 0:
            if self._damaged_since is None:
                self._damaged_since = frame.at
            if frame.at - self._damaged_since >= DAMAGED_S:
                raise EnvironmentFault("camera_format", "the camera's pictures cannot be decoded")
            return False
        self._damaged_since = None
        self._judge_light(small, frame.at)
        self._judge_change(small, frame.at)
        return True

    def _judge_light(self, small: Grey, at: float) -> None:
        if not is_black(small):
            self._black_since = None
        elif self._black_since is None:
            self._black_since = at
        elif at - self._black_since >= BLACK_S:
            raise EnvironmentFault("camera_black", "the picture is black: the lens is covered, or it is dark")

    def _judge_change(self, small: Grey, at: float) -> None:
        last, self._last = self._last, small
        if last is None or cv2.norm(last, small, cv2.NORM_INF) > 0:
            self.differed = self.differed or last is not None
            self._changed_at = at
        elif self._can_freeze and at - self._changed_at >= FROZEN_S and not is_black(small):
            raise EnvironmentFault("camera_frozen", f"the same picture for {FROZEN_S:g} s")


def is_black(small: Grey) -> bool:
    """No part of the picture is brighter than coded black."""
    return int(small.max()) <= BLACK_LEVEL
