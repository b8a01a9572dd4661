"""Keys as a scanner presses them, back into characters: the US layout, which scanners leave the factory with.

Codes and values are those of linux/input-event-codes.h. The kiosk's own keyboard layout plays no part, since
the device is read below it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

EV_SYN, EV_KEY = 0, 1
SYN_DROPPED = 3
RELEASED, PRESSED = 0, 1
SHIFTS = frozenset({42, 54})
CAPS_LOCK = 58
ENTERS = frozenset({28, 96})

_ROWS = {
    2: ("1234567890-=", "!@#$%^&*()_+"),
    16: ("qwertyuiop[]", "QWERTYUIOP{}"),
    30: ("asdfghjkl;'`", 'ASDFGHJKL:"~'),
    43: ("\\zxcvbnm,./", "|ZXCVBNM<>?"),
}
"""The first code of each row of keys, and what stands on them from there."""

_PLAIN: dict[int, str] = {15: "\t", 57: " ", 55: "*", 74: "-", 78: "+", 83: ".", 98: "/"}
_PLAIN |= dict(zip((71, 72, 73, 75, 76, 77, 79, 80, 81, 82), "7894561230", strict=True))
_SHIFTED: dict[int, str] = dict(_PLAIN)
for _first, (_small, _large) in _ROWS.items():
    _PLAIN |= dict(enumerate(_small, _first))
    _SHIFTED |= dict(enumerate(_large, _first))


class KeyWriter:
    """Key events in, characters out, as bytes; what no character is becomes 0x1A (substitute)."""

    def __init__(self) -> None:
        self._shifts: set[int] = set()
        self._caps = False

    def write(self, events: Iterable[Any]) -> bytes:
        """The characters of these events (``type``, ``code``, ``value``). Repeats of a held key count not."""
        return b"".join(self._one(event.type, event.code, event.value) for event in events)

    def _one(self, kind: int, code: int, value: int) -> bytes:
        if kind == EV_SYN and code == SYN_DROPPED:
            # The kernel's queue ran over and keys are missing: the line must not pass for a whole one.
            self._shifts.clear()
            return b"\x1a"
        if kind != EV_KEY:
            return b""
        if code in SHIFTS:
            (self._shifts.discard if value == RELEASED else self._shifts.add)(code)
            return b""
        if value != PRESSED:
            return b""
        if code == CAPS_LOCK:
            self._caps = not self._caps
            return b""
        if code in ENTERS:
            return b"\r"
        shifted = bool(self._shifts)
        character = (_SHIFTED if shifted else _PLAIN).get(code)
        if character is None:
            return b"\x1a"
        if self._caps and character.isalpha():
            character = character.swapcase()
        return character.encode("ascii")
