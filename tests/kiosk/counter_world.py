"""One enrolled kiosk on real, encrypted files, with a clock that tests set and a central that only signs."""

from __future__ import annotations

import json
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import argon2

from kiosk import enrolment, keystore, officer_pin, sync_state
from kiosk import grant as grants
from kiosk.cache import Cache
from kiosk.clock import unix_ms
from kiosk.counter import Counter
from kiosk.credential import to_qr
from kiosk.enrolment import Enrolment
from kiosk.feed_rows import COLUMNS
from kiosk.grant import Grant, Term
from kiosk.home import Home
from kiosk.journal_walk import public_key_meta
from kiosk.ledger import LEDGER_FILE, Ledger
from kiosk.ports import LookupWord, RightWord
from kiosk.rights import GrantOutcome, take_in
from kiosk.values import CardRead, Checks, Collector, Medium, Mode, OfficerSession
from tests.kiosk.city import City, public, shown, tapped
from tests.kiosk.program_document import document

START = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
"""09:00 in Jakarta, inside the city's keys' time."""
OFFICER, PIN = "rina", "482913"
SUPERVISOR = "budi"
CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Each hash says its own cost: these officers sign in at once, in hundreds of tests."""


@dataclass
class SetClock:
    """A clock that stands until a test moves it."""

    at: datetime = START
    mono: int = 5_000_000
    boot: str = "boot-1"

    def now(self) -> datetime:
        return self.at

    def monotonic_ms(self) -> int:
        return self.mono

    def boot_id(self) -> str:
        return self.boot

    def go_on(self, delta: timedelta) -> None:
        """Lets time pass on both clocks."""
        self.at += delta
        self.mono += int(delta.total_seconds() * 1000)


@dataclass
class ScriptedRights:
    """Answers what a test has put down; each future is done when the test says so."""

    asked: list[list[str]] = field(default_factory=list)
    futures: list[Future[dict[str, RightWord]]] = field(default_factory=list)
    wakes: int = 0
    looked_up: list[str] = field(default_factory=list)
    words: list[Future[LookupWord]] = field(default_factory=list)

    def look_up(self, read: CardRead, card_no: str) -> Future[LookupWord]:
        self.looked_up.append(card_no)
        self.words.append(Future())
        return self.words[-1]

    def acquire(self, rights: list[str]) -> Future[dict[str, RightWord]]:
        self.asked.append(rights)
        self.futures.append(Future())
        return self.futures[-1]

    def wake(self) -> None:
        self.wakes += 1


def program(program_id: str = "beras", **changes: Any) -> dict[str, Any]:
    """A program's document: rice, 10 kg a month, strict, for the holder and who comes for him."""
    common = {"valid_from": "2025-01-01", "collectors": ["holder", "guardian", "representative"]}
    return document(program_id, **(common | changes))


class World:
    """The kiosk IRM1 at point 1, holder 1 (SITI RAHAYU) and others, and what central would send."""

    def __init__(self, home: Path, mode: Mode = Mode.DEMONSTRATION) -> None:
        self.path = home
        self.city = City()
        self.clock = SetClock()
        self.rights = ScriptedRights()
        self.keys = keystore.create(home)
        document = Enrolment("IRM1", 1, mode, 1, self.keys.public(), int(START.timestamp()) - 3600, 1)
        central = self.city.central
        enrolment.save(
            home,
            enrolment.make(document, central, b"c-now"),
            self.city.signed_keyset,
            self.city.roots,
            "http://127.0.0.1:9",
            device=self.keys.public(),
        )
        ledger = Ledger(home / LEDGER_FILE, self.keys.database_key, create=True)
        ledger.set_meta(**{public_key_meta(1): public(self.keys.signer()).hex()})
        ledger.close()
        self.home = Home(home)
        self.caches = self.home.caches()
        number, cache = self.caches.create()
        cache.close()
        self.caches.make_current(number)
        self.fill()
        self.set_online(False)
        self.counter = self.open_counter()

    def open_counter(self) -> Counter:
        return self.home.counter(self.clock, rights=self.rights)

    @property
    def cache(self) -> Cache:
        return self.caches.current()

    @property
    def ledger(self) -> Ledger:
        return self.counter._ledger

    def fill(self) -> None:
        with mock.patch.object(officer_pin, "_HASHER", CHEAP):
            pin = officer_pin.hash_pin(PIN, OFFICER, self.keys.officer_pepper)
            supervisor_pin = officer_pin.hash_pin(PIN, SUPERVISOR, self.keys.officer_pepper)
        self.put("agency", 1, "Dinas Sosial", "Dinsos")
        self.put("point", 1, "Kelurahan Iringmulyo", "Metro Timur", "office")
        self.put("point", 2, "Kelurahan Hadimulyo", "Metro Pusat", "office")
        self.put("kiosk", "IRM1", 1, "Loket 1", 1, "active")
        self.put("kiosk", "HDM1", 2, "Loket 1", 1, "active")
        self.put("officer", OFFICER, "RINA", "officer", 1, pin, None)
        self.put("officer", SUPERVISOR, "BUDI", "supervisor", 1, supervisor_pin, None)
        self.put_holder(1, "SITI RAHAYU", family=7)
        self.put_program(program())
        self.entitle(1, "h1", "beras", 10_000)
        self.cache.set_meta(synced_at=self.clock.now().isoformat())

    def put(self, kind: str, *values: Any) -> None:
        """Puts one row of the feed into the cache."""
        columns = ", ".join(f'"{name}"' for name in COLUMNS[kind])
        marks = ", ".join("?" * (len(values) + 2))
        self.cache.db.conn.execute(
            f'INSERT OR REPLACE INTO "{kind}" ({columns}, bucket, row_hash) VALUES ({marks})',
            (*values, "p1", 0),
        )

    def put_holder(
        self,
        holder_id: int,
        name: str,
        *,
        family: int = 0,
        point: int = 1,
        status: str = "active",
        issue: int = 1,
    ) -> None:
        card = f"700000000{holder_id}"
        self.put("holder", holder_id, card, issue, name, "1980-05-03", "1234", "", family, point, status)

    def put_program(self, document: dict[str, Any]) -> None:
        self.put("program", document["id"], document["version"], json.dumps(document))

    def entitle(
        self, entitlement_id: int, subject: str, program_id: str, quantity: int, **changes: Any
    ) -> None:
        values = {"version": 1, "valid_from": "2025-01-01", "valid_until": None, "status": "active"} | changes
        self.put(
            "entitlement",
            entitlement_id,
            values["version"],
            subject,
            program_id,
            quantity,
            values["valid_from"],
            values["valid_until"],
            values["status"],
        )

    def grant(
        self, right: str = "h1/beras/2026-11", n: int = 1, quantity: int = 10_000, **changes: Any
    ) -> Grant:
        """A grant to this kiosk, good for a month on both sides of now unless told otherwise."""
        now = int(self.clock.now().timestamp())
        made = Grant(
            right=right,
            kiosk="IRM1",
            gen=1,
            epoch=(1, n),
            quantity_left=quantity,
            terms=(Term("beras", 1, 1, 1, quantity),),
            not_before=now - 30 * 86400,
            not_after=now + 30 * 86400,
            mode="strict",
            upto_seq=0,
        )
        return replace(made, **changes)

    def take_in(self, grant: Grant, *, acquired: bool = False) -> GrantOutcome:
        """What the sync process does with a grant: sign it as central, open it, take it in."""
        data = grants.make(grant, self.city.central, b"c-now")
        opened = grants.open_grant(data, self.home.keyset())
        acquired_ms = unix_ms(self.clock.now()) if acquired else 0
        return take_in(self.ledger, [(opened, data)], kiosk="IRM1", gen=1, acquired_ms=acquired_ms)[0]

    def set_online(self, online: bool) -> None:
        """What the sync process would leave word of."""
        now_ms = unix_ms(self.clock.now())
        sync_state.save(
            self.path,
            sync_state.SyncState(
                online=online,
                last_success_ms=now_ms,
                current_ms=now_ms,
                checked_mono_ms=self.clock.mono,
                central_ms=now_ms,
                central_mono_ms=self.clock.mono,
                boot_id=self.clock.boot,
            ),
        )

    def card(self, holder_id: int = 1, medium: Medium = Medium.NFC, issue: int = 1) -> CardRead:
        """A read of a holder's genuine card."""
        card_no = f"700000000{holder_id}"
        if medium is Medium.QR:
            return shown(to_qr(self.city.printed(card_no, issue)))
        return tapped(self.city.chip(card_no, issue, expires_at=int(START.timestamp()) + 400 * 86400))

    def sign_in(self, username: str = OFFICER) -> OfficerSession:
        return self.counter.sign_in(username, PIN)

    def confirm(
        self,
        session: OfficerSession,
        program_id: str = "beras",
        quantity: int = 10_000,
        holder_id: int = 1,
        **rest: Any,
    ) -> Any:
        visit = self.counter.read(self.card(holder_id), session)
        return self.counter.confirm(
            visit,
            program_id,
            quantity,
            rest.get("collector", Collector()),
            rest.get("checks", Checks()),
            session,
            rest.get("reason", ""),
        )

    def state(
        self, program_id: str = "beras", holder_id: int = 1, session: OfficerSession | None = None
    ) -> Any:
        """The state of one program, as a tap would show it."""
        visit = self.counter.read(self.card(holder_id), session)
        return next(row.state for row in visit.rows if row.program_id == program_id)
