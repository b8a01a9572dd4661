"""The simulated city: one central, some machines, and the way between them."""

from __future__ import annotations

from collections import Counter as Tally
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from kiosk.errors import KioskError
from kiosk.values import CardRead
from sync.central import kiosk_rows
from sync.engine import SyncReport
from sync.wire import PollAnswer
from tests.sim import invariants
from tests.sim.books import Books, read_books
from tests.sim.central_host import page_size, without_threads, words_for_signatures
from tests.sim.city import scope
from tests.sim.clocks import START, MachineClock
from tests.sim.crashes import crash_points
from tests.sim.machine import BoardCounter, Machine, Outcome, copy_disk
from tests.sim.network import Network
from tests.sim.oracle import Broken, Oracle
from tests.sim.template import Templates, point_of

OURS: Final = (
    "database_locked",
    "database_fault",
    "database_damaged",
    "database_missing",
    "journal_damaged",
    "ledger_foreign",
    "keys_foreign",
    "answer_not_understood",
    "answer_refused",
    "feed_malformed",
    "feed_checksum",
    "body_invalid",
    "journal_gap",
    "journal_not_taken",
    "text_malformed",
    "central_error",
)
"""Faults that no trouble of the simulator accounts for."""


class World:
    """Everything there is. To be used as a context, one at a time."""

    def __init__(
        self,
        templates: Templates,
        scope_name: str,
        folder: Path,
        *,
        rows_per_page: int = 5000,
        signed: bool = True,
        boards: bool = False,
    ) -> None:
        """``boards``: each machine has a rollback counter."""
        source = templates.folder(scope_name)
        self.folder = folder
        self.scope = scope(scope_name)
        self.host = templates.host
        self.host.load(source / "central.db")
        self.host.stops = 0
        self.time = self.host.time
        self.time.now = START + 600
        self.frames = self.host.frames
        self.frames.clear()
        self.oracle = Oracle(self.scope)
        self.network = Network(self.host)
        self.network.grants = {name: list(seen) for name, seen in templates.grants[scope_name].items()}
        self.machines: dict[str, Machine] = {}
        self.images: dict[str, Path] = {}
        """A disk image of some machines, by name."""
        self.tally: Tally[str] = Tally()
        self.dues = {due.id: due for due in self.scope.dues}
        """What agencies say now, by entitlement; the oracle has its own table."""
        self.versions = dict.fromkeys(self.dues, 1)
        self.points = dict(self.scope.homes)
        self._writes_checked = self.host.writes
        self.gone: set[bytes] = set()
        """Hashes of records in ledgers that were lost or put back: they may never reach central."""
        self.cards: dict[int, CardRead] = {one: templates.card(one) for one, _ in self.scope.homes}
        self._stack = ExitStack()
        self._rows_per_page, self._signed, self._boards = rows_per_page, signed, boards
        self.void_requests: dict[tuple[str, str], bytes] = {}
        """Pickups that central asked a kiosk to void, by kiosk and reference; and the hash of each."""
        self.staff = templates.staff
        for kiosk in self.scope.kiosks:
            machine = self.new_machine(kiosk, kiosk.lower())
            copy_disk(source / kiosk, machine.path)

    def __enter__(self) -> World:
        enter = self._stack.enter_context
        enter(without_threads())
        enter(page_size(self._rows_per_page))
        if not self._signed:
            enter(words_for_signatures())
        enter(self.network.installed())
        enter(crash_points(self.frames))
        return self

    def __exit__(self, *_: object) -> None:
        for machine in self.machines.values():
            machine.stop()
        self._stack.close()

    def new_machine(self, kiosk: str, name: str) -> Machine:
        """A machine without anything on its disk."""
        clock = MachineClock(self.time)
        machine = Machine(name, kiosk, point_of(kiosk), self.folder / name, clock, self.frames)
        machine.board = BoardCounter() if self._boards else None
        self.machines[name] = machine
        return machine

    def machine_of(self, kiosk: str) -> Machine:
        """The newest machine that stands for a kiosk."""
        return [one for one in self.machines.values() if one.kiosk == kiosk and not one.copy_of][-1]

    def usable(self) -> list[Machine]:
        """The machines with a disk that was enrolled, in the order in which they came."""
        return [one for one in self.machines.values() if one.can_open()]

    def waiting_to_enrol(self) -> list[Machine]:
        """Machines with a ticket that they did not use yet."""
        return [one for one in self.machines.values() if one.ticket and not one.retired]

    def books(self) -> Books:
        """Central's books as of now."""
        return read_books(self.host.file)

    def check_books(self) -> None:
        """I4, I5 and I6, whatever is still under way; reads central's books only if they have changed."""
        if self.host.writes != self._writes_checked:
            self._writes_checked = self.host.writes
            books = self.books()
            invariants.books_are_right(books, self.oracle)
            invariants.overspends_are_reported(books, self.oracle)

    def note(self, what: str) -> None:
        """Counts something that happened."""
        self.tally[what] += 1

    def judge(self, fault: KioskError | None) -> None:
        """Raises Broken for a fault that nothing here accounts for."""
        if fault is not None and fault.code in OURS:
            raise Broken("faults", f"{fault.code}: {fault.message}")

    # -- sync --

    def sync(self, machine: Machine, countdown: int = 0) -> Outcome[SyncReport]:
        """One round of a machine with central, and what must hold after it."""
        assert not machine.busy("sync"), "one sync process on each machine"
        gen = machine.gen
        identity = (machine.kiosk, gen)
        known = self.books().of(*identity) if identity in self.oracle.copied else {}
        before = machine.ledger.acked(gen)
        self.network.troubled = False
        outcome = machine.attempt("sync", machine.engine.sync_now, countdown)
        self.judge(outcome.fault)
        self.notice_voids()
        if outcome.value is not None:
            self.note("synced")
            if outcome.value.released:
                self.note("released")
        if machine.ledger.acked(gen) > before:
            self.note("acknowledged")
        refused = outcome.fault is not None and not self.network.troubled and outcome.code != "clock"
        reached = outcome.value is not None or refused
        if reached and known:
            invariants.is_fenced(machine, known)
        if machine.ledger.meta("incarnation") == str(self.host.central.incarnation):
            invariants.acknowledged_is_present(self.host.file, machine)
        return outcome

    # -- technicians and troubles --

    def power_cut(self, machine: Machine) -> None:
        """All processes of a machine die, and it boots again."""
        machine.stop()
        machine.clock.boot()
        self.note("power_cut")

    def take_image(self, machine: Machine) -> None:
        """Keeps an image of a machine's disk."""
        image = self.folder / f"{machine.name}-image-{self.tally['image']}"
        copy_disk(machine.path, image)
        self.images[machine.name] = image
        self.note("image")

    def put_back(self, machine: Machine, *, boots: bool = True) -> None:
        """The image comes back: the ledger is as it was then. Raises Broken I8 if the board's counter tells
        and nobody listens."""
        self._note_gone(machine)
        machine.put_back(self.images[machine.name])
        identity = (machine.kiosk, machine.gen)
        self.oracle.copied.add(identity)
        if boots:
            machine.clock.boot()
        self.note("rolled_back")
        if machine.is_older_than_board():
            self.note("rolled_back_told_by_board")
            _ = machine.screen  # its process starts, and looks
            if not machine.frozen():
                raise Broken("I8", f"{machine} has an old ledger, and its board's counter says so")
        else:
            self.oracle.excused.add(identity)

    def clone(self, machine: Machine) -> Machine:
        """Somebody runs a copy of a machine's disk elsewhere."""
        count = sum(one.kiosk == machine.kiosk for one in self.machines.values())
        copy = self.new_machine(machine.kiosk, f"{machine.kiosk.lower()}-copy{count}")
        copy.copy_of = machine.name
        copy_disk(machine.path, copy.path)
        self.oracle.copied.add((machine.kiosk, machine.gen))
        self.oracle.excused.add((machine.kiosk, machine.gen))
        self.note("cloned")
        return copy

    def lose_disk(self, machine: Machine) -> None:
        """A machine's disk is gone for good."""
        self._note_gone(machine)
        machine.lose()
        self.note("disk_lost")

    def replace_machine(self, kiosk: str) -> Machine:
        """A new machine for a kiosk, not enrolled yet; the one before keeps what it has, if it has a disk."""
        for one in self.machines.values():
            if one.kiosk == kiosk:
                one.retired = True
        count = sum(one.kiosk == kiosk for one in self.machines.values())
        machine = self.new_machine(kiosk, f"{kiosk.lower()}-new{count}")
        machine.ticket = kiosk_rows.new_ticket(self.host.central, kiosk)
        return machine

    def enrol(self, machine: Machine, countdown: int = 0) -> bool:
        """Enrols a machine with its ticket; True once it is enrolled. May be tried again."""
        outcome = machine.attempt("sync", machine.enrol, countdown)
        self.judge(outcome.fault)
        if outcome.code:
            return False
        machine.ticket = ""
        self.note("enrolled_again")
        return True

    def revoke(self, kiosk: str) -> None:
        """Central revokes a kiosk."""
        kiosk_rows.revoke(self.host.central, kiosk)
        self.note("revoked")

    def notice_voids(self) -> None:
        """Goods came back before central asked for the void: they count from the kiosk's own record on."""
        for (kiosk, ref), hashed in list(self.void_requests.items()):
            for machine in self.usable():
                found = machine.pickup(ref) if machine.kiosk == kiosk else None
                if found is not None and found[0] == hashed and found[2]:
                    del self.void_requests[kiosk, ref]
                    self.oracle.bring_back(hashed)
                    self.note("void_asked_by_central")
                    break

    def replay(self, machine: Machine, grant: bytes) -> None:
        """A grant that was made before comes once more, out of order. Raises Broken if it has an effect."""
        engine = machine.engine
        before = invariants.epochs(machine)
        rev = int(engine.ledger.meta("grant_rev", "0"))
        answer = PollAnswer(
            changes_waiting=False, grants=[grant], grant_rev=rev, time_ms=0, incarnation=1, acked_seq=0
        )
        acked = engine.ledger.acked(engine.identity.gen)
        outcome = machine.attempt("sync", lambda: engine._take_grants(answer, acked))
        self.judge(outcome.fault)
        invariants.epochs_only_rise(machine, before)
        self.note("replayed")

    def _note_gone(self, machine: Machine) -> None:
        self.gone |= {hashed for _, hashed in machine.records().values()}
