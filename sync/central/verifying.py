"""Checking many signatures at once in processes of their own, since a check holds the interpreter's lock.

Each worker is ``python -m sync.central.verifying``: frames of keys, messages and signatures come in on its
standard input, one byte for each verdict goes out. It knows no secret and no database. A worker that fails is
started again at the next use; until then the signatures are checked right here.
"""

from __future__ import annotations

import logging
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import IO, Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MIN_SHARED: Final = 32
"""Fewer are checked faster here than sent away."""
_COUNT: Final = struct.Struct("<I")
_ITEM: Final = struct.Struct("<32s64sI")
_MAX_MESSAGE: Final = 64 * 1024

logger = logging.getLogger(__name__)


class Signed(NamedTuple):
    """One signature to be checked: raw Ed25519 public key, signature (64 bytes), the bytes it covers."""

    public: bytes
    signature: bytes
    message: bytes


Verify = Callable[[Sequence[Signed]], bytes]
"""Verdicts in the order of the signatures: 1 if it holds, else 0."""


def verify_here(items: Sequence[Signed]) -> bytes:
    """Checks signatures in the calling thread."""
    keys: dict[bytes, Ed25519PublicKey | None] = {}
    return bytes(_holds(item, keys) for item in items)


def _holds(item: Signed, keys: dict[bytes, Ed25519PublicKey | None]) -> bool:
    if item.public not in keys:
        try:
            keys[item.public] = Ed25519PublicKey.from_public_bytes(item.public)
        except ValueError:
            keys[item.public] = None
    key = keys[item.public]
    if key is None:
        return False
    try:
        key.verify(item.signature, item.message)
    except InvalidSignature:
        return False
    return True


class VerifyPool:
    """Some workers; ``verify`` may be called from any thread."""

    def __init__(self, workers: int) -> None:
        """Starts nothing yet; no ``workers`` means that all is checked here."""
        self._workers = [_Worker() for _ in range(workers)]
        self._idle = threading.Condition()
        self._free = list(self._workers)

    def close(self) -> None:
        """Ends the workers."""
        for worker in self._workers:
            worker.end()

    def verify(self, items: Sequence[Signed]) -> bytes:
        """Verdicts in the order of the signatures: 1 if it holds, else 0."""
        sendable = all(
            len(item.public) == 32 and len(item.signature) == 64 and len(item.message) <= _MAX_MESSAGE
            for item in items
        )
        if len(items) < MIN_SHARED or not self._workers or not sendable:
            return verify_here(items)
        with self._idle:
            self._idle.wait_for(lambda: bool(self._free))
            worker = self._free.pop()
        try:
            return worker.verify(items)
        except (OSError, EOFError) as fault:
            logger.warning("a process that checks signatures failed: %s", fault)
            worker.end()
            return verify_here(items)
        finally:
            with self._idle:
                self._free.append(worker)
                self._idle.notify()


def spare_cores() -> int:
    """How many workers this machine has room for beside central itself."""
    return max(0, len(os.sched_getaffinity(0)) - 1)


class _Worker:
    """One process, used by one thread at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def verify(self, items: Sequence[Signed]) -> bytes:
        """Raises OSError, EOFError when the process does not answer as it should."""
        process = self._process
        if process is None or process.poll() is not None:
            self.end()
            process = self._process = subprocess.Popen(
                [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        sent, told = process.stdin, process.stdout
        if sent is None or told is None:
            raise OSError("no pipes")
        frame = bytearray(_COUNT.pack(len(items)))
        for public, signature, message in items:
            frame += _ITEM.pack(public, signature, len(message))
            frame += message
        sent.write(frame)
        sent.flush()
        return _read(told, len(items))

    def end(self) -> None:
        """Ends the process, if there is one: it goes when its standard input does."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:
                pass  # it went first, and the rest of a frame cannot be written
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _read(source: IO[bytes], size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise EOFError("the pipe ended")
    return data


def serve(source: IO[bytes], out: IO[bytes]) -> None:
    """Answers frames until they end."""
    while head := source.read(_COUNT.size):
        items = []
        for _ in range(_COUNT.unpack(head)[0]):
            public, signature, size = _ITEM.unpack(_read(source, _ITEM.size))
            items.append(Signed(public, signature, _read(source, size)))
        out.write(verify_here(items))
        out.flush()


if __name__ == "__main__":
    import signal

    # Ctrl+C goes to the whole group; central ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except (BrokenPipeError, EOFError):
        # Central was killed in the middle of a frame: nobody is left to answer, and nothing to flush to.
        os._exit(1)
