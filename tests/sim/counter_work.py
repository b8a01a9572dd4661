"""What people do at a counter, step by step, with something else between the steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from kiosk.values import CardRead, Checks, Collector, Pickup, StateCode, Visit, VisitRow
from tests.sim.clocks import WIB
from tests.sim.machine import Machine, Outcome, Words
from tests.sim.oracle import Broken, HandOut
from tests.sim.world import World

T = TypeVar("T")
ASKABLE: Final = (StateCode.CHECKING, StateCode.HELD_ELSEWHERE, StateCode.NEEDS_NETWORK)


@dataclass(frozen=True)
class Wish:
    """What a person at the counter wants."""

    holder_id: int
    program_id: str
    quantity: int = 0
    """0: all that is due."""
    leaves_early: bool = False
    insists: bool = False
    """The officer tries although the screen says no."""
    dies_at: dict[str, int] = field(default_factory=dict)
    """By step (``read``, ``ask``, ``answer``, ``confirm``, ``show``, ``leave``): at which point of it the
    process dies."""


class _VisitOver(Exception):
    """The visit ends here; says why."""


def nothing(_step: str) -> None:
    """Nothing happens between the steps."""


def serve(world: World, machine: Machine, wish: Wish, between: Callable[[str], None] = nothing) -> str:
    """One visit of one person; answers the pickup's reference, or in a word why there was none."""
    with world.frames.entered(machine.name, "counter"):
        try:
            return _Serving(world, machine, wish, between).run()
        except _VisitOver as over:
            return str(over)


def take_back(world: World, machine: Machine, ref: str, goods: str, countdown: int = 0) -> str:
    """Takes a pickup back; answers the fault's code, or an empty text."""
    with world.frames.entered(machine.name, "counter"):
        found = machine.pickup(ref)
        assert found is not None
        hashed, right, _ = found
        held = machine.ledger.right(right)
        outcome = machine.attempt(
            "screen", lambda: machine.screen.void(ref, goods, "a reason", machine.session), countdown
        )
        world.judge(outcome.fault)
        if outcome.value is not None or (outcome.died_at and _voided(machine, ref)):
            world.oracle.bring_back(hashed)
            world.note(f"void_{goods}")
            if held is not None and not held.held:
                world.note("void_of_released")
        return outcome.code


def settle(world: World, machine: Machine, countdown: int = 0) -> int:
    """The officer says of each pickup that nobody saw recorded whether it was handed over, truly."""
    with world.frames.entered(machine.name, "counter"):
        listed = machine.attempt("screen", machine.screen.unshown)
        world.judge(listed.fault)
        done = 0
        for pickup in listed.value or []:
            found = machine.pickup(pickup.ref)
            gave = found is None or found[0] in world.oracle.hand_outs
            outcome = machine.attempt("screen", _answer(machine, pickup.ref, gave), countdown)
            world.judge(outcome.fault)
            if not outcome.code:
                done += 1
                world.note("unshown_given" if gave else "unshown_not_given")
        return done


def _answer(machine: Machine, ref: str, gave: bool) -> Callable[[], None]:
    return lambda: machine.screen.answer_unshown(ref, gave, machine.session)


def _voided(machine: Machine, ref: str) -> bool:
    found = machine.pickup(ref)
    return found is not None and found[2]


def _recalled(words: list[Words]) -> bool:
    done = [one.result() for one in words if one.done() and not one.cancelled() and not one.exception()]
    return any(word.status == "recalled" for one in done for word in one.values())


class _Serving:
    def __init__(self, world: World, machine: Machine, wish: Wish, between: Callable[[str], None]) -> None:
        self.world, self.machine, self.wish, self.between = world, machine, wish, between
        self.lives = machine.lives

    def run(self) -> str:
        visit = self._step("read", lambda: self.machine.screen.read(self._card(), self.machine.session))
        self.between("read")
        if visit.asking:
            visit = self._look_up(visit)
        row = self._row(visit)
        if row.state.code in ASKABLE:
            visit, row = self._ask(visit, row)
        if self.wish.leaves_early:
            self.world.note("left_early")
            return self._leave(visit, "left")
        if row.state.code is not StateCode.READY and not self.wish.insists:
            return self._leave(visit, str(row.state.code))
        quantity = row.quantity if not self.wish.quantity else min(self.wish.quantity, row.quantity)
        pickup = self._confirm(visit, row, max(1, quantity))
        self._step("show", lambda: self.machine.screen.mark_shown(pickup.ref))
        return self._leave(visit, pickup.ref)

    def _look_up(self, visit: Visit) -> Visit:
        """A card of another point: central is asked whose it is."""
        screen = self.machine.screen
        words = self._step("ask", partial(screen.look_up, visit))
        self.between("looked up")
        self._same_life()
        if "late" in self.wish.dies_at and words:
            self.machine.rights.run_out_of_time(words[0])
        while self._step("answer", self.machine.rights.work, process="rights"):
            self.world.note("asked whose card")
        self._same_life()
        visit = self._step("refresh", partial(screen.refresh, visit, self.machine.session))
        if visit.holder_id:
            self.world.note("looked up")
        return visit

    def _ask(self, visit: Visit, row: VisitRow) -> tuple[Visit, VisitRow]:
        screen, session = self.machine.screen, self.machine.session
        for attempt in range(3):
            words = self._step("ask", partial(screen.acquire, visit, session))
            if attempt and not words:
                break
            self.between("asked")
            self._same_life()
            if attempt == 0 and words and "late" in self.wish.dies_at:
                self.machine.rights.run_out_of_time(words[0])
            while self._step("answer", self.machine.rights.work, process="rights"):
                self.world.note("asked")
            self.between("recalled" if words and _recalled(words) else "answered")
            self._same_life()
            visit = self._step("refresh", partial(screen.refresh, visit, session))
            row = self._row(visit)
            if row.state.code is StateCode.READY:
                self.world.note("acquired")
            if row.state.code not in ASKABLE:
                break
        return visit, row

    def _confirm(self, visit: Visit, row: VisitRow, quantity: int) -> Pickup:
        world, machine, wish = self.world, self.machine, self.wish
        outcome = machine.attempt(
            "screen",
            lambda: machine.screen.confirm(
                visit, wish.program_id, quantity, Collector(), Checks(), machine.session, "a reason"
            ),
            wish.dies_at.get("confirm", 0),
        )
        world.judge(outcome.fault)
        if outcome.died_at:
            # Recorded or not, the officer has seen nothing yet: no goods leave.
            world.note("died_in_confirm")
            raise _VisitOver(f"died at {outcome.died_at}")
        if outcome.value is None:
            world.note("refused")
            self._leave(visit, "")
            raise _VisitOver(outcome.code)
        pickup = outcome.value
        found = machine.pickup(pickup.ref)
        assert found is not None
        hashed, right, _ = found
        self._check_right(right)
        made = HandOut(
            hash=hashed,
            ref=pickup.ref,
            machine=machine.name,
            identity=(machine.kiosk, machine.gen),
            right=right,
            program_id=wish.program_id,
            quantity=pickup.quantity,
            at=world.time.now,
            without_right=machine.without_right(pickup.ref),
        )
        world.notice_voids()
        again = any(one.right == right and one.returned for one in world.oracle.hand_outs.values())
        world.oracle.hand_out(made)
        world.note("handed_out")
        if made.without_right:
            world.note("handed_out_without_right")
            self._check_limits()
        if pickup.quantity < row.quantity and row.partial:
            world.note("partial")
        if again:
            world.note("handed_out_again")
        if machine.name in world.network.cut:
            world.note("handed_out_offline")
        if machine.retired:
            world.note("handed_out_by_retired")
        return pickup

    def _check_right(self, right: str) -> None:
        program = self.world.scope.program(self.wish.program_id)
        subject = f"h{self.wish.holder_id}" if program.subject == "holder" else "f1"
        month = f"{self.machine.screen._clock.now().astimezone(WIB):%Y-%m}"
        wanted = self.world.oracle.right_of(subject, program.id, month)
        if right != wanted:
            raise Broken("I1", f"handed out under {right}, not {wanted}")

    def _check_limits(self) -> None:
        program = self.world.scope.program(self.wish.program_id)
        quantity, count = self.machine.without_right_unsent(program.id)
        limits = program.tolerate
        if limits is None or quantity > limits.amount or count > limits.count:
            raise Broken("I1", f"{self.machine}: {count} times {quantity} of {program.id} without the right")

    def _leave(self, visit: Visit, word: str) -> str:
        self._step("leave", lambda: self.machine.screen.leave(visit))
        return word

    def _card(self) -> CardRead:
        return self.world.cards[self.wish.holder_id]

    def _row(self, visit: Visit) -> VisitRow:
        row = next((one for one in visit.rows if one.program_id == self.wish.program_id), None)
        if row is None:
            raise _VisitOver("no such program")
        return row

    def _same_life(self) -> None:
        if self.machine.lives != self.lives or self.machine.lost:
            raise _VisitOver("the screen died meanwhile")

    def _step(self, name: str, work: Callable[[], T], process: str = "screen") -> T:
        self._same_life()
        outcome: Outcome[T] = self.machine.attempt(process, work, self.wish.dies_at.get(name, 0))
        self.world.judge(outcome.fault)
        if outcome.died_at:
            self.world.note("died_in_visit")
            raise _VisitOver(f"died at {outcome.died_at}")
        if outcome.fault is not None:
            raise _VisitOver(outcome.fault.code)
        return outcome.value  # type: ignore[return-value]
