"""One journal record: its fields, its bytes, its hash, its signature, and how a pickup is called.

Deterministic CBOR (RFC 8949 section 4.2), chained by SHA-256, signed with Ed25519 over the Sig_structure
of COSE (RFC 9052 section 4.4) with context ``kmc/journal/1``. No personal text is in a record.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kiosk import cose

CONTEXT: Final = b"kmc/journal/1"
VERSION: Final = 1
ZERO_HASH: Final = bytes(32)
"""``prev`` of the first record of a generation."""
MAX_RECORD_BYTES: Final = 8 * 1024

DISPENSE: Final = "dispense"
VOID: Final = "void"
RELEASE: Final = "release"
KEY_ROLL: Final = "key_roll"
STOCK: Final = "stock"
CLOCK_ASSERTION: Final = "clock_assertion"
NOTE: Final = "note"
EVERY_RIGHT: Final = "*"
"""A release's right when a kiosk retires: all that its generation holds, up to the highest epoch."""
TYPES: Final = frozenset(
    (
        DISPENSE, VOID, RELEASE, "refusal", "sign_in", "reveal", "reprint", "paper_dispense", STOCK,
        CLOCK_ASSERTION, "approval", KEY_ROLL, NOTE,
    )
)  # fmt: skip
_MAX_INT: Final = 2**63 - 1
_KIOSK: Final = re.compile(r"[A-Z0-9]{2,8}")
_REF: Final = re.compile(r"([A-Z0-9]{2,8})(?:\.([1-9][0-9]{0,8}))?-([0-9]{4,18})")


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of a kiosk's journal. Its identity is ``(kiosk, gen, seq)``."""

    kiosk: str
    gen: int
    seq: int
    """From 1 in each generation, without gaps."""
    prev: bytes
    """SHA-256 of the record before; ZERO_HASH at 1."""
    type: str
    right: str = ""
    ref: str = ""
    """A void's: the pickup it takes back."""
    quantity: int = 0
    epoch: tuple[int, int] | None = None
    """``(incarnation, n)`` of the grant spent or released; None where no grant is meant."""
    mode: str = ""
    program_version: str = ""
    """``<program id>@<version>``."""
    officer: str = ""
    card: str = ""
    assurance: str = ""
    """Label of the grade of the read."""
    collector_commitment: bytes = b""
    """Empty or SHA-256 of salt and private text."""
    wall: int = 0
    """Unix milliseconds; shown, never used for order."""
    mono: int = 0
    boot_id: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


_FIELDS: Final = tuple(f.name for f in dataclasses.fields(Record))
_TEXTS: Final = (
    "kiosk", "type", "right", "ref", "mode", "program_version", "officer", "card", "assurance", "boot_id",
)  # fmt: skip
_NUMBERS: Final = ("gen", "seq", "quantity", "wall", "mono")


def encode(record: Record) -> bytes:
    """The record's bytes. Raises ValueError for a record that ``decode`` would refuse."""
    payload: dict[str, Any] = {name: getattr(record, name) for name in _FIELDS}
    payload["v"] = VERSION
    payload["epoch"] = [] if record.epoch is None else list(record.epoch)
    payload["detail"] = dict(record.detail)
    _check(payload)
    data = cose.encode(payload)
    if len(data) > MAX_RECORD_BYTES:
        raise cose.SignedDataFault("oversized", f"{len(data)} bytes, at most {MAX_RECORD_BYTES}")
    return data


def decode(payload: bytes) -> Record:
    """The record of these bytes, every key present and of its kind.

    Raises cose.SignedDataFault ``malformed`` or ``oversized``.
    """
    if len(payload) > MAX_RECORD_BYTES:
        raise cose.SignedDataFault("oversized", f"{len(payload)} bytes, at most {MAX_RECORD_BYTES}")
    value = cose.decode(payload)
    if not isinstance(value, dict):
        raise cose.SignedDataFault("malformed", "not a record")
    _check(value)
    fields = {name: value[name] for name in _FIELDS}
    fields["epoch"] = tuple(value["epoch"]) or None
    return Record(**fields)


def record_hash(payload: bytes) -> bytes:
    """SHA-256 of a record's bytes: the next one's ``prev``."""
    return hashlib.sha256(payload).digest()


def commitment(salt: bytes, text: str) -> bytes:
    """SHA-256 over salt and text: binds private text that can be erased without breaking the chain."""
    return hashlib.sha256(salt + text.encode()).digest()


def sign_record(payload: bytes, key: Ed25519PrivateKey) -> bytes:
    """The kiosk's 64-byte signature over a record's bytes."""
    return key.sign(cose.to_be_signed(b"", payload, CONTEXT))


def check_signature(payload: bytes, signature: bytes, public: Ed25519PublicKey) -> None:
    """Raises cose.SignedDataFault ``bad_signature`` unless that kiosk signed these bytes."""
    try:
        public.verify(signature, cose.to_be_signed(b"", payload, CONTEXT))
    except InvalidSignature:
        raise cose.SignedDataFault("bad_signature", "the record's signature does not hold") from None


def verify_record(payload: bytes, signature: bytes, public: Ed25519PublicKey) -> Record:
    """The record, if that kiosk signed it.

    Raises cose.SignedDataFault: ``bad_signature``, ``malformed``, ``oversized``.
    """
    check_signature(payload, signature, public)
    return decode(payload)


def rolled_to(record: Record) -> bytes:
    """The raw public key (32 bytes) that signs from the next record on; empty if this rolls no key."""
    public = record.detail.get("public") if record.type == KEY_ROLL else None
    return public if isinstance(public, bytes) and len(public) == 32 else b""


def pickup_ref(kiosk: str, gen: int, seq: int) -> str:
    """How people call a pickup: ``IRM1-0421``, or ``IRM1.2-0421`` from the second generation on."""
    return f"{kiosk}-{seq:04d}" if gen == 1 else f"{kiosk}.{gen}-{seq:04d}"


def parse_ref(ref: str) -> tuple[str, int, int]:
    """``(kiosk, gen, seq)`` of a pickup's reference. Raises ValueError."""
    match = _REF.fullmatch(ref)
    if match is None:
        raise ValueError(f"not a pickup's reference: {ref!r}")
    kiosk, gen, seq = match[1], int(match[2] or 1), int(match[3])
    if pickup_ref(kiosk, gen, seq) != ref or seq == 0:
        raise ValueError(f"not a pickup's reference: {ref!r}")
    return kiosk, gen, seq


def _check(value: Mapping[Any, Any]) -> None:
    if set(value) != {*_FIELDS, "v"}:
        raise cose.SignedDataFault("malformed", "not exactly a record's keys")
    if not _is_count(value["v"]) or value["v"] != VERSION:
        raise cose.SignedDataFault("malformed", "not version 1")
    for name in _TEXTS:
        if not isinstance(value[name], str):
            raise cose.SignedDataFault("malformed", f"{name} is not text")
    for name in _NUMBERS:
        if not _is_count(value[name]):
            raise cose.SignedDataFault("malformed", f"{name} is not a whole number from 0")
    if value["type"] not in TYPES:
        raise cose.SignedDataFault("malformed", f"type {value['type']!r} is unknown")
    if not _KIOSK.fullmatch(value["kiosk"]) or value["gen"] < 1 or value["seq"] < 1:
        raise cose.SignedDataFault("malformed", "kiosk, gen or seq")
    prev, commitment, epoch, detail = (
        value["prev"], value["collector_commitment"], value["epoch"], value["detail"],
    )  # fmt: skip
    if not isinstance(prev, bytes) or len(prev) != 32:
        raise cose.SignedDataFault("malformed", "prev is not 32 bytes")
    if not isinstance(commitment, bytes) or len(commitment) not in (0, 32):
        raise cose.SignedDataFault("malformed", "collector_commitment is not empty or 32 bytes")
    if not isinstance(epoch, list) or len(epoch) not in (0, 2) or not all(_is_count(n) for n in epoch):
        raise cose.SignedDataFault("malformed", "epoch is not empty or [incarnation, n]")
    if not isinstance(detail, Mapping) or not all(isinstance(key, str) for key in detail):
        raise cose.SignedDataFault("malformed", "detail is not a map of text keys")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_INT
