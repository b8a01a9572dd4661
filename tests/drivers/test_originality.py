"""NXP's originality signature: published examples, the curves themselves, and chips over the field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.chips.originality import NXP_KEYS, SECP128R1, SECP224R1, Curve, PublicKey, is_original

PUBLISHED: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors/nxp_originality.json").read_text("utf-8")
)
SAMPLES = [
    pytest.param(bytes.fromhex(one["uid"]), bytes.fromhex(one["signature"]), key["chips"], id=one["uid"])
    for key in [*PUBLISHED["keys"], {"chips": "NTAG 424 DNA", "samples": [PUBLISHED["an12196"]]}]
    for one in key["samples"]
]


def test_the_keys_believed_are_the_published_ones() -> None:
    published = {key["chips"]: PublicKey.of(bytes.fromhex(key["public"])).point for key in PUBLISHED["keys"]}
    assert {key.chips: key.point for key in NXP_KEYS} == published


@pytest.mark.parametrize(("uid", "signature", "chips"), SAMPLES)
def test_what_genuine_chips_answered_is_original(uid: bytes, signature: bytes, chips: str) -> None:
    assert is_original(uid, signature) is True
    assert [key.chips for key in NXP_KEYS if key.verifies(uid, signature)] == [chips]


@pytest.mark.parametrize(("uid", "signature", "chips"), SAMPLES)
def test_changed_in_one_bit_or_on_another_chip_it_is_not(uid: bytes, signature: bytes, chips: str) -> None:
    key = next(key for key in NXP_KEYS if key.chips == chips)
    for changed in (0, len(signature) // 2, len(signature) - 1):
        flipped = bytearray(signature)
        flipped[changed] ^= 1
        assert not key.verifies(uid, bytes(flipped))
    assert not key.verifies(uid[:-1] + bytes([uid[-1] ^ 1]), signature)
    assert is_original(uid[:-1] + bytes([uid[-1] ^ 1]), signature) is False


def test_a_chip_of_nxps_that_is_not_taken_here_is_not_original() -> None:
    other = PUBLISHED["other_nxp_key"]
    assert is_original(bytes.fromhex(other["uid"]), bytes.fromhex(other["signature"])) is False


def test_a_chip_that_gave_none_is_neither() -> None:
    assert is_original(bytes.fromhex("04e10cda993c80"), None) is None


@pytest.mark.parametrize("signature", [b"", bytes(32), b"\xff" * 32, bytes(56), b"\xff" * 56, bytes(31)])
def test_nothing_and_noise_are_not(signature: bytes) -> None:
    assert is_original(bytes.fromhex("04e10cda993c80"), signature) is False


@pytest.mark.parametrize("curve", [SECP128R1, SECP224R1], ids=lambda curve: curve.name)
def test_the_curve_has_its_order(curve: Curve) -> None:
    assert curve.holds(*curve.base)
    assert curve.sum_of(curve.order, 0, curve.base) is None
    assert curve.sum_of(curve.order - 1, 1, curve.base) is None
    x, y = curve.base
    assert curve.sum_of(curve.order - 1, 0, curve.base) == (x, curve.prime - y)
    # r or s of 0, of the order or above is refused before any arithmetic (SEC 1, section 4.1.4).
    key = PublicKey("", curve, curve.base)
    for r, s in ((0, 1), (1, 0), (curve.order, 1), (1, curve.order), (1, 2 ** (8 * curve.width) - 1)):
        assert not key.verifies(b"\x04" * 7, r.to_bytes(curve.width, "big") + s.to_bytes(curve.width, "big"))


@given(st.binary(min_size=1, max_size=27), st.integers(1, SECP224R1.order - 1))
@settings(max_examples=25, deadline=None)
def test_what_another_library_signs_on_p224_is_verified_here(uid: bytes, secret: int) -> None:
    private = ec.derive_private_key(secret, ec.SECP224R1())
    numbers = private.public_key().public_numbers()
    key = PublicKey.of(b"\x04" + numbers.x.to_bytes(28, "big") + numbers.y.to_bytes(28, "big"))
    digest = uid.rjust(28, b"\x00")
    r, s = decode_dss_signature(private.sign(digest, ec.ECDSA(Prehashed(hashes.SHA224()))))
    assert key.verifies(uid, r.to_bytes(28, "big") + s.to_bytes(28, "big"))
    assert not key.verifies(uid, s.to_bytes(28, "big") + r.to_bytes(28, "big"))


@given(st.binary(max_size=60), st.binary(max_size=70))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_told_without_a_fault(uid: bytes, signature: bytes) -> None:
    assert is_original(uid, signature) is False


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x04" * 33,
        b"\x04" + bytes(32),
        b"\x02" + bytes(32),
        b"\x04" + bytes(56),
        bytes(57),
        b"\x04" * 65,
    ],
)
def test_a_key_that_is_no_point_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="point"):
        PublicKey.of(data)
