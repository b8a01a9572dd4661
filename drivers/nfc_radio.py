"""The radio side of an open NFC reader: set up anew now and then, and asked for a second card."""

from __future__ import annotations

import inspect
import statistics
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import nfc.clf

from drivers.chips.identify import Chip, Family
from drivers.nfc_budget import BudgetedFrontend
from drivers.nfc_tags import identify

RENEW_EVERY_S = 3600.0
"""PN53x readers were seen to poll slower after hours without a card."""

SOONEST_S = 300.0
"""A reader that polls slowly is set up anew at most this often."""

_ROUNDS = 50
_SLOWER = 2.0
_SLOWER_BY_S = 0.02

_HALT = bytes.fromhex("5000")
"""HLTA (ISO 14443-3, section 6.4.3): the card keeps silent until the field goes off or it is woken."""
_DESELECT = b"\xc2"
"""S(DESELECT) (ISO 14443-4, section 8): the same for a card that speaks ISO-DEP."""
_HALT_ANSWER_S = 0.005


class RadioCare:
    """Says when the radio should be set up anew: each hour, or when empty rounds have become slow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since = clock()
        self._usual: float | None = None
        self._last: deque[float] = deque(maxlen=_ROUNDS)

    def empty_round(self, took_s: float) -> None:
        """One round without a card took so long."""
        self._last.append(took_s)
        if self._usual is None and len(self._last) == _ROUNDS:
            self._usual = statistics.median(self._last)

    @property
    def slow(self) -> bool:
        """Empty rounds take twice as long as at the start, and 20 ms more."""
        if self._usual is None or len(self._last) < _ROUNDS:
            return False
        now = statistics.median(self._last)
        return now > _SLOWER * self._usual and now > self._usual + _SLOWER_BY_S

    @property
    def due(self) -> bool:
        """It is time."""
        age = self._clock() - self._since
        return age >= RENEW_EVERY_S or (age >= SOONEST_S and self.slow)

    def renewed(self) -> None:
        """It was done; what is usual stays what it was at the start."""
        self._since = self._clock()
        self._last.clear()


def renew(device: Any) -> None:
    """Let nfcpy's driver set the chip up as when it was opened, over the line that stays open.

    Nothing is done for a device without a chip. Raises OSError.
    """
    device.mute()
    chipset = getattr(device, "chipset", None)
    if chipset is None:
        return
    initialise = type(device).__init__
    if "logger" in inspect.signature(initialise).parameters:
        initialise(device, chipset, logger=device.log)
    else:
        initialise(device, chipset)


def second_card(frontend: BudgetedFrontend, chip: Chip, technologies: Sequence[str]) -> Chip | None:
    """A further card in the field of the selected one, which is put to sleep for this; None if there is none.

    Seen are a second card of type A and one of another technology; the field must go off before the first
    answers again. Raises OSError from the device, and whatever its driver makes of answers without sense.
    """
    if chip.family not in (Family.TYPE2, Family.TYPE4):
        return None
    if chip.family is Family.TYPE2:
        frontend.tell(_HALT, _HALT_ANSWER_S)
    else:
        try:
            frontend.exchange(_DESELECT, _HALT_ANSWER_S)
        except nfc.clf.CommunicationError:
            pass  # a card that was lifted; the look around below sees that
    for technology in technologies:
        try:
            target = frontend.sense_on(nfc.clf.RemoteTarget(technology))
        except nfc.clf.Error:
            continue
        found = identify(target) if target is not None else None
        if found is not None and not found.same_card(chip):
            # It may also have taken the place of the first, which then does not answer to its own UID.
            first = frontend.sense(nfc.clf.RemoteTarget("106A", sel_req=bytearray(chip.uid)))
            return found if first is not None else None
    return None
