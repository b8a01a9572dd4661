"""nfcpy's real acr122 driver over a transport in software: host commands counted, USB failing at each one."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator
from typing import Any

import nfc.clf
import pytest

from drivers import nfc_transport
from drivers.nfc_budget import BudgetSpent
from drivers.nfc_reader import NfcConnection
from drivers.reader import DeviceReference, Faulted, Lifted, ReaderConnection, Reading
from drivers.virtual.cards import Script, Type3Card
from kiosk.errors import CardFault, EnvironmentFault
from kiosk.values import CardRead, Medium
from tests.drivers.acr122 import FAILURES, REFERENCE, Acr122Transport, OverTransport, unplugged
from tests.drivers.contract import ReaderContract, Rig, is_end, is_lifted, poll_until
from tests.drivers.nfc_rig import MAKERS, make_card, payload_of

CHIPS = sorted(MAKERS)


@pytest.fixture
def transport() -> Acr122Transport:
    return Acr122Transport()


@pytest.fixture
def connection(transport: Acr122Transport) -> Iterator[NfcConnection]:
    with OverTransport(transport) as connection:
        yield connection


class Acr122Rig:
    """One chip on an ACR122U."""

    medium = Medium.NFC
    reference: DeviceReference = REFERENCE

    def __init__(self, chip: str) -> None:
        self._chip = chip
        self._transport = Acr122Transport()

    def connection(self) -> ReaderConnection:
        # Each opening is of a device that was plugged in anew, with what lies on it.
        card = self._transport.card
        self._transport = Acr122Transport()
        self._transport.card = card
        return OverTransport(self._transport)

    def present(self, number: int) -> bytes:
        self._transport.card = make_card(self._chip, number)
        return payload_of(number)

    def remove(self) -> None:
        self._transport.card = None

    def break_device(self, connection: ReaderConnection) -> None:
        self._transport.fail_at = self._transport.writes


class TestNfcOverUsb(ReaderContract):
    @pytest.fixture(params=CHIPS)
    def rig(self, request: pytest.FixtureRequest) -> Rig:
        return Acr122Rig(request.param)


@pytest.mark.parametrize("chip", CHIPS)
def test_each_chip_is_read(chip: str, transport: Acr122Transport, connection: NfcConnection) -> None:
    assert connection.poll() is None
    transport.card = make_card(chip, 4)
    read = poll_until(connection, is_end)[-1]
    assert isinstance(read, CardRead)
    assert (read.chip, read.payload) == (chip, payload_of(4))
    transport.card = None
    assert poll_until(connection, is_lifted) == [Lifted()]


def test_ntag215_with_194_bytes_takes_at_most_20_host_commands(
    transport: Acr122Transport, connection: NfcConnection
) -> None:
    transport.card = make_card("NTAG215")
    transport.commands.clear()
    before = transport.writes
    assert connection.poll() == Reading()
    assert isinstance(connection.poll(), CardRead)
    assert transport.writes - before == len(transport.commands)
    # Sense and select 4, GET_VERSION 4, FAST_READ and READ_SIG 1 each, and 4 to wake a chip that refused it.
    assert len(transport.commands) <= 14, [f"{code:02X}" for code in transport.commands]


@pytest.mark.parametrize(("chip", "most"), [("NTAG215", 4), ("DESFire", 2), ("FeliCa", 5)])
def test_a_card_that_lies_there_costs_few_commands(
    chip: str, most: int, transport: Acr122Transport, connection: NfcConnection
) -> None:
    transport.card = make_card(chip)
    poll_until(connection, is_end)
    assert connection.poll() is None
    for _ in range(3):
        before = transport.writes
        assert connection.poll() is None
        assert transport.writes - before <= most, transport.commands[-8:]


@pytest.mark.parametrize(
    ("chip", "failure"), [*((chip, unplugged) for chip in CHIPS), *(("NTAG215", how) for how in FAILURES[1:])]
)
def test_usb_fails_at_each_transfer_of_a_tap(chip: str, failure: Callable[[], bytes]) -> None:
    whole = Acr122Transport()
    whole.card = make_card(chip)
    with OverTransport(whole) as connection:
        opened = whole.writes
        poll_until(connection, is_end)
        connection.poll()
        total = whole.writes
    assert total > opened
    for at in range(opened, total):
        transport = Acr122Transport()
        transport.card = make_card(chip)
        with OverTransport(transport) as connection:
            transport.fail_at, transport.failure = at, failure
            with pytest.raises(EnvironmentFault) as caught:
                poll_until(connection, lambda event: False)
            assert caught.value.code == "reader_gone"
        assert connection.frontend.device is None


@pytest.mark.parametrize("failure", FAILURES)
def test_usb_fails_at_each_transfer_of_opening(failure: Callable[[], bytes]) -> None:
    whole = Acr122Transport()
    with OverTransport(whole):
        opened = whole.writes
    for at in range(opened):
        transport = Acr122Transport()
        transport.fail_at, transport.failure = at, failure
        with pytest.raises(OSError, match=r".") as caught, OverTransport(transport):
            pass
        assert caught.value.errno in (errno.ENODEV, errno.EIO, errno.ETIMEDOUT)


@pytest.mark.parametrize("chip", CHIPS)
def test_a_card_pulled_at_each_host_command_is_read_or_lifted(chip: str) -> None:
    whole = Acr122Transport()
    whole.card = make_card(chip)
    with OverTransport(whole) as connection:
        opened = whole.writes
        poll_until(connection, is_end)
        total = whole.writes - opened
    seen = set()
    for at in range(total + 1):
        transport = Acr122Transport()
        transport.card = make_card(chip)
        with OverTransport(transport) as connection:
            _pull_at(transport, transport.writes + at)
            ends = []
            for _ in range(8):
                event = connection.poll()
                if event is not None:
                    ends.append(event)
            faults = [event.fault for event in ends if isinstance(event, Faulted)]
            assert all(isinstance(fault, CardFault) for fault in faults)
            codes = [fault.code for fault in faults]
            assert codes in ([], ["card_lifted"]), (at, codes)
            if Reading() in ends:
                assert ends[-1] == Lifted(), (at, ends)
                assert codes or any(isinstance(event, CardRead) for event in ends)
            else:
                assert ends == []
            seen |= {type(event) for event in ends}
    assert seen == {Reading, CardRead, Faulted, Lifted}


def _pull_at(transport: Acr122Transport, at: int) -> None:
    """The card leaves right before the transfer with this number."""
    check = transport.before_command

    def before_command() -> None:
        check()
        if transport.writes >= at:
            transport.card = None

    transport.before_command = before_command


@pytest.mark.parametrize("chip", ["NTAG215", "DESFire"])
@pytest.mark.parametrize("other", CHIPS)
def test_a_second_card_beside_the_read_one_is_told(
    chip: str, other: str, transport: Acr122Transport, connection: NfcConnection
) -> None:
    transport.card, transport.chip.beside = make_card(chip, 1), make_card(other, 2)
    read = poll_until(connection, is_end)[-1]
    assert isinstance(read, CardRead)
    assert read.payload == payload_of(1)
    told = connection.poll()
    assert isinstance(told, Faulted)
    assert told.fault.code == "card_two"
    assert all(connection.poll() is None for _ in range(6))
    transport.card = transport.chip.beside = None
    assert poll_until(connection, is_lifted) == [Lifted()]


def test_one_card_is_not_taken_for_two(transport: Acr122Transport, connection: NfcConnection) -> None:
    for chip in CHIPS:
        transport.card = make_card(chip)
        assert isinstance(poll_until(connection, is_end)[-1], CardRead)
        assert all(connection.poll() is None for _ in range(4))
        transport.card = None
        poll_until(connection, is_lifted)


def test_its_lamp_and_buzzer_answer(transport: Acr122Transport, connection: NfcConnection) -> None:
    transport.lamp.clear()
    assert connection.feedback("attention") is True
    assert connection.feedback("ok") is True
    # State, T1, T2, times, buzzer; both end with the green lamp alone.
    assert [command.hex() for command in transport.lamp] == ["5e01010201", "ae01000101"]
    transport.fail_at, transport.failure = transport.writes, unplugged
    with pytest.raises(EnvironmentFault) as caught:
        connection.feedback("ok")
    assert caught.value.code == "reader_gone"


def test_the_radio_is_set_up_anew_each_hour_and_never_while_a_card_lies_there() -> None:
    now = 1000.0
    transport = Acr122Transport()

    with OverTransport(transport, lambda: now) as connection:
        opened = transport.commands.count(0x02)
        connection.poll()
        assert transport.commands.count(0x02) == opened
        transport.card = make_card("NTAG215")
        poll_until(connection, is_end)
        now += 3600.0
        connection.poll()
        assert transport.commands.count(0x02) == opened
        transport.card = None
        poll_until(connection, is_lifted)
        connection.poll()
        assert transport.commands.count(0x02) == opened + 1
        assert transport.commands.count(0x00) == 2
        connection.poll()
        assert transport.commands.count(0x02) == opened + 1
        transport.card = Type3Card(make_card("FeliCa").uid, b"")  # type: ignore[attr-defined]
        assert isinstance(poll_until(connection, is_end)[-1], Faulted)


def test_a_frame_to_the_same_card_is_one_command_until_something_fails(
    transport: Acr122Transport, connection: NfcConnection
) -> None:
    transport.card = make_card("NTAG215")
    frontend = connection.frontend

    def commands(frame: bytes, timeout_s: float = 0.03) -> int:
        before = transport.writes
        with contextlib.suppress(nfc.clf.CommunicationError):
            frontend.exchange(frame, timeout_s)
        return transport.writes - before

    version, refused = b"\x60", b"\xff"
    assert frontend.sense(nfc.clf.RemoteTarget("106A")) is not None
    assert [commands(version), commands(version)] == [4, 1]
    # Another time-out is set, the registers stay.
    assert [commands(version, 0.2), commands(version, 0.2)] == [2, 1]
    # The card refuses and sleeps, which is an answer; then it keeps silent, which is none.
    assert [commands(refused, 0.2), commands(version, 0.2), commands(version, 0.2)] == [1, 1, 4]
    assert frontend.sense(nfc.clf.RemoteTarget("106A")) is not None
    assert [commands(version), commands(version)] == [4, 1]


def test_the_budget_ends_a_tap_between_two_host_commands() -> None:
    now = 50.0
    transport = Acr122Transport()
    transport.card = make_card("DESFire", script=Script(endless_wtx=True))
    with OverTransport(transport, lambda: now) as connection:
        check = transport.before_command

        def before_command() -> None:
            nonlocal now
            now += 0.1
            check()

        transport.before_command = before_command
        end = poll_until(connection, is_end)[-1]
        assert isinstance(end, Faulted)
        assert (end.fault.code, end.fault.detail["error"]) == ("card_unreadable", "BudgetSpent")
        # The line is in step: the next card is read.
        transport.card = make_card("NTAG215", 5)
        transport.before_command = check
        read = poll_until(connection, is_end)[-1]
        assert isinstance(read, CardRead)
        assert read.payload == payload_of(5)


def test_a_usb_transfer_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[bytes, int]] = []

    class Line:
        def bulkWrite(self, endpoint: int, data: bytes, timeout: int) -> None:
            sent.append((data, timeout))

        def close(self) -> None: ...

    class Endpoint:
        def getAddress(self) -> int:
            return 2

        def getMaxPacketSize(self) -> int:
            return 64

    def opened(self: Any, bus: int, address: int) -> None:
        self.context, self.usb_dev, self.usb_out, self.usb_inp = None, Line(), Endpoint(), Endpoint()

    monkeypatch.setattr("nfc.clf.transport.USB.__init__", opened)
    line = nfc_transport.UsbTransport(1, 4)
    line.write(bytearray(b"frame"))
    line.write(bytearray(b"frame"), 300)
    assert sent == [(b"frame", nfc_transport.COMMAND_MS), (b"frame", 300)]

    def spent() -> None:
        raise BudgetSpent

    line.before_command = spent
    with pytest.raises(BudgetSpent):
        line.write(bytearray(b"frame"))
    assert len(sent) == 2
