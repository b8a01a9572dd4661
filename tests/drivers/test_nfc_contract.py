"""The reader contract on nfcpy's own stack over its udp driver, for each chip."""

from __future__ import annotations

import pytest

from drivers.virtual.field import VirtualField
from tests.drivers.contract import ReaderContract, Rig
from tests.drivers.nfc_rig import MAKERS, NfcRig


class TestNfcOverUdp(ReaderContract):
    @pytest.fixture(params=sorted(MAKERS))
    def rig(self, request: pytest.FixtureRequest, nfc_field: VirtualField) -> Rig:
        return NfcRig(nfc_field, request.param)
