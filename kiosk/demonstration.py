"""``make run``: a central, demonstration people and one kiosk on this machine, then the window or the tour.

Everything is started as the commands that a technician would type, so that this shows how the parts fit.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kiosk import enrolment
from kiosk.errors import EnvironmentFault
from kiosk.virtual_readers import cards_file

KIOSK = "IRM1"
KIOSK_COMMAND = (sys.executable, "-m", "kiosk.cli")
CENTRAL_COMMAND = (sys.executable, "-m", "sync.central.cli")
START_S = 60.0


def run(folder: Path, play: Callable[[Demonstration, str], int], *, tour: bool) -> int:
    """Sets up what is missing in ``folder``, starts central and the kiosk; answers the exit code.

    ``play`` does the same job without a display. Raises EnvironmentFault ``demonstration_failed`` naming the
    command that did not work.
    """
    # A service manager's or a script's way to end this; what was started here must not be left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    demonstration = Demonstration(folder)
    demonstration.set_up_central()
    with demonstration.central_running() as url:
        demonstration.set_up_kiosk(url)
        if not tour and has_display():
            say("Opening the kiosk window. Stop it with Ctrl+C.")
            say(f"In another terminal: KMC_HOME={demonstration.kiosk_home} {_shown('kmc-kiosk')} tap CARD_NO")
            return _window(demonstration, url)
        if not tour:
            say("No display was found (DISPLAY and WAYLAND_DISPLAY are empty): playing the job without one.")
        return play(demonstration, url)


def has_display() -> bool:
    """True if a window can be opened."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def say(text: str) -> None:
    """One line for the person who started this."""
    print(text, flush=True)


def _shown(command: str) -> str:
    beside = Path(sys.executable).with_name(command)
    return os.path.relpath(beside) if beside.exists() else command


class Demonstration:
    """The folders, commands and server of one demonstration."""

    def __init__(self, folder: Path) -> None:
        self.central_home = folder / "central"
        self.kiosk_home = folder / "kiosk"
        self._port_file = folder / "port"
        self._port = 0
        self._server: subprocess.Popen[bytes] | None = None
        for home in (folder, self.central_home, self.kiosk_home):
            home.mkdir(mode=0o700, parents=True, exist_ok=True)

    def set_up_central(self) -> None:
        """Makes central's database and fills it, once."""
        if not (self.central_home / "central.db").exists():
            self.central("init", "--mode", "demonstration")
        tray = self.central_home / "cards.jsonl"
        if not tray.exists():
            say("Filling central with 500 generated holders (once) …")
            told = self.central("demo")
            for officer in told["officers"]:
                where = f"point {officer['point_id']}, PIN {officer['pin']}"
                say(f"  {officer['role']} {officer['username']}: {where}")

    def set_up_kiosk(self, url: str, *, name: str = KIOSK) -> None:
        """Enrols the kiosk, once, and loads its cache."""
        if enrolment.load(self.kiosk_home) is None:
            ticket = self.central("kiosk", "ticket", name)["ticket"]
            self.kiosk("enrol", ticket, "--central", url)
            say(f"Enrolled {name} in demonstration mode.")
        shutil.copyfile(self.central_home / "cards.jsonl", cards_file(self.kiosk_home))
        answer = self.kiosk("sync", "--once", url=url)
        say(f"Cache loaded: {answer['rows']} rows, {answer['grants']} grants new.")

    @contextmanager
    def central_running(self) -> Iterator[str]:
        """Runs central on loopback; gives its address and ends it afterwards."""
        self._free_port()
        self.start_central()
        try:
            yield self.url
        finally:
            self.stop_central()

    @property
    def url(self) -> str:
        """Central's address today."""
        return f"http://127.0.0.1:{self._port}"

    def stop_central(self) -> None:
        """Ends central, as if the network had gone."""
        if self._server is not None:
            end(self._server)
            self._server = None

    def start_central(self) -> None:
        """Starts central and waits until it answers. Raises EnvironmentFault ``demonstration_failed``."""
        log = (self.central_home / "central.log").open("ab")
        server = subprocess.Popen(
            [*CENTRAL_COMMAND, "serve", "--port", str(self._port)],
            env=self._environment(self.central_home),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()
        url = self.url
        deadline = time.monotonic() + START_S
        while not _answers(url):
            if server.poll() is not None or time.monotonic() > deadline:
                end(server)
                raise EnvironmentFault(
                    "demonstration_failed", f"central did not start: see {self.central_home / 'central.log'}"
                )
            time.sleep(0.05)
        self._server = server
        say(f"Central runs at {url} (its description at {url}/docs).")

    def central(self, *words: str) -> dict[str, Any]:
        """Runs one ``kmc-central`` command and answers its JSON."""
        return self._json([*CENTRAL_COMMAND, *words, "--json"], self._environment(self.central_home))

    def kiosk(self, *words: str, url: str = "", **extra: str) -> dict[str, Any]:
        """Runs one ``kmc-kiosk`` command and answers its JSON."""
        return self._json([*KIOSK_COMMAND, *words, "--json"], self.kiosk_environment(url) | extra)

    def kiosk_environment(self, url: str = "") -> dict[str, str]:
        """The environment of the kiosk's commands; ``url`` says where central is today."""
        return self._environment(self.kiosk_home) | ({"KMC_CENTRAL__URL": url} if url else {})

    def _environment(self, home: Path) -> dict[str, str]:
        return {**os.environ, "KMC_HOME": str(home)}

    def _json(self, command: Sequence[str], environment: dict[str, str]) -> dict[str, Any]:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        try:
            answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        except (ValueError, IndexError):
            answer = {"code": "no_answer", "message": done.stderr[-500:]}
        if done.returncode != 0:
            shown = " ".join(command[2:])
            raise EnvironmentFault(
                "demonstration_failed",
                f"{shown}: {answer.get('code')}: {answer.get('message')}",
                answer=answer,
            )
        return answer

    def _free_port(self) -> None:
        """Takes the port of last time if it is free, else another one."""
        known = int(self._port_file.read_text()) if self._port_file.exists() else 0
        for wanted in (known, 0):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", wanted))
                except OSError:
                    continue
                self._port = int(probe.getsockname()[1])
                self._port_file.write_text(str(self._port))
                return
        raise EnvironmentFault("demonstration_failed", "no free port on 127.0.0.1")


def _window(demonstration: Demonstration, url: str) -> int:
    # Beside the card tray the kiosk is a window among others, unless somebody says otherwise.
    environment = {"KMC_SCREEN__FULLSCREEN": "false"} | demonstration.kiosk_environment(url)
    window = subprocess.Popen([*KIOSK_COMMAND, "run"], env=environment)
    try:
        return window.wait()
    except KeyboardInterrupt:
        end(window)
        return 0


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a child that was started here, gently first."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/v1/health", timeout=1) as answer:  # noqa: S310  loopback only
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
