"""The supervisor on real child processes: well, hung, crashing, unplugged, flooding, deaf."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.commands import Feedback, Stop
from drivers.reader import Faulted, Gone, Health, Lifted, ReaderEvent, Ready
from drivers.supervisor import Patience, ProcessSupervisor, ReaderSupervisor
from kiosk.errors import EnvironmentFault
from kiosk.values import CardRead

SWIFT = Patience(
    first_line_s=15.0,
    heartbeat_s=1.0,
    stop_s=1.0,
    gone_s=0.05,
    crash_first_s=0.05,
    crash_most_s=0.2,
    healthy_s=0.3,
)

HASTY = replace(SWIFT, crash_first_s=0.001, crash_most_s=0.001)

READY = 'say(\'{"event":"ready","kind":"nfc","device":"d","name":"Reader"}\')\n'
HEALTH = 'say(\'{"event":"health","polls":1,"reads":0,"faults":0}\')\n'
PRELUDE = """
import os, sys, time
def say(line):
    sys.stdout.write(line + "\\n")
    sys.stdout.flush()
def beat():
    say('{"event":"health","polls":1,"reads":0,"faults":0}')
def listen():
    import select
    while True:
        beat()
        if select.select([0], [], [], 0.1)[0]:
            data = os.read(0, 4096)
            if not data:
                sys.exit(0)
            yield data
"""


class Heard:
    """Collects events and waits for one that is wanted."""

    def __init__(self) -> None:
        self.events: list[ReaderEvent] = []
        self._changed = threading.Condition()

    def __call__(self, event: ReaderEvent) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait(self, wanted: Callable[[ReaderEvent], bool], count: int = 1) -> ReaderEvent:
        """The ``count``-th event that is wanted."""
        with self._changed:
            found = self._changed.wait_for(lambda: self._matching(wanted)[count - 1 : count], timeout=30)
            assert found, f"waited in vain; heard {self.events[-20:]}"
            return found[0]

    def _matching(self, wanted: Callable[[ReaderEvent], bool]) -> list[ReaderEvent]:
        return [event for event in self.events if wanted(event)]

    def gone(self) -> list[str]:
        """Codes of what was told gone."""
        return [event.fault.code for event in self.events if isinstance(event, Gone)]


def is_ready(event: ReaderEvent) -> bool:
    return isinstance(event, Ready)


def is_gone(event: ReaderEvent) -> bool:
    return isinstance(event, Gone)


@contextmanager
def supervised(script: str, patience: Patience = SWIFT) -> Iterator[tuple[ReaderSupervisor, Heard]]:
    heard = Heard()
    command = [sys.executable, "-c", PRELUDE + script]
    with ReaderSupervisor(command, heard, patience=patience) as supervisor:
        yield supervisor, heard


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_events_come_and_commands_go() -> None:
    script = READY + (
        'for data in listen():\n    say(\'{"event":"fault","family":"card","code":"echo",'
        '"message":"%s"}\' % data.decode().replace(\'"\', "\'").strip())\n'
    )
    with supervised(script) as (supervisor, heard):
        heard.wait(is_ready)
        assert supervisor.send(Feedback("ok"))
        fault = heard.wait(lambda event: isinstance(event, Faulted))
        assert isinstance(fault, Faulted)
        assert fault.fault.message == "{'command':'feedback','what':'ok'}"
        assert heard.gone() == []
    assert supervisor.pid == 0


def test_a_read_carries_the_name_of_its_reader() -> None:
    script = READY + (
        'say(\'{"event":"read","medium":"nfc","payload":"AA==","uid":"04","chip":"X","read_ms":1}\')\n'
        "for _ in listen(): pass\n"
    )
    with supervised(script) as (_, heard):
        read = heard.wait(lambda event: isinstance(event, CardRead))
        assert isinstance(read, CardRead)
        assert read.reader == "Reader"


def test_stop_ends_a_child_that_listens_at_once_and_brings_no_event_after() -> None:
    with supervised(READY + "for _ in listen(): pass\n") as (supervisor, heard):
        heard.wait(is_ready)
        pid = supervisor.pid
        supervisor.stop()
        count = len(heard.events)
        assert not _runs(pid)
        assert not supervisor.send(Stop())
        assert len(heard.events) == count
        assert heard.gone() == []


def test_stop_ends_a_deaf_child_with_all_it_started() -> None:
    script = (
        "import signal, subprocess\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n{READY}"
        'say(\'{"event":"fault","family":"card","code":"pid","message":"%d"}\' % child.pid)\n'
        "while True:\n    beat()\n    time.sleep(0.1)\n"
    )
    with supervised(script) as (supervisor, heard):
        fault = heard.wait(lambda event: isinstance(event, Faulted))
        assert isinstance(fault, Faulted)
        grandchild = int(fault.fault.message)
        pid = supervisor.pid
        supervisor.stop()
        assert not _runs(pid)
        until(lambda: not _runs(grandchild))


def _runs(pid: int) -> bool:
    """True while the process exists and is no zombie (proc(5), stat)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _memory_bytes() -> int:
    """Resident memory of this process (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_hung_child_is_told_ended_and_started_again() -> None:
    with supervised(READY + "time.sleep(600)\n") as (supervisor, heard):
        heard.wait(is_ready)
        pid = supervisor.pid
        gone = heard.wait(is_gone)
        assert isinstance(gone, Gone)
        assert gone.fault.code == "reader_hung"
        heard.wait(is_ready, count=2)
        assert supervisor.pid != pid
        assert not _runs(pid)
        assert supervisor.starts == 2


def test_a_child_that_says_garbage_only_is_hung_too() -> None:
    script = READY + "while True:\n    say('rubbish')\n    time.sleep(0.05)\n"
    with supervised(script) as (_, heard):
        gone = heard.wait(is_gone)
        assert isinstance(gone, Gone)
        assert gone.fault.code == "reader_hung"
        garbled = [event for event in heard.events if isinstance(event, Faulted)]
        assert 1 <= len(garbled) <= 3
        assert {event.fault.code for event in garbled} == {"reader_garbled"}


def test_garbage_between_good_lines_harms_nothing() -> None:
    script = READY + (
        "sys.stdout.buffer.write(b'\\xff\\xfe\\n' + b'x' * 100_000 + b'\\n{\\n')\nsys.stdout.flush()\n"
        'say(\'{"event":"lifted"}\')\nfor _ in listen(): pass\n'
    )
    with supervised(script) as (supervisor, heard):
        heard.wait(lambda event: event == Lifted())
        heard.wait(lambda event: isinstance(event, Health), count=3)
        assert heard.gone() == []
        assert supervisor.starts == 1


@pytest.mark.parametrize(
    "flood",
    [
        'sys.stdout.write(\'{"event":"lifted"}\\n\' * 1000)',
        "sys.stdout.write('rubbish\\n' * 1000)",
    ],
)
def test_a_flood_is_ended_and_memory_stays(flood: str) -> None:
    with supervised(f"{READY}while True:\n    {flood}\n") as (_, heard):
        gone = heard.wait(is_gone)
        assert isinstance(gone, Gone)
        assert gone.fault.code == "reader_crashed"
        assert gone.fault.detail["reason"] == "flood"
        assert len(heard.events) < 1000


def test_an_endless_line_is_cut() -> None:
    script = f"{READY}while True:\n    sys.stdout.write('x' * 1_000_000)\n"
    before = _memory_bytes()
    with supervised(script) as (_, heard):
        gone = heard.wait(is_gone)
        assert isinstance(gone, Gone)
        assert gone.fault.code == "reader_hung"
    assert _memory_bytes() - before < 30_000_000


def test_crashes_are_told_counted_and_backed_off() -> None:
    heard = Heard()
    faults: list[EnvironmentFault] = []

    def parse(line: bytes) -> ReaderEvent:
        return Lifted()

    def as_event(fault: EnvironmentFault) -> ReaderEvent:
        faults.append(fault)
        return Gone(fault)

    with ProcessSupervisor[ReaderEvent](
        [sys.executable, "-c", "raise SystemExit(7)"],
        heard,
        parse=parse,
        sound=lambda event: True,
        as_event=as_event,
        name="sync",
        patience=SWIFT,
    ):
        heard.wait(is_gone, count=5)
    assert {fault.code for fault in faults} == {"sync_crashed"}
    assert [fault.detail["again_in_s"] for fault in faults[:5]] == [0.05, 0.1, 0.2, 0.2, 0.2]
    assert [fault.detail["crashes"] for fault in faults[:5]] == [1, 2, 3, 4, 5]
    assert faults[0].detail["exit_code"] == 7


def test_crashes_are_forgotten_after_health() -> None:
    script = READY + "for _ in range(6):\n    time.sleep(0.1)\n    beat()\nsys.exit(9)\n"
    with supervised(script) as (_, heard):
        for count in (1, 2):
            gone = heard.wait(is_gone, count=count)
            assert isinstance(gone, Gone)
            assert gone.fault.detail["crashes"] == 1


def test_crashes_are_forgotten_after_a_read() -> None:
    read = '{"event":"read","medium":"nfc","payload":"AA==","uid":"04","chip":"X","read_ms":1}'
    script = READY + f"say('{read}')\nsys.exit(9)\n"
    with supervised(script, replace(SWIFT, healthy_s=600.0)) as (_, heard):
        for count in (1, 2, 3):
            gone = heard.wait(is_gone, count=count)
            assert isinstance(gone, Gone)
            assert gone.fault.detail["crashes"] == 1


def test_an_unplugged_device_is_told_once_and_tried_without_back_off() -> None:
    script = 'say(\'{"event":"gone","code":"reader_missing","message":"no reader"}\')\nsys.exit(3)\n'
    with supervised(script) as (supervisor, heard):
        heard.wait(is_gone)
        until(lambda: supervisor.starts >= 4)
        assert heard.gone() == ["reader_missing"]


def test_a_command_that_cannot_be_started_is_a_crash() -> None:
    heard = Heard()
    with ReaderSupervisor(["/nonexistent/reader"], heard, patience=SWIFT) as supervisor:
        gone = heard.wait(is_gone)
        assert isinstance(gone, Gone)
        assert gone.fault.code == "reader_crashed"
        assert supervisor.pid == 0


def test_a_child_that_reads_nothing_never_blocks_who_sends() -> None:
    with supervised(READY + "while True:\n    beat()\n    time.sleep(0.1)\n") as (supervisor, heard):
        heard.wait(is_ready)
        started = time.monotonic()
        assert not all(supervisor.send(Feedback("attention")) for _ in range(3000))
        assert time.monotonic() - started < 5


def test_a_slow_listener_is_not_taken_for_a_hung_child() -> None:
    heard = Heard()
    slow = threading.Event()

    def on_event(event: ReaderEvent) -> None:
        heard(event)
        if isinstance(event, Ready):
            slow.wait(1.5)

    command = [sys.executable, "-c", PRELUDE + READY + "for _ in listen(): pass\n"]
    with ReaderSupervisor(command, on_event, patience=SWIFT) as supervisor:
        heard.wait(lambda event: isinstance(event, Health), count=20)
        assert supervisor.starts == 1


@pytest.mark.expects_log(r"what listens to reader raised .*ZeroDivisionError")
def test_a_listener_that_raises_is_logged_and_the_rest_goes_on() -> None:
    heard = Heard()

    def on_event(event: ReaderEvent) -> None:
        heard(event)
        if isinstance(event, Ready):
            raise ZeroDivisionError

    command = [sys.executable, "-c", PRELUDE + READY + "for _ in listen(): pass\n"]
    with ReaderSupervisor(command, on_event, patience=SWIFT):
        heard.wait(lambda event: isinstance(event, Health), count=2)


def test_the_child_ends_by_itself_when_the_kiosk_dies() -> None:
    reading, writing = os.pipe()
    script = (
        "import sys\nfrom drivers.supervisor import ReaderSupervisor\nimport os, threading\n"
        "ready = threading.Event()\n"
        f"child = ReaderSupervisor([sys.executable, '-c', {PRELUDE + READY + 'for _ in listen(): pass'!r}],"
        " lambda event: ready.set()).start()\n"
        "ready.wait(30)\n"
        f"os.write({writing}, str(child.pid).encode())\nos._exit(1)\n"
    )
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", script],
        {**os.environ, "PYTHONPATH": os.getcwd()},  # noqa: PTH109
        file_actions=[(os.POSIX_SPAWN_DUP2, writing, writing)],
    )
    os.close(writing)
    with os.fdopen(reading) as stream:
        reader = int(stream.read())
    os.waitpid(pid, 0)
    until(lambda: not _runs(reader))


def test_a_child_that_dies_a_hundred_times_is_started_each_time() -> None:
    heard = Heard()
    with ReaderSupervisor(["/bin/false"], heard, patience=HASTY) as supervisor:
        until(lambda: supervisor.starts > 100)
    # What stays the same is told once.
    assert heard.gone() == ["reader_crashed"]


def test_unplugging_counts_as_no_crash() -> None:
    script = 'say(\'{"event":"gone","code":"reader_gone","message":"no reader"}\')\nsys.exit(3)\n'
    with supervised(script, replace(SWIFT, crash_first_s=600.0, crash_most_s=600.0)) as (supervisor, heard):
        until(lambda: supervisor.starts >= 4)
    assert heard.gone() == ["reader_gone"]


def test_after_a_hang_the_child_is_told_so_once() -> None:
    script = (
        f"{READY}"
        'say(\'{"event":"fault","family":"card","code":"words","message":"%s"}\' % " ".join(sys.argv[1:]))\n'
        "if len(sys.argv) == 1: time.sleep(600)\n"
        "beat()\nsys.exit(3)\n"
    )
    heard = Heard()
    command = [sys.executable, "-c", PRELUDE + script]
    with ReaderSupervisor(command, heard, patience=SWIFT, after_hang=["--reset"]):
        words = [
            heard.wait(lambda event: isinstance(event, Faulted) and event.fault.code == "words", count=count)
            for count in (1, 2, 3)
        ]
    told = [event.fault.message for event in words if isinstance(event, Faulted)]
    # An empty message is told as the code's words.
    assert told == ["words", "--reset", "words"]
    assert "reader_hung" in heard.gone()
