"""The audit: silent where all is well, and the first wrong record named where something was changed."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from sqlalchemy import Table, delete, insert, update

from kiosk.journal_format import record_hash
from sync.central import audit
from sync.central.models import grant_log, journal, kiosk_gen, pickup, rights
from sync.central.state import Central
from tests.sync.central_side import RICE, PlainKiosk

pytestmark = pytest.mark.anyio


@pytest.fixture
async def told(central: Central, keeper: PlainKiosk) -> PlainKiosk:
    """AAA1 after a note, a pickup, its void, a pickup and a release."""
    keeper.note()
    ref = keeper.dispense()
    keeper.void(ref)
    keeper.dispense(spends=10_000)
    keeper.release("h2/beras/2026-11")
    await keeper.push()
    return keeper


def write(central: Central, statement: Any) -> None:
    """Changes the tables behind central's back."""
    assert central.database.write(lambda connection: connection.execute(statement).rowcount) > 0


def of_seq(table: Table, seq: int) -> Any:
    """One record's row."""
    return (table.c.kiosk == "AAA1") & (table.c.seq == seq)


async def test_nothing_is_wrong(central: Central, told: PlainKiosk, second: PlainKiosk) -> None:
    report = audit.audit(central)
    assert (report.code, report.chains, report.records, report.first) == ("", 2, 5, None)
    assert report.as_json()["findings"] == []


@pytest.mark.parametrize(
    ("change", "code", "seq"),
    [
        (lambda: update(journal).where(of_seq(journal, 2)).values(record=b"other"), "bad_hash", 2),
        (lambda: update(journal).where(of_seq(journal, 3)).values(signature=bytes(64)), "bad_signature", 3),
        (lambda: delete(journal).where(of_seq(journal, 3)), "gap", 4),
        (lambda: delete(journal).where(of_seq(journal, 5)), "tail_missing", 5),
        (lambda: update(journal).where(of_seq(journal, 4)).values(type="note"), "row_differs", 4),
        (
            lambda: update(kiosk_gen).where(kiosk_gen.c.kiosk == "AAA1").values(head=bytes(32)),
            "head_differs",
            5,
        ),
    ],
)
async def test_the_first_wrong_record_is_named(
    central: Central, told: PlainKiosk, change: Any, code: str, seq: int
) -> None:
    write(central, change())
    report = audit.audit(central)
    assert report.code == code
    assert report.first is not None
    assert (report.first["kiosk"], report.first["gen"], report.first["seq"]) == ("AAA1", 1, seq)
    assert f"AAA1.1-{seq}" in audit.summary(report)


async def test_a_chain_that_was_cut_and_joined_is_noticed(central: Central, told: PlainKiosk) -> None:
    other = told.copy()
    other.chain.clear()
    other.note()
    other.note()
    payload, signature = other.chain[1]
    values = {"record": payload, "signature": signature, "hash": record_hash(payload), "type": "note"}
    write(central, update(journal).where(of_seq(journal, 2)).values(**values, right=""))
    report = audit.audit(central)
    assert report.first == {"code": "chain_broken", "kiosk": "AAA1", "gen": 1, "seq": 3}
    assert report.counts["pickup_invented"] == 1


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        (lambda: update(rights).where(rights.c.right == RICE).values(spent=0), "spent_differs", "right"),
        (lambda: delete(pickup).where(pickup.c.ref == "AAA1-0004"), "pickup_missing", "ref"),
        (
            lambda: update(pickup).where(pickup.c.ref == "AAA1-0002").values(voided=False),
            "pickup_differs",
            "ref",
        ),
        (
            lambda: update(pickup).where(pickup.c.ref == "AAA1-0004").values(ref="AAA1-0009"),
            "pickup_missing",
            "ref",
        ),
        (lambda: delete(rights).where(rights.c.right == RICE), "right_missing", "right"),
    ],
)
async def test_tables_that_say_something_else_are_named(
    central: Central, told: PlainKiosk, change: Any, code: str, named: str
) -> None:
    write(central, change())
    report = audit.audit(central)
    assert report.code == code
    found = next(one for one in report.findings if one["code"] == code)
    assert found[named] in (RICE, "AAA1-0002", "AAA1-0004")


async def test_an_overspend_nobody_was_told_of(central: Central, told: PlainKiosk) -> None:
    write(central, update(rights).where(rights.c.right == RICE).values(quantity=4_000))
    # Its grant said 10,000: cut since, and no overspend.
    assert audit.audit(central).code == ""
    write(central, update(grant_log).where(grant_log.c.right == RICE).values(quantity_left=4_000))
    report = audit.audit(central)
    assert (report.code, report.findings[0]["spent"], report.findings[0]["entitled"]) == (
        "overspend_untold", 10_000, 4_000,
    )  # fmt: skip


async def test_forks_quarantined_records_and_what_both_sides_did(central: Central, told: PlainKiosk) -> None:
    told.append(b"\xa1\x61v\x02")
    clone = told.copy()
    clone.chain.pop()
    clone.dispense("h2/beras/2026-11")
    await told.push()
    await clone.push()
    report = audit.audit(central)
    assert (report.code, report.beside) == ("fork", 1)
    assert {one["code"]: one["seq"] for one in report.findings if "seq" in one} == {
        "quarantined": 6,
        "fork": 6,
    }
    assert report.counts["spent_differs"] == report.counts["pickup_invented"] == 0


async def test_memory_stays_flat(central: Central, keeper: PlainKiosk) -> None:
    for _ in range(400):
        keeper.note()
    await keeper.push()
    audit.audit(central)
    with central.database.read() as connection:
        row = dict(connection.execute(journal.select().where(journal.c.seq == 1)).mappings().one())
    more = [row | {"kiosk": f"X{n}", "gen": 1, "seq": seq} for n in range(10) for seq in range(1, 401)]
    central.database.write(lambda connection: connection.execute(insert(journal), more).rowcount)
    chains = [
        {"kiosk": "AAA1", "gen": gen, "public": bytes([gen]) * 32, "enrolled_at": 0, "state": "retired",
         "acked_seq": 0, "head": bytes(32), "ticket_hash": b""}
        for gen in range(2, 12)
    ]  # fmt: skip
    central.database.write(lambda connection: connection.execute(insert(kiosk_gen), chains).rowcount)
    moved = [
        update(journal).where(journal.c.kiosk == f"X{n}").values(kiosk="AAA1", gen=n + 2) for n in range(10)
    ]
    for statement in moved:
        write(central, statement)
    tracemalloc.start()
    try:
        report = audit.audit(central)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (report.records, report.counts["bad_signature"]) == (4_400, 4_000)
    assert len(report.findings) == audit.MOST_NAMED
    # 4,400 records are some 4 MB as rows and records: lists of 500 are held at a time.
    assert most < 4_000_000
