"""A PN532 in software (NXP UM0701-02): what its host commands do to virtual cards in its field."""

from __future__ import annotations

import struct
from functools import reduce
from operator import xor
from typing import Any

from nfc.clf.device import Device

from drivers.virtual.cards import Type3Card, TypeACard, VirtualCard

RX_MODE = 0x6303
TX_CONTROL = 0x6304
FIFO = 0x6339


class Pn532Chip:
    """Executes commands by their code (section 7); counts them."""

    def __init__(self) -> None:
        self.card: VirtualCard | None = None
        self.beside: VirtualCard | None = None
        """A second card, which answers what the first one keeps silent to."""
        self.commands: list[int] = []
        """Codes of the commands, in order."""
        self._registers: dict[int, int] = {RX_MODE: 0x80, FIFO: 0x26}
        self._technology = ""

    def execute(self, code: int, data: bytes) -> bytes:
        """The data of the answer."""
        self.commands.append(code)
        match code:
            case 0x00:
                return data
            case 0x02:
                return bytes.fromhex("32010607")
            case 0x06:
                return bytes(self._registers.get(address, 0) for (address,) in struct.iter_unpack(">H", data))
            case 0x08:
                for address, value in struct.iter_unpack(">HB", data):
                    self._registers[address] = value
                return b""
            case 0x32:
                if data[:1] == b"\x01":
                    self._switch_field(bool(data[1] & 0x01))
                return b""
            case 0x4A:
                return self._list_passive_target(data[1], data[2:])
            case 0x42:
                return self._communicate(data)
            case 0x16:
                return b"\x00"
            case _:
                return b""

    def _switch_field(self, on: bool) -> None:
        self._registers[TX_CONTROL] = 0x03 if on else 0x00
        for card in (self.card, self.beside):
            if card is not None and not on:
                card.reset()

    def _hear(self, technology: str, frame: bytes) -> bytes | None:
        answers = [card.answer(technology, frame) for card in (self.card, self.beside) if card is not None]
        return next((answer for answer in answers if answer is not None), None)

    def _list_passive_target(self, technology: int, data: bytes) -> bytes:
        self._registers[TX_CONTROL] = 0x03
        cards = (self.card, self.beside)
        if technology == 0 and any(isinstance(card, TypeACard) for card in cards):
            self._technology = "106A"
            sens_res = self._hear("106A", b"\x26")
            if sens_res is None:
                return b"\x00"
            uid, sak = b"", b"\x04"
            for index, level in enumerate((0x93, 0x95, 0x97)):
                part = self._hear("106A", bytes([level, 0x20]))
                if data:
                    wanted = data[4 * index : 4 * index + 4]
                    part = wanted + bytes([reduce(xor, wanted, 0)])
                if part is None:
                    return b"\x00"
                sak = self._hear("106A", bytes([level, 0x70]) + part) or b""
                if not sak:
                    return b"\x00"
                more = bool(sak[0] & 0x04)
                uid += part[1:4] if more else part[:4]
                if not more:
                    break
            # With the CRC check on, as the chip is after a reset of its receive mode.
            self._registers[RX_MODE] |= 0x80
            return b"\x01\x01" + sens_res[::-1] + sak + bytes([len(uid)]) + uid
        if technology == 1 and any(isinstance(card, Type3Card) for card in cards):
            self._technology = "212F"
            answer = self._hear("212F", bytes([len(data) + 1]) + data)
            return b"\x01\x01" + answer if answer is not None else b"\x00"
        return b"\x00"

    def _communicate(self, data: bytes) -> bytes:
        answer = self._hear(self._technology, data)
        if answer is None:
            return b"\x01"
        if self._technology == "106A" and not self._registers[RX_MODE] & 0x80 and len(answer) > 1:
            answer = bytes(_add_crc_a(bytearray(answer)))
        return b"\x00" + answer


def _add_crc_a(data: bytearray) -> Any:
    return Device.add_crc_a(data)
