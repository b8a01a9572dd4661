"""Printed codes as a camera sees them, as plain as can be: so near, so blurred, so noisy, in a grey room."""

from __future__ import annotations

import cv2
import numpy as np
import segno

from drivers.camera_frame import Grey
from drivers.qr_pipeline import Spot

TEXT = "KMC1:" + "6BF+70O90M*KE" * 20
CODE = TEXT.encode("ascii")


def held(
    module_px: float = 4.0,
    *,
    paper: int = 200,
    ink: int = 30,
    blur_px: float = 0.0,
    size: tuple[int, int] = (480, 640),
    noise: tuple[int, float] = (4, 0.0),
) -> tuple[Grey, Spot]:
    """A room with a code of 57 modules in its middle, seen from so near, and where it is.

    ``noise`` is a seed and a spread in grey levels, beside the little that each sensor has.
    """
    code = segno.make(TEXT, error="m", boost_error=False, micro=False, version=10)
    modules = np.array([list(row) for row in code.matrix], np.uint8)
    assert modules.shape == (57, 57)
    side = round(module_px * 57)
    drawn = np.where(modules, ink, paper).astype(np.uint8)
    printed = cv2.resize(
        drawn, (side, side), interpolation=cv2.INTER_AREA if module_px < 1 else cv2.INTER_NEAREST
    )
    room = np.full(size, min(paper, 110), np.uint8)
    top, left = (size[0] - side) // 2, (size[1] - side) // 2
    quiet = round(4 * module_px)
    room[max(0, top - quiet) : top + side + quiet, left - quiet : left + side + quiet] = paper
    room[top : top + side, left : left + side] = printed
    if blur_px:
        room = np.asarray(cv2.GaussianBlur(room, (0, 0), blur_px), dtype=np.uint8)
    for seed, sigma in ((4, 2.0), noise):
        grain = np.random.default_rng(seed).normal(0, sigma, size)
        room = np.clip(room + grain, 0, 255).astype(np.uint8)
    corners = [(left, top), (left + side, top), (left + side, top + side), (left, top + side)]
    return room, Spot(np.array(corners, np.float32))
