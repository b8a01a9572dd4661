"""All troubles end, everybody syncs until it is quiet, and then everything has to be right."""

from __future__ import annotations

from tests.sim import invariants
from tests.sim.books import Books
from tests.sim.central_host import TICK_S
from tests.sim.city import KEEPERS, Due
from tests.sim.counter_work import Wish, serve, settle
from tests.sim.machine import Machine
from tests.sim.network import no_trouble, nothing_happens
from tests.sim.oracle import Broken
from tests.sim.world import World

MOST_ROUNDS = 12
MOST_PUSHES = 4
"""Rounds within which a machine has sent all it has, also to a central that forgot."""
FORGOTTEN_S = 700
"""After that a right that a tap brought, and nobody used, goes back by itself."""


def heal(world: World) -> Books:
    """Ends all troubles and checks I2 to I9; answers central's books."""
    end_troubles(world)
    until_quiet(world)
    if replace_the_fenced(world):
        until_quiet(world)
    books = world.books()
    invariants.books_are_right(books, world.oracle)
    invariants.everything_arrived(world, books)
    invariants.overspends_are_reported(books, world.oracle)
    invariants.caches_agree(world)
    invariants.holdings_agree(world, books)
    return books


def arrive(world: World) -> Books:
    """Ends all troubles and lets every machine send what it has: I3 to I6; answers central's books."""
    end_troubles(world)
    for machine in world.usable():
        for _ in range(MOST_PUSHES):
            _round(world, machine)
            if not machine.ledger.waiting():
                break
    books = world.books()
    invariants.books_are_right(books, world.oracle)
    invariants.everything_arrived(world, books)
    invariants.overspends_are_reported(books, world.oracle)
    return books


def end_troubles(world: World) -> None:
    """The network holds, central and the machines run, clocks are right, officers answer what is asked."""
    world.network.fate = no_trouble
    world.network.meanwhile = nothing_happens
    world.frames.before_write = lambda _path: None
    world.network.next_fates.clear()
    world.network.cut.clear()
    world.host.restart()
    while world.network.late:
        world.network.deliver_late()
    for machine in list(world.machines.values()):
        machine.clock.offset_s = 0.0
        if machine.ticket and not machine.lost:
            enrol_for_sure(world, machine)
    world.time.go_on(FORGOTTEN_S)
    for machine in world.usable():
        settle(world, machine)


def until_quiet(world: World) -> None:
    """Rounds of sync until nothing moves any more. Raises Broken I9 if that never comes."""
    still = 0
    if not world.usable():
        return
    for _ in range(MOST_ROUNDS):
        for machine in world.usable():
            still = 0 if _round(world, machine) else still + 1
            if still == len(world.usable()):
                return
        world.time.go_on(TICK_S + 1)
    raise Broken("I9", f"not quiet after {MOST_ROUNDS} rounds")


def replace_the_fenced(world: World) -> int:
    """Each kiosk that may not hand out any more, or lost its disk, is enrolled again on a new machine."""
    replaced = 0
    for kiosk in world.scope.kiosks:
        machine = world.machine_of(kiosk)
        if machine.lost or machine.frozen():
            enrol_for_sure(world, world.replace_machine(kiosk))
            replaced += 1
    return replaced


def enrol_for_sure(world: World, machine: Machine) -> None:
    """Enrols a machine; with a new ticket if its own has become too old."""
    if not world.enrol(machine):
        machine = world.replace_machine(machine.kiosk)
        if not world.enrol(machine):
            raise Broken("I9", f"{machine} cannot be enrolled")


def served_again(world: World, books: Books) -> int:
    """I9: whoever is still due something gets it; answers how many had to wait for another period."""
    waiting = 0
    for due in world.scope.dues:
        right = _right(world, due)
        held_by, _, _, doubt = books.held.get(right, ("", 0, 0, False))
        if not world.oracle.is_open(right) or right not in books.quantity:
            continue
        if doubt:
            waiting += 1
        elif books.spent[right] < books.quantity[right]:
            _serve_for_sure(world, due, f"lies at {held_by or 'central'}")
    return waiting


def served_next_period(world: World) -> None:
    """I9: what was in doubt is over with its period, and the next but one is as it should be."""
    for _ in range(2):
        world.time.to_month_start()
        until_quiet(world)
    served: set[str] = set()
    for due in world.scope.dues:
        right = _right(world, due)
        if right not in served:
            served.add(right)
            _serve_for_sure(world, due, "in a new period")


def _serve_for_sure(world: World, due: Due, why: str) -> None:
    """At the usual point of now; where a right has to come back first, everybody syncs meanwhile."""
    home = world.points[min(world.scope.collectors_of(due.subject))]
    machine = world.machine_of(KEEPERS[home])
    wish = Wish(world.scope.collectors_of(due.subject)[0], due.program_id)
    words = []
    for _ in range(4):
        words.append(serve(world, machine, wish, lambda step: _answer_recalls(world, machine, step)))
        if words[-1].startswith(machine.kiosk):
            world.note("served_again")
            return
        until_quiet(world)
        world.time.go_on(61)
    raise Broken("I9", f"{due.subject} is not served {due.program_id} at {machine} ({why}): {words}")


def _answer_recalls(world: World, machine: Machine, step: str) -> None:
    if step == "recalled":
        for other in world.usable():
            if other is not machine and not other.busy("sync"):
                world.sync(other)


def _right(world: World, due: Due) -> str:
    month = world.machine_of(KEEPERS[1]).clock.month()
    return world.oracle.right_of(due.subject, due.program_id, month)


def _round(world: World, machine: Machine) -> bool:
    """One sync; True if anything moved. A fenced machine has to get rid of its journal all the same."""
    before = machine.ledger.waiting()
    if machine.retired and machine.frozen() and not before:
        return False
    outcome = world.sync(machine)
    report = outcome.value
    if report is not None:
        return bool(report.pushed or report.grants or report.rows or report.released)
    why = machine.frozen()
    if not why:
        raise Broken("I9", f"{machine} is not fenced and cannot sync: {outcome.fault or outcome.died_at}")
    return machine.ledger.waiting() != before
