"""What helps when a code is seen and cannot be read: nearer, further away, held still, more light."""

from __future__ import annotations

import numpy as np

from drivers.camera_frame import Grey
from drivers.opencv import cv2
from drivers.qr_pipeline import Look, Spot
from drivers.reader import Hint, HintCode

USUAL_MODULES = 57
"""Modules a side of a printed credential: version 10 (ISO/IEC 18004, 5.3.1), a version more or less."""
LEAST_MODULE_PX = 2.2
"""Pixels per module below which no retry helps: half of the codes are read there."""
NEAR_SHARE = 0.55
"""A code that takes more of the picture's height is nearer than a fixed lens is sharp."""
DARK_BELOW = 60
"""Grey level of the paper in too little light."""
GLARE_LEVEL = 250
GLARE_SHARE = 0.04
BLUR_SHARE = 0.45
"""Spread of an edge (sigma) as a share of a module beyond which modules run into each other."""

AFTER_S = 0.6
AFTER_LOOKS = 3
"""A code that is on its way to the camera needs no advice."""
AGAIN_S = 1.5
FORGOTTEN_S = 0.5


class HintWatch:
    """Says after a moment, and not too often, what would help to read the code that is seen."""

    def __init__(self) -> None:
        self._since = float("-inf")
        self._seen_at = float("-inf")
        self._looks = 0
        self._told: HintCode | None = None
        self._told_at = float("-inf")

    def seen(self, look: Look, grey: Grey, at: float) -> Hint | None:
        """A hint, if one is due after this look at the picture taken ``at`` seconds."""
        if look.codes:
            self._looks, self._told = 0, None
            return None
        if not look.unread:
            return None
        if at - self._seen_at > FORGOTTEN_S:
            self._looks, self._since, self._told = 0, at, None
        self._seen_at = at
        self._looks += 1
        if self._looks < AFTER_LOOKS or at - self._since < AFTER_S:
            return None
        spot = look.unread[0]
        code = what_helps(grey, spot)
        if code is None or (code == self._told and at - self._told_at < AGAIN_S):
            return None
        self._told, self._told_at = code, at
        return Hint(code, region_of(grey, spot))


def region_of(grey: Grey, spot: Spot) -> tuple[float, float, float, float]:
    """The spot as shares of the picture: left, top, right, bottom."""
    left, top, right, bottom = spot.box(grey.shape, 0.0)
    high, wide = grey.shape
    return left / wide, top / high, right / wide, bottom / high


def what_helps(grey: Grey, spot: Spot) -> HintCode | None:
    """The first thing that keeps this spot from being read; None if nothing is to be seen.

    Light comes first, since in the dark nothing else can be judged; then size, then sharpness.
    """
    left, top, right, bottom = spot.box(grey.shape, 0.0)
    cut = grey[top:bottom, left:right]
    if cut.size == 0:
        return None
    dark, light = (float(level) for level in np.percentile(cut, (5, 95)))
    module_px = spot.side_px / USUAL_MODULES
    if light < DARK_BELOW:
        return "dark"
    if _glare_share(cut, module_px) > GLARE_SHARE:
        return "glare"
    if module_px < LEAST_MODULE_PX:
        return "closer"
    if spot.side_px > NEAR_SHARE * grey.shape[0]:
        return "farther"
    return "blurred" if _edge_px(cut, light - dark) > BLUR_SHARE * module_px else None


def _glare_share(cut: Grey, module_px: float) -> float:
    """The share of the spot that lies in white larger than any in a code: squares of five modules."""
    side = max(3, round(5 * module_px))
    white = cv2.erode(cut, np.ones((side, side), np.uint8), borderType=cv2.BORDER_REPLICATE)
    return float(np.count_nonzero(white >= GLARE_LEVEL)) / white.size


def _edge_px(cut: Grey, contrast: float) -> float:
    """The spread of the spot's sharpest edges in pixels (sigma of a Gaussian), from their steepness.

    An edge of that contrast has a steepness of contrast / (sigma × √(2π)) in its middle. The picture is
    smoothed by one pixel first, so that noise is no edge, which is taken off again.
    """
    if contrast < 1:
        return float("inf")
    smooth = cv2.GaussianBlur(cut, (0, 0), 1.0).astype(np.float32)
    across, down = (
        cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8),
        cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8),
    )
    steepest = float(np.percentile(cv2.magnitude(across, down), 98))
    spread = contrast / (max(steepest, 1e-3) * float(np.sqrt(2 * np.pi)))
    return float(np.sqrt(max(0.0, spread**2 - 1.0)))
