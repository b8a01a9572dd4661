"""A genuine card changed in any way is refused by a CardFault, and by nothing else."""

from __future__ import annotations

import time
import zlib
from collections import Counter
from typing import Any

import base45
import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk import cose, credential
from kiosk.errors import CardFault
from kiosk.values import CardRead, Grade, Medium
from tests.kiosk.city import CITY, NOW, UID, key_pair, shown, tapped
from tests.kiosk.mutating import GOODS, changes, good_read, same_credential

CHIP = CITY.chip()
PRINTED = CITY.printed()
STREAM = zlib.compress(PRINTED, 9)
TEXT = credential.to_qr(PRINTED)
BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
PROTECTED = cose.protected_header(b"i-now")
CLAIMS: dict[Any, Any] = cose.decode(cose.parse(CHIP).payload)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.binary(max_size=20)
    | st.text(max_size=20)
    | st.sampled_from(
        [cbor2.undefined, cbor2.CBORSimpleValue(99), cbor2.CBORTag(18, 0), NOW, "nfc", "p1", UID]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.integers() | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


def outcome(read: CardRead, proved: Grade = Grade.P3) -> str:
    """The fault's code, or ``ok``; any other exception fails the test."""
    try:
        credential.verify(read, CITY.keyset, NOW, proved)
    except CardFault as fault:
        return fault.code
    return "ok"


def inflates_to_the_same(text: bytes) -> bool:
    """True if a QR code carries the very credential: deflate has spare bits that mean nothing."""
    return text.startswith(b"KMC1:") and zlib.decompress(base45.b45decode(text[5:])) == PRINTED


def test_what_is_mutated_here_is_accepted_unchanged() -> None:
    assert outcome(tapped(CHIP)) == "ok"
    assert outcome(shown(TEXT)) == "ok"


def test_every_single_flipped_bit_of_a_chip_is_refused() -> None:
    for bit in range(len(CHIP) * 8):
        flipped = bytearray(CHIP)
        flipped[bit // 8] ^= 1 << bit % 8
        assert outcome(tapped(bytes(flipped))) != "ok", f"bit {bit}"


def test_every_truncation_and_every_start_is_refused() -> None:
    for at in range(len(CHIP)):
        assert outcome(tapped(CHIP[:at])) != "ok"
        assert outcome(tapped(CHIP[at + 1 :])) != "ok"
    for at in range(len(TEXT)):
        assert outcome(shown(TEXT[:at])) != "ok"
        assert outcome(shown(TEXT[at + 1 :])) != "ok"


def test_every_removed_or_doubled_byte_is_refused() -> None:
    for at in range(len(CHIP)):
        assert outcome(tapped(CHIP[:at] + CHIP[at + 1 :])) != "ok"
        assert outcome(tapped(CHIP[: at + 1] + CHIP[at:])) != "ok"


def test_every_flipped_bit_of_the_zlib_stream_is_refused_or_means_nothing() -> None:
    meaningless = 0
    for bit in range(len(STREAM) * 8):
        flipped = bytearray(STREAM)
        flipped[bit // 8] ^= 1 << bit % 8
        text = b"KMC1:" + base45.b45encode(bytes(flipped))
        if outcome(shown(text)) == "ok":
            assert inflates_to_the_same(text)
            meaningless += 1
    assert meaningless < 8  # the rest of deflate's last byte


@given(st.lists(st.tuples(st.integers(0, len(CHIP) - 1), st.integers(1, 255)), min_size=1, max_size=6))
@settings(max_examples=300, deadline=None)
def test_changed_bytes_are_refused(changes: list[tuple[int, int]]) -> None:
    changed = bytearray(CHIP)
    for at, mask in changes:
        changed[at] ^= mask
    if bytes(changed) != CHIP:
        assert outcome(tapped(bytes(changed))) != "ok"


@given(st.integers(5, len(TEXT) - 1), st.sampled_from(BASE45) | st.characters(max_codepoint=255))
@settings(max_examples=300, deadline=None)
def test_a_changed_character_of_a_qr_code_is_refused_or_means_nothing(at: int, character: str) -> None:
    text = (TEXT[:at] + character + TEXT[at + 1 :]).encode("latin-1")
    assert outcome(shown(text)) != "ok" or inflates_to_the_same(text)


@given(st.integers(0, len(CHIP)), st.binary(min_size=1, max_size=8), st.integers(0, 8))
@settings(max_examples=200, deadline=None)
def test_a_spliced_chip_is_refused(at: int, put: bytes, drop: int) -> None:
    spliced = CHIP[:at] + put + CHIP[at + drop :]
    if spliced != CHIP:
        assert outcome(tapped(spliced)) != "ok"


@given(st.sampled_from(list(CLAIMS)), VALUES)
@settings(max_examples=400, deadline=None)
def test_one_claim_changed_is_refused_with_the_old_signature(claim: int, value: Any) -> None:
    payload = cbor2.dumps(CLAIMS | {claim: value}, canonical=True)
    if payload != cose.parse(CHIP).payload:
        assert outcome(tapped(message(payload, CHIP[-64:]))) == "card_bad_signature"


@given(st.sampled_from([*CLAIMS, 3, 5, 7, 8, -65541, "exp"]), VALUES)
@settings(max_examples=400, deadline=None)
def test_one_claim_changed_and_signed_anew_gives_a_card_or_its_fault_and_nothing_else(
    claim: int | str, value: Any
) -> None:
    """The issuer may sign what it likes: then the kinds and ranges decide."""
    payload = cbor2.dumps(CLAIMS | {claim: value}, canonical=True)
    signature = CITY.issuer.sign(cose.to_be_signed(PROTECTED, payload, b""))
    if outcome(tapped(message(payload, signature))) == "ok":
        assert cose.decode(payload).keys() == CLAIMS.keys()
        assert claim in (2, 4, 6, -65537, -65540) or CLAIMS[claim] == value


@given(st.integers(10, 200), st.sampled_from([b"i-now", b"i-old"]))
@settings(max_examples=100, deadline=None)
def test_a_card_signed_by_any_other_key_is_refused(seed: int, kid: bytes) -> None:
    forged = credential.issue(key_pair(seed), kid, "KMC-1", 1, NOW - 5000, NOW + 5000, Medium.NFC, UID)
    assert outcome(tapped(forged)) == "card_bad_signature"


@given(VALUES, VALUES)
@settings(max_examples=200, deadline=None)
def test_headers_changed_and_signed_anew_are_refused(protected: Any, unprotected: Any) -> None:
    header = cbor2.dumps(protected, canonical=True)
    payload = cose.parse(CHIP).payload
    signature = CITY.issuer.sign(cose.to_be_signed(header, payload, b""))
    data = b"\xd2" + cbor2.dumps([header, unprotected, payload, signature])
    assert outcome(tapped(data)) in ("card_malformed", "card_bad_algorithm")


@given(st.binary(max_size=400), st.sampled_from(list(Medium)), st.binary(max_size=12))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_refused(payload: bytes, medium: Medium, uid: bytes) -> None:
    assert outcome(CardRead(medium, payload, uid)) != "ok"


@given(st.binary(max_size=400), st.integers(0, 9))
@settings(max_examples=200, deadline=None)
def test_any_bytes_compressed_are_refused(content: bytes, level: int) -> None:
    assert outcome(shown(b"KMC1:" + base45.b45encode(zlib.compress(content, level)))) != "ok"


@given(st.text(alphabet=BASE45, max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_base45_is_refused(text: str) -> None:
    assert outcome(shown("KMC1:" + text)) != "ok"


HOSTILE = [
    pytest.param(tapped(b"\xd2\x84" + b"\x81" * 4000), id="nested lists"),
    pytest.param(tapped(b"\xd2\x84\x59\x0f\x00" + b"\x81" * 3840), id="a nested header"),
    pytest.param(tapped(message_start := b"\xd2\x84\x58\x40" + b"\xbf" * 64), id="an open header"),
    pytest.param(tapped(message_start + b"\xa0" + b"\x5b" + b"\xff" * 8), id="a payload of 2^64 bytes"),
    pytest.param(
        tapped(cose.sign(b"\x99\x0e\x80" + b"\x80" * 3712, CITY.stranger, b"i-now")), id="3,712 lists"
    ),
    pytest.param(
        tapped(cose.sign(b"\x99\x0e\x80" + b"\x80" * 3712, CITY.issuer, b"i-now")), id="the same, signed"
    ),
    pytest.param(shown(b"KMC1:" + b":" * 4091), id="Base45 out of range"),
    pytest.param(shown(b"KMC1:" + b"0" * 4089), id="zeros"),
    pytest.param(shown(b"KMC1:" + base45.b45encode(zlib.compress(bytes(2_500_000), 9))), id="a bomb"),
    pytest.param(
        shown(b"KMC1:" + base45.b45encode(zlib.compress(b"\xd2\x84" + b"\x81" * 16_000, 9))),
        id="a bomb of lists",
    ),
    pytest.param(
        shown(
            b"KMC1:"
            + base45.b45encode(
                zlib.compress(cose.sign(b"\x99\x3e\x80" + b"\x80" * 16_000, CITY.issuer, b"i-now"), 9)
            )
        ),
        id="16,000 lists, signed",
    ),
]


@pytest.mark.parametrize("read", HOSTILE)
def test_a_hostile_card_costs_little(read: CardRead) -> None:
    started = time.process_time()
    assert outcome(read) != "ok"
    assert time.process_time() - started < 0.5  # many times what it takes


def message(payload: bytes, signature: bytes) -> bytes:
    return b"\xd2" + cbor2.dumps([PROTECTED, {}, payload, signature])


def refuse_all(seed: int, count: int) -> Counter[str]:
    """So many changes are refused; how often by which code. What changed nothing is told and not counted."""
    found: Counter[str] = Counter()
    for change in changes(seed):
        code = outcome(change.read)
        if code == "ok":
            assert same_credential(change.read), f"accepted: {change.how}"
            code = "the same credential"
        found[code] += 1
        if found.total() - found["the same credential"] == count:
            break
    return found


def test_the_good_ones_hold() -> None:
    for good in GOODS:
        assert outcome(good_read(good)) == "ok"
        assert same_credential(good_read(good))


def test_twenty_thousand_changes_are_refused() -> None:
    found = refuse_all(1, 20_000)
    assert found["the same credential"] < 200
    # Each of these comes up, or the changes do not reach what they should.
    assert found.keys() >= {
        "card_bad_algorithm",
        "card_bad_signature",
        "card_key_compromised",
        "card_malformed",
        "card_random_uid",
        "card_unknown_key",
        "card_wrong_chip",
        "card_wrong_medium",
    }
    assert found["card_bad_signature"] > 4_000


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 120))
def test_a_million_changes_are_refused(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Twenty times fifty thousand, none of them the same."""
    started = time.process_time()
    found = refuse_all(seed, 50_000)
    with capsys.disabled():
        print(f"\nseed {seed}: {time.process_time() - started:.0f} s of processor time, {dict(found)}")
