"""The log outside the database: on disk before the answer, shared flushes, files put aside, torn lines."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk.errors import EnvironmentFault
from sync.central.grant_journal import FILE, HORIZON_DAYS, GrantJournal
from sync.central.state import Central
from tests.sync.central_side import RICE, Clock, PlainKiosk

pytestmark = pytest.mark.anyio


@pytest.fixture
def log(tmp_path: Path) -> Iterator[GrantJournal]:
    """A log in an empty folder."""
    made = GrantJournal(tmp_path)
    yield made
    made.close()


def test_entries_come_back_in_order(log: GrantJournal, tmp_path: Path) -> None:
    log.keep([{"n": 1}, {"n": 2}])
    log.keep([])
    log.keep([{"n": 3}])
    assert [one["n"] for one in GrantJournal(tmp_path).entries()] == [1, 2, 3]
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_those_who_wait_share_a_flush(log: GrantJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    flushes: list[int] = []
    go_on = threading.Event()
    flush = os.fdatasync

    def slow(file: int) -> None:
        flushes.append(file)
        if len(flushes) == 1:
            assert go_on.wait(20)
        flush(file)

    monkeypatch.setattr("sync.central.grant_journal.os.fdatasync", slow)
    threads = [threading.Thread(target=log.keep, args=([{"n": n}],)) for n in range(8)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while log._asked < 8:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    go_on.set()
    for thread in threads:
        thread.join()
    assert len(flushes) == 2
    assert sorted(one["n"] for one in log.entries()) == list(range(8))


def test_nothing_is_answered_that_is_not_on_disk(log: GrantJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("sync.central.grant_journal.os.fdatasync", broken)
        with pytest.raises(EnvironmentFault, match="grants_log_failed"):
            log.keep([{"n": 1}])
    log.keep([{"n": 2}])
    assert {"n": 2} in list(log.entries())


def test_a_line_cut_off_by_a_crash_spoils_no_other(log: GrantJournal, tmp_path: Path) -> None:
    log.keep([{"n": 1}])
    log.close()
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"n": 2')
    log.keep([{"n": 3}])
    assert [one["n"] for one in log.entries()] == [1, 3]


def test_a_file_put_aside_is_written_to_no_more(log: GrantJournal, tmp_path: Path) -> None:
    log.keep([{"n": 1}])
    GrantJournal(tmp_path).begin_new(1000.0)
    log.keep([{"n": 2}])
    assert (tmp_path / FILE).read_bytes() == b'{"n":2}\n'
    assert [one["n"] for one in log.entries()] == [1, 2]
    (older,) = tmp_path.glob("grants-*.log")
    os.utime(older, (0, 0))
    log.begin_new(HORIZON_DAYS * 86_400 + 1.0)
    assert [one["n"] for one in log.entries()] == [2]


async def test_a_grant_is_in_the_log_before_it_is_answered(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, clock: Clock
) -> None:
    answer = await keeper.poll()
    keeper.release(RICE)
    await keeper.push()
    await second.acquire(RICE)
    kinds: list[dict[str, Any]] = list(central.outside.entries())
    assert [sum(kind in one for one in kinds) for kind in ("enrolment", "grant")] == [
        2,
        len(answer.grants) + 1,
    ]


@pytest.mark.expects_log("grants_log_failed")
async def test_without_the_log_no_grant_goes_out(
    central: Central, keeper: PlainKiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(GrantJournal, "_append", _full)
        response = await keeper.send("POST", "/v1/poll", {"gen": 1})
        assert (response.status_code, response.json()["code"]) == (503, "grants_log_failed")
        assert response.headers["retry-after"]
    assert (await keeper.poll()).grants


def _full(_: GrantJournal, _data: bytes) -> None:
    raise OSError(28, "No space left on device")
