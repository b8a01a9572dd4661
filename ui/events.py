"""What a reader has to say to the screen; the root turns the drivers' events into these."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

from kiosk.values import CardRead

NoticeKind = Literal["ready", "reading", "read", "lifted", "fault", "gone", "hint"]


@dataclass(frozen=True, slots=True)
class ReaderNotice:
    """One thing a reader saw.

    ``fault`` carries the code of a card fault, ``gone`` that of a reader fault, ``read`` the read, ``hint``
    what helps a code that is seen and not read: ``closer``, ``farther``, ``blurred``, ``dark`` or ``glare``.
    """

    kind: NoticeKind
    code: str = ""
    read: CardRead | None = None
    source: Literal["nfc", "qr"] = "nfc"
    """What kind of reader it is."""
    region: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    """Of a hint: where the code is, left, top, right and bottom as shares of the camera's picture."""
    reader: str = ""
    """Its name where there are several of a kind, such as ``nfc:2``; empty means the only one."""
    arrived_s: float = field(default_factory=time.perf_counter)
    """When the notice reached this process (``time.perf_counter``); the paint probe starts here."""
