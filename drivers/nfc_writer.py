"""Writing chips with a reader that nfcpy drives."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import nfc.clf

from drivers.chip_writer import NO_KEYS, ChipWriter, StationKeys
from drivers.chips.identify import Chip
from drivers.nfc_budget import BudgetedFrontend, BudgetSpent
from drivers.nfc_tags import identify, read_content
from drivers.nfc_write_tags import writable
from drivers.write_tags import WritableTag

TECHNOLOGIES = ("106A", "212F")


class NfcField:
    """As WritingField; a card is a target that ``sense`` returned, and each look switches the field."""

    def __init__(self, frontend: BudgetedFrontend) -> None:
        # nfcpy logs what a card does wrong as errors; here each of those becomes a fault.
        logging.getLogger("nfc").setLevel(logging.CRITICAL)
        self._frontend = frontend

    def find(self) -> Any | None:
        """As WritingField."""
        try:
            return self.again()
        except nfc.clf.CommunicationError:
            return None

    def there(self) -> bool:
        """As WritingField."""
        return self.find() is not None

    def answers(self, error: Exception) -> bool:
        """As WritingField."""
        try:
            return self.again() is not None
        except (nfc.clf.CommunicationError, BudgetSpent):
            return True

    def again(self) -> Any | None:
        """As WritingField."""
        return self._frontend.sense(*map(nfc.clf.RemoteTarget, TECHNOLOGIES), iterations=1)

    def chip(self, card: Any) -> Chip:
        """As WritingField."""
        return identify(card)

    def writable(self, card: Any) -> WritableTag:
        """As WritingField."""
        return writable(self._frontend, card)

    def message(self, card: Any) -> bytes:
        """As WritingField."""
        return read_content(self._frontend, card).message

    def budget(self, seconds: float) -> AbstractContextManager[None]:
        """As WritingField."""
        return self._frontend.budget(seconds)


class NfcWriter(ChipWriter):
    """A writer on an open nfcpy front end."""

    def __init__(
        self,
        frontend: BudgetedFrontend,
        *,
        waits: Callable[[], None] = lambda: None,
        keys: StationKeys = NO_KEYS,
    ) -> None:
        super().__init__(NfcField(frontend), waits=waits, keys=keys)
