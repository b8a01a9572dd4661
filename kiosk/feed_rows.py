"""What the feed's rows look like: one home for both ends of the wire and for the cache. Pure."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from json.encoder import encode_basestring
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
    "family": ("id", "at_point", "head_id", "head_point_id"),
    "officer": ("username", "name", "role", "point_id", "pin_hash", "valid_until"),
    "badge": ("badge_no", "username", "issue_no", "required"),
    "legacy_card": ("id", "holder_id", "state"),
}  # fmt: skip
"""Columns of each kind of row, in the order of the wire.

A ``family`` row stands in the bucket of each point where a member lives and the family's head does not: what
the family may get is told at the head's point.
A ``legacy_card`` is named by ``kiosk.legacy_cards.legacy_id``.
"""

KEYS: Final[Mapping[str, int]] = {kind: 2 if kind in ("denied_card", "family") else 1 for kind in COLUMNS}
"""How many leading columns are a row's key; a tombstone carries just these."""

_NUMBERS: Final = frozenset(
    (
        "version", "point_id", "issue_no", "keeper", "family_id", "child_id", "guardian_id", "quantity",
        "spent", "last_point_id", "at_point", "head_id", "head_point_id", "required", "holder_id",
    )
)  # fmt: skip
_TEXT_IDS: Final = ("kiosk", "program", "legacy_card")
_MAY_LACK: Final = frozenset(
    ("valid_until", "revoked_at", "last_at", "last_point_id", "last_ref", "family_id", "nik_hash", "since")
)
_MAX_NUMBER: Final = 2**63 - 1
_DUMP: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


INDEXES: Final[Mapping[str, Mapping[str, str]]] = {
    # Not unique: between two revs a card number may stand with its old and its new holder, and a row that
    # pushed another one out would spoil the sums.
    "holder": {"holder_card": "card_no", "holder_family": "family_id"},
    "entitlement": {"entitlement_subject": "subject"},
    "guardian": {"guardian_child": "child_id"},
    "badge": {"badge_username": "username"},
}
"""Indexes of a cache's tables: name and column."""


def table_ddl(kind: str) -> str:
    """The statement that makes a kind's table, in a cache and in a snapshot alike.

    The same words at both ends let SQLite copy a snapshot's pages without looking into its rows.
    """
    columns = COLUMNS[kind]
    typed = ", ".join(f'"{name}" {"INTEGER" if is_number(kind, name) else "TEXT"}' for name in columns)
    key = ", ".join(f'"{name}"' for name in columns[: KEYS[kind]])
    place = "bucket TEXT NOT NULL, row_hash INTEGER NOT NULL"
    return f'CREATE TABLE "{kind}" ({typed}, {place}, PRIMARY KEY ({key}))'


def index_ddl(kind: str) -> list[str]:
    """The statements that make a kind's indexes."""
    return [f'CREATE INDEX {name} ON "{kind}" ({column})' for name, column in INDEXES.get(kind, {}).items()]


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
    return hash_of_text(kind, json.dumps(list(values), separators=(",", ":"), ensure_ascii=False))


def hash_of_text(kind: str, body: str) -> int:
    """``row_hash`` of a row that is canonical JSON, a list of its columns, already."""
    # A kind is a word: it stands in JSON as it is.
    text = f'["{kind}",{body[1:]}'.encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big", signed=True)


def row_hashes(kind: str, columns: Sequence[Sequence[Any]]) -> list[int]:
    """``row_hash`` of many rows, given column by column (each as long as the others)."""
    if not columns or not columns[0]:
        return []
    head = f'["{kind}",'
    # One encoding for all: canonical JSON has no line feed, so that the rows can be taken apart again.
    rows = f"]\n{head}".join(map(",".join, zip(*map(_json_texts, columns), strict=True)))
    digests = map(hashlib.sha256, f"{head}{rows}]".encode().split(b"\n"))
    return [first for (first,) in struct.iter_unpack(">q24x", b"".join([one.digest() for one in digests]))]


def _json_texts(values: Sequence[Any]) -> list[str]:
    """Each value as canonical JSON has it."""
    kinds = set(map(type, values))
    if kinds <= {str, type(None)} or kinds <= {int, type(None)}:
        # Values of these kinds that are equal are the same; most columns have few different ones.
        texts: dict[Any, str] = dict.fromkeys(values, "")
        if len(texts) * 2 > len(values) and kinds == {str}:
            return list(map(encode_basestring, values))
        if len(texts) * 2 > len(values) and kinds == {int}:
            return list(map(int.__repr__, values))
        for value in texts:
            texts[value] = _DUMP(value)
        return list(map(texts.__getitem__, values))
    return list(map(_DUMP, values))


def column_fault(kind: str, column: str, values: Sequence[Any]) -> bool:
    """True if some value of a whole column is not of its kind; ``row_fault`` then says which row's."""
    kinds = set(map(type, values))
    if column in _MAY_LACK:
        kinds.discard(type(None))
    if is_number(kind, column):
        if not kinds <= {int}:
            return True
        numbers = [value for value in values if value is not None] if column in _MAY_LACK else values
        return bool(numbers) and not (min(numbers) >= -_MAX_NUMBER and max(numbers) <= _MAX_NUMBER)
    if not kinds <= {str}:
        return True
    return not _is_text("".join(filter(None, values)))


def checksum_of(hashes: Iterable[int]) -> str:
    """Sum of row hashes modulo 2^64, as unsigned decimal text."""
    return str(sum(hashes) % 2**64)


def _fits(kind: str, column: str, value: Any) -> bool:
    if value is None:
        return column in _MAY_LACK
    if is_number(kind, column):
        return type(value) is int and -_MAX_NUMBER <= value <= _MAX_NUMBER
    return isinstance(value, str) and _is_text(value)


def _is_text(value: str) -> bool:
    """False for text with half a character in it, which JSON can carry and UTF-8 cannot."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
