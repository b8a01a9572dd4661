"""Processes of the bench: the kiosk under watch, virtual station, readers; started, listened to, ended."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kiosk.demonstration import KIOSK_COMMAND
from kiosk.errors import EnvironmentFault
from kiosk.virtual_readers import ask_station, running_device, state_file

ANSWER_S = 60.0
Wanted = Callable[[dict[str, Any]], bool]


class Speaking:
    """A child process whose JSON lines are waited for."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._command = list(command)
        self._lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._log_path = log
        with log.open("ab") as errors:
            self.begun_s = time.perf_counter()
            self.process = subprocess.Popen(
                self._command,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        threading.Thread(target=self._read, name="lines", daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                self._lines.put(json.loads(line))
            except ValueError:
                continue  # a library's own words
        self._lines.put(None)

    def order(self, **order: object) -> None:
        """Sends one JSON line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def wait_for(self, wanted: Wanted, what: str, within_s: float = ANSWER_S) -> dict[str, Any]:
        """The first line from now on that is wanted; others are passed over.

        Raises EnvironmentFault ``bench_stuck`` if it ends or says nothing of the kind in time.
        """
        deadline = time.monotonic() + within_s
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise self._stuck(f"no {what} within {within_s:g} s") from None
            if line is None:
                raise self._stuck(f"ended while {what} was waited for")
            if wanted(line):
                return line

    def _stuck(self, what: str) -> EnvironmentFault:
        words = " ".join(self._command[1:4])
        return EnvironmentFault("bench_stuck", f"{words}: {what}; see {self._log_path}")

    def drop_lines(self) -> None:
        """Forgets the lines that came by now."""
        while not self._lines.empty():
            if self._lines.get() is None:
                self._lines.put(None)
                return

    def end(self) -> None:
        """Closes its standard input, then ends it."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.close()
        except OSError:
            pass  # it went first
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Speaking:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def says(event: str, **values: object) -> Wanted:
    """Wants a line of that event with those values."""
    return lambda line: line.get("event") == event and all(line.get(k) == v for k, v in values.items())


class Station:
    """The virtual hardware of a home; a real kiosk has none, so it is always counted apart."""

    def __init__(self, home: Path, process: Speaking) -> None:
        self._home = home
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.process.pid

    def put(self, card_no: str) -> None:
        """Lays a card into the field, in the place of the one that lies there."""
        ask_station(self._home, {"do": "put", "card_no": card_no})

    def lift(self) -> None:
        """Takes the card away."""
        ask_station(self._home, {"do": "lift"})

    def show_qr(self, card_no: str) -> None:
        """Holds a card's code before the camera."""
        ask_station(self._home, {"do": "show_qr", "card_no": card_no})

    def hide_qr(self) -> None:
        """Takes it away."""
        ask_station(self._home, {"do": "hide_qr"})

    def device(self, kind: str) -> str:
        """What a reader opens: the ``nfc`` field or the ``qr`` camera."""
        return running_device(self._home, kind)


@contextmanager
def station(home: Path, log: Path) -> Iterator[Station]:
    """Runs ``kmc-kiosk virtual`` on a home."""
    state_file(home).unlink(missing_ok=True)
    with Speaking([*KIOSK_COMMAND, "virtual"], environment(home), log) as process:
        process.wait_for(says("ready"), "virtual station")
        yield Station(home, process)


@contextmanager
def watched_kiosk(
    home: Path, running: Station, screen: Mapping[str, str], log: Path, stamps: Path | None = None
) -> Iterator[Speaking]:
    """Runs the kiosk with its reader and sync, the camera off; its lines say what happens on its screen."""
    settings = {
        "KMC_READERS__VIRTUAL": "off",  # the station runs apart, so there is no tray and no second one
        "KMC_READERS__NFC__DEVICE": running.device("nfc"),
        "KMC_READERS__QR__ENABLED": "false",
    }
    stamping = {} if stamps is None else {"BENCH_STAMPS": str(stamps)}
    with Speaking(watched_command(), environment(home) | settings | dict(screen) | stamping, log) as kiosk:
        yield kiosk


def watched_command() -> list[str]:
    """What runs the kiosk so that it says what happens on its screen."""
    return [sys.executable, "-m", "bench.watched_kiosk"]


def environment(home: Path) -> dict[str, str]:
    """The environment without settings of ours that somebody may have set, for that home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KMC_")}
    return kept | {"KMC_HOME": str(home)}


class Stamps:
    """The times at which a stamped reader wrote its lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_text("", encoding="ascii")
        self._at = 0

    def wait_for(self, event: str, within_s: float = ANSWER_S) -> float:
        """When the next line of that event was written, in seconds of CLOCK_MONOTONIC.

        Raises EnvironmentFault ``bench_stuck``.
        """
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            with self.path.open(encoding="ascii") as file:
                file.seek(self._at)
                line = file.readline()
            if line.endswith("\n"):
                self._at += len(line)
                found, at_ns = line.split()
                if found == event:
                    return int(at_ns) / 1e9
                if found == "fault":
                    raise EnvironmentFault("bench_stuck", f"the reader found a fault, not {event}")
                continue
            time.sleep(0.002)
        raise EnvironmentFault("bench_stuck", f"the reader wrote no {event} within {within_s:g} s")
