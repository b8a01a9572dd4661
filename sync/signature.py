"""Signed requests (RFC 9421, Ed25519, Content-Digest of RFC 9530) and central's signed answers.

Both ends use this module. A request's signature covers ``@method``, ``@path``, ``@query`` and
``content-digest``, not the host: a reverse proxy may stand before central. An answer carries one COSE_Sign1
in the header ``KMC-Answer`` over the request's nonce, central's time, the status and the body's SHA-256, so
that it can be neither forged nor kept for later.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import hashlib
import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, HTTPSignatureKeyResolver
from http_message_signatures.algorithms import ED25519
from http_message_signatures.exceptions import HTTPMessageSignaturesException

from kiosk import cose
from kiosk.errors import CentralFault

COMPONENTS: Final = ("@method", "@path", "@query", "content-digest")
LABEL: Final = "kmc"
ENROL_KEYID: Final = "enrol"
ANSWER_CONTEXT: Final = b"kmc/answer/1"
MAX_SKEW_S: Final = 300
MAX_NONCE: Final = 64

KeyFor = Callable[[bytes], Ed25519PublicKey | None]


@dataclass(frozen=True, slots=True)
class SignedBy:
    """Who signed a request, as its signature says."""

    keyid: str
    nonce: str
    created: int
    """Unix seconds by the sender's clock."""


@dataclass(frozen=True, slots=True)
class AnswerSeal:
    """What central signed about an answer."""

    nonce: str
    time_ms: int
    status: int


class _Message:
    """A request as the library wants it."""

    def __init__(self, method: str, url: str, headers: dict[str, str]) -> None:
        self.method = method
        self.url = url
        self.headers = headers


class _Resolver(HTTPSignatureKeyResolver):
    def __init__(self, private: Ed25519PrivateKey | None, public: Ed25519PublicKey | None) -> None:
        self._private = private
        self._public = public

    def resolve_private_key(self, key_id: str) -> Any:
        return self._private

    def resolve_public_key(self, key_id: str) -> Any:
        return self._public


class _Verifier(HTTPMessageVerifier):
    """Leaves the age to the caller, who has an injected clock."""

    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        if type(sig_input.params.get("created")) is not int:
            raise HTTPMessageSignaturesException("created is missing")

    def claimed_keyid(self, message: _Message) -> object:
        """The keyid of the one signature; the selection rules are the library's own."""
        found = self._get_sig_inputs_and_signatures(message)  # type: ignore[no-untyped-call]
        ((_, sig_input, _),) = found
        return sig_input.params.get("keyid")


def keyid_of(kiosk: str, gen: int) -> str:
    """``<kiosk>.<gen>``, the key id of a kiosk's requests."""
    return f"{kiosk}.{gen}"


def new_nonce() -> str:
    """A fresh nonce: 128 random bits as hex."""
    return secrets.token_hex(16)


def sign_request(
    method: str,
    url: str,
    body: bytes,
    key: Ed25519PrivateKey,
    keyid: str,
    *,
    nonce: str,
    created: float,
) -> dict[str, str]:
    """The headers that sign a request: ``Content-Digest``, ``Signature-Input`` and ``Signature``.

    ``url`` is absolute and already percent-encoded; ``created`` is Unix seconds. GET signs an empty body.
    """
    message = _Message(method.upper(), url, {})
    signer = HTTPMessageSigner(signature_algorithm=ED25519, key_resolver=_Resolver(key, None))
    signer.sign(
        message,
        key_id=keyid,
        created=datetime.datetime.fromtimestamp(math.floor(created), tz=datetime.UTC),
        nonce=nonce,
        label=LABEL,
        covered_component_ids=COMPONENTS,
        body=body,
    )
    return dict(message.headers)


def signer_of(headers: Mapping[str, str]) -> str:
    """The key id a request claims, before anything is verified.

    Raises CentralFault ``signature_missing``.
    """
    verifier = _Verifier(signature_algorithm=ED25519, key_resolver=None)
    try:
        keyid = verifier.claimed_keyid(_Message("GET", "http://central/", dict(headers)))
    except (HTTPMessageSignaturesException, ValueError) as fault:
        raise CentralFault("signature_missing", "the request carries no signature of its own") from fault
    if not isinstance(keyid, str):
        raise CentralFault("signature_missing", "the signature names no key")
    return keyid


def verify_request(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    public: Ed25519PublicKey,
) -> SignedBy:
    """Who signed the request, if the signature, the digest of the body and the coverage hold.

    The caller judges ``created`` (see ``check_clock``) and replay of ``nonce``.
    Raises CentralFault: ``signature_missing``, ``bad_signature``.
    """
    signer_of(headers)
    message = _Message(method.upper(), url, dict(headers))
    verifier = _Verifier(signature_algorithm=ED25519, key_resolver=_Resolver(None, public))
    try:
        result = verifier.verify(message, max_age=None, require_components=COMPONENTS, body=body)[0]
    except (HTTPMessageSignaturesException, ValueError) as fault:
        raise CentralFault("bad_signature", "the request's signature does not hold") from fault
    nonce = result.nonce
    if not nonce or len(nonce) > MAX_NONCE or result.body is None:
        raise CentralFault("bad_signature", "a nonce and a signed Content-Digest are expected")
    return SignedBy(str(result.parameters["keyid"]), nonce, int(result.parameters["created"]))


def check_clock(created: int, now: float) -> None:
    """Raises CentralFault ``clock`` beyond MAX_SKEW_S between ``created`` and ``now`` (Unix seconds)."""
    if abs(created - now) > MAX_SKEW_S:
        raise CentralFault("clock", "the sender's clock is far from central's", created=created, now=int(now))


def seal_answer(
    key: Ed25519PrivateKey, kid: bytes, *, nonce: str, time_ms: int, status: int, body: bytes
) -> str:
    """The value of ``KMC-Answer``. ``body`` is the body before content coding (compression)."""
    claims = {"nonce": nonce, "time": time_ms, "status": status, "body": hashlib.sha256(body).digest()}
    return base64.b64encode(cose.sign(cose.encode(claims), key, kid, ANSWER_CONTEXT)).decode("ascii")


def open_answer(
    header: str, key_for: KeyFor, *, nonce: str, status: int, body: bytes = b"", body_digest: bytes = b""
) -> AnswerSeal:
    """What central signed, if it holds for this nonce, status and body (after content decoding).

    ``body_digest``: SHA-256 of a body that is not in memory, in the place of ``body``.

    Raises CentralFault ``answer_refused``: a captive portal, a replayed answer or somebody else's server.
    """
    try:
        payload = cose.verify(base64.b64decode(header, validate=True), key_for, ANSWER_CONTEXT)
        claims = cose.decode(payload)
    except (cose.SignedDataFault, binascii.Error, ValueError) as fault:
        why = fault.code if isinstance(fault, cose.SignedDataFault) else "malformed"
        raise CentralFault("answer_refused", f"central's answer is not signed: {fault}", why=why) from None
    if not isinstance(claims, dict) or set(claims) != {"nonce", "time", "status", "body"}:
        raise CentralFault("answer_refused", "central's seal is not understood")
    if claims["nonce"] != nonce:
        raise CentralFault("answer_refused", "the answer belongs to another request")
    if claims["status"] != status or claims["body"] != (body_digest or hashlib.sha256(body).digest()):
        raise CentralFault("answer_refused", "the answer was changed on its way")
    if type(claims["time"]) is not int:
        raise CentralFault("answer_refused", "central's seal is not understood")
    return AnswerSeal(nonce, claims["time"], status)
