"""COSE_Sign1 with Ed25519, and the deterministic CBOR beneath every signed thing.

RFC 9052 (COSE), RFC 9053 section 2.2 (EdDSA), RFC 8949 section 4.2 (deterministic CBOR; map keys in the
length-first order of 4.2.3, which for keys of one sign or all text is that of 4.2.1). Only what this product
signs is accepted: tagged, algorithm EdDSA from the protected header, nothing in the unprotected one.
"""

from __future__ import annotations

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
MAX_KID = 16
_TAGGED = bytes([0xC0 | TAG_SIGN1])
_MAX_PROTECTED = 64
_SIMPLE = (20, 21, 22)  # false, true, null (RFC 8949 section 3.3)


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

    Floats, sets and integers beyond 64 bits are refused (ValueError): nothing signed here needs them, and
    their encodings differ between libraries. So is nesting beyond MAX_DEPTH, which ``decode`` would refuse.
    """
    _refuse(value, MAX_DEPTH)
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes) -> Any:
    """The value of deterministic CBOR.

    Raises SignedDataFault ``malformed`` for anything else: trailing bytes, duplicate keys, indefinite
    lengths, unsorted keys, long forms, floats and tags.
    """
    if len(data) > MAX_BYTES:
        raise SignedDataFault("oversized", f"{len(data)} bytes, at most {MAX_BYTES}")
    _check_shape(data)
    try:
        value = cbor2.loads(data)
        again = encode(value)
    except Exception as fault:  # the library raises many kinds on hostile bytes
        raise SignedDataFault("malformed", type(fault).__name__) from None
    if again != data:
        raise SignedDataFault("malformed", "a key twice, or keys out of order")
    return value


def to_be_signed(protected: bytes, payload: bytes, context: bytes) -> bytes:
    """The Sig_structure of RFC 9052 section 4.4; ``context`` is its external_aad."""
    return cbor2.dumps(["Signature1", protected, context, payload])


def protected_header(kid: bytes) -> bytes:
    """The protected header this product writes: EdDSA and a key id."""
    return encode({HEADER_ALG: ALG_EDDSA, HEADER_KID: kid})


def sign(payload: bytes, key: Ed25519PrivateKey, kid: bytes, context: bytes = b"") -> bytes:
    """A tagged COSE_Sign1 over ``payload``. ``context`` keeps one kind of signature from passing for another.

    Raises ValueError for a key id of no or more than MAX_KID bytes, or a message beyond MAX_BYTES.
    """
    if not 1 <= len(kid) <= MAX_KID:
        raise ValueError(f"a key id has 1 to {MAX_KID} bytes")
    protected = protected_header(kid)
    signature = key.sign(to_be_signed(protected, payload, context))
    message = _TAGGED + cbor2.dumps([protected, {}, payload, signature], canonical=True)
    if len(message) > MAX_BYTES:
        raise ValueError(f"{len(message)} bytes, at most {MAX_BYTES}")
    return message


def parse(data: bytes) -> Sign1:
    """Takes a COSE_Sign1 (tagged 18) apart.

    The bare form is refused, so that one signed thing has one form in bytes.
    Raises SignedDataFault: ``oversized``, ``malformed``, ``bad_algorithm``, ``no_kid``.
    """
    if len(data) > MAX_BYTES:
        raise SignedDataFault("oversized", f"{len(data)} bytes, at most {MAX_BYTES}")
    # Taken apart by hand: an array of four, of which the second is an empty map. Nothing that a stranger
    # wrote is then decoded beyond a header of a few bytes before the signature was checked.
    if data[:2] != _TAGGED + b"\x84":
        raise SignedDataFault("malformed", "not tagged as a COSE_Sign1")
    protected, at = _byte_string(data, 2)
    if len(protected) > _MAX_PROTECTED:
        raise SignedDataFault("malformed", "the protected header is too long")
    if data[at : at + 1] != b"\xa0":
        raise SignedDataFault("malformed", "the unprotected header must be an empty map")
    payload, at = _byte_string(data, at + 1)
    signature, at = _byte_string(data, at)
    if at != len(data):
        raise SignedDataFault("malformed", "bytes after the end")
    header = decode(protected)
    if not isinstance(header, Mapping):
        raise SignedDataFault("malformed", "the protected header is no map")
    if header.get(HEADER_ALG) != ALG_EDDSA or isinstance(header.get(HEADER_ALG), bool):
        raise SignedDataFault("bad_algorithm", "only EdDSA in the protected header is accepted")
    if len(signature) != 64:
        raise SignedDataFault("malformed", "an Ed25519 signature has 64 bytes")
    if set(header) - {HEADER_ALG, HEADER_KID}:
        raise SignedDataFault("malformed", "a header this product does not write")
    kid = header.get(HEADER_KID)
    if not isinstance(kid, bytes) or not 1 <= len(kid) <= MAX_KID:
        raise SignedDataFault("no_kid", "no key id in the protected header")
    return Sign1(protected, kid, payload, signature)


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


def _refuse(value: Any, depth: int) -> None:
    if isinstance(value, Mapping | list | tuple):
        if depth == 0:
            raise ValueError("nested too deeply")
        if isinstance(value, Mapping):
            for key in value:
                if isinstance(key, bool) or not isinstance(key, int | str):
                    raise ValueError(f"map key {key!r}")
                _refuse(key, depth)
            value = value.values()
        for item in value:
            _refuse(item, depth - 1)
    elif isinstance(value, int):
        if not -(2**64) <= value < 2**64:
            raise ValueError("an integer beyond 64 bits")
    elif value is not None and not isinstance(value, bytes | str):
        raise ValueError(f"{type(value).__name__} is not signed here")


def _byte_string(data: bytes, at: int) -> tuple[bytes, int]:
    """The byte string at ``at`` and where the next item begins."""
    major, argument, at = _head(data, at)
    if major != 2:
        raise SignedDataFault("malformed", "not a COSE_Sign1")
    if argument > len(data) - at:
        raise SignedDataFault("malformed", "a length beyond the data")
    return data[at : at + argument], at + argument


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    """Major type, argument and where the content begins (RFC 8949 section 3), in the shortest form only."""
    if at >= len(data):
        raise SignedDataFault("malformed", "cut short")
    major, argument = data[at] >> 5, data[at] & 31
    at += 1
    if argument < 24:
        return major, argument, at
    if argument > 27 or major == 7:
        raise SignedDataFault("malformed", "an indefinite length, a float or a simple value")
    width = 1 << (argument - 24)
    if at + width > len(data):
        raise SignedDataFault("malformed", "cut short")
    argument = int.from_bytes(data[at : at + width], "big")
    if argument < (24 if width == 1 else 1 << (4 * width)):
        raise SignedDataFault("malformed", "a long form")
    return major, argument, at + width


def _check_shape(data: bytes) -> None:
    """Refuses, before the library sees it, what is not one item of the CBOR that ``encode`` writes.

    Nesting beyond MAX_DEPTH, lengths that the data cannot hold (the library would allocate them), long forms,
    indefinite lengths, tags, floats, simple values other than false, true and null, and trailing bytes.
    Left for the comparison with the encoding: duplicate keys, their order and kinds, and UTF-8.
    """
    left = [1]  # items still to come, per open container
    at, size = 0, len(data)
    while left:
        if left[-1] == 0:
            left.pop()
            continue
        left[-1] -= 1
        major, argument, at = _head(data, at)
        if major == 7 and argument not in _SIMPLE:
            raise SignedDataFault("malformed", "a simple value")
        if major in (0, 1, 7):
            continue
        if major == 6:
            raise SignedDataFault("malformed", "a tag")
        items = argument * 2 if major == 5 else argument
        if items > size - at:
            raise SignedDataFault("malformed", "a length beyond the data")
        if major <= 3:
            at += items
        else:
            left.append(items)
            if len(left) > MAX_DEPTH + 1:
                raise SignedDataFault("malformed", "nested too deeply")
    if at != size:
        raise SignedDataFault("malformed", "bytes after the end")
