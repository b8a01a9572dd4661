"""The reader contract on scanners: a serial line over a pseudo-terminal, and evdev's own decoding."""

from __future__ import annotations

import errno
import io
import os
import pty
import struct
import termios
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.lines import EXIT_GONE, EXIT_OK, parse_event
from drivers.reader import DeviceReference, Faulted, Gone, Health, ReaderConnection, Ready
from drivers.scanner_lines import LineForm
from drivers.scanner_ports import EvdevPort
from drivers.scanner_reader import ScannerConnection, refer, run
from kiosk.errors import EnvironmentFault
from kiosk.values import CardRead, Medium
from tests.drivers.contract import ReaderContract, Rig, poll_until
from tests.drivers.test_scanner_lines import keys

FORM = LineForm(b"~Q", b"\r")
EVERY_S = 0.1
"""A scanner in presentation mode repeats the code that lies before it."""


class Repeating:
    """A hand that holds cards before a scanner in presentation mode."""

    medium = Medium.QR

    def __init__(self) -> None:
        self._shown: bytes = b""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._repeat)
        self._thread.start()

    def present(self, number: int) -> bytes:
        self._shown = f"KMC1:{number}".encode("ascii") + b"6BF+70O90M*KE" * 22
        return self._shown

    def remove(self) -> None:
        self._shown = b""

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _repeat(self) -> None:
        while not self._ended.wait(EVERY_S):
            if self._shown:
                self.send(b"~Q" + self._shown + b"\r")

    def send(self, line: bytes) -> None:
        raise NotImplementedError


class SerialRig(Repeating):
    """A pseudo-terminal: pyserial opens its slave, the scanner writes at its master."""

    def __init__(self) -> None:
        self.master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._closed = False
        super().__init__()

    @property
    def reference(self) -> DeviceReference:
        return refer(f"serial:{self.path}")

    def connection(self) -> ReaderConnection:
        return ScannerConnection(self.reference, form=FORM)

    def send(self, line: bytes) -> None:
        if not self._closed:
            os.write(self.master, line)

    def break_device(self, connection: ReaderConnection) -> None:
        self.remove()
        self.end()
        self._closed = True
        os.close(self._slave)
        os.close(self.master)

    def close(self) -> None:
        self.end()
        if not self._closed:
            os.close(self._slave)
            os.close(self.master)


INPUT_EVENT = struct.Struct("@llHHi")
"""struct input_event of linux/input.h on a 64-bit machine."""


class KernelFile:
    """As evdev.InputDevice: evdev's own decoding, of a pipe where the kernel's file would be."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.name = "HID Scanner"
        self.grabbed = False

    def grab(self) -> None:
        self.grabbed = True

    def read(self) -> Iterator[Any]:
        from evdev import InputEvent, _input  # type: ignore[attr-defined]

        return iter([InputEvent(*event) for event in _input.device_read_many(self.fd)])

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class EvdevRig(Repeating):
    """Raw input events through a pipe, decoded by evdev's compiled part."""

    def __init__(self) -> None:
        self._writes: list[int] = []
        self.opened: list[KernelFile] = []
        super().__init__()

    @property
    def reference(self) -> DeviceReference:
        return refer("evdev:/dev/input/by-id/usb-scanner-event-kbd")

    def open_device(self, path: str) -> KernelFile:
        read, write = os.pipe()
        os.set_blocking(read, False)
        self._writes.append(write)
        self.opened.append(KernelFile(read))
        return self.opened[-1]

    def connection(self) -> ReaderConnection:
        reference = self.reference
        port = EvdevPort(reference.path.partition(":")[2], self.open_device)
        return ScannerConnection(reference, port, form=FORM)

    def send(self, line: bytes) -> None:
        events = keys(line.decode("ascii"))
        raw = b"".join(INPUT_EVENT.pack(0, 0, *event) for event in events)
        if self._writes and self.opened[-1].fd >= 0:
            os.write(self._writes[-1], raw[: 65536 // 24 * 24])

    def break_device(self, connection: ReaderConnection) -> None:
        self.remove()
        self.end()

        def gone() -> Iterator[Any]:
            raise OSError(errno.ENODEV, "No such device")

        self.opened[-1].read = gone  # type: ignore[method-assign]
        os.write(self._writes[-1], b"\0")

    def close(self) -> None:
        self.end()
        for device in self.opened:
            device.close()
        for write in self._writes:
            os.close(write)


class TestScannerOnASerialLine(ReaderContract):
    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        made = SerialRig()
        yield made
        made.close()


class TestScannerByEvdev(ReaderContract):
    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        made = EvdevRig()
        yield made
        made.close()


class TypedRig(SerialRig):
    """A scanner that types into a terminal, as ``test scanner --device keyboard:`` reads one."""

    def __init__(self) -> None:
        super().__init__()
        wanted = termios.tcgetattr(self._slave)
        wanted[0] |= termios.ICRNL
        wanted[3] |= termios.ICANON | termios.ECHO | termios.ISIG
        termios.tcsetattr(self._slave, termios.TCSANOW, wanted)

    @property
    def reference(self) -> DeviceReference:
        return refer(f"keyboard:{self.path}")

    def line_flags(self) -> list[int]:
        return [int(flags) for flags in termios.tcgetattr(self._slave)[:4]]

    def echoed(self) -> bytes:
        """What the terminal showed of the keys."""
        os.set_blocking(self.master, False)
        try:
            return os.read(self.master, 65536)
        except BlockingIOError:
            return b""


class TestScannerThatTypesIntoATerminal(ReaderContract):
    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        made = TypedRig()
        yield made
        made.close()


def test_a_terminal_shows_nothing_of_a_scan_and_is_given_back_as_it_was() -> None:
    rig = TypedRig()
    before = rig.line_flags()
    try:
        with rig.connection() as connection:
            assert rig.line_flags() != before
            rig.present(0)
            poll_until(connection, lambda event: isinstance(event, CardRead))
            rig.remove()
            assert rig.echoed() == b""
        assert rig.line_flags() == before
    finally:
        rig.close()


def test_what_is_no_terminal_is_missing(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("KMC1:")
    for path in (tmp_path / "plain", tmp_path / "nowhere"):
        with pytest.raises(EnvironmentFault) as caught:
            ScannerConnection(refer(f"keyboard:{path}")).__enter__()
        assert caught.value.code == "reader_missing"


@pytest.fixture
def serial_rig() -> Iterator[SerialRig]:
    made = SerialRig()
    yield made
    made.close()


def test_an_input_device_is_grabbed_as_soon_as_it_is_open() -> None:
    rig = EvdevRig()
    try:
        with rig.connection() as connection:
            assert rig.opened[0].grabbed
            assert connection.reference.name == "HID Scanner"
        assert rig.opened[0].fd == -1, "closing ends the grab"
    finally:
        rig.close()


def test_a_device_that_another_program_grabbed_is_denied_and_closed() -> None:
    read, write = os.pipe()
    device = KernelFile(read)

    def busy() -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    device.grab = busy  # type: ignore[method-assign]
    with pytest.raises(EnvironmentFault) as caught:
        ScannerConnection(
            refer("evdev:/dev/input/x"), EvdevPort("/dev/input/x", lambda _: device)
        ).__enter__()
    os.close(write)
    assert caught.value.code == "reader_denied"
    assert device.fd == -1


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("serial:/dev/nowhere", "reader_missing"),
        ("evdev:/dev/input/nowhere", "reader_missing"),
        ("serial:", "reader_missing"),
        ("bluetooth:1", "reader_missing"),
        ("", "reader_missing"),
    ],
)
def test_what_is_not_there_is_missing(path: str, code: str) -> None:
    out = io.StringIO()
    assert run(path, once=True, out=out, commands=None) == EXIT_GONE
    gone = parse_event(out.getvalue())
    assert isinstance(gone, Gone)
    assert gone.fault.code == code


def test_a_file_that_is_no_line_is_missing(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("KMC1:")
    for make in ("serial", "evdev"):
        with pytest.raises(EnvironmentFault) as caught:
            ScannerConnection(refer(f"{make}:{tmp_path / 'plain'}")).__enter__()
        assert caught.value.code == "reader_missing"


def test_half_lines_and_garbage_over_the_line(serial_rig: SerialRig) -> None:
    with serial_rig.connection() as connection:
        serial_rig.send(b"~QKMC1:HALF")
        (fault,) = poll_until(connection, lambda event: isinstance(event, Faulted))
        assert isinstance(fault, Faulted)
        assert fault.fault.code == "card_unreadable"
        serial_rig.send(b"\xff\xfe\r")
        poll_until(connection, lambda event: isinstance(event, Faulted))
        payload = serial_rig.present(0)
        read = poll_until(connection, lambda event: isinstance(event, CardRead))[-1]
        assert isinstance(read, CardRead)
        assert read.payload == payload
        stages = connection.health().stages
    assert (stages["garbled"], stages["scans"] >= 1) == (2, True)


def test_the_process_reads_and_ends(serial_rig: SerialRig) -> None:
    serial_rig.present(7)
    out = io.StringIO()
    assert (
        run(f"serial:{serial_rig.path}", once=True, timeout_s=20.0, out=out, commands=None, form=FORM)
        == EXIT_OK
    )
    events = [parse_event(line) for line in out.getvalue().splitlines()]
    assert isinstance(events[-1], CardRead)
    assert events[-1].payload.startswith(b"KMC1:7")
    assert not [event for event in events if isinstance(event, Health)]


def test_two_programs_do_not_share_a_line(serial_rig: SerialRig) -> None:
    with serial_rig.connection():
        with pytest.raises(EnvironmentFault) as caught, serial_rig.connection():
            raise AssertionError("it opened twice")
        assert caught.value.code in ("reader_missing", "reader_denied")
        assert time.monotonic() > 0


def test_an_unplugged_scanner_is_waited_for_in_its_process(tmp_path: Path) -> None:
    """A name that udev gives leads to another device when it is plugged again."""
    link = tmp_path / "usb-scanner"
    first = SerialRig()
    link.symlink_to(first.path)
    out_read, out_write = os.pipe()
    commands_read, commands_write = os.pipe()
    codes: list[int] = []

    def serve() -> None:
        with os.fdopen(out_write, "w") as out, os.fdopen(commands_read) as commands:
            codes.append(run(f"serial:{link}", out=out, commands=commands, form=FORM))

    process = threading.Thread(target=serve)
    process.start()
    with os.fdopen(out_read) as lines:

        def until(wanted: type) -> list[Any]:
            events: list[Any] = []
            for line in lines:
                event = parse_event(line)
                if not isinstance(event, Health):
                    events.append(event)
                if isinstance(event, wanted):
                    return events
            raise AssertionError(f"the process ended: {events}")

        until(Ready)
        link.unlink()
        first.break_device(first.connection())
        (gone,) = until(Gone)
        assert gone.fault.code == "reader_gone"
        (missing,) = until(Gone)
        assert missing.fault.code == "reader_missing"
        assert until(Health) == [], "it is told once, and the process lives"
        second = SerialRig()
        link.symlink_to(second.path)
        payload = second.present(1)
        assert until(CardRead)[-1].payload == payload
        os.close(commands_write)
        process.join(10.0)
    second.close()
    assert codes == [EXIT_OK]
