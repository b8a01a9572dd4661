"""Checking a chain of records one after the other, wherever they come from: a ledger or an exchange file.

After a record that does not hold the walk goes on, so that every gap and every fork is named, not only the
first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kiosk.cose import SignedDataFault
from kiosk.journal_format import (
    DISPENSE,
    VOID,
    ZERO_HASH,
    Record,
    decode,
    pickup_ref,
    record_hash,
    rolled_to,
    verify_record,
)

MAX_FINDINGS: Final = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a journal that does not hold."""

    gen: int
    seq: int
    code: str
    message: str
    detail: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As commands print it."""
        return {"gen": self.gen, "seq": self.seq, "code": self.code, "message": self.message} | self.detail


@dataclass(slots=True)
class Chain:
    """How far the walk of one generation has come."""

    kiosk: str
    gen: int
    public: bytes
    """The key that signs the next record; empty if none is known."""
    seq: int = 0
    head: bytes = ZERO_HASH
    keys: list[bytes] = field(default_factory=list)
    """Every key that has signed here, the first one first."""
    trusted: bool = True
    """False behind a record whose bytes cannot be believed: the next one's ``prev`` then proves nothing."""

    def __post_init__(self) -> None:
        if self.public:
            self.keys.append(self.public)

    def take(self, seq: int, payload: bytes, signature: bytes) -> Record:
        """The next record, if it holds; the walk goes on behind it whether it does or not.

        Raises SignedDataFault: ``gap``, ``fork`` (other bytes at a place already passed), ``repeated``,
        ``unknown_key``, ``bad_signature``, ``misplaced``, ``broken_chain``, ``malformed``, ``oversized``.
        """
        if seq <= self.seq:
            if seq == self.seq and record_hash(payload) == self.head:
                raise SignedDataFault("repeated", f"record {seq} comes twice")
            raise SignedDataFault("fork", f"other bytes at {seq}, which the walk has passed")
        expected, prev, trusted = self.seq + 1, self.head, self.trusted
        self.seq, self.head, self.trusted = seq, record_hash(payload), False
        if seq != expected:
            self._follow(payload)
            what = f"record {expected} is" if seq == expected + 1 else f"records {expected} to {seq - 1} are"
            raise SignedDataFault("gap", f"{what} missing")
        if not self.public:
            raise SignedDataFault("unknown_key", f"no public key is kept for generation {self.gen}")
        record = verify_record(payload, signature, Ed25519PublicKey.from_public_bytes(self.public))
        if (record.kiosk, record.gen, record.seq) != (self.kiosk or record.kiosk, self.gen, seq):
            raise SignedDataFault("misplaced", f"the record says {record.kiosk} {record.gen}:{record.seq}")
        self.trusted = True
        self._roll(record)
        if trusted and record.prev != prev:
            raise SignedDataFault("broken_chain", "it does not name the record before it")
        return record

    def _roll(self, record: Record) -> None:
        if public := rolled_to(record):
            self.public = public
            self.keys.append(public)

    def _follow(self, payload: bytes) -> None:
        """A record behind a gap may still name the next key, or everything after it would look forged."""
        try:
            self._roll(decode(payload))
        except SignedDataFault:
            return


@dataclass(slots=True)
class Spending:
    """What records say was handed out of each right, to be held against what was granted."""

    standing: dict[str, dict[str, tuple[int, int, int]]] = field(default_factory=dict)
    """By right and reference: generation, sequence number and what it spends."""
    voided: dict[str, tuple[int, int]] = field(default_factory=dict)

    def note(self, record: Record) -> None:
        """Counts one record that holds."""
        if record.type == DISPENSE and record.epoch not in (None, (0, 0)):
            ref = pickup_ref(record.kiosk, record.gen, record.seq)
            spends = record.detail.get("spends")
            if isinstance(spends, int):
                self.standing.setdefault(record.right, {})[ref] = record.gen, record.seq, spends
        elif record.type == VOID:
            self.voided[record.ref] = record.gen, record.seq

    def overspent(self, right: str, gen: int, granted: int, upto_seq: int) -> tuple[int, list[str]] | None:
        """How much of a right was spent under its grant, and by which pickups, if that is too much.

        ``upto_seq`` is the last record that central had counted when it granted ``granted``.
        """
        spent, refs = 0, []
        for ref, (in_gen, seq, spends) in self.standing.get(right, {}).items():
            void = self.voided.get(ref)
            if in_gen != gen:
                continue
            if seq > upto_seq and void is None:
                spent += spends
                refs.append(ref)
            elif seq <= upto_seq and void is not None and void[0] == gen and void[1] > upto_seq:
                spent -= spends
        return (spent, refs) if spent > max(0, granted) else None
