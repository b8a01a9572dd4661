"""COSE_Sign1 with Ed25519, and the deterministic CBOR beneath every signed thing.

RFC 9052 (COSE), RFC 9053 section 2.2 (EdDSA), RFC 8949 section 4.2 (deterministic CBOR). Only what this
product signs is accepted: algorithm EdDSA from the protected header, nothing in the unprotected one.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ALG_EDDSA = -8
HEADER_ALG = 1
HEADER_KID = 4
TAG_SIGN1 = 18
MAX_BYTES = 16 * 1024
MAX_DEPTH = 8


class SignedDataFault(ValueError):
    """Signed bytes that do not hold; ``code`` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Sign1:
    """A COSE_Sign1 message taken apart; nothing in it is trusted before ``verify``."""

    protected: bytes
    kid: bytes
    payload: bytes
    signature: bytes


def encode(value: Any) -> bytes:
    """Deterministic CBOR of maps with text or small integer keys, integers, bytes, text, booleans, null.

    Floats and sets are refused (ValueError): nothing signed here needs them, and their encodings differ
    between libraries.
    """
    _refuse(value)
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes) -> Any:
    """The value of deterministic CBOR.

    Raises SignedDataFault ``malformed`` for anything else: trailing bytes, duplicate keys, indefinite
    lengths, unsorted keys, long forms, floats and tags.
    """
    if len(data) > MAX_BYTES:
        raise SignedDataFault("oversized", f"{len(data)} bytes, at most {MAX_BYTES}")
    _check_depth(data)
    stream = io.BytesIO(data)
    try:
        value = cbor2.CBORDecoder(stream).decode()
        if stream.tell() != len(data) or encode(value) != data:
            raise SignedDataFault("malformed", "not in deterministic CBOR")
    except SignedDataFault:
        raise
    except Exception as fault:  # the library raises many kinds on hostile bytes
        raise SignedDataFault("malformed", type(fault).__name__) from None
    return value


def to_be_signed(protected: bytes, payload: bytes, context: bytes) -> bytes:
    """The Sig_structure of RFC 9052 section 4.4; ``context`` is its external_aad."""
    return cbor2.dumps(["Signature1", protected, context, payload])


def protected_header(kid: bytes) -> bytes:
    """The protected header this product writes: EdDSA and a key id."""
    return encode({HEADER_ALG: ALG_EDDSA, HEADER_KID: kid})


def sign(payload: bytes, key: Ed25519PrivateKey, kid: bytes, context: bytes = b"") -> bytes:
    """A tagged COSE_Sign1 over ``payload``. ``context`` keeps one kind of signature from passing for another."""
    protected = protected_header(kid)
    signature = key.sign(to_be_signed(protected, payload, context))
    return cbor2.dumps(cbor2.CBORTag(TAG_SIGN1, [protected, {}, payload, signature]), canonical=True)


def parse(data: bytes) -> Sign1:
    """Takes a COSE_Sign1 (tagged 18 or bare) apart.

    Raises SignedDataFault: ``oversized``, ``malformed``, ``bad_algorithm``, ``no_kid``.
    """
    if len(data) > MAX_BYTES:
        raise SignedDataFault("oversized", f"{len(data)} bytes, at most {MAX_BYTES}")
    body = data[1:] if data[:1] == b"\xd2" else data
    message = decode(body)
    if not (
        isinstance(message, list)
        and len(message) == 4
        and isinstance(message[0], bytes)
        and isinstance(message[1], Mapping)
        and isinstance(message[2], bytes)
        and isinstance(message[3], bytes)
        and len(message[3]) == 64
    ):
        raise SignedDataFault("malformed", "not a COSE_Sign1")
    header = decode(message[0])
    if not isinstance(header, Mapping) or message[1]:
        raise SignedDataFault("malformed", "headers")
    if header.get(HEADER_ALG) != ALG_EDDSA or isinstance(header.get(HEADER_ALG), bool):
        raise SignedDataFault("bad_algorithm", "only EdDSA in the protected header is accepted")
    if set(header) - {HEADER_ALG, HEADER_KID}:
        raise SignedDataFault("malformed", "a header this product does not write")
    kid = header.get(HEADER_KID)
    if not isinstance(kid, bytes) or not 1 <= len(kid) <= 16:
        raise SignedDataFault("no_kid", "no key id in the protected header")
    return Sign1(message[0], kid, message[2], message[3])


def verify(data: bytes, key_for: Callable[[bytes], Ed25519PublicKey | None], context: bytes = b"") -> bytes:
    """The payload of a COSE_Sign1 whose signature holds.

    Raises SignedDataFault: what ``parse`` raises, ``unknown_key``, ``bad_signature``.
    """
    message = parse(data)
    key = key_for(message.kid)
    if key is None:
        raise SignedDataFault("unknown_key", message.kid.hex())
    check(message, key, context)
    return message.payload


def check(message: Sign1, key: Ed25519PublicKey, context: bytes = b"") -> None:
    """Raises SignedDataFault ``bad_signature`` unless ``key`` signed the message."""
    try:
        key.verify(message.signature, to_be_signed(message.protected, message.payload, context))
    except InvalidSignature:
        raise SignedDataFault("bad_signature", "the signature does not hold") from None


def _refuse(value: Any) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(key, bool) or not isinstance(key, int | str):
                raise ValueError(f"map key {key!r}")
            _refuse(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse(item)
    elif value is not None and not isinstance(value, bool | int | bytes | str):
        raise ValueError(f"{type(value).__name__} is not signed here")


def _check_depth(data: bytes) -> None:
    """Refuses nesting beyond MAX_DEPTH before a recursive parser sees it."""
    stack: list[int] = []
    at, size = 0, len(data)
    while at < size:
        major, info = data[at] >> 5, data[at] & 31
        at += 1
        if info < 24:
            argument = info
        elif info <= 27:
            width = 1 << (info - 24)
            argument = int.from_bytes(data[at : at + width], "big")
            at += width
        else:
            raise SignedDataFault("malformed", "indefinite length or reserved")
        if major in (2, 3):
            at += argument
        while stack and stack[-1] == 0:
            stack.pop()
        if stack:
            stack[-1] -= 1
        if major in (4, 5):
            stack.append(argument * (2 if major == 5 else 1))
            if len(stack) > MAX_DEPTH:
                raise SignedDataFault("malformed", "nested too deeply")
        elif major == 6:
            raise SignedDataFault("malformed", "a tag")
