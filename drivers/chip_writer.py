"""Writing one chip: waits for it, writes what was ordered, reads it back and compares.

One order at a time (``write_orders``), whatever reader the chip lies on. A chip whose writing was cut short
reads as empty and is written again by the same order; one that holds the very same message already counts as
written.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from drivers.chips.identify import Chip
from drivers.chips.ndef import credential_payload, encode_record
from drivers.chips.personalise import MasterKeys
from drivers.nfc_budget import BudgetSpent
from drivers.write_orders import Write
from drivers.write_tags import Survey, Type4Writer, WritableTag
from kiosk.errors import CardFault, EnvironmentFault, KioskError

WRITE_BUDGET_S = 10.0
"""From chip found to message read back; a page takes about 10 ms on a PN53x, a FeliCa block 30 ms."""
MISSES_TO_LIFT = 3
SAME = "same"
"""What lies on a chip that holds the message already."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StationKeys:
    """What a writing process was given; each may be missing."""

    write: MasterKeys | None = None
    """For chips that are written, or given new keys (P2)."""
    card: bytes | None = None
    """The key that kiosks hold: enough to look whether a chip proves itself."""
    former: MasterKeys | None = None
    """The keys of chips that are given new ones."""

    @property
    def card_keys(self) -> tuple[bytes, ...]:
        """What chips may prove themselves by, the newest first."""
        known = (self.card, self.former.authentication if self.former else None)
        return tuple(key for key in known if key is not None)


NO_KEYS = StationKeys()


class WritingField(Protocol):
    """Where a chip is laid. A card in it is whatever the field understands, good until the next look."""

    def find(self) -> Any | None:
        """The card that lies there; None if none does, or its answers make no sense."""
        ...

    def there(self) -> bool:
        """True if a card lies there that can be talked to."""
        ...

    def answers(self, error: Exception) -> bool:
        """After this error: true if a card lies there, whatever nonsense it answers."""
        ...

    def again(self) -> Any | None:
        """The same, with the field switched off and on before; raises for answers that make no sense."""
        ...

    def chip(self, card: Any) -> Chip:
        """What anticollision tells of it."""
        ...

    def writable(self, card: Any) -> WritableTag:
        """How it is written. Raises CardFault ``card_wrong_kind``, ``card_random_uid``."""
        ...

    def message(self, card: Any) -> bytes:
        """Its NDEF message. Raises CardFault as a kiosk's reader does."""
        ...

    def budget(self, seconds: float) -> AbstractContextManager[None]:
        """Within this block talking to the card ends by BudgetSpent once ``seconds`` have passed.

        Behind it nothing holds the card any more.
        """
        ...


class CardAway(Exception):
    """The card does not answer any more."""


class ChipWriter:
    """A reader that writes. One thread uses it; every fault of a card is a CardFault."""

    def __init__(
        self, field: WritingField, *, waits: Callable[[], None] = lambda: None, keys: StationKeys = NO_KEYS
    ) -> None:
        """``waits`` is called in each round without a card; what it raises ends the waiting."""
        self._field = field
        self._waits = waits
        self._keys = keys

    def look(self) -> tuple[Survey, bytes, str, bool | None]:
        """Waits for a chip; what it is, the payload of our record on it, what lies there, what it proved.

        What lies there is ``empty``, ``credential`` or the code of the CardFault of what is no credential.
        The last is whether it proved its key (P2); None if it has none or this process does not hold one.
        """
        return self._with_card(self._look)

    def write(self, order: Write) -> tuple[Survey, bytes]:
        """Waits for a chip and writes it; what it is and the payload that was read back.

        Raises CardFault: ``card_wrong_chip`` (another UID), ``card_wrong_kind`` (another kind of chip, or one
        that is never written), ``card_random_uid``, ``card_written`` (holds another credential),
        ``card_foreign`` (holds something else), ``card_too_small``, ``card_locked``, ``card_write_refused``,
        ``card_lifted``, ``card_unreadable``, ``card_differs`` (read back other than written), and with
        ``personalise`` what ``drivers.chips.personalise`` raises. EnvironmentFault ``card_key_missing``.
        """
        return self._with_card(lambda card: self._write(card, order))

    def rekey(self, uid: bytes) -> tuple[Survey, bytes]:
        """Waits for a chip and gives it new keys; what it is and the payload that lies on it, and stays.

        Raises CardFault as ``drivers.chips.rekey`` and as reading a message does, ``card_wrong_chip``,
        ``card_wrong_kind``, ``card_lifted``, ``card_unreadable``; EnvironmentFault ``card_key_missing``.
        """
        return self._with_card(lambda card: self._rekey(card, uid))

    def sign(self, challenge: bytes) -> tuple[Survey, bytes, bytes]:
        """Waits for a chip that signs; what it is, its certificate, its signature over ``challenge``.

        Nothing of it is trusted here. Raises CardFault ``card_wrong_kind`` for a chip that does not sign, and
        as ``drivers.chips.card_profile.run``.
        """
        return self._with_card(lambda card: self._sign(card, challenge))

    def wait_lifted(self) -> None:
        """Waits until no card answers any more."""
        misses = 0
        while misses < MISSES_TO_LIFT:
            misses = 0 if self._field.there() else misses + 1
            self._waits()

    def _with_card(self, work: Callable[[Any], T]) -> T:
        while (card := self._field.find()) is None:
            self._waits()
        with self._field.budget(WRITE_BUDGET_S):
            try:
                return work(card)
            except (KioskError, OSError):
                raise
            except Exception as error:
                raise self._explain(error) from error

    def _look(self, card: Any) -> tuple[Survey, bytes, str, bool | None]:
        survey = self._field.writable(card).survey()
        payload, state = self._content(survey)
        proved = None
        known = self._keys.card_keys
        if known and payload:
            tag = self._tag_again()
            if isinstance(tag, Type4Writer):
                tag.survey()
                proved = tag.proves(known, encode_record(payload))
        return survey, payload, state, proved

    def _write(self, card: Any, order: Write) -> tuple[Survey, bytes]:
        survey, state = self._fit(card, order)
        message = encode_record(order.payload)
        if order.personalise:
            self._personalise(message)
        elif state != SAME:
            tag = self._tag_again()
            tag.survey()
            tag.write(message)
        self._compare(order.payload)
        if order.lock == "permanent" and not order.personalise and not survey.locked:
            tag = self._tag_again()
            tag.survey()
            tag.lock()
            self._compare(order.payload)
        return survey, order.payload

    def _fit(self, card: Any, order: Write) -> tuple[Survey, str]:
        """The chip and what lies on it, if it is the one ordered and may be written; SAME if it was."""
        self._check_uid(card, order.uid)
        survey = self._field.writable(card).survey()
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

    def _check_uid(self, card: Any, uid: bytes) -> None:
        chip = self._field.chip(card)
        if not chip.random_uid and chip.uid != uid:
            uids = {"found": chip.uid.hex(), "uid": uid.hex()}
            raise CardFault("card_wrong_chip", "another chip than the one ordered", **uids)

    def _personalise(self, message: bytes) -> None:
        if self._keys.write is None:
            raise EnvironmentFault("card_key_missing", "start with --master-key-file and --card-key-file")
        tag = self._tag_again()
        if not isinstance(tag, Type4Writer):
            raise CardFault("card_wrong_kind", "the chip has no AES keys to prove itself with")
        tag.survey()
        tag.personalise(self._keys.write, message)

    def _rekey(self, card: Any, uid: bytes) -> tuple[Survey, bytes]:
        if self._keys.write is None or self._keys.former is None:
            raise EnvironmentFault(
                "card_key_missing", "start with the old keys' files as well as with the new ones'"
            )
        self._check_uid(card, uid)
        tag = self._field.writable(card)
        survey = tag.survey()
        if not isinstance(tag, Type4Writer):
            raise CardFault("card_wrong_kind", "the chip has no AES keys to prove itself with")
        message = self._field.message(self._card_again())
        payload = credential_payload(message)
        tag = self._tag_again()
        assert isinstance(tag, Type4Writer)  # noqa: S101 - the same chip as before
        tag.rekey(self._keys.former, self._keys.write, message)
        return survey, payload

    def _sign(self, card: Any, challenge: bytes) -> tuple[Survey, bytes, bytes]:
        tag = self._field.writable(card)
        survey = tag.survey()
        signed = tag.sign(challenge) if isinstance(tag, Type4Writer) else None
        if signed is None:
            raise CardFault("card_wrong_kind", f"the {survey.chip} does not sign", chip=survey.chip)
        return survey, *signed

    def _compare(self, payload: bytes) -> None:
        found, state = self._read_back()
        if found != payload:
            raise CardFault("card_differs", "what was read back is not what was written", holds=state)

    def _content(self, survey: Survey) -> tuple[bytes, str]:
        return (b"", "empty") if survey.blank else self._read_back()

    def _read_back(self) -> tuple[bytes, str]:
        """The credential on the chip as the kiosk reads it, with the field switched off and on before."""
        try:
            payload = credential_payload(self._field.message(self._card_again()))
        except CardFault as fault:
            return b"", "empty" if fault.code == "card_empty" else fault.code
        return payload, "credential"

    def _tag_again(self) -> WritableTag:
        return self._field.writable(self._card_again())

    def _card_again(self) -> Any:
        for _ in range(MISSES_TO_LIFT):
            if (card := self._field.again()) is not None:
                return card
        raise CardAway

    def _explain(self, error: Exception) -> CardFault:
        for _ in range(MISSES_TO_LIFT):
            if isinstance(error, BudgetSpent) or self._field.answers(error):
                return CardFault(
                    "card_unreadable",
                    "the card's answers make no sense or take too long",
                    error=type(error).__name__,
                )
        return CardFault("card_lifted", "the card was lifted before it was done; lay the same one again")
