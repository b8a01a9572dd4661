"""The NFC reader: our own loop over nfcpy's ``sense``, one card at a time, every fault with its name."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TextIO

import nfc.clf
from nfc.clf.device import Device as StockDevice

from drivers.chips.identify import Chip
from drivers.chips.ndef import credential_payload
from drivers.lines import serve
from drivers.nfc_budget import TAP_BUDGET_S, BudgetedFrontend
from drivers.nfc_devices import find_device, open_device
from drivers.nfc_tags import identify, read_content
from drivers.reader import (
    DeviceReference,
    Faulted,
    FeedbackWhat,
    Health,
    Lifted,
    PollEvent,
    Reading,
    Tally,
)
from kiosk.errors import CardFault, EnvironmentFault
from kiosk.values import CardRead, Medium

TECHNOLOGIES = ("106A", "212F")
"""Type A for NTAG and DESFire, type F for FeliCa, in the order they are tried."""

INTERVAL_S = 0.05

MISSES_TO_LIFT = 3
"""Empty rounds until a card counts as lifted: one alone may be a weak answer."""

MOST_ATTEMPTS = 3
"""Reads of one card that slips at the edge of the field, until it is lifted."""

TWO_CARDS_WITHIN_S = 1.0
"""Two cards that take turns without an empty round between them lie there together."""


_log = logging.getLogger(__name__)


class NfcConnection:
    """An NFC reader; the reference's path may be partial (``usb``) until it is entered.

    One thread uses it; ``poll`` takes at most the tap budget and two senses.
    """

    def __init__(
        self,
        reference: DeviceReference,
        *,
        technologies: Sequence[str] = TECHNOLOGIES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reference = reference
        self.interval_s = INTERVAL_S
        self.frontend = BudgetedFrontend(clock)
        self._technologies = tuple(technologies)
        self._clock = clock
        self._tally = Tally()
        self._pending: tuple[Any, Chip, float] | None = None
        self._present: tuple[Chip, ...] = ()
        self._before: tuple[Chip, float] | None = None
        self._misses = 0
        self._attempts = 0
        self._slipped = False
        self._noisy = False

    def __enter__(self) -> Self:
        self.reference = find_device(self.reference.path)
        # nfcpy logs what a card does wrong as errors; here each of those becomes an event.
        logging.getLogger("nfc").setLevel(logging.CRITICAL)
        open_device(self.reference, self.frontend)
        device = self.frontend.device
        name = " ".join(part for part in (device.vendor_name, device.product_name) if part)
        self.reference = replace(self.reference, name=name or self.reference.name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.frontend.close()
        except Exception as failure:
            # Closing talks to the chip once more; a device that is already gone must not hide why.
            _log.warning("%s did not close: %r", self.reference.path, failure)

    def health(self) -> Health:
        """Counts since the device was opened."""
        return self._tally.health()

    def feedback(self, what: FeedbackWhat) -> bool:
        """``attention`` sounds and lights the device where it can; ``ok`` brings it back to quiet."""
        device = self.frontend.device
        if device is None or type(device).turn_on_led_and_buzzer is StockDevice.turn_on_led_and_buzzer:
            return False
        try:
            if what == "attention":
                device.turn_on_led_and_buzzer()
            else:
                device.turn_off_led_and_buzzer()
        except OSError as error:
            raise self._gone(error) from error
        return True

    def poll(self) -> PollEvent | None:
        """One round: sense, or read the card found in the round before.

        Raises EnvironmentFault reader_gone when the device no longer answers.
        """
        try:
            event = self._read_pending() if self._pending else self._look()
        except OSError as error:
            raise self._gone(error) from error
        self._tally.count(event)
        return event

    def _gone(self, error: OSError) -> EnvironmentFault:
        return EnvironmentFault(
            "reader_gone",
            f"{self.reference.name} on {self.reference.path} is gone: {error}. Check its cable.",
            device=self.reference.path,
            errno=error.errno or 0,
        )

    def _look(self) -> PollEvent | None:
        try:
            target = self.frontend.sense(*map(nfc.clf.RemoteTarget, self._technologies), iterations=1)
            chip = identify(target) if target is not None else None
        except OSError:
            raise
        except Exception as error:
            if self._noisy:
                return None
            self._noisy = True
            return Faulted(_unreadable(error, "answers to anticollision make no sense"))
        self._noisy = False
        if chip is None:
            return self._miss()
        self._misses = 0
        if any(chip.same_card(known) for known in self._present):
            if not self._slipped:
                return None
            self._slipped = False
            self._attempts += 1
        elif self._present:
            return self._replaced(chip)
        else:
            self._present = (chip,)
            self._attempts = 1
        self._pending = (target, chip, self._clock())
        return Reading()

    def _miss(self) -> PollEvent | None:
        self._before = None
        if not self._present:
            return None
        self._misses += 1
        if self._misses < MISSES_TO_LIFT:
            return None
        return self._forget()

    def _forget(self) -> Lifted:
        self._present, self._slipped, self._misses = (), False, 0
        return Lifted()

    def _replaced(self, chip: Chip) -> PollEvent:
        now = self._clock()
        before, self._before = self._before, (self._present[0], now)
        if before and before[0].same_card(chip) and now - before[1] <= TWO_CARDS_WITHIN_S:
            self._present, self._slipped = (*self._present, chip), False
            return Faulted(CardFault("card_two", "two cards lie on the reader"))
        return self._forget()

    def _read_pending(self) -> PollEvent | None:
        if self._pending is None:
            return None
        (target, chip, found_at), self._pending = self._pending, None
        try:
            with self.frontend.budget(found_at + TAP_BUDGET_S - self._clock()):
                content = read_content(self.frontend, target)
            payload = credential_payload(content.message)
        except CardFault as fault:
            return Faulted(CardFault(fault.code, fault.message, **{"chip": chip.label, **fault.detail}))
        except OSError:
            raise
        except Exception as error:
            return Faulted(self._explain(error, chip))
        read_ms = (self._clock() - found_at) * 1000
        return CardRead(
            Medium.NFC, payload, content.uid, content.chip, self.reference.name, round(read_ms, 1)
        )

    def _explain(self, error: Exception, chip: Chip) -> CardFault:
        """Lifted if the card is no longer there, else unreadable: whatever the tag layer raised."""
        for _ in range(2):
            try:
                target = self.frontend.sense(*map(nfc.clf.RemoteTarget, self._technologies), iterations=1)
            except OSError:
                raise
            except Exception as again:
                return _unreadable(again, "answers to anticollision make no sense", chip.label)
            if target is not None:
                return _unreadable(error, "the card's answers make no sense or take too long", chip.label)
        self._slipped = self._attempts < MOST_ATTEMPTS
        return CardFault("card_lifted", "the card was lifted while it was read", chip=chip.label)


def _unreadable(error: Exception, message: str, chip: str = "") -> CardFault:
    return CardFault("card_unreadable", message, chip=chip, error=type(error).__name__)


def run(
    device: str, *, once: bool = False, timeout_s: float | None = None, out: TextIO, commands: TextIO | None
) -> int:
    """The NFC reader process: JSON lines on ``out`` until told to stop; its exit code (see ``serve``).

    ``device`` is ``usb``, ``usb:VID:PID``, ``usb:BUS:ADDRESS``, ``tty:…`` or ``udp:HOST:PORT``.
    """
    return serve(NfcConnection(DeviceReference("nfc", device)), out, commands, once, timeout_s)
