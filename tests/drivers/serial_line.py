"""A PN532 or an Arygon reader at the end of a pseudo-terminal, speaking its real frames, speeds included."""

from __future__ import annotations

import os
import select
import termios
import threading
import tty
from pathlib import Path
from typing import Self

from drivers.virtual.cards import VirtualCard
from tests.drivers.pn532 import Pn532Chip

ACK = bytes.fromhex("0000FF00FF00")
_SPEEDS = {
    termios.B9600: 9600,
    termios.B115200: 115200,
    termios.B230400: 230400,
    termios.B460800: 460800,
    termios.B921600: 921600,
}
_CHIP_SPEEDS = {4: 115200, 5: 230400, 6: 460800, 7: 921600}
"""SetSerialBaudRate (UM0701-02, section 7.2.11)."""


class SerialReader:
    """``plug`` makes the device file appear at ``path``; what is written to it is answered from a thread."""

    def __init__(self, path: Path, *, arygon: bool = False) -> None:
        self.path = path
        self.chip = Pn532Chip()
        self.deaf = False
        """The chip hangs: nothing is answered."""
        self._arygon = arygon
        self._speed = 115200
        self._next_speed = 0
        self._master = self._slave = -1
        self._stop_read, self._stop_write = -1, -1
        self._thread: threading.Thread | None = None

    @property
    def device(self) -> str:
        """What opens it."""
        return f"tty:{self.path}:{'arygon' if self._arygon else 'pn532'}"

    @property
    def card(self) -> VirtualCard | None:
        """What lies on the reader."""
        return self.chip.card

    @card.setter
    def card(self, card: VirtualCard | None) -> None:
        self.chip.card = card

    def plug(self) -> None:
        """The device is there, fresh from power-up."""
        self._speed, self._next_speed = 115200, 0
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="serial-reader", daemon=True)
        self._thread.start()
        fresh = self.path.with_suffix(".fresh")
        fresh.symlink_to(os.ttyname(self._slave))
        fresh.replace(self.path)

    def unplug(self) -> None:
        """The device is gone, from under whoever has it open; nothing happens if it was not there."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self.path.unlink()
        os.write(self._stop_write, b"\0")
        thread.join()
        for descriptor in (self._master, self._slave, self._stop_read, self._stop_write):
            os.close(descriptor)

    def __enter__(self) -> Self:
        self.plug()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    def _serve(self) -> None:
        received = b""
        while True:
            readable = select.select([self._master, self._stop_read], [], [])[0]
            if self._stop_read in readable:
                return
            data = os.read(self._master, 4096)
            if self.deaf or not self._is_tuned():
                received = b""
                continue
            received = self._take(received + data)

    def _is_tuned(self) -> bool:
        """The host speaks at the chip's speed, or at the one it asked for: its ACK may be read after that."""
        speed = _SPEEDS.get(termios.tcgetattr(self._slave)[4], 0)
        if speed == self._next_speed:
            self._speed, self._next_speed = self._next_speed, 0
        return speed == self._speed

    def _take(self, data: bytes) -> bytes:
        """Obeys what is complete; the rest."""
        if self._arygon:
            for order in (b"0av", b"0at05", b"0ah05", b"0au"):
                if data.startswith(order):
                    self._obey(order)
                    return self._take(data[len(order) :])
        start = data.find(b"\x00\x00\xff")
        if start < 0:
            return data[-5:] if data[:1] != b"0" else data
        frame = data[start:]
        if frame.startswith(ACK):
            if self._next_speed:
                self._speed, self._next_speed = self._next_speed, 0
            return self._take(frame[len(ACK) :])
        head, length = (8, int.from_bytes(frame[5:7], "big")) if frame[3:5] == b"\xff\xff" else (5, 0)
        if head == 5 and len(frame) > 3:
            length = frame[3]
        whole = head + length + 2
        if len(frame) < max(whole, 8):
            return frame
        body = frame[head : head + length]
        if sum(frame[head : head + length + 1]) & 0xFF or body[:1] != b"\xd4":
            return self._take(frame[3:])
        os.write(self._master, ACK + _framed(bytes([0xD5, body[1] + 1]) + self._execute(body[1], body[2:])))
        return self._take(frame[whole:])

    def _execute(self, code: int, data: bytes) -> bytes:
        answer = self.chip.execute(code, data)
        if code == 0x10:
            self._next_speed = _CHIP_SPEEDS[data[0]]
        return answer

    def _obey(self, order: bytes) -> None:
        """The microcontroller's own commands, as nfcpy gives them."""
        if order == b"0au":
            self._speed = 115200
            return
        os.write(self._master, b"FF00000600V2.6\r\n" if order == b"0av" else b"FF000000\r\n")
        if order == b"0ah05":
            self._speed = 230400


def _framed(data: bytes) -> bytes:
    """A frame of the chip (UM0701-02, section 6.2.1), extended where it must be."""
    if len(data) < 256:
        head = bytes([len(data), -len(data) & 0xFF])
    else:
        size = len(data).to_bytes(2, "big")
        head = b"\xff\xff" + size + bytes([-sum(size) & 0xFF])
    return b"\x00\x00\xff" + head + data + bytes([-sum(data) & 0xFF, 0])
