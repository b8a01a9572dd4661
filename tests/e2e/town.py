"""A city in a folder: a real central on loopback and real kiosks, each driven by its commands."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.e2e.books import Books, read_books
from tests.e2e.warm import warm_programs

ROOT = Path(__file__).resolve().parents[2]
CENTRAL = (sys.executable, "-m", "sync.central.cli")
KIOSK = (sys.executable, "-m", "kiosk.cli")
COMMAND_S = 120.0
START_S = 120.0
PINS = {
    "rina": "240517",
    "sekar": "719305",
    "dimas": "462908",
    "hartono": "506743",
}
OFFICERS = {"IRM1": "rina", "IRM2": "rina", "HDM1": "dimas"}
MOTHER, FATHER, CHILD = "5111592852", "8533711431", "5794984749"
FARMER, OTHER_POINT = "7131342110", "2897181026"
RICE, CHECK = "beras-keluarga", "periksa-kesehatan"
FERTILISER, SEED = "pupuk-bersubsidi", "benih-padi"
IRINGMULYO, HADIMULYO = "Kelurahan Iringmulyo", "Kelurahan Hadimulyo Timur"


class Outcome(NamedTuple):
    """A command's exit code and its JSON answer; ``{}`` if it printed none."""

    code: int
    answer: dict[str, Any]

    @property
    def fault(self) -> str:
        """The code of the fault it ended in; empty if it went well."""
        return str(self.answer.get("code", "")) if self.code else ""


def clean_environment(home: Path) -> dict[str, str]:
    """What a command needs of the environment, and none of our settings but the data folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KMC_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of short processes would compile everything anew
    return kept | {"KMC_HOME": str(home)}


def run_anew(
    command: Sequence[str], environment: dict[str, str], given: str | None, timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end from the very start."""
    return subprocess.run(
        command,
        env=environment,
        cwd=ROOT,
        stdin=None if given is not None else subprocess.DEVNULL,
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )


def run_command(
    command: Sequence[str],
    environment: dict[str, str],
    *,
    given: str | None = None,
    timeout_s: float = COMMAND_S,
) -> Outcome:
    """Runs a command to its end; a traceback on standard error is a failure whatever the exit code.

    A process of its own in any case; one of our programs started plainly does not load its modules anew.
    """
    if tuple(command[:3]) in (CENTRAL, KIOSK) and "LD_PRELOAD" not in environment:
        done = warm_programs().run(command[2], command[3:], environment, given, timeout_s)
    else:
        done = run_anew(command, environment, given, timeout_s)
    assert "Traceback" not in done.stderr, f"{' '.join(command)}\n{done.stderr}"
    lines = done.stdout.splitlines()
    answer = json.loads(lines[-1]) if lines else {}
    return Outcome(done.returncode, answer if isinstance(answer, dict) else {"list": answer})


class KioskAt:
    """One enrolled kiosk's data folder and its commands."""

    def __init__(self, town: Town, name: str, home: Path) -> None:
        self.town = town
        self.name = name
        self.home = home
        self.url = ""
        """Another address for central than the town's, such as a proxy's."""

    def environment(self, officer: str = "") -> dict[str, str]:
        """The environment of this kiosk's commands, with the PIN of an officer."""
        found = clean_environment(self.home) | {"KMC_CENTRAL__URL": self.url or self.town.url}
        return found | ({"KMC_OFFICER_PIN": PINS[officer]} if officer else {})

    def run(self, *words: str, officer: str = "", env: dict[str, str] | None = None) -> Outcome:
        """Runs ``kmc-kiosk`` with these words and ``--json``."""
        environment = self.environment(officer) | (env or {})
        return run_command([*KIOSK, *words, "--json"], environment)

    def start(self, *words: str, officer: str = "", stdout: int | None = None) -> subprocess.Popen[bytes]:
        """Starts a command and leaves it running; the caller ends it."""
        return subprocess.Popen(
            [*KIOSK, *words, "--json"],
            env=self.environment(officer),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.DEVNULL,
        )

    def confirm_words(self, card: str, program: str, *more: str, officer: str = "") -> list[str]:
        """The words that hand out all that is due of a program, with every document seen."""
        who = officer or OFFICERS[self.name]
        seen = ("--documents", "ktp,kk,akta,kartu_pelajar,surat_dokter")
        return ["confirm", "--card", card, "--program", program, "--officer", who, *seen, *more]

    def confirm(self, card: str, program: str, *more: str, officer: str = "") -> Outcome:
        """Hands out all that is due of a program."""
        words = self.confirm_words(card, program, *more, officer=officer)
        return self.run(*words, officer=officer or OFFICERS[self.name])

    def void(self, ref: str, goods: str = "returned") -> Outcome:
        """Takes a pickup back."""
        who = OFFICERS[self.name]
        words = ("void", ref, "--officer", who, "--goods", goods, "--reason", "salah orang")
        return self.run(*words, officer=who)

    def row(self, card: str, program: str) -> dict[str, Any]:
        """What ``show`` says of one program of a card."""
        code, answer = self.run("show", "--card", card)
        assert code == 0, answer
        found: list[dict[str, Any]] = [row for row in answer["programs"] if row["program"] == program]
        return found[0]

    def sync(self) -> Outcome:
        """One round with central."""
        return self.run("sync", "--once")

    def status(self) -> dict[str, Any]:
        """What ``status`` says."""
        code, answer = self.run("status")
        assert code == 0, answer
        return answer

    def records(self) -> list[dict[str, Any]]:
        """The journal as ``journal list`` shows it, oldest first."""
        code, answer = self.run("journal", "list", "--last", "1000")
        assert code == 0, answer
        return list(reversed(answer["records"]))

    def hashes(self) -> dict[int, str]:
        """SHA-256 in hex of each exported record, by sequence number."""
        target = self.home / "export.kmcj"
        target.unlink(missing_ok=True)
        assert self.run("journal", "export", str(target), "--all").code == 0
        seq, found = 0, {}
        for line in map(json.loads, gzip.decompress(target.read_bytes()).splitlines()):
            seq = line.get("from_seq", seq)
            if "record" in line:
                record = base64.b64decode(line["record"], validate=True)
                found[seq] = hashlib.sha256(record).hexdigest()
                seq += 1
        return found

    def verify(self) -> Outcome:
        """What ``journal verify`` says."""
        return self.run("journal", "verify")


class Town:
    """Central and its kiosks. ``home`` holds ``central`` and a folder for each kiosk."""

    def __init__(self, home: Path, database: str = "") -> None:
        self.home = home
        self.central_home = home / "central"
        self.database = database or f"sqlite:///{self.central_home / 'central.db'}"
        self.log = home / "central.log"
        self.serving: dict[str, str] = {}
        """What the environment of a central that serves has beside the usual."""
        self.program: Sequence[str] = CENTRAL
        """What serves; the other commands are always central's own."""
        self._port = 0
        self._server: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Central's address; it stays the same when central is started again."""
        return f"http://127.0.0.1:{self._port}"

    def kiosk(self, name: str) -> KioskAt:
        """A kiosk by name."""
        return KioskAt(self, name, self.home / name)

    def central(self, *words: str, given: str | None = None) -> Outcome:
        """Runs ``kmc-central`` with these words and ``--json``."""
        return run_command([*CENTRAL, *words, "--json"], self._environment(), given=given)

    def start_central(self) -> None:
        """Starts central and waits until it takes connections."""
        assert self._server is None
        with self.log.open("a") as log:
            self._server = subprocess.Popen(
                [*self.program, "serve", "--port", str(self._port), "--json"],
                env=self._environment() | self.serving,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._server.stdout is not None
        ready, _, _ = select.select([self._server.stdout], [], [], START_S)
        line = self._server.stdout.readline() if ready else ""
        if not line:
            self.kill_central()
            raise AssertionError(f"central did not start: {self.log.read_text()}")
        self._port = int(json.loads(line)["url"].rsplit(":", 1)[1])

    def stop_central(self) -> None:
        """Ends central as a service manager would."""
        self._end(signal.SIGTERM)

    def kill_central(self) -> None:
        """Ends central at once, whatever it is doing."""
        self._end(signal.SIGKILL)

    def books(self) -> Books:
        """Central's own records, counted apart from the product's code."""
        return read_books(self.database)

    def pickups_at_central(self) -> list[str]:
        """References of the hand-outs that stand at central."""
        return [one.ref for one in self.books().handed]

    def close(self) -> None:
        """Ends central; it must have said nothing of an error."""
        if self._server is not None:
            self.stop_central()
        said = self.log.read_text() if self.log.exists() else ""
        assert "Traceback" not in said, said
        assert "ERROR" not in said, said

    def enrol(self, name: str) -> KioskAt:
        """Enrols a kiosk of this name on a new ticket and loads its cache."""
        code, told = self.central("kiosk", "ticket", name)
        assert code == 0, told
        kiosk = self.kiosk(name)
        code, answer = kiosk.run("enrol", told["ticket"], "--central", self.url)
        assert code == 0, answer
        code, answer = kiosk.sync()
        assert code == 0, answer
        return kiosk

    def wait_for(self, condition: Any, what: str, timeout_s: float = 30.0) -> None:
        """Looks again and again until a condition holds."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"never came: {what}"
            time.sleep(0.02)

    def _environment(self) -> dict[str, str]:
        return clean_environment(self.central_home) | {"KMC_CENTRAL_DATABASE": self.database}

    def _end(self, how: signal.Signals) -> None:
        server, self._server = self._server, None
        assert server is not None
        server.send_signal(how)
        server.communicate(timeout=30)
