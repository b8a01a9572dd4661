"""The one door: chain, durability, several processes, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kiosk.errors import EnvironmentFault, OfficerFault
from kiosk.journal import MAX_PRIVATE_CHARS, Draft, Identity, Journal
from kiosk.journal_format import ZERO_HASH, encode, record_hash
from kiosk.journal_walk import verify_journal
from tests.kiosk.ledger_bench import LedgerBench

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[LedgerBench]:
    """A ledger of generation 1."""
    made = LedgerBench(tmp_path / "ledger.db")
    yield made
    made.close()


def appender(bench: LedgerBench, count: int, *more: str) -> subprocess.Popen[str]:
    """A process that appends ``count`` notes once it is told to go."""
    key = bench.key.private_bytes_raw().hex()
    command = [sys.executable, "-m", "tests.kiosk.appending", str(bench.path), key, str(count), *more]
    made = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert made.stdout is not None
    assert made.stdout.readline() == "ready\n"
    return made


def go(process: subprocess.Popen[str]) -> None:
    """Lets it append."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_records_are_chained_numbered_and_signed(bench: LedgerBench) -> None:
    first = bench.note(officer="rina")
    second = bench.note(card="7000000001", private="namanya")
    assert (first.seq, first.prev, second.seq) == (1, ZERO_HASH, 2)
    assert second.prev == record_hash(encode(first))
    assert verify_journal(bench.ledger)["heads"] == {
        "1": {"seq": 2, "hash": record_hash(encode(second)).hex()}
    }


def test_a_decision_that_refuses_appends_nothing(bench: LedgerBench) -> None:
    def decide(connection: Any) -> Draft:
        connection.execute("INSERT INTO meta (key, value) VALUES ('half', 'done')")
        raise OfficerFault("no", "not now")

    with pytest.raises(OfficerFault):
        bench.journal.append(decide)
    assert (bench.ledger.head_seq(1), bench.ledger.meta("half")) == (0, "")
    assert bench.note().seq == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [("x" * (MAX_PRIVATE_CHARS + 1), "text_too_long"), ("ny\udce9", "text_malformed")],
)
def test_private_text_that_could_never_be_sent_is_refused(bench: LedgerBench, text: str, code: str) -> None:
    with pytest.raises(OfficerFault) as refused:
        bench.note(private=text)
    assert (refused.value.code, bench.ledger.head_seq(1)) == (code, 0)
    assert bench.note(private="x" * MAX_PRIVATE_CHARS).seq == 1


def test_a_process_of_an_older_generation_appends_no_more(bench: LedgerBench) -> None:
    bench.note()
    bench.ledger.set_meta(gen="2")
    with pytest.raises(EnvironmentFault) as refused:
        bench.note()
    assert (refused.value.code, bench.ledger.head_seq(1)) == ("enrolled_again", 1)
    newer = Journal(bench.ledger, Identity("IRM1", 2, bench.key), bench.clock)
    assert newer.append(lambda _: Draft(type="note")).seq == 1


def test_a_clock_before_1970_does_not_stop_the_counter(bench: LedgerBench) -> None:
    bench.clock.at = datetime(1969, 12, 31, tzinfo=UTC)
    assert bench.note().wall == 0
    assert verify_journal(bench.ledger)["intact"]


def test_two_processes_append_at_once_without_gap_or_fork(bench: LedgerBench) -> None:
    processes = [appender(bench, 40) for _ in range(2)]
    for process in processes:
        go(process)
    numbers = [[int(line) for line in process.communicate(timeout=60)[0].split()] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(numbers[0] + numbers[1]) == list(range(1, 81))
    assert verify_journal(bench.ledger) | {"heads": {}} == {"records": 80, "intact": True, "heads": {}}


def test_what_was_said_to_be_recorded_survives_kill_9(bench: LedgerBench) -> None:
    said = 0
    for kill_after in (1, 3, 8):
        process = appender(bench, 10_000)
        go(process)
        assert process.stdout is not None
        for _ in range(kill_after):
            said = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        rest = process.communicate(timeout=60)[0]
        said = max([said, *(int(line) for line in rest.splitlines() if line.isdigit())])
        answer = verify_journal(bench.ledger)
        assert answer["intact"], answer
        assert bench.ledger.head_seq(1) >= said
    assert bench.note().seq == bench.ledger.head_seq(1)


def test_a_file_that_may_not_grow_is_a_full_disk_and_loses_nothing(bench: LedgerBench) -> None:
    bench.note()
    most = max(path.stat().st_size for path in bench.path.parent.iterdir()) + 200_000
    process = appender(bench, 10_000, str(most))
    go(process)
    *numbers, last = process.communicate(timeout=60)[0].splitlines()
    assert json.loads(last)["code"] == "disk_full"
    assert len(numbers) > 3
    assert verify_journal(bench.ledger)["records"] == int(numbers[-1]) == bench.ledger.head_seq(1)
    assert bench.note().seq == int(numbers[-1]) + 1
