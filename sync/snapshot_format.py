"""A bucket's snapshot as both ends see it: the signed manifest that says what its bytes are.

The snapshot is a SQLite file with the tables of ``kiosk.feed_rows`` (the kinds of one bucket, indexes
included), compressed as one Zstandard frame. Its manifest is deterministic CBOR in a COSE_Sign1 by central.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk import cose
from kiosk.errors import CentralFault
from sync.signature import KeyFor

CONTEXT: Final = b"kmc/snapshot/1"
PIECE_BYTES: Final = 4 * 1024 * 1024
"""The most that one request brings."""
MAX_BYTES: Final = 2**31
MEDIA_TYPE: Final = "application/zstd"
_BUCKET: Final = re.compile(r"[a-z][0-9a-z]{0,23}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What central says of one snapshot."""

    bucket: str
    gen: int
    """Rises with each snapshot of a bucket: the rev at which it was made."""
    incarnation: int
    rows: int
    packed_bytes: int
    """Compressed."""
    sha256: bytes
    """Of the compressed bytes."""
    plain_bytes: int
    checksum: str
    """Sum of the rows' hashes, as the feed's checkpoints give it."""
    cursor: str
    """Where the feed goes on."""
    issued: int
    """Unix seconds."""


def make(manifest: Manifest, key: Ed25519PrivateKey, kid: bytes) -> bytes:
    """The signed manifest."""
    return cose.sign(cose.encode({"v": 1} | asdict(manifest)), key, kid, CONTEXT)


def open_manifest(data: bytes, key_for: KeyFor) -> Manifest:
    """The manifest, if central signed it and every value can be one.

    Raises CentralFault ``manifest_refused`` (detail ``why``).
    """
    try:
        claims: Any = cose.decode(cose.verify(data, key_for, CONTEXT))
    except (cose.SignedDataFault, ValueError) as fault:
        raise CentralFault("manifest_refused", f"not signed by central: {fault}", why="signature") from None
    names = {one.name for one in fields(Manifest)}
    if not isinstance(claims, dict) or set(claims) != names | {"v"} or claims.pop("v") != 1:
        raise CentralFault("manifest_refused", "a value is missing or unknown", why="content")
    numbers = ("gen", "incarnation", "rows", "packed_bytes", "plain_bytes", "issued")
    sound = (
        all(type(claims[name]) is int and 0 <= claims[name] < 2**53 for name in numbers)
        and isinstance(claims["bucket"], str)
        and bool(_BUCKET.fullmatch(claims["bucket"]))
        and isinstance(claims["sha256"], bytes)
        and len(claims["sha256"]) == 32
        and isinstance(claims["checksum"], str)
        and bool(re.fullmatch(r"[0-9]{1,20}", claims["checksum"]))
        and isinstance(claims["cursor"], str)
        and 0 < claims["packed_bytes"] <= MAX_BYTES
        and 0 < claims["plain_bytes"] <= MAX_BYTES
    )
    if not sound:
        raise CentralFault("manifest_refused", "a value cannot be one", why="content")
    return Manifest(**claims)
