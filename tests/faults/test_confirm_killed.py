"""``confirm`` killed in the middle of its work: nothing is half done, nothing is done twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

import pytest

from tests.e2e.town import CHECK, CHILD, FARMER, FERTILISER, KIOSK, MOTHER, RICE, ROOT, KioskAt, Town
from tests.faults.counter_work import counter_of, dispensed, journal_of, state_of

pytestmark = pytest.mark.slow

ELDER, AUNT, ONE_PROGRAM, LONG_NAME = "4438987150", "9423380311", "7990390259", "2911459168"
NEW_CARD, FARMERS_WIFE, WARD = "8713380205", "4621035502", "7562865928"
AID, BOOKS, MONEY = "bantuan-lansia", "buku-pelajaran", "transport-siswa"
PAIRS = (
    (MOTHER, RICE), (MOTHER, CHECK), (ELDER, CHECK), (ELDER, AID), (AUNT, CHECK), (ONE_PROGRAM, CHECK),
    (LONG_NAME, AID), (LONG_NAME, CHECK), (NEW_CARD, CHECK), (NEW_CARD, RICE), (FARMERS_WIFE, RICE),
    (FARMER, FERTILISER), (CHILD, BOOKS), (CHILD, MONEY), (WARD, BOOKS),
)  # fmt: skip


def log_size(kiosk: KioskAt) -> int:
    """How much the ledger's write-ahead log holds."""
    try:
        return (kiosk.home / "ledger.db-wal").stat().st_size
    except FileNotFoundError:
        return 0


def wait_for_growth(kiosk: KioskAt, process: subprocess.Popen[bytes], times: int) -> None:
    """Until the ledger's log has grown that many times, or the process has ended."""
    seen = log_size(kiosk)
    while times and process.poll() is None:
        now = log_size(kiosk)
        if now > seen:
            times -= 1
        seen = now


def test_killed_at_random_points(town: Town) -> None:
    """Anywhere in its life, or as its writes to the ledger begin to land."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    kiosk = town.kiosk("IRM1")
    began = time.monotonic()
    kiosk.status()
    life_s = 1.5 * (time.monotonic() - began)
    answered: set[tuple[str, str]] = set()
    killed = 0
    for index, (card, program) in enumerate(PAIRS):
        with kiosk.start(*kiosk.confirm_words(card, program), officer="rina") as process:
            if index % 3:
                wait_for_growth(kiosk, process, rng.randint(1, 8))
                time.sleep(rng.uniform(0, 0.003))
            else:
                time.sleep(rng.uniform(0.3, 1.0) * life_s)
            process.kill()
            said, _ = process.communicate()
            killed += process.returncode == -signal.SIGKILL
        if b'"ref"' in said:
            answered.add((card, program))
    assert killed

    verified = kiosk.verify()
    assert verified.code == 0, verified.answer
    records = dispensed(kiosk)
    assert len({record["right"] for record in records}) == len(records), "a right was handed out twice"
    recorded = {(record["card"], record["program"]): record["ref"] for record in records}
    assert answered <= recorded.keys(), "what was said to be recorded is not"
    # Whoever was interrupted comes again: what is recorded is taken, everything else can be handed out.
    with counter_of(kiosk) as counter:
        taken = {pair for pair in PAIRS if state_of(counter, *pair) == "taken"}
        unshown = {pickup.ref for pickup in counter.unshown()}
    assert taken == recorded.keys()
    assert {ref for pair, ref in recorded.items() if pair not in answered} <= unshown
    left = next(pair for pair in (*PAIRS, (FARMER, "benih-padi")) if pair not in recorded or pair == PAIRS[0])
    again = kiosk.confirm(*left)
    assert again.fault == ("already_taken" if left in recorded else "")

    town.start_central()
    assert kiosk.sync().answer["waiting"] == 0
    books = town.books()
    assert books.of("IRM1") == journal_of(kiosk).hashes
    assert {(one.card, one.program) for one in books.handed} == recorded.keys() | {left}
    assert books.cases == []


def test_killed_between_recorded_and_shown(town: Town) -> None:
    """The pickup is recorded and the answer never came out: an officer says whether it was handed over."""
    kiosk = town.kiosk("IRM1")
    for card, program, handed_over in ((MOTHER, CHECK, True), (MOTHER, RICE, False)):
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        try:
            while True:
                os.write(writing, b"\n" * 4096)
        except BlockingIOError:
            os.set_blocking(writing, True)
        before = len(dispensed(kiosk))
        with kiosk.start(*kiosk.confirm_words(card, program), officer="rina", stdout=writing) as process:
            town.wait_for(lambda had=before: len(dispensed(kiosk)) > had, "the pickup in the journal")
            process.kill()
        os.close(reading)
        os.close(writing)

        ref = dispensed(kiosk)[-1]["ref"]
        assert kiosk.status()["unshown"] == [ref]
        assert kiosk.confirm(card, program).fault == "already_taken"
        with counter_of(kiosk) as counter:
            session = counter.sign_in("rina", "240517")
            counter.answer_unshown(ref, handed_over, session)
            assert counter.unshown() == []
        assert kiosk.row(card, program)["state"] == ("taken" if handed_over else "needs_document")

    town.start_central()
    assert kiosk.sync().answer["waiting"] == 0
    books = town.books()
    assert [(one.card, one.program) for one in books.handed] == [(MOTHER, CHECK)]
    assert (books.types["dispense"], books.types["void"]) == (2, 1)


def test_nobody_reads_the_answer(town: Town) -> None:
    """The terminal went away: the pickup is recorded, counts as unshown, and can be asked about."""
    kiosk = town.kiosk("IRM1")
    reading, writing = os.pipe()
    os.close(reading)
    words = [*KIOSK, *kiosk.confirm_words(MOTHER, CHECK), "--json"]
    done = subprocess.run(
        words, env=kiosk.environment("rina"), cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"kmc-kiosk: nobody reads the answer\n")
    (record,) = dispensed(kiosk)
    assert kiosk.status()["unshown"] == [record["ref"]]
