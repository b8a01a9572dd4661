"""A counter with a script instead of databases: people, states, faults and waits as a test sets them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Literal

from kiosk.adopting import OldCard
from kiosk.errors import CardFault, KioskError, OfficerFault
from kiosk.values import (
    CardRead,
    Checks,
    Collector,
    Grade,
    KioskStatus,
    Medium,
    Mode,
    OfficerSession,
    Person,
    Pickup,
    ProgramState,
    StateCode,
    Text,
    Visit,
    VisitRow,
)

BERAS = Text("beras", "rice")
ONCE = Text("1 kali", "1 time")
TIMES = Text("kali", "time|times")
SERVICE = Text("layanan", "service")


def row(
    program_id: str,
    name: Text,
    state: ProgramState,
    *,
    quantity: int = 1,
    quantity_text: Text = ONCE,
    benefit: Text = SERVICE,
    agency: str = "Dinas Sosial",
    counter: str = "Loket 2",
    unit: str = "time",
    display: Text = TIMES,
    **more: Any,
) -> VisitRow:
    """One program of a visit."""
    return VisitRow(
        program_id, 1, name, agency, state, f"h12/{program_id}/2026-11", quantity, quantity_text, benefit,
        counter=counter, unit=unit, display=display, **more,
    )  # fmt: skip


READY = ProgramState(StateCode.READY)
RICE = row(
    "beras-bulanan", Text("Beras bulanan", "Monthly rice"), READY, quantity=10_000,
    quantity_text=Text("10 kg", "10 kg"), benefit=BERAS, unit="g",
    per_display=1000, display=Text("kg", "kg"),
)  # fmt: skip
TAKEN = row(
    "seragam", Text("Seragam sekolah", "School uniform"),
    ProgramState(StateCode.TAKEN, date="2026-05-03", place="Kelurahan Iringmulyo", by="IRM1-0398"),
    quantity_text=Text("1 setel", "1 set"), benefit=Text("seragam", "uniform"), unit="set",
    display=Text("setel", "set|sets"),
)  # fmt: skip
NOT_YET = row(
    "buku", Text("Buku pelajaran", "School books"), ProgramState(StateCode.NOT_YET, date="2027-07-01")
)
DOCUMENT = row(
    "transpor", Text("Uang transpor sekolah", "School transport money"),
    ProgramState(StateCode.NEEDS_DOCUMENT, documents=("ktp", "kk")), quantity=200_000,
    quantity_text=Text("Rp 200.000", "Rp 200.000"), benefit=Text("uang transpor", "transport money"),
    unit="IDR", display=Text("rupiah", "rupiah"),
    documents=("ktp", "kk"), collectors=("holder", "guardian", "representative"),
)  # fmt: skip
ELSEWHERE = row(
    "pupuk", Text("Pupuk dan benih musim tanam", "Fertiliser and seed"),
    ProgramState(StateCode.HELD_ELSEWHERE, place="Kelurahan Hadimulyo Barat"),
)  # fmt: skip
NETWORK = row("lansia", Text("Bantuan lansia", "Elderly aid"), ProgramState(StateCode.NEEDS_NETWORK))
ENDED = row(
    "pangan", Text("Paket pangan Ramadan", "Ramadan food parcel"),
    ProgramState(StateCode.ENDED, date="2026-06-30"),
)  # fmt: skip
GRADE = row(
    "kia", Text("Layanan Kartu Identitas Anak", "Child identity card service"),
    ProgramState(StateCode.GRADE_TOO_LOW), officer_check_lifts=True,
)  # fmt: skip
DOUBT = row(
    "cek", Text("Periksa kesehatan gratis", "Free health check"), ProgramState(StateCode.DATE_IN_DOUBT)
)
CHECKING = row(
    "gizi", Text("Makanan tambahan balita", "Supplementary food for toddlers"),
    ProgramState(StateCode.CHECKING), quantity=4, quantity_text=Text("4 kotak", "4 boxes"),
    benefit=Text("makanan tambahan", "supplementary food"), unit="box", display=Text("kotak", "box|boxes"),
)  # fmt: skip
BLOCKED = row("tani", Text("Bantuan alat tani", "Farm tools"), ProgramState(StateCode.BLOCKED))
SENSITIVE = row(
    "konseling", Text("Konseling anak RAHASIA", "Child counselling SECRET"), READY, sensitive=True
)
PARTIAL = row(
    "minyak", Text("Minyak goreng", "Cooking oil"), READY, quantity=6_000,
    quantity_text=Text("6 liter", "6 litres"), benefit=Text("minyak goreng", "cooking oil"),
    unit="ml", per_display=1000, display=Text("liter", "litre|litres"), partial=True,
)  # fmt: skip

ONE_READY = (RICE, TAKEN, NOT_YET)
FOURTEEN = (
    TAKEN, RICE, DOCUMENT, NOT_YET, ELSEWHERE, NETWORK, ENDED, GRADE, DOUBT, CHECKING, BLOCKED, PARTIAL,
    row("gigi", Text("Periksa gigi anak sekolah", "School dental check"), READY),
    row("bibit", Text("Bibit cabai pekarangan", "Chilli seedlings"), READY),
)  # fmt: skip


def visit(rows: Sequence[VisitRow] = ONE_READY, **more: Any) -> Visit:
    """A visit of SITI RAHAYU by a tapped card."""
    base = Visit(
        visit_id="v1",
        holder_id=12,
        card_no="1000234",
        issue_no=1,
        medium=Medium.NFC,
        grade=Grade.P1,
        public_name="SITI R•••••",
        full_name="SITI RAHAYU",
        nik_last4="4711",
        birth_date="1988-04-12",
        rows=tuple(rows),
        guardians=(Person(31, "RATNA DEWI", "mother"),),
        data_as_of="2026-11-23T08:10:00+07:00",
    )
    return replace(base, **more)


def nobody_yet() -> Visit:
    """A card of another point, before central has said whose it is."""
    return visit(
        (), holder_id=0, public_name="", full_name="", nik_last4="", birth_date="", guardians=(), asking=True
    )


def pickup(number: int, program: Text, quantity: Text, holder: str, **more: Any) -> Pickup:
    """An entry of today's list."""
    values: dict[str, Any] = {
        "ref": f"IRM1-{number:04d}",
        "program_id": "beras-bulanan",
        "program_name": program,
        "holder_name": holder,
        "quantity": 10_000,
        "quantity_text": quantity,
        "officer": "dewi",
        "at": f"2026-11-23T08:{number % 60:02d}:00",
        "synced": True,
    }
    return Pickup(**(values | more))


TODAY = (
    pickup(420, RICE.name, RICE.quantity_text, "BUDI SANTOSO", synced=False),
    pickup(419, DOCUMENT.name, DOCUMENT.quantity_text, "AGUS PRATAMA", officer="rini"),
    pickup(418, RICE.name, RICE.quantity_text, "SRI WAHYUNI", voided=True),
    pickup(417, RICE.name, RICE.quantity_text, "WAYAN SUDARMA"),
    pickup(416, PARTIAL.name, PARTIAL.quantity_text, "NUR AINI"),
    pickup(415, RICE.name, RICE.quantity_text, "JOKO SUSILO"),
)

STATUS = KioskStatus(
    kiosk="IRM1",
    point="Kelurahan Iringmulyo",
    counter="Loket 2",
    mode=Mode.PRODUCTION,
    online=True,
    waiting=0,
    data_as_of="2026-11-23T08:10:00+07:00",
)


@dataclass
class ScriptedCounter:
    """Answers as scripted, notes every call and the thread it came from."""

    visits: dict[bytes, Visit | KioskError] = field(default_factory=dict)
    """By the payload of the read; a fault is raised."""
    kiosk_status: KioskStatus = STATUS
    pickups: list[Pickup] = field(default_factory=lambda: list(TODAY))
    asked_about: list[Pickup] = field(default_factory=list)
    after_acquire: tuple[VisitRow, ...] | None = None
    """Rows a refresh answers once the rights have come."""
    failures: dict[str, KioskError | Exception] = field(default_factory=dict)
    """By the name of the call; raised once."""
    holds: dict[str, threading.Event] = field(default_factory=dict)
    """By the name of the call; it waits until the event is set."""
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    acquired: list[Future[Any]] = field(default_factory=list)
    looked_up: list[Future[Any]] = field(default_factory=list)
    after_lookup: Visit | None = None
    """What a refresh answers once central has said whose card it is."""
    badges: dict[bytes, str] = field(default_factory=dict)
    """User names by the payload of a badge's read."""
    next_number: int = 421
    _numbers: int = 0
    _taken: dict[str, str] = field(default_factory=dict)

    def _called(self, name: str, *args: Any) -> None:
        self.threads.add(threading.get_ident())
        self.calls.append((name, *args))
        hold = self.holds.get(name)
        if hold is not None and not hold.wait(10):
            raise TimeoutError(name)
        failure = self.failures.pop(name, None)
        if failure is not None:
            raise failure

    def named(self, name: str) -> list[tuple[Any, ...]]:
        """The calls of that name so far."""
        return [call for call in list(self.calls) if call[0] == name]

    def _fresh(self, visit: Visit) -> Visit:
        self._numbers += 1
        return replace(visit, visit_id=f"v{self._numbers}")

    def prepare(self) -> None:
        self._called("prepare")

    def read(self, read: CardRead, session: OfficerSession | None = None) -> Visit:
        self._called("read", read, session)
        found = self.visits.get(read.payload, CardFault("card_unknown_holder"))
        if isinstance(found, KioskError):
            raise found
        return self._fresh(found)

    def look_up(self, visit: Visit) -> Sequence[Future[Any]]:
        self._called("look_up", visit)
        self.looked_up = [Future()]
        return self.looked_up

    def assert_clock(self, day: date, session: OfficerSession) -> str:
        self._called("assert_clock", day)
        self.kiosk_status = replace(self.kiosk_status, warnings=())
        return f"{day.isoformat()}T08:24:00"

    def read_typed(self, card_no: str, session: OfficerSession, reason: str) -> Visit:
        self._called("read_typed", card_no, reason)
        for found in self.visits.values():
            if isinstance(found, Visit) and found.card_no == card_no:
                return self._fresh(replace(found, medium=Medium.TYPED, grade=Grade.TYPED))
        raise CardFault("card_unknown_holder")

    def refresh(self, visit: Visit, session: OfficerSession | None, checks: Checks = Checks()) -> Visit:  # noqa: B008
        self._called("refresh", visit, checks)
        if not visit.holder_id:
            if self.after_lookup is None:
                raise CardFault("card_from_elsewhere")
            return replace(self.after_lookup, visit_id=visit.visit_id)
        rows = visit.rows
        if self.after_acquire is not None and self.acquired and all(f.done() for f in self.acquired):
            rows = self.after_acquire
        out = []
        for one in rows:
            state = one.state
            if one.program_id in self._taken:
                state = ProgramState(
                    StateCode.TAKEN, "2026-11-23", "Kelurahan Iringmulyo", by=self._taken[one.program_id]
                )
            elif state.code is StateCode.NEEDS_DOCUMENT and set(one.documents) <= set(checks.documents):
                state = READY
            out.append(replace(one, state=state))
        return replace(visit, rows=tuple(out), documents_seen=checks.documents)

    def acquire(self, visit: Visit, session: OfficerSession) -> Sequence[Future[Any]]:
        self._called("acquire", visit)
        self.acquired = [Future()]
        return self.acquired

    def leave(self, visit: Visit) -> None:
        self._called("leave", visit)

    def badge_owner(self, read: CardRead) -> str:
        self._called("badge_owner", read)
        if read.payload not in self.badges:
            raise OfficerFault("not_a_badge")
        return self.badges[read.payload]

    def adopt(self, card: OldCard, card_no: str, session: OfficerSession, *, identity_checked: bool) -> int:
        self._called("adopt", card, card_no, identity_checked)
        for found in list(self.visits.values()):
            if isinstance(found, Visit) and found.card_no == card_no:
                self.visits[b""] = replace(found, grade=Grade.LEGACY)
                return found.holder_id
        raise OfficerFault("unknown_holder")

    def sign_in(self, username: str, pin: str, badge: CardRead | None = None) -> OfficerSession:
        self._called("sign_in", username, *([badge] if badge else []))
        if pin != "2468":
            raise OfficerFault("wrong_pin", wait_s=4)
        role = "supervisor" if username == "rini" else "officer"
        return OfficerSession(username, "Dewi Lestari", role, "2026-11-23T07:55:00")

    def sign_out(self, session: OfficerSession) -> None:
        self._called("sign_out", session)

    def confirm(
        self,
        visit: Visit,
        program_id: str,
        quantity: int,
        collector: Collector,
        checks: Checks,
        session: OfficerSession,
        reason: str = "",
    ) -> Pickup:
        self._called("confirm", program_id, quantity, collector, checks, reason)
        one = next(r for r in visit.rows if r.program_id == program_id)
        done = pickup(
            self.next_number, one.name, one.quantity_text, visit.full_name, synced=False, shown=False,
            officer=session.username,
        )  # fmt: skip
        self.next_number += 1
        self._taken[program_id] = done.ref
        self.pickups.insert(0, done)
        return done

    def mark_shown(self, ref: str) -> None:
        self._called("mark_shown", ref)

    def void(
        self, ref: str, goods: Literal["never_left", "returned"], reason: str, session: OfficerSession
    ) -> Pickup:
        self._called("void", ref, goods, reason)
        for n, one in enumerate(self.pickups):
            if one.ref == ref:
                self.pickups[n] = replace(one, voided=True)
                return self.pickups[n]
        raise OfficerFault("unknown_ref")

    def unshown(self) -> Sequence[Pickup]:
        self._called("unshown")
        return list(self.asked_about)

    def answer_unshown(self, ref: str, handed_over: bool, session: OfficerSession) -> None:
        self._called("answer_unshown", ref, handed_over)
        self.asked_about = [one for one in self.asked_about if one.ref != ref]

    def today(self, session: OfficerSession) -> Sequence[Pickup]:
        self._called("today")
        return list(self.pickups)

    def status(self) -> KioskStatus:
        self._called("status")
        return self.kiosk_status

    def reveal(self, visit: Visit, what: Literal["nik", "birth"], session: OfficerSession) -> str:
        self._called("reveal", what)
        return visit.birth_date


def tap(payload: bytes = b"siti", medium: Medium = Medium.NFC) -> CardRead:
    """A read with that payload."""
    return CardRead(medium, payload, uid=b"\x04\x01\x02\x03\x04\x05\x06", chip="NTAG215")


def counter_with(rows: Sequence[VisitRow] = ONE_READY, **more: Any) -> ScriptedCounter:
    """A counter that knows SITI (``tap()``) with these programs."""
    return ScriptedCounter(visits={b"siti": visit(rows, **more)})


class ManualSchedule:
    """Time that moves only when a test says so."""

    def __init__(self) -> None:
        self._now_s = 1000.0
        self._alarms: list[_ManualAlarm] = []

    def now_s(self) -> float:
        return self._now_s

    def after(self, delay_s: float, action: Callable[[], None]) -> _ManualAlarm:
        alarm = _ManualAlarm(self._now_s + delay_s, action)
        self._alarms.append(alarm)
        return alarm

    def advance(self, seconds: float) -> None:
        """Let that much time pass, alarms ringing in their order."""
        end = self._now_s + seconds
        while True:
            due = [a for a in self._alarms if not a.cancelled and a.at_s <= end + 1e-9]
            if not due:
                break
            alarm = min(due, key=lambda a: a.at_s)
            self._alarms.remove(alarm)
            self._now_s = max(self._now_s, alarm.at_s)
            alarm.action()
        self._alarms = [a for a in self._alarms if not a.cancelled]
        self._now_s = end


@dataclass
class _ManualAlarm:
    at_s: float
    action: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True
