"""Schedules about central's memory, boards that tell, and hand-outs without the right."""

from __future__ import annotations

from tests.sim import invariants
from tests.sim.city import Due
from tests.sim.saying import NOVEMBER, asks, expect, gets, is_now_due, is_refused, served_elsewhere, syncs
from tests.sim.verbs_rare import assert_clock, back_up, forget_log, restore, retire, roll_key, write_off
from tests.sim.world import World

EGGS = "h1/telur/2026-11"


def old_image_told_by_the_board(world: World) -> None:
    """An old image of the disk comes back, cut off: the board's counter tells, and nothing is handed out."""
    aaa = world.machines["aaa1"]
    syncs(world, "aaa1")
    world.take_image(aaa)
    gets(world, "aaa1")
    world.power_cut(aaa)
    syncs(world, "aaa1")
    world.put_back(aaa)
    world.network.cut.add("aaa1")
    is_refused(world, "aaa1", "frozen")


def restored_to_before_a_move(world: World) -> None:
    """Central goes back to before a right went to another kiosk and was handed out there."""
    syncs(world, "aaa1", "bbb1")
    back_up(world)
    served_elsewhere(world, "aaa1", "bbb1")
    syncs(world, "bbb1", "aaa1")
    restore(world, 0)
    word = asks(world, "aaa1")
    expect(not word.startswith("AAA1"), f"handed out once more: {word}")
    syncs(world, "aaa1", "bbb1", "aaa1")
    expect(world.books().spent[NOVEMBER] == 10, "what was handed out is not known again")


def restored_and_changed_since(world: World) -> None:
    """As many changes follow the restore as were lost by it, others: no cache takes the one for the other."""
    syncs(world, "aaa1", "bbb1")
    back_up(world)
    gets(world, "aaa1")
    syncs(world, "aaa1", "bbb1")
    world.network.cut.add("aaa1")
    restore(world, 0)
    is_now_due(world, Due(1, "h1", "beras", 12))
    syncs(world, "bbb1")
    world.network.cut.clear()
    syncs(world, "bbb1", "aaa1", "bbb1", "aaa1")
    invariants.caches_agree(world)


def restored_without_its_log(world: World) -> None:
    """Central loses its database and the log: nothing strict is granted until everybody has reported."""
    syncs(world, "aaa1", "bbb1")
    aaa = world.machines["aaa1"]
    released = aaa.attempt("sync", lambda: aaa.engine.poll(0.0))
    expect(released.value is not None, "no poll")
    asks(world, "bbb1")
    syncs(world, "aaa1")
    back_up(world)
    # Free at central by the backup; granted since, and the log that says so is gone.
    expect(asks(world, "bbb1", leaves_early=False).startswith("BBB1"), "not served elsewhere")
    world.network.cut.add("bbb1")
    forget_log(world)
    restore(world, 0)
    word = asks(world, "aaa1")
    expect(not word.startswith("AAA1"), f"handed out once more: {word}")
    syncs(world, "aaa1")
    word = asks(world, "aaa1")
    expect(not word.startswith("AAA1"), f"handed out before all have reported: {word}")
    world.network.cut.clear()
    syncs(world, "bbb1", "aaa1")
    is_refused(world, "aaa1", "taken")


def restored_and_asked_again(world: World) -> None:
    """A kiosk had and gave back what central has forgotten: the next grant is a higher one all the same."""
    syncs(world, "aaa1", "bbb1")
    asks(world, "bbb1")
    syncs(world, "aaa1")
    back_up(world)
    asks(world, "bbb1", leaves_early=True)
    syncs(world, "bbb1")
    forget_log(world)
    restore(world, 0)
    syncs(world, "aaa1", "bbb1")
    gets(world, "bbb1")


def restored_after_a_replacement(world: World) -> None:
    """Central goes back to before a kiosk was enrolled again: the new machine is known all the same."""
    back_up(world)
    newer = world.replace_machine("BBB1")
    expect(world.enrol(newer), "not enrolled")
    syncs(world, newer.name)
    restore(world, 0)
    syncs(world, "aaa1")
    outcome = world.sync(newer)
    expect(outcome.value is not None, f"the new machine is not known: {outcome.code}")


def without_the_right_within_limits(world: World) -> None:
    """Cut off and without the right, a tolerant program is handed out within its limits, and told of."""
    aaa, bbb = world.machines["aaa1"], world.machines["bbb1"]
    syncs(world, "aaa1", "bbb1")
    world.network.cut.update(("aaa1", "bbb1"))
    gets(world, "aaa1", 1, "telur", 10)
    ref = gets(world, "bbb1", 1, "telur", 5)
    expect(bbb.without_right(ref) and not aaa.without_right("AAA1-0001"), "which was without the right?")
    gets(world, "bbb1", 1, "telur", 3)
    is_refused(world, "bbb1", "held_elsewhere", "needs_network", program="telur")
    world.network.cut.clear()
    syncs(world, "aaa1", "bbb1")
    cases = [(code, len(refs)) for code, right, refs in world.books().cases if right == EGGS]
    expect(cases == [("overspend_tolerated", 2), ("overspend_tolerated", 3)], f"reported as {cases}")


def written_off_and_handed_out_all_the_same(world: World) -> None:
    """A lost kiosk is written off by two; its right goes elsewhere; then it comes back with a pickup."""
    world.network.cut.add("aaa1")
    world.revoke("AAA1")
    expect("freed" in write_off(world, "AAA1"), "nothing is written off")
    syncs(world, "bbb1")
    gets(world, "bbb1")
    gets(world, "aaa1")
    world.network.cut.clear()
    world.sync(world.machines["aaa1"])
    told = [code for code, right, _ in world.books().cases if right == NOVEMBER]
    expect(len(told) == 1, f"told as {told}")


def retired_and_served_elsewhere(world: World) -> None:
    """A kiosk retires by its own record: all it held is free at once, and it hands out nothing any more."""
    aaa = world.machines["aaa1"]
    expect("Retirement" in retire(world, aaa, 0), "it does not retire")
    is_refused(world, "aaa1", "held_elsewhere", "needs_network")
    world.sync(aaa)
    syncs(world, "bbb1")
    gets(world, "bbb1")


def key_rolled_at_each_step(world: World) -> None:
    """The device's key is rolled and the process dies at each step of it: nothing is lost or doubled."""
    aaa = world.machines["aaa1"]
    gets(world, "aaa1")
    for countdown in (1, 2, 3, 4, 5, 0):
        roll_key(world, aaa, countdown)
    syncs(world, "aaa1")
    world.time.to_month_start()
    gets(world, "aaa1")
    syncs(world, "aaa1")


def date_confirmed_by_a_supervisor(world: World) -> None:
    """The clock's battery died: the supervisor says what day it is, and people are served."""
    aaa = world.machines["aaa1"]
    gets(world, "aaa1", quantity=3)
    syncs(world, "aaa1")
    world.network.cut.add("aaa1")
    aaa.clock.offset_s = -400 * 86_400
    world.power_cut(aaa)
    word = assert_clock(world, aaa, 0)
    expect("T" in word, f"the date cannot be confirmed: {word}")
    gets(world, "aaa1", quantity=7)
