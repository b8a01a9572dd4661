"""Where a scanner's bytes come from: a serial line, a grabbed input device, or the terminal it types into."""

from __future__ import annotations

import os
import select
import termios
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Protocol

from drivers.scanner_layout import KeyWriter
from kiosk.errors import EnvironmentFault

BAUD = 9600
"""As most scanners leave the factory; over USB the number has no meaning."""
MOST_BYTES = 4096


class ScannerPort(Protocol):
    """Bytes from a scanner."""

    name: str

    def open(self) -> None:
        """Raises EnvironmentFault reader_missing or reader_denied."""
        ...

    def read(self, wait_s: float) -> bytes:
        """What came, waited for up to ``wait_s`` seconds. Raises EnvironmentFault reader_gone."""
        ...

    def close(self) -> None:
        """Gives the device back; harmless when it is closed or gone."""
        ...


def _refused(error: OSError, path: str, group: str) -> EnvironmentFault:
    if isinstance(error, PermissionError):
        fix = f"put the kiosk's user into the group {group}"
        return EnvironmentFault("reader_denied", f"{path} may not be opened: {fix}", device=path, fix=fix)
    return EnvironmentFault("reader_missing", f"{path}: {error.strerror or error}", device=path)


def _gone(path: str) -> EnvironmentFault:
    return EnvironmentFault("reader_gone", "the scanner was unplugged", device=path)


class SerialPort:
    """A scanner on a serial line, or on USB as one (CDC-ACM)."""

    def __init__(self, path: str, baud: int = BAUD) -> None:
        self.name = path.rpartition("/")[2]
        self._path = path
        self._baud = baud
        self._line: Any = None

    def open(self) -> None:
        """Opens it for us alone."""
        import serial

        try:
            self._line = serial.Serial(self._path, self._baud, timeout=0, exclusive=True)
        except serial.SerialException as error:
            cause = error.__context__
            refused = cause if isinstance(cause, OSError) else OSError(error.errno or 0, str(error))
            raise _refused(refused, self._path, "dialout") from error
        except ValueError as error:
            raise EnvironmentFault("reader_missing", f"{self._path}: {error}", device=self._path) from error

    def read(self, wait_s: float) -> bytes:
        """What came. A line that hangs up is gone."""
        import serial

        if self._line is None:
            raise _gone(self._path)
        try:
            if not select.select([self._line.fileno()], [], [], wait_s)[0]:
                return b""
            chunk = bytes(self._line.read(MOST_BYTES))
        except (OSError, serial.SerialException, TypeError, ValueError) as error:
            raise _gone(self._path) from error
        return chunk

    def close(self) -> None:
        """Gives the line back."""
        line, self._line = self._line, None
        if line is not None:
            with suppress(OSError):
                line.close()


class InputDevice(Protocol):
    """What is used of evdev.InputDevice."""

    fd: int
    name: str

    def grab(self) -> None: ...

    def read(self) -> Iterable[Any]: ...

    def close(self) -> None: ...


def _evdev(path: str) -> InputDevice:
    import evdev

    device: InputDevice = evdev.InputDevice(path)
    return device


class EvdevPort:
    """A scanner that types, taken away from all other programs: nothing of it reaches the screen."""

    def __init__(self, path: str, open_device: Callable[[str], InputDevice] = _evdev) -> None:
        self.name = path.rpartition("/")[2]
        self._path = path
        self._open_device = open_device
        self._device: InputDevice | None = None
        self._keys = KeyWriter()

    def open(self) -> None:
        """Opens and grabs it (EVIOCGRAB). One that another program has grabbed is reader_denied."""
        try:
            device = self._open_device(self._path)
        except OSError as error:
            raise _refused(error, self._path, "input") from error
        try:
            device.grab()
        except OSError as error:
            device.close()
            raise EnvironmentFault(
                "reader_denied", f"{self._path} is grabbed by another program", device=self._path
            ) from error
        self._device, self._keys = device, KeyWriter()
        self.name = device.name or self.name

    def read(self, wait_s: float) -> bytes:
        """The characters of the keys that were pressed."""
        device = self._device
        if device is None:
            raise _gone(self._path)
        try:
            if not select.select([device.fd], [], [], wait_s)[0]:
                return b""
            return self._keys.write(device.read())
        except BlockingIOError:
            return b""
        except (OSError, ValueError) as error:
            raise _gone(self._path) from error

    def close(self) -> None:
        """Gives it back to the other programs; closing ends the grab."""
        device, self._device = self._device, None
        if device is not None:
            with suppress(OSError):
                device.close()


class TerminalPort:
    """A scanner that types into the terminal of the program: for a test by hand, with nothing grabbed.

    In the kiosk's own window such a scanner is read by the window (``kiosk.scanner_keys``).
    """

    def __init__(self, path: str = "/dev/tty") -> None:
        self.name = "keyboard"
        self._path = path
        self._fd = -1
        self._before: list[Any] = []

    def open(self) -> None:
        """Takes the keys one by one and unseen; Ctrl+C ends the program as always."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            raise _refused(error, self._path, "tty") from error
        try:
            self._before = termios.tcgetattr(fd)
            wanted = termios.tcgetattr(fd)
            wanted[0] &= ~(termios.ICRNL | termios.INLCR | termios.IGNCR | termios.IXON | termios.ISTRIP)
            wanted[3] &= ~(termios.ICANON | termios.ECHO)
            wanted[6][termios.VMIN], wanted[6][termios.VTIME] = 1, 0
            termios.tcsetattr(fd, termios.TCSANOW, wanted)
        except termios.error as error:
            os.close(fd)
            raise EnvironmentFault(
                "reader_missing", f"{self._path} is no terminal", device=self._path
            ) from error
        self._fd = fd

    def read(self, wait_s: float) -> bytes:
        """The characters that were typed. A terminal that was closed is gone."""
        if self._fd < 0:
            raise _gone(self._path)
        try:
            if not select.select([self._fd], [], [], wait_s)[0]:
                return b""
            chunk = os.read(self._fd, MOST_BYTES)
        except OSError as error:
            raise _gone(self._path) from error
        if not chunk:
            raise _gone(self._path)
        return chunk

    def close(self) -> None:
        """Gives the terminal back as it was."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with suppress(termios.error):
                termios.tcsetattr(fd, termios.TCSANOW, self._before)
            with suppress(OSError):
                os.close(fd)


def port_of(path: str, baud: int = BAUD) -> ScannerPort:
    """The port that ``serial:/dev/ttyACM0``, ``evdev:/dev/input/by-id/…`` or ``keyboard:`` names.

    Raises EnvironmentFault reader_missing for anything else.
    """
    make, _, where = path.partition(":")
    if make == "serial" and where:
        return SerialPort(os.fspath(where), baud)
    if make == "evdev" and where:
        return EvdevPort(where)
    if make == "keyboard":
        return TerminalPort(where or "/dev/tty")
    raise EnvironmentFault(
        "reader_missing",
        f"{path or 'no device'}: a scanner is serial:PORT, evdev:FILE or keyboard:",
        device=path,
    )
