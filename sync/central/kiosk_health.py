"""What a kiosk says of itself in a poll, kept for people: queue, versions, what it refused of central's."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from sync.wire import PollRequest

MOST_REFUSED: Final = 32
"""Codes that are kept of one kiosk; the ones told longest ago go first."""
_CODE: Final = re.compile(r"[a-z][a-z_]{0,39}")


def after(before: str | None, request: PollRequest, now: int) -> str:
    """What is kept, as JSON, when a kiosk with ``before`` has polled.

    What it set aside is told once, so its code stays with the time at which it was told; so do the versions,
    which a file does not bring.
    """
    known = told(before)
    refused: dict[str, int] = known["refused"]
    codes = request.health.get("refused")
    for code in codes if isinstance(codes, list) else ():
        if isinstance(code, str) and _CODE.fullmatch(code):
            refused.pop(code, None)
            refused[code] = now
    kept = {
        "queue": request.queue,
        "versions": request.versions or known["versions"],
        "refused": dict(list(refused.items())[-MOST_REFUSED:]),
        "health": request.health,
    }
    return json.dumps(kept)


def told(kept: str | None) -> dict[str, Any]:
    """Queue, versions, and codes of what was refused with the Unix second at which each was told last."""
    try:
        values = json.loads(kept) if kept else {}
    except ValueError:
        values = {}  # an earlier release cut NUL out of the text, and could cut it in two
    return {
        "queue": values.get("queue", 0),
        "versions": values.get("versions", {}),
        "refused": values.get("refused", {}),
    }
