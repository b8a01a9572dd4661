"""One kiosk machine: a data folder, and the processes that run on it until they die."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from kiosk.counter import Counter
from kiosk.errors import CentralFault, EnvironmentFault, KioskError
from kiosk.home import Home
from kiosk.ledger import Ledger
from kiosk.ports import LookupWord, RightWord
from kiosk.upkeep import UpkeepLimits
from kiosk.values import CardRead, OfficerSession
from sync.engine import SyncEngine
from sync.enrolling import enrol
from sync.kiosk_end import CentralAddress, make_client, make_engine
from sync.patience import Patience
from sync.rights_source import CentralRights
from tests.sim.city import SUPERVISOR
from tests.sim.clocks import MachineClock
from tests.sim.crashes import Crash, Frames

T = TypeVar("T")
LIMITS: Final = UpkeepLimits(backup_horizon_days=25, private_text_days=5)
"""What the sync process keeps in the ledger."""
Words = Future[dict[str, RightWord]]


@dataclass
class Outcome(Generic[T]):
    """What became of a piece of work: a value, a fault of the product's own kinds, or the process's death."""

    value: T | None = None
    fault: KioskError | None = None
    died_at: str = ""

    @property
    def code(self) -> str:
        """The fault's code, or where the process died; empty if all went well."""
        return self.fault.code if self.fault else self.died_at


class StepwiseRights(CentralRights):
    """The product's source of rights; the simulator says when its worker gets to work."""

    jobs: list[tuple[Callable[[], Any], Patience, Future[Any]]]

    def acquire(self, rights: list[str]) -> Words:
        """Queues the question."""
        return self._queued(lambda: self._ask(rights), self._rights_patience)

    def look_up(self, read: CardRead, card_no: str) -> Future[LookupWord]:
        """Queues the question."""
        return self._queued(lambda: self._look_up(read, card_no), self._lookup_patience)

    def _queued(self, ask: Callable[[], Any], patience: Patience) -> Future[Any]:
        word: Future[Any] = Future()
        if not hasattr(self, "jobs"):
            self.jobs = []
        self.jobs.append((ask, patience, word))
        return word

    def work(self) -> bool:
        """Asks the oldest question; False if there is none."""
        if not getattr(self, "jobs", []):
            return False
        ask, patience, word = self.jobs.pop(0)
        self._answer_with(ask, patience, word, threading.Timer(0, print))
        return True

    def run_out_of_time(self, words: Future[Any]) -> None:
        """The deadline passes before the answer is there."""
        self._end(words, None, CentralFault("central_unreachable", "no answer in time", why="timeout"))

    def drop(self) -> None:
        """Closes the connections, without a thread."""
        self._close()
        self._worker.shutdown(wait=False)


class BoardCounter:
    """A machine's rollback counter: no image of its disk takes it back."""

    def __init__(self) -> None:
        self.at = 0

    def value(self) -> int:
        """What it stands at."""
        return self.at

    def advance(self, to: int) -> None:
        """Raises it; never lowers it."""
        self.at = max(self.at, to)


class Machine:
    """A kiosk as it stands at a counter."""

    def __init__(
        self, name: str, kiosk: str, point: int, path: Path, clock: MachineClock, frames: Frames
    ) -> None:
        self.name = name
        self.kiosk = kiosk
        self.point = point
        self.path = path
        self.clock = clock
        self.session = OfficerSession(SUPERVISOR[point], SUPERVISOR[point].upper(), "supervisor", "")
        self.lives = 0
        """How often its screen process has died."""
        self.copy_of = ""
        """Name of the machine whose disk was copied to make this one."""
        self.ticket = ""
        """To enrol with; empty once that is done."""
        self.retired = False
        """Replaced by another machine; it only goes on sending what it has."""
        self.lost = False
        """Its disk is gone."""
        self.board: BoardCounter | None = None
        """Its rollback counter, if the board has one."""
        self.seen_acknowledged: dict[int, int] = {}
        """What it counted as acknowledged when that was last compared with central's books."""
        self._frames = frames
        self._home: Home | None = None
        self._screen: Counter | None = None
        self._rights: StepwiseRights | None = None
        self._engine: SyncEngine | None = None

    def __repr__(self) -> str:
        return self.name

    @property
    def address(self) -> CentralAddress:
        """Central, as this machine calls it: the network knows it by the host."""
        return CentralAddress(f"http://{self.name}")

    @property
    def home(self) -> Home:
        """Its enrolment and keys."""
        if self._home is None:
            self._home = Home(self.path, find_counter=lambda: self.board)
        return self._home

    @property
    def gen(self) -> int:
        """The generation it was enrolled as."""
        return self.home.identity().gen

    @property
    def rights(self) -> StepwiseRights:
        """The worker that fetches rights on a tap."""
        if self._rights is None:
            home, address, clock = self.home, self.address, self.clock
            self._rights = StepwiseRights(
                home.ledger,
                lambda: make_client(home, address, clock),
                home.identity(),
                home.keyset,
                clock,
                lambda: None,
                open_caches=home.caches,
            )
        return self._rights

    @property
    def screen(self) -> Counter:
        """The counter of the screen's process, its officer signed in."""
        if self._screen is None:
            self._screen = self.home.counter(self.clock, rights=self.rights)
            self._screen._sessions.add(self.session)
        return self._screen

    @property
    def engine(self) -> SyncEngine:
        """The engine of the sync process."""
        if self._engine is None:
            self._engine = make_engine(self.home, self.address, self.clock, LIMITS)
            # Nobody may get in between: who waits for the lock of its counter in here, waits for ever.
            with self._frames.entered(self.name, "sync", 0):
                self._engine.started()
        return self._engine

    @property
    def ledger(self) -> Ledger:
        """A connection to look at the ledger by."""
        if self._screen is None and self._engine is not None:
            return self._engine.ledger
        return self.screen._ledger

    def attempt(self, process: str, work: Callable[[], T], countdown: int = 0) -> Outcome[T]:
        """Does a piece of work of one process; ``countdown``: how many points from now it dies, if at all."""
        with self._frames.entered(self.name, process, countdown) as frame:
            try:
                return Outcome(value=work())
            except KioskError as fault:
                return Outcome(fault=fault)
            except Crash:
                self.kill(process)
                return Outcome(died_at=frame.died_at)

    def busy(self, process: str = "") -> bool:
        """True while that process (any, without one) is in the middle of something."""
        return self._frames.busy(self.name, process)

    def kill(self, process: str) -> None:
        """That process is gone, with all it had in memory; the next use starts it anew."""
        if process == "sync":
            engine, self._engine = self._engine, None
            if engine is not None:
                engine.close()
            return
        self.lives += 1
        screen, self._screen = self._screen, None
        rights, self._rights = self._rights, None
        if screen is not None:
            screen.close()
        if rights is not None:
            rights.drop()

    def stop(self) -> None:
        """All its processes end."""
        self.kill("screen")
        self.kill("sync")
        self._home = None

    def copy_to(self, folder: Path) -> None:
        """Copies its disk."""
        copy_disk(self.path, folder)

    def enrol(self) -> None:
        """Enrols with its ticket."""
        enrol(self.path, self.ticket, self.address.url, self.clock)

    def lose(self) -> None:
        """Its disk is gone."""
        self.stop()
        shutil.rmtree(self.path)
        self.lost = True

    def put_back(self, image: Path) -> None:
        """An older image of its disk comes back."""
        self.stop()
        self.seen_acknowledged = {}
        shutil.rmtree(self.path)
        copy_disk(image, self.path)

    def records(self) -> dict[tuple[int, int], tuple[bytes, bytes]]:
        """Payload and hash of each journal record, by generation and sequence number."""
        rows = self.ledger.rows("SELECT gen, seq, record, hash FROM journal ORDER BY gen, seq")
        return {(row[0], row[1]): (bytes(row[2]), bytes(row[3])) for row in rows}

    def pickup(self, ref: str) -> tuple[bytes, str, bool] | None:
        """Hash of the record, right and whether it is voided, of a pickup in this ledger."""
        row = self.ledger.row(
            """SELECT j.hash, p.right, p.voided FROM pickups p
               JOIN journal j ON j.gen = p.gen AND j.seq = p.seq WHERE p.ref = ?""",
            ref,
        )
        return None if row is None else (bytes(row[0]), str(row[1]), bool(row[2]))

    def pickups(self) -> list[tuple[str, bytes, bool, bool]]:
        """Reference, hash, voided and shown of each pickup, oldest first."""
        rows = self.ledger.rows(
            """SELECT p.ref, j.hash, p.voided, p.shown FROM pickups p
               JOIN journal j ON j.gen = p.gen AND j.seq = p.seq ORDER BY p.gen, p.seq"""
        )
        return [(row[0], bytes(row[1]), bool(row[2]), bool(row[3])) for row in rows]

    def without_right(self, ref: str) -> bool:
        """True if a pickup was handed out under no grant."""
        row = self.ledger.row("SELECT epoch_n FROM pickups WHERE ref = ?", ref)
        return row is not None and row[0] == 0

    def without_right_unsent(self, program_id: str) -> tuple[int, int]:
        """How much of a program, and how often, left under no grant and is not acknowledged, as it reads."""
        row = self.ledger.row(
            """SELECT coalesce(sum(quantity), 0), count(*) FROM pickups p WHERE program_id = ? AND epoch_n = 0
               AND voided = 0
               AND seq > coalesce((SELECT acked_seq FROM acknowledged a WHERE a.gen = p.gen), 0)""",
            program_id,
        )
        return int(row[0]), int(row[1])

    def pruned_upto(self) -> dict[int, int]:
        """By generation, the last record that was pruned."""
        return {row[0]: row[1] for row in self.ledger.rows("SELECT gen, seq FROM anchor")}

    def is_older_than_board(self) -> bool:
        """True if the board's counter says that this ledger is an old image."""
        known = self.ledger.meta("rollback_counter")
        return bool(known) and self.board is not None and int(known) < self.board.value()

    def frozen(self) -> str:
        """Why it may not hand out; empty if it may."""
        return self.ledger.meta("frozen")

    def can_open(self) -> bool:
        """True unless its disk is lost or was never enrolled."""
        if self.lost or self.ticket:
            return False
        try:
            _ = self.ledger
        except EnvironmentFault:
            return False
        return True


def copy_disk(source: Path, target: Path) -> None:
    """Copies a data folder; what SQLite keeps of its shared memory is made anew."""

    def passed_over(_folder: str, names: list[str]) -> list[str]:
        return [name for name in names if name.endswith("-shm")]

    shutil.copytree(source, target, ignore=passed_over)


def raw_rights(machine: Machine) -> list[Any]:
    """The rows of its rights, for messages."""
    return machine.ledger.rows(
        "SELECT right, gen, epoch_n, granted, upto_seq, quantity_left, held, floor_n FROM rights"
    )
