"""Real kiosks and a real central in one process: only the socket between them is left out."""

from __future__ import annotations

import asyncio
import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import httpx

from kiosk.clock import Clock
from kiosk.errors import CentralFault
from kiosk.home import Home
from kiosk.journal import Draft, Journal
from kiosk.journal_format import Record
from kiosk.rights import Handing, dispense
from kiosk.values import Checks, Collector, Grade, OfficerSession
from sync import client, enrolling
from sync.central import api, kiosk_rows, state
from sync.central.state import Central
from sync.engine import SyncEngine
from sync.kiosk_end import CentralAddress, make_engine
from tests.sync.central_side import CARD_1, RICE, new_central, place, program
from tests.sync.central_side import Clock as CentralClock

URL = "http://central"


_TICKS = count(1_000_000)


@dataclass
class KioskClock:
    """Shows central's time; no two moments of any two machines are one, as in life."""

    central: CentralClock

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.central.now, UTC)

    def monotonic_ms(self) -> int:
        return next(_TICKS)

    def boot_id(self) -> str:
        return "boot-1"


@dataclass
class Line:
    """The way to central: takes ``sync.client.send``'s place, and loses what a test says."""

    app: Any
    lose_requests: int = 0
    lose_replies: int = 0
    asked: list[str] = field(default_factory=list)
    on_answer: Callable[[str, int, dict[str, str], bytes], tuple[int, dict[str, str], bytes]] = (
        lambda path, status, headers, body: (status, headers, body)
    )

    def send(
        self, _session: Any, method: str, url: str, headers: dict[str, str], body: bytes, _timeout_s: float
    ) -> tuple[int, dict[str, str], bytes]:
        """One exchange."""
        if self.lose_requests:
            self.lose_requests -= 1
            raise CentralFault("central_unreachable", "lost", why="timeout")
        parts = urlsplit(url)
        self.asked.append(parts.path)
        target = parts.path + (f"?{parts.query}" if parts.query else "")

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), base_url=URL) as asker:
                sent = headers | {"content-type": "application/json", "accept-encoding": "identity"}
                return await asker.request(method, target, headers=sent, content=body)

        answer = asyncio.run(ask())
        if self.lose_replies:
            self.lose_replies -= 1
            raise CentralFault("central_unreachable", "lost", why="timeout")
        found = {name.lower(): value for name, value in answer.headers.items()}
        return self.on_answer(parts.path, answer.status_code, found, answer.content)


@dataclass
class Whole:
    """One central and its kiosks."""

    root: Path
    central: Central
    clock: CentralClock
    line: Line
    engines: list[SyncEngine] = field(default_factory=list)

    def ticket(self, kiosk_id: str = "AAA1") -> str:
        """A ticket."""
        return kiosk_rows.new_ticket(self.central, kiosk_id)

    def enrol(self, kiosk_id: str = "AAA1", folder: str = "") -> Kiosk:
        """Enrols a machine, whose folder may be of an earlier enrolment."""
        made = Kiosk(self, self.root / (folder or kiosk_id))
        enrolling.enrol(made.path, self.ticket(kiosk_id), URL, made.clock)
        place(self.central)
        return made

    def copy(self, kiosk: Kiosk, folder: str) -> Kiosk:
        """A machine with a copy of a kiosk's disk."""
        kiosk.stop()
        shutil.copytree(kiosk.path, self.root / folder)
        return Kiosk(self, self.root / folder)

    def cases(self) -> list[str]:
        """Codes of the cases central has opened, sorted."""
        from sqlalchemy import select

        from sync.central.models import case

        with self.central.database.read() as connection:
            return sorted(connection.execute(select(case.c.code)).scalars())


@dataclass
class Kiosk:
    """One machine: its processes are opened at first use, and gone after ``stop``."""

    whole: Whole
    path: Path
    _home: Home | None = None
    _engine: SyncEngine | None = None

    @property
    def clock(self) -> Clock:
        return KioskClock(self.whole.clock)

    @property
    def home(self) -> Home:
        if self._home is None:
            self._home = Home(self.path, find_counter=lambda: None)
        return self._home

    @property
    def engine(self) -> SyncEngine:
        if self._engine is None:
            self._engine = make_engine(self.home, CentralAddress(), self.clock)
            self.whole.engines.append(self._engine)
        return self._engine

    @property
    def journal(self) -> Journal:
        """The door of another process than the engine's."""
        return Journal(self.engine.ledger, self.home.identity(), self.clock)

    @property
    def frozen(self) -> str:
        return self.engine.ledger.meta("frozen")

    def stop(self) -> None:
        """Every process of it ends."""
        if self._engine is not None:
            self._engine.close()
            self.whole.engines.remove(self._engine)
        self._home = self._engine = None

    def sync(self) -> str:
        """A round; answers the code of its fault, empty if it came through."""
        try:
            self.engine.sync_now()
        except CentralFault as fault:
            return fault.code
        return ""

    def note(self) -> Record:
        """A record without effect."""
        return self.journal.append(lambda _: Draft(type="note"))

    def hand_out(self, right: str = RICE, quantity: int = 10_000) -> Record:
        """A pickup as the counter records it."""
        handing = Handing(
            program=program(),
            right=right,
            entitlement=(int(right[1 : right.index("/")]), 1),
            quantity=quantity,
            most=quantity,
            card_no=CARD_1,
            grade=Grade.P1,
            collector=Collector(),
            checks=Checks(),
            officer=OfficerSession("ani", "Ani", "officer", ""),
        )
        return dispense(self.journal, handing)

    def holds(self, right: str = RICE) -> bool:
        """True if the right can be spent here."""
        held = self.engine.ledger.right(right)
        return held is not None and held.held and held.quantity_left > 0


@cache
def _template() -> Path:
    """A central with the city in it, made once for all tests of a run."""
    root = Path(tempfile.mkdtemp(prefix="kmc-whole-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    new_central(root / "central", state.default_url(root / "central"), CentralClock()).close()
    return root / "central"


@contextmanager
def whole_city(root: Path) -> Iterator[Whole]:
    """A central with its city; every client of this process calls it."""
    clock = CentralClock()
    shutil.copytree(_template(), root / "central")
    central = state.open_central(root / "central", state.default_url(root / "central"), clock)
    line = Line(api.make_app(central))
    made = Whole(root, central, clock, line)
    with mock.patch.object(client, "send", line.send), mock.patch.object(enrolling, "send", line.send):
        try:
            yield made
        finally:
            for engine in made.engines:
                engine.close()
            central.close()
