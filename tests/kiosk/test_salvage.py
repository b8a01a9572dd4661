"""A damaged ledger: set aside whole, saved up to the last good record, and nothing recorded after it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk import salvage
from kiosk.acknowledgement import Acknowledged, acknowledge
from kiosk.enrolment import Enrolment
from kiosk.errors import EnvironmentFault, OfficerFault
from kiosk.freezing import SALVAGED
from kiosk.journal_format import pickup_ref
from kiosk.journal_walk import verify_journal
from kiosk.ledger import JOURNAL, JOURNAL_PRIVATE, PICKUPS, Ledger
from kiosk.salvage import Salvaged
from kiosk.values import Mode
from tests.kiosk.deciphered import PAGE, flip, plain_pages
from tests.kiosk.ledger_bench import KEY, LedgerBench, grant

ROOT = Path(__file__).parents[2]
RICE = "h1/beras/2026-11"
RECORDS = 120


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[LedgerBench]:
    """A kiosk's ledger of many pages, acknowledged in part."""
    made = LedgerBench(tmp_path / "ledger.db")
    made.take_in(grant(RICE))
    made.void(made.dispense(RICE, 10))
    made.dispense(RICE, 10)
    while made.ledger.head_seq(1) < RECORDS:
        made.note(private="x" * 300)
    acked(made, 20)
    yield made
    made.close()


def acked(bench: LedgerBench, seq: int) -> None:
    head = hash_of(bench.ledger, seq)
    assert acknowledge(bench.ledger, 1, seq, seq, head) is Acknowledged.TAKEN


def hash_of(ledger: Ledger, seq: int) -> str:
    return str(ledger.row(f"SELECT hash FROM {JOURNAL} WHERE gen = 1 AND seq = ?", seq)[0].hex())


def enrolled(bench: LedgerBench, gen: int = 1) -> Enrolment:
    return Enrolment("IRM1", gen, Mode.PRODUCTION, 1, public_of(bench), 1, 1)


def public_of(bench: LedgerBench) -> bytes:
    return bench.key.public_key().public_bytes_raw()


def run(bench: LedgerBench) -> Salvaged:
    return salvage.salvage(bench.path.parent, KEY, enrolled(bench), [public_of(bench)], bench.clock)


def opened(bench: LedgerBench) -> Ledger:
    return Ledger(bench.path, KEY)


def stop(bench: LedgerBench) -> bytearray:
    """Ends the kiosk cleanly and gives the file's bytes."""
    bench.close()
    assert not bench.path.with_name("ledger.db-wal").exists()
    return bytearray(bench.path.read_bytes())


def harm(bench: LedgerBench, seq: int) -> None:
    """Ends the kiosk and flips a bit in the page that holds a record."""
    signature = bench.ledger.row(f"SELECT signature FROM {JOURNAL} WHERE gen = 1 AND seq = ?", seq)[0]
    stop(bench)
    (page,) = [place for place, plain in enumerate(plain_pages(bench.path)) if signature in plain]
    flip(bench.path, page)


def test_a_sound_ledger_is_left_alone(bench: LedgerBench) -> None:
    before = bytes(stop(bench))
    with pytest.raises(OfficerFault) as fault:
        run(bench)
    assert fault.value.code == "ledger_sound"
    assert bench.path.read_bytes() == before
    assert [path.name for path in bench.path.parent.iterdir()] == ["ledger.db"]


def test_a_flipped_byte_saves_everything_before_it(bench: LedgerBench) -> None:
    harm(bench, 80)
    damaged = bench.path.read_bytes()
    done = run(bench)
    (kept,) = done.generations
    assert 70 < kept.upto < 80
    assert kept.records == kept.upto
    assert RECORDS - 90 < len(kept.beyond) < RECORDS - kept.upto
    assert kept.beyond[-1] == f"IRM1-{RECORDS:04d} note"
    # set aside byte for byte
    assert (bench.path.parent / done.quarantined).read_bytes() == damaged
    ledger = opened(bench)
    answer = verify_journal(ledger)
    assert (answer["intact"], answer["records"], answer["salvaged"]) == (True, kept.upto, {"1": kept.upto})
    assert (ledger.meta("frozen"), ledger.acked(1)) == (SALVAGED, 20)
    assert (
        ledger.rows(f"SELECT count(*) FROM {JOURNAL_PRIVATE}")[0][0] == kept.upto - 1
    )  # the void said no reason
    assert ledger.rows(f"SELECT ref, voided FROM {PICKUPS} ORDER BY ref") == [
        ("IRM1-0001", 1),
        ("IRM1-0003", 0),
    ]
    assert ledger.right(RICE) is None
    ledger.close()


def test_nothing_is_recorded_in_a_salvaged_ledger(bench: LedgerBench) -> None:
    harm(bench, 60)
    run(bench)
    bench.ledger = opened(bench)
    bench.journal.ledger = bench.ledger
    with pytest.raises(EnvironmentFault) as fault:
        bench.note()
    assert fault.value.code == "ledger_salvaged"


def test_central_that_has_what_was_cut_off_acknowledges_what_is_left(bench: LedgerBench) -> None:
    last = hash_of(bench.ledger, RECORDS)
    harm(bench, 60)
    (kept,) = run(bench).generations
    ledger = opened(bench)
    assert acknowledge(ledger, 1, RECORDS, RECORDS, last) is Acknowledged.TAKEN
    assert (ledger.acked(1), ledger.waiting(), ledger.meta("frozen")) == (kept.upto, 0, SALVAGED)
    assert verify_journal(ledger)["intact"]
    ledger.close()


@pytest.mark.parametrize("left", [0, 100, PAGE, 3 * PAGE + 17, 20 * PAGE])
def test_a_torn_file_saves_what_is_in_it(bench: LedgerBench, left: int) -> None:
    data = stop(bench)
    bench.path.write_bytes(data[:left])
    done = run(bench)
    assert (bench.path.parent / done.quarantined).read_bytes() == bytes(data[:left])
    (kept,) = done.generations
    ledger = opened(bench)
    answer = verify_journal(ledger)
    assert (answer["intact"], answer["records"]) == (True, kept.upto)
    assert ledger.meta("frozen") == SALVAGED
    bench.journal.ledger = ledger
    with pytest.raises(EnvironmentFault) as fault:
        bench.note()
    assert fault.value.code == "ledger_salvaged"
    ledger.close()


def test_random_damage_never_saves_what_does_not_hold(bench: LedgerBench) -> None:
    """Pages all over the file: what is saved is a prefix of what was recorded, byte for byte."""
    truth = dict(bench.ledger.rows(f"SELECT seq, record FROM {JOURNAL}"))
    data = stop(bench)
    reached = set()
    pages = len(data) // PAGE
    for page in range(0, pages, pages // 7):
        bench.path.write_bytes(data)
        flip(bench.path, page, (page * 37) % PAGE)
        (kept,) = run(bench).generations
        reached.add(kept.upto)
        ledger = opened(bench)
        saved = dict(ledger.rows(f"SELECT seq, record FROM {JOURNAL}"))
        ledger.close()
        assert saved == {seq: truth[seq] for seq in range(1, kept.upto + 1)}
        bench.path.unlink()
    assert len(reached) > 2


def test_what_was_in_the_log_is_saved_too(bench: LedgerBench) -> None:
    """A power cut: the newest records are in the write-ahead log alone."""
    bench.ledger.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    bench.note()
    cut = bench.path.parent / "cut"
    cut.mkdir()
    for suffix in ("", "-wal"):
        (cut / f"ledger.db{suffix}").write_bytes((bench.path.parent / f"ledger.db{suffix}").read_bytes())
    signature = bench.ledger.row(f"SELECT signature FROM {JOURNAL} WHERE seq = 60")[0]
    (page,) = [at for at, plain in enumerate(plain_pages(cut / "ledger.db")) if signature in plain]
    flip(cut / "ledger.db", page)
    done = salvage.salvage(cut, KEY, enrolled(bench), [public_of(bench)], bench.clock)
    assert (cut / f"{done.quarantined}-wal").exists()
    assert not any(path.name.startswith(".") for path in cut.iterdir())
    (kept,) = done.generations
    assert 50 < kept.upto < 60
    assert kept.beyond[-1] == f"IRM1-{RECORDS + 1:04d} note"
    ledger = Ledger(cut / "ledger.db", KEY)
    assert ledger.head_seq(1) == kept.upto
    ledger.close()


def test_a_changed_record_is_where_it_ends(bench: LedgerBench) -> None:
    """No page is damaged: somebody with the key changed a row."""
    bench.ledger.db.conn.execute(f"UPDATE {JOURNAL} SET signature = zeroblob(64) WHERE seq = 50")
    stop(bench)
    (kept,) = run(bench).generations
    assert (kept.upto, kept.beyond[0]) == (49, "IRM1-0050 note")


def test_a_pickup_nobody_saw_is_still_asked_about(bench: LedgerBench) -> None:
    ref = pickup_ref("IRM1", 1, 3)
    assert bench.ledger.row(f"SELECT shown FROM {PICKUPS} WHERE ref = ?", ref)[0] == 0
    bench.ledger.db.conn.execute(f"UPDATE {JOURNAL} SET signature = zeroblob(64) WHERE seq = 50")
    stop(bench)
    run(bench)
    ledger = opened(bench)
    assert ledger.row(f"SELECT shown FROM {PICKUPS} WHERE ref = ?", ref)[0] == 0
    ledger.close()


def test_a_ledger_that_another_process_has_open_is_not_moved(bench: LedgerBench) -> None:
    stop(bench)
    script = (
        "import sys; from pathlib import Path; from kiosk.ledger import Ledger\n"
        "from tests.kiosk.ledger_bench import KEY\n"
        "ledger = Ledger(Path(sys.argv[1]), KEY); print('open', flush=True); sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(bench.path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "open\n"
        size = bench.path.stat().st_size
        with bench.path.open("r+b") as file:
            file.seek(size - PAGE + 9)
            file.write(os.urandom(64))
        with pytest.raises(EnvironmentFault) as fault:
            run(bench)
        assert (fault.value.code, bench.path.exists()) == ("ledger_in_use", True)
        other.stdin.write("\n")
        other.stdin.flush()
        assert other.wait(timeout=30) == 0


def test_a_stop_in_between_is_mended_by_repeating(
    bench: LedgerBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    harm(bench, 60)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(salvage, "_write", fail)
        with pytest.raises(KeyboardInterrupt):
            run(bench)
    assert not bench.path.exists()
    (kept,) = run(bench).generations
    assert kept.upto > 1
    assert sorted(path.name for path in bench.path.parent.iterdir() if path.name.startswith(".")) == []


def test_a_second_damage_keeps_both_files(bench: LedgerBench) -> None:
    harm(bench, 60)
    first = run(bench)
    with bench.path.open("r+b") as file:
        file.seek(PAGE + 90)
        file.write(b"\x01\x02\x03")
    second = run(bench)
    assert first.quarantined != second.quarantined
    assert {first.quarantined, second.quarantined} < {path.name for path in bench.path.parent.iterdir()}


def test_without_any_ledger_there_is_nothing_to_salvage(bench: LedgerBench) -> None:
    stop(bench)
    bench.path.unlink()
    with pytest.raises(EnvironmentFault) as fault:
        run(bench)
    assert fault.value.code == "ledger_missing"
    assert list(bench.path.parent.iterdir()) == []
