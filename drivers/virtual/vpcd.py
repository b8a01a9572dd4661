"""Virtual cards in a virtual PC/SC reader: vsmartcard's vpcd listens, and a card is what connects to it.

Its protocol: two bytes of length, high byte first, and so many bytes. One byte is a control of the reader
(0 power off, 1 power on, 2 reset, 4 ATR), more is a command APDU. What a contactless reader answers itself
(class FF) is answered here as well.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from drivers.chips import pcsc_atr, type2, type3
from drivers.virtual.applet import Applet, AppletCard
from drivers.virtual.cards import Type2Card, Type3Card

PORT = 0x8C7B
"""Where vpcd's first slot listens, 35963 (vsmartcard, /etc/reader.conf.d/vpcd)."""
_POWER_OFF, _POWER_ON, _RESET, _ATR = 0, 1, 2, 4
_OK, _REFUSED = bytes.fromhex("9000"), bytes.fromhex("6A81")


class SlotCard(Protocol):
    """A card as the slot of a contactless reader shows it."""

    atr: bytes

    def reset(self) -> None: ...

    def respond(self, apdu: bytes) -> bytes: ...


@dataclass(slots=True)
class Type2Slot:
    """A Type 2 chip behind the reader's READ BINARY and UPDATE BINARY, and its transparent exchange."""

    card: Type2Card
    atr: bytes = pcsc_atr.storage_atr(*pcsc_atr.TYPE_2_ATR)
    hands_on: bool = True
    """Whether the reader hands frames on to the chip; not every make does."""

    def reset(self) -> None:
        """A memory forgets nothing."""

    def respond(self, apdu: bytes) -> bytes:
        """GET DATA, READ BINARY and UPDATE BINARY of the reader, and frames that it hands on."""
        if apdu == pcsc_atr.GET_UID:
            return self.card.uid + _OK
        if apdu[:3] == bytes.fromhex("FFB000"):
            at = apdu[3] * type2.PAGE_BYTES
            data = self.card.memory[at : at + 16]
            return data.ljust(16, b"\x00") + _OK if data else bytes.fromhex("6A82")
        if apdu[:3] == bytes.fromhex("FFD600") and apdu[4] == type2.PAGE_BYTES:
            written = self.card.command(bytes([0xA2, apdu[3]]) + apdu[5:9]) == bytes([type2.ACK])
            return _OK if written else bytes.fromhex("6300")
        if not self.hands_on:
            return _REFUSED
        if apdu[:4] == bytes.fromhex("FFC20001"):
            return self._exchanged(apdu[5:-1])
        if apdu[:4] == bytes.fromhex("FF000000") and apdu[5:7] == b"\xd4\x42":
            answer = self.card.command(apdu[7:])
            # The PN532 tells silence as a time-out.
            return b"\xd5\x43" + (b"\x01" if answer is None else b"\x00" + answer) + _OK
        return _REFUSED

    def _exchanged(self, objects: bytes) -> bytes:
        """A transparent exchange: the timer, then what is sent."""
        if objects[:3] != bytes.fromhex("5F4604") or objects[7:8] != b"\x95":
            return bytes.fromhex("C0030190006A81") + _OK
        answer = self.card.command(objects[9 : 9 + objects[8]])
        told = bytes.fromhex("C0030090009201009602")
        if answer is None:
            return told + b"\x01\x00" + _OK
        return told + b"\x00\x00" + bytes([0x97, len(answer)]) + answer + _OK


@dataclass(slots=True)
class Type3Slot:
    """A FeliCa card behind the reader's SELECT FILE and READ BINARY."""

    card: Type3Card
    atr: bytes = pcsc_atr.storage_atr(*pcsc_atr.FELICA_ATR)
    selected: bool = False

    def reset(self) -> None:
        """No service is selected any more."""
        self.selected = False

    def respond(self, apdu: bytes) -> bytes:
        """GET DATA, SELECT FILE of a service, READ BINARY of a block."""
        if apdu == pcsc_atr.GET_UID:
            return self.card.uid + _OK
        if apdu == pcsc_atr.select_service(type3.NDEF_SERVICE):
            self.selected = True
            return _OK
        if apdu[:3] == bytes.fromhex("FFB000") and self.selected:
            frame = b"\x06" + self.card.uid + bytes.fromhex("010B000180") + apdu[3:4]
            answer = self.card.answer("212F", bytes([len(frame) + 1]) + frame)
            if answer is not None and answer[10:12] == b"\x00\x00":
                return answer[13:] + _OK
        return _REFUSED


@dataclass(slots=True)
class Type4Slot:
    """An ISO 14443-4 card: the reader answers GET DATA, the card all else."""

    uid: bytes
    applet: Applet
    atr: bytes = pcsc_atr.contactless_atr(b"\x80")

    def reset(self) -> None:
        """The field went off."""
        self.applet.reset()

    def respond(self, apdu: bytes) -> bytes:
        """What the card answers."""
        if apdu == pcsc_atr.GET_UID:
            return self.uid + _OK
        return _REFUSED if apdu[:1] == b"\xff" else self.applet.respond(apdu)


def in_slot(card: object) -> SlotCard:
    """A card of the virtual field as a PC/SC reader shows it. Raises TypeError for any other kind."""
    if isinstance(card, Type2Card):
        return Type2Slot(card)
    if isinstance(card, Type3Card):
        return Type3Slot(card)
    if isinstance(card, AppletCard) and card.applet is not None:
        return Type4Slot(card.uid, card.applet)
    raise TypeError(f"{type(card).__name__} cannot lie in a PC/SC reader")


class VpcdSlot:
    """A slot of vpcd with a card in it, from ``put`` until ``lift``; answers from a thread of its own."""

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        """``connect`` gives a new connection to vpcd."""
        self._connect = connect
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self.lift_after: int | None = None
        """The card leaves after it has answered this many APDUs."""
        self.answered = 0

    def put(self, card: SlotCard) -> None:
        """Lays this card into the slot; it replaces the one that lies there. Raises OSError."""
        self.lift()
        self._socket = self._connect()
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answered = 0
        self._thread = threading.Thread(
            target=self._serve, args=(self._socket, card), name="vpcd-card", daemon=True
        )
        self._thread.start()

    def lift(self) -> None:
        """Takes the card away; nothing happens if there is none."""
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # vpcd hung up first
            self._socket.close()
            self._socket = None
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._thread = None

    def _serve(self, connection: socket.socket, card: SlotCard) -> None:
        try:
            while True:
                message = self._receive(connection, int.from_bytes(self._receive(connection, 2), "big"))
                if len(message) != 1:
                    if self.lift_after is not None and self.answered >= self.lift_after:
                        connection.shutdown(socket.SHUT_RDWR)
                        return
                    self.answered += 1
                    self._send(connection, card.respond(message))
                elif message[0] == _ATR:
                    self._send(connection, card.atr)
                elif message[0] in (_POWER_OFF, _POWER_ON, _RESET):
                    card.reset()
        except (OSError, EOFError):
            return  # lifted, or vpcd ended

    def _receive(self, connection: socket.socket, size: int) -> bytes:
        data = b""
        while len(data) < size:
            # Without it the answer to a small message waits for the other end's delayed acknowledgement.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            part = connection.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def _send(self, connection: socket.socket, data: bytes) -> None:
        connection.sendall(len(data).to_bytes(2, "big") + data)
