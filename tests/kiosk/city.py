"""A city's keys for tests: two roots, issuers and centrals of every standing, and its signed keyset."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk import credential, keyset
from kiosk.keyset import Key, KeySet, KeyStatus, KeyUse
from kiosk.values import CardRead, Grade, Medium

NOW = 1_780_000_000
YEAR = 365 * 24 * 3600
UID = bytes.fromhex("04a1b2c3d4e580")


def key_pair(seed: int) -> Ed25519PrivateKey:
    """A private key that is the same in every run."""
    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


@dataclass(frozen=True)
class City:
    """Issuers ``i-*`` and centrals ``c-*``; in force from a year ago for three years."""

    root1: Ed25519PrivateKey = field(default_factory=lambda: key_pair(1))
    root2: Ed25519PrivateKey = field(default_factory=lambda: key_pair(2))
    issuer: Ed25519PrivateKey = field(default_factory=lambda: key_pair(3))
    retired_issuer: Ed25519PrivateKey = field(default_factory=lambda: key_pair(4))
    stolen_issuer: Ed25519PrivateKey = field(default_factory=lambda: key_pair(5))
    central: Ed25519PrivateKey = field(default_factory=lambda: key_pair(6))
    retired_central: Ed25519PrivateKey = field(default_factory=lambda: key_pair(7))
    stolen_central: Ed25519PrivateKey = field(default_factory=lambda: key_pair(8))
    stranger: Ed25519PrivateKey = field(default_factory=lambda: key_pair(9))
    retired_at: int = NOW - 1000

    @property
    def roots(self) -> tuple[bytes, bytes]:
        return public(self.root1), public(self.root2)

    @property
    def keys(self) -> list[Key]:
        start, until = NOW - YEAR, NOW + 2 * YEAR
        active, retired, stolen = KeyStatus.ACTIVE, KeyStatus.RETIRED, KeyStatus.COMPROMISED
        issuer, central = KeyUse.ISSUER, KeyUse.CENTRAL
        at = self.retired_at
        return [
            Key(b"i-now", issuer, public(self.issuer), start, until, active, start),
            Key(b"i-old", issuer, public(self.retired_issuer), start, until, retired, at),
            Key(b"i-bad", issuer, public(self.stolen_issuer), start, until, stolen, at),
            Key(b"c-now", central, public(self.central), start, until, active, start),
            Key(b"c-old", central, public(self.retired_central), start, until, retired, at),
            Key(b"c-bad", central, public(self.stolen_central), start, until, stolen, at),
        ]

    @cached_property
    def signed_keyset(self) -> bytes:
        return keyset.make(self.keys, NOW - 500, self.root1, b"root-1")

    @cached_property
    def keyset(self) -> KeySet:
        return keyset.open_keyset(self.signed_keyset, self.roots)

    def chip(
        self,
        card_no: str = "KMC-000123",
        issue_no: int = 2,
        *,
        issued_at: int = NOW - 5000,
        expires_at: int = NOW + YEAR,
        uid: bytes = UID,
        least: Grade = Grade.P1,
    ) -> bytes:
        """A chip's credential by the issuer in force."""
        return credential.issue(
            self.issuer, b"i-now", card_no, issue_no, issued_at, expires_at, Medium.NFC, uid, least
        )

    def printed(self, card_no: str = "KMC-000123", issue_no: int = 2) -> bytes:
        """A printed card's credential by the issuer in force, before it becomes a QR code."""
        return credential.issue(self.issuer, b"i-now", card_no, issue_no, NOW - 5000, NOW + YEAR, Medium.QR)


def tapped(payload: bytes, uid: bytes = UID) -> CardRead:
    return CardRead(Medium.NFC, payload, uid, "NTAG215")


def shown(text: str | bytes) -> CardRead:
    return CardRead(Medium.QR, text.encode("latin-1") if isinstance(text, str) else text)


CITY = City()
