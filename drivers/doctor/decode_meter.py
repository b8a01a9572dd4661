"""What a camera sees while a technician holds a code before it: pace, light, sharpness, size of the code."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from drivers.doctor.pictures import Look as Light
from drivers.qr_hints import LEAST_MODULE_PX, USUAL_MODULES, what_helps
from drivers.qr_reader import QrConnection, Seen
from drivers.reader import HintCode, ReaderConnection

EVERY_S: Final = 1.0
"""Between two lines: as fast as a person reads them."""

ADVICE: Final[Mapping[HintCode, str]] = {
    "closer": "hold it nearer",
    "farther": "hold it further away",
    "blurred": "hold it still, or turn the lens",
    "dark": "more light on it",
    "glare": "a lamp is mirrored in it: tilt it, or move the lamp",
}


@dataclass(frozen=True, slots=True)
class Pace:
    """Counts at one moment, in seconds."""

    at: float
    pictures: int
    decoded: int


class DecodeMeter:
    """Says a line each second while it is asked to look (``tick``), whatever the camera sees."""

    def __init__(
        self,
        connection: QrConnection,
        say: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._say = say
        self._clock = clock
        self._before = self._pace()
        self._seen: Seen | None = None
        self._took_ms: deque[float] = deque(maxlen=100)

    def tick(self) -> None:
        """To be called after each poll; says its line once a second."""
        seen = self._connection.seen
        if seen is not None and seen is not self._seen:
            self._seen = seen
            self._took_ms.append(seen.took_ms)
        now = self._pace()
        span_s = now.at - self._before.at
        if span_s < EVERY_S:
            return
        before, self._before = self._before, now
        pictures_s = (now.pictures - before.pictures) / span_s
        decoded_s = (now.decoded - before.decoded) / span_s
        self._say(f"{pictures_s:.0f} pictures/s looked at, {decoded_s:.0f} decoded{self._what()}")

    def _pace(self) -> Pace:
        stages = self._connection.health().stages
        return Pace(self._clock(), stages.get("pictures", 0), stages.get("zxing", 0))

    def _what(self) -> str:
        if self._seen is None:
            return ": no picture yet"
        light = Light.of(self._seen.grey, 0.0)
        took_ms = statistics.median(self._took_ms)
        told = f" in {took_ms:.0f} ms each, light {light.light:.0f} of 255, sharpness {light.sharpness:.0f}: "
        return told + code_of(self._seen)


def code_of(seen: Seen) -> str:
    """What is to be said of the code in a picture, with its size in pixels a module."""
    look = seen.look
    spot = next(iter(look.read or look.unread), None)
    if spot is None:
        return "a code is read" if look.codes else "no code to be seen"
    module_px = spot.side_px / USUAL_MODULES
    size = f"about {module_px:.1f} pixels a module ({LEAST_MODULE_PX:g} or more are needed)"
    if look.codes:
        return f"a code is read, {size}"
    helps = what_helps(seen.grey, spot)
    return f"a code is seen and not read, {size}" + (f": {ADVICE[helps]}" if helps else "")


def meter_for(connection: ReaderConnection, say: Callable[[str], None]) -> Callable[[], None]:
    """The meter's ``tick`` where the reader is a camera; else something that says nothing."""
    if not isinstance(connection, QrConnection):
        return lambda: None
    return DecodeMeter(connection, say).tick
