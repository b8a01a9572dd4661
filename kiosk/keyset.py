"""The city's public keys: who may issue cards and who may speak for central, and since when.

A keyset is a COSE_Sign1 (context ``kmc/keyset/1``) by one of two root keys that a kiosk got at enrolment.
The roots sign nothing else, so they can stay in a safe. A keyset may name a root key itself, as compromised:
from then on only the other root is believed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kiosk import cose
from kiosk.errors import CentralFault

CONTEXT = b"kmc/keyset/1"
VERSION = 1
MAX_UNIX = 253_402_300_799
"""9999-12-31T23:59:59Z, the last second a Python datetime can hold."""

_FIELDS = {"kid", "use", "public", "from", "until", "status", "since"}


class KeyUse(StrEnum):
    """What a key may sign."""

    ISSUER = "issuer"
    CENTRAL = "central"
    CARD_CA = "card_ca"
    """Signs the certificates of chips that sign."""
    ROOT = "root"


class KeyStatus(StrEnum):
    """What was declared about a key."""

    ACTIVE = "active"
    RETIRED = "retired"
    COMPROMISED = "compromised"


class KeyStanding(StrEnum):
    """What a key is worth for something signed at one moment."""

    ACTIVE = "active"
    RETIRED = "retired"
    """Signs no more; what it signed before still holds."""
    RETIRED_BEFORE = "retired_before"
    """It was retired already at that moment: does not hold."""
    COMPROMISED = "compromised"
    """Nothing it signed holds, whenever that was."""
    TOO_EARLY = "too_early"
    TOO_LATE = "too_late"
    UNKNOWN = "unknown"

    @property
    def holds(self) -> bool:
        """True if a signature made at that moment is to be believed."""
        return self in (KeyStanding.ACTIVE, KeyStanding.RETIRED)


@dataclass(frozen=True, slots=True)
class Key:
    """One public key of the city. Times are Unix seconds; ``until`` is exclusive."""

    kid: bytes
    """1 to 16 bytes."""
    use: KeyUse
    public: bytes
    """Ed25519, 32 bytes (RFC 8032)."""
    start: int
    until: int
    status: KeyStatus = KeyStatus.ACTIVE
    since: int = 0
    """When ``status`` began."""

    def standing(self, signed_at: int) -> KeyStanding:
        """What the key is worth for something signed at ``signed_at`` (Unix seconds)."""
        if self.status is KeyStatus.COMPROMISED:
            return KeyStanding.COMPROMISED
        if signed_at < self.start:
            return KeyStanding.TOO_EARLY
        if signed_at >= self.until:
            return KeyStanding.TOO_LATE
        if self.status is KeyStatus.RETIRED:
            return KeyStanding.RETIRED if signed_at < self.since else KeyStanding.RETIRED_BEFORE
        return KeyStanding.ACTIVE

    def verifier(self) -> Ed25519PublicKey:
        """The key as the crypto library takes it."""
        return _loaded(self.public)


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys in force, as of ``issued`` (Unix seconds)."""

    issued: int
    keys: tuple[Key, ...]
    _by_kid: dict[tuple[KeyUse, bytes], Key] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_kid", {(key.use, key.kid): key for key in self.keys})

    def issuer(self, kid: bytes) -> Key | None:
        """The card issuer's key of that id, whatever its status; None if unknown."""
        return self.of(KeyUse.ISSUER, kid)

    def central(self, kid: bytes) -> Key | None:
        """Central's key of that id, whatever its status; None if unknown."""
        return self.of(KeyUse.CENTRAL, kid)

    def central_key(self, kid: bytes) -> Ed25519PublicKey | None:
        """Central's key of that id, ready to verify with; None if unknown or compromised.

        Whether it was in force when something was signed is asked of ``central_standing``.
        """
        key = self.central(kid)
        return None if key is None or key.status is KeyStatus.COMPROMISED else key.verifier()

    def speaking_key(self, kid: bytes) -> Ed25519PublicKey | None:
        """Central's key of that id if it may sign now; None for one that is unknown, retired or compromised.

        For what is fresh whenever it is looked at, such as an answer to a nonce.
        """
        key = self.central(kid)
        return key.verifier() if key is not None and key.status is KeyStatus.ACTIVE else None

    def distrusts(self, public: bytes) -> bool:
        """True if this keyset names that key (raw, 32 bytes) compromised."""
        return any(key.public == public and key.status is KeyStatus.COMPROMISED for key in self.keys)

    def issuer_standing(self, kid: bytes, signed_at: int) -> KeyStanding:
        """What a card signed by ``kid`` at ``signed_at`` (Unix seconds) is worth."""
        key = self.issuer(kid)
        return KeyStanding.UNKNOWN if key is None else key.standing(signed_at)

    def central_standing(self, kid: bytes, signed_at: int) -> KeyStanding:
        """What a document of central signed by ``kid`` at ``signed_at`` (Unix seconds) is worth."""
        key = self.central(kid)
        return KeyStanding.UNKNOWN if key is None else key.standing(signed_at)

    def replaces(self, other: KeySet) -> bool:
        """True if this one is newer; an older one, though well signed, must not bring a bad key back."""
        return self.issued > other.issued

    def of(self, use: KeyUse, kid: bytes) -> Key | None:
        """The key of that use and id, whatever its status; None if unknown."""
        return self._by_kid.get((use, kid))


def key_id(public: bytes) -> bytes:
    """A key id for a public key: the first 8 bytes of its SHA-256."""
    return hashlib.sha256(public).digest()[:8]


def make(keys: Iterable[Key], issued: int, root_key: Ed25519PrivateKey, root_kid: bytes) -> bytes:
    """A signed keyset. Raises ValueError for keys that ``open_keyset`` would refuse."""
    payload = {
        "v": VERSION,
        "issued": issued,
        "keys": [
            {
                "kid": key.kid,
                "use": str(key.use),
                "public": key.public,
                "from": key.start,
                "until": key.until,
                "status": str(key.status),
                "since": key.since,
            }
            for key in keys
        ],
    }
    _read(payload)
    return cose.sign(cose.encode(payload), root_key, root_kid, CONTEXT)


def open_keyset(data: bytes, roots: tuple[bytes, bytes], after: KeySet | None = None) -> KeySet:
    """The keyset in ``data``, signed by either of the two ``roots`` (raw public keys, 32 bytes).

    ``after`` is the one it would replace: a root key compromised there signs no more.

    Raises CentralFault ``keyset_refused``; its detail ``why`` is ``malformed``, ``oversized``,
    ``bad_algorithm``, ``no_kid``, ``bad_signature``, ``content``, or ``roots`` for keys of another size.
    """
    if {len(root) for root in roots} != {32}:
        raise CentralFault("keyset_refused", "a root key has 32 bytes", why="roots")
    try:
        message = cose.parse(data)
        signer = _check_either(
            message, [root for root in roots if after is None or not after.distrusts(root)]
        )
        payload = cose.decode(message.payload)
    except cose.SignedDataFault as fault:
        raise CentralFault("keyset_refused", fault.message, why=fault.code) from None
    try:
        keyset = _read(payload)
    except ValueError as fault:
        raise CentralFault("keyset_refused", str(fault), why="content") from None
    if keyset.distrusts(signer):
        raise CentralFault("keyset_refused", "its own root key is compromised by its word", why="content")
    return keyset


def signer_of(data: bytes, roots: tuple[bytes, bytes]) -> bytes:
    """Which of the roots signed a keyset that holds, as a raw public key. Raises cose.SignedDataFault."""
    return _check_either(cose.parse(data), roots)


def open_central(data: bytes, keyset: KeySet, context: bytes) -> tuple[bytes, Key]:
    """The payload of a document signed by central, and the key that signed it.

    The payload says when it was signed: the caller asks ``key.standing(then).holds`` of what it reads.
    Raises CentralFault ``signature_refused``; its detail ``why`` is a code of ``cose.verify`` or
    ``compromised``.
    """
    try:
        message = cose.parse(data)
        key = keyset.central(message.kid)
        if key is None:
            raise cose.SignedDataFault("unknown_key", message.kid.hex())
        if key.status is KeyStatus.COMPROMISED:
            raise cose.SignedDataFault("compromised", message.kid.hex())
        cose.check(message, key.verifier(), context)
    except cose.SignedDataFault as fault:
        raise CentralFault("signature_refused", fault.message, why=fault.code) from None
    return message.payload, key


@lru_cache(maxsize=64)
def _loaded(public: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public)


def _check_either(message: cose.Sign1, roots: Iterable[bytes]) -> bytes:
    for root in roots:
        try:
            cose.check(message, _loaded(root), CONTEXT)
        except cose.SignedDataFault:
            continue
        return root
    raise cose.SignedDataFault("bad_signature", "neither root key signed it")


def _read(payload: Any) -> KeySet:
    if not isinstance(payload, Mapping) or set(payload) != {"v", "issued", "keys"}:
        raise ValueError("not a keyset")
    if not _whole(payload["v"]) or payload["v"] != VERSION:
        raise ValueError("a version of the keyset this program does not know")
    if not _whole(payload["issued"]) or not isinstance(payload["keys"], list | tuple):
        raise ValueError("fields of the wrong kind")
    keys = tuple(_read_key(item) for item in payload["keys"])
    if len({key.kid for key in keys}) != len(keys):
        raise ValueError("a key id twice")
    # One key under two ids or uses would let a compromised one live on, or a card pass for a document.
    if len({key.public for key in keys}) != len(keys):
        raise ValueError("a public key twice")
    return KeySet(payload["issued"], keys)


def _read_key(item: Any) -> Key:
    if not isinstance(item, Mapping) or set(item) != _FIELDS:
        raise ValueError("a key with other fields")
    kid, public = item["kid"], item["public"]
    if not isinstance(kid, bytes) or not 1 <= len(kid) <= 16:
        raise ValueError("a key id must be 1 to 16 bytes")
    if not isinstance(public, bytes) or len(public) != 32:
        raise ValueError("a public key must be 32 bytes")
    if not all(_whole(item[name]) for name in ("from", "until", "since")) or item["from"] >= item["until"]:
        raise ValueError("times of a key")
    if not isinstance(item["use"], str) or not isinstance(item["status"], str):
        raise ValueError("use and status must be text")
    if item["use"] == KeyUse.ROOT and item["status"] != KeyStatus.COMPROMISED:
        raise ValueError("a root key is only named when it is compromised")
    return Key(
        kid,
        KeyUse(item["use"]),
        public,
        item["from"],
        item["until"],
        KeyStatus(item["status"]),
        item["since"],
    )


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_UNIX
