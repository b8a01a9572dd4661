"""Waiting for a reader that is not there: udev tells when something was plugged in, and one looks anyway."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from drivers.commands import CommandLines, Stop
from drivers.reader import Gone, Health, ReaderConnection, ReaderEvent
from kiosk.errors import EnvironmentFault

LOOK_EVERY_S = 1.0
"""Without a word of udev the device is looked for this often."""

_HEALTH_EVERY_S = 1.0
_WAIT_S = 0.2
_UDEVD = Path("/run/udev/control")
_SUBSYSTEMS = ("usb", "tty", "video4linux", "input")

_log = logging.getLogger(__name__)


class Arrivals(Protocol):
    """Tells that something was plugged in."""

    def seen(self) -> bool:
        """True if something arrived since the last call; never waits."""
        ...


class UdevArrivals:
    """Events of udev, or of the kernel where no udevd runs; silent where the machine has neither."""

    def __init__(self) -> None:
        self._monitor: Any = None
        try:
            import pyudev

            # udevd speaks when its rules, and with them the rights, have been applied.
            source = "udev" if _UDEVD.exists() else "kernel"
            monitor = pyudev.Monitor.from_netlink(pyudev.Context(), source)
            for subsystem in _SUBSYSTEMS:
                monitor.filter_by(subsystem)
            monitor.start()
            self._monitor = monitor
        except (ImportError, OSError) as error:
            _log.info("no events of devices, they are looked for each second: %s", error)

    def seen(self) -> bool:
        """True if something arrived since the last call."""
        arrived = False
        while self._monitor is not None and (device := self._monitor.poll(timeout=0)) is not None:
            arrived = arrived or device.action in ("add", "bind", "change", "online")
        return arrived


def enter_when_there(
    stack: ExitStack,
    connection: ReaderConnection,
    tell: Callable[[ReaderEvent], None],
    commands: CommandLines,
    *,
    arrivals: Callable[[], Arrivals] = UdevArrivals,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Enter the connection into ``stack`` as soon as its device is there; False if told to stop before.

    What is missing is told once, and health each second, so that nobody takes the waiting for a hang.
    """
    told, plugs = "", None
    health_at = clock() + _HEALTH_EVERY_S
    while True:
        try:
            stack.enter_context(connection)
            return True
        except EnvironmentFault as fault:
            if fault.code != told:
                tell(Gone(fault))
                told = fault.code
        plugs = plugs or arrivals()
        again_at = clock() + LOOK_EVERY_S
        while clock() < again_at and not plugs.seen():
            if isinstance(commands.take(_WAIT_S), Stop) or commands.ended:
                return False
            if clock() >= health_at:
                tell(Health(0, 0, 0))
                health_at = clock() + _HEALTH_EVERY_S
