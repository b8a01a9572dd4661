"""From scanned codes to events: a scanner says what it read, never that the code has left."""

from __future__ import annotations

import hashlib

from drivers.code_kinds import MAX_PAYLOAD_BYTES, is_ours, kind_of
from drivers.reader import Faulted, Lifted, PollEvent, Reading
from drivers.scanner_lines import Scan
from kiosk.errors import CardFault
from kiosk.values import CardRead, Medium

LIFTED_AFTER_S = 1.0
"""After the last scan of it a code has left; a scanner that repeats itself does so more often."""


class ScanWatch:
    """Turns scans into events: read once while it is scanned on and on, lifted one second after that."""

    def __init__(self) -> None:
        self._held = b""
        self._garbled = False
        self._seen_at = 0.0

    def scanned(self, scan: Scan, at: float, *, began_at: float) -> list[PollEvent]:
        """Events of what was scanned ``at`` seconds, whose first byte came ``began_at``."""
        if isinstance(scan, CardFault):
            # Nobody knows of which code that was: whatever is held stays held.
            self._garbled, self._seen_at = not self._held, at
            return [Faulted(scan)]
        key = hashlib.sha256(scan).digest()
        self._seen_at = at
        if key == self._held:
            return []
        events: list[PollEvent] = [Lifted()] if self._held or self._garbled else []
        self._held, self._garbled = key, False
        if not is_ours(scan):
            fault = CardFault("card_foreign", "the code is not a KMC code", kind=kind_of(scan))
            return [*events, Faulted(fault)]
        if len(scan) > MAX_PAYLOAD_BYTES:
            return [*events, Faulted(CardFault("card_oversized", "the code is too long", bytes=len(scan)))]
        read_ms = max(0.1, round((at - began_at) * 1000, 1))
        return [*events, Reading(), CardRead(Medium.QR, scan, read_ms=read_ms)]

    def passed(self, at: float) -> list[PollEvent]:
        """Lifted, once nothing has been scanned for a second."""
        if not (self._held or self._garbled) or at - self._seen_at < LIFTED_AFTER_S:
            return []
        self._held, self._garbled = b"", False
        return [Lifted()]
