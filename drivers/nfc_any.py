"""Whichever NFC reader is plugged in: one that nfcpy drives on USB, else a contactless slot of PC/SC."""

from __future__ import annotations

import logging
import re
from types import TracebackType
from typing import Any, Final, Self

from drivers.reader import (
    DeviceReference,
    FeedbackWhat,
    Health,
    PollEvent,
    ReaderConnection,
    TakesChallenges,
)
from kiosk.errors import EnvironmentFault

ANY_USB: Final = "usb"
"""Path of the first reader on USB that nfcpy drives."""

_CONTACTLESS = re.compile(r"PICC|\bCL\b|Contactless|FeliCa|PaSoRi|NFC", re.IGNORECASE)
"""How the makers name the contactless slot of a PC/SC reader; a slot for contact cards is of no use here."""

_log = logging.getLogger(__name__)


def find_nfc() -> str:
    """Path of an NFC reader that is plugged in, by its kind rather than its place; empty if there is none."""
    from drivers.nfc_devices import find_devices

    return ANY_USB if find_devices() else find_slot()


def find_slot() -> str:
    """Path of the first contactless slot of PC/SC; empty if there is none, or no pcscd."""
    try:
        from drivers.pcsc_reader import find_readers

        slots = find_readers()
    except (EnvironmentFault, ImportError) as error:
        # Most machines have no pcscd and need none; where a reader waits for it the doctor says so.
        _log.debug("no PC/SC: %s", error)
        return ""
    return next((slot.path for slot in slots if _CONTACTLESS.search(slot.name)), "")


class AnyNfcConnection:
    """The reader that is there when it is entered, of either make; another one after the next entering."""

    def __init__(self, reference: DeviceReference, *, reset: bool = False, **options: Any) -> None:
        """``options`` are those that the makes share; ``reset`` as of ``NfcConnection``."""
        self._reference = reference
        self._reset = reset
        self._options = options
        self._opened: ReaderConnection | None = None

    @property
    def reference(self) -> DeviceReference:
        """The reader that was found, once one is open."""
        return self._opened.reference if self._opened else self._reference

    @property
    def interval_s(self) -> float:
        """As the reader that was found."""
        return self._opened.interval_s if self._opened else 0.0

    def __enter__(self) -> Self:
        """Looks and opens. Raises EnvironmentFault as the make that is there, reader_missing for none."""
        from drivers.nfc_reader import NfcConnection

        reset, self._reset = self._reset, False
        connection: ReaderConnection = NfcConnection(
            DeviceReference("nfc", ANY_USB), reset=reset, **self._options
        )
        try:
            connection.__enter__()
        except EnvironmentFault:
            # None that nfcpy drives is there, or it is held: by pcscd, as a rule, and then read through it.
            slot = find_slot()
            if not slot:
                raise
            from drivers.pcsc_reader import PcscConnection

            connection = PcscConnection(DeviceReference("nfc", slot), **self._options)
            connection.__enter__()
        self._opened = connection
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.__exit__(kind, error, trace)

    def poll(self) -> PollEvent | None:
        """As the reader that was found."""
        return self._reader.poll()

    def health(self) -> Health:
        """As the reader that was found."""
        return self._opened.health() if self._opened else Health(0, 0, 0)

    def feedback(self, what: FeedbackWhat) -> bool:
        """As the reader that was found."""
        return self._reader.feedback(what)

    def take_challenge(self, value: bytes) -> None:
        """The next chip that can sign, signs this."""
        opened = self._opened
        if opened is not None and isinstance(opened, TakesChallenges):
            opened.take_challenge(value)

    @property
    def _reader(self) -> ReaderConnection:
        if self._opened is None:
            raise EnvironmentFault("reader_gone", "no reader is open", device=self._reference.path)
        return self._opened
