"""What a hand-held scanner sends, cut into codes; half lines, garbage and lines without an end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from kiosk.errors import CardFault

HALF_LINE_S = 0.5
"""A scanner sends a whole code within 0.3 s even at 9600 baud; what is still incomplete then stays so."""
MAX_CONTENT_BYTES = 4296
"""The most characters that a QR code holds (ISO/IEC 18004, table 7: version 40-L, alphanumeric)."""

Scan: TypeAlias = bytes | CardFault
"""The content of a code, or why there is none: card_unreadable, card_oversized."""


@dataclass(frozen=True, slots=True)
class LineForm:
    """What a scanner was configured to send before and after each code."""

    prefix: bytes = b""
    suffix: bytes = b"\r"
    """Never empty. After a carriage return a line feed is taken too."""

    def __post_init__(self) -> None:
        if not self.suffix:
            raise ValueError("a scanner's line needs a suffix")


class ScanLines:
    """Bytes in as they come, whole codes out."""

    def __init__(self, form: LineForm | None = None) -> None:
        self._form = form or LineForm()
        self._buffer = bytearray()
        self._came_at = 0.0
        self._skipping = False

    @property
    def is_empty(self) -> bool:
        """No line has begun."""
        return not self._buffer and not self._skipping

    def feed(self, chunk: bytes, at: float) -> list[Scan]:
        """The codes that end in this chunk, which came ``at`` seconds."""
        scans = self.expire(at)
        self._came_at = at
        self._buffer += chunk
        *lines, rest = bytes(self._buffer).split(self._form.suffix)
        for line in lines:
            scan = self._scan_of(line)
            if scan is not None:
                scans.append(scan)
        self._buffer = bytearray(rest)
        if len(rest) > MAX_CONTENT_BYTES + len(self._form.prefix):
            if not self._skipping:
                scans.append(CardFault("card_oversized", "the scanner sends a line without an end"))
            self._skipping = True
            # The end of what is dropped may be the beginning of a suffix.
            self._buffer = bytearray(rest[len(rest) - len(self._form.suffix) + 1 :])
        return scans

    def expire(self, at: float) -> list[Scan]:
        """A fault for a line that was begun and not ended in time; else nothing."""
        if self.is_empty or at - self._came_at < HALF_LINE_S:
            return []
        was_skipping, self._skipping = self._skipping, False
        half, self._buffer = bytes(self._buffer), bytearray()
        if was_skipping or not half.strip(b"\r\n\0"):
            return []
        return [CardFault("card_unreadable", "the scanner sent half a line", bytes=len(half))]

    def _scan_of(self, line: bytes) -> Scan | None:
        if self._skipping:
            self._skipping = False  # the end of the line that was too long already
            return None
        line = line.strip(b"\r\n\0")
        if not line:
            return None
        start = line.rfind(self._form.prefix) if self._form.prefix else 0
        if start < 0:
            return CardFault("card_unreadable", "the scanner's prefix is missing", bytes=len(line))
        # Before a prefix may stand the half line of a cable that was plugged in just now.
        content = line[start + len(self._form.prefix) :]
        if not content or any(byte < 0x20 or byte > 0x7E for byte in content):
            return CardFault("card_unreadable", "the scanner sent garbage", bytes=len(line))
        return content
