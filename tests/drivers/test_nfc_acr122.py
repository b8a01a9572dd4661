"""nfcpy's real acr122 driver over a transport in software: host commands counted, unplugged at each one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Self

import nfc.clf.acr122
import pytest

from drivers.nfc_reader import NfcConnection
from drivers.reader import DeviceReference, Lifted, Reading
from kiosk.errors import EnvironmentFault
from kiosk.values import CardRead
from tests.drivers.acr122 import Acr122Transport
from tests.drivers.contract import is_end, is_lifted, poll_until
from tests.drivers.nfc_rig import MAKERS, make_card, payload_of

REFERENCE = DeviceReference("nfc", "usb:001:002", "ACS ACR122U", "usb:072f:2200@1-1", frozenset({"lamp"}))


class OverTransport(NfcConnection):
    """The NFC connection with the driver opened on a transport instead of on USB."""

    def __init__(self, transport: Acr122Transport) -> None:
        super().__init__(REFERENCE)
        self._transport = transport

    def __enter__(self) -> Self:
        device = nfc.clf.acr122.init(self._transport)
        device._path = REFERENCE.path
        self.frontend.device = device
        self.reference = replace(REFERENCE, name="ACS ACR122U")
        return self


@pytest.fixture
def transport() -> Acr122Transport:
    return Acr122Transport()


@pytest.fixture
def connection(transport: Acr122Transport) -> Iterator[NfcConnection]:
    with OverTransport(transport) as connection:
        yield connection


@pytest.mark.parametrize("chip", sorted(MAKERS))
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
    assert connection.poll() == Reading()
    assert isinstance(connection.poll(), CardRead)
    assert len(transport.commands) <= 20, [f"{code:02X}" for code in transport.commands]


@pytest.mark.parametrize("chip", sorted(MAKERS))
def test_unplugged_at_each_host_command(chip: str) -> None:
    whole = Acr122Transport()
    whole.card = make_card(chip)
    with OverTransport(whole) as connection:
        opened = len(whole.commands)
        poll_until(connection, is_end)
        total = len(whole.commands)
    assert total > opened
    for at in range(opened, total):
        transport = Acr122Transport()
        transport.card = make_card(chip)
        with OverTransport(transport) as connection:
            transport.fail_at = at
            with pytest.raises(EnvironmentFault) as caught:
                poll_until(connection, lambda event: False)
            assert caught.value.code == "reader_gone"
        assert connection.frontend.device is None


def test_its_lamp_and_buzzer_answer(connection: NfcConnection) -> None:
    assert connection.feedback("attention") is True
    assert connection.feedback("ok") is True
