"""Central and kiosks in one process on a clock that the test sets, over real sockets and real databases."""

from __future__ import annotations

import fcntl
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

import uvicorn

from kiosk.counter import Counter
from kiosk.desk_commands import card_in_tray
from kiosk.home import Home
from kiosk.values import CardRead, Checks, Collector, Mode, OfficerSession, Pickup, ProgramState, Visit
from sync.central import demo, following, kiosk_rows, state
from sync.central.api import make_app
from sync.central.demo_places import IRINGMULYO
from sync.central.poll import Hub
from sync.central.state import Central
from sync.engine import SyncReport
from sync.enrolling import enrol
from sync.kiosk_end import CentralAddress, make_engine, make_rights
from sync.rights_source import CentralRights
from tests.e2e.books import Books, read_books
from tests.e2e.town import OFFICERS, PINS
from tests.kiosk.counter_world import SetClock

WIB = ZoneInfo("Asia/Jakarta")
EVENING = datetime(2027, 3, 31, 16, 0, tzinfo=WIB)
"""The last evening of a month, of a quarter and of a planting season."""
KIOSKS = ("IRM1", "HDM1")
DOCUMENTS = ("ktp", "kk", "kartu_pelajar")


class ClockedTown:
    """A city whose central is reachable inside ``central_running`` only."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clock = SetClock(EVENING)
        self.url = "http://127.0.0.1:9"
        self._open: list[Desk] = []

    @property
    def database(self) -> str:
        """SQLAlchemy's URL of central's database."""
        return state.default_url(self.home / "central")

    @contextmanager
    def central_running(self) -> Iterator[Central]:
        """Serves central on a port of loopback that stays the same."""
        central = state.open_central(self.home / "central", self.database, self._seconds)
        hub = Hub()
        config = uvicorn.Config(make_app(central, hub), log_config=None, access_log=False, lifespan="on")
        server = uvicorn.Server(config)
        with closing(central), socket.create_server(("127.0.0.1", 0)) as listener:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            try:
                yield central
            finally:
                hub.close()
                server.should_exit = True
                thread.join(timeout=30)
                assert not thread.is_alive()

    def set_up(self) -> None:
        """Fills a demonstration central as of the clock's day, and enrols the kiosks."""
        (self.home / "central").mkdir(parents=True)
        with closing(
            state.init(self.home / "central", self.database, Mode.DEMONSTRATION, self._seconds)
        ) as central:
            demo.fill(central)
            following.set_followed(central, "HDM1", (IRINGMULYO,))
        with self.central_running() as central:
            for name in KIOSKS:
                enrol(self.home / name, kiosk_rows.new_ticket(central, name), self.url, self.clock)
                shutil.copyfile(self.home / "central" / "cards.jsonl", self.home / name / "cards.jsonl")
                Desk(self, name).sync()

    def desk(self, name: str) -> Desk:
        """A kiosk's counter; closed with the town."""
        self._open.append(Desk(self, name))
        return self._open[-1]

    def at(self, year: int, month: int, day: int, hour: int, minute: int) -> None:
        """Sets the clock on to a local time."""
        self.clock.go_on(datetime(year, month, day, hour, minute, tzinfo=WIB) - self.clock.at)

    def books(self) -> Books:
        """Central's own records, counted apart from the product's code."""
        return read_books(self.database)

    def close(self) -> None:
        """Closes the counters."""
        for desk in self._open:
            desk.close()

    def _seconds(self) -> float:
        return self.clock.at.timestamp()


class Desk:
    """One kiosk: its counter, its sync, and its officer."""

    def __init__(self, town: ClockedTown, name: str) -> None:
        self.name = name
        self._town = town
        self._home = Home(town.home / name)

    @cached_property
    def rights(self) -> CentralRights:
        """The source of rights that the screen has."""
        return make_rights(self._home, CentralAddress(self._town.url), self._town.clock, lambda: None)

    @cached_property
    def counter(self) -> Counter:
        """The counter that the screen and the commands use."""
        return self._home.counter(self._town.clock, rights=self.rights)

    @cached_property
    def session(self) -> OfficerSession:
        """The officer, signed in."""
        who = OFFICERS[self.name]
        return self.counter.sign_in(who, PINS[who])

    def close(self) -> None:
        """Closes what was opened."""
        if "counter" in self.__dict__:
            self.counter.close()
        if "rights" in self.__dict__:
            self.rights.close()

    def sync(self) -> SyncReport:
        """One round with central."""
        with closing(make_engine(self._home, CentralAddress(self._town.url), self._town.clock)) as engine:
            return engine.sync_now()

    def card(self, card_no: str) -> CardRead:
        """A genuine chip of the demonstration."""
        found = card_in_tray(self._home.path, card_no)
        assert found is not None
        return found

    def visit(self, card_no: str) -> Visit:
        """A tapped card, with the officer signed in."""
        return self.counter.read(self.card(card_no), self.session)

    def looked_up(self, card_no: str) -> Visit:
        """A tapped card of another point, as it stands once central has answered."""
        visit = self.visit(card_no)
        for future in self.counter.look_up(visit):
            future.result(timeout=30)
        return self.counter.refresh(visit, self.session)

    def state(self, card_no: str, program: str) -> ProgramState:
        """What a tap shows of one program to the citizen, before an officer looks."""
        return self.look(self.counter.read(self.card(card_no)), program)

    @staticmethod
    def look(visit: Visit, program: str) -> ProgramState:
        """The state of one program of a visit."""
        return next(row.state for row in visit.rows if row.program_id == program)

    def confirm(self, visit: Visit, program: str) -> Pickup:
        """Hands out all that is due of a program, every document seen."""
        row = next(row for row in visit.rows if row.program_id == program)
        return self.counter.confirm(
            visit, program, row.quantity, Collector(), Checks(DOCUMENTS), self.session
        )

    def hand_out(self, card_no: str, program: str) -> Pickup:
        """A tap and a confirmed pickup."""
        return self.confirm(self.visit(card_no), program)


def clocked_template(shared: Path) -> Path:
    """The folder to copy, made by whichever worker comes first."""
    folder = shared / "clocked"
    with (shared / "clocked.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            fresh = shared / "clocked.new"
            shutil.rmtree(fresh, ignore_errors=True)
            ClockedTown(fresh).set_up()
            fresh.rename(folder)
    return folder
