"""PC/SC through pyscard's plain functions: readers listed, a slot watched, APDUs sent, every code a fault.

Imported only where a PC/SC reader is used. pcscd and the reader's driver bound how long an APDU may take.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from smartcard import scard

from kiosk.errors import EnvironmentFault

_SERVICE_CODES = (scard.SCARD_E_NO_SERVICE, scard.SCARD_E_SERVICE_STOPPED)
_READER_CODES = (
    scard.SCARD_E_UNKNOWN_READER,
    scard.SCARD_E_READER_UNAVAILABLE,
    scard.SCARD_E_NO_READERS_AVAILABLE,
    scard.SCARD_E_INVALID_HANDLE,
)
_CARD_CODES = (
    scard.SCARD_W_REMOVED_CARD,
    scard.SCARD_E_NO_SMARTCARD,
    scard.SCARD_W_RESET_CARD,
    scard.SCARD_W_UNPOWERED_CARD,
)
_GONE_STATES = scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE | scard.SCARD_STATE_IGNORE


class CardGone(Exception):
    """The card was taken away while it was talked to."""


class CardSilent(Exception):
    """The card lies there and cannot be talked to."""


class Service:
    """An open connection to pcscd."""

    def __init__(self) -> None:
        self._context: Any = None

    def __enter__(self) -> Self:
        code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        if code != scard.SCARD_S_SUCCESS:
            raise not_running(code)
        self._context = context
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        scard.SCardReleaseContext(self._context)

    def readers(self) -> list[str]:
        """Names of the readers that are plugged in. Raises EnvironmentFault pcsc_not_running."""
        code, names = scard.SCardListReaders(self._context, [])
        if code == scard.SCARD_E_NO_READERS_AVAILABLE:
            return []
        if code != scard.SCARD_S_SUCCESS:
            raise not_running(code)
        return list(names)

    def watch(self, reader: str, known: int, wait_s: float) -> tuple[int, bytes]:
        """The reader's state and the ATR in it, at once or when it differs from ``known``.

        0 is no known state. Raises EnvironmentFault reader_gone or pcsc_not_running.
        """
        wait_ms = max(0, int(wait_s * 1000))
        code, states = scard.SCardGetStatusChange(self._context, wait_ms, [(reader, known)])
        if code == scard.SCARD_E_TIMEOUT:
            return known, b""
        if code != scard.SCARD_S_SUCCESS:
            raise fault_of(code, reader)
        _, state, atr = states[0]
        if state & _GONE_STATES:
            raise _gone(reader, "unplugged")
        # Told back, the state is compared: with the bit that it changed, nothing would ever be the same.
        return state & ~scard.SCARD_STATE_CHANGED, bytes(atr)

    def card(self, reader: str) -> Card:
        """The card in this reader, not entered."""
        return Card(self._context, reader)


class Card:
    """An open card; nobody else talks to it meanwhile."""

    def __init__(self, context: Any, reader: str, before: Callable[[], None] | None = None) -> None:
        self._context = context
        self._reader = reader
        self._handle: Any = None
        self._protocol: Any = None
        self.before: Callable[[], None] = before or (lambda: None)
        """Called before each APDU; what it raises ends the talk."""

    def __enter__(self) -> Self:
        code, handle, protocol = scard.SCardConnect(
            self._context,
            self._reader,
            scard.SCARD_SHARE_SHARED,
            scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1,
        )
        self._check(code)
        self._handle = handle
        self._protocol = _header_of(protocol)
        try:
            self._check(scard.SCardBeginTransaction(handle))
        except BaseException:
            scard.SCardDisconnect(handle, scard.SCARD_LEAVE_CARD)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        scard.SCardEndTransaction(self._handle, scard.SCARD_LEAVE_CARD)
        scard.SCardDisconnect(self._handle, scard.SCARD_LEAVE_CARD)

    def restart(self) -> None:
        """Has the reader reset the card: what it kept of the talk so far is gone. Raises as ``transmit``."""
        code, protocol = scard.SCardReconnect(
            self._handle,
            scard.SCARD_SHARE_SHARED,
            scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1,
            scard.SCARD_RESET_CARD,
        )
        self._check(code)
        self._protocol = _header_of(protocol)

    def transmit(self, apdu: bytes) -> bytes:
        """Sends a command APDU; the answer with its status. T=0 answers in two steps are put together.

        Raises CardGone, CardSilent, EnvironmentFault.
        """
        answer = self._exchange(apdu)
        if len(answer) == 2 and answer[0] == 0x6C:
            answer = self._exchange(apdu[:-1] + answer[1:])
        data = b""
        while len(answer) >= 2 and answer[-2] == 0x61 and len(data) < 65536:
            data += answer[:-2]
            answer = self._exchange(bytes([apdu[0], 0xC0, 0x00, 0x00, answer[-1]]))
        return data + answer

    def _exchange(self, apdu: bytes) -> bytes:
        self.before()
        code, answer = scard.SCardTransmit(self._handle, self._protocol, list(apdu))
        self._check(code)
        if len(answer) < 2:
            # Some readers' drivers call it success when the card left meanwhile.
            raise CardSilent("an answer without status")
        return bytes(answer)

    def _check(self, code: int) -> None:
        if code == scard.SCARD_S_SUCCESS:
            return
        if code in _CARD_CODES:
            raise CardGone(scard.SCardGetErrorMessage(code))
        if code in _SERVICE_CODES or code in _READER_CODES:
            raise fault_of(code, self._reader)
        raise CardSilent(scard.SCardGetErrorMessage(code))


def _header_of(protocol: int) -> Any:
    return scard.SCARD_PCI_T0 if protocol == scard.SCARD_PROTOCOL_T0 else scard.SCARD_PCI_T1


def fault_of(code: int, reader: str) -> EnvironmentFault:
    """pcsc_not_running for a service that went away, reader_gone for anything else."""
    if code in _SERVICE_CODES:
        return _gone(reader, "pcscd stopped")
    return _gone(reader, scard.SCardGetErrorMessage(code))


def _gone(reader: str, why: str) -> EnvironmentFault:
    return EnvironmentFault(
        "reader_gone", f"{reader} is gone: {why}. Check its cable.", device=f"pcsc:{reader}"
    )


def not_running(code: int) -> EnvironmentFault:
    """EnvironmentFault pcsc_not_running with what starts it; reader_denied where polkit keeps us away."""
    if code == scard.SCARD_W_SECURITY_VIOLATION:
        # pcsc-lite asks polkit, whose default lets in only who sits at the screen: never a service's user.
        user = pwd.getpwuid(os.geteuid()).pw_name
        fix = f"sudo kmc-kiosk setup --system --user {user}"
        return EnvironmentFault("reader_denied", f"polkit keeps {user} away from pcscd. {fix}", fix=fix)
    fix = "sudo systemctl enable --now pcscd.socket"
    return EnvironmentFault(
        "pcsc_not_running",
        f"pcscd does not answer ({scard.SCardGetErrorMessage(code)}). Start it: {fix}",
        fix=fix,
    )
