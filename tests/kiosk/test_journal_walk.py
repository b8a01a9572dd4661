"""Checking the journal: every kind of tampering is found where it was done."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.acknowledgement import Acknowledged, acknowledge, forget_acknowledged
from kiosk.errors import EnvironmentFault
from kiosk.freezing import (
    FORKED,
    FROZEN_BY_CENTRAL,
    REVOKED,
    ROLLED_BACK,
    STALE_GENERATION,
    freeze_ledger,
    thaw,
)
from kiosk.journal_format import decode, encode, record_hash, sign_record
from kiosk.journal_walk import export_lines, list_records, verify_journal
from tests.kiosk.ledger_bench import LedgerBench, grant


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[LedgerBench]:
    """Sign-in, pickup, void, note: five records."""
    made = LedgerBench(tmp_path / "ledger.db")
    made.take_in(grant("h1/beras/2026-11"))
    made.note()
    made.void(made.dispense("h1/beras/2026-11", 10))
    made.note(private="rahasia")
    made.note()
    yield made
    made.close()


def hash_of(bench: LedgerBench, seq: int) -> str:
    """Hex hash of a record."""
    return str(bench.ledger.row("SELECT hash FROM journal WHERE seq = ?", seq)[0].hex())


def resigned(bench: LedgerBench, place: int, key: Ed25519PrivateKey, **changes: Any) -> None:
    """Puts another record, signed by ``key``, in the place of one."""
    payload = bytes(bench.ledger.row("SELECT record FROM journal WHERE seq = ?", place)[0])
    forged = encode(replace(decode(payload), **changes))
    bench.ledger.db.conn.execute(
        "UPDATE journal SET record = ?, hash = ?, signature = ? WHERE seq = ?",
        (forged, record_hash(forged), sign_record(forged, key), place),
    )


def test_an_untouched_journal_holds(bench: LedgerBench) -> None:
    answer = verify_journal(bench.ledger)
    assert answer == {"records": 5, "intact": True, "heads": {"1": {"seq": 5, "hash": hash_of(bench, 5)}}}


@pytest.mark.parametrize(
    ("statement", "seq", "code"),
    [
        ("DELETE FROM journal WHERE seq = 1", 2, "gap"),
        ("UPDATE journal SET record = CAST(record || x'00' AS BLOB) WHERE seq = 2", 2, "bad_signature"),
        ("UPDATE journal SET signature = zeroblob(64) WHERE seq = 5", 5, "bad_signature"),
        ("UPDATE journal SET hash = zeroblob(32) WHERE seq = 3", 3, "wrong_hash"),
        ("UPDATE journal SET type = 'note' WHERE seq = 2", 2, "wrong_index"),
        ("UPDATE journal SET right = 'h9/beras/2026-11' WHERE seq = 2", 2, "wrong_index"),
        ("UPDATE journal SET ref = '' WHERE seq = 3", 3, "wrong_index"),
        ("UPDATE journal_private SET text = 'lain' WHERE seq = 4", 4, "private_text_changed"),
        ("UPDATE journal_private SET salt = zeroblob(16) WHERE seq = 4", 4, "private_text_changed"),
        ("DELETE FROM pickups", 2, "wrong_effect"),
        ("UPDATE pickups SET voided = 0", 3, "wrong_effect"),
        ("UPDATE pickups SET seq = 1", 1, "wrong_effect"),
        ("UPDATE journal SET seq = seq + 1 WHERE seq = 5", 6, "gap"),
        ("DELETE FROM meta WHERE key = 'public_key_1'", 1, "unknown_key"),
    ],
)
def test_tampering_is_found_where_it_was_done(
    bench: LedgerBench, statement: str, seq: int, code: str
) -> None:
    bench.ledger.db.conn.execute("PRAGMA foreign_keys = OFF")
    bench.ledger.db.conn.execute(statement)
    wrong = verify_journal(bench.ledger)["first_wrong"]
    assert (wrong["gen"], wrong["seq"], wrong["code"]) == (1, seq, code)


def test_a_record_swapped_for_a_well_signed_one_breaks_the_chain_after_it(bench: LedgerBench) -> None:
    resigned(bench, 1, bench.key, officer="budi")
    wrong = verify_journal(bench.ledger)["first_wrong"]
    assert (wrong["seq"], wrong["code"]) == (2, "broken_chain")


def test_another_keys_record_does_not_hold(bench: LedgerBench) -> None:
    resigned(bench, 5, Ed25519PrivateKey.generate(), officer="budi")
    assert verify_journal(bench.ledger)["first_wrong"]["code"] == "bad_signature"


def test_a_record_in_anothers_place_is_found(bench: LedgerBench) -> None:
    resigned(bench, 5, bench.key, seq=7)
    assert verify_journal(bench.ledger)["first_wrong"]["code"] == "misplaced"


def test_a_tail_that_was_cut_off_after_it_was_acknowledged_is_found(bench: LedgerBench) -> None:
    assert acknowledge(bench.ledger, 1, 5, 5, hash_of(bench, 5)) is Acknowledged.TAKEN
    bench.ledger.db.conn.execute("DELETE FROM journal WHERE seq = 5")
    wrong = verify_journal(bench.ledger)["first_wrong"]
    assert (wrong["seq"], wrong["code"]) == (5, "cut_off")
    bench.ledger.db.conn.execute("DELETE FROM journal WHERE gen = 1 AND seq > 5")


def test_erased_private_text_leaves_the_chain_whole(bench: LedgerBench) -> None:
    bench.ledger.db.conn.execute("UPDATE journal_private SET text = NULL")
    assert verify_journal(bench.ledger)["intact"]


def test_a_damaged_record_is_named_by_the_list_too(bench: LedgerBench) -> None:
    bench.ledger.db.conn.execute("UPDATE journal SET record = x'ff' WHERE seq = 5")
    with pytest.raises(EnvironmentFault) as refused:
        list_records(bench.ledger)
    assert (refused.value.code, refused.value.detail) == ("journal_damaged", {"gen": 1, "seq": 5})


def test_the_list_says_what_is_acknowledged_newest_first(bench: LedgerBench) -> None:
    acknowledge(bench.ledger, 1, 4, 4, hash_of(bench, 4))
    listed = list_records(bench.ledger, last=3)
    assert [(one["seq"], one["acknowledged"]) for one in listed] == [(5, False), (4, True), (3, True)]
    assert [one["seq"] for one in list_records(bench.ledger, type_="void")] == [3]
    assert bench.ledger.waiting() == 1


def test_the_export_is_what_goes_over_the_wire(bench: LedgerBench) -> None:
    lines = list(export_lines(bench.ledger, "IRM1"))
    assert [line["seq"] for line in lines] == [1, 2, 3, 4, 5]
    assert record_hash(base64.b64decode(lines[4]["record"])).hex() == hash_of(bench, 5)
    assert lines[3]["private"]["text"] == "rahasia"
    assert "private" not in lines[4]


def test_every_gap_and_every_wrong_record_is_named_not_only_the_first(bench: LedgerBench) -> None:
    for _ in range(7):
        bench.note()
    bench.ledger.db.conn.execute("PRAGMA foreign_keys = OFF")
    bench.ledger.db.conn.execute("DELETE FROM journal WHERE seq IN (4, 7, 8)")
    bench.ledger.db.conn.execute("UPDATE journal SET signature = zeroblob(64) WHERE seq = 10")
    answer = verify_journal(bench.ledger)
    assert [(one["seq"], one["code"]) for one in answer["findings"]] == [
        (5, "gap"),
        (9, "gap"),
        (10, "bad_signature"),
    ]
    assert answer["findings"][1]["message"] == "records 7 to 8 are missing"
    assert answer["first_wrong"] == answer["findings"][0]


def test_other_bytes_than_central_acknowledged_are_a_fork(bench: LedgerBench) -> None:
    assert acknowledge(bench.ledger, 1, 5, 5, hash_of(bench, 5)) is Acknowledged.TAKEN
    resigned(bench, 5, bench.key, officer="budi")
    answer = verify_journal(bench.ledger)
    assert [(one["seq"], one["code"]) for one in answer["findings"]] == [(5, "fork")]


def test_an_overspend_names_the_right_and_the_pickups(bench: LedgerBench) -> None:
    bench.dispense("h1/beras/2026-11", 4, partial=True)
    bench.dispense("h1/beras/2026-11", 6, partial=True)
    assert verify_journal(bench.ledger)["intact"]
    bench.ledger.db.conn.execute("UPDATE rights SET granted = 7, quantity_left = 0")
    (found,) = verify_journal(bench.ledger)["findings"]
    assert (found["code"], found["right"], found["granted"], found["spent"]) == (
        "overspend",
        "h1/beras/2026-11",
        7,
        10,
    )
    assert found["refs"] == ["IRM1-0006", "IRM1-0007"]


def test_a_balance_that_the_pickups_do_not_bear_out_is_found(bench: LedgerBench) -> None:
    bench.ledger.db.conn.execute("UPDATE rights SET quantity_left = 11")
    (found,) = verify_journal(bench.ledger)["findings"]
    assert (found["code"], found["left"], found["granted"]) == ("wrong_balance", 11, 10)


def test_what_was_handed_out_without_a_right_overspends_no_grant(bench: LedgerBench) -> None:
    """A tolerated pickup at epoch 0 is central's to judge."""
    bench.dispense("h1/beras/2026-11", 10)
    bench.ledger.db.conn.execute(
        """INSERT INTO pickups (ref, gen, seq, right, program_id, program_version, card, quantity, spends,
               epoch_incarnation, epoch_n, officer, wall_ms)
           VALUES ('IRM1-9999', 1, 9999, 'h1/beras/2026-11', 'beras', 1, '', 10, 10, 0, 0, 'rina', 0)"""
    )
    assert verify_journal(bench.ledger)["intact"]


def test_a_walk_goes_on_over_many_pages_and_generations(bench: LedgerBench) -> None:
    for _ in range(600):
        bench.ledger.db.conn.execute("SELECT 1")
        bench.note()
    assert verify_journal(bench.ledger)["records"] == 605


def test_an_acknowledgement_counts_only_with_our_own_hash(bench: LedgerBench) -> None:
    assert acknowledge(bench.ledger, 1, 3, 2, hash_of(bench, 3)) is Acknowledged.TAKEN
    assert acknowledge(bench.ledger, 1, 2, 2, hash_of(bench, 2)) is Acknowledged.TAKEN
    assert bench.ledger.acked(1) == 3  # an older word takes nothing back
    assert acknowledge(bench.ledger, 1, 4, 4, hash_of(bench, 5)) is Acknowledged.OTHER_HEAD
    assert (bench.ledger.acked(1), bench.ledger.meta("frozen")) == (3, FORKED)


def test_more_than_there_is_freezes(bench: LedgerBench) -> None:
    assert acknowledge(bench.ledger, 1, 6, 6, "00" * 32) is Acknowledged.ROLLED_BACK
    assert (bench.ledger.acked(1), bench.ledger.meta("frozen")) == (0, ROLLED_BACK)


def test_what_central_lost_waits_again(bench: LedgerBench) -> None:
    acknowledge(bench.ledger, 1, 5, 5, hash_of(bench, 5))
    forget_acknowledged(bench.ledger, 1, 2)
    assert (bench.ledger.acked(1), bench.ledger.waiting()) == (2, 3)
    assert verify_journal(bench.ledger)["intact"]
    forget_acknowledged(bench.ledger, 1, 4)
    assert bench.ledger.acked(1) == 2


def test_a_weaker_reason_never_replaces_a_stronger_one(bench: LedgerBench) -> None:
    freeze_ledger(bench.ledger, FROZEN_BY_CENTRAL)
    thaw(bench.ledger)
    assert bench.ledger.meta("frozen") == ""
    for why in (STALE_GENERATION, FORKED, FROZEN_BY_CENTRAL, ROLLED_BACK):
        freeze_ledger(bench.ledger, why)
    thaw(bench.ledger)
    assert bench.ledger.meta("frozen") == FORKED
    freeze_ledger(bench.ledger, REVOKED)
    assert bench.ledger.meta("frozen") == REVOKED
