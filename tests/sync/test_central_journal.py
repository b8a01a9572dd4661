"""Intake of journals: nothing lost, nothing twice, nothing refused that left a counter."""

from __future__ import annotations

import dataclasses
import hashlib
import threading

import httpx
import pytest

from kiosk import cose
from kiosk.journal_format import encode, record_hash, sign_record
from sync.central import audit, cases, intake, overview
from sync.central.state import Central
from sync.wire import JournalAnswer, JournalRequest
from tests.sync.central_side import RICE, Clock, PlainKiosk, place

pytestmark = pytest.mark.anyio


async def test_records_are_taken_once(central: Central, keeper: PlainKiosk) -> None:
    keeper.note()
    ref = keeper.dispense()
    first = await keeper.push()
    assert (first.status, first.acked_seq, first.durable_seq) == ("ok", 2, 0)
    assert first.head == record_hash(keeper.chain[-1][0]).hex()
    assert await keeper.push() == first
    told = overview.right(central, RICE)
    assert (told["spent"], [one["ref"] for one in told["pickups"]], told["cases"]) == (10_000, [ref], [])
    assert told["last_at"] == "2026-11-24T13:00:00+07:00"


async def test_an_overlapping_push_takes_what_is_new(central: Central, keeper: PlainKiosk) -> None:
    for _ in range(5):
        keeper.note()
    await keeper.push(1, 3)
    answer = await keeper.push(2, 5)
    assert (answer.status, answer.acked_seq) == ("ok", 5)
    assert len(overview.records(central, "AAA1")) == 5


async def test_a_gap_is_named_and_nothing_behind_it_taken(central: Central, keeper: PlainKiosk) -> None:
    for _ in range(6):
        keeper.note()
    await keeper.push(1, 2)
    answer = await keeper.push(5)
    assert (answer.status, answer.gap_from, answer.acked_seq) == ("gap", 3, 2)
    assert (await keeper.push(3)).acked_seq == 6


async def test_a_gap_without_records_is_named_too(keeper: PlainKiosk) -> None:
    answer = await keeper.push(9)
    assert (answer.status, answer.gap_from) == ("gap", 1)


async def test_other_bytes_at_a_known_place_freeze_the_kiosk(central: Central, keeper: PlainKiosk) -> None:
    keeper.note()
    await keeper.push()
    clone = keeper.copy()
    ref = keeper.dispense()
    assert (await keeper.push(2)).status == "ok"
    clone.dispense(spends=9_000)
    answer = await clone.push(2)
    assert answer.status == "fork"
    assert answer.head == record_hash(clone.chain[-1][0]).hex()
    codes = sorted(one.code for one in answer.conflicts)
    assert codes == ["fork", "overspend"]
    again = await clone.push(2)
    assert (again.status, again.conflicts) == ("fork", [])
    told = overview.right(central, RICE)
    assert told["spent"] == 19_000
    assert [one["ref"] for one in told["pickups"]] == [ref, f"{ref}~{answer.head[:8]}"]
    assert told["in_doubt"]
    response = await keeper.send("POST", "/v1/poll", {"gen": 1})
    assert (response.status_code, response.json()["code"]) == (403, "kiosk_frozen")
    # Pushing stays allowed for both sides, and neither can free a right.
    keeper.release()
    clone.release()
    clone.note()
    assert (await keeper.push(3)).acked_seq == 3
    assert (await clone.push(3)).acked_seq == 4
    assert overview.right(central, RICE)["held_by"] == "AAA1"


async def test_a_rolled_back_kiosk_forks_at_its_next_record(central: Central, keeper: PlainKiosk) -> None:
    keeper.note()
    keeper.note()
    restored = keeper.copy()
    keeper.note()
    keeper.note()
    await keeper.push()
    restored.note()
    restored.chain[-1] = _changed(restored, 3, officer="rini")
    restored.note()
    restored.note()
    restored.note()
    answer = await restored.push(3)
    # Its records 5 and 6 lie beyond the other side's: kept as well.
    assert (answer.status, answer.acked_seq) == ("fork", 6)
    assert (await restored.push(5)).status == "fork"


async def test_an_enrolled_again_kiosk_works_after_a_fork(
    central: Central, keeper: PlainKiosk, http: httpx.AsyncClient, clock: Clock
) -> None:
    clone = keeper.copy()
    keeper.note()
    clone.record(type="note", officer="ani")
    await keeper.push()
    assert (await clone.push()).status == "fork"
    fresh = await PlainKiosk(http, clock).enrol(central, "AAA1")
    fresh.note()
    assert (await fresh.push()).status == "ok"


async def test_a_bad_signature_is_kept_apart_and_blocks_nothing(central: Central, keeper: PlainKiosk) -> None:
    keeper.note()
    keeper.dispense()
    keeper.note()
    true = keeper.chain[1]
    keeper.chain[1] = (true[0], bytes(64))
    answer = await keeper.push()
    assert (answer.status, answer.acked_seq, answer.quarantined) == ("ok", 3, [2])
    assert overview.right(central, RICE)["spent"] == 0
    assert (await keeper.push()).quarantined == []
    # The same bytes are known; the right signature alone changes nothing any more.
    keeper.chain[1] = true
    assert (await keeper.push()).status == "ok"


async def test_a_damaged_copy_gives_way_to_the_true_record(central: Central, keeper: PlainKiosk) -> None:
    keeper.note()
    keeper.dispense()
    true = keeper.chain[1]
    keeper.chain[1] = (true[0][:-1] + bytes([true[0][-1] ^ 1]), true[1])
    assert (await keeper.push()).quarantined == [2]
    keeper.chain[1] = true
    keeper.note()
    answer = await keeper.push(2)
    assert (answer.status, answer.acked_seq) == ("ok", 3)
    assert overview.right(central, RICE)["spent"] == 10_000
    keeper.note()
    assert (await keeper.push(4)).status == "ok"


async def test_a_void_behind_a_damaged_pickup_counts_when_the_true_one_comes(
    central: Central, keeper: PlainKiosk
) -> None:
    first = keeper.dispense()
    keeper.void(first)
    keeper.void("AAA1-0009")
    keeper.dispense()
    true = keeper.chain[0]
    keeper.chain[0] = (true[0][:-1] + bytes([true[0][-1] ^ 1]), true[1])
    assert [one.code for one in (await keeper.push()).conflicts] == ["void_unknown"] * 2
    assert overview.right(central, RICE)["spent"] == 10_000
    keeper.chain[0] = true
    answer = await keeper.push()
    assert (answer.status, answer.conflicts) == ("ok", [])
    told = overview.right(central, RICE)
    assert [(one["ref"], one["voided"]) for one in told["pickups"]] == [(first, True), ("AAA1-0004", False)]
    assert told["spent"] == 10_000
    # Of a pickup that never came it is still a case.
    assert [one["refs"] for one in cases.listed(central)] == [["AAA1-0009", "AAA1-0003"]]
    assert audit.audit(central).code == ""


async def test_what_cannot_be_interpreted_is_quarantined(central: Central, keeper: PlainKiosk) -> None:
    keeper.note()
    prev = record_hash(keeper.chain[-1][0])
    keeper.append(cose.encode({"v": 2, "kiosk": "AAA1", "prev": prev, "news": "from a later version"}))
    keeper.append(b"\xff not even CBOR")
    keeper.dispense(right="no right at all")
    keeper.dispense(detail={"spends": "ten"})
    keeper.note()
    answer = await keeper.push()
    assert (answer.status, answer.acked_seq, answer.quarantined) == ("ok", 6, [2, 3, 4, 5])
    assert (await keeper.push()).quarantined == []
    kept = [one["quarantine"] for one in overview.records(central, "AAA1")]
    assert kept == ["", "malformed", "malformed", "right", "quantity", ""]


async def test_one_that_names_a_right_is_a_case_since_it_may_be_a_hand_out(
    central: Central, keeper: PlainKiosk
) -> None:
    keeper.dispense(detail={"spends": "all", "entitlement": [1, 1], "collector": "holder", "checks": []})
    answer = await keeper.push()
    assert answer.quarantined == [1]
    assert [(one.code, one.right, one.refs) for one in answer.conflicts] == [("unread", RICE, ["AAA1-0001"])]


async def test_anothers_record_is_quarantined(central: Central, keeper: PlainKiosk) -> None:
    keeper.note()
    keeper.chain[0] = _changed(keeper, 1, kiosk="BBB1")
    assert (await keeper.push()).quarantined == [1]


@pytest.mark.parametrize(
    "fields",
    [
        {"card": "a\x00b"},
        {"officer": "x" * 2000},
        {"program_version": "y" * 2000},
        {"wall": 2**63 - 1},
        {"epoch": (2**62, 2**62)},
        {"detail": {"spends": 2**53}},
    ],
)
async def test_odd_values_never_break_central(keeper: PlainKiosk, fields: dict[str, object]) -> None:
    if "wall" in fields:
        keeper.dispense()
        keeper.chain[0] = _changed(keeper, 1, **fields)
    else:
        keeper.dispense(**fields)  # type: ignore[arg-type]
    assert (await keeper.push()).acked_seq == 1


async def test_an_unknown_generation_is_not_central_s(keeper: PlainKiosk) -> None:
    response = await keeper.send("POST", "/v1/journal", {"gen": 7, "from_seq": 1, "records": []})
    assert (response.status_code, response.json()["code"]) == (404, "unknown_gen")


async def test_a_void_gives_the_quantity_back_once(central: Central, keeper: PlainKiosk) -> None:
    ref = keeper.dispense()
    keeper.void(ref)
    keeper.void(ref)
    answer = await keeper.push()
    assert [one.code for one in answer.conflicts] == ["void_again"]
    told = overview.right(central, RICE)
    assert (told["spent"], told["held_by"], told["epoch_n"]) == (0, "AAA1", 1)
    keeper.dispense()
    assert (await keeper.push(4)).conflicts == []
    assert overview.right(central, RICE)["spent"] == 10_000


async def test_a_void_of_nothing_known_is_a_case(keeper: PlainKiosk) -> None:
    keeper.void("AAA1-0099")
    keeper.void("BBB1-0001")
    assert [one.code for one in (await keeper.push()).conflicts] == ["void_unknown", "void_unknown"]


async def test_an_overspend_names_both_pickups_once(
    central: Central, keeper: PlainKiosk, second: PlainKiosk
) -> None:
    mine = keeper.dispense()
    await keeper.push()
    theirs = second.dispense(mode="tolerate", epoch=(1, 0))
    answer = await second.push()
    (conflict,) = answer.conflicts
    assert (conflict.code, conflict.right, conflict.refs) == ("overspend", RICE, [mine, theirs])
    assert (await second.push()).conflicts == []
    assert [one["code"] for one in overview.right(central, RICE)["cases"]] == ["overspend"]


async def test_spending_what_one_does_not_hold_is_a_case(keeper: PlainKiosk, second: PlainKiosk) -> None:
    ref = second.dispense(epoch=(1, 1))
    answer = await second.push()
    assert [(one.code, one.refs) for one in answer.conflicts] == [("not_held", [ref])]


async def test_a_hand_out_nobody_was_entitled_to_is_recorded(central: Central, keeper: PlainKiosk) -> None:
    ref = keeper.record(type="paper_dispense", right="h9/beras/2026-11", quantity=1, detail={"spends": 1})
    assert ref.seq == 1
    assert [one.code for one in (await keeper.push()).conflicts] == ["unentitled"]
    assert overview.right(central, "h9/beras/2026-11")["spent"] == 1


async def test_a_chain_is_bound_by_hashes_from_its_start(keeper: PlainKiosk) -> None:
    keeper.note()
    keeper.chain[0] = _changed(keeper, 1, prev=hashlib.sha256(b"elsewhere").digest())
    assert (await keeper.push()).status == "fork"


async def test_releases_are_counted_before_a_later_grant(central: Central, keeper: PlainKiosk) -> None:
    keeper.release()
    await keeper.push()
    place(central)
    told = overview.right(central, RICE)
    assert (told["held_by"], told["epoch_n"]) == ("AAA1", 2)
    # The same release again is old news and frees nothing.
    keeper.release(upto=(1, 1))
    await keeper.push()
    assert overview.right(central, RICE)["held_by"] == "AAA1"


def _changed(one: PlainKiosk, seq: int, **fields: object) -> tuple[bytes, bytes]:
    """Another record in the place of ``seq``, well signed."""
    from kiosk.journal_format import decode

    payload = encode(dataclasses.replace(decode(one.chain[seq - 1][0]), **fields))  # type: ignore[arg-type]
    return payload, sign_record(payload, one.key)


async def test_uploaders_at_the_same_time_are_one(central: Central, keeper: PlainKiosk) -> None:
    """Eight threads push overlapping parts of one chain at once: each effect is made once."""
    for _ in range(30):
        keeper.note()
        keeper.void(keeper.dispense())
    ref = keeper.dispense()
    requests = [JournalRequest.model_validate(keeper.body(1, 91 - cut)) for cut in range(4) for _ in range(2)]
    answers: list[JournalAnswer] = []
    failures: list[BaseException] = []

    def push(request: JournalRequest) -> None:
        try:
            answers.append(intake.push(central, "AAA1", request))
        except BaseException as fault:
            failures.append(fault)

    threads = [threading.Thread(target=push, args=(request,)) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert {one.status for one in answers} == {"ok"}
    assert max(one.acked_seq for one in answers) == 91
    told = overview.right(central, RICE)
    assert (told["spent"], told["last_ref"], len(told["pickups"]), told["cases"]) == (10_000, ref, 31, [])
