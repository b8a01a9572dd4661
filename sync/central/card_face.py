"""The face of a card: CR80 as in ISO/IEC 7810 (ID-1), drawn in vectors with the fonts embedded.

The code is drawn module by module (ISO/IEC 18004), error correction M, never narrower than 25 mm, with its
quiet zone of 4 modules white. Lengths are in millimetres, from the lower left corner of the card.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

import segno
from PIL import Image, ImageOps, UnidentifiedImageError
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from kiosk.errors import EnvironmentFault, OfficerFault

WIDTH_MM: Final = 85.60
HEIGHT_MM: Final = 53.98
CORNER_MM: Final = 3.18
"""Radius of an ID-1 card's corners (ISO/IEC 7810, section 5.2)."""
QR_LEAST_MM: Final = 25.0
MODULE_LEAST_MM: Final = 0.5
"""Six dots of a card printer of 300 dpi; a 720p camera then reads the code at 14 cm."""
QUIET_MODULES: Final = 4
"""Width of the light margin (ISO/IEC 18004, section 6.3.8)."""
MAX_QR_MM: Final = 36.0
PT_PER_MM: Final = 72 / 25.4
PHOTO_MM: Final = (20.0, 25.0)
PHOTO_DPI: Final = 300
MAX_PHOTO_BYTES: Final = 20 * 1024 * 1024
_REGULAR: Final = "AtkinsonHyperlegibleNext-Regular"
_BOLD: Final = "AtkinsonHyperlegibleNext-Bold"
_BAND: Final = (0.05, 0.31, 0.36)
_EDGE_MM: Final = 4.0
_BAND_MM: Final = 11.0
_MONTHS: Final = (
    "Januari", "Februari", "Maret", "April", "Mei", "Juni", "Juli", "Agustus", "September", "Oktober",
    "November", "Desember",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Branding:
    """The names printed on every card."""

    card_name: str
    city: str


@dataclass(frozen=True, slots=True)
class Face:
    """What is printed on one card."""

    card_no: str
    name: str
    qr: str
    """Text of the code, ``KMC1:…``."""
    valid_until: date
    """The last day on which it holds is the one before."""
    photo: bytes = b""
    """A JPEG made by ``photo_of``; empty: none is printed."""


def code_of(text: str) -> segno.QRCode:
    """The code in alphanumeric mode. Raises OfficerFault ``card_refused`` if no card has room for it."""
    try:
        code = segno.make_qr(text, error="m", mode="alphanumeric", boost_error=False)
    except (ValueError, segno.DataOverflowError) as fault:
        raise OfficerFault("card_refused", f"the printed code cannot be made: {fault}") from None
    if module_mm(code) * (len(code.matrix) + 2 * QUIET_MODULES) > MAX_QR_MM:
        raise OfficerFault("card_refused", "the printed code has too many modules for a card")
    return code


def module_mm(code: segno.QRCode) -> float:
    """The edge of one module as it is printed."""
    return max(MODULE_LEAST_MM, QR_LEAST_MM / len(code.matrix))


def photo_of(path: Path) -> bytes:
    """A photograph as it is printed: cropped to 20 by 25 mm, without what the camera noted in the file.

    Raises EnvironmentFault ``photo_unreadable``.
    """
    try:
        if path.stat().st_size > MAX_PHOTO_BYTES:
            raise EnvironmentFault("photo_unreadable", f"{path.name} is larger than {MAX_PHOTO_BYTES} bytes")
        with Image.open(path) as opened:
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError) as fault:
        raise EnvironmentFault("photo_unreadable", f"{path.name}: {fault}") from fault
    pixels = (round(PHOTO_MM[0] / 25.4 * PHOTO_DPI), round(PHOTO_MM[1] / 25.4 * PHOTO_DPI))
    out = io.BytesIO()
    ImageOps.fit(upright, pixels).save(out, "JPEG", quality=90)
    return out.getvalue()


def draw(canvas: Canvas, face: Face, branding: Branding) -> None:
    """Draws a face with its lower left corner at the canvas's origin, in points."""
    register_fonts()
    canvas.saveState()
    canvas.scale(PT_PER_MM, PT_PER_MM)
    _clip(canvas)
    canvas.setFillColorRGB(*_BAND)
    canvas.rect(0, HEIGHT_MM - _BAND_MM, WIDTH_MM, _BAND_MM, stroke=0, fill=1)
    canvas.setFillColorRGB(1, 1, 1)
    room = WIDTH_MM - 2 * _EDGE_MM
    _text(canvas, _EDGE_MM, HEIGHT_MM - 5.6, branding.card_name, _BOLD, 4.2, room)
    _text(canvas, _EDGE_MM, HEIGHT_MM - 9.3, branding.city, _REGULAR, 2.8, room)
    left_of_code = _draw_code(canvas, face.qr)
    canvas.setFillColorRGB(0, 0, 0)
    _draw_holder(canvas, face, left_of_code - _EDGE_MM - 1.0)
    canvas.restoreState()


def _draw_code(canvas: Canvas, text: str) -> float:
    """Draws code and quiet zone at the right; answers where they begin."""
    code = code_of(text)
    edge = module_mm(code)
    count = len(code.matrix)
    whole = edge * (count + 2 * QUIET_MODULES)
    left, low = WIDTH_MM - whole - 1.5, (HEIGHT_MM - _BAND_MM - whole) / 2
    canvas.setFillColorRGB(1, 1, 1)
    canvas.rect(left, low, whole, whole, stroke=0, fill=1)
    canvas.setFillColorRGB(0, 0, 0)
    # One path for all of it: between shapes that are filled one by one, renderers leave hairlines.
    path = canvas.beginPath()
    for row, modules in enumerate(code.matrix):
        y = low + (QUIET_MODULES + count - 1 - row) * edge
        for start, length in _runs(bytes(modules)):
            path.rect(left + (QUIET_MODULES + start) * edge, y, length * edge, edge)
    canvas.drawPath(path, stroke=0, fill=1)
    return left


def _runs(modules: bytes) -> list[tuple[int, int]]:
    """Dark modules of a row side by side, as (first, how many)."""
    found: list[tuple[int, int]] = []
    for place, dark in enumerate(modules):
        if dark and found and sum(found[-1]) == place:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        elif dark:
            found.append((place, 1))
    return found


def _draw_holder(canvas: Canvas, face: Face, room: float) -> None:
    top = HEIGHT_MM - _BAND_MM - 3.0
    if face.photo:
        width, height = PHOTO_MM
        canvas.drawImage(ImageReader(io.BytesIO(face.photo)), _EDGE_MM, top - height, width, height)
        beside, narrow = _EDGE_MM + width + 2.0, room - width - 2.0
        for place, line in enumerate(_lines(face.name, 3.2, narrow, most=6)):
            _text(canvas, beside, top - 2.6 - 4.0 * place, line, _BOLD, 3.2, narrow)
        _text(canvas, _EDGE_MM, top - height - 5.4, spaced(face.card_no), _BOLD, 4.4, room)
        until = f"Berlaku sampai {_last_day(face.valid_until)}"
        _text(canvas, _EDGE_MM, top - height - 9.8, until, _REGULAR, 2.3, room)
        return
    lines = _lines(face.name, 4.0, room, most=3)
    for place, line in enumerate(lines):
        _text(canvas, _EDGE_MM, top - 4.0 - 4.8 * place, line, _BOLD, 4.0, room)
    _text(canvas, _EDGE_MM, 16.0, "Nomor kartu", _REGULAR, 2.3, room)
    _text(canvas, _EDGE_MM, 11.6, spaced(face.card_no), _BOLD, 4.4, room)
    _text(canvas, _EDGE_MM, 6.0, f"Berlaku sampai {_last_day(face.valid_until)}", _REGULAR, 2.3, room)


def spaced(card_no: str) -> str:
    """A card number in groups that people can read out: ``5111 592 852``."""
    if len(card_no) != 10:
        return card_no
    return f"{card_no[:4]} {card_no[4:7]} {card_no[7:]}"


def _last_day(until: date) -> str:
    last = date.fromordinal(until.toordinal() - 1)
    return f"{last.day} {_MONTHS[last.month - 1]} {last.year}"


def _clip(canvas: Canvas) -> None:
    path = canvas.beginPath()
    path.roundRect(0, 0, WIDTH_MM, HEIGHT_MM, CORNER_MM)
    canvas.clipPath(path, stroke=0, fill=0)


def _text(canvas: Canvas, x: float, y: float, text: str, font: str, size: float, room: float) -> None:
    """A line of text, set smaller if it is wider than its room; ``size`` is in mm."""
    width = pdfmetrics.stringWidth(text, font, size)
    fitting = size if width <= room else max(size * room / width, size / 2)
    while text and pdfmetrics.stringWidth(text, font, fitting) > room:
        text = text[:-2].rstrip() + "…" if len(text) > 2 else ""
    canvas.setFont(font, fitting)
    canvas.drawString(x, y, text)


def _lines(name: str, size: float, room: float, most: int) -> list[str]:
    """A name in lines that fit; what is too much stays in the last one, which is then set smaller."""
    lines: list[str] = []
    for word in name.split():
        longer = f"{lines[-1]} {word}" if lines else word
        fits = pdfmetrics.stringWidth(longer, _BOLD, size) <= room
        if lines and (fits or len(lines) == most):
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@cache
def register_fonts() -> None:
    """Makes the screen's fonts known to reportlab, which embeds what it uses of them."""
    folder = resources.files("ui") / "fonts"
    for name in (_REGULAR, _BOLD):
        with resources.as_file(folder / f"{name}.ttf") as path:
            pdfmetrics.registerFont(TTFont(name, io.BytesIO(path.read_bytes())))


def new_canvas(out: Any, width_mm: float, height_mm: float) -> Canvas:
    """A canvas whose bytes depend on nothing but what is drawn."""
    return Canvas(out, pagesize=(width_mm * PT_PER_MM, height_mm * PT_PER_MM), invariant=1, pageCompression=1)
