"""Documents that central is said to have signed: each that does not hold is refused with a code, alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk import cose, enrolment, keyset
from kiosk import grant as grants
from kiosk.enrolment import Enrolment
from kiosk.errors import CentralFault
from kiosk.grant import Grant, Term
from kiosk.rights import GrantOutcome, take_in
from kiosk.values import Mode
from tests.kiosk.city import CITY, NOW, public
from tests.kiosk.counter_world import World

RIGHT = "h1/beras/2026-11"
CLAIMS: dict[str, Any] = {
    "v": 1, "right": RIGHT, "kiosk": "IRM1", "gen": 1, "epoch": [1, 1], "quantity_left": 10,
    "terms": [["beras", 1, 1, 1, 10]], "not_before": 0, "not_after": 2**40, "mode": "strict", "upto_seq": 0,
}  # fmt: skip


def signed(
    claims: Any,
    key: Ed25519PrivateKey = CITY.central,
    kid: bytes = b"c-now",
    context: bytes = grants.CONTEXT,
) -> bytes:
    """Any content under any key and context."""
    return cose.sign(cose.encode(claims), key, kid, context)


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in CLAIMS.items() if key != name}


GOOD = signed(CLAIMS)
GRANTS: dict[str, bytes] = {
    "nothing": b"",
    "a web page": b"<html>",
    "gigantic": bytes(100_000),
    "cut short": GOOD[:-1],
    "longer": GOOD + b"\x00",
    "a bit flipped in what it says": GOOD.replace(b"strict", b"stricT"),
    "a bit flipped in its signature": GOOD[:-1] + bytes([GOOD[-1] ^ 1]),
    "an envelope of lists": b"\xd2" + b"\x84" * 5000,
    "not a map": signed([1]),
    "nested": signed(CLAIMS | {"terms": nested(5)}),
    "by nobody known": signed(CLAIMS, CITY.stranger, b"c-xxx"),
    "by a stranger under a good name": signed(CLAIMS, CITY.stranger),
    "by the issuer of cards": signed(CLAIMS, CITY.issuer, b"i-now"),
    "by a stolen key": signed(CLAIMS, CITY.stolen_central, b"c-bad"),
    "by a root key": signed(CLAIMS, CITY.root1, b"root-1"),
    "for another purpose": signed(CLAIMS, context=enrolment.CONTEXT),
    "for no purpose": signed(CLAIMS, context=b""),
    "of a later version": signed(CLAIMS | {"v": 2}),
    "a field too many": signed(CLAIMS | {"more": 1}),
    "a truth for a number": signed(CLAIMS | {"quantity_left": True}),
    "less than nothing": signed(CLAIMS | {"quantity_left": -1}),
    "a mode unknown": signed(CLAIMS | {"mode": "generous"}),
    "an epoch of one": signed(CLAIMS | {"epoch": [1]}),
    "an epoch of text": signed(CLAIMS | {"epoch": ["1", "1"]}),
    "an epoch below nothing": signed(CLAIMS | {"epoch": [1, -1]}),
    "no terms": signed(CLAIMS | {"terms": []}),
    "a term of text": signed(CLAIMS | {"terms": ["beras"]}),
    "a term too short": signed(CLAIMS | {"terms": [["beras", 1, 1, 1]]}),
    "a term below nothing": signed(CLAIMS | {"terms": [["beras", 1, 1, 1, -10]]}),
} | {f"without {name}": signed(without(name)) for name in CLAIMS}


@pytest.mark.parametrize("name", GRANTS)
def test_a_grant_that_does_not_hold(name: str) -> None:
    with pytest.raises(CentralFault) as fault:
        grants.open_grant(GRANTS[name], CITY.keyset)
    assert fault.value.code == "grant_refused"
    assert grants.open_grant(GOOD, CITY.keyset).right == RIGHT


NOT_TAKEN: dict[str, tuple[dict[str, Any], GrantOutcome]] = {
    "another kiosk's": ({"kiosk": "HDM1"}, GrantOutcome.OTHER_GENERATION),
    "an older generation's": ({"gen": 2}, GrantOutcome.OTHER_GENERATION),
    "replayed": ({"epoch": (1, 1)}, GrantOutcome.STALE_EPOCH),
    "of a lost incarnation": ({"epoch": (0, 9)}, GrantOutcome.STALE_EPOCH),
    "the same": ({"epoch": (1, 2)}, GrantOutcome.SAME),
}


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_a_grant_that_holds_and_is_not_for_now(tmp_path: Path, name: str) -> None:
    changes, outcome = NOT_TAKEN[name]
    world = World(tmp_path)
    usual: dict[str, Any] = {"right": RIGHT, "kiosk": "IRM1", "gen": 1, "epoch": (1, 2)}
    rest: dict[str, Any] = {
        "quantity_left": 10, "terms": (Term("beras", 1, 1, 1, 10),), "not_before": 0, "not_after": 2**40,
        "mode": "strict", "upto_seq": 0,
    }  # fmt: skip

    def give(**fields: Any) -> GrantOutcome:
        one = Grant(**usual | rest | fields)
        data = grants.make(one, CITY.central, b"c-now")
        return take_in(world.ledger, [(grants.open_grant(data, CITY.keyset), data)], kiosk="IRM1", gen=1)[0]

    assert give() is GrantOutcome.TAKEN_IN
    assert give(**changes) is outcome
    held = world.ledger.right(RIGHT)
    assert held is not None
    assert (held.held, held.epoch, held.quantity_left) == (True, (1, 2), 10)
    world.counter.close()


Sign = Callable[[Any], bytes]


def by(root: Ed25519PrivateKey, context: bytes = keyset.CONTEXT) -> Sign:
    return lambda content: cose.sign(cose.encode(content), root, b"root", context)


def key_as_content(**changes: Any) -> dict[str, Any]:
    usual = {
        "kid": b"k", "use": "central", "public": bytes(32), "from": 1, "until": NOW * 2, "status": "active",
        "since": 1,
    }  # fmt: skip
    return usual | changes


def keyset_of(*keys: Any, **changes: Any) -> dict[str, Any]:
    return {"v": 1, "issued": NOW, "keys": list(keys)} | changes


ROOT1_LOST = key_as_content(use="root", public=public(CITY.root1), status="compromised")
ROOT2_LOST = key_as_content(use="root", public=public(CITY.root2), status="compromised")
KEYSETS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "malformed"),
    "gigantic": (bytes(100_000), "oversized"),
    "by a stranger": (by(CITY.stranger)(keyset_of()), "bad_signature"),
    "by central itself": (by(CITY.central)(keyset_of()), "bad_signature"),
    "for another purpose": (by(CITY.root1, b"kmc/grant/1")(keyset_of()), "bad_signature"),
    "not a map": (by(CITY.root1)([]), "content"),
    "keys that are text": (by(CITY.root1)(keyset_of(keys="none")), "content"),
    "a key that is text": (by(CITY.root1)(keyset_of("key")), "content"),
    "issued in text": (by(CITY.root1)(keyset_of(issued="now")), "content"),
    "issued after all time": (by(CITY.root1)(keyset_of(issued=2**60)), "content"),
    "a later version": (by(CITY.root1)(keyset_of(v=2)), "content"),
    "a key twice": (by(CITY.root1)(keyset_of(key_as_content(), key_as_content(kid=b"l"))), "content"),
    "an id twice": (
        by(CITY.root1)(keyset_of(key_as_content(), key_as_content(public=bytes([1]) * 32))),
        "content",
    ),
    "a short key": (by(CITY.root1)(keyset_of(key_as_content(public=b"k"))), "content"),
    "times the wrong way round": (by(CITY.root1)(keyset_of(key_as_content(until=0))), "content"),
    "a use unknown": (by(CITY.root1)(keyset_of(key_as_content(use="mayor"))), "content"),
    "a standing unknown": (by(CITY.root1)(keyset_of(key_as_content(status="tired"))), "content"),
    "a new root key": (by(CITY.root1)(keyset_of(key_as_content(use="root"))), "content"),
    "its own root compromised": (by(CITY.root1)(keyset_of(ROOT1_LOST)), "content"),
}


@pytest.mark.parametrize("name", KEYSETS)
def test_a_keyset_that_does_not_hold(name: str) -> None:
    data, why = KEYSETS[name]
    with pytest.raises(CentralFault) as fault:
        keyset.open_keyset(data, CITY.roots)
    assert (fault.value.code, fault.value.detail["why"]) == ("keyset_refused", why)


def test_of_two_roots_that_name_each_other_the_first_word_counts() -> None:
    first = keyset.open_keyset(by(CITY.root2)(keyset_of(ROOT1_LOST)), CITY.roots)
    with pytest.raises(CentralFault):
        keyset.open_keyset(by(CITY.root1)(keyset_of(ROOT2_LOST, issued=NOW + 1)), CITY.roots, first)
    assert keyset.open_keyset(by(CITY.root2)(keyset_of(issued=NOW + 1)), CITY.roots, first).issued == NOW + 1


def enrolment_of(**changes: Any) -> Callable[[], bytes]:
    fields = {
        "v": 1, "kiosk": "IRM1", "gen": 1, "mode": "demonstration", "point": 1, "public": bytes(32),
        "issued": NOW, "incarnation": 1,
    }  # fmt: skip
    content = {key: value for key, value in (fields | changes).items() if value is not ...}
    return lambda: signed(content, context=enrolment.CONTEXT)


ENROLMENTS: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "gigantic": lambda: bytes(100_000),
    "a grant": lambda: GOOD,
    "by a stranger": lambda: signed(CLAIMS, CITY.stranger, context=enrolment.CONTEXT),
    "by a stolen key": lambda: enrolment.make(
        Enrolment("IRM1", 1, Mode.PRODUCTION, 1, bytes(32), NOW, 1), CITY.stolen_central, b"c-bad"
    ),
    "by a key retired before": lambda: enrolment.make(
        Enrolment("IRM1", 1, Mode.PRODUCTION, 1, bytes(32), NOW, 1), CITY.retired_central, b"c-old"
    ),
    "from before all keys": enrolment_of(issued=1),
    "from after all keys": enrolment_of(issued=NOW * 2),
    "a kiosk that cannot be": enrolment_of(kiosk="../x"),
    "generation 0": enrolment_of(gen=0),
    "a mode unknown": enrolment_of(mode="trial"),
    "a short key": enrolment_of(public=b"k"),
    "a point below nothing": enrolment_of(point=-1),
    "text for a number": enrolment_of(incarnation="1"),
    "a field missing": enrolment_of(mode=...),
    "a field too many": enrolment_of(free=1),
}


@pytest.mark.parametrize("name", ENROLMENTS)
def test_an_enrolment_that_does_not_hold(name: str) -> None:
    with pytest.raises(CentralFault) as fault:
        enrolment.open_enrolment(ENROLMENTS[name](), CITY.keyset)
    assert fault.value.code == "enrolment_refused"
    assert enrolment.open_enrolment(enrolment_of()(), CITY.keyset).kiosk == "IRM1"
