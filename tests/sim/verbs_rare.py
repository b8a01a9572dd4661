"""What is done seldom: by technicians and supervisors to a kiosk, and by central's staff."""

from __future__ import annotations

from datetime import datetime

from kiosk import key_roll, retiring
from kiosk.errors import OfficerFault
from sync.central import orders, writeoff
from tests.sim.clocks import WIB
from tests.sim.machine import Machine
from tests.sim.steps import Step
from tests.sim.world import World


def retire(world: World, machine: Machine, countdown: int) -> str:
    """A supervisor takes the kiosk out of service: it gives everything back by its own record."""

    def work() -> retiring.Retirement:
        journal = machine.screen.journal_of_supervisor(machine.session)
        return retiring.retire(journal, machine.session.username)

    outcome = machine.attempt("screen", work, countdown)
    world.judge(outcome.fault)
    if outcome.value is not None:
        world.note("retired")
    return outcome.code or str(outcome.value)


def roll_key(world: World, machine: Machine, countdown: int) -> str:
    """A new device key, named by a record under the old one."""

    def work() -> object:
        return key_roll.roll(machine.path, machine.screen._journal, machine.session.username)

    outcome = machine.attempt("screen", work, countdown)
    world.judge(outcome.fault)
    if not outcome.code:
        world.note("key_rolled")
    return outcome.code


def tidy(world: World, machine: Machine, countdown: int) -> str:
    """The sync process prunes what central keeps durably, and erases old private text."""
    before = len(machine.records())
    outcome = machine.attempt("sync", machine.engine.tidy, countdown)
    world.judge(outcome.fault)
    pruned = before - len(machine.records())
    if pruned:
        world.note("pruned")
    return outcome.code or f"pruned {pruned}"


def assert_clock(world: World, machine: Machine, countdown: int) -> str:
    """A supervisor confirms the true date."""
    day = datetime.fromtimestamp(world.time.now, WIB).date()
    outcome = machine.attempt("screen", lambda: machine.screen.assert_clock(day, machine.session), countdown)
    world.judge(outcome.fault)
    if not outcome.code:
        world.note("clock_asserted")
    return outcome.code or str(outcome.value)


def write_off(world: World, kiosk: str) -> str:
    """Two of central's staff write off what a lost kiosk's newest lost generation holds."""
    ani, budi = world.staff
    try:
        found = writeoff.ask_for_kiosk(world.host.central, kiosk, None, "lost", ani)
        gen = next(one["gen"] for one in writeoff.listed(world.host.central) if one["id"] == found)
        done = writeoff.approve(world.host.central, found, budi)
    except OfficerFault as fault:
        return fault.code
    world.oracle.excused.add((kiosk, gen))
    world.note("written_off")
    if done["freed"]:
        world.note("written_off_some")
    return f"{kiosk}.{gen} {done['freed']} freed"


def ask_void(world: World, step: Step) -> str:
    """Goods came back elsewhere: central asks the kiosk that handed them out for the void."""
    known = world.books().standing()
    asked = set(world.void_requests.values())
    found = [
        one
        for one in world.oracle.standing()
        if one.hash in known and one.hash not in asked and one.identity not in world.oracle.copied
    ]
    if not found:
        return ""
    one = found[step.number("pick") % len(found)]
    try:
        orders.request_void(world.host.central, one.ref, "came back", world.staff[0])
    except OfficerFault as fault:
        return fault.code
    world.void_requests[one.identity[0], one.ref] = one.hash
    world.note("void_asked")
    return one.ref


def back_up(world: World) -> str:
    """Central's database is copied, and its log begins anew."""
    number = world.tally["backup"]
    world.host.backup(world.folder / f"backup-{number}.db")
    world.note("backup")
    return str(number)


def restore(world: World, number: int) -> str:
    """Central goes back to a backup."""
    asked = world.host.restore(world.folder / f"backup-{number}.db")
    for machine in world.machines.values():
        machine.seen_acknowledged = {}
    world.note("restored")
    return f"{asked} kiosks to report"


def forget_log(world: World) -> None:
    """Central loses the log outside its database."""
    world.host.forget_log()
    world.oracle.log_lost = True
