"""Published vectors: what others signed and encoded is what this product computes."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kiosk import cose

# RFC 8032 section 7.1: secret key, public key, message, signature (TEST 1, 2, 3).
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
            "d25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
            "387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
            "4a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
]

# COSE working group's examples, eddsa-sig-01: COSE_Sign1 by Ed25519 with the key of RFC 8032's TEST 1.
EDDSA_SIG_01 = bytes.fromhex(
    "D28445A201270300A10442313154546869732069732074686520636F6E74656E742E58407142FD2FF96D56DB85BEE905A76BA1"
    "D0B7321A95C8C4D3607C5781932B7AFB8711497DFA751BF40B58B3BCC32300B1487F3DB34085EEF013BF08F4A44D6FEF0D"
)

# RFC 8392 appendix A.1: a claims set, and A.3: the same signed with ES256.
CLAIMS_SET = bytes.fromhex(
    "a70175636f61703a2f2f61732e6578616d706c652e636f6d02656572696b77037818636f61703a2f2f6c696768742e6578616d"
    "706c652e636f6d041a5612aeb0051a5610d9f0061a5610d9f007420b71"
)
SIGNED_CWT = bytes.fromhex(
    "d28443a10126a104524173796d6d657472696345434453413235365850a70175636f61703a2f2f61732e6578616d706c652e63"
    "6f6d02656572696b77037818636f61703a2f2f6c696768742e6578616d706c652e636f6d041a5612aeb0051a5610d9f0061a56"
    "10d9f007420b7158405427c1ff28d23fbad1f29c4c7c6a555e601d6fa29f9179bc3d7438bacaca5acd08c8d4d4f96131680c42"
    "9a01f85951ecee743a52b9b63632c57209120e1c9e30"
)

# RFC 8949 appendix A, those of the examples that this product's CBOR can say.
RFC_8949: list[tuple[Any, str]] = [
    (0, "00"),
    (1, "01"),
    (10, "0a"),
    (23, "17"),
    (24, "1818"),
    (25, "1819"),
    (100, "1864"),
    (1000, "1903e8"),
    (1000000, "1a000f4240"),
    (1000000000000, "1b000000e8d4a51000"),
    (18446744073709551615, "1bffffffffffffffff"),
    (-18446744073709551616, "3bffffffffffffffff"),
    (-1, "20"),
    (-10, "29"),
    (-100, "3863"),
    (-1000, "3903e7"),
    (False, "f4"),
    (True, "f5"),
    (None, "f6"),
    (b"", "40"),
    (b"\x01\x02\x03\x04", "4401020304"),
    ("", "60"),
    ("IETF", "6449455446"),
    ('"\\', "62225c"),
    ("\u00fc", "62c3bc"),
    ("\u6c34", "63e6b0b4"),
    ("\U00010151", "64f0908591"),
    ([], "80"),
    ([1, 2, 3], "83010203"),
    ([1, [2, 3], [4, 5]], "8301820203820405"),
    (
        list(range(1, 26)),
        "98190102030405060708090a0b0c0d0e0f101112131415161718181819",
    ),
    ({}, "a0"),
    ({1: 2, 3: 4}, "a201020304"),
    ({"a": 1, "b": [2, 3]}, "a26161016162820203"),
    (["a", {"b": "c"}], "826161a161626163"),
    ({"a": "A", "b": "B", "c": "C", "d": "D", "e": "E"}, "a56161614161626142616361436164614461656145"),
]

# RFC 8949 appendix A, the others: floats, bignums, simple values, tags, indefinite lengths, byte keys.
RFC_8949_REFUSED = [
    "c249010000000000000000",
    "c349010000000000000000",
    "f90000",
    "f98000",
    "fb3ff199999999999a",
    "f97bff",
    "fa47c35000",
    "f97c00",
    "f97e00",
    "fa7f800000",
    "fb7ff0000000000000",
    "f7",
    "f0",
    "f8ff",
    "c074323031332d30332d32315432303a30343a30305a",
    "c11a514b67b0",
    "d74401020304",
    "d818456449455446",
    "5f42010243030405ff",
    "7f657374726561646d696e67ff",
    "9fff",
    "9f018202039f0405ffff",
    "83018202039f0405ff",
    "bf61610161629f0203ffff",
    "826161bf61626163ff",
]


@pytest.mark.parametrize(("secret", "public", "message", "signature"), RFC_8032)
def test_the_key_and_signature_bytes_are_those_of_rfc_8032(
    secret: str, public: str, message: str, signature: str
) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))

    assert key.public_key().public_bytes_raw().hex() == public
    assert key.sign(bytes.fromhex(message)).hex() == signature


def test_the_signed_structure_is_that_of_the_working_groups_example() -> None:
    published = "846A5369676E61747572653145A2012703004054546869732069732074686520636F6E74656E742E"

    made = cose.to_be_signed(bytes.fromhex("A201270300"), b"This is the content.", b"")

    assert made.hex().upper() == published


def test_the_signature_of_the_working_groups_example_holds_here() -> None:
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(RFC_8032[0][1]))
    message = cose.Sign1(bytes.fromhex("A201270300"), b"11", b"This is the content.", EDDSA_SIG_01[-64:])

    cose.check(message, key)
    with pytest.raises(cose.SignedDataFault, match="bad_signature"):
        cose.check(message, key, b"kmc/grant/1")


def test_a_key_id_in_the_unprotected_header_is_refused() -> None:
    with pytest.raises(cose.SignedDataFault, match="unprotected"):
        cose.parse(EDDSA_SIG_01)


def test_the_claims_set_of_rfc_8392_is_read_and_written_alike() -> None:
    claims = cose.decode(CLAIMS_SET)

    assert claims == {
        1: "coap://as.example.com",
        2: "erikw",
        3: "coap://light.example.com",
        4: 1444064944,
        5: 1443944944,
        6: 1443944944,
        7: b"\x0b\x71",
    }
    assert cose.encode(claims) == CLAIMS_SET


def test_the_signed_token_of_rfc_8392_is_refused_since_it_is_not_eddsa() -> None:
    with pytest.raises(cose.SignedDataFault, match="malformed"):
        cose.parse(SIGNED_CWT)
    # With its key id where this product wants it, the algorithm is what is wrong.
    protected = cose.encode({1: -7, 4: b"k"})
    moved = b"\xd2\x84" + cose.encode(protected) + b"\xa0" + SIGNED_CWT[SIGNED_CWT.index(b"\x58\x50\xa7") :]
    with pytest.raises(cose.SignedDataFault, match="bad_algorithm"):
        cose.parse(moved)


@pytest.mark.parametrize(("value", "encoded"), RFC_8949)
def test_the_examples_of_rfc_8949_are_read_and_written_alike(value: Any, encoded: str) -> None:
    assert cose.encode(value).hex() == encoded
    read = cose.decode(bytes.fromhex(encoded))
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("encoded", RFC_8949_REFUSED)
def test_what_this_product_never_signs_is_refused(encoded: str) -> None:
    with pytest.raises(cose.SignedDataFault) as raised:
        cose.decode(bytes.fromhex(encoded))

    assert raised.value.code == "malformed"
