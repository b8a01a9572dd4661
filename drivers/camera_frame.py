"""One picture of a camera in grey, in two sizes, from whatever the camera gives; made only when asked for."""

from __future__ import annotations

from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from drivers.opencv import cv2
from kiosk.errors import EnvironmentFault

Grey: TypeAlias = NDArray[np.uint8]
"""Rows × columns, 0 = black."""

SMALL_SIZE = (160, 90)
"""Columns and rows of the small picture, enough to see that something moves."""
MOST_PX = 3_200_000
"""Pixels above which a picture is made smaller: codes near enough are read all the same, in a quarter of the
time (a camera of 12 megapixels gives 2000 × 1500 then)."""

_NOTHING: Grey = np.zeros((0, 0), np.uint8)
_REDUCED = {
    1: cv2.IMREAD_GRAYSCALE,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


class GreyMaker:
    """What is known of one camera's pictures: how many bits a pixel has. One thread uses it."""

    def __init__(self) -> None:
        self._bits = 8

    def grey(self, picture: NDArray[Any]) -> Grey:
        """The picture in grey: rows × columns. Grey, BGR, BGRA and YUYV of 8 or up to 16 bits are taken.

        Ten or twelve bits come in the low end of sixteen (Linux, V4L2_PIX_FMT_Y10, V4L2_PIX_FMT_Y12): the
        brightest pixel so far tells. Raises EnvironmentFault camera_format for anything else.
        """
        channels = picture.shape[2] if picture.ndim == 3 else 1
        if (
            picture.ndim not in (2, 3)
            or channels not in (1, 2, 3, 4)
            or picture.dtype not in (np.uint8, np.uint16)
        ):
            raise EnvironmentFault(
                "camera_format",
                f"pictures of {picture.dtype} with {channels} channels are not understood",
                format=f"{picture.dtype} {picture.shape}",
            )
        if picture.ndim == 3 and channels in (1, 2):
            picture = picture[:, :, 0]  # of YUYV the first byte of two is the brightness
        if picture.dtype == np.uint16:
            picture = self._eight_bits(picture)
        if picture.ndim == 3:
            code = cv2.COLOR_BGRA2GRAY if channels == 4 else cv2.COLOR_BGR2GRAY
            picture = cv2.cvtColor(picture, code)
        return np.ascontiguousarray(picture, dtype=np.uint8)

    def _eight_bits(self, picture: NDArray[Any]) -> NDArray[np.uint8]:
        needed = int(picture.max()).bit_length() if picture.size else 8
        self._bits = next(bits for bits in (8, 10, 12, 16) if bits >= max(needed, self._bits))
        return (picture >> (self._bits - 8)).astype(np.uint8)


class Frame:
    """One picture and when it was grabbed (seconds of the camera's clock).

    ``raw`` is a picture of rows × columns or × channels, or where ``is_jpeg`` the bytes of a JPEG.
    """

    def __init__(
        self, raw: NDArray[Any], at: float, maker: GreyMaker | None = None, *, is_jpeg: bool = False
    ):
        self.at = at
        self._raw = raw
        self._maker = maker or GreyMaker()
        self._is_jpeg = is_jpeg

    @cached_property
    def size(self) -> tuple[int, int]:
        """Columns and rows as the camera gives them; of a JPEG to a multiple of eight. (0, 0) if damaged."""
        if self._is_jpeg:
            rows, columns = self._eighth.shape
            return 8 * columns, 8 * rows
        return int(self._raw.shape[1]), int(self._raw.shape[0])

    @property
    def is_reduced(self) -> bool:
        """True if the camera gives more pixels than are looked at."""
        return self._times > 1

    @cached_property
    def grey(self) -> Grey:
        """The picture in grey, made smaller above MOST_PX; without rows if it is damaged.

        Raises EnvironmentFault camera_format.
        """
        if self._is_jpeg:
            return self._decoded(self._times)
        grey = self._maker.grey(self._raw)
        if self._times == 1:
            return grey
        size = (grey.shape[1] // self._times, grey.shape[0] // self._times)
        return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)

    @cached_property
    def small(self) -> Grey:
        """The picture in grey at 160 × 90; without rows if it is damaged. Raises as ``grey`` does."""
        whole = self._eighth if self._is_jpeg else self.grey
        if whole.size == 0:
            return _NOTHING
        if whole.shape == SMALL_SIZE[::-1]:
            return whole
        return np.asarray(cv2.resize(whole, SMALL_SIZE, interpolation=cv2.INTER_AREA), dtype=np.uint8)

    @cached_property
    def _times(self) -> int:
        columns, rows = self.size
        return next((times for times in (1, 2, 4) if columns * rows <= MOST_PX * times * times), 8)

    @cached_property
    def _eighth(self) -> Grey:
        # JPEG is made of blocks of 8 × 8: an eighth of the size is their mean, for a tenth of the work.
        return self._decoded(8)

    def _decoded(self, times: int) -> Grey:
        try:
            made = cv2.imdecode(self._raw, _REDUCED[times] | cv2.IMREAD_IGNORE_ORIENTATION)
        except cv2.error:
            return _NOTHING
        return _NOTHING if made is None else np.asarray(made, dtype=np.uint8)
