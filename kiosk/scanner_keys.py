"""Telling a scanner that types from a person that types: by its prefix, its speed and its suffix.

A keyboard scanner presses keys like anybody, only 1 to 20 ms apart. Every key is held back for a moment: one
that stays alone was a person's and is handed on, a burst of them is a scan and reaches no text field. No
clock, no screen: keys and times go in, and what is to be done with them comes out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

Key = TypeVar("Key")

GAP_S = 0.05
"""Between two keys of a scan; a person who types 120 words a minute needs 100 ms a key."""
BURST_KEYS = 6
"""So many keys in a row without a gap are no person's: two or three that roll over each other may be."""
STALLED_S = 0.5
"""A scan that pauses for so long has broken off."""
MAX_KEYS = 4296
"""The most characters of a QR code (ISO/IEC 18004, table 7: version 40-L, alphanumeric)."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Key]):
    """What is to be done now."""

    typed: tuple[Key, ...] = ()
    """Keys of a person, to be handed on in this order."""
    scanned: tuple[str, ...] = ()
    """Contents of codes, without prefix and suffix."""
    broken: tuple[str, ...] = ()
    """Scans that came to nothing: ``half`` or ``oversized``."""


@dataclass(slots=True)
class ScannerKeys(Generic[Key]):
    """The keys since the last silence. ``Key`` is whatever the caller hands on again.

    With a prefix only what begins with it is a scan, and its first keys alone are enough to be sure. Without
    one every burst is. ``suffix`` is what the scanner types last, ``\\r`` for Enter.
    """

    prefix: str = ""
    suffix: str = "\r"
    gap_s: float = GAP_S
    _held: list[Key] = field(default_factory=list)
    _text: str = ""
    _at: float = float("-inf")
    _scanning: bool = False
    _too_long: bool = False

    def __post_init__(self) -> None:
        if not self.suffix:
            raise ValueError("a scanner that types needs a suffix")

    @property
    def is_holding(self) -> bool:
        """Keys are held back: ``expire`` is to be called after ``wait_s``."""
        return bool(self._held) or self._scanning

    @property
    def wait_s(self) -> float:
        """How long after the last key it is known what the held ones were."""
        return STALLED_S if self._scanning else self.gap_s

    def press(self, key: Key, text: str, at: float) -> Outcome[Key]:
        """One key went down ``at`` seconds and writes ``text``, one character."""
        before = self.expire(at)
        self._held.append(key)
        self._text += text
        self._at = at
        if not self._scanning:
            after = self._decide()
        elif self._text.endswith(self.suffix):
            after = self._finish()
        else:
            after = self._bound()
        return Outcome(
            before.typed + after.typed, before.scanned + after.scanned, before.broken + after.broken
        )

    def expire(self, at: float) -> Outcome[Key]:
        """What the held keys were, if the silence has lasted; else nothing."""
        if not self.is_holding or at - self._at < self.wait_s:
            return Outcome()
        if not self._scanning:
            return self._hand_on()
        was_told = self._too_long
        self._forget()
        return Outcome() if was_told else Outcome(broken=("half",))

    def _decide(self) -> Outcome[Key]:
        """Is it a scan by now, or none for certain?"""
        if self.prefix:
            if self._text.startswith(self.prefix):
                self._scanning = True
                return self._finish() if self._ends() else Outcome()
            return Outcome() if self.prefix.startswith(self._text) else self._hand_on()
        if len(self._held) >= BURST_KEYS:
            self._scanning = True
            return self._finish() if self._ends() else Outcome()
        # Enter after a few quick keys is a person who is sure of what is typed.
        return self._hand_on() if self._text.endswith(self.suffix) else Outcome()

    def _ends(self) -> bool:
        return self._text.removeprefix(self.prefix).endswith(self.suffix)

    def _finish(self) -> Outcome[Key]:
        content = self._text.removeprefix(self.prefix).removesuffix(self.suffix)
        was_told = self._too_long
        self._forget()
        return Outcome(scanned=(content,)) if content and not was_told else Outcome()

    def _bound(self) -> Outcome[Key]:
        if len(self._text) <= MAX_KEYS + len(self.prefix) + len(self.suffix):
            return Outcome()
        self._held.clear()
        self._text = self._text[-len(self.suffix) :]
        was_told, self._too_long = self._too_long, True
        return Outcome() if was_told else Outcome(broken=("oversized",))

    def _hand_on(self) -> Outcome[Key]:
        typed = tuple(self._held)
        self._forget()
        return Outcome(typed=typed)

    def _forget(self) -> None:
        self._held.clear()
        self._text, self._scanning, self._too_long = "", False, False
