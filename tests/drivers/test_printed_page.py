"""The page by which a camera is tried: its codes are read as printed, and are no card's."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import cv2
import numpy as np
import zxingcpp

from drivers.doctor.printed_page import CONTENT, SIZES_MM, draw

DOTS_MM = 12
"""300 dots an inch."""
_SVG = "{http://www.w3.org/2000/svg}"
_MOVES = re.compile(r"([Mmh])([-\d. ]+)")


def printed(svg: bytes) -> np.ndarray:
    """The page at 300 dots an inch, its text left out: the moves of its paths, one module high."""
    page = np.full((297 * DOTS_MM, 210 * DOTS_MM), 255, np.uint8)
    for place in ElementTree.fromstring(svg).findall(f"{_SVG}svg"):  # noqa: S314 - our own text
        left, top, width = (float(place.attrib[key]) * DOTS_MM for key in ("x", "y", "width"))
        scale = width / float(place.attrib["viewBox"].split()[2])
        at_x = at_y = 0.0
        (path,) = place.iter(f"{_SVG}path")
        for move, numbers in _MOVES.findall(path.attrib["d"].replace("-", " -")):
            values = [float(number) for number in numbers.split()]
            if move == "h":
                begin, end = left + at_x * scale, left + (at_x + values[0]) * scale
                middle = top + at_y * scale
                page[round(middle - scale / 2) : round(middle + scale / 2), round(begin) : round(end)] = 0
                at_x += values[0]
            else:
                at_x, at_y = values if move == "M" else (at_x + values[0], at_y + values[1])
    return page


def test_every_code_of_the_page_is_read_in_its_size() -> None:
    page = printed(draw())
    codes = zxingcpp.read_barcodes(cv2.GaussianBlur(page, (3, 3), 0))
    assert [code.text for code in codes] == [CONTENT] * len(SIZES_MM)
    wide = sorted(
        (abs(code.position.top_right.x - code.position.top_left.x) / DOTS_MM for code in codes), reverse=True
    )
    assert np.allclose(wide, SIZES_MM, atol=0.6), wide
