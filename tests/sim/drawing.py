"""Draws what happens next, from one generator of random numbers and from how things stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.sim.machine import Machine
from tests.sim.steps import Step
from tests.sim.stories import Stories
from tests.sim.verbs import standing_refs
from tests.sim.world import World

MOST_MONTHS: Final = 2
MOST_RESTORES: Final = 2
TROUBLES: Final = (
    "request_lost",
    "reply_lost",
    "doubled",
    "late",
    "meanwhile",
    "meanwhile_reply",
    "central_dies",
)
CALM: Final = (0.0, 0.0, 0.0, 0.0, 0.08, 0.08, 0.0)
USUAL: Final = (0.03, 0.08, 0.04, 0.05, 0.07, 0.07, 0.02)
ROUGH: Final = (0.1, 0.2, 0.1, 0.1, 0.1, 0.1, 0.05)
"""How likely each trouble is, for one exchange."""
_DIES: Final = (("read", 2), ("ask", 1), ("answer", 4), ("confirm", 2), ("show", 2), ("leave", 3))
"""Parts of a visit, and how many points of each a process may die at."""


@dataclass(frozen=True)
class _Kind:
    weight: float
    draw: Callable[[], list[Step]]
    """Answers no step if it is not possible now."""
    nested: bool = False
    """May happen while a request is on its way, or between two steps of a visit."""


class Drawing:
    """What chance does, for one run."""

    def __init__(self, world: World, rng: Random) -> None:
        self._world, self._rng = world, rng
        self._odds = rng.choices((CALM, USUAL, ROUGH), (2, 6, 2))[0]
        self._deaths = rng.choice((0.0, 0.1, 0.2))
        self._months = 0
        self._stories = Stories(world, rng, self._visit)
        self._kinds = self._usual() + self._unusual()
        self._nested = [kind for kind in self._kinds if kind.nested]

    def top(self) -> list[Step]:
        """What is done next."""
        return self._one_of(self._kinds)

    def meanwhile(self, done: str) -> list[Step]:
        """What happens at a pause, after ``done``."""
        if done == "recalled" and self._rng.random() < 0.7:
            others = [one for one in self._world.usable() if not one.busy()]
            return [self._sync_of(one) for one in others[:2]]
        if done != "sent" and self._rng.random() >= 0.2:
            return []
        return self._one_of(self._nested)

    def faster(self, machine: str) -> list[Step]:
        """The sync process may get to the ledger first."""
        return [Step("sync", machine)] if self._rng.random() < 0.03 else []

    def fate(self) -> str:
        """What becomes of an exchange."""
        at = self._rng.random()
        for name, share in zip(TROUBLES, self._odds, strict=True):
            if at < share:
                return f"{name}:{self._rng.randint(1, 6)}" if name == "central_dies" else name
            at -= share
        return "ok"

    def _one_of(self, kinds: list[_Kind]) -> list[Step]:
        weights = [kind.weight for kind in kinds]
        for _ in range(20):
            if steps := self._rng.choices(kinds, weights)[0].draw():
                if self._rng.random() < 0.3:
                    steps[0].args["after"] = str(self._rng.choice((3, 6)))
                return steps
        return []

    def _usual(self) -> list[_Kind]:
        return [
            _Kind(26, self._serve, nested=True),
            _Kind(4, self._stories.errand),
            _Kind(2, self._stories.rivals),
            _Kind(2, self._stories.race),
            _Kind(1.5, self._stories.idle),
            _Kind(4, self._stories.changed_mind),
            _Kind(2, self._stories.old_grants),
            _Kind(20, self._sync, nested=True),
            _Kind(6, self._take_back, nested=True),
            _Kind(4, self._settle, nested=True),
            _Kind(4, self._cut, nested=True),
            _Kind(4, self._mend, nested=True),
            _Kind(4, self._short_time),
            _Kind(2, self._long_time),
            _Kind(1.5, self._month),
            _Kind(2, self._power),
            _Kind(6, self._central),
            _Kind(5, self._late, nested=True),
            _Kind(3, self._replay, nested=True),
            _Kind(1, self._clock),
            _Kind(0.6, self._at_rest("keyroll", "counter", "screen"), nested=True),
            _Kind(0.6, self._at_rest("tidy", "sync"), nested=True),
        ]

    def _unusual(self) -> list[_Kind]:
        kinds: list[_Kind] = []
        if self._rng.random() < 0.3:
            kinds += [_Kind(4, self._image), _Kind(3, self._put_back), _Kind(1.5, self._clone)]
            kinds += [_Kind(4, self._stories.old_disk), _Kind(2, self._stories.twins)]
        if self._rng.random() < 0.3:
            kinds += [_Kind(1.5, self._lose_disk), _Kind(1, self._revoke), _Kind(3, self._enrol)]
            kinds += [_Kind(4, self._stories.replaced), _Kind(2, self._write_off)]
            kinds += [_Kind(1, self._at_rest("retire", "counter", "screen"))]
        if self._rng.random() < 0.3:
            kinds += [_Kind(3, self._due), _Kind(1, self._move), _Kind(4, self._ask_void)]
            kinds += [_Kind(4, self._stories.more_is_due)]
        if self._rng.random() < 0.25:
            kinds += [_Kind(4, lambda: [Step("backup")]), _Kind(4, self._restore)]
            kinds += [_Kind(5, self._stories.lost_memory), _Kind(4, self._stories.forgotten)]
        if self._rng.random() < 0.1:
            kinds += [_Kind(3, self._far_clock), _Kind(4, self._at_rest("confirmdate", "counter", "screen"))]
        return kinds

    # -- at a counter --

    def _serve(self) -> list[Step]:
        machine = self._machine("counter", "screen", "rights")
        return [self._visit(machine)] if machine is not None else []

    def _visit(self, machine: Machine) -> Step:
        rng, scope = self._rng, self._world.scope
        due = rng.choice(list(self._world.dues.values()))
        step = Step("serve", machine.name)
        step.args["holder"] = str(rng.choice(scope.collectors_of(due.subject)))
        step.args["program"] = due.program_id
        if scope.program(due.program_id).partial:
            step.args["quantity"] = str(rng.randint(1, due.quantity))
        elif rng.random() < 0.05:
            step.args["quantity"] = str(max(1, due.quantity // 2))
        for name, share in (("leaves", 0.08), ("insists", 0.1), ("slow", 0.1)):
            if rng.random() < share:
                step.args[name] = ""
        for name, most in _DIES:
            if rng.random() < self._deaths * 0.3:
                step.args[f"dies.{name}"] = str(rng.randint(1, most))
        return step

    def _take_back(self) -> list[Step]:
        machine = self._machine("counter", "screen")
        refs = standing_refs(self._world, machine) if machine is not None else []
        if machine is None or not refs:
            return []
        goods = self._rng.choice(("never_left", "returned"))
        pick = str(self._rng.randrange(len(refs)))
        return [self._dying(Step("takeback", machine.name, {"pick": pick, "goods": goods}), 2)]

    def _settle(self) -> list[Step]:
        machine = self._machine("counter", "screen")
        if machine is None or all(shown or voided for _, _, voided, shown in machine.pickups()):
            return []
        return [self._dying(Step("settle", machine.name), 2)]

    # -- sync and the way to central --

    def _sync(self) -> list[Step]:
        machine = self._machine("sync")
        return [self._sync_of(machine)] if machine is not None else []

    def _sync_of(self, machine: Machine) -> Step:
        return self._dying(Step("sync", machine.name), 14)

    def _cut(self) -> list[Step]:
        machine = self._machine()
        if machine is None or machine.name in self._world.network.cut:
            return []
        return [Step("cut", machine.name)]

    def _mend(self) -> list[Step]:
        cut = sorted(self._world.network.cut)
        return [Step("mend", self._rng.choice(cut))] if cut else []

    def _late(self) -> list[Step]:
        late = len(self._world.network.late)
        return [Step("late", "", {"pick": str(self._rng.randrange(late))})] if late else []

    def _replay(self) -> list[Step]:
        machine = self._machine("sync")
        if machine is None:
            return []
        of = machine.name if self._rng.random() < 0.7 else self._rng.choice(sorted(self._world.machines))
        count = len(self._world.network.grants.get(of, []))
        if not count:
            return []
        return [Step("replay", machine.name, {"of": of, "pick": str(self._rng.randrange(count))})]

    def _central(self) -> list[Step]:
        return [Step("central")] if not self._world.host.up or self._rng.random() < 0.2 else []

    # -- time --

    def _short_time(self) -> list[Step]:
        return [Step("pass", "", {"seconds": str(self._rng.choice((30, 61, 90, 200)))})]

    def _long_time(self) -> list[Step]:
        return [Step("pass", "", {"seconds": str(self._rng.choice((700, 3600, 20_000, 90_000)))})]

    def _month(self) -> list[Step]:
        self._months += 1
        return [Step("month")] if self._months <= MOST_MONTHS else []

    def _clock(self) -> list[Step]:
        machine = self._machine()
        seconds = str(self._rng.choice((0, -120, 120, 280, -1000, 4000)))
        return [Step("clock", machine.name, {"seconds": seconds})] if machine is not None else []

    def _far_clock(self) -> list[Step]:
        machine = self._machine()
        seconds = str(self._rng.choice((0, -400_000, 3_500_000, -90_000_000)))
        return [Step("clock", machine.name, {"seconds": seconds})] if machine is not None else []

    # -- machines and their disks --

    def _at_rest(self, verb: str, *busy: str) -> Callable[[], list[Step]]:
        def draw() -> list[Step]:
            machine = self._machine(*busy)
            return [self._dying(Step(verb, machine.name), 4)] if machine is not None else []

        return draw

    def _power(self) -> list[Step]:
        machine = self._machine("")
        return [Step("power", machine.name)] if machine is not None else []

    def _image(self) -> list[Step]:
        machine = self._machine("")
        return [Step("image", machine.name)] if machine is not None else []

    def _put_back(self) -> list[Step]:
        found = [one for one in self._world.usable() if one.name in self._world.images and not one.busy()]
        if not found:
            return []
        warm = {"warm": ""} if self._rng.random() < 0.3 else {}
        return [Step("putback", self._rng.choice(found).name, warm)]

    def _clone(self) -> list[Step]:
        machine = self._machine("")
        if machine is None or len(self._world.machines) > 4:
            return []
        return [Step("clone", machine.name)]

    def _lose_disk(self) -> list[Step]:
        machine = self._machine("")
        return [Step("losedisk", machine.name)] if machine is not None else []

    def _revoke(self) -> list[Step]:
        if self._world.tally["revoked"]:
            return []
        return [Step("revoke", self._rng.choice(self._world.scope.kiosks))]

    def _enrol(self) -> list[Step]:
        if waiting := self._world.waiting_to_enrol():
            kiosk = waiting[0].kiosk
        else:
            kiosk = self._rng.choice(self._world.scope.kiosks)
            newest = self._world.machine_of(kiosk)
            well = not newest.lost and not newest.frozen()
            if (well and self._rng.random() < 0.8) or len(self._world.machines) > 5:
                return []
        return [self._dying(Step("enrol", kiosk), 8)]

    def _write_off(self) -> list[Step]:
        return [Step("writeoff", self._rng.choice(self._world.scope.kiosks))]

    def _restore(self) -> list[Step]:
        count = self._world.tally["backup"]
        if self._world.tally["restored"] >= MOST_RESTORES or not count:
            return []
        nolog = {"nolog": ""} if self._rng.random() < 0.3 else {}
        return [Step("restore", "", {"pick": str(self._rng.randrange(count))} | nolog)]

    # -- agencies --

    def _ask_void(self) -> list[Step]:
        return [Step("askvoid", "", {"pick": str(self._rng.randrange(4))})]

    def _due(self) -> list[Step]:
        number = self._rng.choice(list(self._world.dues))
        return [Step("due", "", {"id": str(number), "quantity": str(self._rng.randint(1, 14))})]

    def _move(self) -> list[Step]:
        number = self._rng.choice(list(self._world.points))
        return [Step("move", "", {"holder": str(number), "point": str(3 - self._world.points[number])})]

    # -- inside --

    def _machine(self, *busy: str) -> Machine | None:
        """A machine of which none of these processes is at work (``""``: none at all)."""
        found = [one for one in self._world.usable() if not any(one.busy(process) for process in busy)]
        return self._rng.choice(found) if found else None

    def _dying(self, step: Step, most: int) -> Step:
        if self._rng.random() < self._deaths:
            step.args["dies"] = str(self._rng.randint(1, most))
        return step
