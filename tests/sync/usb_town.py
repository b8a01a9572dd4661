"""A real central and real kiosks' homes with nothing between them but files."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk import enrolment, keystore
from kiosk.home import Home
from kiosk.journal import GENERATION_META, Draft, Journal
from kiosk.journal_format import Record
from kiosk.journal_walk import public_key_meta
from kiosk.keyset import open_keyset
from kiosk.keystore import public_of
from kiosk.ledger import LEDGER_FILE, Ledger
from kiosk.program import parse_program
from kiosk.rights import Handing, dispense
from kiosk.values import Checks, Collector, Grade, OfficerSession
from sync.central import enrol, intake, kiosk_rows, state, usb
from sync.central.state import Central
from sync.central.usb import Imported
from sync.engine import SyncEngine
from sync.pushing import Pusher
from sync.usb_kiosk import Exported, NoWire, TakenIn, acknowledge_file, export
from sync.wire import EnrolRequest, JournalAnswer, JournalRequest
from tests.sync.central_side import CARD_1, Clock, new_central, program
from tests.sync.served_central import KioskClock

RINA = OfficerSession("ani", "ANI", "officer", "")


@dataclass
class HomeAt:
    """One kiosk's home, its ledger open."""

    central: Central
    kiosk: str
    path: Path
    clock: KioskClock

    def __post_init__(self) -> None:
        self.path.mkdir(exist_ok=True)
        self.files = 0
        self.enrol()

    def enrol(self) -> None:
        """Enrols this machine, as another generation if it was a kiosk before."""
        known = (self.path / keystore.FILE_NAME).exists()
        keys = keystore.load(self.path) if known else keystore.create(self.path)
        if known:
            keys = keystore.add_device_key(self.path, keys)
        public = public_of(keys.signers()[0])
        ticket = kiosk_rows.new_ticket(self.central, self.kiosk)
        answer = enrol.enrol(self.central, EnrolRequest(ticket=ticket, public=public))
        roots = (answer.roots[0], answer.roots[1])
        enrolled = enrolment.open_enrolment(answer.enrolment, open_keyset(answer.keyset, roots))
        with closing(Ledger(self.path / LEDGER_FILE, keys.database_key, create=True)) as ledger:
            ledger.set_meta(
                **{
                    "kiosk": enrolled.kiosk,
                    GENERATION_META: str(enrolled.gen),
                    public_key_meta(enrolled.gen): public.hex(),
                    "frozen": "",
                    "grant_rev": "0",
                }
            )
        enrolment.save(self.path, answer.enrolment, answer.keyset, roots, "http://127.0.0.1:9", device=public)
        self.open()

    def open(self) -> None:
        """Opens it again, as after a start."""
        self.home = Home(self.path, find_counter=lambda: None)
        self.ledger = self.home.ledger()
        self.journal = Journal(self.ledger, self.home.identity(), self.clock)

    @property
    def gen(self) -> int:
        return self.home.identity().gen

    def close(self) -> None:
        """Closes the ledger."""
        self.ledger.close()

    def note(self, count: int = 1, private: str = "") -> Record:
        """Appends notes; the last one."""
        made = [self.journal.append(lambda _: Draft(type="note", private=private)) for _ in range(count)]
        return made[-1]

    def dispense(self, right: str, quantity: int) -> Record:
        """Hands out of a right that is held."""
        handing = Handing(
            program=parse_program(program().model_dump_json()),
            right=right,
            entitlement=(1, 1),
            quantity=quantity,
            most=2**40,
            card_no=CARD_1,
            grade=Grade.P1,
            collector=Collector(),
            checks=Checks(),
            officer=RINA,
            reason="sebagian",
        )
        return dispense(self.journal, handing)

    # -- by file --

    def export(self, **options: Any) -> Path:
        """Writes an exchange file."""
        self.files += 1
        path = self.path / f"{self.files}.kmcj"
        self.exported: Exported = export(self.home, self.ledger, path, self.clock, **options)
        return path

    def acknowledge(self, answer: bytes) -> TakenIn:
        """Takes an answer in."""
        with closing(self.engine()) as engine:
            return acknowledge_file(self.home, engine, answer)

    def engine(self) -> SyncEngine:
        """An engine that reaches nobody."""
        home = self.home
        return SyncEngine(
            home.path,
            home.ledger(),
            home.caches(),
            home.identity(),
            NoWire(),  # type: ignore[arg-type]
            home.keyset,
            self.clock,
            take_keyset=home.take_keyset,
        )

    def exchange(self) -> TakenIn:
        """There and back once."""
        return self.acknowledge(carry(self.central, self.export()).answer)

    # -- by wire, without one --

    def push(self) -> int:
        """Pushes as the sync process would, into the same central."""

        def take(request: JournalRequest) -> JournalAnswer:
            return intake.push(self.central, self.kiosk, request)

        return Pusher(self.path, self.ledger, self.gen, take).push_all()


def copied_central(template: Path, home: Path, clock: Clock) -> Central:
    """A central of one's own from a template's folder, which is made when it is not there yet."""
    if not template.exists():
        new_central(template, state.default_url(template), Clock()).close()
    shutil.copytree(template, home)
    return state.open_central(home, state.default_url(home), clock)


def carry(central: Central, path: Path) -> Imported:
    """Central takes a file in and notes it as answered."""
    done = usb.take_in(central, path.read_bytes())
    usb.remember(central, done)
    return done
