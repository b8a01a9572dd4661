"""The virtual station over its Unix socket, and the reader process on its field, from outside."""

from __future__ import annotations

import base64
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.lines import parse_event
from drivers.nfc_devices import find_device
from drivers.nfc_reader import NfcConnection
from drivers.reader import Gone, Lifted, Reading, Ready
from drivers.supervisor import ReaderSupervisor
from drivers.virtual.station import Station
from kiosk.errors import EnvironmentFault
from kiosk.values import CardRead
from tests.drivers.contract import is_end, is_lifted, poll_until
from tests.drivers.nfc_rig import MAKERS, UIDS, payload_of

CARDS = [
    {
        "card_no": f"CARD-{number}",
        "label": f"Kartu {number}",
        "holder": f"Warga {number}",
        "chip": chip,
        "uid": UIDS[chip].hex(),
        "nfc": base64.b64encode(payload_of(number)).decode(),
        "qr": f"KMC1:CARD{number}",
    }
    for number, chip in enumerate(sorted(MAKERS))
]


def write_cards(path: Path, cards: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(card) + "\n" for card in cards))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


class Control:
    """A client of the station's socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(30)
        self._socket.connect(str(path))
        self._answers = self._socket.makefile("rb")

    def ask(self, **command: Any) -> dict[str, Any]:
        """Send a command; its answer."""
        return self.ask_raw(json.dumps(command).encode())

    def ask_raw(self, line: bytes) -> dict[str, Any]:
        """Send a line; its answer."""
        self._socket.sendall(line + b"\n")
        answer: dict[str, Any] = json.loads(self._answers.readline())
        return answer

    def close(self) -> None:
        """Hang up."""
        self._answers.close()
        self._socket.close()


class Running:
    """A station that runs in a thread."""

    def __init__(self, folder: Path) -> None:
        self.control_path, self.cards, self.state_path = (
            folder / "control",
            folder / "cards.jsonl",
            folder / "state.json",
        )
        write_cards(self.cards, CARDS)
        self.station = Station(self.control_path, self.cards, state_file=self.state_path)
        self._thread = threading.Thread(target=self.station.serve)
        self._thread.start()
        until(self.state_path.exists)
        self.state: dict[str, Any] = json.loads(self.state_path.read_text())
        self.control = Control(self.control_path)

    @property
    def device(self) -> str:
        """The field as a device path."""
        return f"udp:127.0.0.1:{self.state['udp_port']}"

    def stop(self) -> None:
        """End it."""
        self.control.close()
        self.station.stop()
        self._thread.join(timeout=30)
        assert not self._thread.is_alive()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    try:
        yield running
    finally:
        running.stop()


def test_state_and_socket_are_there_while_it_runs_and_gone_after(tmp_path: Path) -> None:
    running = Running(tmp_path)
    try:
        assert running.state["pid"] == os.getpid()
        assert running.state["udp_port"] > 0
        assert running.state["http_port"] > 0
        assert stat.S_IMODE(running.control_path.stat().st_mode) == 0o600
    finally:
        running.stop()
    assert not running.control_path.exists()
    assert not running.state_path.exists()


def test_list_tells_the_cards_without_what_is_on_them(running: Running) -> None:
    answer = running.control.ask(do="list")
    assert answer["ok"] is True
    assert [card["card_no"] for card in answer["cards"]] == ["CARD-0", "CARD-1", "CARD-2"]
    assert set(answer["cards"][0]) == {"card_no", "label", "holder", "chip"}


def test_put_lift_and_tap_move_cards_on_the_field(running: Running) -> None:
    with NfcConnection(find_device(running.device)) as connection:
        for number, chip in enumerate(sorted(MAKERS)):
            assert running.control.ask(do="put", card_no=f"CARD-{number}")["ok"] is True
            read = poll_until(connection, is_end)[-1]
            assert isinstance(read, CardRead)
            assert (read.payload, read.uid, read.chip) == (payload_of(number), UIDS[chip], chip)
            assert running.control.ask(do="lift") == {"ok": True, "lifted": f"CARD-{number}"}
            poll_until(connection, is_lifted)
        assert running.control.ask(do="tap", card_no="CARD-1", hold_s=0.5)["ok"] is True
        events = poll_until(connection, is_lifted)
        assert [type(event) for event in events] == [Reading, CardRead, Lifted]


def test_cards_that_were_added_are_seen(running: Running) -> None:
    assert running.control.ask(do="put", card_no="NEW")["code"] == "unknown_card"
    write_cards(running.cards, [*CARDS, {**CARDS[0], "card_no": "NEW"}])
    assert running.control.ask(do="put", card_no="NEW")["ok"] is True


def test_a_cards_file_that_broke_is_said_and_mended(running: Running) -> None:
    running.cards.write_text("{}\n")
    assert running.control.ask(do="list")["code"] == "cards_file"
    write_cards(running.cards, CARDS)
    assert running.control.ask(do="list")["ok"] is True


def test_the_code_is_shown_and_hidden(running: Running) -> None:
    assert running.control.ask(do="show_qr", card_no="CARD-2")["card_no"] == "CARD-2"
    assert running.control.ask(do="hide_qr") == {"ok": True, "hidden": "CARD-2"}
    assert running.control.ask(do="show_qr", card_no="CARD-2", hold_s=0.05)["ok"] is True
    until(lambda: running.control.ask(do="hide_qr")["hidden"] == "")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"rubbish", "bad_command"),
        (b"[1]", "bad_command"),
        (b"\xff", "bad_command"),
        (b'{"do":"dance"}', "bad_command"),
        (b'{"do":"tap","card_no":"CARD-1","hold_s":-1}', "bad_command"),
        (b'{"do":"tap","card_no":"CARD-1","hold_s":NaN}', "bad_command"),
        (b'{"do":"tap","card_no":"CARD-1","hold_s":true}', "bad_command"),
        (b'{"do":"tap"}', "unknown_card"),
    ],
)
def test_wrong_commands_are_answered_with_a_code(running: Running, line: bytes, code: str) -> None:
    answer = running.control.ask_raw(line)
    assert (answer["ok"], answer["code"]) == (False, code)
    assert answer["message"]


def test_a_client_that_talks_without_end_is_dropped_and_others_are_served(running: Running) -> None:
    noisy = Control(running.control_path)
    with pytest.raises((OSError, ValueError)):
        noisy.ask_raw(b"x" * 200_000)
    noisy.close()
    assert running.control.ask(do="list")["ok"] is True


def test_a_second_station_is_refused_and_a_stale_socket_is_not(tmp_path: Path, running: Running) -> None:
    second = Station(running.control_path, running.cards)
    with pytest.raises(EnvironmentFault) as caught:
        second.serve()
    assert caught.value.code == "station_busy"
    assert running.control.ask(do="list")["ok"] is True
    with socket.socket(socket.AF_UNIX) as stale:
        (tmp_path / "again").mkdir()
        stale.bind(str(tmp_path / "again" / "control"))
    running_again = Running(tmp_path / "again")
    running_again.stop()


def test_missing_cards_are_said_before_anything_listens(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        Station(tmp_path / "control", tmp_path / "none.jsonl").serve()
    assert caught.value.code == "cards_file"
    assert not (tmp_path / "control").exists()


def test_the_command_ends_on_sigterm_and_tidies_up(tmp_path: Path) -> None:
    write_cards(tmp_path / "cards.jsonl", CARDS)
    script = (
        "import sys\nfrom pathlib import Path\nfrom drivers.virtual.station import run\n"
        "folder = Path(sys.argv[1])\n"
        "sys.exit(run(folder / 'control', folder / 'cards.jsonl', 0, 0, folder / 'state.json'))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        said = [json.loads(process.stdout.readline()) for _ in range(2)]
        assert [line["event"] for line in said] == ["ready", "health"]
        assert said[0]["udp_port"] > 0
        process.terminate()
        assert process.wait(30) == 0
    assert not (tmp_path / "state.json").exists()
    assert not (tmp_path / "control").exists()


def test_the_command_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    write_cards(tmp_path / "cards.jsonl", CARDS)
    script = (
        "import sys\nfrom pathlib import Path\nfrom drivers.virtual.station import run\n"
        "folder = Path(sys.argv[1])\nsys.exit(run(folder / 'control', folder / 'cards.jsonl'))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "ready"
        process.stdin.close()
        assert process.wait(30) == 0
    assert not (tmp_path / "control").exists()


READER = (
    "import sys\nfrom drivers.nfc_process import run\n"
    "sys.exit(run(sys.argv[1], once='--once' in sys.argv, timeout_s=float(sys.argv[2]) or None,"
    " out=sys.stdout, commands=sys.stdin))\n"
)


def reader_command(device: str, timeout_s: float = 0, *more: str) -> list[str]:
    return [sys.executable, "-c", READER, device, str(timeout_s), *more]


def test_a_reader_process_once_waits_for_a_card_without_input(running: Running) -> None:
    with subprocess.Popen(
        reader_command(running.device, 60, "--once"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert isinstance(parse_event(process.stdout.readline()), Ready)
        running.control.ask(do="put", card_no="CARD-0")
        lines = process.stdout.read().splitlines()
        assert process.wait(30) == 0
    assert parse_event(lines[0]) == Reading()
    read = parse_event(lines[1])
    assert isinstance(read, CardRead)
    assert read.payload == payload_of(0)
    assert len(lines) == 2


def test_a_reader_process_once_gives_up(running: Running) -> None:
    done = subprocess.run(
        reader_command(running.device, 0.3, "--once"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1])["code"] == "reader_timeout"
    assert done.stderr == b""


@pytest.mark.parametrize("device", ["usb:ffff:fffe", "udp:nonsense", "tty:NONE:pn532"])
@pytest.mark.parametrize("once", [True, False], ids=["once", "for long"])
def test_a_missing_device_is_told(device: str, once: bool) -> None:
    """For one card the process ends with exit code 3; else it waits for the device while anybody listens."""
    done = subprocess.run(
        reader_command(device, 5 if once else 0, *(["--once"] if once else [])),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    gone = parse_event(done.stdout.splitlines()[0])
    assert isinstance(gone, Gone)
    assert gone.fault.code == "reader_missing"
    assert done.returncode == (3 if once else 0)


def test_a_supervised_reader_process_reads_tap_after_tap(running: Running) -> None:
    events: list[Any] = []
    with ReaderSupervisor(reader_command(running.device), events.append):
        until(lambda: any(isinstance(event, Ready) for event in events))
        for number in (0, 1, 2, 0):
            running.control.ask(do="put", card_no=f"CARD-{number}")
            until(lambda: _has_read(events))
            running.control.ask(do="lift")
            until(lambda: any(event == Lifted() for event in events))
            reads = [event for event in events if isinstance(event, CardRead)]
            assert [read.payload for read in reads] == [payload_of(number)]
            assert reads[0].reader == "virtual field"
            events.clear()


def _has_read(events: list[Any]) -> bool:
    return any(isinstance(event, CardRead) for event in events)
