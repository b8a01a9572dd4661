"""What an action of a schedule does: each verb, on the machine that its step names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sync.central import importing
from sync.central.import_format import Entitlement, Holder, ImportDocument
from tests.sim import verbs_rare
from tests.sim.city import Due, entitlement, holder
from tests.sim.counter_work import Wish, serve, settle, take_back
from tests.sim.machine import Machine
from tests.sim.steps import Step
from tests.sim.world import World

Pause = Callable[[str], None]
"""Called where something else may happen meanwhile, with a word on what was done last."""
MOST_MACHINES: Final = 6


class NotNow(Exception):
    """The step is not possible as things stand: it is passed over."""


def do(world: World, step: Step, pause: Pause) -> str:
    """Does a step; answers what became of it. Raises NotNow, and Broken."""
    return VERBS[step.verb](world, step, pause)


def _machine(world: World, step: Step, *busy: str) -> Machine:
    found = world.machines.get(step.who)
    if found is None or not found.can_open() or any(found.busy(process) for process in busy):
        raise NotNow
    return found


# -- at a counter --


def _serve(world: World, step: Step, pause: Pause) -> str:
    machine = _machine(world, step, "counter", "screen", "rights")
    deaths = step.deaths()
    if step.flag("slow"):
        deaths["late"] = 0
    wish = Wish(
        step.number("holder", 1),
        step.args["program"],
        step.number("quantity"),
        leaves_early=step.flag("leaves"),
        insists=step.flag("insists"),
        dies_at=deaths,
    )
    return serve(world, machine, wish, pause)


def _take_back(world: World, step: Step, _pause: Pause) -> str:
    machine = _machine(world, step, "counter", "screen")
    refs = standing_refs(world, machine)
    if not refs:
        raise NotNow
    ref = refs[step.number("pick") % len(refs)]
    word = take_back(world, machine, ref, step.args.get("goods", "returned"), step.number("dies"))
    return f"{ref} {word}".strip()


def standing_refs(world: World, machine: Machine) -> list[str]:
    """Pickups of a machine whose goods are out, the newest first."""
    standing = {one.hash for one in world.oracle.standing()}
    return [ref for ref, hashed, voided, _ in machine.pickups() if hashed in standing and not voided][::-1]


def _settle(world: World, step: Step, _pause: Pause) -> str:
    return str(settle(world, _machine(world, step, "counter", "screen"), step.number("dies")))


# -- sync and the way to central --


def _sync(world: World, step: Step, _pause: Pause) -> str:
    outcome = world.sync(_machine(world, step, "sync"), step.number("dies"))
    report = outcome.value
    if report is None:
        return outcome.code
    return f"pushed {report.pushed} grants {report.grants} rows {report.rows} released {report.released}"


def _cut(world: World, step: Step, _pause: Pause) -> str:
    if step.who not in world.machines or step.who in world.network.cut:
        raise NotNow
    world.network.cut.add(step.who)
    world.note("cut")
    return ""


def _mend(world: World, step: Step, _pause: Pause) -> str:
    if step.who not in world.network.cut:
        raise NotNow
    world.network.cut.remove(step.who)
    return ""


def _late(world: World, step: Step, _pause: Pause) -> str:
    late = world.network.late
    if not late:
        raise NotNow
    one = late[step.number("pick") % len(late)]
    said = f"{one.method} {one.target[:12]} of {one.sender}"
    return f"{said}: {world.network.deliver_late(step.number('pick'))}"


def _replay(world: World, step: Step, _pause: Pause) -> str:
    machine = _machine(world, step, "sync")
    grants = world.network.grants.get(step.args.get("of", step.who), [])
    if not grants:
        raise NotNow
    world.replay(machine, grants[step.number("pick") % len(grants)])
    return ""


def _central(world: World, step: Step, _pause: Pause) -> str:
    world.host.restart()
    return ""


# -- time --


def _pass(world: World, step: Step, _pause: Pause) -> str:
    world.time.go_on(step.number("seconds", 60))
    return ""


def _month(world: World, _step: Step, _pause: Pause) -> str:
    world.time.to_month_start()
    world.note("rollover")
    if world.network.cut:
        world.note("rollover_offline")
    return ""


def _clock(world: World, step: Step, _pause: Pause) -> str:
    machine = _machine(world, step)
    machine.clock.offset_s = step.number("seconds")
    world.note("clock_off")
    return ""


# -- machines and their disks --


def _power(world: World, step: Step, _pause: Pause) -> str:
    world.power_cut(_machine(world, step, ""))
    return ""


def _image(world: World, step: Step, _pause: Pause) -> str:
    world.take_image(_machine(world, step, ""))
    return ""


def _put_back(world: World, step: Step, _pause: Pause) -> str:
    machine = _machine(world, step, "")
    if machine.name not in world.images:
        raise NotNow
    world.put_back(machine, boots=not step.flag("warm"))
    return ""


def _clone(world: World, step: Step, _pause: Pause) -> str:
    machine = _machine(world, step, "")
    if len(world.machines) >= MOST_MACHINES:
        raise NotNow
    return world.clone(machine).name


def _lose_disk(world: World, step: Step, _pause: Pause) -> str:
    world.lose_disk(_machine(world, step, ""))
    return ""


def _revoke(world: World, step: Step, _pause: Pause) -> str:
    if step.who not in world.scope.kiosks:
        raise NotNow
    world.revoke(step.who)
    return ""


def _enrol(world: World, step: Step, _pause: Pause) -> str:
    """A kiosk's new machine enrols; it is there from the first try on."""
    waiting = [one for one in world.waiting_to_enrol() if one.kiosk == step.who]
    if not waiting and (step.who not in world.scope.kiosks or len(world.machines) >= MOST_MACHINES):
        raise NotNow
    machine = waiting[0] if waiting else world.replace_machine(step.who)
    return f"{machine} {world.enrol(machine, step.number('dies'))}"


def _board(work: Callable[[World, Machine, int], str], *busy: str) -> Callable[[World, Step, Pause], str]:
    """A verb that is about one machine at rest."""

    def verb(world: World, step: Step, _pause: Pause) -> str:
        return work(world, _machine(world, step, *busy), step.number("dies"))

    return verb


# -- central's staff and agencies --


def _write_off(world: World, step: Step, _pause: Pause) -> str:
    return verbs_rare.write_off(world, step.who)


def _ask_void(world: World, step: Step, _pause: Pause) -> str:
    word = verbs_rare.ask_void(world, step)
    if not word:
        raise NotNow
    return word


def _backup(world: World, _step: Step, _pause: Pause) -> str:
    return verbs_rare.back_up(world)


def _restore(world: World, step: Step, _pause: Pause) -> str:
    """Agencies give their lists again."""
    if not world.tally["backup"]:
        raise NotNow
    if step.flag("nolog"):
        if world.tally["enrolled_again"] or world.tally["key_rolled"]:
            raise NotNow  # nobody could know those machines again
        verbs_rare.forget_log(world)
    word = verbs_rare.restore(world, step.number("pick") % world.tally["backup"])
    _import(
        world,
        tuple(entitlement(due, world.versions[due.id]) for due in world.dues.values()),
        tuple(holder(number, point) for number, point in world.points.items()),
    )
    return word


def _due(world: World, step: Step, _pause: Pause) -> str:
    due = world.dues[step.number("id")]
    changed = Due(due.id, due.subject, due.program_id, step.number("quantity"))
    world.versions[due.id] += 1
    _import(world, entitlements=(entitlement(changed, world.versions[due.id]),))
    world.dues[due.id] = changed
    world.oracle.change_due(due.id, changed.quantity)
    world.note("due_changed")
    return ""


def _move(world: World, step: Step, _pause: Pause) -> str:
    number = step.number("holder")
    world.points[number] = step.number("point")
    _import(world, holders=(holder(number, world.points[number]),))
    world.note("moved")
    return ""


def _import(
    world: World, entitlements: tuple[Entitlement, ...] = (), holders: tuple[Holder, ...] = ()
) -> None:
    document = world.scope.document()
    empty = ImportDocument(mode=document.mode, source=document.source, issued=document.issued)
    changed = empty.model_copy(update={"entitlements": entitlements, "holders": holders})
    importing.apply(world.host.central, changed)


VERBS: Final[dict[str, Callable[[World, Step, Pause], str]]] = {
    "serve": _serve,
    "takeback": _take_back,
    "settle": _settle,
    "sync": _sync,
    "cut": _cut,
    "mend": _mend,
    "late": _late,
    "replay": _replay,
    "central": _central,
    "pass": _pass,
    "month": _month,
    "clock": _clock,
    "power": _power,
    "image": _image,
    "putback": _put_back,
    "clone": _clone,
    "losedisk": _lose_disk,
    "revoke": _revoke,
    "enrol": _enrol,
    "retire": _board(verbs_rare.retire, "counter", "screen"),
    "keyroll": _board(verbs_rare.roll_key, "counter", "screen"),
    "confirmdate": _board(verbs_rare.assert_clock, "counter", "screen"),
    "tidy": _board(verbs_rare.tidy, "sync"),
    "writeoff": _write_off,
    "askvoid": _ask_void,
    "backup": _backup,
    "restore": _restore,
    "due": _due,
    "move": _move,
}
