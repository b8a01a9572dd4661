"""The quick reading of records answers what the judge answers, and never takes what the judge refuses."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kiosk import cose, journal_format
from kiosk.journal_format import CONTEXT, TYPES, Record, encode
from sync.central import record_parse
from sync.central.record_parse import parse, signed_bytes

COUNTS = st.integers(0, 2**63 - 1) | st.integers(0, 300)
TEXTS = st.text(max_size=300)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | TEXTS | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=30), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Any record that a kiosk could write, and stranger ones."""
    return Record(
        kiosk=draw(st.from_regex(r"\A[A-Z0-9]{2,8}\Z")),
        gen=draw(st.integers(1, 2**63 - 1)),
        seq=draw(st.integers(1, 2**63 - 1)),
        prev=draw(st.binary(min_size=32, max_size=32)),
        type=draw(st.sampled_from(sorted(TYPES))),
        right=draw(TEXTS),
        ref=draw(TEXTS),
        quantity=draw(COUNTS),
        epoch=draw(st.none() | st.tuples(COUNTS, COUNTS)),
        mode=draw(TEXTS),
        program_version=draw(TEXTS),
        officer=draw(TEXTS),
        card=draw(TEXTS),
        assurance=draw(TEXTS),
        collector_commitment=draw(st.just(b"") | st.binary(min_size=32, max_size=32)),
        wall=draw(COUNTS),
        mono=draw(COUNTS),
        boot_id=draw(TEXTS),
        detail=draw(st.dictionaries(st.text(max_size=30), VALUES, max_size=4)),
    )


def verdict(read: Any, payload: bytes) -> object:
    """The record, or the code of the fault."""
    try:
        return read(payload)
    except cose.SignedDataFault as fault:
        return fault.code


def plainly(payload: bytes) -> object:
    """The quick reading alone; None where it leaves the decision to the judge."""
    try:
        return record_parse._plain(payload)
    except (record_parse._NotPlain, IndexError, UnicodeDecodeError):
        return None


@given(records())
def test_a_record_is_read_the_same(record: Record) -> None:
    try:
        payload = encode(record)
    except ValueError:
        return
    assert parse(payload) == record == journal_format.decode(payload)
    assert plainly(payload) in (None, record)


USUAL = Record(
    kiosk="IRM1",
    gen=1,
    seq=300,
    prev=bytes(32),
    type="dispense",
    right="h12/beras/2026-11",
    epoch=(1, 70_000),
    wall=1_795_500_000_000,
    detail={"spends": 10_000, "entitlement": [12, 1], "collector": "holder", "checks": ["ktp", "kk"]},
)


def test_the_usual_record_needs_no_judge() -> None:
    assert plainly(encode(USUAL)) == USUAL


@given(st.integers(0, 400), st.binary(min_size=1, max_size=3), st.sampled_from(["put", "cut", "add"]))
def test_changed_bytes_meet_the_same_verdict(at: int, change: bytes, how: str) -> None:
    payload = encode(USUAL)
    at %= len(payload)
    if how == "put":
        payload = payload[:at] + change + payload[at + len(change) :]
    elif how == "cut":
        payload = payload[:at]
    else:
        payload = payload[:at] + change + payload[at:]
    assert verdict(parse, payload) == verdict(journal_format.decode, payload)


@given(st.binary(max_size=64))
@example(b"")
def test_any_bytes_meet_the_same_verdict(payload: bytes) -> None:
    assert verdict(parse, payload) == verdict(journal_format.decode, payload)


@pytest.mark.parametrize(
    "change",
    [
        {"v": True},
        {"v": 2},
        {"seq": 0},
        {"quantity": 2**63},
        {"epoch": [1]},
        {"epoch": [True, 1]},
        {"epoch": [-1, 1]},
        {"epoch": {}},
        {"detail": []},
        {"detail": {1: 2}},
        {"prev": b""},
        {"prev": bytes(31)},
        {"kiosk": "irm1"},
        {"type": "gift"},
        {"collector_commitment": bytes(5)},
    ],
)
def test_what_the_judge_refuses_is_refused(change: dict[str, Any]) -> None:
    whole: dict[str, Any] = {**cbor2.loads(encode(USUAL)), **change}
    payload = cbor2.dumps(whole, canonical=True)
    assert verdict(journal_format.decode, payload) == "malformed"
    assert plainly(payload) is None
    assert verdict(parse, payload) == "malformed"


@pytest.mark.parametrize("size", [0, 1, 23, 24, 255, 256, 400, 65535, 65536])
def test_what_is_signed_is_the_same(size: int) -> None:
    payload = bytes(size)
    assert signed_bytes(payload) == cose.to_be_signed(b"", payload, CONTEXT)
