"""The sync process: pushes as soon as something was recorded, and long-polls for what central has.

Two threads, each with its own connections, so that a poll that waits never holds back a pickup. Health goes
out as JSON lines on standard output, ``{"command": "wake"}`` and ``{"command": "stop"}`` come in.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TextIO

from kiosk.errors import CentralFault, EnvironmentFault
from sync.engine import SyncEngine

log = logging.getLogger(__name__)

FIRST_BACK_OFF_S = 1.0
MAX_BACK_OFF_S = 60.0
PUSH_EVERY_S = 20.0
HEALTH_EVERY_S = 1.0


class Watch:
    """Keeps one kiosk in step with central until told to stop."""

    def __init__(
        self, open_engine: Callable[[], SyncEngine], out: TextIO, commands: TextIO, *, poll_wait_s: float
    ) -> None:
        self._open_engine = open_engine
        self._out = out
        self._commands = commands
        self._poll_wait_s = poll_wait_s
        self._stopping = threading.Event()
        self._something_to_push = threading.Event()
        self._lines = threading.Lock()
        self._fatal: EnvironmentFault | None = None

    def run(self) -> int:
        """Runs until ``stop`` or the end of the commands; answers the exit code."""
        threads = [
            threading.Thread(target=self._keep, args=("push", self._push), name="push", daemon=True),
            threading.Thread(target=self._keep, args=("poll", self._poll), name="poll", daemon=True),
            threading.Thread(target=self._health, name="health", daemon=True),
        ]
        self._say(event="ready", kind="sync")
        for thread in threads:
            thread.start()
        reader = threading.Thread(target=self._read_commands, name="commands", daemon=True)
        reader.start()
        self._stopping.wait()
        self._something_to_push.set()
        for thread in threads[:1]:
            thread.join(timeout=5.0)
        if self._fatal is not None:
            self._say(event="fault", **self._fatal.as_json())
            return 1
        return 0

    def _read_commands(self) -> None:
        for line in self._commands:
            try:
                command = json.loads(line).get("command")
            except (ValueError, AttributeError):
                log.warning("a command that is not understood: %.80r", line)
                continue
            if command == "wake":
                self._something_to_push.set()
            elif command == "stop":
                break
        self._stopping.set()

    def _keep(self, name: str, step: Callable[[SyncEngine], None]) -> None:
        """Repeats a step; after a failure waits longer each time, with jitter, and is woken by new work."""
        try:
            engine = self._open_engine()
            failures = 0
            while not self._stopping.is_set():
                try:
                    step(engine)
                    failures = 0
                except CentralFault as fault:
                    failures += 1
                    engine.note_failure(fault)
                    self._say(event="offline", part=name, code=fault.code, message=fault.message)
                    self._rest(failures, fault)
        except EnvironmentFault as fault:
            self._fatal = fault
            self._stopping.set()

    def _rest(self, failures: int, fault: CentralFault) -> None:
        delay_s = min(MAX_BACK_OFF_S, FIRST_BACK_OFF_S * 2 ** min(failures - 1, 10))
        delay_s = max(delay_s, float(fault.detail.get("retry_after_s", 0)))
        self._stopping.wait(delay_s * random.uniform(0.5, 1.0))

    def _push(self, engine: SyncEngine) -> None:
        self._something_to_push.wait(PUSH_EVERY_S)
        self._something_to_push.clear()
        if self._stopping.is_set():
            return
        pushed = engine.push_all()
        if pushed:
            self._say(event="pushed", records=pushed, waiting=engine.ledger.waiting())

    def _poll(self, engine: SyncEngine) -> None:
        wait_s = self._poll_wait_s
        if engine.caches.current_number() is None:
            wait_s = 0.0
        answer = engine.poll(wait_s)
        if engine.answer_recalls(answer):
            self._something_to_push.set()
        if answer.changes_waiting:
            rows = engine.fetch_changes(lambda count: self._say(event="progress", rows=count))
            self._say(event="changed", rows=rows)
        if answer.acked_seq < engine.ledger.acked(engine.identity.gen) or engine.ledger.waiting():
            self._something_to_push.set()

    def _health(self) -> None:
        while not self._stopping.wait(HEALTH_EVERY_S):
            self._say(event="health", at=int(time.monotonic() * 1000))

    def _say(self, **line: object) -> None:
        with self._lines:
            try:
                self._out.write(json.dumps(line) + "\n")
                self._out.flush()
            except (BrokenPipeError, ValueError):
                self._stopping.set()


def report_line(report: object) -> dict[str, object]:
    """A sync report as the command prints it."""
    return asdict(report)  # type: ignore[call-overload, no-any-return]
