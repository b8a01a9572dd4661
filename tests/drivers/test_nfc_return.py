"""A real reader process that is killed or unplugged, again and again: told soon, and back soon."""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from drivers import nfc_process
from drivers.lines import EXIT_GONE
from drivers.reader import Gone, Lifted, ReaderEvent, Ready
from drivers.supervisor import ReaderSupervisor
from kiosk.values import CardRead
from tests.drivers.nfc_rig import make_card, payload_of
from tests.drivers.serial_line import SerialReader
from tests.drivers.test_supervisor import Heard

GONE_S, BACK_S = 1.0, 3.0
"""Shown within, and reading again within, from the loss and from the return of the device."""
SHORT = 10
BUSY_S = 20.0
"""The same on a machine that is busy with other things: the median still holds to the above."""

pytestmark = pytest.mark.slow


class Losses(Heard):
    """Hears when a reader is lost and when it is ready again; counts what it has heard."""

    def wait_since(self, kind: type, count: int) -> None:
        """Waits for an event of this kind after the first ``count`` events."""
        deadline = time.monotonic() + 4 * BUSY_S
        while not any(isinstance(event, kind) for event in self.events[count:]):
            assert time.monotonic() < deadline, f"no {kind.__name__}; heard {self.events[count:][-5:]}"
            time.sleep(0.01)


@pytest.mark.parametrize("count", [SHORT, pytest.param(200, marks=pytest.mark.soak)])
def test_killed_or_unplugged_it_reads_again(count: int, tmp_path: Path) -> None:
    if count > SHORT:
        # A soak takes as long as it takes, also on a busy machine.
        faulthandler.cancel_dump_traceback_later()
    heard = Losses()
    gone_s, back_s = [], []
    command = [sys.executable, "-m", "kiosk.cli", "read", "nfc", "--device"]
    environment = {**os.environ, "KMC_HOME": str(tmp_path / "home")}
    with (
        SerialReader(tmp_path / "ttyNFC") as reader,
        ReaderSupervisor(
            [*command, reader.device], heard, after_hang=["--reset"], environment=environment
        ) as supervisor,
    ):
        heard.wait(lambda event: isinstance(event, Ready))
        for number in range(count):
            _tap(reader, heard, number)
            before = len(heard.events)
            begun = time.monotonic()
            if number % 2:
                os.kill(supervisor.pid, signal.SIGKILL)
            else:
                reader.unplug()
            heard.wait_since(Gone, before)
            gone_s.append(time.monotonic() - begun)
            if number % 2 == 0:
                begun = time.monotonic()
                reader.plug()
            heard.wait_since(Ready, before)
            back_s.append(time.monotonic() - begun)
        _tap(reader, heard, count)
    gone_s.sort()
    back_s.sort()
    print(f"{count} losses: told p50 {gone_s[count // 2]:.2f} s, most {gone_s[-1]:.2f} s;", end=" ")
    print(f"back p50 {back_s[count // 2]:.2f} s, most {back_s[-1]:.2f} s")
    assert gone_s[count // 2] <= GONE_S
    assert back_s[count // 2] <= BACK_S
    assert max(gone_s[-1], back_s[-1]) <= BUSY_S


def _tap(reader: SerialReader, heard: Losses, number: int) -> None:
    """A card is laid down, read and lifted."""
    before = len(heard.events)
    reader.card = make_card("NTAG215", number)
    heard.wait_since(CardRead, before)
    reads: list[ReaderEvent] = [event for event in heard.events[before:] if isinstance(event, CardRead)]
    assert [read.payload for read in reads if isinstance(read, CardRead)] == [payload_of(number)]
    reader.card = None
    heard.wait_since(Lifted, before)


@pytest.mark.parametrize("count", [SHORT, pytest.param(200, marks=pytest.mark.soak)])
def test_unplugged_it_is_opened_again_by_the_same_process(count: int, tmp_path: Path) -> None:
    commands_read, commands_write = os.pipe()
    lines_read, lines_write = os.pipe()
    gone_s, back_s = [], []
    with (
        SerialReader(tmp_path / "ttyNFC") as reader,
        os.fdopen(commands_read) as commands,
        os.fdopen(lines_read) as lines,
        os.fdopen(lines_write, "w") as out,
    ):

        def serve() -> None:
            while nfc_process.run(reader.device, out=out, commands=commands) == EXIT_GONE:
                pass

        def wait_for(event: str) -> float:
            while (line := json.loads(lines.readline()))["event"] != event:
                assert line["event"] != "fault", line
            return time.monotonic()

        process = threading.Thread(target=serve)
        process.start()
        try:
            wait_for("ready")
            for number in range(count):
                reader.card = make_card("NTAG215", number)
                wait_for("read")
                reader.card = None
                wait_for("lifted")
                begun = time.monotonic()
                reader.unplug()
                gone_s.append(wait_for("gone") - begun)
                begun = time.monotonic()
                reader.plug()
                back_s.append(wait_for("ready") - begun)
        finally:
            os.close(commands_write)
            process.join(20)
    print(f"{count} unplugged: told within {max(gone_s):.3f} s, back within {max(back_s):.3f} s")
    assert max(gone_s) <= GONE_S
    assert max(back_s) <= BACK_S
