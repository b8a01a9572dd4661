"""Fixtures of the drivers' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drivers.nfc_devices import find_device
from drivers.nfc_reader import NfcConnection
from drivers.virtual.field import VirtualField
from tests.drivers import pcsc_rig

pcsc_rig.name_socket()  # before anything asks for pcscd


@pytest.fixture
def nfc_field() -> Iterator[VirtualField]:
    """An empty virtual field that is running."""
    with VirtualField() as field:
        yield field


@pytest.fixture
def nfc_connection(nfc_field: VirtualField) -> Iterator[NfcConnection]:
    """An open NFC reader on that field."""
    with NfcConnection(find_device(nfc_field.path)) as connection:
        yield connection
