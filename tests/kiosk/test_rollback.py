"""The rollback counter: an old ledger is refused on the spot; the TPM's counter does what the port says."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kiosk import rollback
from kiosk.errors import EnvironmentFault, OfficerFault
from kiosk.freezing import ROLLED_BACK
from kiosk.home import Home
from kiosk.journal import Identity
from kiosk.ledger import Ledger
from kiosk.ports import RollbackCounter
from kiosk.upkeep import Upkeep, UpkeepLimits
from kiosk.values import Checks, Collector
from tests.house.tpm import running_tpm
from tests.kiosk.counter_world import World
from tests.kiosk.ledger_bench import KEY, LedgerBench


@dataclass
class BoardCounter:
    """A counter as a board has it, in memory: it begins anywhere and only goes up."""

    at: int = 0
    begins: int = 41
    steps: int = 0
    fault: EnvironmentFault | None = None

    def value(self) -> int:
        if self.fault:
            raise self.fault
        return self.at

    def advance(self, to: int) -> None:
        if self.fault:
            raise self.fault
        self.at = self.at or self.begins
        if to - self.at > rollback.MAX_STEPS:
            raise EnvironmentFault(rollback.FAILED, "too far")
        while self.at < to:
            self.at += 1
            self.steps += 1


@pytest.fixture(params=["board", "tpm"])
def counter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RollbackCounter]:
    """The contract holds for the one in memory and for a TPM 2.0 in software."""
    if request.param == "board":
        yield BoardCounter()
        return
    with running_tpm(tmp_path / "tpm") as tpm:
        yield tpm.counter()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[LedgerBench]:
    """A ledger."""
    made = LedgerBench(tmp_path / "ledger.db")
    yield made
    made.close()


def test_a_counter_only_goes_up(counter: RollbackCounter) -> None:
    assert counter.value() == 0
    counter.advance(1)
    first = counter.value()
    assert first >= 1
    counter.advance(first)
    assert counter.value() == first
    counter.advance(first + 3)
    assert counter.value() == first + 3
    counter.advance(1)
    assert counter.value() == first + 3
    with pytest.raises(EnvironmentFault) as fault:
        counter.advance(first + 10_000)
    assert fault.value.code == "rollback_counter_failed"


def test_an_old_ledger_is_refused(bench: LedgerBench, counter: RollbackCounter, tmp_path: Path) -> None:
    for _ in range(3):
        assert rollback.advance(bench.ledger, counter, bench.clock, at_start=True) == ()
    image = tmp_path / "image"
    image.mkdir()
    bench.ledger.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(bench.path, image / "ledger.db")
    assert rollback.check(bench.ledger, counter) == ()
    assert rollback.advance(bench.ledger, counter, bench.clock, at_start=True) == ()
    assert (rollback.check(bench.ledger, counter), bench.ledger.meta("frozen")) == ((), "")

    older = Ledger(image / "ledger.db", KEY)
    assert rollback.check(older, counter) == ()
    assert older.meta("frozen") == ROLLED_BACK
    before = counter.value()
    rollback.advance(older, counter, bench.clock, at_start=True)
    assert (counter.value(), older.meta("frozen")) == (before, ROLLED_BACK)
    older.close()


def test_a_stop_between_ledger_and_counter_is_no_rollback(bench: LedgerBench) -> None:
    counter = BoardCounter()
    rollback.advance(bench.ledger, counter, bench.clock, at_start=True)
    counter.fault = EnvironmentFault(rollback.FAILED, "gone")
    known = int(bench.ledger.meta(rollback.COUNTER_META))
    bench.ledger.set_meta(rollback_counter=str(known + 1))  # the ledger was raised, the counter not yet
    counter.fault = None
    assert rollback.check(bench.ledger, counter) == ()
    assert rollback.advance(bench.ledger, counter, bench.clock, at_start=True) == ()
    assert (counter.at, bench.ledger.meta("frozen")) == (known + 2, "")


def test_it_is_raised_at_starts_and_then_only_now_and_then(bench: LedgerBench) -> None:
    counter = BoardCounter()
    upkeep = Upkeep(bench.ledger, Identity("IRM1", 1, bench.key), bench.clock, UpkeepLimits(), counter)
    upkeep.started()
    steps = counter.steps
    for _ in range(20):
        upkeep.synced()
    assert counter.steps == steps
    bench.clock.mono += rollback.ADVANCE_EVERY_MS
    upkeep.synced()
    upkeep.synced()
    assert counter.steps == steps + 1
    bench.clock.boot = "boot-2"
    upkeep.synced()
    assert counter.steps == steps + 2


def test_a_counter_that_fails_or_is_not_there_refuses_nothing(bench: LedgerBench) -> None:
    broken = BoardCounter(fault=EnvironmentFault(rollback.FAILED, "no answer"))
    assert rollback.check(bench.ledger, broken) == ("rollback_counter_failed",)
    assert rollback.advance(bench.ledger, broken, bench.clock, at_start=True) == ("rollback_counter_failed",)
    assert rollback.check(bench.ledger, None) == ("no_rollback_counter",)
    bench.ledger.set_meta(rollback_counter="7")
    assert rollback.check(bench.ledger, BoardCounter()) == ("no_rollback_counter",)  # another board
    assert bench.ledger.meta("frozen") == ""


def test_processes_that_raise_it_at_once_never_raise_it_past_the_ledger(bench: LedgerBench) -> None:
    counter = BoardCounter()
    rollback.advance(bench.ledger, counter, bench.clock, at_start=True)
    failed: list[BaseException] = []

    def work() -> None:
        ledger = Ledger(bench.path, KEY)
        try:
            for _ in range(10):
                rollback.advance(ledger, counter, bench.clock, at_start=True)
                assert int(ledger.meta(rollback.COUNTER_META)) >= counter.at
        except BaseException as fault:
            failed.append(fault)
        finally:
            ledger.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert (bench.ledger.meta("frozen"), counter.at) == ("", int(bench.ledger.meta(rollback.COUNTER_META)))


def test_a_rolled_back_kiosk_hands_out_nothing_and_says_why(world: World) -> None:
    counter = BoardCounter()
    rollback.advance(world.ledger, counter, world.clock, at_start=True)
    world.take_in(world.grant())
    counter.advance(counter.at + 1)  # what the image that came back does not know of
    world.counter.close()
    world.home = Home(world.path, find_counter=lambda: counter)
    world.counter = world.open_counter()
    status = world.counter.status()
    assert (status.frozen, "no_rollback_counter" in status.warnings) == (ROLLED_BACK, False)
    session = world.sign_in()
    with pytest.raises(OfficerFault) as fault:
        world.counter.confirm(
            world.counter.read(world.card(), session), "beras", 10_000, Collector(), Checks(), session
        )
    assert (fault.value.code, fault.value.detail["why"]) == ("frozen", ROLLED_BACK)


def test_a_kiosk_without_a_counter_says_so(world: World) -> None:
    assert "no_rollback_counter" in world.counter.status().warnings


def test_there_is_none_without_the_device_or_the_tools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rollback.find_counter(tmp_path / "tpmrm0") is None
    device = tmp_path / "tpmrm0"
    device.touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert rollback.find_counter(device) is None


def test_tools_that_fail_or_hang_are_a_fault_with_a_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    tool = tmp_path / "tpm2_getcap"
    counter = rollback.TpmCounter("device:/nowhere", deadline_s=0.3)
    for script, told in (
        ("#!/bin/sh\nexec sleep 30\n", "did not end"),
        ("#!/bin/sh\necho ERROR: nobody there >&2\nexit 1\n", "nobody there"),
    ):
        tool.write_text(script)
        tool.chmod(0o755)
        with pytest.raises(EnvironmentFault, match=told) as fault:
            counter.value()
        assert fault.value.code == "rollback_counter_failed"


def test_a_tpm_that_went_away_is_a_fault(tmp_path: Path) -> None:
    with running_tpm(tmp_path / "tpm") as tpm:
        counter = tpm.counter()
        counter.advance(1)
    with pytest.raises(EnvironmentFault) as fault:
        counter.value()
    assert fault.value.code == "rollback_counter_failed"


def test_the_tpm_keeps_its_counter_over_a_start(tmp_path: Path) -> None:
    with running_tpm(tmp_path / "tpm") as tpm:
        tpm.counter().advance(5)
        before = tpm.counter().value()
    with running_tpm(tmp_path / "tpm") as tpm:
        assert tpm.counter().value() == before
