"""What central makes of one record before it touches the database: signature, identity, meaning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from kiosk import cose, journal_format
from kiosk.journal_format import DISPENSE, RELEASE, VOID, Record
from kiosk.period import split_right
from sync.central.record_parse import parse, signed_bytes
from sync.central.verifying import Signed, Verify, verify_here
from sync.wire import SignedRecord

PAPER: Final = "paper_dispense"
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
    public: bytes,
    verify: Verify = verify_here,
) -> list[Checked]:
    """Each record with its verdict; raises nothing for bad content. ``public`` is a raw Ed25519 key."""
    verdicts = verify([Signed(public, item.signature, signed_bytes(item.record)) for item in records])
    return [
        _check(item.record, item.signature, from_seq + index, kiosk, gen, bool(holds))
        for index, (item, holds) in enumerate(zip(records, verdicts, strict=True))
    ]


def _check(payload: bytes, signature: bytes, seq: int, kiosk: str, gen: int, holds: bool) -> Checked:
    hashed = journal_format.record_hash(payload)
    if not holds:
        return Checked(seq, payload, signature, hashed, None, None, BAD_SIGNATURE)
    try:
        record = parse(payload)
    except cose.SignedDataFault as fault:
        return Checked(seq, payload, signature, hashed, prev_of(payload), None, fault.code)
    why = _meaning_fault(record)
    if (record.kiosk, record.gen, record.seq) != (kiosk, gen, seq):
        why = "identity"
    return Checked(seq, payload, signature, hashed, record.prev, None if why else record, why)


def prev_of(payload: bytes) -> bytes | None:
    """The hash of the record before, of one that need not be known in full; None if it cannot be read."""
    try:
        value = cose.decode(payload)
    except cose.SignedDataFault:
        return None
    prev = value.get("prev") if isinstance(value, dict) else None
    return prev if isinstance(prev, bytes) and len(prev) == 32 else None


def _meaning_fault(record: Record) -> str:
    """Why the effect of a record cannot be made; empty if it can."""
    texts = (record.right, record.ref, record.program_version, record.officer, record.card)
    if any("\x00" in text for text in texts):
        return "text"
    if record.type in (DISPENSE, PAPER):
        if not _is_right(record.right):
            return "right"
        if not _is_quantity(record.detail.get("spends")) or record.quantity > MAX_QUANTITY:
            return "quantity"
    if record.type == VOID:
        try:
            journal_format.parse_ref(record.ref)
        except ValueError:
            return "ref"
    if record.type == RELEASE:
        if not _is_right(record.right) and not (record.right == "" and record.detail.get("all") is True):
            return "right"
        upto = record.detail.get("upto")
        if record.right and (
            not isinstance(upto, list) or len(upto) != 2 or not all(map(_is_quantity, upto))
        ):
            return "upto"
    return ""


def _is_right(key: str) -> bool:
    try:
        split_right(key)
    except ValueError:
        return False
    return True


def _is_quantity(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_QUANTITY
