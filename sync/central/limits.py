"""How much central takes on at once, and what it says to those it turns away.

Bodies in memory have a common budget, each kiosk a rate, and pushes a few places to be worked on at: whoever
would wait too long for one is sent away with the time at which its turn comes (``Retry-After``), later and
later for each that is sent away, so that they do not come back together.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from kiosk.errors import CentralFault
from sync.wire import MAX_BODY_BYTES

MAX_DEPTH: Final = 32
MOST_RETRY_S: Final = 60
"""So that nobody waits long for a pace that has become faster since; who comes too early is told again."""
MOST_KIOSKS: Final = 10_000
_NO_MARKS: Final = bytes(set(range(256)) - set(b'[]{}"'))
_MARKS: Final = re.compile(rb'[\[{]|[\]}]|"(?:[^"\\]|\\.)*"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rules:
    """The limits themselves."""

    bodies_bytes: int = 32 * 1024 * 1024
    """Of all requests that are being read or worked on."""
    body_s: float = 20.0
    """For a body to come in whole."""
    room_s: float = 5.0
    """For room in the budget."""
    burst: int = 200
    """Requests of one kiosk that may come at once."""
    per_s: float = 20.0
    """Requests a second of one kiosk, for long."""
    places: int = field(default_factory=lambda: max(2, os.cpu_count() or 1))
    """Pushes worked on at once; more would only wait for each other."""
    place_s: float = 4.0
    """The longest expected wait for a place; a kiosk waits ten seconds for its answer."""


class Limits:
    """The state of all limits; used by the one thread of the event loop."""

    def __init__(self, rules: Rules | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.rules = rules or Rules()
        self._monotonic = monotonic
        self._bodies = 0
        self._room = asyncio.Condition()
        self._rates: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._places = asyncio.Semaphore(self.rules.places)
        self._inside = 0
        self._service_s = 0.2
        """How long a push has taken lately."""
        self._promised = 0.0
        """When the last of those sent away has its turn."""

    @asynccontextmanager
    async def room(self, headers: Mapping[str, str]) -> AsyncIterator[None]:
        """Room in memory for the announced body, until the end of the block.

        Raises CentralFault ``length_required``, ``body_too_large``, ``central_busy``.
        """
        announced = headers.get("content-length", "")
        wanted = int(announced) if announced.isdecimal() and len(announced) < 12 else 0
        if "transfer-encoding" in headers:
            raise CentralFault("length_required", "a body is announced by Content-Length")
        if wanted > MAX_BODY_BYTES:
            raise CentralFault("body_too_large", f"at most {MAX_BODY_BYTES} bytes")
        try:
            async with asyncio.timeout(self.rules.room_s), self._room:
                await self._room.wait_for(lambda: self._bodies + wanted <= self.rules.bodies_bytes)
                self._bodies += wanted
        except TimeoutError:
            raise self._busy("too much is being sent at once", self.rules.room_s) from None
        try:
            yield
        finally:
            self._bodies -= wanted
            async with self._room:
                self._room.notify_all()

    def count(self, keyid: str) -> None:
        """Counts one request of a kiosk whose signature holds. Raises CentralFault ``too_many_requests``."""
        now = self._monotonic()
        left, at = self._rates.pop(keyid, (float(self.rules.burst), now))
        left = min(self.rules.burst, left + (now - at) * self.rules.per_s) - 1
        self._rates[keyid] = (max(-1.0, left), now)
        while len(self._rates) > MOST_KIOSKS:
            self._rates.popitem(last=False)
        if left < 0:
            wait_s = max(1, math.ceil(-left / self.rules.per_s))
            raise CentralFault("too_many_requests", "too many requests of one kiosk", retry_after_s=wait_s)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place to work on a push, until the end of the block. Raises CentralFault ``central_busy``."""
        each_s = self._service_s / self.rules.places
        ahead_s = max(0, self._inside + 1 - self.rules.places) * each_s
        if ahead_s > self.rules.place_s:
            now = self._monotonic()
            self._promised = max(self._promised, now + ahead_s) + each_s
            raise self._busy("too many pushes at once", self._promised - now)
        self._inside += 1
        try:
            async with self._places:
                begun = self._monotonic()
                try:
                    yield
                finally:
                    self._service_s += (self._monotonic() - begun - self._service_s) * 0.1
        finally:
            self._inside -= 1

    @staticmethod
    def _busy(why: str, wait_s: float) -> CentralFault:
        retry_after_s = min(MOST_RETRY_S, max(1, math.ceil(wait_s)))
        return CentralFault("central_busy", why, retry_after_s=retry_after_s)


def check_depth(body: bytes) -> None:
    """Raises CentralFault ``body_too_deep`` for JSON nested beyond MAX_DEPTH."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH or _is_shallow(body):
        return
    depth = 0
    for match in _MARKS.finditer(body):
        first = body[match.start()]
        if first in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise CentralFault("body_too_deep", f"nested beyond {MAX_DEPTH}")
        elif first in b"]}":
            depth -= 1


def _is_shallow(body: bytes) -> bool:
    """True if texts without escapes and with no brackets in them are all there is, nested no deeper.

    Long bodies are journals, and such. What is not is read mark by mark.
    """
    if b"\\" in body:
        return False
    # Two quotes next to each other go: what stood inside or outside of a text before, still does.
    marks = body.translate(None, _NO_MARKS).replace(b'""', b"")
    for _ in range(MAX_DEPTH // 2):
        # Two levels at most, of each kind one.
        marks = marks.replace(b"{}", b"").replace(b"[]", b"")
    return not marks
