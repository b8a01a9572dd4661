"""Faces on pages: eight to an A4 sheet with cut marks, or one to a page of its size for card printers."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Final, Literal, TypeAlias

from reportlab.pdfgen.canvas import Canvas

from sync.central.card_face import HEIGHT_MM, PT_PER_MM, WIDTH_MM, Branding, Face, draw, new_canvas

Layout: TypeAlias = Literal["a4", "card"]
LAYOUTS: Final[tuple[Layout, ...]] = ("a4", "card")
A4_MM: Final = (210.0, 297.0)
"""ISO 216."""
COLUMNS, ROWS = 2, 4
GAP_MM: Final = 6.0
MARK_MM: Final = 2.0
MARK_AWAY_MM: Final = 0.7
_MARK_WIDTH_MM: Final = 0.1


def pages(faces: Sequence[Face], branding: Branding, layout: Layout) -> bytes:
    """A PDF of these faces, in order; the same faces give the same bytes.

    Raises OfficerFault ``card_refused`` for a code that cannot be printed.
    """
    out = io.BytesIO()
    size = A4_MM if layout == "a4" else (WIDTH_MM, HEIGHT_MM)
    canvas = new_canvas(out, *size)
    per_page = COLUMNS * ROWS if layout == "a4" else 1
    for start in range(0, len(faces), per_page):
        places = corners() if layout == "a4" else iter([(0.0, 0.0)])
        for face, (x, y) in zip(faces[start : start + per_page], places, strict=False):
            canvas.saveState()
            canvas.translate(x * PT_PER_MM, y * PT_PER_MM)
            draw(canvas, face, branding)
            if layout == "a4":
                _cut_marks(canvas)
            canvas.restoreState()
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def corners() -> Iterator[tuple[float, float]]:
    """Lower left corners of the eight cards of a sheet in mm, row by row from the top."""
    left = (A4_MM[0] - COLUMNS * WIDTH_MM - (COLUMNS - 1) * GAP_MM) / 2
    low = (A4_MM[1] - ROWS * HEIGHT_MM - (ROWS - 1) * GAP_MM) / 2
    for row in reversed(range(ROWS)):
        for column in range(COLUMNS):
            yield left + column * (WIDTH_MM + GAP_MM), low + row * (HEIGHT_MM + GAP_MM)


def _cut_marks(canvas: Canvas) -> None:
    """Two short lines outside each corner, where the blade goes."""
    canvas.saveState()
    canvas.scale(PT_PER_MM, PT_PER_MM)
    canvas.setLineWidth(_MARK_WIDTH_MM)
    far = MARK_AWAY_MM + MARK_MM
    for x, outward in ((0.0, -1), (WIDTH_MM, 1)):
        for y in (0.0, HEIGHT_MM):
            canvas.line(x + outward * MARK_AWAY_MM, y, x + outward * far, y)
    for y, outward in ((0.0, -1), (HEIGHT_MM, 1)):
        for x in (0.0, WIDTH_MM):
            canvas.line(x, y + outward * MARK_AWAY_MM, x, y + outward * far)
    canvas.restoreState()
