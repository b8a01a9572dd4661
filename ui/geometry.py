"""Pixels per millimetre when the technician has not calibrated the scale yet."""

from __future__ import annotations

from math import hypot

_PANELS_INCHES = {
    (1024, 600): 10.1,
    (1280, 720): 11.6,
    (1280, 800): 10.1,
    (1280, 1024): 19.0,
    (1366, 768): 15.6,
    (1920, 1080): 21.5,
    (1920, 1200): 24.0,
}
"""Usual kiosk panels: pixels (long, short) and diagonal. Reported DPI is often wrong, so it is not asked."""

_SHORTEST_MM = 130.0
"""The layouts are drawn for a shorter side of at least this."""


def usual_pixels_per_mm(width_px: int, height_px: int) -> float:
    """The scale of a usual panel with these pixels, portrait or landscape; 4 px/mm at most for others."""
    long, short = max(width_px, height_px), min(width_px, height_px)
    inches = _PANELS_INCHES.get((long, short))
    if inches is not None:
        return hypot(long, short) / (inches * 25.4)
    return min(4.0, short / _SHORTEST_MM)
