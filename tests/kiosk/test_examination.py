"""The doctor's checks of the kiosk itself, on a kiosk in order and on each thing that can be wrong."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from datetime import timedelta
from pathlib import Path

import pytest

from kiosk import examination, sync_state
from kiosk.clock import unix_ms
from kiosk.values import CheckStatus, Finding, Mode
from kiosk.virtual_readers import state_file
from tests.kiosk.counter_world import SetClock, World

GOOD, ATTENTION, BAD = CheckStatus.GOOD, CheckStatus.ATTENTION, CheckStatus.BAD
Usage = namedtuple("Usage", "total used free")


def checked(folder: Path, clock: SetClock) -> dict[str, Finding]:
    """The findings by check; what is not good has a fix, and every one has evidence."""
    found = {one.check: one for one in examination.examine(folder, clock)}
    for one in found.values():
        assert one.evidence
        assert one.again
        assert bool(one.fix) == (one.status in (ATTENTION, BAD)), one
    return found


def synced(world: World) -> None:
    now = unix_ms(world.clock.now())
    sync_state.save(world.path, sync_state.SyncState(online=True, last_success_ms=now, current_ms=now))


def test_a_kiosk_in_order(world: World) -> None:
    synced(world)
    found = checked(world.path, world.clock)
    off = {check for check, one in found.items() if one.status is not GOOD}
    # What this machine has not; and a list of keys that is older than the clock says.
    assert off <= {"device_keys", "rollback_counter", "disk", "city_keys", "virtual_readers"}
    assert BAD not in {one.status for one in found.values()}
    assert {"enrolment", "city_keys", "ledger", "dispensing", "clock", "cache", "sync"} <= set(found)


def test_nothing_enrolled(tmp_path: Path) -> None:
    found = checked(tmp_path, SetClock())
    assert (found["enrolment"].status, set(found)) == (ATTENTION, {"disk", "enrolment"})


def test_no_folder(tmp_path: Path) -> None:
    assert checked(tmp_path / "gone", SetClock())["disk"].status is BAD


@pytest.mark.parametrize(
    ("free", "status"), [(50 * 1024**2, BAD), (500 * 1024**2, ATTENTION), (2 * 1024**3, GOOD)]
)
def test_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, status: CheckStatus) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, free))
    assert checked(tmp_path, SetClock())["disk"].status is status


def test_keys_that_anybody_reads(world: World) -> None:
    (world.path / "device.keys").chmod(0o644)
    found = checked(world.path, world.clock)["device_keys"]
    assert (found.status, "keys_exposed" in found.evidence) == (BAD, True)


def test_a_file_of_keys_is_told(world: World) -> None:
    assert checked(world.path, world.clock)["device_keys"].status is ATTENTION


def test_keys_of_the_city_that_end(world: World) -> None:
    last = max(key.until for key in world.home.keyset().keys)
    world.clock.go_on(timedelta(seconds=last - world.clock.now().timestamp() + 1))
    assert checked(world.path, world.clock)["city_keys"].status is BAD


def test_a_list_of_keys_that_is_old(world: World) -> None:
    world.clock.go_on(timedelta(days=examination.KEYSET_AGE_DAYS + 2))
    assert checked(world.path, world.clock)["city_keys"].status is ATTENTION


def test_a_damaged_ledger(world: World) -> None:
    ledger = world.path / "ledger.db"
    world.ledger.db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with ledger.open("r+b") as file:
        file.seek(ledger.stat().st_size - 4096 + 100)
        file.write(b"\x00\xff\x00\xff")
    found = checked(world.path, world.clock)["ledger"]
    assert (found.status, found.fix) == (BAD, "kmc-kiosk journal salvage")


def test_a_kiosk_that_is_stopped(world: World) -> None:
    world.ledger.set_meta(frozen="kiosk_stopped")
    found = checked(world.path, world.clock)["dispensing"]
    assert (found.status, "kiosk_stopped" in found.evidence) == (BAD, True)
    world.ledger.set_meta(frozen="ledger_salvaged")
    assert "kmc-kiosk enrol TICKET" in checked(world.path, world.clock)["dispensing"].fix


def test_a_clock_that_went_back(world: World) -> None:
    world.sign_in()
    world.clock.at -= timedelta(days=3)
    assert checked(world.path, world.clock)["clock"].status is BAD


def test_no_cache_yet(world: World) -> None:
    world.caches.close()
    for path in world.path.glob("cache.*"):
        path.unlink()
    assert checked(world.path, world.clock)["cache"].status is ATTENTION


def test_a_damaged_cache(world: World) -> None:
    world.cache.db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (path,) = world.path.glob("cache.*.db")
    with path.open("r+b") as file:
        file.seek(path.stat().st_size - 4096 + 100)
        file.write(b"\x00\xff\x00\xff")
    found = checked(world.path, world.clock)["cache"]
    assert (found.status, found.fix) == (BAD, "kmc-kiosk sync --once")


def test_sync_of_long_ago(world: World) -> None:
    sync_state.save(world.path, sync_state.SyncState())
    assert checked(world.path, world.clock)["sync"].evidence == "never"
    synced(world)
    world.clock.go_on(timedelta(days=examination.SYNC_AGE_DAYS, hours=1))
    found = checked(world.path, world.clock)["sync"]
    assert (found.status, "journal export" in found.fix) == (ATTENTION, True)


def test_every_mistake_in_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KMC_HOME", str(tmp_path))
    assert [one.status for one in examination.examine_settings()] == [GOOD]
    (tmp_path / "kiosk.toml").write_text("[readers.nfc]\ndevise = 1\n[screen]\nsession_s = -1\n")
    found = examination.examine_settings()
    assert [one.status for one in found] == [BAD, BAD]
    assert "device" in found[0].evidence


def test_sound_and_printer_say_what_they_see() -> None:
    assert examination.examine_sound().evidence
    assert examination.examine_printer().status in (GOOD, CheckStatus.ABSENT)


def test_virtual_readers_of_a_demonstration(world: World) -> None:
    found = checked(world.path, world.clock)["virtual_readers"]
    assert found.status is CheckStatus.ABSENT
    state_file(world.path).write_text(json.dumps({"udp_port": 5001, "http_port": 5002, "pid": 1}))
    found = checked(world.path, world.clock)["virtual_readers"]  # it says that it runs, and nobody answers
    assert (found.status, "virtual_not_running" in found.evidence) == (BAD, True)


def test_production_has_no_virtual_readers(tmp_path: Path) -> None:
    made = World(tmp_path, Mode.PRODUCTION)
    assert "virtual_readers" not in checked(made.path, made.clock)
    made.counter.close()
    made.caches.close()
