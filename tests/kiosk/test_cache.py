"""The cache's files: which one is current, how it is swapped, and what damage does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kiosk.cache import Cache, damage_mark
from kiosk.cache_folder import POINTER_FILE, CacheFolder
from kiosk.errors import EnvironmentFault
from kiosk.feed_rows import COLUMNS, row_fault
from tests.kiosk.counter_world import World

KEY = b"c" * 32


def fault_of(code: str) -> pytest.RaisesExc[EnvironmentFault]:
    """An EnvironmentFault with that code."""
    return pytest.raises(EnvironmentFault, check=lambda fault: fault.code == code)


def load(folder: CacheFolder, **meta: str) -> int:
    """A new cache that takes over."""
    with folder.loading():
        number, cache = folder.create()
        cache.set_meta(**meta)
        cache.close()
        folder.make_current(number)
    return number


def names(home: Path) -> set[str]:
    """The files of caches."""
    return {path.name for path in home.glob("cache.*db*")}


def test_a_new_cache_takes_over_between_two_looks(tmp_path: Path) -> None:
    reader, loader = CacheFolder(tmp_path, KEY), CacheFolder(tmp_path, KEY)
    with fault_of("cache_missing"):
        reader.current()
    load(loader, cursor="one")
    old = reader.current()
    assert (old.meta("cursor"), reader.current() is old) == ("one", True)
    load(loader, cursor="two")
    assert reader.current().meta("cursor") == "two"
    assert names(tmp_path) - {"cache.2.db-wal", "cache.2.db-shm"} == {"cache.2.db"}
    reader.close()


def test_a_cache_wiped_and_loaded_again_under_the_same_number_is_opened_anew(tmp_path: Path) -> None:
    reader, loader = CacheFolder(tmp_path, KEY), CacheFolder(tmp_path, KEY)
    load(loader, cursor="one")
    assert reader.current().meta("cursor") == "one"
    loader.wipe()
    assert load(loader, cursor="two") == 1
    assert reader.current().meta("cursor") == "two"
    loader.wipe()
    with fault_of("cache_missing"):
        reader.current()
    assert names(tmp_path) == set()


def test_what_an_interrupted_load_left_is_cleared_and_never_current(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path, KEY)
    load(folder, cursor="one")
    with folder.loading():
        number, cache = folder.create()
        cache.close()
    assert (number, folder.current().meta("cursor")) == (2, "one")
    assert load(folder, cursor="three") == 2
    assert names(tmp_path) == {"cache.2.db"}
    folder.close()


def test_a_swap_between_pointer_and_file_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, loader = CacheFolder(tmp_path, KEY), CacheFolder(tmp_path, KEY)
    load(loader, cursor="one")
    read_pointer = CacheFolder.current_number
    swaps = [lambda: load(loader, cursor="two")]

    def pointer_then_swap(self: CacheFolder) -> int | None:
        number = read_pointer(self)
        if self is folder and swaps:
            swaps.pop()()
        return number

    monkeypatch.setattr(CacheFolder, "current_number", pointer_then_swap)
    assert folder.current().meta("cursor") == "two"
    folder.close()


def test_reading_never_makes_a_file(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path, KEY)
    (tmp_path / POINTER_FILE).write_text("7")
    with fault_of("database_missing"):
        folder.current()
    (tmp_path / "cache.7.db").write_bytes(b"")
    with fault_of("database_damaged"):
        folder.current()
    assert (tmp_path / "cache.7.db").stat().st_size == 0
    assert not folder.is_sound()


@pytest.mark.parametrize("text", ["", "x", "-1", "1e3", "9" * 5000, "²"])
def test_a_damaged_pointer_is_named_and_a_load_mends_it(tmp_path: Path, text: str) -> None:
    folder = CacheFolder(tmp_path, KEY)
    (tmp_path / POINTER_FILE).write_text(text, encoding="utf-8")
    with fault_of("cache_pointer_damaged"):
        folder.current()
    assert not folder.is_sound()
    load(folder)
    assert folder.is_sound()
    folder.close()


def test_a_wrong_key_is_damage_and_nothing_is_made_anew(tmp_path: Path) -> None:
    load(CacheFolder(tmp_path, KEY), cursor="one")
    before = (tmp_path / "cache.1.db").read_bytes()
    stranger = CacheFolder(tmp_path, b"x" * 32)
    with fault_of("database_damaged"):
        stranger.current()
    assert (tmp_path / "cache.1.db").read_bytes() == before


def test_a_flipped_byte_is_damage_and_is_noted_for_sync(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path, KEY)
    with folder.loading():
        number, cache = folder.create()
        with cache.writing() as connection:
            connection.executemany(
                "INSERT INTO program (id, version, doc, bucket, row_hash) VALUES (?, 1, ?, 'city', 0)",
                [(f"p{n}", os.urandom(1000).hex()) for n in range(200)],
            )
        cache.close()
        folder.make_current(number)
    path = tmp_path / "cache.1.db"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert folder.is_sound()  # it opens: the damage lies further in
    with fault_of("database_damaged"):
        folder.current().program_docs([f"p{n}" for n in range(200)])
    assert damage_mark(path).exists()
    assert not folder.is_sound()
    load(folder)
    assert folder.is_sound()
    assert names(tmp_path) - {"cache.2.db-wal", "cache.2.db-shm"} == {"cache.2.db"}
    folder.close()


def test_a_card_number_on_its_way_to_another_holder_is_the_active_ones(world: World) -> None:
    world.put("holder", 8, "7000000001", 2, "BARU", "1980-01-01", "0000", "", 0, 1, "active")
    world.put("holder", 9, "7000000001", 3, "LAMA", "1980-01-01", "0000", "", 0, 1, "blocked")
    found = world.cache.holder_by_card("7000000001")
    assert found is not None
    assert (found.id, world.cache.count("holder")) == (8, 3)


def test_subjects_that_nobody_belongs_to(world: World) -> None:
    assert world.cache.missing_subjects(["h1", "h2", "f7", "f8"]) == {"h2", "f8"}


def test_values_of_the_wrong_kind_are_found() -> None:
    sound = {
        kind: [1 if name in ("id", "version") else "x" for name in columns]
        for kind, columns in COLUMNS.items()
        if kind == "agency"
    }["agency"]
    assert row_fault("agency", sound) == ""
    for place, wrong, column in (
        (0, "1", "id"),
        (0, True, "id"),
        (0, 2**63, "id"),
        (1, None, "name"),
        (2, 5, "short"),
    ):
        assert row_fault("agency", [*sound[:place], wrong, *sound[place + 1 :]]) == column
    assert row_fault("agency", sound[:2]) == "columns"


def test_a_newer_programs_cache_is_left_alone(tmp_path: Path) -> None:
    load(CacheFolder(tmp_path, KEY))
    cache = Cache(tmp_path / "cache.1.db", KEY)
    cache.db.conn.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('cache', 'm999_later', '')"
    )
    cache.close()
    with fault_of("database_newer"):
        Cache(tmp_path / "cache.1.db", KEY)
