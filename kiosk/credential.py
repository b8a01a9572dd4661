"""Card credentials: a CWT (RFC 8392) in a COSE_Sign1 (RFC 9052), signed by the city's issuer.

On a chip it is the payload of an NDEF external-type record; printed, it is ``KMC1:`` and Base45 (RFC 9285)
of its zlib stream (RFC 1950). Whatever a card holds, nothing but CardFault comes out of ``verify``.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import base45
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk import cose
from kiosk.errors import CardFault
from kiosk.keyset import MAX_UNIX, KeySet, KeyStatus
from kiosk.values import QR_PREFIX, CardRead, Grade, Medium

ISSUER = "metrokota.go.id"
MAX_PAYLOAD = 4 * 1024
"""Largest payload read off a card, in bytes; the largest QR code holds 4,296 characters."""
MAX_INFLATED = 16 * 1024
MAX_CLAIMS = 512
"""Largest set of claims, in bytes; the longest that can be issued has some 120."""
CLOCK_LEEWAY_S = 300
"""How far the issuing desk's clock may run ahead of the kiosk's."""
MAX_ISSUE_NO = 2**31 - 1

# RFC 8392 section 4 (registered), and below -65536 the private use range of its section 9.1.
CLAIM_ISS, CLAIM_SUB, CLAIM_EXP, CLAIM_IAT = 1, 2, 4, 6
CLAIM_ISSUE_NO, CLAIM_MEDIUM, CLAIM_UID, CLAIM_LEAST_GRADE = -65537, -65538, -65539, -65540

_COMMON = {CLAIM_ISS, CLAIM_SUB, CLAIM_EXP, CLAIM_IAT, CLAIM_ISSUE_NO, CLAIM_MEDIUM}
_CHIP_ONLY = {CLAIM_UID, CLAIM_LEAST_GRADE}
_CARD_NO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_UID_SIZES = (4, 7, 8, 10)
"""ISO 14443-3 single, double and triple size; FeliCa's IDm has 8 (JIS X 6319-4)."""

NOTHING_ON_CARD = frozenset({"card_empty", "card_classic", "card_too_small", "card_random_uid"})
"""What a read without a payload is refused as; all but the last may be a card handed out long ago."""

_CLASSIC = ("MIFARE Classic", "MIFARE Mini", "MIFARE Plus")
_TOO_SMALL = ("NTAG210", "NTAG212", "NTAG213", "Ultralight EV1")

_STRUCTURE_CODES = {
    "oversized": "card_oversized",
    "bad_algorithm": "card_bad_algorithm",
    "bad_signature": "card_bad_signature",
}


@dataclass(frozen=True, slots=True)
class Credential:
    """The claims of a card credential. Times are Unix seconds."""

    card_no: str
    issue_no: int
    issued_at: int
    expires_at: int
    medium: Medium
    uid: bytes = b""
    """Chip only: the UID it was written for."""
    least_grade: Grade = Grade.P1
    """Chip only: the least that must be proved when it is read."""
    issuer: str = ISSUER


@dataclass(frozen=True, slots=True)
class VerifiedCard:
    """A credential that holds, and the grade at which it was read. Times are Unix seconds."""

    card_no: str
    issue_no: int
    grade: Grade
    medium: Medium
    issued_at: int
    expires_at: int
    kid: bytes


def issue(
    issuer_key: Ed25519PrivateKey,
    kid: bytes,
    card_no: str,
    issue_no: int,
    issued_at: int,
    expires_at: int,
    medium: Medium,
    uid: bytes = b"",
    least_grade: Grade = Grade.P1,
) -> bytes:
    """A signed credential (tagged COSE_Sign1) for one medium of one card; times are Unix seconds.

    ``uid`` and ``least_grade`` belong to a chip. Raises ValueError for anything ``verify`` would refuse.
    """
    claims: dict[int, Any] = {
        CLAIM_ISS: ISSUER,
        CLAIM_SUB: card_no,
        CLAIM_EXP: expires_at,
        CLAIM_IAT: issued_at,
        CLAIM_ISSUE_NO: issue_no,
        CLAIM_MEDIUM: str(medium),
    }
    if medium is Medium.NFC:
        if uid_is_random(uid):
            raise ValueError("a chip with a random UID cannot be bound")
        claims |= {CLAIM_UID: uid, CLAIM_LEAST_GRADE: least_grade.label}
    elif uid:
        raise ValueError("only a chip has a UID")
    _read_claims(claims)
    return cose.sign(cose.encode(claims), issuer_key, kid)


def to_qr(credential: bytes) -> str:
    """The text of the QR code that carries a credential, all of it in QR's alphanumeric set."""
    text: bytes = base45.b45encode(zlib.compress(credential, 9))
    return QR_PREFIX + text.decode("ascii")


def uid_is_random(uid: bytes) -> bool:
    """True for a UID that changes with every tap and so binds nothing.

    Four bytes beginning 08 (ISO 14443-3, random number by the chip), or a FeliCa IDm beginning 01 FE
    (NFC Forum Digital: peer-to-peer, the rest is random).
    """
    return (len(uid) == 4 and uid[0] == 0x08) or (len(uid) == 8 and uid[:2] == b"\x01\xfe")


def claimed_card_no(read: CardRead) -> str:
    """The card number that a read claims, with nothing checked; empty if it carries no credential."""
    try:
        return _read_claims(cose.decode(cose.parse(signed_bytes(read)).payload)).card_no
    except (CardFault, ValueError):
        return ""


def verify(read: CardRead, keyset: KeySet, now: int, proved: Grade = Grade.P1) -> VerifiedCard:
    """The card in ``read``, if its credential holds at ``now`` (Unix seconds).

    ``proved`` is what a challenge of the chip proved, P1 if none was run; a QR code is never above P0.
    Whether this issue is the holder's active one is asked by ``check_standing``.

    Raises CardFault, in this order: one of NOTHING_ON_CARD, ``card_oversized``, ``card_foreign``,
    ``card_malformed``, ``card_bad_algorithm``, ``card_unknown_key``, ``card_key_compromised``,
    ``card_bad_signature``, ``card_wrong_issuer``, ``card_expired``, ``card_not_yet_valid``,
    ``card_wrong_medium``, ``card_random_uid``, ``card_wrong_chip``, ``card_not_original`` (NXP's signature of
    the chip is wrong), ``card_downgrade``.
    A key used outside its time is ``card_unknown_key``; the detail ``why`` tells (``retired_before`` …).
    """
    try:
        message = cose.parse(signed_bytes(read))
        kid = message.kid.hex()
        key = keyset.issuer(message.kid)
        if key is None:
            raise CardFault("card_unknown_key", "no issuer key of that id", kid=kid, why="unknown")
        if key.status is KeyStatus.COMPROMISED:
            raise CardFault("card_key_compromised", "the issuer key is compromised", kid=kid)
        cose.check(message, key.verifier())
        if len(message.payload) > MAX_CLAIMS:
            raise CardFault("card_oversized", f"claims of {len(message.payload)} bytes, at most {MAX_CLAIMS}")
        credential = _read_claims(cose.decode(message.payload))
    except cose.SignedDataFault as fault:
        raise CardFault(_STRUCTURE_CODES.get(fault.code, "card_malformed"), fault.message) from None
    except ValueError as fault:
        raise CardFault("card_malformed", str(fault)) from None
    if credential.issuer != ISSUER:
        raise CardFault("card_wrong_issuer", "issued by somebody else")
    standing = key.standing(credential.issued_at)
    if not standing.holds:
        raise CardFault("card_unknown_key", "the key was not in force then", kid=kid, why=str(standing))
    _check_time(credential, now)
    if credential.medium is not read.medium:
        raise CardFault("card_wrong_medium", f"a {credential.medium} credential on {read.medium}")
    grade = _check_chip(credential, read, proved) if read.medium is Medium.NFC else Grade.P0
    return VerifiedCard(
        credential.card_no,
        credential.issue_no,
        grade,
        credential.medium,
        credential.issued_at,
        credential.expires_at,
        key.kid,
    )


def check_standing(
    verified: VerifiedCard,
    active_issue_no: int | None,
    highest_seen: int,
    denied_reason: str | None,
    holder_status: str | None,
    denied_since: str = "",
) -> None:
    """Refuses a genuine card that is not to be served now.

    ``active_issue_no`` and ``holder_status`` are the cache's (None: holder unknown here), ``highest_seen``
    the ledger's highest issue number of this card number (0: none), ``denied_reason`` the deny list's for
    this issue and ``denied_since`` its ISO date. A denial holds whatever its date: the date is for people
    (detail ``since``), since the clock of a kiosk may be wrong.

    Raises CardFault, in this order: ``card_superseded`` (detail ``denied``: the deny list's reason, if any),
    ``card_blocked`` or ``card_deceased`` by the holder's status, ``card_lost``, ``card_stolen``,
    ``card_replaced``, ``card_revoked``, ``card_deceased`` by the deny list, ``card_unknown_holder``.
    A reason or status this program does not know refuses as ``card_revoked`` or ``card_blocked``.
    """
    dated = {"since": denied_since} if denied_reason is not None and denied_since else {}
    newest = max(highest_seen, active_issue_no or 0)
    if verified.issue_no < newest:
        raise CardFault(
            "card_superseded", f"issue {verified.issue_no} of {newest}", denied=denied_reason or "", **dated
        )
    if holder_status is not None and holder_status != "active":
        code = "card_deceased" if holder_status == "deceased" else "card_blocked"
        raise CardFault(code, f"holder is {holder_status}")
    if denied_reason is not None:
        known = denied_reason in ("lost", "stolen", "replaced", "revoked", "deceased")
        code = f"card_{denied_reason}" if known else "card_revoked"
        raise CardFault(code, f"denied: {denied_reason}", **dated)
    if active_issue_no is None or holder_status is None:
        raise CardFault("card_unknown_holder", "no holder of this card in the cache")


def signed_bytes(read: CardRead) -> bytes:
    """The COSE bytes of a read, within the limits."""
    if not read.payload:
        raise _nothing_on(read)
    if len(read.payload) > MAX_PAYLOAD:
        raise CardFault("card_oversized", f"{len(read.payload)} bytes, at most {MAX_PAYLOAD}")
    if read.medium is Medium.NFC:
        return read.payload
    if read.medium is not Medium.QR:
        raise CardFault("card_wrong_medium", f"{read.medium} carries no credential")
    prefix = QR_PREFIX.encode("ascii")
    if not read.payload.startswith(prefix):
        raise CardFault("card_foreign", "not a KMC code")
    return _inflate(base45.b45decode(read.payload[len(prefix) :]))


def _nothing_on(read: CardRead) -> CardFault:
    """Why a card without a credential has none: as the reader said, else by its chip's name."""
    if read.found in ("card_empty", "card_foreign", "card_classic", "card_too_small"):
        return CardFault(read.found, "no credential of ours on the card", chip=read.chip)
    if read.chip.startswith(_CLASSIC):
        return CardFault("card_classic", f"{read.chip} carries no credential", chip=read.chip)
    if read.chip in _TOO_SMALL:
        return CardFault("card_too_small", f"{read.chip} holds no credential", chip=read.chip)
    if uid_is_random(read.uid):
        return CardFault("card_random_uid", "nothing on a card whose UID changes with every tap")
    return CardFault("card_empty", "nothing on the card")


def _inflate(data: bytes) -> bytes:
    """The bytes of one whole zlib stream with nothing after it."""
    stream = zlib.decompressobj()
    try:
        inflated = stream.decompress(data, MAX_INFLATED + 1)
    except zlib.error:
        raise CardFault("card_malformed", "not a zlib stream") from None
    if len(inflated) > MAX_INFLATED:
        raise CardFault("card_oversized", f"inflates beyond {MAX_INFLATED} bytes")
    if not stream.eof or stream.unused_data or stream.unconsumed_tail:
        raise CardFault("card_malformed", "a zlib stream cut short or with bytes after it")
    return inflated


def _read_claims(claims: Any) -> Credential:
    """The claims, strictly: each of its kind and range, none missing, none unknown. Raises ValueError."""
    if not isinstance(claims, Mapping):
        raise ValueError("claims are no map")
    medium = claims.get(CLAIM_MEDIUM)
    if medium not in ("nfc", "qr"):
        raise ValueError("medium")
    if set(claims) != (_COMMON | _CHIP_ONLY if medium == "nfc" else _COMMON):
        raise ValueError("a claim is missing or unknown")
    issuer, card_no = claims[CLAIM_ISS], claims[CLAIM_SUB]
    if not isinstance(issuer, str) or len(issuer) > 100:
        raise ValueError("issuer")
    if not isinstance(card_no, str) or not _CARD_NO.fullmatch(card_no):
        raise ValueError("card number")
    issued_at = _whole(claims[CLAIM_IAT], 0, MAX_UNIX, "iat")
    expires_at = _whole(claims[CLAIM_EXP], issued_at + 1, MAX_UNIX, "exp")
    issue_no = _whole(claims[CLAIM_ISSUE_NO], 1, MAX_ISSUE_NO, "issue number")
    if medium == "qr":
        return Credential(card_no, issue_no, issued_at, expires_at, Medium.QR, b"", Grade.P0, issuer)
    uid, least = claims[CLAIM_UID], claims[CLAIM_LEAST_GRADE]
    if not isinstance(uid, bytes) or len(uid) not in _UID_SIZES:
        raise ValueError("uid")
    if not isinstance(least, str) or least not in ("p1", "p2", "p3"):
        raise ValueError("least grade")
    return Credential(card_no, issue_no, issued_at, expires_at, Medium.NFC, uid, Grade.of(least), issuer)


def _whole(value: Any, least: int, most: int, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(name)
    return value


def _check_time(credential: Credential, now: int) -> None:
    if now >= credential.expires_at:
        raise CardFault("card_expired", "past its date", expires_at=credential.expires_at)
    if credential.issued_at > now + CLOCK_LEEWAY_S:
        raise CardFault("card_not_yet_valid", "issued in the future", issued_at=credential.issued_at)


def _check_chip(credential: Credential, read: CardRead, proved: Grade) -> Grade:
    """The grade of a chip whose UID is the one it was issued for."""
    uid = read.uid
    if uid_is_random(uid) or uid_is_random(credential.uid):
        raise CardFault("card_random_uid", "this chip's UID changes with every tap")
    if uid != credential.uid:
        raise CardFault("card_wrong_chip", "the credential was written for another chip")
    if read.proof is not None and read.proof.original is False:
        raise CardFault("card_not_original", "the chip's originality signature is not its maker's")
    grade = proved if proved > Grade.P1 else Grade.P1
    if grade < credential.least_grade:
        needed = credential.least_grade.label
        raise CardFault("card_downgrade", f"{grade.label} proved, {needed} needed", proved=grade.label)
    return grade
