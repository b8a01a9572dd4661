"""From the codes of one picture after another to events: which pictures are worth decoding, what changed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable

import numpy as np

from drivers.camera_frame import Grey
from drivers.code_kinds import MAX_PAYLOAD_BYTES, is_ours, kind_of
from drivers.opencv import cv2
from drivers.reader import Faulted, Lifted, PollEvent, Reading
from kiosk.errors import CardFault
from kiosk.values import CardRead, Medium

MOTION_STEP = 12
"""Grey levels by which a pixel must change to have moved, in good light."""
MOTION_SHARE = 0.01
AWAKE_S = 2.0
"""Seconds after motion in which pictures are decoded as fast as the duty allows."""
IDLE_DECODE_S = 1.0
HELD_DECODE_S = 0.25
LIFTED_AFTER_S = 1.0
LIFTED_AFTER_MISSES = 3

_DARK_BELOW = 60.0


class MotionGate:
    """Says which pictures are worth a full decode, so that an idle kiosk does not burn a core."""

    def __init__(self) -> None:
        self._last: Grey | None = None
        self._awake_until = float("-inf")
        self._begun = float("-inf")
        self._took_s = 0.0

    def is_awake(self, at: float) -> bool:
        """True for 2 s after motion."""
        return at < self._awake_until

    def wants(self, small: Grey, at: float, *, held: bool = False, missed: bool = False) -> bool:
        """True if the picture taken ``at`` seconds, seen here at 160 × 90, should be decoded.

        ``held``: a code is before the camera; ``missed``: the last decode did not find it again. Decoding
        takes about half of the time at most, however restless the picture is.
        """
        if self._moved(small):
            self._awake_until = at + AWAKE_S
        since = at - self._begun
        if since >= IDLE_DECODE_S:
            return True
        if since < 2 * self._took_s:
            return False
        return self.is_awake(at) or missed or (held and since >= HELD_DECODE_S)

    def decoded(self, at: float, took_s: float) -> None:
        """The picture taken ``at`` was decoded in ``took_s`` seconds."""
        self._begun = at
        self._took_s = took_s

    def _moved(self, small: Grey) -> bool:
        last, self._last = self._last, small
        if last is None:
            return True
        # A dark picture is noisy: up to twice the step keeps the sensor's noise from counting as motion.
        dark = max(0.0, 1 - float(small.mean()) / _DARK_BELOW)
        changed = np.count_nonzero(cv2.absdiff(small, last) > MOTION_STEP * (1 + dark))
        return bool(changed > MOTION_SHARE * small.size)


class CodeWatch:
    """Turns what is seen in each decoded picture into events: read once while held, lifted once gone 1 s."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._held = b""
        self._held_ours = False
        self._seen_at = 0.0
        self._misses = 0

    @property
    def holds(self) -> bool:
        """True while a code, ours or not, is before the camera."""
        return bool(self._held)

    @property
    def missed(self) -> bool:
        """True if a code is held but the last picture did not show it."""
        return self._misses > 0

    def seen(self, codes: Iterable[bytes], at: float) -> list[PollEvent]:
        """Events of a picture taken ``at`` (seconds of the same clock as ``now``) that holds these codes."""
        ours: set[bytes] = set()
        others: set[bytes] = set()
        for code in codes:
            (ours if is_ours(code) else others).add(code)
        wanted = ours or others
        if not wanted or (not ours and self._held_ours and at - self._seen_at < LIFTED_AFTER_S):
            # A poster behind a card that blurs for a moment is no new code.
            return self._nothing(at)
        # Content stays out of memory longer than needed: what is held is known by its digest.
        key = hashlib.sha256(b"".join(sorted(ours)) if ours else min(others)).digest()
        if others and not ours and any(hashlib.sha256(other).digest() == self._held for other in others):
            key = self._held
        self._seen_at = at
        self._misses = 0
        if key == self._held:
            return []
        events: list[PollEvent] = [Lifted()] if self._held else []
        self._held = key
        self._held_ours = bool(ours)
        event = self._event(ours, others, at)
        # A code is read as soon as it is seen; `reading` is told all the same, as by every reader.
        return [*events, Reading(), event] if isinstance(event, CardRead) else [*events, event]

    def _nothing(self, at: float) -> list[PollEvent]:
        if not self._held:
            return []
        self._misses += 1
        if self._misses < LIFTED_AFTER_MISSES or at - self._seen_at < LIFTED_AFTER_S:
            return []
        self._held = b""
        self._held_ours = False
        self._misses = 0
        return [Lifted()]

    def _event(self, ours: set[bytes], others: set[bytes], at: float) -> PollEvent:
        if len(ours) > 1:
            return Faulted(CardFault("card_two", "more than one KMC code before the camera"))
        if not ours:
            kind = kind_of(min(others))
            return Faulted(CardFault("card_foreign", "the code is not a KMC code", kind=kind))
        (payload,) = ours
        if len(payload) > MAX_PAYLOAD_BYTES:
            return Faulted(CardFault("card_oversized", "the code is too long", bytes=len(payload)))
        return CardRead(Medium.QR, payload, read_ms=round((self._now() - at) * 1000, 1))
