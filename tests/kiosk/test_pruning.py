"""Pruning: only what is durable and old goes, the chain holds from the anchor on, and spent stays spent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk import anchor, pruning
from kiosk.acknowledgement import Acknowledged, acknowledge, forget_acknowledged
from kiosk.errors import EnvironmentFault, OfficerFault
from kiosk.journal import Draft
from kiosk.journal_format import KEY_ROLL
from kiosk.journal_walk import verify_journal
from kiosk.ledger import ANCHOR, JOURNAL, JOURNAL_PRIVATE, PICKUPS, RIGHTS
from kiosk.voiding import void
from tests.kiosk.ledger_bench import LedgerBench, grant

RICE = "h1/beras/2026-11"
HORIZON = 90


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[LedgerBench]:
    """Ten records: a pickup, its void, another pickup, notes with private text."""
    made = LedgerBench(tmp_path / "ledger.db")
    made.take_in(grant(RICE))
    made.void(made.dispense(RICE, 10))
    made.dispense(RICE, 10)
    for _ in range(7):
        made.note(private="rahasia")
    yield made
    made.close()


def acked(bench: LedgerBench, seq: int, durable: int | None = None) -> None:
    """Central has everything up to there."""
    head = bench.ledger.row(f"SELECT hash FROM {JOURNAL} WHERE seq = ?", seq)[0].hex()
    outcome = acknowledge(bench.ledger, 1, seq, seq if durable is None else durable, head)
    assert outcome is Acknowledged.TAKEN


def prune(bench: LedgerBench, days: int = HORIZON) -> int:
    return pruning.prune(bench.ledger, bench.journal.identity, bench.clock, days)


def seqs(bench: LedgerBench) -> list[int]:
    return [row[0] for row in bench.ledger.rows(f"SELECT seq FROM {JOURNAL} ORDER BY seq")]


def test_only_what_is_durable_and_old_goes(bench: LedgerBench) -> None:
    acked(bench, 8, durable=6)
    assert prune(bench) == 0
    bench.clock.go_on(timedelta(days=HORIZON))
    assert prune(bench) == 0
    bench.clock.go_on(timedelta(seconds=1))
    assert prune(bench) == 6
    assert seqs(bench) == [7, 8, 9, 10]
    assert prune(bench) == 0
    answer = verify_journal(bench.ledger)
    assert (answer["intact"], answer["anchors"], answer["records"]) == (True, {"1": 6}, 4)
    assert bench.ledger.rows(f"SELECT seq FROM {JOURNAL_PRIVATE} ORDER BY seq") == [(7,), (8,), (9,), (10,)]


def test_a_young_record_holds_back_those_behind_it(bench: LedgerBench) -> None:
    bench.clock.go_on(timedelta(days=HORIZON + 1))
    bench.note()
    bench.clock.at -= timedelta(days=HORIZON + 1)  # a clock that went back
    bench.note()
    acked(bench, 12)
    bench.clock.go_on(timedelta(days=HORIZON + 1, seconds=1))
    assert prune(bench) == 10
    assert seqs(bench) == [11, 12]


def test_the_newest_record_always_stays_and_the_chain_goes_on_behind_it(bench: LedgerBench) -> None:
    acked(bench, 10)
    bench.clock.go_on(timedelta(days=HORIZON + 1))
    assert prune(bench) == 9
    assert (seqs(bench), bench.ledger.head_seq(1), bench.ledger.generations()) == ([10], 10, [1])
    assert bench.note().seq == 11
    acked(bench, 11)
    assert prune(bench) == 1
    assert verify_journal(bench.ledger)["anchors"] == {"1": 10}
    assert verify_journal(bench.ledger)["intact"]


def test_a_long_journal_goes_in_short_steps(bench: LedgerBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "RECORDS_AT_ONCE", 4)
    acked(bench, 10)
    bench.clock.go_on(timedelta(days=HORIZON + 1))
    assert [prune(bench) for _ in range(4)] == [4, 4, 1, 0]
    assert verify_journal(bench.ledger)["intact"]


def test_what_is_left_of_a_right_does_not_change(bench: LedgerBench) -> None:
    """A renewal that central made before it had the void still counts the void, which is pruned by now."""
    bench.take_in(grant("h2/beras/2026-11", not_after=2**40))
    first = bench.dispense("h2/beras/2026-11", 10)
    bench.void(first)
    bench.take_in(grant("h2/beras/2026-11", n=2, quantity=0, upto_seq=first.seq, not_after=2**40))
    bench.take_in(grant("h2/beras/2026-11", n=3, quantity=5, upto_seq=first.seq, not_after=2**40))
    before = bench.left("h2/beras/2026-11")
    assert before == 15
    bench.note()
    acked(bench, 13)
    bench.clock.go_on(timedelta(days=HORIZON + 1))
    assert prune(bench) == 12
    bench.take_in(grant("h2/beras/2026-11", n=4, quantity=5, upto_seq=first.seq, not_after=2**40))
    assert bench.left("h2/beras/2026-11") == before
    assert verify_journal(bench.ledger)["intact"]


def test_a_pruned_pickup_can_still_be_voided_once(bench: LedgerBench) -> None:
    acked(bench, 10)
    bench.clock.go_on(timedelta(days=HORIZON + 1))
    prune(bench)
    pickup = bench.ledger.row(f"SELECT ref FROM {PICKUPS} WHERE voided = 0")[0]
    void(bench.journal, pickup, "returned", "salah", "rina", lambda _: None)
    with pytest.raises(OfficerFault) as fault:
        void(bench.journal, pickup, "returned", "salah", "rina", lambda _: None)
    assert fault.value.code == "already_voided"
    assert verify_journal(bench.ledger)["intact"]


def test_rights_go_only_when_given_back_ended_and_pruned(bench: LedgerBench) -> None:
    acked(bench, 10)
    bench.clock.go_on(timedelta(days=31 + HORIZON))
    prune(bench)

    def forget() -> int:
        bench.ledger.db.conn.execute(f"UPDATE {PICKUPS} SET shown = 1")
        return pruning.forget_ended_rights(bench.ledger, bench.clock, HORIZON)

    assert forget() == 0  # held
    bench.release(RICE)
    assert forget() == 0  # its release is not pruned yet
    bench.note()
    acked(bench, 12)
    bench.clock.go_on(timedelta(days=HORIZON + 1))
    assert prune(bench) == 2
    assert forget() == 1
    assert bench.ledger.rows(f"SELECT * FROM {RIGHTS}") == bench.ledger.rows(f"SELECT * FROM {PICKUPS}") == []
    assert verify_journal(bench.ledger)["intact"]


def test_a_record_that_does_not_hold_is_not_swept_away(bench: LedgerBench) -> None:
    acked(bench, 10)
    bench.clock.go_on(timedelta(days=HORIZON + 1))
    bench.ledger.db.conn.execute(f"UPDATE {JOURNAL} SET signature = zeroblob(64) WHERE seq = 4")
    with pytest.raises(EnvironmentFault) as fault:
        prune(bench)
    assert (fault.value.code, len(seqs(bench))) == ("journal_damaged", 10)


@pytest.mark.parametrize(
    "change",
    [
        lambda it: {"seq": it.seq + 1},
        lambda it: {"head": bytes(32)},
        lambda it: {"kiosk": "HDM1"},
        lambda it: {"gen": 2},
    ],
)
def test_an_anchor_that_says_something_else_is_found(bench: LedgerBench, change: Any) -> None:
    acked(bench, 10)
    bench.clock.go_on(timedelta(days=HORIZON + 1))
    prune(bench)
    made, _ = anchor.read(bench.ledger.row(f"SELECT signature FROM {ANCHOR}")[0])
    forged = anchor.make(replace(made, **change(made)), bench.key, b"IRM1.1")
    bench.ledger.db.conn.execute(f"UPDATE {ANCHOR} SET signature = ?", (forged,))
    assert "bad_anchor" in [one["code"] for one in verify_journal(bench.ledger, "IRM1")["findings"]]


def test_a_strangers_anchor_is_found(bench: LedgerBench) -> None:
    acked(bench, 10)
    bench.clock.go_on(timedelta(days=HORIZON + 1))
    prune(bench)
    made, _ = anchor.read(bench.ledger.row(f"SELECT signature FROM {ANCHOR}")[0])
    forged = anchor.make(made, Ed25519PrivateKey.generate(), b"IRM1.1")
    bench.ledger.db.conn.execute(f"UPDATE {ANCHOR} SET signature = ?", (forged,))
    assert verify_journal(bench.ledger)["first_wrong"]["code"] == "bad_anchor"


def test_records_taken_away_behind_the_anchor_are_a_gap(bench: LedgerBench) -> None:
    acked(bench, 10, durable=5)
    bench.clock.go_on(timedelta(days=HORIZON + 1))
    assert prune(bench) == 5
    bench.ledger.db.conn.execute("PRAGMA foreign_keys = OFF")
    bench.ledger.db.conn.execute(f"DELETE FROM {JOURNAL} WHERE seq IN (6, 7)")
    wrong = verify_journal(bench.ledger)["first_wrong"]
    assert (wrong["seq"], wrong["code"]) == (8, "gap")


def test_the_walk_goes_on_under_a_key_that_was_rolled_before_the_anchor(tmp_path: Path) -> None:
    rolled = Ed25519PrivateKey.generate()
    public = rolled.public_key().public_bytes_raw()
    bench = LedgerBench(tmp_path / "ledger.db")
    bench.journal.identity = replace(
        bench.journal.identity, rolled=lambda asked: rolled if asked == public else None
    )
    bench.note()
    bench.journal.append(lambda _: Draft(type=KEY_ROLL, detail={"public": public}))
    bench.note()
    bench.note()
    acked(bench, 4, durable=3)
    bench.clock.go_on(timedelta(days=HORIZON + 1))
    assert prune(bench) == 3
    assert anchor.read(bench.ledger.row(f"SELECT signature FROM {ANCHOR}")[0])[0].public == public
    assert verify_journal(bench.ledger)["intact"]
    bench.close()


def test_words_about_pruned_records_change_nothing(bench: LedgerBench) -> None:
    heads = {row[0]: row[1].hex() for row in bench.ledger.rows(f"SELECT seq, hash FROM {JOURNAL}")}
    acked(bench, 10, durable=6)
    bench.clock.go_on(timedelta(days=HORIZON + 1))
    prune(bench)
    for seq in (3, 6):
        assert acknowledge(bench.ledger, 1, seq, seq, heads[seq]) is Acknowledged.TAKEN
    assert (bench.ledger.acked(1), bench.ledger.meta("frozen")) == (10, "")
    assert acknowledge(bench.ledger, 1, 6, 6, "00" * 32) is Acknowledged.OTHER_HEAD
    forget_acknowledged(bench.ledger, 1, 2)
    assert bench.ledger.acked(1) == 6  # what is not here any more cannot be sent again
