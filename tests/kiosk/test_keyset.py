"""The city's keys: who signed them, what each is worth when, and that nothing else is taken for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk import cose, keyset
from kiosk.errors import CentralFault
from kiosk.keyset import Key, KeyStanding, KeyStatus, KeyUse
from tests.kiosk.city import CITY, NOW, YEAR, key_pair, public

START, UNTIL = NOW - YEAR, NOW + 2 * YEAR


def why_refused(data: bytes, roots: tuple[bytes, bytes] = CITY.roots) -> str:
    with pytest.raises(CentralFault) as raised:
        keyset.open_keyset(data, roots)
    assert raised.value.code == "keyset_refused"
    return str(raised.value.detail["why"])


def payload(**changes: Any) -> dict[str, Any]:
    """A keyset's payload with one key, with changes to that key or, in ``whole``, to the rest."""
    whole = changes.pop("whole", {})
    key = {
        "kid": b"k",
        "use": "issuer",
        "public": public(CITY.issuer),
        "from": START,
        "until": UNTIL,
        "status": "active",
        "since": START,
    }
    made: dict[str, Any] = {"v": 1, "issued": NOW, "keys": [key | changes]}
    return made | dict(whole)


def signed(content: Any, key: Ed25519PrivateKey = CITY.root1, context: bytes = keyset.CONTEXT) -> bytes:
    return cose.sign(cose.encode(content), key, b"root", context)


def test_either_root_signs_a_keyset() -> None:
    for root in (CITY.root1, CITY.root2):
        opened = keyset.open_keyset(keyset.make(CITY.keys, NOW, root, b"any-kid"), CITY.roots)
        assert opened.issued == NOW
        assert list(opened.keys) == CITY.keys


def test_nobody_else_signs_a_keyset() -> None:
    for other in (CITY.stranger, CITY.central, CITY.issuer):
        assert why_refused(keyset.make(CITY.keys, NOW, other, b"root-1")) == "bad_signature"
    assert why_refused(CITY.signed_keyset, (public(CITY.stranger), public(CITY.central))) == "bad_signature"


def test_a_root_signs_a_keyset_for_nothing_else() -> None:
    for context in (b"", b"kmc/enrolment/1", b"kmc/grant/1"):
        assert why_refused(signed(payload(), context=context)) == "bad_signature"


@pytest.mark.parametrize("roots", [(b"", b""), (bytes(31), bytes(32)), (CITY.roots[0], bytes(33))])
def test_roots_of_another_size_are_refused(roots: tuple[bytes, bytes]) -> None:
    assert why_refused(CITY.signed_keyset, roots) == "roots"


@pytest.mark.parametrize(
    ("kid", "at", "standing", "holds"),
    [
        (b"i-now", NOW, KeyStanding.ACTIVE, True),
        (b"i-now", START, KeyStanding.ACTIVE, True),
        (b"i-now", START - 1, KeyStanding.TOO_EARLY, False),
        (b"i-now", UNTIL - 1, KeyStanding.ACTIVE, True),
        (b"i-now", UNTIL, KeyStanding.TOO_LATE, False),
        (b"i-old", CITY.retired_at - 1, KeyStanding.RETIRED, True),
        (b"i-old", CITY.retired_at, KeyStanding.RETIRED_BEFORE, False),
        (b"i-old", START - 1, KeyStanding.TOO_EARLY, False),
        (b"i-old", UNTIL, KeyStanding.TOO_LATE, False),
        (b"i-bad", NOW, KeyStanding.COMPROMISED, False),
        (b"i-bad", START, KeyStanding.COMPROMISED, False),
        (b"i-xyz", NOW, KeyStanding.UNKNOWN, False),
        (b"", NOW, KeyStanding.UNKNOWN, False),
    ],
)
def test_what_a_key_is_worth(kid: bytes, at: int, standing: KeyStanding, holds: bool) -> None:
    found = CITY.keyset.issuer_standing(kid, at)

    assert found is standing
    assert found.holds is holds
    as_central = CITY.keyset.central_standing(kid.replace(b"i-", b"c-"), at)
    assert as_central is standing


def test_a_key_serves_its_own_use_only() -> None:
    assert CITY.keyset.issuer(b"i-now") == CITY.keys[0]
    assert CITY.keyset.central(b"c-now") == CITY.keys[3]
    assert CITY.keyset.issuer(b"c-now") is None
    assert CITY.keyset.central(b"i-now") is None
    assert CITY.keyset.central_standing(b"i-now", NOW) is KeyStanding.UNKNOWN


def test_a_central_key_to_verify_with_is_none_that_is_compromised() -> None:
    found = CITY.keyset.central_key(b"c-now")
    assert found is not None
    assert found.public_bytes_raw() == public(CITY.central)
    assert CITY.keyset.central_key(b"c-old") is not None
    for kid in (b"c-bad", b"c-xyz", b"i-now"):
        assert CITY.keyset.central_key(kid) is None


def test_only_a_newer_keyset_replaces() -> None:
    older, same, newer = (
        keyset.open_keyset(keyset.make(CITY.keys, issued, CITY.root2, b"r"), CITY.roots)
        for issued in (NOW - 1000, NOW - 500, NOW)
    )
    assert newer.replaces(CITY.keyset)
    assert not same.replaces(CITY.keyset)
    assert not older.replaces(CITY.keyset)


def test_a_key_id_is_short_and_its_own() -> None:
    ids = {keyset.key_id(key.public) for key in CITY.keys}
    assert len(ids) == len(CITY.keys)
    assert {len(one) for one in ids} == {8}


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {},
        payload(whole={"v": 2}),
        payload(whole={"v": True}),
        payload(whole={"v": "1"}),
        payload(whole={"issued": -1}),
        payload(whole={"issued": "now"}),
        payload(whole={"issued": True}),
        payload(whole={"issued": 2**50}),
        payload(whole={"keys": {}}),
        payload(whole={"keys": None}),
        payload(whole={"keys": [None]}),
        payload(whole={"keys": [[]]}),
        payload(whole={"more": 1}),
        payload(kid=b""),
        payload(kid=bytes(17)),
        payload(kid="k"),
        payload(use="root"),
        payload(use=b"issuer"),
        payload(use=["issuer"]),
        payload(public=bytes(31)),
        payload(public=bytes(33)),
        payload(public="text"),
        payload(status="unknown"),
        payload(status=None),
        payload(**{"from": UNTIL}),
        payload(**{"from": -1}),
        payload(**{"from": True}),
        payload(until=START),
        payload(until=2**63),
        payload(since=None),
        payload(since=-1),
        payload(extra=1),
        payload(whole={"keys": payload()["keys"] * 2}),
    ],
    ids=str,
)
def test_content_of_another_kind_is_refused_though_a_root_signed_it(content: Any) -> None:
    assert why_refused(signed(content)) == "content"


def test_the_same_key_under_two_ids_is_refused() -> None:
    one = CITY.keys[0]
    for twin in (replace(one, kid=b"twin"), replace(one, kid=b"twin", use=KeyUse.CENTRAL)):
        with pytest.raises(ValueError, match="twice"):
            keyset.make([one, twin], NOW, CITY.root1, b"r")


@pytest.mark.parametrize(
    "change",
    [{"kid": b""}, {"public": bytes(3)}, {"until": 0}, {"since": -1}, {"start": UNTIL}],
    ids=str,
)
def test_what_would_be_refused_is_not_made(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        keyset.make([replace(CITY.keys[0], **change)], NOW, CITY.root1, b"r")


def test_a_keyset_may_be_empty() -> None:
    assert keyset.open_keyset(keyset.make([], NOW, CITY.root1, b"r"), CITY.roots).keys == ()


def test_a_hundred_keys_fit() -> None:
    keys = [
        Key(
            f"issuer-2026-{n:04}".encode(),
            KeyUse.ISSUER,
            public(key_pair(n)),
            START,
            UNTIL,
            KeyStatus.RETIRED,
            NOW,
        )
        for n in range(100)
    ]
    assert len(keyset.open_keyset(keyset.make(keys, NOW, CITY.root1, b"r"), CITY.roots).keys) == 100


def test_every_flipped_bit_is_refused() -> None:
    data = keyset.make(CITY.keys[:1], NOW, CITY.root1, b"r")
    keyset.open_keyset(data, CITY.roots)
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        why_refused(bytes(flipped))


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_refused(data: bytes) -> None:
    why_refused(data)


def test_a_document_of_central_is_opened_with_its_key() -> None:
    for key, kid in ((CITY.central, b"c-now"), (CITY.retired_central, b"c-old")):
        opened, signer = keyset.open_central(cose.sign(b"x", key, kid, b"context"), CITY.keyset, b"context")
        assert opened == b"x"
        assert signer.kid == kid


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (cose.sign(b"x", CITY.stolen_central, b"c-bad", b"context"), "compromised"),
        (cose.sign(b"x", CITY.issuer, b"i-now", b"context"), "unknown_key"),
        (cose.sign(b"x", CITY.stranger, b"c-now", b"context"), "bad_signature"),
        (cose.sign(b"x", CITY.central, b"c-now", b"another"), "bad_signature"),
        (b"", "malformed"),
        (bytes(20_000), "oversized"),
    ],
)
def test_a_document_that_does_not_hold_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(CentralFault) as raised:
        keyset.open_central(data, CITY.keyset, b"context")
    assert (raised.value.code, raised.value.detail["why"]) == ("signature_refused", why)
