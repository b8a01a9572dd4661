"""Plays a schedule: the steps of a list, or steps that are drawn as it goes and noted in the same form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from kiosk.ledger import LEDGER_FILE
from tests.sim.steps import Step
from tests.sim.verbs import NotNow, do
from tests.sim.world import World

DEEPEST: Final = 2
"""How many things may happen within each other, when they are drawn."""


class Chance(Protocol):
    """Decides what happens, where a schedule is not written yet."""

    def top(self) -> list[Step]:
        """What is done next."""

    def meanwhile(self, done: str) -> list[Step]:
        """What happens at a pause, after ``done``."""

    def faster(self, machine: str) -> list[Step]:
        """What another process of a machine does before this one writes."""

    def fate(self) -> str:
        """What becomes of an exchange."""


@dataclass
class _Playing:
    step: Step
    pauses: int = 0
    writes: int = 0
    exchanges: int = 0


class Player:
    """Plays steps on a world; ``chance`` draws what is not written."""

    def __init__(self, world: World, say: Callable[[str], None], chance: Chance | None = None) -> None:
        self._world, self._say, self._chance = world, say, chance
        self._stack: list[_Playing] = []
        world.network.fate = self._fate
        world.network.meanwhile = lambda _machine: self.pause("sent")
        world.frames.before_write = self._before_write

    def draw(self, most: int, into: list[Step]) -> None:
        """Plays ``most`` steps that chance draws, or a few more; each is in ``into`` before it is played."""
        assert self._chance is not None
        done = 0
        while done < most:
            for step in self._chance.top():
                into.append(step)
                if self.play(step):
                    done += 1
                else:
                    into.pop()

    def play(self, step: Step) -> bool:
        """One step and what happens within it; False if it was not possible. Raises Broken."""
        began = self._world.time.now
        self._world.time.go_on(step.number("after", 1))
        self._stack.append(_Playing(step))
        depth = len(self._stack) - 1
        try:
            word = do(self._world, step, self.pause)
        except NotNow:
            self._world.time.now = began
            return False
        finally:
            self._stack.pop()
        self._say(f"{self._world.time.now:.0f} {'  ' * depth}{step.verb} {step.who}: {word}")
        if not depth:
            self._world.check_books()
        return True

    def pause(self, done: str) -> None:
        """Something else may happen here."""
        if not self._stack:
            return
        playing = self._stack[-1]
        playing.pauses += 1
        self._at(playing, str(playing.pauses), lambda chance: chance.meanwhile(done))

    def _before_write(self, path: Path) -> None:
        """Another process of the machine may get to the ledger first."""
        if not self._stack or path.name != LEDGER_FILE:
            return
        playing = self._stack[-1]
        machine = self._world.machines.get(path.parent.name)
        if machine is None or machine.ticket or machine.busy("sync") or not machine.busy("screen"):
            return
        playing.writes += 1
        self._at(playing, f"w{playing.writes}", lambda chance: chance.faster(machine.name))
        if any(at == f"w{playing.writes}" for at, _ in playing.step.within):
            self._world.note("raced")

    def _at(self, playing: _Playing, place: str, draw: Callable[[Chance], list[Step]]) -> None:
        written = [step for at, step in playing.step.within if at == place]
        for step in written:
            self.play(step)
        if written or self._chance is None or len(self._stack) > DEEPEST:
            return
        for step in draw(self._chance):
            playing.step.within.append((place, step))
            if not self.play(step):
                playing.step.within.pop()

    def _fate(self) -> str:
        if not self._stack:
            return "ok"
        playing = self._stack[-1]
        playing.exchanges += 1
        if self._chance is None:
            return playing.step.fates.get(playing.exchanges, "ok")
        fate = self._chance.fate()
        if fate != "ok":
            playing.step.fates[playing.exchanges] = fate
        return fate
