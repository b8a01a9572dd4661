"""Writing chips with a PC/SC reader: path ``pcsc:<reader name>``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from smartcard import scard

from drivers.chips.identify import Chip, Family
from drivers.chips.passthrough import Type2Frames
from drivers.nfc_budget import BudgetSpent
from drivers.pcsc_link import Card, CardGone, CardSilent, Service
from drivers.pcsc_reader import PREFIX, SETTLE_S, find_reader
from drivers.pcsc_tags import identify, read_message
from drivers.write_tags import Type2Writer, Type4Writer, WritableTag
from kiosk.errors import CardFault


class PcscField:
    """As WritingField; a card is an open connection to it, closed when the next one is opened."""

    def __init__(self, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        """``path`` as of PcscConnection."""
        self._wanted = path.removeprefix(PREFIX)
        self._clock = clock
        self._service = Service()
        self.reader = ""
        """Its name, once entered."""
        self._card: Card | None = None
        self._atr = b""
        self._deadline: float | None = None

    def __enter__(self) -> Self:
        self._service.__enter__()
        try:
            self.reader = find_reader(self._wanted, self._service.readers())
        except BaseException:
            self._service.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drop()
        self._service.__exit__(kind, error, trace)

    def find(self) -> Card | None:
        """As WritingField. Raises EnvironmentFault ``reader_gone``."""
        state, self._atr = self._service.watch(self.reader, 0, 0.0)
        if not state & scard.SCARD_STATE_PRESENT:
            return None
        try:
            return self.again()
        except CardSilent:
            return None

    def there(self) -> bool:
        """As WritingField. Raises EnvironmentFault ``reader_gone``."""
        state, _ = self._service.watch(self.reader, 0, 0.0)
        return bool(state & scard.SCARD_STATE_PRESENT)

    def answers(self, error: Exception) -> bool:
        """As WritingField. A card that left is not talked to again: its slot is for the next one."""
        if isinstance(error, CardGone):
            return False
        before, _ = self._service.watch(self.reader, 0, 0.0)
        state, _ = self._service.watch(self.reader, before, SETTLE_S)
        return bool(state & scard.SCARD_STATE_PRESENT)

    def again(self) -> Card | None:
        """As WritingField. Raises CardSilent, EnvironmentFault ``reader_gone``."""
        if self._card is not None:
            try:
                self._card.restart()
            except CardGone:
                self._drop()
                return None
            return self._card
        card = self._service.card(self.reader)
        card.before = self._check_budget
        try:
            card.__enter__()
        except CardGone:
            return None
        self._card = card
        return card

    def chip(self, card: Any) -> Chip:
        """As WritingField."""
        return identify(card.transmit, self._atr)

    def writable(self, card: Any) -> WritableTag:
        """As WritingField; FeliCa is not written through PC/SC."""
        chip = self.chip(card)
        if chip.random_uid:
            raise CardFault("card_random_uid", f"the {chip.name} shows a random UID", chip=chip.label)
        if chip.family is Family.TYPE2:
            return Type2Writer(Type2Frames(card.transmit, self.reader), chip)
        if chip.family is Family.TYPE4:
            return Type4Writer(card.transmit, chip)
        raise CardFault("card_wrong_kind", f"{chip.label} is not written through PC/SC", chip=chip.label)

    def message(self, card: Any) -> bytes:
        """As WritingField."""
        return read_message(card.transmit, self.chip(card))

    @contextmanager
    def budget(self, seconds: float) -> Iterator[None]:
        """As WritingField."""
        self._deadline = self._clock() + seconds
        try:
            yield
        finally:
            self._deadline = None
            self._drop()

    def _check_budget(self) -> None:
        if self._deadline is not None and self._clock() > self._deadline:
            raise BudgetSpent("the chip took its whole budget")

    def _drop(self) -> None:
        card, self._card = self._card, None
        if card is not None:
            card.__exit__(None, None, None)
