"""Child processes that speak lines: started, watched by heartbeat, ended as a group, started again."""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO, Generic, Self, TypeVar

from drivers.child import Child, LineSplitter
from drivers.commands import Command, encode_command
from drivers.lines import EXIT_GONE, parse_event
from drivers.reader import Faulted, Gone, ReaderEvent, Ready
from kiosk.errors import EnvironmentFault
from kiosk.values import CardRead

E = TypeVar("E")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a child may take, in seconds, and how much it may say."""

    first_line_s: float = 20.0
    """Until the first line: imports and opening a device on a slow machine."""
    heartbeat_s: float = 3.0
    """Longest silence after that."""
    stop_s: float = 3.0
    """From the end of its input to SIGTERM, and from SIGTERM to SIGKILL."""
    gone_s: float = 0.5
    """Until it is started again after its device went: no back-off, the new one waits for the device."""
    crash_first_s: float = 0.5
    crash_most_s: float = 30.0
    """Back-off after crashes: doubled each time between these."""
    healthy_s: float = 5.0
    """Crashes are forgotten when it was healthy this long."""
    lines_per_s: int = 300
    """More lines within a second are a flood: the child is ended."""


class ProcessSupervisor(Generic[E]):
    """Keeps one child process running and hands its lines on as events, from one thread of its own.

    ``parse`` turns a line into an event and never raises; ``sound`` says whether an event proves that the
    child is well (garbage does not, and of garbage one event a second is handed on). ``as_event`` wraps what
    the supervisor itself finds: EnvironmentFault ``<name>_hung`` and ``<name>_crashed``.
    Exit code 3 means that the child's device is gone: it is started again without back-off. After a hang the
    command gets the words ``after_hang`` once.
    """

    def __init__(
        self,
        command: Sequence[str],
        on_event: Callable[[E], None],
        *,
        parse: Callable[[bytes], E],
        sound: Callable[[E], bool],
        as_event: Callable[[EnvironmentFault], E],
        name: str,
        patience: Patience | None = None,
        after_hang: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        stderr: int | IO[bytes] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command = list(command)
        self._after_hang = list(after_hang)
        self._hung = False
        self._on_event = on_event
        self._parse, self._sound, self._as_event = parse, sound, as_event
        self._name = name
        self._patience = patience or Patience()
        self._environment = dict(environment) if environment is not None else None
        self._stderr = stderr
        self._clock = clock
        self._child: Child | None = None
        self._stopping = threading.Event()
        self._wake_read, self._wake_write = -1, -1
        self._thread: threading.Thread | None = None
        self._crashes = 0
        self.starts = 0
        """How often the child was started."""

    def start(self) -> Self:
        """Start the child and the thread that watches it; a second call changes nothing."""
        if self._thread is None:
            self._wake_read, self._wake_write = os.pipe()
            self._thread = threading.Thread(target=self._watch, name=f"supervise-{self._name}", daemon=True)
            self._thread.start()
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Process id of the child; 0 while there is none."""
        child = self._child
        return child.pid if child is not None else 0

    def send_line(self, line: str) -> bool:
        """Write a line to the child's input, never waiting. False if there is none or it does not take it."""
        child = self._child
        return child is not None and child.send(line)

    def stop(self) -> None:
        """Close the child's input, wait, then end it and the thread; no event comes after this returned."""
        thread = self._thread
        if thread is None:
            return
        if not self._stopping.is_set():
            self._stopping.set()
            os.write(self._wake_write, b"\0")
        if thread is threading.current_thread():
            return
        thread.join()
        self._thread = None
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _deliver(self, event: E) -> None:
        if self._stopping.is_set():
            return
        try:
            self._on_event(event)
        except Exception:
            _log.exception("what listens to %s raised", self._name)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            command = self._command + (self._after_hang if self._hung else [])
            try:
                child = Child(command, environment=self._environment, stderr=self._stderr)
            except OSError as error:
                self._rest_after_crash(f"cannot be started: {error}", reason="start")
                continue
            self._child, self._hung = child, False
            self.starts += 1
            try:
                verdict = self._listen(child)
            except BaseException:
                child.end_now()
                raise
            finally:
                self._child = None
            self._conclude(child, verdict)

    def _conclude(self, child: Child, verdict: str) -> None:
        if self._stopping.is_set():
            child.end_gently(self._patience.stop_s)
        elif verdict == "closed":
            # Its output closed: nearly always it is ending, and then its exit code tells why.
            ended = child.ended_within(self._patience.stop_s)
            code = child.end_now()
            if ended and code == EXIT_GONE:
                self._crashes = 0
                self._stopping.wait(self._patience.gone_s)
            else:
                self._rest_after_crash(f"ended with exit code {code}", reason="exit", exit_code=code)
        elif verdict == "flood":
            child.end_now()
            self._rest_after_crash("floods its output", reason="flood")
        else:
            child.end_now()
            fault = EnvironmentFault(f"{self._name}_hung", f"{self._name} process gave no sign of life")
            self._deliver(self._as_event(fault))
            self._hung = True
            self._crashes += 1
            self._stopping.wait(self._crash_pause_s())

    def _listen(self, child: Child) -> str:
        """Read lines until the child closes its output, falls silent or floods, or until stopped."""
        lines = LineSplitter()
        started = self._clock()
        silent_at = started + self._patience.first_line_s
        sound_since: float | None = None
        second, in_second, garbage_at = started, 0, float("-inf")
        while True:
            wait_s = silent_at - self._clock()
            readable = select.select([child.fileno(), self._wake_read], [], [], max(wait_s, 0.0))[0]
            if self._stopping.is_set():
                return "stopping"
            if child.fileno() not in readable:
                if self._clock() >= silent_at:
                    return "hung"
                continue
            chunk = child.read()
            if not chunk:
                return "closed"
            now = self._clock()
            if now - second >= 1.0:
                second, in_second = now, 0
            sound = False
            for line in lines.feed(chunk):
                in_second += 1
                if in_second > self._patience.lines_per_s:
                    return "flood"
                event = self._parse(line)
                if self._sound(event):
                    sound = True
                elif now - garbage_at < 1.0:
                    continue
                else:
                    garbage_at = now
                self._deliver(event)
            if sound:
                # From now, not from when it was read: a slow listener is not the child's silence.
                silent_at = self._clock() + self._patience.heartbeat_s
                sound_since = now if sound_since is None else sound_since
                if now - sound_since >= self._patience.healthy_s:
                    self._crashes = 0
            elif now >= silent_at:
                return "hung"

    def _rest_after_crash(self, message: str, **detail: str | int) -> None:
        self._crashes += 1
        pause_s = self._crash_pause_s()
        fault = EnvironmentFault(
            f"{self._name}_crashed",
            f"{self._name} process {message}; started again in {pause_s:g} s",
            crashes=self._crashes,
            again_in_s=pause_s,
            **detail,
        )
        self._deliver(self._as_event(fault))
        self._stopping.wait(pause_s)

    def _crash_pause_s(self) -> float:
        doubled = self._patience.crash_first_s * 2.0 ** min(self._crashes - 1, 20)
        return min(doubled, self._patience.crash_most_s)


class ReaderSupervisor(ProcessSupervisor[ReaderEvent]):
    """Supervises one reader process and hands on its events; a device that stays away is told once."""

    def __init__(
        self,
        command: Sequence[str],
        on_event: Callable[[ReaderEvent], None],
        *,
        patience: Patience | None = None,
        after_hang: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        stderr: int | IO[bytes] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            command,
            on_event,
            parse=parse_event,
            sound=_is_sound,
            as_event=Gone,
            name="reader",
            patience=patience,
            after_hang=after_hang,
            environment=environment,
            stderr=stderr,
            clock=clock,
        )
        self._device_name = ""
        self._gone_code = ""

    def send(self, command: Command) -> bool:
        """Send a command to the reader. False if it does not take it now."""
        return self.send_line(encode_command(command))

    def _deliver(self, event: ReaderEvent) -> None:
        match event:
            case Ready():
                self._device_name, self._gone_code = event.name, ""
            case CardRead():
                # Nothing shows better that a reader is well.
                self._crashes = 0
                event = replace(event, reader=self._device_name)
            case Gone():
                if event.fault.code == self._gone_code:
                    return
                self._gone_code = event.fault.code
        super()._deliver(event)


def _is_sound(event: ReaderEvent) -> bool:
    return not (isinstance(event, Faulted) and event.fault.code == "reader_garbled")
