"""Commands in processes of their own that need not load the product each time.

One process per run of tests loads both programs and then only forks: a child takes over the caller's
arguments, environment and standard files, runs the command's ``main`` and ends as any process does. What is
left out is the second that Python takes to read the same files again; a town asks for hundreds of commands.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, Final

LOADED: Final = (
    "kiosk.cli", "kiosk.desk_commands", "kiosk.enrol_commands", "kiosk.journal_walk", "kiosk.home",
    "sync.enrolling", "sync.engine", "sync.kiosk_end", "sync.rights_source", "sync.central.cli",
)  # fmt: skip
MOST_BYTES: Final = 200_000
ROOT: Final = Path(__file__).resolve().parents[2]


class WarmPrograms:
    """The process that forks, and how it is asked. One caller at a time in each thread."""

    def __init__(self) -> None:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with listening:
            listening.bind("")  # Linux gives it a name that is no file
            listening.listen(64)
            self._address = listening.getsockname()
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(listening.fileno())],
                pass_fds=[listening.fileno()],
                stdin=subprocess.PIPE,  # its end tells that whoever started it is gone
                cwd=ROOT,
                env={name: value for name, value in os.environ.items() if not name.startswith("KMC_")},
            )

    def close(self) -> None:
        """Ends it."""
        self._process.communicate()

    def run(
        self,
        module: str,
        words: Sequence[str],
        environment: dict[str, str],
        given: str | None,
        timeout_s: float,
    ) -> subprocess.CompletedProcess[str]:
        """Runs ``python -m module words`` to its end. Raises subprocess.TimeoutExpired; it is then killed."""
        with contextlib.ExitStack() as files, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
            out, err = (files.enter_context(tempfile.TemporaryFile()) for _ in range(2))
            source = files.enter_context(_holding(given or ""))
            line.connect(self._address)
            asked = json.dumps({"module": module, "words": list(words), "environment": environment}).encode()
            socket.send_fds(line, [asked], [source.fileno(), out.fileno(), err.fileno()])
            line.settimeout(timeout_s)
            try:
                answer = line.recv(64)
            except TimeoutError:
                raise subprocess.TimeoutExpired([module, *words], timeout_s) from None
            if not answer:
                raise EOFError("the process that forks has ended")
            said = [_all_of(one) for one in (out, err)]
        return subprocess.CompletedProcess([module, *words], int(answer), *said)


@cache
def warm_programs() -> WarmPrograms:
    """Those of this run of tests, started when they are first needed."""
    made = WarmPrograms()
    atexit.register(made.close)
    return made


def _holding(text: str) -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    file.write(text.encode())
    file.seek(0)
    return file


def _all_of(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def serve(listening: socket.socket) -> None:
    """Forks for each that asks and tells it the exit code, negative for a signal; until its input ends."""
    running: dict[int, tuple[int, socket.socket]] = {}
    while True:
        awaited: list[Any] = [0, listening, *running, *(line for _, line in running.values())]
        ready = select.select(awaited, [], [])[0]
        if 0 in ready:
            return
        for one in ready:
            if one is listening:
                line, _ = listening.accept()
                pid = _forked(line, listening)
                running[os.pidfd_open(pid)] = (pid, line)
            elif isinstance(one, int) and one in running:
                pid, line = running.pop(one)
                _, status = os.waitpid(pid, 0)
                os.close(one)
                with line, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    line.send(str(os.waitstatus_to_exitcode(status)).encode())
            elif isinstance(one, socket.socket):
                # Who asked has gone: it waits no longer.
                for pid, line in running.values():
                    if line is one:
                        os.kill(pid, signal.SIGKILL)


def _forked(line: socket.socket, listening: socket.socket) -> int:
    """A child that becomes the command; answers its process id."""
    data, files, _, _ = socket.recv_fds(line, MOST_BYTES, 3)
    pid = os.fork()
    if pid:
        for file in files:
            os.close(file)
        return pid
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    line.close()
    listening.close()
    asked = json.loads(data)
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = [asked["module"], *asked["words"]]
    sys.exit(importlib.import_module(asked["module"]).main())


def main(arguments: Sequence[str]) -> None:
    """``python -m tests.e2e.warm FD``: a listening socket."""
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()
    with socket.socket(fileno=int(arguments[0])) as listening:
        serve(listening)


if __name__ == "__main__":
    main(sys.argv[1:])
