"""Writing one chip: waits for it, writes what was ordered, reads it back and compares.

One order at a time (``write_orders``). A chip whose writing was cut short reads as empty and is written again
by the same order; one that holds the very same message already counts as written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import nfc.clf
import nfc.tag

from drivers.chips.ndef import credential_payload, encode_record
from drivers.chips.personalise import MasterKeys
from drivers.nfc_budget import BudgetedFrontend, BudgetSpent
from drivers.nfc_tags import identify, read_content
from drivers.nfc_write_tags import Survey, Type4Writer, writable
from drivers.write_orders import Write
from kiosk.errors import CardFault, EnvironmentFault, KioskError

TECHNOLOGIES = ("106A", "212F")
WRITE_BUDGET_S = 10.0
"""From chip found to message read back; a page takes about 10 ms on a PN53x, a FeliCa block 30 ms."""
MISSES_TO_LIFT = 3
SAME = "same"
"""What lies on a chip that holds the message already."""
T = TypeVar("T")


class NfcWriter:
    """A reader that writes. One thread uses it; every fault of a card is a CardFault."""

    def __init__(
        self,
        frontend: BudgetedFrontend,
        *,
        waits: Callable[[], None] = lambda: None,
        keys: MasterKeys | None = None,
        card_key: bytes | None = None,
    ) -> None:
        """``waits`` is called in each round without a card; what it raises ends the waiting."""
        # nfcpy logs what a card does wrong as errors; here each of those becomes a fault.
        logging.getLogger("nfc").setLevel(logging.CRITICAL)
        self._frontend = frontend
        self._waits = waits
        self._keys = keys
        self._card_key = card_key

    def look(self) -> tuple[Survey, bytes, str, bool | None]:
        """Waits for a chip; what it is, the payload of our record on it, what lies there, what it proved.

        What lies there is ``empty``, ``credential`` or the code of the CardFault of what is no credential.
        The last is whether it proved its key (P2); None if it has none or this process does not hold one.
        """
        target = self._wait_for_card()
        with self._frontend.budget(WRITE_BUDGET_S):
            return self._named(lambda: self._look(target))

    def write(self, order: Write) -> tuple[Survey, bytes]:
        """Waits for a chip and writes it; what it is and the payload that was read back.

        Raises CardFault: ``card_wrong_chip`` (another UID), ``card_wrong_kind`` (another kind of chip, or one
        that is never written), ``card_random_uid``, ``card_written`` (holds another credential),
        ``card_foreign`` (holds something else), ``card_too_small``, ``card_locked``, ``card_write_refused``,
        ``card_lifted``, ``card_unreadable``, ``card_differs`` (read back other than written), and with
        ``personalise`` what ``drivers.chips.personalise`` raises. EnvironmentFault ``card_key_missing``.
        """
        target = self._wait_for_card()
        with self._frontend.budget(WRITE_BUDGET_S):
            return self._named(lambda: self._write(target, order))

    def wait_lifted(self) -> None:
        """Waits until no card answers any more."""
        misses = 0
        while misses < MISSES_TO_LIFT:
            misses = 0 if self._seen() is not None else misses + 1
            self._waits()

    def _look(self, target: Any) -> tuple[Survey, bytes, str, bool | None]:
        survey = writable(self._frontend, target).survey()
        payload, state = self._content(survey)
        proved = None
        if self._card_key is not None and payload:
            tag = writable(self._frontend, self._again())
            if isinstance(tag, Type4Writer):
                tag.survey()
                proved = tag.proves(self._card_key, encode_record(payload))
        return survey, payload, state, proved

    def _write(self, target: Any, order: Write) -> tuple[Survey, bytes]:
        survey, state = self._fit(target, order)
        message = encode_record(order.payload)
        if order.personalise:
            self._personalise(message)
        elif state != SAME:
            tag = writable(self._frontend, self._again())
            tag.survey()
            tag.write(message)
        self._compare(order.payload)
        if order.lock == "permanent" and not order.personalise and not survey.locked:
            tag = writable(self._frontend, self._again())
            tag.survey()
            tag.lock()
            self._compare(order.payload)
        return survey, order.payload

    def _fit(self, target: Any, order: Write) -> tuple[Survey, str]:
        """The chip and what lies on it, if it is the one ordered and may be written; SAME if it was."""
        chip = identify(target)
        if not chip.random_uid and chip.uid != order.uid:
            uids = {"found": chip.uid.hex(), "uid": order.uid.hex()}
            raise CardFault("card_wrong_chip", "another chip than the one ordered", **uids)
        survey = writable(self._frontend, target).survey()
        if survey.chip != order.chip:
            why = f"a {survey.chip}, not the {order.chip} ordered"
            raise CardFault("card_wrong_kind", why, found=survey.chip)
        size = len(encode_record(order.payload))
        if size > survey.capacity:
            raise CardFault("card_too_small", f"{size} bytes, the {survey.chip} takes {survey.capacity}")
        payload, state = self._content(survey)
        if payload == order.payload:
            return survey, SAME
        if state != "empty" and not order.overwrite:
            code = "card_written" if state == "credential" else "card_foreign"
            raise CardFault(code, "the chip holds something already; order it overwritten", holds=state)
        return survey, state

    def _personalise(self, message: bytes) -> None:
        if self._keys is None:
            raise EnvironmentFault("card_key_missing", "start with --master-key-file and --card-key-file")
        tag = writable(self._frontend, self._again())
        if not isinstance(tag, Type4Writer):
            raise CardFault("card_wrong_kind", "the chip has no AES keys to prove itself with")
        tag.survey()
        tag.personalise(self._keys, message)

    def _compare(self, payload: bytes) -> None:
        found, state = self._read_back()
        if found != payload:
            raise CardFault("card_differs", "what was read back is not what was written", holds=state)

    def _content(self, survey: Survey) -> tuple[bytes, str]:
        return (b"", "empty") if survey.blank else self._read_back()

    def _read_back(self) -> tuple[bytes, str]:
        """The credential on the chip as the kiosk reads it, with the field switched off and on before."""
        try:
            payload = credential_payload(read_content(self._frontend, self._again()).message)
        except CardFault as fault:
            return b"", "empty" if fault.code == "card_empty" else fault.code
        return payload, "credential"

    def _again(self) -> Any:
        for _ in range(MISSES_TO_LIFT):
            if (target := self._sense()) is not None:
                return target
        raise nfc.clf.TimeoutError("the card does not answer any more")

    def _named(self, work: Callable[[], T]) -> T:
        """Runs it; whatever the tag layer raises becomes a CardFault, OSError stays."""
        try:
            return work()
        except (KioskError, OSError):
            raise
        except Exception as error:
            raise self._explain(error) from error

    def _explain(self, error: Exception) -> CardFault:
        for _ in range(MISSES_TO_LIFT):
            try:
                if not isinstance(error, BudgetSpent) and self._sense() is None:
                    continue
            except (nfc.clf.CommunicationError, BudgetSpent):
                pass
            return CardFault(
                "card_unreadable",
                "the card's answers make no sense or take too long",
                error=type(error).__name__,
            )
        return CardFault("card_lifted", "the card was lifted before it was done; lay the same one again")

    def _wait_for_card(self) -> Any:
        while (target := self._seen()) is None:
            self._waits()
        return target

    def _seen(self) -> Any:
        """As ``_sense``; None as well where answers to anticollision make no sense."""
        try:
            return self._sense()
        except nfc.clf.CommunicationError:
            return None

    def _sense(self) -> Any:
        return self._frontend.sense(*map(nfc.clf.RemoteTarget, TECHNOLOGIES), iterations=1)
