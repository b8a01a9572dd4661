"""What central makes of one record before it touches the database: signature, identity, meaning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from kiosk import cose, journal_format
from kiosk.journal_format import DISPENSE, KEY_ROLL, RELEASE, VOID, Record, rolled_to
from kiosk.period import split_right
from sync.central.key_rows import DeviceKey, in_force
from sync.central.record_parse import parse, signed_bytes
from sync.central.verifying import Signed, Verify, verify_here
from sync.wire import SignedRecord

PAPER: Final = "paper_dispense"
STOCK: Final = "stock"
EVERY_RIGHT: Final = "*"
"""What a retiring kiosk's release names: all it holds."""
BAD_SIGNATURE: Final = "bad_signature"
MAX_QUANTITY: Final = 2**53


@dataclass(frozen=True, slots=True)
class Checked:
    """One record as it came, and what can be said of it."""

    seq: int
    payload: bytes
    signature: bytes
    hash: bytes
    prev: bytes | None
    """None if it cannot be read."""
    record: Record | None
    """None if it is quarantined."""
    quarantine: str
    """Empty, or why it cannot be interpreted."""
    signed_by: bytes = b""
    """The device key (raw public) whose signature holds; empty if none does."""

    @property
    def type(self) -> str:
        """The record's type; empty if it is quarantined."""
        return self.record.type if self.record else ""

    @property
    def right(self) -> str:
        """The right it names, if that can be the key of one; else empty."""
        return self.record.right if self.record and _is_right(self.record.right) else ""


def check_all(
    records: Sequence[SignedRecord],
    from_seq: int,
    kiosk: str,
    gen: int,
    keys: Sequence[DeviceKey],
    verify: Verify = verify_here,
) -> list[Checked]:
    """Each record with its verdict; raises nothing for bad content.

    ``keys`` are the generation's, oldest first. A record that the key in force did not sign may be of a copy
    that never rolled its key: then an older one of them holds.
    """
    signers = _signers(records, from_seq, keys, verify)
    return [
        _check(item.record, item.signature, from_seq + index, kiosk, gen, signers[index])
        for index, item in enumerate(records)
    ]


def _signers(
    records: Sequence[SignedRecord], from_seq: int, keys: Sequence[DeviceKey], verify: Verify
) -> list[bytes]:
    """The key by which each record's signature holds; empty for none."""
    found = [b""] * len(records)
    messages = [signed_bytes(item.record) for item in records]

    def try_keys(wanted: dict[int, bytes]) -> None:
        places = list(wanted)
        signed = [Signed(wanted[at], records[at].signature, messages[at]) for at in places]
        for at, holds in zip(places, verify(signed), strict=True):
            if holds:
                found[at] = wanted[at]

    try_keys({at: in_force(keys, from_seq + at) for at in range(len(records))})
    for at, item in enumerate(records):
        # Keys that the batch itself names sign what follows in it.
        if found[at] and (named := _rolled_to(item.record)):
            try_keys({later: named for later in range(at + 1, len(records)) if not found[later]})
    for public in {key.public for key in keys} if not all(found) and len(keys) > 1 else ():
        try_keys({at: public for at in range(len(records)) if not found[at]})
    return found


def _rolled_to(payload: bytes) -> bytes:
    if KEY_ROLL.encode() not in payload:
        return b""
    try:
        return rolled_to(parse(payload))
    except cose.SignedDataFault:
        return b""


def _check(payload: bytes, signature: bytes, seq: int, kiosk: str, gen: int, signer: bytes) -> Checked:
    hashed = journal_format.record_hash(payload)
    if not signer:
        return Checked(seq, payload, signature, hashed, None, None, BAD_SIGNATURE)
    try:
        record = parse(payload)
    except cose.SignedDataFault as fault:
        return Checked(seq, payload, signature, hashed, prev_of(payload), None, fault.code, signer)
    why = _meaning_fault(record)
    if (record.kiosk, record.gen, record.seq) != (kiosk, gen, seq):
        why = "identity"
    return Checked(seq, payload, signature, hashed, record.prev, None if why else record, why, signer)


def prev_of(payload: bytes) -> bytes | None:
    """The hash of the record before, of one that need not be known in full; None if it cannot be read."""
    try:
        value = cose.decode(payload)
    except cose.SignedDataFault:
        return None
    prev = value.get("prev") if isinstance(value, dict) else None
    return prev if isinstance(prev, bytes) and len(prev) == 32 else None


def right_named(payload: bytes) -> str:
    """The right that a record names whose effect cannot be made; empty if none can be read."""
    try:
        value = cose.decode(payload)
    except cose.SignedDataFault:
        return ""
    named = value.get("right") if isinstance(value, dict) else None
    return named if isinstance(named, str) and _is_right(named) else ""


def _meaning_fault(record: Record) -> str:
    """Why the effect of a record cannot be made; empty if it can."""
    texts = (record.right, record.ref, record.program_version, record.officer, record.card)
    if "\x00" in "".join(texts):
        return "text"
    if record.type in (DISPENSE, PAPER):
        if not _is_right(record.right):
            return "right"
        if not _is_quantity(record.detail.get("spends")) or record.quantity > MAX_QUANTITY:
            return "quantity"
    if record.type == KEY_ROLL and not rolled_to(record):
        return "public"
    if record.type == VOID:
        try:
            journal_format.parse_ref(record.ref)
        except ValueError:
            return "ref"
    if record.type == RELEASE:
        if record.right != EVERY_RIGHT and not _is_right(record.right):
            return "right"
        upto = record.detail.get("upto")
        if not isinstance(upto, list) or len(upto) != 2 or not all(map(_is_quantity, upto)):
            return "upto"
    if record.type == STOCK and not _is_quantity(record.detail.get("quantity")):
        return "quantity"
    return ""


@lru_cache(maxsize=4096)
def _is_right(key: str) -> bool:
    """Asked twice of each record in a push, which holds no more than the cache does."""
    try:
        split_right(key)
    except ValueError:
        return False
    return True


def _is_quantity(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_QUANTITY
