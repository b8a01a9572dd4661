"""A page to print with codes of three sizes, by which a camera is tried where no card is at hand."""

from __future__ import annotations

import io
from typing import Final

import segno

from kiosk.values import QR_PREFIX

SIZES_MM: Final = (30, 25, 20)
"""A card's own code is 25 mm wide; the smaller one shows what is left of the reserve."""

CONTENT: Final = QR_PREFIX + "TEST" * 60
"""As many characters as a card's code has; no kiosk takes it for a card."""

_QUIET_MODULES: Final = 4
"""Around a code (ISO/IEC 18004, section 5.3.8)."""
_WIDTH_MM, _HEIGHT_MM = 210, 297


def draw() -> bytes:
    """A page of A4 as SVG: to be printed at its actual size."""
    code = segno.make_qr(CONTENT, error="m", mode="alphanumeric", boost_error=False)
    modules = code.symbol_size(border=_QUIET_MODULES)[0]
    inner = code.symbol_size(border=0)[0]
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH_MM}mm" height="{_HEIGHT_MM}mm" '
            f'viewBox="0 0 {_WIDTH_MM} {_HEIGHT_MM}"><rect width="100%" height="100%" fill="#fff"/>'
            '<g font-family="sans-serif" font-size="6">'
            '<text x="20" y="20">kmc-kiosk test qr: print at actual size (100 %)</text>'
            '<text x="20" y="30">This line is 100 mm long:</text><path d="M20 34h100" stroke="#000"/></g>'
        )
    ]
    top = 50.0
    for size in SIZES_MM:
        step = size / inner
        drawn = io.BytesIO()
        code.save(drawn, kind="svg", border=_QUIET_MODULES, xmldecl=False, svgns=False, omitsize=True)
        side = modules * step
        parts.append(
            f'<text x="120" y="{top + side / 2:.1f}" font-family="sans-serif" font-size="6">{size} mm</text>'
            f'<svg x="20" y="{top:.2f}" width="{side:.3f}" height="{side:.3f}" '
            f'viewBox="0 0 {modules} {modules}">{drawn.getvalue().decode()}</svg>'
        )
        top += side + 15
    return ("".join(parts) + "</svg>\n").encode()
