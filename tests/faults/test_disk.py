"""A disk that is full, and databases whose bytes were changed: said aloud, and never papered over."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.town import CHECK, MOTHER, RICE, KioskAt, Town
from tests.faults.counter_work import dispensed, hand_out_to_many, pick_up
from tests.faults.counting import HandOuts, agree
from tests.faults.shifts import seeded, shift, sort_out

pytestmark = pytest.mark.slow


def flip(path: Path, at: int) -> None:
    """Turns one byte of a file over."""
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 0xFF]))


def flip_pages(path: Path) -> None:
    """Turns a byte over in every page of a database of 4096-byte pages."""
    for page in range(path.stat().st_size // 4096):
        flip(path, page * 4096 + 1000)


def mount(folder: Path) -> bool:
    """Mounts a small file system of its own; False where that is not allowed."""
    words = ["mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs", str(folder)]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(town: Town) -> Iterator[Path]:
    """The folder of IRM1 on a small disk of its own."""
    home = town.home / "IRM1"
    aside = home.rename(town.home / "aside")
    home.mkdir()
    assert mount(home)
    try:
        subprocess.run(["cp", "-a", f"{aside}/.", str(home)], check=True)
        yield home
    finally:
        subprocess.run(["umount", str(home)], check=True)


def may_mount() -> bool:
    """True if a file system may be mounted here: by root in most places, not in every container."""
    with tempfile.TemporaryDirectory() as folder:
        mounted = mount(Path(folder))
        if mounted:
            subprocess.run(["umount", folder], check=True)
    return mounted


if may_mount():  # elsewhere the shim of test_disk_fails stands for it

    def test_a_full_disk(town: Town, small_disk: Path) -> None:
        kiosk = town.kiosk("IRM1")
        ballast = small_disk / "ballast"
        full = False
        with ballast.open("wb") as file:
            while not full:
                try:
                    os.write(file.fileno(), bytes(4096))
                except OSError as error:
                    full = error.errno == errno.ENOSPC
        outcome = kiosk.confirm(MOTHER, CHECK)
        assert (outcome.code, outcome.fault, outcome.answer["family"]) == (1, "disk_full", "environment")
        ballast.unlink()
        assert dispensed(kiosk) == []
        handed = HandOuts()
        pick_up(kiosk, handed, MOTHER, CHECK)
        town.start_central()
        assert kiosk.sync().answer["waiting"] == 0
        agree("disk full, a small file system", 1, handed, town)


def cache_file(kiosk: KioskAt) -> Path:
    """The cache in use."""
    return kiosk.home / f"cache.{(kiosk.home / 'cache.current').read_text()}.db"


def test_a_cache_with_flipped_bytes_is_rebuilt(town: Town) -> None:
    kiosk, handed = town.kiosk("IRM1"), HandOuts()
    pick_up(kiosk, handed, MOTHER, CHECK)
    damaged = cache_file(kiosk)
    flip_pages(damaged)
    for words in (["show", "--card", MOTHER], kiosk.confirm_words(MOTHER, RICE)):
        outcome = kiosk.run(*words, officer="rina")
        assert (outcome.code, outcome.fault) == (1, "database_damaged"), outcome.answer
        assert outcome.answer["detail"]["file"] == damaged.name
    town.start_central()
    code, report = kiosk.sync()
    assert code == 0, report
    assert report["rows"] > 100
    assert cache_file(kiosk) != damaged
    assert not damaged.exists()
    # What was handed out here stands in the ledger, which nobody touched.
    assert kiosk.row(MOTHER, CHECK)["state"] == "taken"
    pick_up(kiosk, handed, MOTHER, RICE)
    assert kiosk.sync().answer["waiting"] == 0
    agree("cache with flipped bytes", 1, handed, town)


def test_a_cache_that_is_gone_torn_or_no_database(town: Town) -> None:
    kiosk, handed = town.kiosk("IRM1"), HandOuts()
    pick_up(kiosk, handed, MOTHER, RICE)
    town.start_central()
    whole = cache_file(kiosk).read_bytes()
    for content in (b"", b"nothing" * 1000, whole[: 2 * 4096 + 512]):
        cache_file(kiosk).unlink()
        if content:
            cache_file(kiosk).write_bytes(content)
        assert kiosk.run("show", "--card", MOTHER).code == 1
        code, report = kiosk.sync()
        assert code == 0, report
        states = {one: kiosk.row(MOTHER, one)["state"] for one in (CHECK, RICE)}
        assert states == {CHECK: "ready", RICE: "taken"}
    pick_up(kiosk, handed, MOTHER, CHECK)
    assert kiosk.sync().answer["waiting"] == 0
    agree("cache gone, torn, or no database", 3, handed, town)


@pytest.mark.soak
def test_many_damaged_caches(town: Town) -> None:
    """One bit anywhere, or an end that never reached the disk, while the counter works on."""
    kiosk, handed, rng = town.kiosk("IRM1"), HandOuts(), seeded("damaged caches")
    town.start_central()
    noticed = 0
    for attempt in range(20):
        path = cache_file(kiosk)
        content = bytearray(path.read_bytes())
        if attempt % 2:
            del content[rng.randrange(4096, len(content)) :]
        else:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        done = shift(kiosk, handed, rng.randrange(2**32), 2)
        assert done.fault in ("", "database_damaged"), done
        noticed += bool(done.fault)
        assert kiosk.sync().answer["waiting"] == 0
        sort_out(kiosk, handed)
    assert noticed
    assert shift(kiosk, handed, 1, 1).code == 0
    assert kiosk.sync().answer["waiting"] == 0
    agree("cache damaged at random", 20, handed, town)


def test_a_ledger_with_flipped_bytes_is_never_made_anew(town: Town) -> None:
    kiosk, handed = town.kiosk("IRM1"), HandOuts()
    pick_up(kiosk, handed, MOTHER, CHECK)
    town.start_central()
    assert kiosk.sync().code == 0
    ledger = kiosk.home / "ledger.db"
    flip_pages(ledger)
    before = ledger.read_bytes()
    for words in (kiosk.confirm_words(MOTHER, RICE), ["sync", "--once"], ["journal", "verify"], ["status"]):
        outcome = kiosk.run(*words, officer="rina")
        assert (outcome.code, outcome.answer["family"]) == (1, "environment"), outcome.answer
        assert outcome.fault in ("ledger_damaged", "database_damaged")
        assert outcome.answer["detail"]["file"] == "ledger.db"
    assert ledger.read_bytes() == before
    agree("ledger with flipped bytes, everything sent", 1, handed, town)


def test_a_ledger_that_is_gone_is_never_made_anew(town: Town) -> None:
    kiosk, handed = town.kiosk("IRM1"), HandOuts()
    hand_out_to_many(kiosk, 1, handed)
    town.start_central()
    assert kiosk.sync().answer["waiting"] == 0
    (kiosk.home / "ledger.db").unlink()
    for words in (kiosk.confirm_words(MOTHER, RICE), ["sync", "--once"]):
        outcome = kiosk.run(*words, officer="rina")
        assert (outcome.code, outcome.fault) == (1, "ledger_missing")
    assert not (kiosk.home / "ledger.db").exists()
    agree("ledger gone, everything sent", 1, handed, town)
