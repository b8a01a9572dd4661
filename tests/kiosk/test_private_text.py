"""Private text at the kiosk: erased when central keeps it and it is old, without breaking the chain."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from kiosk import private_text
from kiosk.acknowledgement import acknowledge
from kiosk.journal import Identity
from kiosk.journal_format import commitment
from kiosk.journal_walk import verify_journal
from kiosk.ledger import JOURNAL, JOURNAL_PRIVATE, Ledger
from kiosk.upkeep import REST_MS, Upkeep, UpkeepLimits
from tests.kiosk.deciphered import plain_pages
from tests.kiosk.ledger_bench import LedgerBench

DAYS = 30
SECRET = "ibu dari anak itu"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[LedgerBench]:
    """Four notes with private text, of which central keeps three."""
    made = LedgerBench(tmp_path / "ledger.db")
    for _ in range(4):
        made.note(private=SECRET)
    head = made.ledger.row(f"SELECT hash FROM {JOURNAL} WHERE seq = 3")[0].hex()
    acknowledge(made.ledger, 1, 3, 3, head)
    yield made
    made.close()


def texts(ledger: Ledger) -> list[str | None]:
    return [row[0] for row in ledger.rows(f"SELECT text FROM {JOURNAL_PRIVATE} ORDER BY seq")]


def test_only_what_central_keeps_and_what_is_old_goes(bench: LedgerBench) -> None:
    assert private_text.erase_old(bench.ledger, bench.clock, DAYS) == 0
    bench.clock.go_on(timedelta(days=DAYS, seconds=1))
    assert private_text.erase_old(bench.ledger, bench.clock, DAYS) == 3
    assert texts(bench.ledger) == [None, None, None, SECRET]
    assert private_text.erase_old(bench.ledger, bench.clock, DAYS) == 0
    assert verify_journal(bench.ledger)["intact"]


def test_the_salt_goes_too_or_a_name_could_be_guessed(bench: LedgerBench) -> None:
    bench.clock.go_on(timedelta(days=DAYS, seconds=1))
    salts = [row[0] for row in bench.ledger.rows(f"SELECT salt FROM {JOURNAL_PRIVATE} ORDER BY seq")]
    private_text.erase_old(bench.ledger, bench.clock, DAYS)
    left = [row[0] for row in bench.ledger.rows(f"SELECT salt FROM {JOURNAL_PRIVATE} ORDER BY seq")]
    assert left == [b"", b"", b"", salts[3]]
    assert commitment(salts[3], SECRET) != commitment(b"", SECRET)


def test_nothing_of_it_is_left_in_the_files(bench: LedgerBench) -> None:
    """Seen through the cipher: every page of the file, the free ones too, without the text."""
    bench.clock.go_on(timedelta(days=DAYS, seconds=1))
    head = bench.ledger.row(f"SELECT hash FROM {JOURNAL} WHERE seq = 4")[0].hex()
    acknowledge(bench.ledger, 1, 4, 4, head)
    bench.ledger.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"".join(plain_pages(bench.path)).count(SECRET.encode()) == 4
    assert private_text.erase_old(bench.ledger, bench.clock, DAYS) == 4
    assert b"".join(plain_pages(bench.path)).count(SECRET.encode()) == 0
    assert bench.path.with_name("ledger.db-wal").stat().st_size == 0


def test_upkeep_rests_when_there_is_nothing_and_waits_while_the_date_is_in_doubt(bench: LedgerBench) -> None:
    identity = Identity("IRM1", 1, bench.key)
    upkeep = Upkeep(bench.ledger, identity, bench.clock, UpkeepLimits(90, DAYS))
    assert upkeep.run().nothing
    bench.clock.go_on(timedelta(days=DAYS + 1))
    assert upkeep.run().erased == 3
    assert upkeep.run().nothing
    bench.note(private=SECRET)
    bench.clock.mono += REST_MS - 1
    bench.clock.at -= timedelta(days=20)  # behind the highest time seen
    bench.clock.mono += 2
    assert upkeep.run().nothing
    assert texts(bench.ledger)[3:] == [SECRET, SECRET]
