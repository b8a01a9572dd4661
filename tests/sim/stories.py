"""Short sequences that lead towards a danger: what is drawn around and within them makes each another one."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.sim.machine import Machine
from tests.sim.steps import Step
from tests.sim.world import World

Visit = Callable[[Machine], Step]
"""Draws a visit at a machine."""


class Stories:
    """Draws sequences of steps."""

    def __init__(self, world: World, rng: Random, visit: Visit) -> None:
        self._world, self._rng, self._visit = world, rng, visit

    def errand(self) -> list[Step]:
        """A citizen of one point goes to another, and both kiosks are in step."""
        one, other = self._two()
        if one is None or other is None:
            return []
        return [Step("sync", one.name), Step("sync", other.name), self._visit(other)]

    def rivals(self) -> list[Step]:
        """The same citizen at two counters, one of them cut off."""
        one, other = self._two()
        if one is None or other is None:
            return []
        visit = self._visit(one)
        again = Step("serve", other.name, dict(visit.args))
        return [
            Step("cut", one.name),
            visit,
            again,
            *self._maybe(Step("mend", one.name)),
            Step("sync", other.name),
        ]

    def race(self) -> list[Step]:
        """A recall is answered between the screen's word and the record of the pickup."""
        one, other = self._two()
        if one is None or other is None:
            return []
        elsewhere = self._visit(other)
        here = Step("serve", one.name, dict(elsewhere.args))
        here.within.append((self._rng.choice(("w1", "w2")), Step("sync", one.name)))
        return [Step("sync", other.name), elsewhere, here, Step("serve", other.name, dict(elsewhere.args))]

    def idle(self) -> list[Step]:
        """A kiosk is cut off for long, and somebody asks for what it holds."""
        one, other = self._two()
        if one is None or other is None:
            return []
        visit = self._visit(other)
        hours = Step("pass", "", {"seconds": str(self._rng.choice((4000, 90_000)))})
        return [
            Step("cut", one.name),
            hours,
            Step("sync", other.name),
            visit,
            *self._maybe(Step("serve", one.name, dict(visit.args))),
        ]

    def changed_mind(self) -> list[Step]:
        """Part is handed out, the rest goes elsewhere, and the first part comes back."""
        one, other = self._two()
        if one is None or other is None:
            return []
        visit = self._visit(one)
        elsewhere = Step("serve", other.name, dict(visit.args))
        if "quantity" in visit.args:
            visit.args["quantity"] = str(self._rng.randint(1, 4))
            elsewhere.args["quantity"] = "14"
        return [
            visit,
            Step("sync", one.name),
            elsewhere,
            Step("sync", one.name),
            Step("takeback", one.name, {"pick": "0", "goods": "returned"}),
            *self._maybe(Step("cut", one.name)),
            Step("serve", one.name, dict(visit.args)),
        ]

    def more_is_due(self) -> list[Step]:
        """More is granted, and then an older grant comes by."""
        due = self._rng.choice(list(self._world.dues.values()))
        more = Step("due", "", {"id": str(due.id), "quantity": str(due.quantity + self._rng.randint(1, 4))})
        one, _ = self._two()
        if one is None:
            return []
        old = Step("replay", one.name, {"of": one.name, "pick": "0"})
        return [*self._maybe(self._visit(one)), more, Step("sync", one.name), old, self._visit(one)]

    def old_grants(self) -> list[Step]:
        """A right went elsewhere, and then grants of before come by."""
        one, other = self._two()
        if one is None or other is None:
            return []
        visit = self._visit(other)
        steps = [Step("sync", one.name), Step("sync", other.name), visit, Step("sync", one.name)]
        of = self._rng.choice((one, one, other))
        steps += [Step("replay", one.name, {"of": of.name, "pick": str(pick)}) for pick in (0, 1)]
        return [*steps, Step("serve", one.name, dict(visit.args))]

    def old_disk(self) -> list[Step]:
        """An old image of a disk comes back after something was handed out."""
        one, _ = self._two()
        if one is None:
            return []
        visit = self._visit(one)
        return [
            Step("sync", one.name),
            Step("image", one.name),
            visit,
            *self._maybe(Step("power", one.name), Step("pass", "", {"seconds": "1000"})),
            Step("sync", one.name),
            Step("putback", one.name),
            *self._maybe(Step("cut", one.name)),
            Step("serve", one.name, dict(visit.args)),
            Step("sync", one.name),
        ]

    def lost_memory(self) -> list[Step]:
        """Central goes back to a backup from before a right went elsewhere."""
        one, other = self._two()
        if one is None or other is None or self._world.tally["restored"] > 1:
            return []
        visit = self._visit(other)
        back = Step("serve", one.name, dict(visit.args))
        return [
            Step("backup"),
            *self._maybe(Step("sync", one.name), Step("sync", other.name)),
            visit,
            *self._maybe(Step("sync", other.name), Step("cut", other.name)),
            Step("restore", "", {"pick": str(self._world.tally["backup"])}),
            Step("sync", one.name),
            back,
            *self._maybe(Step("mend", other.name)),
            # Its next record finds a central that lacks the ones before.
            *self._maybe(Step("takeback", other.name, {"pick": "0", "goods": "returned"})),
            Step("sync", other.name),
        ]

    def forgotten(self) -> list[Step]:
        """A kiosk had and gave back what central, without its log, has forgotten; then it asks again."""
        one, other = self._two()
        if one is None or other is None or self._world.tally["restored"] > 1:
            return []
        visit = self._visit(other)
        brief = Step("serve", other.name, dict(visit.args) | {"leaves": ""})
        restore = Step("restore", "", {"pick": str(self._world.tally["backup"])})
        restore.args |= {"nolog": ""} if self._rng.random() < 0.7 else {}
        return [
            Step("sync", one.name),
            Step("sync", other.name),
            Step("serve", other.name, dict(visit.args)),
            Step("sync", one.name),
            Step("backup"),
            brief,
            Step("sync", other.name),
            restore,
            Step("sync", one.name),
            Step("sync", other.name),
            visit,
        ]

    def twins(self) -> list[Step]:
        """A machine and its copy, both at work."""
        one, _ = self._two()
        if one is None or len(self._world.machines) > 3:
            return []
        count = sum(machine.kiosk == one.kiosk for machine in self._world.machines.values())
        copy = f"{one.kiosk.lower()}-copy{count}"
        visit = self._visit(one)
        return [
            *self._maybe(Step("cut", one.name)),
            Step("clone", one.name),
            visit,
            Step("serve", copy, dict(visit.args)),
            *self._maybe(Step("mend", one.name)),
            Step("sync", one.name),
            Step("sync", copy),
        ]

    def replaced(self) -> list[Step]:
        """A kiosk is lost and replaced; the old machine, cut off, may still be at work."""
        one, other = self._two()
        if one is None or len(self._world.machines) > 3:
            return []
        visit = self._visit(one)
        steps = [Step("cut", one.name), *self._maybe(visit)]
        steps.append(Step("enrol", one.kiosk) if self._rng.random() < 0.6 else Step("revoke", one.kiosk))
        steps += self._maybe(Step("writeoff", one.kiosk))
        if steps[-1].verb == "enrol":
            count = sum(machine.kiosk == one.kiosk for machine in self._world.machines.values())
            newer = f"{one.kiosk.lower()}-new{count}"
            steps += [Step("sync", newer), Step("replay", newer, {"of": one.name, "pick": "0"})]
            steps.append(Step("serve", newer, dict(visit.args)))
        if other is not None:
            steps += [Step("sync", other.name), Step("serve", other.name, dict(visit.args))]
        return [*steps, *self._maybe(visit), Step("mend", one.name), Step("sync", one.name)]

    def _two(self) -> tuple[Machine | None, Machine | None]:
        """Two machines of different kiosks, if there are two that run."""
        found = self._world.usable()
        if not found:
            return None, None
        one = self._rng.choice(found)
        others = [machine for machine in found if machine.kiosk != one.kiosk]
        return one, self._rng.choice(others) if others else None

    def _maybe(self, *steps: Step) -> list[Step]:
        return [Step(one.verb, one.who, dict(one.args)) for one in steps if self._rng.random() < 0.5]
