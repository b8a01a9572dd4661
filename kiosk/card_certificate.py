"""Certificates of chips that sign: which key a card holds, by the word of the city's card authority. Pure.

A COSE_Sign1 (context ``kmc/card/1``) by a key of use ``card_ca`` over a map of the card number, its issue,
the chip's public key and the time in which it may sign. docs/card-profile.md has the whole profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from kiosk import cose
from kiosk.keyset import MAX_UNIX, KeySet, KeyUse

CONTEXT = b"kmc/card/1"
VERSION = 1
MAX_CERTIFICATE = 1024
"""Longest certificate a card may hold, in bytes; one is about 230."""
PUBLIC_BYTES = 65
"""An uncompressed point of P-256 (SEC 1, section 2.3.3)."""
SIGNED_PREFIX = b"kmc/chip/1"
"""Goes before the challenge in what the chip signs: its key signs nothing else that way."""

_FIELDS = {"v", "card", "issue", "public", "from", "until"}


class CertificateFault(ValueError):
    """A certificate or signature that does not hold; ``why`` is a code."""

    def __init__(self, why: str, message: str) -> None:
        super().__init__(f"{why}: {message}")
        self.why = why
        self.message = message


@dataclass(frozen=True, slots=True)
class CardCertificate:
    """What the authority says of a chip. Times are Unix seconds; ``until`` is exclusive."""

    card_no: str
    issue_no: int
    public: bytes
    """The chip's key: PUBLIC_BYTES, an uncompressed point of P-256."""
    start: int
    until: int

    def check(self, challenge: bytes, signature: bytes) -> None:
        """Raises CertificateFault ``signature`` unless the chip's key signed this challenge.

        ECDSA with SHA-256 over SIGNED_PREFIX and the challenge; the signature in DER (RFC 3279, 2.2.3).
        """
        try:
            _point(self.public).verify(signature, SIGNED_PREFIX + challenge, ec.ECDSA(SHA256()))
        except InvalidSignature:
            raise CertificateFault("signature", "the chip's signature does not hold") from None


def make(certificate: CardCertificate, authority: Ed25519PrivateKey, kid: bytes) -> bytes:
    """The signed certificate. Raises ValueError for one that ``open_certificate`` would refuse."""
    payload = {
        "v": VERSION,
        "card": certificate.card_no,
        "issue": certificate.issue_no,
        "public": certificate.public,
        "from": certificate.start,
        "until": certificate.until,
    }
    _read(payload)
    return cose.sign(cose.encode(payload), authority, kid, CONTEXT)


def open_certificate(data: bytes, keyset: KeySet, now: int) -> CardCertificate:
    """The certificate in ``data``, if a card authority of the city stands behind it at ``now`` (Unix s).

    Raises CertificateFault; ``why`` is ``oversized``, ``malformed``, ``bad_algorithm``, ``no_kid``,
    ``bad_signature``, ``content``, ``time``, or what the key is worth: ``unknown``, ``compromised``,
    ``retired_before``, ``too_early``, ``too_late``.
    """
    if len(data) > MAX_CERTIFICATE:
        raise CertificateFault("oversized", f"{len(data)} bytes, at most {MAX_CERTIFICATE}")
    try:
        message = cose.parse(data)
        key = keyset.of(KeyUse.CARD_CA, message.kid)
        if key is None:
            raise CertificateFault("unknown", "no card authority of that id")
        cose.check(message, key.verifier(), CONTEXT)
        certificate = _read(cose.decode(message.payload))
    except cose.SignedDataFault as fault:
        raise CertificateFault(fault.code, fault.message) from None
    except CertificateFault:
        raise
    except ValueError as fault:
        raise CertificateFault("content", str(fault)) from None
    standing = key.standing(certificate.start)
    if not standing.holds:
        raise CertificateFault(str(standing), "the card authority's key does not hold")
    if not certificate.start <= now < certificate.until:
        raise CertificateFault("time", "outside the time of the certificate")
    return certificate


def _read(payload: Any) -> CardCertificate:
    if not isinstance(payload, Mapping) or set(payload) != _FIELDS:
        raise ValueError("not a card certificate")
    card, public = payload["card"], payload["public"]
    version, issue, start, until = (payload[name] for name in ("v", "issue", "from", "until"))
    if not all(isinstance(n, int) and not isinstance(n, bool) for n in (version, issue, start, until)):
        raise ValueError("fields of the wrong kind")
    if version != VERSION or issue < 1 or not 0 <= start < until <= MAX_UNIX:
        raise ValueError("version, issue or times")
    if not isinstance(card, str) or not 1 <= len(card) <= 40 or not isinstance(public, bytes):
        raise ValueError("fields of the wrong kind")
    if len(public) != PUBLIC_BYTES or public[0] != 0x04:
        raise ValueError("a public key is an uncompressed point")
    _point(public)
    return CardCertificate(card, issue, public, start, until)


def _point(public: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
