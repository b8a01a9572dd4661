"""How much of a name may be shown where."""

from __future__ import annotations

HIDDEN = "•••••"


def public_name(full_name: str) -> str:
    """A name for the public screen: ``SITI R•••••``; of a single name the first three letters.

    The number of dots is always the same, so that it says nothing of the name.
    """
    parts = full_name.upper().split()
    if not parts:
        return ""
    if len(parts) == 1:
        return parts[0][: min(3, max(1, len(parts[0]) - 1))] + HIDDEN
    return f"{parts[0]} {parts[1][0]}{HIDDEN}"
