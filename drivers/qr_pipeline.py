"""From a grey picture to the bytes of its QR codes: the fast decoder, retries on the spot, the other decoder.

zxing-cpp looks at each picture. Where it finds a code and cannot read it, the spot is cut out, enlarged and
sharpened and looked at again. Where it reads nothing, zbar looks too, at most ten times a second. What comes
out are bytes as they are in the code, never text that a library made of them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import zxingcpp
from numpy.typing import NDArray

from drivers.camera_frame import Grey
from drivers.opencv import cv2
from kiosk.errors import EnvironmentFault

SMALLEST_SIDE = 42
"""Pixels: 21 modules (ISO/IEC 18004, version 1) of two pixels each."""
MOST_SPOTS = 2
"""Codes found and not read that are looked at again, the largest first."""
MARGIN = 0.3
"""Of the code's size, around it: its quiet zone and the corners' uncertainty."""
MOST_SPOT_PX = 720
"""A spot larger than this has pixels enough: enlarging it only costs time."""
ZBAR_EVERY_S = 0.1
ADAPTIVE_BLOCK, ADAPTIVE_LESS = 25, 5
"""Neighbourhood in pixels and grey levels below its mean for what counts as dark."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A code that was found: its corners (4 × 2, pixels of the picture)."""

    corners: NDArray[np.float32]

    @property
    def side_px(self) -> float:
        """Length of a side: the root of the area."""
        return float(np.sqrt(abs(cv2.contourArea(self.corners))))

    def box(self, shape: tuple[int, ...], margin: float = MARGIN) -> tuple[int, int, int, int]:
        """Left, top, right, bottom in pixels with the margin around, inside a picture of that shape."""
        low, high = self.corners.min(axis=0), self.corners.max(axis=0)
        around = margin * (high - low).max()
        size = (shape[1], shape[0])
        left, top = np.floor(np.clip(low - around, 0, size)).astype(int)
        right, bottom = np.ceil(np.clip(high + around, 0, size)).astype(int)
        return int(left), int(top), int(right), int(bottom)


@dataclass(frozen=True, slots=True)
class Look:
    """What one picture gave."""

    codes: frozenset[bytes] = frozenset()
    unread: tuple[Spot, ...] = ()
    """Found and not read, the largest first."""
    read: tuple[Spot, ...] = ()
    """Read at the first look, the largest first."""
    stages: tuple[str, ...] = ()
    """Which stages looked, in their order; the last one read what was read."""


@dataclass(slots=True)
class QrPipeline:
    """The stages with their memory: when zbar looked last and how. One thread uses it.

    ``is_enough`` says of a code's bytes that no slower stage need look for more.
    """

    is_enough: Callable[[bytes], bool] = bool
    clock: Callable[[], float] = time.monotonic
    counts: Counter[str] = field(default_factory=Counter)
    """How often each stage looked (``zxing``) and how often it read something (``zxing_read``)."""
    _zbar_at: float = float("-inf")
    _zbar_plain: bool = False

    def look(self, grey: Grey) -> Look:
        """All QR codes of the picture that can be read, and where the others are."""
        if min(grey.shape) < SMALLEST_SIDE:
            return Look()
        stages = ["zxing"]
        codes, unread, read = _zxing(grey)
        self._count("zxing", codes)
        if not self._suffices(codes):
            for spot in unread[:MOST_SPOTS]:
                for name, made, binarizer in _retries(grey, spot):
                    more, *_ = _zxing(made, binarizer)
                    stages.append(name)
                    self._count(name, more)
                    codes |= more
                    if more:
                        break
        if not self._suffices(codes) and not unread:
            # Noise in little light hides the corners of a large code; four pixels in one, they are found.
            half = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            more, *_ = _zxing(np.asarray(half, dtype=np.uint8))
            stages.append("half")
            self._count("half", more)
            codes |= more
        now = self.clock()
        if not self._suffices(codes) and now - self._zbar_at >= ZBAR_EVERY_S:
            self._zbar_at = now
            name = "zbar" if self._zbar_plain else "zbar_adaptive"
            made = grey if self._zbar_plain else _adaptive(grey)
            self._zbar_plain = not self._zbar_plain
            more = _zbar(made)
            stages.append(name)
            self._count(name, more)
            codes |= more
        return Look(frozenset(codes), unread, read, tuple(stages))

    def _suffices(self, codes: set[bytes]) -> bool:
        return any(self.is_enough(code) for code in codes)

    def _count(self, stage: str, codes: set[bytes]) -> None:
        self.counts[stage] += 1
        if codes:
            self.counts[f"{stage}_read"] += 1


def find_codes(grey: Grey) -> list[bytes]:
    """The contents of the QR codes in one picture by itself, as bytes, in no order; [] if there are none."""
    return list(QrPipeline().look(grey).codes)


def check_decoder() -> None:
    """Raises EnvironmentFault reader_missing if zbar, which pyzbar loads when imported, is not installed."""
    try:
        import pyzbar.pyzbar  # noqa: F401
    except ImportError as error:
        fix = "apt-get install libzbar0"
        raise EnvironmentFault("reader_missing", f"zbar is not installed: {fix}", fix=fix) from error


_QR = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
_LOCAL, _GLOBAL = zxingcpp.Binarizer.LocalAverage, zxingcpp.Binarizer.GlobalHistogram


def _zxing(
    grey: Grey, binarizer: zxingcpp.Binarizer = _LOCAL
) -> tuple[set[bytes], tuple[Spot, ...], tuple[Spot, ...]]:
    """What zxing-cpp reads; where it finds a code and cannot read it, and where it can, the largest first.

    Inverted codes are not looked for: a card is printed dark on light. Smaller pictures are made by the
    pipeline itself and only where they help, which halves the time.
    """
    found = zxingcpp.read_barcodes(
        grey,
        formats=_QR,
        try_invert=False,
        try_downscale=False,
        binarizer=binarizer,
        return_errors=True,
    )
    codes = {bytes(symbol.bytes) for symbol in found if symbol.valid}
    return codes, _spots(found, valid=False), _spots(found, valid=True)


def _spots(found: Sequence[zxingcpp.Barcode], *, valid: bool) -> tuple[Spot, ...]:
    spots = [_spot_of(symbol.position) for symbol in found if symbol.valid is valid]
    return tuple(sorted(spots, key=lambda spot: spot.side_px, reverse=True))


def _spot_of(position: zxingcpp.Position) -> Spot:
    corners = (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
    return Spot(np.array([(corner.x, corner.y) for corner in corners], np.float32))


def _retries(grey: Grey, spot: Spot) -> Iterator[tuple[str, Grey, zxingcpp.Binarizer]]:
    """The spot enlarged and sharpened, one way after another."""
    left, top, right, bottom = spot.box(grey.shape)
    if right - left < 8 or bottom - top < 8 or max(right - left, bottom - top) > MOST_SPOT_PX:
        return
    cut = np.ascontiguousarray(grey[top:bottom, left:right])
    double = _enlarged(cut, 2)
    yield "retry_2x", _sharpened(double, 3, 3), _LOCAL
    yield "retry_2x_global", double, _GLOBAL
    yield "retry_3x", _sharpened(_enlarged(cut, 3), 4, 3), _LOCAL


def _enlarged(grey: Grey, times: int) -> Grey:
    made = cv2.resize(grey, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
    return np.asarray(made, dtype=np.uint8)


def _sharpened(grey: Grey, sigma: float, amount: float) -> Grey:
    blurred = cv2.GaussianBlur(grey, (0, 0), sigma)
    return np.asarray(cv2.addWeighted(grey, 1 + amount, blurred, -amount, 0), dtype=np.uint8)


def _adaptive(grey: Grey) -> Grey:
    made = cv2.adaptiveThreshold(
        grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, ADAPTIVE_BLOCK, ADAPTIVE_LESS
    )
    return np.asarray(made, dtype=np.uint8)


def _zbar(grey: NDArray[Any]) -> set[bytes]:
    from pyzbar import pyzbar

    return {symbol.data for symbol in pyzbar.decode(grey, symbols=[pyzbar.ZBarSymbol.QRCODE])}
