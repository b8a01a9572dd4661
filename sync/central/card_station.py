"""The writing station: a reader process (``kmc-kiosk write``) as a child, orders in and answers out.

Central knows no hardware. It starts the process, tells it by JSON lines what to write, and believes nothing
that was read back before it has checked it.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from kiosk.errors import CardFault, CentralFault, EnvironmentFault, KioskError, OfficerFault
from sync.wire import from_base64, to_base64

COMMAND: Final = (sys.executable, "-m", "kiosk.cli", "write", "--json")
START_S: Final = 120.0
"""Until its device is open; a small machine that is busy takes its time to load it all."""
SILENT_S: Final = 60.0
"""A writing process says that it is well each second, but not while it writes."""
END_S: Final = 5.0
KEY_OPTIONS: Final = (
    "--master-key-file",
    "--card-key-file",
    "--old-master-key-file",
    "--old-card-key-file",
)
MAX_LINE: Final = 64 * 1024
_FAMILIES: Final[dict[str, type[KioskError]]] = {
    family.family: family for family in (EnvironmentFault, CardFault, CentralFault, OfficerFault)
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A chip on the station; nothing in it is trusted."""

    uid: bytes
    chip: str
    payload: bytes
    """Of our record; empty if there is none."""
    holds: str
    """``empty``, ``credential``, or the code of what else lies there."""
    capacity: int
    locked: bool
    proved: bool | None = None
    """Whether it proved its key (P2); None if it was not asked to."""


class Station(Protocol):
    """Where chips are written. Every method raises CardFault or EnvironmentFault by name."""

    def look(self) -> Seen:
        """Waits for a chip."""
        ...

    def write(
        self, uid: bytes, chip: str, payload: bytes, *, overwrite: bool, lock: str, personalise: bool
    ) -> bytes:
        """Writes the chip with that UID; the payload that was read back."""
        ...

    def rekey(self, uid: bytes) -> bytes:
        """Gives the chip with that UID new keys (P2); the payload that lies on it."""
        ...

    def sign(self, challenge: bytes) -> tuple[bytes, bytes]:
        """Has a chip sign 16 bytes (P3); its certificate and its signature."""
        ...

    def wait_lifted(self) -> None:
        """Waits until no chip lies there."""
        ...


def _garbled(error: Exception) -> EnvironmentFault:
    return EnvironmentFault("reader_garbled", f"line not understood: {error!r}")


class StationProcess:
    """The station as a process of its own; entering starts it and waits until its device is open."""

    def __init__(
        self,
        device: str,
        *,
        timeout_s: float | None = None,
        key_files: Sequence[Path | None] = (),
        command: Sequence[str] = COMMAND,
    ) -> None:
        """``timeout_s``: how long a chip is waited for. ``key_files``: as in KEY_OPTIONS;
        only their paths are passed on.
        """
        self._command = [*command, "--device", device] if device else list(command)
        if timeout_s is not None:
            self._command += ["--timeout", f"{timeout_s:g}"]
        for option, path in zip(KEY_OPTIONS, key_files, strict=False):
            self._command += [option, str(path)] if path is not None else []
        self._process: subprocess.Popen[bytes] | None = None
        self._received = b""

    def __enter__(self) -> Self:
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
                # Central's settings are not the reader's.
                env={name: value for name, value in os.environ.items() if not name.startswith("KMC_")},
            )
        except OSError as fault:
            raise EnvironmentFault("station_missing", f"{self._command[0]}: {fault.strerror}") from fault
        try:
            self._answer("ready", START_S)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def look(self) -> Seen:
        """As Station."""
        told = self._ask("chip", {"command": "look"})
        try:
            return Seen(
                bytes.fromhex(told["uid"]),
                str(told["chip"]),
                from_base64(told["payload"]),
                str(told["holds"]),
                int(told["capacity"]),
                bool(told["locked"]),
                told["proved"],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise _garbled(error) from error

    def write(
        self, uid: bytes, chip: str, payload: bytes, *, overwrite: bool, lock: str, personalise: bool
    ) -> bytes:
        """As Station."""
        order = {
            "command": "write",
            "uid": uid.hex(),
            "chip": chip,
            "payload": to_base64(payload),
            "overwrite": overwrite,
            "lock": lock,
            "personalise": personalise,
        }
        told = self._ask("written", order)
        try:
            return from_base64(told["payload"])
        except (ValueError, KeyError, TypeError) as error:
            raise _garbled(error) from error

    def rekey(self, uid: bytes) -> bytes:
        """As Station."""
        told = self._ask("rekeyed", {"command": "rekey", "uid": uid.hex()})
        try:
            return from_base64(told["payload"])
        except (ValueError, KeyError, TypeError) as error:
            raise _garbled(error) from error

    def sign(self, challenge: bytes) -> tuple[bytes, bytes]:
        """As Station."""
        told = self._ask("signed", {"command": "sign", "challenge": challenge.hex()})
        try:
            return from_base64(told["certificate"]), from_base64(told["signature"])
        except (ValueError, KeyError, TypeError) as error:
            raise _garbled(error) from error

    def wait_lifted(self) -> None:
        """As Station."""
        self._ask("lifted", {"command": "lift"})

    def _ask(self, answer: str, order: dict[str, Any]) -> dict[str, Any]:
        process = self._started()
        assert process.stdin is not None  # noqa: S101 - it was asked for
        try:
            process.stdin.write(json.dumps(order, separators=(",", ":")).encode("ascii") + b"\n")
        except OSError as fault:
            raise EnvironmentFault("reader_crashed", "the writing process is gone") from fault
        return self._answer(answer, SILENT_S)

    def _answer(self, event: str, patience_s: float) -> dict[str, Any]:
        """The next line of that kind. Raises the fault that came instead."""
        while True:
            try:
                told = json.loads(self._line(patience_s))
                # What keeps it from starting comes as any command's fault.
                name = told.get("event", "fault" if "code" in told else "")
                if name == event:
                    return dict(told)
                if name not in ("fault", "gone"):
                    continue
                family = _FAMILIES[told.get("family", "environment")]
                fault = family(str(told["code"]), str(told["message"]))
                fault.detail.update(told.get("detail", {}))
            except (ValueError, KeyError, TypeError) as error:
                raise _garbled(error) from error
            raise fault

    def _line(self, patience_s: float) -> bytes:
        process = self._started()
        assert process.stdout is not None  # noqa: S101 - it was asked for
        until = time.monotonic() + patience_s
        while b"\n" not in self._received:
            left = until - time.monotonic()
            if len(self._received) > MAX_LINE:
                raise EnvironmentFault("reader_garbled", f"a line of more than {MAX_LINE} bytes")
            if left <= 0:
                raise EnvironmentFault(
                    "reader_hung", f"the writing process said nothing for {patience_s:g} s"
                )
            if select.select([process.stdout], [], [], left)[0]:
                chunk = os.read(process.stdout.fileno(), 65536)
                if not chunk:
                    raise EnvironmentFault("reader_crashed", "the writing process has ended")
                self._received += chunk
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise EnvironmentFault("station_missing", "the writing process was not started")
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None  # noqa: S101 - both were asked for
        assert process.stdout is not None  # noqa: S101
        process.stdin.close()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
