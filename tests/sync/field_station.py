"""A writing station in the same process: the real writer on a virtual field."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from drivers.chip_writer import NO_KEYS, StationKeys
from drivers.chips.personalise import MasterKeys
from drivers.nfc_budget import BudgetedFrontend
from drivers.nfc_devices import find_device, open_device
from drivers.nfc_writer import NfcWriter
from drivers.write_orders import Lock, Write
from kiosk.errors import EnvironmentFault
from sync.central.card_station import Seen

MOST_MISSES = 60


class FieldStation:
    """As StationProcess, without the process between."""

    def __init__(
        self,
        frontend: BudgetedFrontend,
        lift: Callable[[], None],
        keys: MasterKeys | None,
        former: MasterKeys | None,
    ) -> None:
        held = StationKeys(keys, keys.authentication, former) if keys else NO_KEYS
        self.writer = NfcWriter(frontend, waits=self.waits, keys=held)
        self._lift = lift
        self._misses = 0

    def waits(self) -> None:
        """Nobody has laid or taken a chip yet."""
        self._misses += 1
        if self._misses > MOST_MISSES:
            raise EnvironmentFault("reader_timeout")

    def look(self) -> Seen:
        self._misses = 0
        survey, payload, state, proved = self.writer.look()
        return Seen(survey.uid, survey.chip, payload, state, survey.capacity, survey.locked, proved)

    def write(
        self, uid: bytes, chip: str, payload: bytes, *, overwrite: bool, lock: str, personalise: bool
    ) -> bytes:
        kept: Lock = "permanent" if lock == "permanent" else "none"
        return self.writer.write(Write(uid, chip, payload, overwrite, kept, personalise))[1]

    def rekey(self, uid: bytes) -> bytes:
        return self.writer.rekey(uid)[1]

    def sign(self, challenge: bytes) -> tuple[bytes, bytes]:
        return self.writer.sign(challenge)[1:]

    def wait_lifted(self) -> None:
        self._lift()
        self._misses = 0
        self.writer.wait_lifted()


@contextmanager
def station_on(
    path: str,
    lift: Callable[[], None] = lambda: None,
    keys: MasterKeys | None = None,
    former: MasterKeys | None = None,
) -> Iterator[FieldStation]:
    """A station on the virtual field at that path; gives up as one whose time ran out."""
    frontend = BudgetedFrontend()
    open_device(find_device(path), frontend)
    try:
        yield FieldStation(frontend, lift, keys, former)
    finally:
        frontend.close()
