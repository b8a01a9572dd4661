"""The grant: central's signed word that one kiosk holds one right, and how much of it is left.

A COSE_Sign1 with context ``kmc/grant/1`` over a CBOR map. The epoch ``(incarnation, n)`` rises with every
grant of a right, so that a kiosk can tell an old grant, or one it has released, from a new one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kiosk import cose
from kiosk.errors import CentralFault

CONTEXT: Final = b"kmc/grant/1"
MODES: Final = ("strict", "tolerate", "online_only")
_KEYS: Final = frozenset(
    (
        "v",
        "right",
        "kiosk",
        "gen",
        "epoch",
        "quantity_left",
        "terms",
        "not_before",
        "not_after",
        "mode",
        "upto_seq",
    )
)


class CentralKeys(Protocol):
    """Whom a grant is believed from; kiosk/keyset.py fills it."""

    def central_key(self, kid: bytes) -> Ed25519PublicKey | None:
        """The central key with that id unless it is compromised; None if there is none."""
        ...


class SpeakingKeys(Protocol):
    """Whom a grant that arrives now is believed from; kiosk/keyset.py fills it."""

    def speaking_key(self, kid: bytes) -> Ed25519PublicKey | None:
        """The central key with that id if it may sign now; None if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Term:
    """One entitlement that gives rise to the right, as of one version of it and of its program."""

    program_id: str
    program_version: int
    entitlement_id: int
    entitlement_version: int
    quantity: int
    """In the benefit's smallest unit."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A right in a kiosk's hand."""

    right: str
    kiosk: str
    gen: int
    epoch: tuple[int, int]
    """``(incarnation, n)``."""
    quantity_left: int
    terms: tuple[Term, ...]
    """Programs that exclude each other share a right, hence more than one."""
    not_before: int
    """Unix seconds; spendable from then."""
    not_after: int
    """Unix seconds; not spendable from then on (the period is half-open)."""
    mode: str
    """``strict``, ``tolerate`` or ``online_only``."""
    upto_seq: int
    """The kiosk's last journal record (of generation ``gen``) that central had counted when it granted:
    the kiosk takes off what it has handed out of this right since, so a renewal cannot race a pickup."""
    kid: bytes = b""
    """Of the central key that signed it; from the header."""

    def term_of(self, program_id: str) -> Term | None:
        """The term of that program, or None."""
        return next((term for term in self.terms if term.program_id == program_id), None)


def make(grant: Grant, central_key: Ed25519PrivateKey, kid: bytes) -> bytes:
    """The signed grant. ``kid`` names ``central_key``; ``grant.kid`` is not looked at."""
    claims = {
        "v": 1,
        "right": grant.right,
        "kiosk": grant.kiosk,
        "gen": grant.gen,
        "epoch": list(grant.epoch),
        "quantity_left": grant.quantity_left,
        "terms": [
            [
                term.program_id,
                term.program_version,
                term.entitlement_id,
                term.entitlement_version,
                term.quantity,
            ]
            for term in grant.terms
        ],
        "not_before": grant.not_before,
        "not_after": grant.not_after,
        "mode": grant.mode,
        "upto_seq": grant.upto_seq,
    }
    return cose.sign(cose.encode(claims), central_key, kid, CONTEXT)


def open_grant(data: bytes, keyset: CentralKeys) -> Grant:
    """The grant, if one of central's keys signed it and every field is of its kind.

    For one that was taken in before: what a key signed before it was retired holds. Raises CentralFault
    ``grant_refused``.
    """
    return _open(data, keyset.central_key)


def open_fresh_grant(data: bytes, keyset: SpeakingKeys) -> Grant:
    """The same for a grant that arrives now: only a key that may sign now is believed.

    A grant does not say when it was made, and who holds a retired key could make one up; what central has
    granted comes again under its newer key. Raises CentralFault ``grant_refused``.
    """
    return _open(data, keyset.speaking_key)


def _open(data: bytes, key_for: Callable[[bytes], Ed25519PublicKey | None]) -> Grant:
    try:
        message = cose.parse(data)
        payload = cose.verify(data, key_for, CONTEXT)
        return _from_claims(cose.decode(payload), message.kid)
    except cose.SignedDataFault as fault:
        raise CentralFault("grant_refused", str(fault)) from None


def terms_text(terms: Sequence[Term]) -> str:
    """A grant's terms for the ledger: JSON, each as on the wire."""
    return json.dumps([astuple(term) for term in terms], separators=(",", ":"))


def terms_in(grant: bytes) -> str:
    """The same, of a grant that was opened before; empty for bytes that are none."""
    try:
        message = cose.parse(grant)
        return terms_text(_from_claims(cose.decode(message.payload), message.kid).terms)
    except cose.SignedDataFault:
        return ""


def digest_of(held: Iterable[tuple[str, tuple[int, int]]]) -> str:
    """One number for a set of grants held, as unsigned decimal text; order does not matter.

    Sum modulo 2^64 of the first 8 bytes (unsigned, big-endian) of SHA-256 of ``<right>@<incarnation>.<n>``.
    """
    total = 0
    for right, (incarnation, n) in held:
        digest = hashlib.sha256(f"{right}@{incarnation}.{n}".encode()).digest()
        total += int.from_bytes(digest[:8], "big")
    return str(total % 2**64)


def _from_claims(claims: Any, kid: bytes) -> Grant:
    if not isinstance(claims, dict) or set(claims) != _KEYS or not _is_int(claims["v"]) or claims["v"] != 1:
        raise cose.SignedDataFault("malformed", "not a grant of version 1")
    texts = ("right", "kiosk", "mode")
    numbers = ("gen", "quantity_left", "not_before", "not_after", "upto_seq")
    epoch, terms = claims["epoch"], claims["terms"]
    if (
        not all(isinstance(claims[name], str) for name in texts)
        or not all(_is_int(claims[name]) and claims[name] >= 0 for name in numbers)
        or claims["mode"] not in MODES
        or not isinstance(epoch, list)
        or len(epoch) != 2
        or not all(_is_int(part) and part >= 0 for part in epoch)
        or not isinstance(terms, list)
        or not terms
    ):
        raise cose.SignedDataFault("malformed", "a field of the grant")
    return Grant(
        right=claims["right"],
        kiosk=claims["kiosk"],
        gen=claims["gen"],
        epoch=(epoch[0], epoch[1]),
        quantity_left=claims["quantity_left"],
        terms=tuple(_term(term) for term in terms),
        not_before=claims["not_before"],
        not_after=claims["not_after"],
        mode=claims["mode"],
        upto_seq=claims["upto_seq"],
        kid=kid,
    )


def _term(term: Any) -> Term:
    if (
        not isinstance(term, list)
        or len(term) != 5
        or not isinstance(term[0], str)
        or not all(_is_int(part) and part >= 0 for part in term[1:])
    ):
        raise cose.SignedDataFault("malformed", "a term of the grant")
    return Term(*term)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
