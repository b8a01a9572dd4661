"""The NFC reader: our own loop over nfcpy's ``sense``, one card at a time, every fault with its name."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import nfc.clf

from drivers import nfc_feedback, nfc_radio
from drivers.chip_prover import Prover
from drivers.chips.identify import Chip, Family
from drivers.chips.ndef import credential_payload
from drivers.chips.originality import NXP_KEYS, PublicKey, is_original
from drivers.nfc_budget import TAP_BUDGET_S, BudgetedFrontend, BudgetSpent
from drivers.nfc_devices import find_device, open_device, reset_device
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
from kiosk.values import CardRead, ChipProof, Grade, Medium

TECHNOLOGIES = ("106A", "212F", "106B")
"""Type A for NTAG and DESFire, type F for FeliCa, type B to tell its holder that it is of another use."""

ROUND_S = 0.08
"""From one round of an empty field to the next, where the reader is quick enough."""

LEAST_REST_S = 0.02
"""Rest after a round that took longer: with three technologies still eight rounds a second and more."""

MISSES_TO_LIFT = 3
"""Empty rounds until a card counts as lifted: one alone may be a weak answer."""

MOST_ATTEMPTS = 3
"""Reads of one card that slips at the edge of the field, until it is lifted."""

TWO_CARDS_WITHIN_S = 1.0
"""Two cards that take turns without an empty round between them lie there together."""

MOST_ALIKE = 3
"""So many cards in a row that differ in their UID only, without an empty round, are one that changes it."""

_log = logging.getLogger(__name__)


class NfcConnection:
    """An NFC reader; the reference's path may be partial (``usb``) until it is entered.

    With ``reset`` a USB device is reset before it is opened: the process that had it open hung.
    One thread uses it; ``poll`` takes at most the tap budget and two senses.
    """

    def __init__(
        self,
        reference: DeviceReference,
        *,
        technologies: Sequence[str] = TECHNOLOGIES,
        originality_keys: Sequence[PublicKey] = NXP_KEYS,
        prover: Prover | None = None,
        reset: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reference = reference
        self.interval_s = LEAST_REST_S
        self.frontend = BudgetedFrontend(clock)
        self._technologies = tuple(technologies)
        self._originality_keys = tuple(originality_keys)
        self._prover = prover or Prover()
        self._clock = clock
        self._tally = Tally()
        self._pending: tuple[Any, Chip, float] | None = None
        self._present: tuple[Chip, ...] = ()
        self._before: tuple[Chip, float] | None = None
        self._misses = 0
        self._attempts = 0
        self._slipped = False
        self._noisy = False
        self._alone = True
        self._restless = False
        self._alike: tuple[object, int] = (None, 0)
        self._wanted = reference.path
        self._reset = reset
        self._care = nfc_radio.RadioCare(clock)

    def __enter__(self) -> Self:
        # nfcpy logs what a card does wrong as errors; here each of those becomes an event.
        logging.getLogger("nfc").setLevel(logging.CRITICAL)
        self.reference = self._open()
        device = self.frontend.device
        name = " ".join(part for part in (device.vendor_name, device.product_name) if part)
        self.reference = replace(self.reference, name=name or self.reference.name)
        return self

    def _open(self) -> DeviceReference:
        reference = find_device(self._wanted)
        if self._reset:
            self._reset = False
            reset_device(reference)
            reference = find_device(self._wanted)
        open_device(reference, self.frontend)
        return reference

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

    def take_challenge(self, value: bytes) -> None:
        """The next chip that can sign, signs this."""
        self._prover.take_challenge(value)

    def health(self) -> Health:
        """Counts since the device was opened."""
        return self._tally.health()

    def feedback(self, what: FeedbackWhat) -> bool:
        """Lamp and buzzer say so where the device has them; False if it has none."""
        device = self.frontend.device
        try:
            return device is not None and nfc_feedback.give(device, what)
        except OSError as error:
            raise self._gone(error) from error

    def poll(self) -> PollEvent | None:
        """One round: sense, or read the card found in the round before, or see that it lies there alone.

        Raises EnvironmentFault reader_gone when the device no longer answers.
        """
        try:
            event = self._round()
        except OSError as error:
            raise self._gone(error) from error
        self._tally.count(event)
        return event

    def _round(self) -> PollEvent | None:
        if self._pending:
            return self._read_pending()
        return self._look() if self._alone else self._count_cards()

    def _gone(self, error: OSError) -> EnvironmentFault:
        return EnvironmentFault(
            "reader_gone",
            f"{self.reference.name} on {self.reference.path} is gone: {error}. Check its cable.",
            device=self.reference.path,
            errno=error.errno or 0,
        )

    def _look(self) -> PollEvent | None:
        started = self._clock()
        if not self._present and self._care.due:
            nfc_radio.renew(self.frontend.device)
            self._care.renewed()
        try:
            target = self.frontend.sense(*map(nfc.clf.RemoteTarget, self._order()), iterations=1)
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
            took_s = self._clock() - started
            self._care.empty_round(took_s)
            self.interval_s = max(LEAST_REST_S, ROUND_S - took_s)
            return self._miss()
        self._misses = 0
        if self._restless:
            return None
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

    def _order(self) -> Sequence[str]:
        """The technologies to try; that of the card that lies there first, so that it is seen at once."""
        if self._present and self._present[0].family is Family.TYPE3:
            return sorted(self._technologies, key=lambda technology: not technology.endswith("F"))
        return self._technologies

    def _count_cards(self) -> PollEvent | None:
        """The card was read: is it the only one?"""
        self._alone = True
        try:
            second = nfc_radio.second_card(self.frontend, self._present[0], self._technologies)
        except OSError:
            raise
        except Exception as error:
            # The read stands; the next round tells again what lies there.
            _log.debug("no sense in what answered beside the card: %r", error)
            return None
        if second is None:
            return None
        self._present = (*self._present, second)
        return Faulted(CardFault("card_two", "two cards lie on the reader"))

    def _miss(self) -> PollEvent | None:
        self._before = None
        if not self._present:
            return None
        self._misses += 1
        if self._misses < MISSES_TO_LIFT:
            return None
        self._alike = (None, 0)
        return self._forget()

    def _forget(self) -> Lifted:
        self._present, self._slipped, self._misses, self._restless = (), False, 0, False
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
        event = self._read(target, chip, found_at)
        what = event.payload if isinstance(event, CardRead) else event.fault.code
        before, times = self._alike
        self._alike = (chip.name, what), times + 1 if before == (chip.name, what) else 1
        if self._alike[1] > MOST_ALIKE:
            self._restless = True
            return Faulted(CardFault("card_unreadable", "the card changes its UID", chip=chip.label))
        self._alone = not isinstance(event, CardRead)
        return event

    def _read(self, target: Any, chip: Chip, found_at: float, first: bool = True) -> CardRead | Faulted:
        """One read; a second one within the same budget if the card slipped and lies there still."""
        whole = False
        try:
            with self.frontend.budget(found_at + TAP_BUDGET_S - self._clock()):
                content = read_content(self.frontend, target)
                whole = True
                payload = credential_payload(content.message)
                proof = self._prover.prove(content.transmit, content.uid, content.message)
        except CardFault as fault:
            # Its UID may be all that a card from before this system has.
            known = {} if chip.random_uid else {"uid": chip.uid.hex()}
            detail = {"chip": chip.label, **known, **fault.detail}
            return Faulted(CardFault(fault.code, fault.message, **detail))
        except OSError:
            raise
        except Exception as error:
            why, found = self._explain(error, chip)
            if found is None or whole or not first or isinstance(error, BudgetSpent):
                return Faulted(why)
            return self._read(found, chip, found_at, first=False)
        read_ms = (self._clock() - found_at) * 1000
        original = is_original(content.uid, content.signature, self._originality_keys)
        if original is not None:
            proof = replace(proof or ChipProof(Grade.P1), original=original)
        return CardRead(
            Medium.NFC, payload, content.uid, content.chip, self.reference.name, round(read_ms, 1), proof
        )

    def _explain(self, error: Exception, chip: Chip) -> tuple[CardFault, Any]:
        """Lifted if the card is no longer there, else unreadable: whatever the tag layer raised.

        With the fault comes the same card, sensed anew; None if it is another one or there is none.
        """
        for _ in range(2):
            try:
                target = self.frontend.sense(*map(nfc.clf.RemoteTarget, self._technologies), iterations=1)
            except OSError:
                raise
            except Exception as again:
                return _unreadable(again, "answers to anticollision make no sense", chip.label), None
            if target is not None:
                fault = _unreadable(error, "the card's answers make no sense or take too long", chip.label)
                return fault, target if identify(target).same_card(chip) else None
        self._slipped = self._attempts < MOST_ATTEMPTS
        return CardFault("card_lifted", "the card was lifted while it was read", chip=chip.label), None


def _unreadable(error: Exception, message: str, chip: str = "") -> CardFault:
    return CardFault("card_unreadable", message, chip=chip, error=type(error).__name__)
