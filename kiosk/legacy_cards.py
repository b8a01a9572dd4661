"""Cards that residents held before this system: what names one, at the kiosk and at central. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

ADOPTED: Final = "adopted"
"""``what`` of the note that binds a card to its holder (journal record of type ``note``)."""

KINDS: Final = ("uid", "number")
_NUMBER: Final = re.compile(r"[0-9A-Z]{4,32}")
_UID: Final = re.compile(r"(?:[0-9a-f]{8}|[0-9a-f]{14}|[0-9a-f]{16}|[0-9a-f]{20})")
_ID: Final = re.compile(r"[0-9a-f]{64}")


def legacy_id(kind: str, value: str) -> str:
    """What stands for a card in records and in the feed: SHA-256 of ``kind:value``, in hex.

    ``value`` is the chip's UID in hex (4, 7, 8 or 10 bytes) or the printed number; spaces, dots and dashes in
    a number are how it is printed, not part of it. Raises ValueError for anything else.
    """
    plain = value.strip().lower() if kind == "uid" else re.sub(r"[\s.-]", "", value).upper()
    if kind not in KINDS or not (_UID if kind == "uid" else _NUMBER).fullmatch(plain):
        raise ValueError(f"no card's {kind}")
    return hashlib.sha256(f"{kind}:{plain}".encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class Adoption:
    """A card that an officer bound to a holder, as its note tells."""

    id: str
    kind: str
    holder_id: int

    def as_detail(self) -> dict[str, Any]:
        """The note's detail."""
        return {"what": ADOPTED, "id": self.id, "kind": self.kind, "holder": self.holder_id}

    @classmethod
    def of_detail(cls, detail: Mapping[str, Any]) -> Self | None:
        """The adoption that a note tells of; None for other notes. Raises ValueError for a wrong one."""
        if detail.get("what") != ADOPTED:
            return None
        identity, kind, holder_id = detail.get("id"), detail.get("kind"), detail.get("holder")
        if not (isinstance(identity, str) and _ID.fullmatch(identity)) or kind not in KINDS:
            raise ValueError("an adoption without a card")
        if type(holder_id) is not int or holder_id <= 0:
            raise ValueError("an adoption without a holder")
        return cls(identity, kind, holder_id)
