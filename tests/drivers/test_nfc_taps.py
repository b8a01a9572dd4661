"""Taps in a row without a miss, and memory that stays: over nfcpy's acr122 driver and over udp."""

from __future__ import annotations

import faulthandler
import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.nfc_reader import NfcConnection
from drivers.virtual.cards import VirtualCard
from drivers.virtual.field import VirtualField
from kiosk.values import CardRead
from tests.drivers.acr122 import Acr122Transport, OverTransport
from tests.drivers.contract import is_end, is_lifted, poll_until
from tests.drivers.nfc_rig import make_card, payload_of

CHIPS = ("NTAG215", "NTAG215", "NTAG215", "FeliCa", "DESFire")
"""Most cards are of the cheap kind."""
LIFTED_EVERY = 50
"""Each fiftieth card leaves an empty field behind; the others make room for the next one at once."""
MOST_GROWTH_BYTES = 2_000_000
SHORT = 500
COUNTS = [SHORT, pytest.param(10_000, marks=pytest.mark.soak)]


def _resident_bytes() -> int:
    """Resident memory of this process (proc(5), statm)."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _tap_all(
    connection: NfcConnection, put: Callable[[VirtualCard], object], lift: Callable[[], object], count: int
) -> None:
    if count > SHORT:
        # A soak takes as long as it takes, also on a busy machine.
        faulthandler.cancel_dump_traceback_later()
    settled = 0
    for number in range(count):
        chip = CHIPS[number % len(CHIPS)]
        put(make_card(chip, number))
        read = poll_until(connection, is_end)[-1]
        assert isinstance(read, CardRead), (number, read)
        assert (read.chip, read.payload) == (chip, payload_of(number))
        if number % LIFTED_EVERY == 0:
            connection.poll()
            lift()
            poll_until(connection, is_lifted)
        if number == count // 5:
            settled = _resident_bytes()
    assert (connection.health().reads, connection.health().faults) == (count, 0)
    assert _resident_bytes() - settled < MOST_GROWTH_BYTES


@pytest.mark.parametrize("count", COUNTS)
def test_taps_on_an_acr122(count: int) -> None:
    transport = Acr122Transport()

    def put(card: VirtualCard | None) -> None:
        transport.card = card
        # What was counted is not what is measured.
        transport.commands.clear()

    with OverTransport(transport) as connection:
        _tap_all(connection, put, lambda: put(None), count)


@pytest.mark.parametrize("count", [pytest.param(10_000, marks=pytest.mark.soak)])
def test_taps_over_udp(count: int, nfc_field: VirtualField, nfc_connection: NfcConnection) -> None:
    _tap_all(nfc_connection, nfc_field.put, nfc_field.lift, count)
