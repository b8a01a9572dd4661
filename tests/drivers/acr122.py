"""An ACR122U's USB side: a CCID transport under nfcpy's real acr122 and pn532 drivers, with virtual cards."""

from __future__ import annotations

import errno
import struct
from typing import Any

from nfc.clf.device import Device

from drivers.virtual.cards import Type3Card, TypeACard, VirtualCard

_RX_MODE = 0x6303
_FIFO = 0x6339


class Acr122Transport:
    """What the driver writes is answered from a PN532 in software (NXP UM0701-02 for the commands)."""

    TYPE = "USB"
    manufacturer_name = "ACS"
    product_name = "ACR122U PICC Interface"

    def __init__(self) -> None:
        self.card: VirtualCard | None = None
        self.commands: list[int] = []
        """Codes of the PN532 commands, in order."""
        self.fail_at: int | None = None
        """From this command on, USB answers that the device is gone."""
        self._registers: dict[int, int] = {_RX_MODE: 0x80, _FIFO: 0x26}
        self._technology = ""
        self._answer = b""
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def write(self, frame: bytearray, timeout: int = 0) -> None:
        if self.fail_at is not None and len(self.commands) >= self.fail_at:
            raise OSError(errno.ENODEV, "No such device")
        data = bytes(frame[10:])
        if frame[0] == 0x62:
            self._answer = b"\x3b\x00"
        elif data.startswith(bytes.fromhex("FF00480000")):
            self._answer = b"ACR122U203"
        elif data[:4] == bytes.fromhex("FF000000") and data[5:6] == b"\xd4":
            self.commands.append(data[6])
            self._answer = bytes([0xD5, data[6] + 1]) + self._execute(data[6], data[7:]) + b"\x90\x00"
        else:
            self._answer = b"\x90\x00"

    def read(self, timeout: int = 0) -> bytearray:
        return bytearray(struct.pack("<BI5B", 0x80, len(self._answer), 0, 0, 0, 0, 0) + self._answer)

    def _execute(self, code: int, data: bytes) -> bytes:
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
                if data == b"\x01\x02" and self.card is not None:
                    self.card.reset()
                return b""
            case 0x4A:
                return self._list_passive_target(data[1], data[2:])
            case 0x42:
                return self._communicate(data)
            case 0x16:
                return b"\x00"
            case _:
                return b""

    def _list_passive_target(self, technology: int, data: bytes) -> bytes:
        card = self.card
        if technology == 0 and isinstance(card, TypeACard):
            self._technology = "106A"
            sens_res = card.answer("106A", b"\x26")
            if sens_res is None:
                return b"\x00"
            uid, sak = b"", b"\x04"
            for level in (0x93, 0x95, 0x97):
                part = card.answer("106A", bytes([level, 0x20]))
                if part is None:
                    return b"\x00"
                sak = card.answer("106A", bytes([level, 0x70]) + part) or b""
                more = bool(sak[0] & 0x04)
                uid += part[1:4] if more else part[:4]
                if not more:
                    break
            # With the CRC check on, as the chip is after a reset of its receive mode.
            self._registers[_RX_MODE] |= 0x80
            return b"\x01\x01" + sens_res[::-1] + sak + bytes([len(uid)]) + uid
        if technology == 1 and isinstance(card, Type3Card):
            self._technology = "212F"
            answer = card.answer("212F", bytes([len(data) + 1]) + data)
            return b"\x01\x01" + answer if answer is not None else b"\x00"
        return b"\x00"

    def _communicate(self, data: bytes) -> bytes:
        answer = self.card.answer(self._technology, data) if self.card is not None else None
        if answer is None:
            return b"\x01"
        if self._technology == "106A" and not self._registers[_RX_MODE] & 0x80 and len(answer) > 1:
            answer = bytes(_add_crc_a(bytearray(answer)))
        return b"\x00" + answer


def _add_crc_a(data: bytearray) -> Any:
    return Device.add_crc_a(data)
