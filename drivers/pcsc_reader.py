"""Readers through PC/SC: path ``pcsc:<reader name>``. The slot is asked, no thread watches it.

A card that lay there before counts as well. What a slot counts of cards coming and going tells a card that
was changed between two looks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self

from smartcard import scard

from drivers.chip_prover import Prover
from drivers.chips.identify import Chip, Family
from drivers.chips.ndef import credential_payload
from drivers.chips.originality import (
    NXP_KEYS,
    READ_SIG,
    READ_SIG_APDU,
    READ_SIG_BYTES,
    PublicKey,
    is_original,
    signature_in,
)
from drivers.chips.passthrough import exchange
from drivers.nfc_budget import TAP_BUDGET_S, BudgetSpent
from drivers.pcsc_link import Card, CardGone, CardSilent, Service
from drivers.pcsc_tags import identify, read_message
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

PREFIX = "pcsc:"
WAIT_S = 0.1
"""How long one look waits for the slot to change."""
SETTLE_S = 0.6
"""Until pcscd has noticed that a card left: it asks the slot every 0.4 s (PCSCLITE_STATUS_POLL_RATE)."""
_NXP = b"\x04"
"""First UID byte of NXP's chips (ISO/IEC 7816-6): only those are asked for their signature."""
_COUNT_SHIFT = 16
"""The upper half of a state counts cards that came and went (pcsc-lite, SCardGetStatusChange)."""


def find_readers() -> list[DeviceReference]:
    """PC/SC readers that are plugged in, none of them opened. Raises EnvironmentFault pcsc_not_running."""
    with Service() as service:
        return [_reference(name) for name in service.readers()]


def _reference(name: str) -> DeviceReference:
    return DeviceReference("nfc", PREFIX + name, name, PREFIX + name, frozenset({"type_a"}))


def find_reader(wanted: str, names: list[str]) -> str:
    """The reader of that name, or the first whose name begins so; a slot for SAMs only if it is asked for.

    Raises EnvironmentFault ``reader_missing``.
    """
    found = [name for name in names if name == wanted] or [
        name for name in names if name.startswith(wanted) and (wanted or "SAM" not in name)
    ]
    if not found:
        there = ", ".join(names) or "none"
        raise EnvironmentFault(
            "reader_missing",
            f"no PC/SC reader {wanted or 'at all'}; there: {there}",
            device=PREFIX + wanted,
        )
    return found[0]


class PcscConnection:
    """A slot of a PC/SC reader. One thread uses it; ``poll`` takes at most the tap budget and one look."""

    def __init__(
        self,
        reference: DeviceReference,
        *,
        prover: Prover | None = None,
        originality_keys: Sequence[PublicKey] = NXP_KEYS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """The path may be ``pcsc:`` alone (the first reader) or the beginning of one reader's name."""
        self.reference = reference
        self.interval_s = 0.0
        self._wanted = reference.path.removeprefix(PREFIX)
        self._prover = prover or Prover()
        self._originality_keys = tuple(originality_keys)
        self._clock = clock
        self._tally = Tally()
        self._service = Service()
        self._stack = ExitStack()
        self._reader = ""
        self._state = 0
        self._atr = b""
        self._present = False
        self._pending: float | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._service)
            self._reader = find_reader(self._wanted, self._service.readers())
            self._stack = stack.pop_all()
        self.reference = replace(_reference(self._reader), path=PREFIX + self._reader)
        self._state = 0
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def take_challenge(self, value: bytes) -> None:
        """The next chip that can sign, signs this."""
        self._prover.take_challenge(value)

    def health(self) -> Health:
        """Counts since the device was opened."""
        return self._tally.health()

    def feedback(self, what: FeedbackWhat) -> bool:
        """PC/SC has no command for lamps and buzzers that all readers share."""
        return False

    def poll(self) -> PollEvent | None:
        """One round: look at the slot, or read the card that was seen in the round before.

        Raises EnvironmentFault reader_gone when reader or service went away.
        """
        event = self._look() if self._pending is None else self._read_pending(self._pending)
        self._tally.count(event)
        return event

    def _look(self) -> PollEvent | None:
        first = self._state == 0
        before = self._state
        self._state, atr = self._service.watch(self._reader, before, 0.0 if first else WAIT_S)
        self._atr = atr or self._atr
        there = bool(self._state & scard.SCARD_STATE_PRESENT)
        changed = not first and self._state >> _COUNT_SHIFT != before >> _COUNT_SHIFT
        if self._present and (changed or not there):
            self._present = False
            if there:
                # Another card lies there already: it is announced in the next round.
                self._state = before & ~scard.SCARD_STATE_PRESENT
            return Lifted()
        if not there or self._present:
            return None
        self._present = True
        self._pending = self._clock()
        return Reading()

    def _read_pending(self, found_at: float) -> PollEvent:
        self._pending = None

        def check_budget() -> None:
            if self._clock() - found_at > TAP_BUDGET_S:
                raise BudgetSpent("the tap took its whole budget")

        chip: Chip | None = None
        try:
            with self._service.card(self._reader) as card:
                card.before = check_budget
                chip = identify(card.transmit, self._atr)
                return self._read(card, chip, found_at)
        except CardFault as fault:
            named = {"chip": chip.label if chip else "", **fault.detail}
            return Faulted(CardFault(fault.code, fault.message, **named))
        except CardGone:
            return self._lifted(chip)
        except (CardSilent, BudgetSpent) as error:
            if not self._stays():
                return self._lifted(chip)
            return Faulted(
                CardFault(
                    "card_unreadable",
                    "the card's answers make no sense or take too long",
                    chip=chip.label if chip else "",
                    error=type(error).__name__,
                )
            )

    def _read(self, card: Card, chip: Chip, found_at: float) -> CardRead:
        # Before an application is selected: the signature is the chip's own.
        signature = signature_in(card.transmit(READ_SIG_APDU)) if chip.signs else None
        message = read_message(card.transmit, chip)
        payload = credential_payload(message)
        if chip.family is Family.TYPE2 and chip.uid[:1] == _NXP:
            # At last: a chip that does not know the command goes to sleep.
            signature = self._type2_signature(card)
        transmit = card.transmit if chip.family.value == "type4" else None
        proof = self._prover.prove(transmit, chip.uid, message)
        original = is_original(chip.uid, signature, self._originality_keys)
        if original is not None:
            proof = replace(proof or ChipProof(Grade.P1), original=original)
        read_ms = (self._clock() - found_at) * 1000
        return CardRead(
            Medium.NFC, payload, chip.uid, chip.label, self.reference.name, round(read_ms, 1), proof
        )

    def _type2_signature(self, card: Card) -> bytes | None:
        """What an NTAG21x gives; None where the reader does not hand the command on, or the chip has none."""
        answer = exchange(card.transmit, self._reader, READ_SIG)
        return answer if answer is not None and len(answer) == READ_SIG_BYTES else None

    def _stays(self) -> bool:
        """True if the card that gave no answer still lies there once the service has looked again."""
        state, _ = self._service.watch(self._reader, 0, 0.0)
        if state & scard.SCARD_STATE_PRESENT:
            state, _ = self._service.watch(self._reader, state, SETTLE_S)
        same = state >> _COUNT_SHIFT == self._state >> _COUNT_SHIFT
        return same and bool(state & scard.SCARD_STATE_PRESENT)

    def _lifted(self, chip: Chip | None) -> Faulted:
        return Faulted(
            CardFault("card_lifted", "the card was lifted while it was read", chip=chip.label if chip else "")
        )
