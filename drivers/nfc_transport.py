"""What carries host commands to an NFC chip, with a deadline for each: nfcpy's transports wait for ever."""

from __future__ import annotations

import errno
import importlib
import os
import re
import termios
import time
from collections.abc import Callable
from typing import Any

import serial
from nfc.clf import transport
from nfc.clf.device import usb_device_map

COMMAND_MS = 1000
"""Longest a host command may take to be accepted; the chip's own answer has its own, shorter time-out."""

LEAST_ANSWER_MS = 250
"""Patience with a serial line: adapters and busy machines need more than the chip itself."""

SERIAL_DRIVERS = ("arygon", "pn532")
"""nfcpy's drivers for serial lines, in its own order."""

_PORT = re.compile(r"[A-Za-z0-9/._:@+-]+")
"""nfcpy's pn532 driver hands the port to a shell, so nothing else may be in its name."""

_BAUD = 115200
_SWITCHED_BAUD = (921600, 460800, 230400)
"""What nfcpy switches a PN532 to; one whose reader process was killed still listens there."""

_PREAMBLE = bytes(10)
_BACK_TO_115200 = bytes.fromhex("0000FF03FDD410041800")
"""SetSerialBaudRate 115.2 kbaud (UM0701-02, section 7.2.11)."""
_ACK = bytes.fromhex("0000FF00FF00")
_ARYGON_RESET = b"0au"


def _no_limit() -> None: ...


class UsbTransport(transport.USB):  # type: ignore[misc]
    """nfcpy's USB transport; ``before_command`` may raise before anything is sent."""

    before_command: Callable[[], None] = staticmethod(_no_limit)

    def write(self, frame: bytearray, timeout: int = 0) -> None:
        """One bulk transfer, within COMMAND_MS unless told otherwise. Raises OSError."""
        self.before_command()
        super().write(frame, timeout or COMMAND_MS)


class TtyTransport(transport.TTY):  # type: ignore[misc]
    """nfcpy's serial transport; ``before_command`` may raise before anything is sent."""

    before_command: Callable[[], None] = staticmethod(_no_limit)
    tty: Any

    def open(self, port: str, baudrate: int = _BAUD) -> None:
        """Open or open again at this speed. Raises OSError."""
        super().open(port, baudrate)
        self.tty.timeout = LEAST_ANSWER_MS / 1000
        self.tty.write_timeout = COMMAND_MS / 1000

    def write(self, frame: bytes | bytearray) -> None:
        """Send a frame. Raises OSError."""
        self.before_command()
        try:
            super().write(frame)
        except termios.error as error:
            # pyserial lets this through when the line has gone; it is no OSError.
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV)) from error

    def read(self, timeout: int) -> bytearray:
        """One frame within ``timeout`` ms. Raises OSError, also for what is no frame."""
        try:
            frame = super().read(max(timeout, LEAST_ANSWER_MS))
        except IndexError:
            raise OSError(errno.EIO, "the line carries no PN53x frame") from None
        if frame is None:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return bytearray(frame)


def open_usb(ids: tuple[int, int], bus: int, address: int) -> Any:
    """nfcpy's device for that USB address, its driver imported now. Raises OSError."""
    driver = importlib.import_module(f"nfc.clf.{usb_device_map[ids]}")
    line = UsbTransport(bus, address)
    try:
        return driver.init(line)
    except BaseException:
        line.close()
        raise


def serial_port(name: str) -> str:
    """The device file of ``USB0``, ``/dev/ttyUSB0`` or a stable name below ``/dev/serial``.

    Raises OSError ENODEV if there is none.
    """
    candidates = [name] if name.startswith("/") else [f"/dev/tty{name}", f"/dev/{name}"]
    for candidate in candidates:
        if name and _PORT.fullmatch(candidate) and os.path.exists(candidate):  # noqa: PTH110 - text to text
            return candidate
    raise OSError(errno.ENODEV, f"there is no serial line {name or 'without a name'}")


def open_serial(path: str) -> Any:
    """nfcpy's device for ``tty:PORT`` or ``tty:PORT:pn532`` or ``tty:PORT:arygon``. Raises OSError."""
    name, _, driver = path.removeprefix("tty:").rpartition(":")
    if driver not in SERIAL_DRIVERS:
        name, driver = path.removeprefix("tty:"), ""
    port = serial_port(name)
    failure: OSError | None = None
    for attempt in range(2):
        for candidate in [driver] if driver else SERIAL_DRIVERS:
            try:
                return _open_driver(candidate, port)
            except OSError as error:
                failure = error
        if attempt == 0:
            _slow_down(port, driver)
    assert failure is not None  # noqa: S101 - a device returns, a failure does not
    raise failure


def _open_driver(name: str, port: str) -> Any:
    driver = importlib.import_module(f"nfc.clf.{name}")
    line = TtyTransport(port)
    try:
        device = driver.init(line)
    except BaseException:
        line.close()
        raise
    device._path = port  # noqa: SLF001 - as nfcpy's own connect does
    return device


def _slow_down(port: str, driver: str) -> None:
    """Bring a chip back to the speed at which it is first spoken to: whoever switched it died without it."""
    for baud in _SWITCHED_BAUD:
        with serial.Serial(
            port, baud, timeout=LEAST_ANSWER_MS / 1000, write_timeout=COMMAND_MS / 1000
        ) as line:
            if driver != "arygon":
                line.write(_PREAMBLE + _BACK_TO_115200)
                if line.read(len(_ACK)) == _ACK:
                    line.read(9)
                    line.write(_ACK)
                    line.flush()
                    time.sleep(0.005)
                    return
            if driver != "pn532":
                line.write(_ARYGON_RESET)
                line.flush()
                time.sleep(0.05)
