"""A ledger that is lost, damaged, locked or may not be written to: each has its code, none is made anew."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk import database
from kiosk.database import is_intact
from kiosk.errors import EnvironmentFault
from kiosk.ledger import Ledger
from kiosk.values import Checks, Collector
from tests.kiosk.counter_world import World
from tests.kiosk.ledger_bench import KEY, LedgerBench, grant

ROOT = Path(__file__).parents[2]
NOBODY = 65534


def fault_of(code: str) -> pytest.RaisesExc[EnvironmentFault]:
    """An EnvironmentFault with that code."""
    return pytest.raises(EnvironmentFault, check=lambda fault: fault.code == code)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[LedgerBench]:
    """A ledger with a right and some records."""
    made = LedgerBench(tmp_path / "ledger.db")
    made.take_in(grant("h1/beras/2026-11"))
    for _ in range(40):
        made.note(private="x" * 400)
    yield made
    made.close()


def test_a_ledger_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    with fault_of("ledger_missing"):
        Ledger(tmp_path / "ledger.db", KEY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00" + bytes(4080), os.urandom(8192)])
def test_a_ledger_that_lost_its_content_is_not_made_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    with fault_of("database_damaged"):
        Ledger(path, KEY)
    assert path.read_bytes() == content


def test_a_wrong_key_opens_nothing(bench: LedgerBench) -> None:
    with fault_of("database_damaged"):
        Ledger(bench.path, b"x" * 32)
    assert bench.note().seq == 41


def test_a_flipped_byte_is_found_and_nothing_is_repaired_in_silence(bench: LedgerBench) -> None:
    bench.close()
    data = bytearray(bench.path.read_bytes())
    places = range(4096 + 100, len(data), 4096)
    found = 0
    for place in places:
        data[place] ^= 4
        bench.path.write_bytes(data)
        found += _is_found(bench.path)
        data[place] ^= 4
    assert found == len(places)
    bench.path.write_bytes(data)
    sound = Ledger(bench.path, KEY)
    assert is_intact(sound) == []
    sound.close()


def _is_found(path: Path) -> bool:
    try:
        ledger = Ledger(path, KEY)
    except EnvironmentFault as fault:
        return fault.code == "database_damaged"
    try:
        return is_intact(ledger) != []
    except EnvironmentFault as fault:
        return fault.code == "database_damaged"
    finally:
        ledger.close()


def test_a_damaged_page_stops_writing_under_its_own_name(bench: LedgerBench) -> None:
    (page,) = bench.ledger.rows("SELECT rootpage FROM sqlite_master WHERE name = 'journal_private'")[0]
    bench.close()
    with bench.path.open("r+b") as file:
        file.seek((page - 1) * 4096 + 50)
        file.write(b"\xff\x00\xff")
    ledger = Ledger(bench.path, KEY)
    with fault_of("database_damaged"):
        ledger.rows("SELECT * FROM journal_private")
    with fault_of("database_damaged"):  # SQLCipher has shut the connection for writing
        ledger.set_meta(x="1")
    ledger.close()


def test_a_ledger_that_another_process_writes_to(bench: LedgerBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 100)
    other = Ledger(bench.path, KEY)
    with bench.ledger.writing(), fault_of("database_locked"):
        other.set_meta(x="1")
    other.set_meta(x="1")
    other.close()


def test_what_waits_for_the_lock_gets_it(bench: LedgerBench) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        other = Ledger(bench.path, KEY)
        with other.writing():
            entered.set()
            leave.wait()
        other.close()

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait()
    threading.Timer(0.2, leave.set).start()
    assert bench.note().seq == 41
    holder.join()


def test_a_ledger_of_a_newer_program_is_left_alone(bench: LedgerBench) -> None:
    bench.ledger.db.conn.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('ledger', 'm999_later', '')"
    )
    with fault_of("database_newer"):
        Ledger(bench.path, KEY)


def test_a_folder_that_may_not_be_written_to() -> None:
    """File modes do not hold root back, so the ledger is used as somebody else."""
    before = []
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv is missing: apt-get install util-linux")
        before = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    with tempfile.TemporaryDirectory(prefix="kmc-ledger-") as name:
        folder = Path(name)
        bench = LedgerBench(folder / "ledger.db")
        bench.note()
        bench.close()
        for path in (folder, *folder.iterdir()):
            if before:
                os.chown(path, NOBODY, NOBODY)
            path.chmod(0o500 if path == folder else 0o400)
        try:
            script = (
                "import sys; from pathlib import Path; from kiosk.ledger import Ledger\n"
                "from kiosk.errors import EnvironmentFault\n"
                "from tests.kiosk.ledger_bench import KEY\n"
                "try:\n    Ledger(Path(sys.argv[1]), KEY).set_meta(x='1')\n"
                "except EnvironmentFault as fault:\n    print(fault.code)\n"
            )
            ended = subprocess.run(
                [*before, sys.executable, "-B", "-c", script, str(bench.path)],
                cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
            )  # fmt: skip
        finally:
            folder.chmod(0o700)
        assert ended.stdout.split() == ["data_folder_read_only"]


def test_no_fault_of_the_driver_comes_out_of_the_counter(world: World) -> None:
    """Whatever table the disk took, the counter names it; nothing else comes out."""
    world.take_in(world.grant())
    rina = world.sign_in()
    visit = world.counter.read(world.card(), rina)
    pickup = world.counter.confirm(visit, "beras", 10_000, Collector(), Checks(), rina)
    calls: list[Callable[[], object]] = [
        lambda: world.counter.read(world.card(), rina),
        lambda: world.counter.refresh(visit, rina),
        lambda: world.counter.read_typed("7000000001", rina, "rusak"),
        lambda: world.counter.confirm(visit, "beras", 10_000, Collector(), Checks(), rina),
        lambda: world.counter.void(pickup.ref, "returned", "rusak", rina),
        lambda: world.counter.mark_shown(pickup.ref),
        world.counter.unshown,
        lambda: world.counter.answer_unshown(pickup.ref, True, rina),
        lambda: world.counter.today(rina),
        world.counter.status,
        lambda: world.counter.reveal(visit, "birth", rina),
        lambda: world.counter.sign_in("budi", "482913"),
    ]
    world.ledger.db.conn.execute("PRAGMA foreign_keys = OFF")
    for table in (
        "pickups",
        "rights",
        "journal_private",
        "acknowledged",
        "officer_delays",
        "journal",
        "meta",
    ):
        world.ledger.db.conn.execute(f"ALTER TABLE {table} RENAME TO gone_{table}")
    for call in calls:
        with fault_of("database_fault"):
            call()
