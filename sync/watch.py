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
import traceback
from collections.abc import Callable
from dataclasses import asdict
from typing import TextIO

from kiosk.errors import CentralFault, EnvironmentFault
from sync.engine import SyncEngine, SyncReport

log = logging.getLogger(__name__)

FIRST_BACK_OFF_S = 1.0
MAX_BACK_OFF_S = 60.0
PUSH_EVERY_S = 20.0
HEALTH_EVERY_S = 1.0
IDLE_POLL_S = 1.0
"""Between two polls of which the first answered at once and with nothing."""
STOP_S = 5.0
PASSING = ("database_locked",)
"""Faults of the environment that go by themselves; after any other the process ends and is started anew."""


def back_off_s(failures: int, retry_after_s: float, jitter: float) -> float:
    """Seconds to wait after that many failures in a row: doubled each time up to a minute, then 50 to 100 %.

    ``jitter`` is in [0, 1). Where central names a time (``Retry-After``, RFC 9110 section 10.2.3) it is never
    less than that, and up to half as much longer: those who were turned away together do not come together.
    """
    longest = min(MAX_BACK_OFF_S, FIRST_BACK_OFF_S * 2.0 ** min(failures - 1, 10))
    return max(retry_after_s * (1 + jitter / 2), longest * (0.5 + jitter / 2))


class Watch:
    """Keeps one kiosk in step with central until told to stop."""

    def __init__(
        self,
        open_engine: Callable[[], SyncEngine],
        out: TextIO,
        commands: TextIO,
        *,
        poll_wait_s: float,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._open_engine = open_engine
        self._out = out
        self._commands = commands
        self._poll_wait_s = poll_wait_s
        self._jitter = jitter
        self._stopping = threading.Event()
        self._something_to_push = threading.Event()
        self._reached = {"push": threading.Event(), "poll": threading.Event()}
        """Set for one part when the other one has just reached central: no need to wait on."""
        self._lines = threading.Lock()
        self._fatal: EnvironmentFault | None = None
        self._broken = False

    def run(self) -> int:
        """Runs until ``stop`` or the end of the commands; answers the exit code."""
        parts = [
            threading.Thread(target=self._keep, args=("push", self._push), name="push", daemon=True),
            threading.Thread(target=self._keep, args=("poll", self._poll), name="poll", daemon=True),
        ]
        self._say(event="ready", kind="sync")
        for thread in parts:
            thread.start()
        threading.Thread(target=self._health, name="health", daemon=True).start()
        threading.Thread(target=self._read_commands, name="commands", daemon=True).start()
        self._stopping.wait()
        self._wake_all()
        # The poll may be waiting for central: it ends with the process.
        parts[0].join(timeout=STOP_S)
        if self._fatal is not None:
            self._say(event="fault", **self._fatal.as_json())
        return 1 if self._fatal is not None or self._broken else 0

    def _wake_all(self) -> None:
        self._something_to_push.set()
        for event in self._reached.values():
            event.set()

    def _read_commands(self) -> None:
        try:
            for line in self._commands:
                if not self._obey(line):
                    break
        except (OSError, ValueError) as fault:
            log.warning("the commands cannot be read: %s", type(fault).__name__)
        finally:
            self._stop()

    def _obey(self, line: str) -> bool:
        try:
            command = json.loads(line).get("command")
        except (ValueError, AttributeError):
            log.warning("a command that is not understood")
            return True
        if command == "wake":
            self._something_to_push.set()
        return bool(command != "stop")

    def _stop(self) -> None:
        self._stopping.set()
        self._wake_all()

    def _keep(self, name: str, step: Callable[[SyncEngine], None]) -> None:
        """Repeats a step; after a failure waits longer each time, with jitter."""
        try:
            engine = self._open_engine()
            try:
                if name == "poll":
                    engine.started()
                self._repeat(name, step, engine)
            finally:
                engine.close()
        except EnvironmentFault as fault:
            self._fatal = fault
        except Exception as error:
            # Its message may hold anything; its place is enough.
            places = "".join(traceback.format_tb(error.__traceback__))
            log.error("%s ended by %s\n%s", name, type(error).__name__, places)
            self._broken = True
        finally:
            self._stop()

    def _repeat(self, name: str, step: Callable[[SyncEngine], None], engine: SyncEngine) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._reached[name].clear()
            try:
                step(engine)
                if failures:
                    self._say(event="online", part=name)
                failures = 0
            except CentralFault as fault:
                failures += 1
                engine.heed(fault)
                self._say(event="offline", part=name, code=fault.code, message=fault.message)
                self._rest(name, failures, float(fault.detail.get("retry_after_s", 0)))
            except EnvironmentFault as fault:
                if fault.code not in PASSING:
                    raise
                failures += 1
                log.warning("%s: %s", name, fault)
                self._rest(name, failures, 0.0)

    def _rest(self, name: str, failures: int, retry_after_s: float) -> None:
        """Waits; not longer than until the other part reaches central or the process is told to stop.

        A time that central named is waited for in full: that the other part was let in changes nothing.
        """
        wait_s = back_off_s(failures, retry_after_s, self._jitter())
        if retry_after_s:
            self._stopping.wait(wait_s)
        elif not self._stopping.is_set():
            self._reached[name].wait(wait_s)

    def _reached_central(self, name: str) -> None:
        for other, event in self._reached.items():
            if other != name:
                event.set()

    def _push(self, engine: SyncEngine) -> None:
        self._something_to_push.wait(PUSH_EVERY_S)
        if self._stopping.is_set():
            return
        self._something_to_push.clear()
        try:
            pushed = engine.push_all()
        except CentralFault:
            self._something_to_push.set()
            raise
        if pushed:
            engine.word.success()
            self._reached_central("push")
            self._say(event="pushed", records=pushed, waiting=engine.ledger.waiting())

    def _poll(self, engine: SyncEngine) -> None:
        begun = time.monotonic()
        sound = engine.caches.is_sound()
        answer = engine.poll(self._poll_wait_s if sound else 0.0)
        self._reached_central("poll")
        released = engine.carry_out(answer) + engine.release_unused()
        changed = answer.changes_waiting or not sound
        if changed:
            rows = engine.fetch_changes(lambda count: self._say(event="progress", rows=count))
            engine.word.success(current=True)
            self._say(event="changed", rows=rows)
        released += engine.release_orphans()
        if released or engine.ledger.waiting():
            self._something_to_push.set()
        nothing = not (changed or released or answer.grants)
        if nothing:
            engine.tidy()
        if nothing and time.monotonic() - begun < IDLE_POLL_S < self._poll_wait_s:
            self._stopping.wait(IDLE_POLL_S)

    def _health(self) -> None:
        while not self._stopping.wait(HEALTH_EVERY_S):
            self._say(event="health", at=int(time.monotonic() * 1000))

    def _say(self, **line: object) -> None:
        with self._lines:
            try:
                self._out.write(json.dumps(line) + "\n")
                self._out.flush()
            except (OSError, ValueError):
                self._stopping.set()


def report_line(report: SyncReport) -> dict[str, object]:
    """A sync report as the command prints it."""
    return asdict(report)
