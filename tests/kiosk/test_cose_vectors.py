"""Published vectors: what others signed and encoded is what this product computes."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import base45
import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from kiosk import cose, credential
from kiosk.errors import CardFault
from tests.kiosk.city import CITY, NOW, shown, tapped

VECTORS = Path(__file__).parents[1] / "vectors"


def published(name: str) -> Any:
    """A file of vectors; its ``source`` says who published them."""
    return json.loads((VECTORS / name).read_text("utf-8"))


RFC_8032 = [
    (one["secret"], one["public"], one["message"], one["signature"])
    for one in published("rfc8032_ed25519.json")["cases"]
]
RFC_8392 = published("rfc8392_cwt.json")
RFC_9285 = published("rfc9285_base45.json")
RFC_8949_FILE = published("rfc8949_cbor.json")
COSE_WG = published("cose_wg_eddsa.json")

EDDSA_SIG_01 = bytes.fromhex(COSE_WG["sig_01"]["cbor"])
EDDSA_SIG_02 = bytes.fromhex(COSE_WG["sig_02"]["cbor"])
CLAIMS_SET = bytes.fromhex(RFC_8392["claims_set"])
SIGNED_CWT = bytes.fromhex(RFC_8392["signed"])
MACED_CWT = bytes.fromhex(RFC_8392["maced"])

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
    ("a", "6161"),
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


@pytest.mark.parametrize(("secret", "public", "message", "signature"), RFC_8032)
def test_the_key_and_signature_bytes_are_those_of_rfc_8032(
    secret: str, public: str, message: str, signature: str
) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))

    assert key.public_key().public_bytes_raw().hex() == public
    assert key.sign(bytes.fromhex(message)).hex() == signature


def test_the_signed_structure_is_that_of_the_working_groups_example() -> None:
    made = cose.to_be_signed(bytes.fromhex("A201270300"), b"This is the content.", b"")

    assert made.hex() == COSE_WG["sig_01"]["to_be_signed"]


def test_the_signature_of_the_working_groups_example_holds_here() -> None:
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(COSE_WG["sig_01"]["public"]))
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


def test_the_table_above_is_that_of_the_file() -> None:
    assert sorted(encoded for _, encoded in RFC_8949) == sorted(RFC_8949_FILE["ours"])


@pytest.mark.parametrize("encoded", RFC_8949_FILE["others"])
def test_what_this_product_never_signs_is_refused(encoded: str) -> None:
    with pytest.raises(cose.SignedDataFault) as raised:
        cose.decode(bytes.fromhex(encoded))

    assert raised.value.code == "malformed"


def test_the_example_by_ed448_is_genuine_and_refused() -> None:
    # EdDSA covers both curves (RFC 9053 section 2.2); this product takes Ed25519 only.
    example = COSE_WG["sig_02"]
    key = Ed448PublicKey.from_public_bytes(bytes.fromhex(example["public"]))
    signature = EDDSA_SIG_02[-114:]
    key.verify(signature, bytes.fromhex(example["to_be_signed"]))
    assert code_of(EDDSA_SIG_02) == "card_malformed"
    # With its key id where this product wants it, the length of the signature is what is wrong.
    parts = [cose.encode({1: -8, 4: b"i-now"}), {}, b"This is the content.", signature]
    assert code_of(b"\xd2" + cbor2.dumps(parts)) == "card_malformed"


def test_the_signed_token_of_rfc_8392_is_genuine_and_no_card() -> None:
    parts = cbor2.loads(SIGNED_CWT).value
    x, y = (int(RFC_8392["es256_key"][axis], 16) for axis in "xy")
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    r, s = (int.from_bytes(half, "big") for half in (parts[3][:32], parts[3][32:]))
    key.verify(
        encode_dss_signature(r, s), cose.to_be_signed(parts[0], parts[2], b""), ec.ECDSA(hashes.SHA256())
    )
    assert code_of(SIGNED_CWT) == "card_malformed"


def test_the_maced_token_of_rfc_8392_is_genuine_and_no_card() -> None:
    parts = cbor2.loads(MACED_CWT).value.value
    mac = hmac.new(
        bytes.fromhex(RFC_8392["symmetric_key"]),
        cbor2.dumps(["MAC0", parts[0], b"", parts[2]]),
        hashlib.sha256,
    )
    assert mac.digest()[:8] == parts[3]
    assert code_of(MACED_CWT) == "card_malformed"
    assert code_of(MACED_CWT[2:]) == "card_malformed"


@pytest.mark.parametrize("case", RFC_9285["cases"], ids=lambda case: case["encoded"])
def test_base45_is_that_of_rfc_9285(case: dict[str, str]) -> None:
    plain, encoded = bytes.fromhex(case["plain"]), case["encoded"].encode()
    assert base45.b45encode(plain) == encoded
    assert base45.b45decode(encoded) == plain


@pytest.mark.parametrize("text", RFC_9285["refused"])
def test_base45_that_rfc_9285_refuses_is_no_card(text: str) -> None:
    with pytest.raises(CardFault, match="card_malformed"):
        credential.verify(shown("KMC1:" + text), CITY.keyset, NOW)


def code_of(data: bytes) -> str:
    """How a chip that holds this is refused."""
    with pytest.raises(CardFault) as raised:
        credential.verify(tapped(data), CITY.keyset, NOW)
    return raised.value.code
