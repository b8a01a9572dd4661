"""Records that no sound kiosk writes: kept, acknowledged, told once, and nothing behind them is held up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from kiosk import cose
from kiosk.journal_format import Record, encode, record_hash, sign_record
from sync.central import kiosk_rows
from sync.central.models import journal
from sync.central.state import Central
from tests.sync.central_side import RICE, START, Clock, PlainKiosk

pytestmark = pytest.mark.anyio

STRANGER = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
Make = Callable[[PlainKiosk], bytes]


def sound(kiosk: PlainKiosk, **fields: Any) -> Record:
    """The record that would come next."""
    prev = record_hash(kiosk.chain[-1][0])
    usual: dict[str, Any] = {"type": "note", "wall": 1_795_500_000_000}
    return Record(kiosk.kiosk, kiosk.gen, len(kiosk.chain) + 1, prev, **usual | fields)


def raw(kiosk: PlainKiosk, **fields: Any) -> bytes:
    """Its bytes with fields of any kind, which ``encode`` would not write."""
    value = cose.decode(encode(sound(kiosk))) | fields
    return cose.encode({key: one for key, one in value.items() if one is not ...})


def dispensed(**fields: Any) -> Make:
    usual = {"type": "dispense", "right": RICE, "quantity": 1, "epoch": (1, 1), "detail": {"spends": 1}}
    return lambda kiosk: encode(sound(kiosk, **usual | fields))


RECORDS: dict[str, tuple[Make, str]] = {
    "no CBOR": (lambda k: b"<html>", "malformed"),
    "one byte": (lambda k: b"\x00", "malformed"),
    "not a map": (lambda k: cose.encode([1]), "malformed"),
    "as large as may travel": (lambda k: cose.encode(bytes(16_000)), "oversized"),
    "nested deeply": (lambda k: b"\x81" * 4000 + b"\x00", "malformed"),
    "a length beyond the data": (lambda k: b"\x5b" + b"\xff" * 8, "malformed"),
    "an endless map": (lambda k: b"\xbf\x61v\x01\xff", "malformed"),
    "a float": (lambda k: b"\xa1\x61v\xfb" + bytes(8), "malformed"),
    "a key twice": (lambda k: b"\xa2\x61v\x01\x61v\x01", "malformed"),
    "text that is none": (lambda k: b"\xa1\x61v\x61\xff", "malformed"),
    "a field missing": (lambda k: raw(k, mono=...), "malformed"),
    "a field too many": (lambda k: raw(k, extra=1), "malformed"),
    "of a later version": (lambda k: raw(k, v=2), "malformed"),
    "of a type unknown": (lambda k: raw(k, type="gift"), "malformed"),
    "number for text": (lambda k: raw(k, officer=1), "malformed"),
    "text for number": (lambda k: raw(k, quantity="1"), "malformed"),
    "a boolean for a number": (lambda k: raw(k, quantity=True), "malformed"),
    "a negative number": (lambda k: raw(k, quantity=-1), "malformed"),
    "a number beyond 63 bits": (lambda k: raw(k, wall=2**63), "malformed"),
    "a short prev": (lambda k: raw(k, prev=b""), "malformed"),
    "an epoch of three": (lambda k: raw(k, epoch=[1, 1, 1]), "malformed"),
    "detail that is a list": (lambda k: raw(k, detail=[]), "malformed"),
    "another kiosk's": (lambda k: encode(replace(sound(k), kiosk="BBB1")), "identity"),
    "another generation's": (lambda k: encode(replace(sound(k), gen=2)), "identity"),
    "from further on": (lambda k: encode(replace(sound(k), seq=900)), "identity"),
    "a right that is none": (dispensed(right="h1"), "right"),
    "a right of no subject": (dispensed(right="x1/beras/2026-11"), "right"),
    "without what it spends": (dispensed(detail={}), "quantity"),
    "spending text": (dispensed(detail={"spends": "1"}), "quantity"),
    "spending a truth": (dispensed(detail={"spends": True}), "quantity"),
    "spending less than nothing": (dispensed(detail={"spends": -5}), "quantity"),
    "spending more than counts": (dispensed(detail={"spends": 2**60}), "quantity"),
    "more than counts": (dispensed(quantity=2**60), "quantity"),
    "text with NUL": (dispensed(officer="a\x00b"), "text"),
    "a void of nothing": (lambda k: encode(sound(k, type="void", ref="x")), "ref"),
    "a release up to nowhere": (lambda k: encode(sound(k, type="release", right=RICE)), "upto"),
    "a release up to text": (
        lambda k: encode(sound(k, type="release", right=RICE, detail={"upto": ["1", "1"]})),
        "upto",
    ),
    "a key roll without a key": (lambda k: encode(sound(k, type="key_roll")), "public"),
    "a key roll to a short key": (
        lambda k: encode(sound(k, type="key_roll", detail={"public": b"short"})),
        "public",
    ),
}


async def test_bad_records_are_kept_and_told_once(central: Central, keeper: PlainKiosk) -> None:
    """One journal with all of them, a sound record behind each."""
    expected: dict[int, tuple[str, str]] = {}
    keeper.note()
    for name, (make, code) in RECORDS.items():
        expected[len(keeper.chain) + 1] = name, code
        keeper.append(make(keeper))
        keeper.note()
    expected[len(keeper.chain) + 1] = "under another key", "bad_signature"
    payload = encode(sound(keeper))
    keeper.chain.append((payload, sign_record(payload, STRANGER)))
    ref = keeper.dispense()
    answer = await keeper.push()
    assert (answer.status, answer.acked_seq) == ("ok", len(keeper.chain))
    assert answer.quarantined == list(expected)
    assert {one.code for one in answer.conflicts} == {"unread"}
    again = await keeper.push()
    assert (again.status, again.quarantined, again.conflicts) == ("ok", [], [])
    with central.database.read() as connection:
        rows = connection.execute(select(journal.c.seq, journal.c.quarantine).order_by(journal.c.seq)).all()
    found = {row.seq: (expected.get(row.seq, ("sound", ""))[0], row.quarantine) for row in rows}
    assert {seq: one for seq, one in found.items() if one[1]} == expected
    assert (await keeper.acquire(RICE))[0].ref == ref


async def test_pickups_at_no_possible_time_count_all_the_same(keeper: PlainKiosk, second: PlainKiosk) -> None:
    for kiosk, right, wall in ((keeper, RICE, 2**63 - 1), (second, "h2/beras/2026-11", 0)):
        kiosk.chain.append(_signed(kiosk, encode(sound_first(kiosk, right, wall))))
        answer = await kiosk.push()
        assert (answer.status, answer.quarantined) == ("ok", [])
        assert (await keeper.acquire(right))[0].status == "taken"


def sound_first(kiosk: PlainKiosk, right: str, wall: int) -> Record:
    """A pickup as the first record, at a time of a broken clock."""
    return Record(
        kiosk.kiosk, kiosk.gen, 1, bytes(32), "dispense", right, quantity=10_000, epoch=(1, 1), mode="strict",
        program_version="beras@1", officer="ani", wall=wall, detail={"spends": 10_000},
    )  # fmt: skip


def _signed(kiosk: PlainKiosk, payload: bytes) -> tuple[bytes, bytes]:
    return payload, sign_record(payload, kiosk.key)


async def test_a_push_from_far_ahead_is_a_gap_or_refused(keeper: PlainKiosk) -> None:
    keeper.note()
    keeper.note()
    for first in (2, 2**31, 2**62 - 1, 2**62, 2**63 - 1, 2**64):
        response = await keeper.send("POST", "/v1/journal", keeper.body(1) | {"from_seq": first})
        told = (response.status_code, response.json().get("status"), response.json().get("gap_from"))
        assert told == ((200, "gap", 1) if first < 2**62 else (422, None, None))
    assert (await keeper.push()).acked_seq == 2


HEALTH: tuple[dict[str, Any], ...] = (
    {"order": "exploded", "frozen": 7},
    {"order": ["wiped"], "frozen": {"a": 1}},
    {"order": None},
    {"order": "x" * 10_000, "refused": ["y"] * 1000},
    {"escaped": "\\u0000", "twice": "\\\\u0000", "nul": "\x00"},
    {"nul": "\x00", "lone": "\ud800", "big": 10**300, "deep": [[[[[[[[]]]]]]]]},
)


async def test_a_kiosk_may_say_anything_of_its_health(keeper: PlainKiosk) -> None:
    for health in HEALTH:
        response = await keeper.send("POST", "/v1/poll", {"gen": 1, "health": health})
        assert response.status_code in (200, 422), response.text
        assert (await keeper.poll()).order == ""


async def test_what_a_kiosk_refused_is_told_once_and_stays_to_be_read(
    central: Central, keeper: PlainKiosk, clock: Clock
) -> None:
    """Heartbeats without it do not take it away; what is no code is not kept, nor more than a screenful."""
    first = ["grant_refused", "feed_row_refused", "No Code", 7]
    await keeper.poll(health={"refused": first}, versions={"kmc": "1"})
    clock.now += 60
    await keeper.poll(health={"refused": ["grant_refused"]}, queue=3)
    clock.now += 60
    await keeper.poll(health={"refused": "keyset_refused"})
    row = kiosk_rows.listed(central)[0]
    refused = {"feed_row_refused": START, "grant_refused": START + 60}
    assert (row["id"], row["queue"], row["versions"], row["refused"]) == ("AAA1", 0, {"kmc": "1"}, refused)
    letters = "abcdefghijklmnopqrstuvwxyz"
    await keeper.poll(health={"refused": [f"code_{a}{b}" for a in "ab" for b in letters]})
    row = kiosk_rows.listed(central)[0]
    assert list(row["refused"]) == [f"code_{a}{b}" for a in "ab" for b in letters][-32:]
    assert kiosk_rows.listed(central)[1]["refused"] == {}


async def test_what_a_kiosk_says_cannot_undo_an_order(central: Central, keeper: PlainKiosk) -> None:
    from sync.central import kiosk_orders

    kiosk_orders.stop(central, "AAA1")
    assert (await keeper.poll(health={"order": "wiped"})).order == "flush"
    assert (await keeper.poll(health={"order": ""})).order == "flush"
    assert (await keeper.poll(health={"order": "resumed"})).order == "flush"
    assert (await keeper.poll()).grants == []
