"""Where a pruned journal begins: the place and hash of the last record that went, signed by the kiosk.

A COSE_Sign1 (context ``kmc/anchor/1``); the key id says whose key it is, as ``<kiosk>.<generation>``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kiosk import cose

CONTEXT: Final = b"kmc/anchor/1"
VERSION: Final = 1
_FIELDS: Final = {"v", "kiosk", "gen", "seq", "head", "public", "pruned_at"}


@dataclass(frozen=True, slots=True)
class Anchor:
    """The last record of a generation that was pruned."""

    kiosk: str
    gen: int
    seq: int
    head: bytes
    """SHA-256 of that record: ``prev`` of the first one that is left."""
    public: bytes
    """Ed25519 key (32 bytes) under which the records after it are signed."""
    pruned_at: int
    """Unix seconds."""


def make(anchor: Anchor, key: Ed25519PrivateKey, kid: bytes) -> bytes:
    """The signed anchor."""
    payload = {
        "v": VERSION,
        "kiosk": anchor.kiosk,
        "gen": anchor.gen,
        "seq": anchor.seq,
        "head": anchor.head,
        "public": anchor.public,
        "pruned_at": anchor.pruned_at,
    }
    return cose.sign(cose.encode(payload), key, kid, CONTEXT)


def read(data: bytes) -> tuple[Anchor, cose.Sign1]:
    """What an anchor says, and the message it came in; nothing is to be believed before ``check``.

    Raises cose.SignedDataFault.
    """
    message = cose.parse(data)
    return _of_payload(cose.decode(message.payload)), message


def check(message: cose.Sign1, keys: list[bytes]) -> None:
    """Raises cose.SignedDataFault ``bad_signature`` unless one of the raw public ``keys`` signed it."""
    for public in keys:
        try:
            cose.check(message, Ed25519PublicKey.from_public_bytes(public), CONTEXT)
        except cose.SignedDataFault:
            continue
        return
    raise cose.SignedDataFault("bad_signature", "none of this kiosk's keys signed the anchor")


def _of_payload(value: Any) -> Anchor:
    if not isinstance(value, Mapping) or set(value) != _FIELDS or value["v"] != VERSION:
        raise cose.SignedDataFault("malformed", "not an anchor of version 1")
    sizes = {"head": 32, "public": 32}
    if not isinstance(value["kiosk"], str) or not all(
        isinstance(value[name], bytes) and len(value[name]) == size for name, size in sizes.items()
    ):
        raise cose.SignedDataFault("malformed", "a field of the anchor")
    numbers = [value[name] for name in ("gen", "seq", "pruned_at")]
    if not all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in numbers):
        raise cose.SignedDataFault("malformed", "a number of the anchor")
    return Anchor(
        value["kiosk"],
        value["gen"],
        value["seq"],
        value["head"],
        value["public"],
        value["pruned_at"],
    )
