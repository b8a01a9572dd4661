"""What the feed's rows look like: one home for both ends of the wire and for the cache. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "agency": ("id", "name", "short"),
    "point": ("id", "name", "district", "kind"),
    "kiosk": ("id", "point_id", "counter", "keeper", "state"),
    "program": ("id", "version", "doc"),
    "denied_card": ("card_no", "issue_no", "reason", "since"),
    "keyset": ("id", "doc"),
    "holder": (
        "id", "card_no", "issue_no", "name", "birth", "nik_last4", "nik_hash", "family_id", "point_id",
        "status",
    ),
    "guardian": ("id", "child_id", "guardian_id", "relation", "valid_from", "valid_until", "revoked_at"),
    "entitlement": (
        "id", "version", "subject", "program_id", "quantity", "valid_from", "valid_until", "status",
    ),
    "right": (
        "right", "held_by", "point_id", "quantity", "spent", "last_at", "last_point_id", "last_ref",
    ),
    "officer": ("username", "name", "role", "point_id", "pin_hash", "valid_until"),
}  # fmt: skip
"""Columns of each kind of row, in the order of the wire."""

KEYS: Final[Mapping[str, int]] = {kind: 2 if kind == "denied_card" else 1 for kind in COLUMNS}
"""How many leading columns are a row's key; a tombstone carries just these."""

_NUMBERS: Final = frozenset(
    (
        "version", "point_id", "issue_no", "keeper", "family_id", "child_id", "guardian_id", "quantity",
        "spent", "last_point_id",
    )
)  # fmt: skip
_TEXT_IDS: Final = ("kiosk", "program")
_MAY_LACK: Final = frozenset(
    ("valid_until", "revoked_at", "last_at", "last_point_id", "last_ref", "family_id", "nik_hash", "since")
)
_MAX_NUMBER: Final = 2**63 - 1


def is_number(kind: str, column: str) -> bool:
    """True for a column of whole numbers; all others are text."""
    return column in _NUMBERS or (column == "id" and kind not in _TEXT_IDS)


def row_fault(kind: str, values: Sequence[Any]) -> str:
    """Name of the first column whose value is not of its kind; empty if the row is sound.

    Also ``columns`` for a row with a missing or extra value. Keys have a value; so have all other columns
    except those that may be null.
    """
    columns = COLUMNS[kind]
    if len(values) != len(columns):
        return "columns"
    return next(
        (name for name, value in zip(columns, values, strict=True) if not _fits(kind, name, value)), ""
    )


def key_fault(kind: str, key: Sequence[Any]) -> str:
    """The same for the key of a tombstone."""
    columns = COLUMNS[kind][: KEYS[kind]]
    if len(key) != len(columns):
        return "columns"
    return next((name for name, value in zip(columns, key, strict=True) if not _fits(kind, name, value)), "")


def row_hash(kind: str, values: Sequence[Any]) -> int:
    """First 8 bytes, as a signed big-endian integer, of SHA-256 of the row's canonical JSON.

    ``values`` are the row's columns in COLUMNS order: text, integers or null.
    """
    text = json.dumps([kind, *values], separators=(",", ":"), ensure_ascii=False)
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big", signed=True)


def checksum_of(hashes: Iterable[int]) -> str:
    """Sum of row hashes modulo 2^64, as unsigned decimal text."""
    return str(sum(hashes) % 2**64)


def _fits(kind: str, column: str, value: Any) -> bool:
    if value is None:
        return column in _MAY_LACK
    if is_number(kind, column):
        return type(value) is int and -_MAX_NUMBER <= value <= _MAX_NUMBER
    return isinstance(value, str)
