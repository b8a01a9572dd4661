"""Bytes that somebody made to hurt: refused by one kind of fault, whatever they are."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk import cose
from tests.kiosk.city import CITY, key_pair

KEY = CITY.issuer
PAYLOAD = cose.encode({1: "text", 2: [1, 2, b"bytes"], -65537: None})
SIGNED = cose.sign(PAYLOAD, KEY, b"k1", b"kmc/grant/1")

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.binary(max_size=40)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(-70000, 70000) | st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


def fault_of(data: bytes) -> str:
    with pytest.raises(cose.SignedDataFault) as raised:
        cose.decode(data)
    return raised.value.code


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x00\x00", id="bytes after the end"),
        pytest.param(b"\xa2\x01\x02\x01\x02", id="the same key twice"),
        pytest.param(b"\xa2\x01\x02\x01\x03", id="a key twice with two values"),
        pytest.param(b"\xa2\x02\x00\x01\x00", id="keys out of order"),
        pytest.param(b"\xa2\x00\x00\xf4\x00", id="zero and false, equal in Python"),
        pytest.param(b"\xa1\x40\x00", id="a key of bytes"),
        pytest.param(b"\xa1\x80\x00", id="a key that is a list"),
        pytest.param(b"\xa1\xa0\x00", id="a key that is a map"),
        pytest.param(b"\xa1\xf6\x00", id="a key that is null"),
        pytest.param(b"\x18\x17", id="23 in two bytes"),
        pytest.param(b"\x19\x00\xff", id="255 in three bytes"),
        pytest.param(b"\x1a\x00\x00\xff\xff", id="65535 in five bytes"),
        pytest.param(b"\x1b\x00\x00\x00\x00\xff\xff\xff\xff", id="32 bits in nine bytes"),
        pytest.param(b"\x58\x01a", id="a long length"),
        pytest.param(b"\x98\x01\x00", id="a long count"),
        pytest.param(b"\xb8\x01\x00\x00", id="a long count of a map"),
        pytest.param(b"\x5b\x7f" + b"\xff" * 7, id="8 EiB of bytes"),
        pytest.param(b"\x7b\x7f" + b"\xff" * 7, id="8 EiB of text"),
        pytest.param(b"\x9b" + b"\xff" * 8, id="2^64 items"),
        pytest.param(b"\xbb" + b"\xff" * 8, id="2^64 pairs"),
        pytest.param(b"\x9a\x00\xff\xff\xff", id="16 million items"),
        pytest.param(b"\xb9\x3f\xf0" + b"\x00" * 0x3FF0, id="pairs that lack their values"),
        pytest.param(b"\x81" * 9 + b"\x00", id="nine deep"),
        pytest.param(b"\x81" * 16_000, id="16,000 deep"),
        pytest.param(b"\xa1\x00" * 8000, id="8,000 maps deep"),
        pytest.param(b"\x61\xff", id="text that is not UTF-8"),
        pytest.param(b"\x63\xed\xa0\x80", id="text with half a surrogate pair"),
        pytest.param(b"\x62\xc0\x80", id="text in an overlong form"),
        pytest.param(b"\xc2\x41\x01", id="a bignum"),
        pytest.param(b"\xd8\x1c\x80", id="a shareable"),
        pytest.param(b"\xd8\x1d\x00", id="a reference"),
        pytest.param(b"\xd9\x01\x00\x80", id="string references"),
        pytest.param(b"\xd8\x23\x63(a)", id="a regular expression"),
        pytest.param(b"\xc4\x82\x1b" + b"\x7f" * 8 + b"\x01", id="a decimal fraction"),
        pytest.param(b"\xfb" + b"\x00" * 8, id="a float"),
        pytest.param(b"\xf9\x00\x00", id="a half float"),
        pytest.param(b"\xe0", id="simple value 0"),
        pytest.param(b"\xf8\x14", id="false in two bytes"),
        pytest.param(b"\xf7", id="undefined"),
        pytest.param(b"\xff", id="a break"),
        pytest.param(b"\x1c", id="reserved 28"),
        pytest.param(b"\x1f", id="indefinite integer"),
    ],
)
def test_is_malformed(data: bytes) -> None:
    assert fault_of(data) == "malformed"


def test_more_than_the_limit_is_oversized() -> None:
    assert fault_of(b"\x59\xff\xff" + bytes(0xFFFF)) == "oversized"


def test_eight_deep_is_read() -> None:
    assert cose.decode(b"\x81" * 7 + b"\x80") == [[[[[[[[]]]]]]]]


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        {1.0: 2},
        {b"k": 1},
        {True: 1},
        {(1,): 2},
        2**64,
        -(2**64) - 1,
        {1},
        object(),
        {"a": [0.5]},
        {2**64: 1},
    ],
)
def test_what_cannot_be_read_back_is_not_written(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        cose.encode(value)


def test_nesting_that_cannot_be_read_back_is_not_written() -> None:
    value: Any = 0
    for _ in range(9):
        value = [value]
    with pytest.raises(ValueError, match="deeply"):
        cose.encode(value)


@given(PLAIN)
@settings(max_examples=300, deadline=None)
def test_what_is_written_is_read_back(value: Any) -> None:
    try:
        data = cose.encode(value)
    except ValueError:
        return  # deeper than the limit
    assert cose.decode(data) == value


@given(st.binary(max_size=200))
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_read_or_refused_and_what_is_read_is_written_alike(data: bytes) -> None:
    try:
        value = cose.decode(data)
    except cose.SignedDataFault:
        return
    assert cose.encode(value) == data


@given(st.binary(max_size=300), st.sampled_from([b"", b"\xd2\x84", b"\xd2\x84\x43\xa1\x01\x27\xa0"]))
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_no_signed_message(data: bytes, start: bytes) -> None:
    with pytest.raises(cose.SignedDataFault):
        cose.verify(start + data, lambda _: KEY.public_key())


def code_of(data: bytes, context: bytes = b"kmc/grant/1") -> str:
    with pytest.raises(cose.SignedDataFault) as raised:
        cose.verify(data, lambda kid: KEY.public_key() if kid == b"k1" else None, context)
    return raised.value.code


def message(
    protected: bytes, unprotected: Any = None, payload: Any = PAYLOAD, signature: Any = None
) -> bytes:
    """A COSE_Sign1 in any shape, with a signature that holds over it if none is given."""
    if signature is None:
        body = payload if isinstance(payload, bytes) else b""
        signature = KEY.sign(cose.to_be_signed(protected, body, b"kmc/grant/1"))
    return b"\xd2" + cbor2.dumps([protected, unprotected or {}, payload, signature], canonical=True)


def test_a_message_holds_with_its_key_and_context_only() -> None:
    assert cose.verify(SIGNED, lambda _: KEY.public_key(), b"kmc/grant/1") == PAYLOAD
    assert code_of(SIGNED, b"kmc/enrolment/1") == "bad_signature"
    assert code_of(SIGNED, b"") == "bad_signature"
    assert code_of(cose.sign(PAYLOAD, key_pair(99), b"k1", b"kmc/grant/1")) == "bad_signature"
    assert code_of(cose.sign(PAYLOAD, KEY, b"k2", b"kmc/grant/1")) == "unknown_key"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(SIGNED[1:], "malformed", id="without its tag"),
        pytest.param(b"\xd2" + SIGNED, "malformed", id="tagged twice"),
        pytest.param(b"\xd8\x3d" + SIGNED, "malformed", id="tagged as a CWT besides"),
        pytest.param(b"\xd1" + SIGNED[1:], "malformed", id="tagged as a MAC"),
        pytest.param(b"\xd8\x12" + SIGNED[1:], "malformed", id="tag in a long form"),
        pytest.param(SIGNED + b"\x00", "malformed", id="a byte after the end"),
        pytest.param(SIGNED[:-1], "malformed", id="cut by a byte"),
        pytest.param(b"\xd2\x9f" + SIGNED[2:] + b"\xff", "malformed", id="indefinite length"),
        pytest.param(b"\xd2\x85" + SIGNED[2:] + b"\x00", "malformed", id="five parts"),
        pytest.param(
            message(cose.encode({1: -8, 4: b"k1"}), {1: -8}), "malformed", id="algorithm outside too"
        ),
        pytest.param(message(cose.encode({4: b"k1"}), {1: -8}), "malformed", id="algorithm outside only"),
        pytest.param(message(cose.encode({1: -8}), {4: b"k1"}), "malformed", id="key id outside only"),
        pytest.param(message(cose.encode({4: b"k1"})), "bad_algorithm", id="no algorithm"),
        pytest.param(message(cose.encode({1: -7, 4: b"k1"})), "bad_algorithm", id="ES256"),
        pytest.param(message(cose.encode({1: 5, 4: b"k1"})), "bad_algorithm", id="HMAC"),
        pytest.param(message(cose.encode({1: None, 4: b"k1"})), "bad_algorithm", id="none"),
        pytest.param(message(cose.encode({1: "EdDSA", 4: b"k1"})), "bad_algorithm", id="as text"),
        pytest.param(message(cose.encode({1: [-8], 4: b"k1"})), "bad_algorithm", id="as a list"),
        pytest.param(
            message(cose.encode({1: -36, 4: b"k1"}), signature=bytes(132)),
            "bad_algorithm",
            id="ES512, its size",
        ),
        pytest.param(message(cose.encode({1: -8})), "no_kid", id="no key id"),
        pytest.param(message(cose.encode({1: -8, 4: b""})), "no_kid", id="an empty key id"),
        pytest.param(message(cose.encode({1: -8, 4: bytes(17)})), "no_kid", id="a long key id"),
        pytest.param(message(cose.encode({1: -8, 4: "k1"})), "no_kid", id="a key id of text"),
        pytest.param(message(cose.encode({1: -8, 2: [2], 4: b"k1"})), "malformed", id="crit"),
        pytest.param(message(cose.encode({1: -8, 3: 0, 4: b"k1"})), "malformed", id="a content type"),
        pytest.param(message(b"\xa2\x01\x26\x01\x27"), "malformed", id="the algorithm twice"),
        pytest.param(message(b"\xbf\x01\x27\x04\x42k1\xff"), "malformed", id="a header of indefinite length"),
        pytest.param(message(b"\xa2\x04\x42k1\x01\x27"), "malformed", id="a header out of order"),
        pytest.param(message(b""), "malformed", id="an empty header"),
        pytest.param(message(b"\x80"), "malformed", id="a header that is a list"),
        pytest.param(message(cose.encode({1: -8, 4: bytes(100)})), "malformed", id="a huge header"),
        pytest.param(message(cose.encode({1: -8, 4: b"k1"}), payload=None), "malformed", id="detached"),
        pytest.param(
            message(cose.encode({1: -8, 4: b"k1"}), payload="text"), "malformed", id="payload of text"
        ),
        pytest.param(
            message(cose.encode({1: -8, 4: b"k1"}), signature=bytes(63)), "malformed", id="a short signature"
        ),
        pytest.param(b"\xd2\x84\x5b\xff" + b"\xff" * 7, "malformed", id="a header of 2^64 bytes"),
        pytest.param(bytes(cose.MAX_BYTES + 1), "oversized", id="too long"),
    ],
)
def test_a_message_in_any_other_shape_is_refused(data: bytes, code: str) -> None:
    assert code_of(data) == code


def test_a_signature_with_the_group_order_added_is_refused() -> None:
    # RFC 8032 section 5.1.7: S must be below the order, or one signature would have two forms.
    order = 2**252 + 27742317777372353535851937790883648493
    scalar = int.from_bytes(SIGNED[-32:], "little") + order

    assert code_of(SIGNED[:-32] + scalar.to_bytes(32, "little")) == "bad_signature"


@pytest.mark.parametrize("kid", [b"", bytes(17)])
def test_a_key_id_that_would_be_refused_is_not_signed(kid: bytes) -> None:
    with pytest.raises(ValueError, match="key id"):
        cose.sign(PAYLOAD, KEY, kid)


def test_a_message_that_would_be_refused_for_its_size_is_not_signed() -> None:
    with pytest.raises(ValueError, match="at most"):
        cose.sign(bytes(cose.MAX_BYTES), KEY, b"k1")
