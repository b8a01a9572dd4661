"""How much central takes on at once, and what it says to those it turns away.

Bodies in memory have a common budget, each kiosk a rate, and pushes a few places to be worked on at, in the
order in which they came. Whoever would wait too long for one is sent away before its body is kept, with the
time at which its turn comes (``Retry-After``): later and later for each, so that they do not come together.
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
FIRST_UNIT_S: Final = 1e-6
"""Before anything was measured: half a millisecond for a record."""
REQUEST_WEIGHT: Final = 10_000
"""What a push weighs beside the bytes of its body."""
EARLY: Final = 0.85
"""Part of the time until its turn after which one that was sent away is to be back: kiosks add up to half."""
_CLAIMED: Final = re.compile(r'keyid="([0-9A-Za-z.]{1,20})"')
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
    line_s: float = 3.0
    """The longest expected wait for a place; a kiosk waits ten seconds for its answer."""


class OutOfLine(CentralFault):
    """There are too many pushes before this one."""

    def __init__(self, wait_s: float) -> None:
        super().__init__("central_busy", "too many pushes at once", retry_after_s=_retry_after_s(wait_s))


class Limits:
    """The state of all limits; used by the one thread of the event loop."""

    def __init__(self, rules: Rules | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.rules = rules or Rules()
        self._monotonic = monotonic
        self._bodies = 0
        self._room = asyncio.Condition()
        self._rates: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._places = asyncio.Semaphore(self.rules.places)
        self._in_line = 0
        """What all pushes in line weigh."""
        self._unit_s = FIRST_UNIT_S
        """How long a place has taken lately for one unit of weight."""
        self._promised = 0.0
        """When the last of those sent away has its turn."""
        self._sent_away: OrderedDict[str, None] = OrderedDict()
        """Who was sent away and has not been back; by claimed key id, since nothing is checked by then."""

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
    async def line(self, headers: Mapping[str, str]) -> AsyncIterator[None]:
        """A place in the line of pushes, from the headers on, until the end of the block.

        Raises OutOfLine where the wait would be longer than ``line_s``; for one that was sent away before,
        twice that, so that it does not come in vain again.
        """
        announced = headers.get("content-length", "")
        weight = _weight(int(announced) if announced.isdecimal() and len(announced) < 12 else 0)
        named = _CLAIMED.search(headers.get("signature-input", ""))
        name = named.group(1) if named else ""
        came_before = name in self._sent_away
        each_s = self._unit_s / self.rules.places
        ahead_s = self._in_line * each_s
        if ahead_s > self.rules.line_s * (2 if came_before else 1):
            now = self._monotonic()
            turn_s = ahead_s
            if not came_before:
                turn_s = max(self._promised - now, ahead_s) + weight * each_s
                self._promised = now + turn_s
            self._sent_away[name] = None
            self._sent_away.move_to_end(name)
            while len(self._sent_away) > MOST_KIOSKS:
                self._sent_away.popitem(last=False)
            raise OutOfLine(turn_s * EARLY)
        self._sent_away.pop(name, None)
        self._in_line += weight
        try:
            yield
        finally:
            self._in_line -= weight

    @asynccontextmanager
    async def place(self, size: int) -> AsyncIterator[None]:
        """A place to work on a push of ``size`` bytes, until the end of the block; in order of asking."""
        async with self._places:
            begun = self._monotonic()
            try:
                yield
            finally:
                took_s = self._monotonic() - begun
                self._unit_s += (took_s / _weight(size) - self._unit_s) * 0.1

    @staticmethod
    def _busy(why: str, wait_s: float) -> CentralFault:
        return CentralFault("central_busy", why, retry_after_s=_retry_after_s(wait_s))


def _retry_after_s(wait_s: float) -> int:
    return min(MOST_RETRY_S, max(1, math.ceil(wait_s)))


def _weight(size: int) -> int:
    return REQUEST_WEIGHT + size


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
