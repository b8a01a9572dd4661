"""What pictures of a camera say about its light, its focus and its pace."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from kiosk.values import CheckStatus, Finding

LEAST_FPS: Final = 10.0
"""The pipeline looks ten times a second at least (drivers/qr_decode.py)."""

DARK, BRIGHT = 40.0, 225.0
"""Mean grey of 255: below and above these a printed code has too little contrast left."""

BLACK = 3.0
"""Below, nothing comes through the lens: a sensor's own noise lies above."""

LEAST_SHARPNESS: Final = 15.0
"""Variance of the 4-neighbour Laplacian, the common focus measure (Pech-Pacheco et al., 2000): a picture with
any edge in focus has some hundreds, one without focus a few."""

AGAIN: Final = "kmc-kiosk test qr"


@dataclass(frozen=True, slots=True)
class Look:
    """What is kept of one picture."""

    at: float
    """Seconds."""
    light: float
    """Mean grey, 0 to 255."""
    sharpness: float
    """Variance of the Laplacian."""
    size: tuple[int, int]
    """Width, height in pixels."""
    print_of: int
    """A hash of the pixels: a camera that is alive never gives the same noise twice."""

    @classmethod
    def of(cls, grey: NDArray[Any], at: float) -> Self:
        """A look at a grey picture, rows × columns."""
        small = grey[:: max(1, grey.shape[0] // 360), :: max(1, grey.shape[1] // 640)].astype(np.float32)
        middle = small[1:-1, 1:-1]
        edges = small[:-2, 1:-1] + small[2:, 1:-1] + small[1:-1, :-2] + small[1:-1, 2:] - 4 * middle
        height, width = grey.shape[:2]
        sharpness = float(edges.var()) if edges.size else 0.0
        return cls(at, float(grey.mean()), sharpness, (width, height), hash(grey.tobytes()))


def judge(subject: str, seen: Sequence[Look]) -> list[Finding]:
    """Findings on pace, light, focus and life."""
    if len(seen) < 2:
        fix = "another socket or cable; close what else uses the camera"
        return [Finding("camera_picture", CheckStatus.BAD, subject, f"{len(seen)} pictures came", fix, AGAIN)]
    span = seen[-1].at - seen[0].at
    fps = (len(seen) - 1) / span if span > 0 else float("inf")
    light = statistics.median(look.light for look in seen)
    sharpness = max(look.sharpness for look in seen)
    width, height = seen[-1].size
    pace = _finding(
        "camera_pace",
        fps >= LEAST_FPS,
        subject,
        f"{width}x{height} at {min(fps, 999):.0f} pictures a second",
        "more light (cameras slow down in the dark), USB 2.0 or better, MJPG instead of raw pictures",
    )
    if light < BLACK:
        # Of such pictures nothing else can be said.
        fix = "take off its cap or film, open its shutter, and light the place where the code is held"
        return [
            Finding("camera_light", CheckStatus.BAD, subject, f"black: mean grey {light:.0f}", fix, AGAIN),
            pace,
        ]
    return [
        pace,
        _finding(
            "camera_light",
            DARK <= light <= BRIGHT,
            subject,
            f"mean grey {light:.0f} of 255",
            "light on the place where the code is held"
            if light < DARK
            else "no lamp or window in the picture",
        ),
        _finding(
            "camera_focus",
            sharpness >= LEAST_SHARPNESS,
            subject,
            f"sharpness {sharpness:.0f}",
            "take off the protective film, clean the lens, turn it to 10 to 20 cm",
        ),
        _finding(
            "camera_alive",
            len({look.print_of for look in seen}) > 1,
            subject,
            f"{len({look.print_of for look in seen})} different pictures of {len(seen)}",
            "unplug the camera and plug it in again: it repeats one picture",
        ),
    ]


def _finding(check: str, good: bool, subject: str, evidence: str, fix: str) -> Finding:
    status = CheckStatus.GOOD if good else CheckStatus.ATTENTION
    return Finding(check, status, subject, evidence, "" if good else fix, AGAIN)
