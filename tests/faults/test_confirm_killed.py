"""``confirm`` killed in the middle of its work: nothing is half done, nothing is done twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest

from tests.e2e.town import CHECK, CHILD, FARMER, FERTILISER, KIOSK, MOTHER, RICE, ROOT, KioskAt, Town
from tests.faults.counter_work import counter_of, dispensed, journal_of, state_of
from tests.faults.counting import HandOuts, agree
from tests.faults.faulty_disk import Under
from tests.faults.shifts import seeded, shift, sort_out

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


def kills_of_the_command(town: Town, pairs: tuple[tuple[str, str], ...]) -> None:
    """``confirm`` killed anywhere in its life, or as its writes to the ledger begin to land."""
    kiosk, handed, rng = town.kiosk("IRM1"), HandOuts(), seeded("killed")
    began = time.monotonic()
    kiosk.status()
    life_s = 1.5 * (time.monotonic() - began)
    killed = 0
    for index, (card, program) in enumerate(pairs):
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
            ref = json.loads(said)["ref"]
            handed.add(ref, next(one["right"] for one in dispensed(kiosk) if one["ref"] == ref))
    assert killed
    assert kiosk.verify().code == 0
    records = dispensed(kiosk)
    assert len({record["right"] for record in records}) == len(records), "a right was handed out twice"
    seen = {(record["card"], record["program"]): record["ref"] for record in records}
    # Whoever was interrupted comes again: what is recorded is taken, everything else can be handed out.
    with counter_of(kiosk) as counter:
        assert {pair for pair in pairs if state_of(counter, *pair) == "taken"} == seen.keys()
    sort_out(kiosk, handed)
    finish("confirm killed", killed, handed, town)


def kills_at_the_counter(town: Town, disk_under: Under, tries: int) -> None:
    """Killed before any of the operations by which it changes its files."""
    kiosk, handed, rng = town.kiosk("IRM1"), HandOuts(), seeded("killed")
    disk = disk_under(kiosk.home)
    killed = 0
    for _ in range(tries):
        pickups = rng.randint(1, 2)
        done = shift(
            kiosk,
            handed,
            rng.randrange(2**32),
            pickups,
            rng.randint(0, pickups),
            disk=disk.environment(kill_at=rng.randint(1, 42 + 28 * pickups)),
        )
        assert done.code in (0, -signal.SIGKILL), done
        killed += done.code != 0
        sort_out(kiosk, handed)
    assert killed > tries // 2
    assert kiosk.verify().code == 0
    finish("kill -9 at the counter", killed, handed, town)


def finish(fault: str, tries: int, handed: HandOuts, town: Town) -> None:
    """Central comes back and has what was handed out."""
    kiosk = town.kiosk("IRM1")
    assert shift(kiosk, handed, 1, 1).code == 0, "it does not go on"
    town.start_central()
    assert kiosk.sync().answer["waiting"] == 0
    agree(fault, tries, handed, town)
    books = town.books()
    assert books.of("IRM1") == journal_of(kiosk).hashes
    assert books.cases == []


def test_the_command_is_killed(town: Town) -> None:
    kills_of_the_command(town, PAIRS[:4])


def test_killed_at_the_counter(town: Town, disk_under: Under) -> None:
    kills_at_the_counter(town, disk_under, 5)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(3))
def test_the_command_is_killed_often(town: Town, part: int) -> None:
    kills_of_the_command(town, PAIRS[part:])


@pytest.mark.soak
@pytest.mark.parametrize("part", range(4))
def test_killed_at_the_counter_often(town: Town, disk_under: Under, part: int) -> None:
    """Four towns, so that there is always somebody who has something to collect."""
    kills_at_the_counter(town, disk_under, 50)


def test_killed_between_recorded_and_shown(town: Town) -> None:
    """The pickup is recorded and the answer never came out: an officer says whether it was handed over."""
    kiosk, refs = town.kiosk("IRM1"), []
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
        refs.append(ref)
        assert kiosk.status()["unshown"] == [ref]
        assert kiosk.confirm(card, program).fault == "already_taken"
        with counter_of(kiosk) as counter:
            session = counter.sign_in("rina", "240517")
            counter.answer_unshown(ref, handed_over, session)
            assert counter.unshown() == []
        assert kiosk.row(card, program)["state"] == ("taken" if handed_over else "needs_document")

    town.start_central()
    assert kiosk.sync().answer["waiting"] == 0
    handed = HandOuts()
    handed.add(refs[0], kiosk.row(MOTHER, CHECK)["right"])
    agree("killed between recorded and shown", 2, handed, town)
    books = town.books()
    assert [(one.card, one.program) for one in books.handed] == [(MOTHER, CHECK)]
    assert (books.types["dispense"], books.types["void"]) == (2, 1)


def test_nobody_reads_the_answer(town: Town) -> None:
    """The terminal went away: the pickup is recorded, counts as unshown, is asked about, and stayed here."""
    kiosk, handed = town.kiosk("IRM1"), HandOuts()
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
    sort_out(kiosk, handed)
    finish("nobody reads the answer", 1, handed, town)
