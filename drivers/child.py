"""One child process in a group of its own, on pipes: its lines, and an end that leaves nothing behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO

from drivers.commands import MAX_LINE_BYTES


class LineSplitter:
    """Splits what a pipe gives into lines; an endless one is cut and marked by its length."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk completes; a cut one is longer than MAX_LINE_BYTES."""
        *lines, rest = (self._rest + chunk).split(b"\n")
        if self._skipping and lines:
            lines, self._skipping = lines[1:], False
        if self._skipping:
            rest = b""
        elif len(rest) > MAX_LINE_BYTES + 2:
            lines.append(rest)
            self._skipping, rest = True, b""
        self._rest = rest
        return [line for line in lines if line.strip()]


class Child:
    """A process that was started in its own session, so that it can be ended with all it started.

    Raises OSError if it cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        stderr: int | IO[bytes] | None = None,
    ) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
            env=dict(environment) if environment is not None else None,
            start_new_session=True,
        )
        assert self._process.stdin is not None  # noqa: S101 - both were asked for
        assert self._process.stdout is not None  # noqa: S101
        self._input, self._output = self._process.stdin, self._process.stdout
        self.pid = self._process.pid
        os.set_blocking(self._input.fileno(), False)

    def fileno(self) -> int:
        """The descriptor of its output, for select."""
        return self._output.fileno()

    def read(self) -> bytes:
        """What its output holds now, up to 64 KiB; empty once it is closed."""
        return os.read(self._output.fileno(), 65536)

    def send(self, line: str) -> bool:
        """Write a line to its input, never waiting. False if it does not take it now."""
        data = line.encode("utf-8")
        if len(data) > select.PIPE_BUF:
            raise ValueError("a command line is longer than a pipe takes at once")
        with self._lock:
            if self._input.closed:
                return False
            try:
                return os.write(self._input.fileno(), data) == len(data)
            except OSError:
                return False

    def end_gently(self, patience_s: float) -> None:
        """Close its input and wait; then SIGTERM and wait; then end the group. Waits twice ``patience_s``."""
        with self._lock:
            self._input.close()
        # Its output is read on, so that a child which still writes does not block on its way out.
        if not self._drain_until_ended(patience_s):
            self._signal(signal.SIGTERM)
            self._drain_until_ended(patience_s)
        self.end_now()

    def end_now(self) -> int:
        """End the whole group, reap the child and close the pipes; its exit code."""
        self._signal(signal.SIGKILL)
        code = self._process.wait()
        with self._lock:
            self._input.close()
        self._output.close()
        return code

    def ended_within(self, seconds: float) -> bool:
        """True as soon as it has exited by itself; False after ``seconds``."""
        deadline = time.monotonic() + seconds
        while not self._has_ended():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        return True

    def _drain_until_ended(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._has_ended():
                return True
            if select.select([self], [], [], 0.02)[0] and not self.read():
                return self.ended_within(deadline - time.monotonic())
        return self._has_ended()

    def _has_ended(self) -> bool:
        # It is not reaped here, so its process id and group stay its own until it is.
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return
