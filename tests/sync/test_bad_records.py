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
from sync.central.models import journal
from sync.central.state import Central
from tests.sync.central_side import RICE, PlainKiosk

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("central_database_url", ["sqlite"], indirect=True),
]

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
    "an earlier one again": (lambda k: k.chain[0][0], "identity"),
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


@pytest.mark.parametrize("name", RECORDS)
async def test_a_bad_record_is_kept_and_told_once(central: Central, keeper: PlainKiosk, name: str) -> None:
    make, code = RECORDS[name]
    keeper.note()
    keeper.append(make(keeper))
    await check(central, keeper, code)


async def test_a_record_under_another_key_is_kept_and_told_once(central: Central, keeper: PlainKiosk) -> None:
    keeper.note()
    payload = encode(sound(keeper))
    keeper.chain.append((payload, sign_record(payload, STRANGER)))
    await check(central, keeper, "bad_signature")


async def check(central: Central, keeper: PlainKiosk, code: str) -> None:
    """The second of four records is bad; those behind it count."""
    ref = keeper.dispense()
    keeper.note()
    answer = await keeper.push()
    assert (answer.status, answer.acked_seq, answer.quarantined) == ("ok", 4, [2])
    assert answer.conflicts == []
    again = await keeper.push()
    assert (again.status, again.acked_seq, again.quarantined) == ("ok", 4, [])
    with central.database.read() as connection:
        rows = connection.execute(select(journal.c.seq, journal.c.quarantine).order_by(journal.c.seq)).all()
        assert [row.quarantine for row in rows] == ["", code, "", ""]
    assert (await keeper.acquire(RICE))[0].ref == ref


@pytest.mark.parametrize("wall", [0, 253_402_300_800_000, 2**63 - 1])
async def test_a_pickup_at_no_possible_time_counts_all_the_same(keeper: PlainKiosk, wall: int) -> None:
    keeper.chain.append(_signed(keeper, encode(sound_first(keeper, wall))))
    answer = await keeper.push()
    assert (answer.status, answer.quarantined) == ("ok", [])
    assert (await keeper.acquire(RICE))[0].status == "taken"


def sound_first(kiosk: PlainKiosk, wall: int) -> Record:
    """A pickup as the first record, at a time of a broken clock."""
    return Record(
        kiosk.kiosk, kiosk.gen, 1, bytes(32), "dispense", RICE, quantity=10_000, epoch=(1, 1), mode="strict",
        program_version="beras@1", officer="ani", wall=wall, detail={"spends": 10_000},
    )  # fmt: skip


def _signed(kiosk: PlainKiosk, payload: bytes) -> tuple[bytes, bytes]:
    return payload, sign_record(payload, kiosk.key)


@pytest.mark.parametrize("first", [2, 2**31, 2**62, 2**63 - 2, 2**63 - 1])
async def test_a_push_from_far_ahead_is_a_gap(keeper: PlainKiosk, first: int) -> None:
    keeper.note()
    keeper.note()
    body = keeper.body(1) | {"from_seq": first}
    response = await keeper.send("POST", "/v1/journal", body)
    assert response.status_code in (200, 422), response.text
    if response.status_code == 200:
        assert (response.json()["status"], response.json()["gap_from"]) == ("gap", 1)
    assert (await keeper.push()).acked_seq == 2


@pytest.mark.parametrize(
    "health",
    [
        {"order": "exploded", "frozen": 7},
        {"order": ["wiped"], "frozen": {"a": 1}},
        {"order": None},
        {"order": "x" * 10_000, "refused": ["y"] * 1000},
        {"nul": "\x00", "lone": "\ud800", "big": 10**300, "deep": [[[[[[[[]]]]]]]]},
    ],
)
async def test_a_kiosk_may_say_anything_of_its_health(
    central: Central, keeper: PlainKiosk, health: dict[str, Any]
) -> None:
    response = await keeper.send("POST", "/v1/poll", {"gen": 1, "health": health})
    assert response.status_code in (200, 422), response.text
    assert (await keeper.poll()).order == ""


async def test_what_a_kiosk_says_cannot_undo_an_order(central: Central, keeper: PlainKiosk) -> None:
    from sync.central import kiosk_orders

    kiosk_orders.stop(central, "AAA1")
    assert (await keeper.poll(health={"order": "wiped"})).order == "flush"
    assert (await keeper.poll(health={"order": ""})).order == "flush"
    assert (await keeper.poll(health={"order": "resumed"})).order == "flush"
    assert (await keeper.poll()).grants == []
