"""What may happen next: drawn at random among what is possible now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from kiosk.ledger import LEDGER_FILE
from sync.central import importing
from sync.central.import_format import Entitlement, Holder, ImportDocument
from tests.sim.city import Due, entitlement, holder
from tests.sim.counter_work import Wish, serve, settle, take_back
from tests.sim.machine import Machine
from tests.sim.world import World

DEEPEST: Final = 2
"""How many things may happen within each other."""
MOST_MONTHS: Final = 2


@dataclass(frozen=True)
class _Kind:
    weight: float
    work: Callable[[], str]
    """Does it; answers what to say of it, or an empty text if it is not possible now."""
    nested: bool = False
    """May happen while a request is on its way, or between two steps of a visit."""


class Actions:
    """Draws and does actions on a world."""

    def __init__(self, world: World, rng: Random, say: Callable[[str], None]) -> None:
        self._world, self._rng, self._write = world, rng, say
        self._depth = 0
        self._number = 0
        self._months = 0
        self._dues = {due.id: due for due in world.scope.dues}
        self._versions = dict.fromkeys(self._dues, 1)
        self._points = dict(world.scope.homes)
        self._deaths = rng.choice((0.0, 0.1, 0.2))
        self._kinds = self._drawn_kinds()
        world.network.meanwhile = lambda machine: self._nested()
        world.frames.before_write = self._faster

    def say(self, what: str) -> None:
        """Adds a line to the list of actions."""
        self._write("  " * self._depth + what)

    def step(self) -> None:
        """One action at the top."""
        self._number += 1
        self._do(self._kinds)

    # -- inside --

    def _drawn_kinds(self) -> list[_Kind]:
        rng = self._rng
        kinds = [
            _Kind(30, self._serve, nested=True),
            _Kind(22, self._sync, nested=True),
            _Kind(6, self._take_back, nested=True),
            _Kind(4, self._settle, nested=True),
            _Kind(4, self._cut, nested=True),
            _Kind(4, self._mend, nested=True),
            _Kind(8, self._short_time, nested=True),
            _Kind(3, self._long_time),
            _Kind(1.5, self._next_month),
            _Kind(2, self._power_cut),
            _Kind(6, self._central),
            _Kind(5, self._late, nested=True),
            _Kind(3, self._replay, nested=True),
            _Kind(1, self._clock),
        ]
        if rng.random() < 0.3:
            kinds += [_Kind(4, self._image), _Kind(3, self._put_back), _Kind(1.5, self._clone)]
        if rng.random() < 0.3:
            kinds += [
                _Kind(1, self._lose_disk),
                _Kind(1, self._revoke),
                _Kind(2, self._replace),
            ]
        if rng.random() < 0.25:
            kinds += [_Kind(3, self._change_due), _Kind(1, self._move)]
        return kinds

    def _do(self, kinds: list[_Kind]) -> None:
        for _ in range(20):
            self._world.time.go_on(self._rng.uniform(0.2, 5))
            kind = self._rng.choices(kinds, [one.weight for one in kinds])[0]
            number = self._number
            if word := kind.work():
                self.say(f"{number:3d} {word}")
                return

    def _nested(self) -> None:
        if self._depth >= DEEPEST:
            return
        self._depth += 1
        try:
            self._do([kind for kind in self._kinds if kind.nested])
        finally:
            self._depth -= 1

    def _faster(self, path: Path) -> None:
        """Another process of the machine gets to the ledger first."""
        if path.name == LEDGER_FILE and self._depth < DEEPEST and self._rng.random() < 0.03:
            machine = self._world.machines.get(path.parent.name)
            if machine is None or machine.ticket or machine.busy("sync") or not machine.busy("screen"):
                return
            self._depth += 1
            self.say(f"in between: {self._synced(machine)}")
            self._world.note("raced")
            self._depth -= 1

    def _between(self, step: str) -> None:
        if step == "recalled" and self._depth < DEEPEST and self._rng.random() < 0.7:
            self._depth += 1
            others = [one for one in self._world.usable() if not one.busy()]
            for one in others[:2]:
                self.say(self._synced(one))
            self._depth -= 1
        elif self._rng.random() < 0.3:
            self._nested()

    def _machine(self, process: str = "", retired: bool = True) -> Machine | None:
        found = [
            one for one in self._world.usable() if not one.busy(process) and (retired or not one.retired)
        ]
        return self._rng.choice(found) if found else None

    def _death(self, most: int) -> int:
        return self._rng.randint(1, most) if self._rng.random() < self._deaths else 0

    def _serve(self) -> str:
        machine = self._machine("counter")
        if machine is None or machine.busy("screen") or machine.busy("rights"):
            return ""
        rng, scope = self._rng, self._world.scope
        due = rng.choice(list(self._dues.values()))
        quantity = rng.randint(1, due.quantity) if scope.program(due.program_id).partial else 0
        if rng.random() < 0.05:
            quantity = max(1, due.quantity // 2)
        deaths = {}
        for name, most in (("read", 2), ("ask", 1), ("answer", 4), ("confirm", 2), ("show", 2), ("leave", 3)):
            if (at := self._death(most)) and rng.random() < 0.3:
                deaths[name] = at
        if rng.random() < 0.1:
            deaths["late"] = 0
        wish = Wish(
            rng.choice(scope.collectors_of(due.subject)),
            due.program_id,
            quantity,
            leaves_early=rng.random() < 0.08,
            insists=rng.random() < 0.1,
            dies_at=deaths,
        )
        self.say(
            f"{self._number:3d} {machine} serves h{wish.holder_id} {wish.program_id} {wish.quantity or ''}…"
        )
        if rng.random() < 0.5 and not machine.busy("sync"):
            self.say(self._synced(machine))
        word = serve(self._world, machine, wish, self._between)
        return f"{machine} served h{wish.holder_id} {wish.program_id}: {word}"

    def _sync(self) -> str:
        machine = self._machine("sync")
        if machine is None:
            return ""
        self.say(f"{self._number:3d} {machine} syncs…")
        return self._synced(machine)

    def _synced(self, machine: Machine) -> str:
        outcome = self._world.sync(machine, self._death(14))
        report = outcome.value
        word = (
            outcome.code
            if report is None
            else (
                f"pushed {report.pushed}, grants {report.grants}, rows {report.rows}, "
                f"released {report.released}"
            )
        )
        return f"{machine} synced: {word}"

    def _take_back(self) -> str:
        machine = self._machine("counter")
        if machine is None or machine.busy("screen"):
            return ""
        standing = {one.hash for one in self._world.oracle.standing()}
        refs = [ref for ref, hashed, voided, _ in machine.pickups() if hashed in standing and not voided]
        if not refs:
            return ""
        ref = self._rng.choice(refs)
        goods = self._rng.choice(("never_left", "returned"))
        word = take_back(self._world, machine, ref, goods, self._death(2))
        return f"{machine} takes back {ref} ({goods}) {word}"

    def _settle(self) -> str:
        machine = self._machine("counter")
        if machine is None or machine.busy("screen"):
            return ""
        done = settle(self._world, machine, self._death(2))
        return f"{machine} settles {done}" if done else ""

    def _cut(self) -> str:
        machine = self._machine("nothing")
        if machine is None or machine.name in self._world.network.cut:
            return ""
        self._world.network.cut.add(machine.name)
        self._world.note("cut")
        return f"{machine} is cut off"

    def _mend(self) -> str:
        cut = sorted(self._world.network.cut)
        if not cut:
            return ""
        name = self._rng.choice(cut)
        self._world.network.cut.remove(name)
        return f"{name} is reached again"

    def _short_time(self) -> str:
        seconds = self._rng.choice((61, 90, 200) if self._depth == 0 else (5, 30))
        self._world.time.go_on(seconds)
        return f"{seconds} s pass"

    def _long_time(self) -> str:
        seconds = self._rng.choice((700, 3600, 20_000, 90_000))
        self._world.time.go_on(seconds)
        return f"{seconds} s pass"

    def _next_month(self) -> str:
        if self._months >= MOST_MONTHS:
            return ""
        self._months += 1
        self._world.time.to_month_start()
        self._world.note("rollover")
        if self._world.network.cut:
            self._world.note("rollover_offline")
        return "the first of the next month"

    def _power_cut(self) -> str:
        machine = self._machine()
        if machine is None:
            return ""
        self._world.power_cut(machine)
        return f"{machine} loses power"

    def _central(self) -> str:
        if self._world.host.up and self._rng.random() < 0.8:
            return ""
        self._world.host.restart()
        return "central starts anew"

    def _late(self) -> str:
        late = self._world.network.late
        if not late:
            return ""
        said = f"{late[0].method} {late[0].target[:20]} of {late[0].sender}"
        return f"late arrives {said}: {self._world.network.deliver_late()}"

    def _replay(self) -> str:
        machine = self._machine("sync")
        if machine is None:
            return ""
        by_machine = self._world.network.grants
        name = machine.name if self._rng.random() < 0.7 else self._rng.choice(sorted(self._world.machines))
        grants = by_machine.get(name, [])
        if not grants:
            return ""
        at = self._rng.randrange(len(grants))
        self._world.replay(machine, grants[at])
        return f"{machine} gets grant {at} of {name} once more"

    def _clock(self) -> str:
        machine = self._machine("nothing")
        if machine is None:
            return ""
        machine.clock.offset_s = self._rng.choice((0, -120, 120, 280, -1000, 4000))
        self._world.note("clock_off")
        return f"{machine}'s clock stands {machine.clock.offset_s} s off"

    def _image(self) -> str:
        machine = self._machine()
        if machine is None:
            return ""
        self._world.take_image(machine)
        return f"{machine}: image of the disk"

    def _put_back(self) -> str:
        found = [one for one in self._world.usable() if one.name in self._world.images and not one.busy()]
        if not found:
            return ""
        machine = self._rng.choice(found)
        self._world.put_back(machine)
        return f"{machine}: the old image comes back"

    def _clone(self) -> str:
        machine = self._machine()
        if machine is None or len(self._world.machines) > 4:
            return ""
        return f"{machine} is cloned as {self._world.clone(machine)}"

    def _lose_disk(self) -> str:
        machine = self._machine()
        if machine is None:
            return ""
        self._world.lose_disk(machine)
        return f"{machine} loses its disk"

    def _revoke(self) -> str:
        kiosk = self._rng.choice(self._world.scope.kiosks)
        if self._world.tally["revoked"] or self._depth:
            return ""
        self._world.revoke(kiosk)
        return f"central revokes {kiosk}"

    def _replace(self) -> str:
        waiting = [one for one in self._world.machines.values() if one.ticket and not one.retired]
        if waiting:
            machine = waiting[0]
        else:
            kiosk = self._rng.choice(self._world.scope.kiosks)
            newest = self._world.machine_of(kiosk)
            well = not newest.lost and not newest.frozen()
            if (well and self._rng.random() < 0.8) or len(self._world.machines) > 5:
                return ""
            machine = self._world.replace_machine(kiosk)
        done = self._world.enrol(machine, self._death(8))
        return f"{machine} enrols: {done}"

    def _change_due(self) -> str:
        due = self._rng.choice(list(self._dues.values()))
        quantity = self._rng.randint(1, 14)
        self._versions[due.id] += 1
        changed = Due(due.id, due.subject, due.program_id, quantity)
        self._import(entitlements=(entitlement(changed, self._versions[due.id]),))
        self._dues[due.id] = changed
        self._world.oracle.change_due(due.id, quantity)
        self._world.note("due_changed")
        return f"{due.subject} is due {quantity} of {due.program_id}"

    def _move(self) -> str:
        number = self._rng.choice(list(self._points))
        self._points[number] = 3 - self._points[number]
        self._import(holders=(holder(number, self._points[number]),))
        self._world.note("moved")
        return f"h{number} moves to point {self._points[number]}"

    def _import(self, entitlements: tuple[Entitlement, ...] = (), holders: tuple[Holder, ...] = ()) -> None:
        document = self._world.scope.document()
        empty = ImportDocument(mode=document.mode, source=document.source, issued=document.issued)
        changed = empty.model_copy(update={"entitlements": entitlements, "holders": holders})
        importing.apply(self._world.host.central, changed)
