"""Short words for schedules: who serves whom, and what is expected of it."""

from __future__ import annotations

from collections.abc import Callable

from sync.central import importing
from sync.central.import_format import ImportDocument
from tests.sim.city import Due, entitlement
from tests.sim.counter_work import Wish, nothing, serve
from tests.sim.machine import Machine
from tests.sim.oracle import Broken
from tests.sim.world import World

NOVEMBER = "h1/beras/2026-11"


def expect(holds: bool, what: str) -> None:
    """Raises Broken if a schedule does not come out as it should."""
    if not holds:
        raise Broken("directed", what)


def asks(
    world: World,
    name: str,
    holder: int = 1,
    program: str = "",
    quantity: int = 0,
    *,
    between: Callable[[str], None] = nothing,
    dies_at: dict[str, int] | None = None,
    leaves_early: bool = False,
) -> str:
    """A holder comes to a machine's counter; answers the pickup's reference, or why there was none."""
    chosen = program or world.scope.programs[0].id
    wish = Wish(holder, chosen, quantity, leaves_early=leaves_early, dies_at=dies_at or {})
    return serve(world, world.machines[name], wish, between)


def gets(world: World, name: str, holder: int = 1, program: str = "", quantity: int = 0) -> str:
    """The holder comes and gets it; answers the pickup's reference."""
    word = asks(world, name, holder, program, quantity)
    expect(word.startswith(world.machines[name].kiosk), f"h{holder} is not served at {name}: {word}")
    return word


def is_refused(world: World, name: str, *words: str, holder: int = 1, program: str = "") -> None:
    """The holder comes and gets nothing, for one of these reasons."""
    word = asks(world, name, holder, program)
    expect(word in words, f"h{holder} at {name}: {word!r}, expected one of {words}")


def syncs(world: World, *names: str) -> None:
    """Machines sync, one after the other, and central answers them."""
    for name in names:
        outcome = world.sync(world.machines[name])
        expect(outcome.value is not None, f"{name} cannot sync: {outcome.code}")


def is_shut_out(world: World, name: str, why: str) -> Machine:
    """A machine that syncs is told that it may not hand out any more."""
    machine = world.machines[name]
    outcome = world.sync(machine)
    expect(
        outcome.fault is not None and machine.frozen() == why, f"{name}: {outcome.code}, {machine.frozen()}"
    )
    return machine


def is_now_due(world: World, due: Due, version: int = 2) -> None:
    """An agency changes what somebody is due."""
    document = world.scope.document()
    empty = ImportDocument(mode=document.mode, source=document.source, issued=document.issued)
    importing.apply(
        world.host.central, empty.model_copy(update={"entitlements": (entitlement(due, version),)})
    )
    world.oracle.change_due(due.id, due.quantity)


def served_elsewhere(world: World, giver: str, taker: str, quantity: int = 0) -> str:
    """Both online: the right is recalled from one machine, and handed out at the other."""
    syncs(world, giver, taker)

    def release(step: str) -> None:
        if step == "recalled":
            syncs(world, giver)

    word = asks(world, taker, quantity=quantity, between=release)
    expect(word.startswith(world.machines[taker].kiosk), f"not served at {taker}: {word}")
    return word
