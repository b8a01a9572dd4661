"""The doctor's checks of the way to central."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from kiosk.values import CheckStatus
from sync.examination import examine
from sync.kiosk_end import CentralAddress
from tests.sync.central_side import Clock
from tests.sync.scripted_server import Asked, Connection, ScriptedServer
from tests.sync.served_central import KioskClock, served

GOOD, ATTENTION, BAD = CheckStatus.GOOD, CheckStatus.ATTENTION, CheckStatus.BAD


def test_a_central_that_answers(tmp_path: Path) -> None:
    clock = Clock()
    with served(tmp_path / "central", clock) as town:
        found = {one.check: one for one in examine(CentralAddress(town.url), KioskClock(clock))}
        assert {one.status for one in found.values()} == {GOOD}
        assert "answers in" in found["central"].evidence
        for seconds, status in ((40, ATTENTION), (400, BAD), (-400, BAD)):
            late = Clock(clock.now + seconds)
            found = {one.check: one for one in examine(CentralAddress(town.url), KioskClock(late))}
            assert found["clock_difference"].status is status
            assert ("ahead" in found["clock_difference"].evidence) == (seconds > 0)


def test_no_address() -> None:
    (found,) = examine(CentralAddress(""), KioskClock(Clock()))
    assert (found.status, "enrol" in found.fix) == (ATTENTION, True)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    (found,) = examine(CentralAddress(f"http://127.0.0.1:{port}"), KioskClock(Clock()))
    assert (found.status, "central_unreachable" in found.evidence, bool(found.fix)) == (BAD, True, True)


def test_a_proxy_that_is_none() -> None:
    (found,) = examine(CentralAddress("http://127.0.0.1:9", proxy="nonsense"), KioskClock(Clock()))
    assert (found.status, "central.proxy" in found.fix) == (BAD, True)


@pytest.mark.parametrize("body", [b"<html>Please sign in</html>", b"{}", b'{"time_ms": "soon"}', b"[1]"])
def test_something_else_answers(body: bytes) -> None:
    def page(connection: Connection, asked: Asked) -> None:
        connection.plain(200, body)

    with ScriptedServer(answer=page).running() as server:
        (found,) = examine(CentralAddress(server.url), KioskClock(Clock()))
    assert (found.status, "not central's answer" in found.evidence) == (BAD, True)
