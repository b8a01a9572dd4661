"""The reader contract on the virtual station of a demonstration: cards are moved by its own orders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.nfc_devices import find_device
from drivers.nfc_reader import NfcConnection
from drivers.reader import DeviceReference, ReaderConnection
from kiosk.values import Medium
from tests.drivers.contract import ReaderContract, Rig
from tests.drivers.nfc_rig import payload_of, unplug
from tests.drivers.test_station import Running


class StationRig:
    """The station's field, its cards put and lifted through its socket."""

    medium = Medium.NFC

    def __init__(self, running: Running) -> None:
        self._running = running

    @property
    def reference(self) -> DeviceReference:
        return find_device(self._running.device)

    def connection(self) -> ReaderConnection:
        return NfcConnection(self.reference)

    def present(self, number: int) -> bytes:
        assert self._running.control.ask(do="put", card_no=f"CARD-{number}")["ok"]
        return payload_of(number)

    def remove(self) -> None:
        assert self._running.control.ask(do="lift")["ok"]

    def break_device(self, connection: ReaderConnection) -> None:
        assert isinstance(connection, NfcConnection)
        unplug(connection)


class TestVirtualStation(ReaderContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        running = Running(tmp_path)
        yield StationRig(running)
        running.stop()
