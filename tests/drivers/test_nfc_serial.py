"""nfcpy's real pn532 and arygon drivers over a pseudo-terminal with a reader in software at its other end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers import nfc_transport
from drivers.nfc_reader import NfcConnection
from drivers.reader import DeviceReference, ReaderConnection
from kiosk.errors import EnvironmentFault
from kiosk.values import CardRead, Medium
from tests.drivers.contract import ReaderContract, Rig, is_end, poll_until
from tests.drivers.nfc_rig import MAKERS, make_card, payload_of
from tests.drivers.serial_line import SerialReader


class SerialRig:
    """One chip on a serial reader."""

    medium = Medium.NFC

    def __init__(self, reader: SerialReader, chip: str) -> None:
        self._reader = reader
        self._chip = chip
        self.reference = DeviceReference(
            "nfc", reader.device, reader.device, reader.device, frozenset({"type_a", "type_f"})
        )

    def connection(self) -> ReaderConnection:
        return NfcConnection(self.reference)

    def present(self, number: int) -> bytes:
        self._reader.card = make_card(self._chip, number)
        return payload_of(number)

    def remove(self) -> None:
        self._reader.card = None

    def break_device(self, connection: ReaderConnection) -> None:
        self._reader.unplug()


@pytest.fixture
def pn532(tmp_path: Path) -> Iterator[SerialReader]:
    with SerialReader(tmp_path / "ttyNFC") as reader:
        yield reader


@pytest.fixture
def arygon(tmp_path: Path) -> Iterator[SerialReader]:
    with SerialReader(tmp_path / "ttyNFC", arygon=True) as reader:
        yield reader


class TestPn532OnASerialLine(ReaderContract):
    @pytest.fixture(params=sorted(MAKERS))
    def rig(self, request: pytest.FixtureRequest, pn532: SerialReader) -> Rig:
        return SerialRig(pn532, request.param)


class TestArygonOnASerialLine(ReaderContract):
    @pytest.fixture
    def rig(self, arygon: SerialReader) -> Rig:
        return SerialRig(arygon, "NTAG215")


@pytest.mark.parametrize("arygon", [False, True])
def test_one_that_was_left_at_a_high_speed_is_brought_back(tmp_path: Path, arygon: bool) -> None:
    with SerialReader(tmp_path / "ttyNFC", arygon=arygon) as reader:
        killed = nfc_transport.open_serial(reader.device)
        assert killed.chipset.transport.baudrate > 115200
        # Its process was killed: the line closes, the chip is told nothing.
        killed.chipset.transport.close()
        reader.card = make_card("NTAG215", 3)
        with NfcConnection(DeviceReference("nfc", reader.device)) as connection:
            read = poll_until(connection, is_end)[-1]
        assert isinstance(read, CardRead)
        assert read.payload == payload_of(3)


def test_the_driver_is_found_if_it_is_not_named(arygon: SerialReader) -> None:
    device = f"tty:{arygon.path}"
    with NfcConnection(DeviceReference("nfc", device)) as connection:
        assert connection.reference.name == "Arygon ADRB"
        assert connection.poll() is None


def test_a_chip_that_hangs_is_gone(pn532: SerialReader) -> None:
    with NfcConnection(DeviceReference("nfc", pn532.device)) as connection:
        assert connection.poll() is None
        pn532.deaf = True
        with pytest.raises(EnvironmentFault) as caught:
            connection.poll()
        assert caught.value.code == "reader_gone"


@pytest.mark.parametrize(
    "path", ["tty:nowhere:pn532", "tty:/dev/null; id:pn532", "tty:", "tty:/dev/null:pn532"]
)
def test_a_line_that_is_none_is_missing(path: str) -> None:
    with pytest.raises(EnvironmentFault) as caught, NfcConnection(DeviceReference("nfc", path)):
        pass
    assert caught.value.code == "reader_missing"
