"""Secure messaging after AuthenticateEV2First: commands with a code, and enciphered ones. Pure.

NT4H2421Gx data sheet, section 9.1 (EV2 secure messaging, which DESFire EV2 and EV3 share).
"""

from __future__ import annotations

import hmac
import zlib

from drivers.chips.aes import BLOCK, decrypt, encrypt, pad, short_cmac, unpad
from drivers.chips.apdu import Transmit, split
from drivers.chips.ev2 import SUCCESS, Session, wrap
from kiosk.errors import CardFault

_COMMAND_IV, _ANSWER_IV = b"\xa5\x5a", b"\x5a\xa5"
"""Labels of the initial vectors, for commands and for answers (section 9.1.4)."""
MAC_BYTES = 8


class SecureChannel:
    """A session and its command counter. ``counter`` is how many commands went before."""

    def __init__(self, transmit: Transmit, session: Session, counter: int = 0) -> None:
        self._transmit = transmit
        self._session = session
        self._counter = counter

    def with_code(self, ins: int, header: bytes, data: bytes = b"") -> bytes:
        """Sends a command in CommMode.MAC; the answer's data. Raises CardFault as ``full`` does."""
        return self._send(ins, header, data)

    def full(self, ins: int, header: bytes, data: bytes = b"") -> bytes:
        """Sends a command in CommMode.Full: ``data`` is enciphered, ``header`` is not; the answer's data.

        Raises CardFault card_refused (detail ``status``) if the chip refuses, card_proof_bad if the code of
        its answer does not hold, and what sending raises.
        """
        sealed = encrypt(self._session.enc_key, pad(data), self._iv(_COMMAND_IV)) if data else b""
        answer = self._send(ins, header, sealed)
        if not answer:
            return b""
        try:
            return unpad(decrypt(self._session.enc_key, answer, self._iv(_ANSWER_IV)))
        except ValueError:
            raise CardFault("card_proof_bad", "an answer that does not open", why="answer") from None

    def last(self, ins: int, header: bytes, data: bytes) -> None:
        """As ``full`` for the command that ends the session: its answer carries no code (section 10.6.1)."""
        sealed = encrypt(self._session.enc_key, pad(data), self._iv(_COMMAND_IV))
        _, status = split(self._transmit(self._command(ins, header, sealed)))
        if status != SUCCESS:
            raise refused(ins, status)

    def _send(self, ins: int, header: bytes, data: bytes) -> bytes:
        answer, status = split(self._transmit(self._command(ins, header, data)))
        if status != SUCCESS:
            raise refused(ins, status)
        self._counter += 1
        content, code = answer[:-MAC_BYTES], answer[-MAC_BYTES:]
        wanted = short_cmac(self._session.mac_key, b"\x00" + self._place() + content)
        if not hmac.compare_digest(code, wanted):
            raise CardFault("card_proof_bad", "the code of an answer does not hold", why="answer")
        return content

    def _command(self, ins: int, header: bytes, data: bytes) -> bytes:
        code = short_cmac(self._session.mac_key, bytes([ins]) + self._place() + header + data)
        return wrap(ins, header + data + code)

    def _place(self) -> bytes:
        return self._counter.to_bytes(2, "little") + self._session.ti

    def _iv(self, label: bytes) -> bytes:
        block = label + self._session.ti + self._counter.to_bytes(2, "little")
        return encrypt(self._session.enc_key, block + bytes(BLOCK - len(block)))


def change_key_data(new: bytes, version: int, old: bytes | None) -> bytes:
    """What ChangeKey enciphers (section 10.6.1): ``old`` is None for the key of the session itself.

    Any other key travels as its difference from the old one, with the new one's CRC32 behind it.
    """
    if old is None:
        return new + bytes([version])
    mixed = bytes(a ^ b for a, b in zip(new, old, strict=True))
    return mixed + bytes([version]) + crc32(new)


def crc32(data: bytes) -> bytes:
    """The CRC32 of IEEE 802.3 without its last inversion, low byte first (section 10.6.1)."""
    return (zlib.crc32(data) ^ 0xFFFFFFFF).to_bytes(4, "little")


def refused(ins: int, status: int) -> CardFault:
    """CardFault card_refused for a command that the chip did not carry out."""
    return CardFault("card_refused", f"the chip refuses command {ins:02X}", status=f"{status:04x}", ins=ins)
