"""A hand-held scanner as a reader: its connection, and the process that turns scans into lines."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TextIO

from drivers.lines import EXIT_GONE, encode_event, serve
from drivers.reader import DeviceReference, FeedbackWhat, Gone, Health, PollEvent, Tally
from drivers.scanner_lines import LineForm, ScanLines
from drivers.scanner_ports import BAUD, ScannerPort, port_of
from drivers.scanner_watch import ScanWatch
from kiosk.errors import EnvironmentFault

WAIT_S = 0.04
"""Longest wait of a poll: what ends by silence is noticed within it."""


MOST_LOSSES = 20
"""So often a scanner may go until its process ends too, with exit code 3."""
AFTER_LOSS_S = 0.2
"""Rest before the next look, so that a loose plug does not keep a processor busy."""


class ScannerConnection:
    """A scanner as a reader: each poll waits for what it sends and gives at most one event."""

    interval_s = 0.0

    def __init__(
        self,
        reference: DeviceReference,
        port: ScannerPort | None = None,
        *,
        form: LineForm | None = None,
        baud: int = BAUD,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reference = refer(reference.path)
        self._port = port or port_of(reference.path, baud)
        self._form = form or LineForm()
        self._clock = clock
        self._start_over()

    def _start_over(self) -> None:
        self._tally = Tally()
        self._lines = ScanLines(self._form)
        self._watch = ScanWatch()
        self._waiting: deque[PollEvent] = deque()
        self._began_at: float | None = None
        self._counts: dict[str, int] = {}

    def __enter__(self) -> Self:
        """Opens the port. Raises EnvironmentFault reader_missing or reader_denied."""
        self._port.open()
        self._start_over()
        name = self._port.name
        self.reference = DeviceReference(
            "qr", self.reference.path, name, self.reference.fingerprint, self.reference.capabilities
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._port.close()

    def poll(self) -> PollEvent | None:
        """The next event, waited for up to 0.04 s. Raises EnvironmentFault reader_gone."""
        if not self._waiting:
            self._listen()
        event = self._waiting.popleft() if self._waiting else None
        self._tally.count(event)
        return event

    def _listen(self) -> None:
        chunk = self._port.read(WAIT_S)
        now = self._clock()
        if chunk and self._began_at is None:
            self._began_at = now
        scans = self._lines.feed(chunk, now) if chunk else self._lines.expire(now)
        began_at = now if self._began_at is None else self._began_at
        for scan in scans:
            self._count("scans" if isinstance(scan, bytes) else "garbled")
            self._waiting.extend(self._watch.scanned(scan, now, began_at=began_at))
        if self._lines.is_empty or scans:
            self._began_at = None
        self._waiting.extend(self._watch.passed(now))

    def _count(self, stage: str) -> None:
        self._counts[stage] = self._counts.get(stage, 0) + 1

    def health(self) -> Health:
        """Counts since it was opened; stages: ``scans`` and ``garbled``."""
        counted = self._tally.health()
        return Health(counted.polls, counted.reads, counted.faults, dict(self._counts))

    def feedback(self, what: FeedbackWhat) -> bool:
        """A scanner beeps by itself when it reads, whatever that was: False."""
        return False


def refer(path: str) -> DeviceReference:
    """The scanner at ``serial:PORT``, ``evdev:FILE`` or ``keyboard:``, not opened."""
    make, _, where = path.partition(":")
    return DeviceReference("qr", path, where.rpartition("/")[2] or make, path, frozenset({"qr"}))


def run(
    device: str,
    *,
    once: bool = False,
    timeout_s: float | None = None,
    out: TextIO,
    commands: TextIO | None,
    **options: Any,
) -> int:
    """The scanner's process: JSON lines on ``out`` until told to stop; its exit code (see ``serve``).

    A scanner that is not there or goes is waited for, until it has gone MOST_LOSSES times. ``options``:
    ``form`` and ``baud`` as of ScannerConnection.
    """
    waits = not once and timeout_s is None
    for _ in range(MOST_LOSSES):
        try:
            connection = ScannerConnection(refer(device), **options)
        except EnvironmentFault as fault:
            out.write(encode_event(Gone(fault)))
            out.flush()
            return EXIT_GONE
        code = serve(connection, out, commands, once, timeout_s, waits=waits)
        if code != EXIT_GONE or not waits:
            return code
        time.sleep(AFTER_LOSS_S)
    return EXIT_GONE
