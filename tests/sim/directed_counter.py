"""Schedules about what happens at counters."""

from __future__ import annotations

from pathlib import Path

from kiosk.ledger import LEDGER_FILE
from tests.sim.counter_work import settle, take_back
from tests.sim.saying import NOVEMBER, asks, expect, gets, is_refused, served_elsewhere, syncs
from tests.sim.world import World


def recall_races_a_dispense(world: World) -> None:
    """The right goes back after the screen said that it is here, and before the pickup is written."""
    aaa, bbb = world.machines["aaa1"], world.machines["bbb1"]
    syncs(world, "aaa1", "bbb1")
    expect(asks(world, "bbb1") == "held_elsewhere", "the other kiosk has it without asking")
    raced: list[str] = []

    def faster(path: Path) -> None:
        if path == aaa.path / LEDGER_FILE and aaa.busy("screen") and not raced and not aaa.busy("sync"):
            raced.append("now")
            syncs(world, "aaa1")
            expect(asks(world, "bbb1").startswith("BBB1"), "what was released is not to be had")

    def about_to_confirm(step: str) -> None:
        world.frames.before_write = faster

    word = asks(world, "aaa1", between=about_to_confirm)
    world.frames.before_write = lambda path: None
    expect(bool(raced) and word == "right_not_held", f"after the recall: {word}")
    syncs(world, "aaa1", "bbb1")
    expect(bbb.pickup("BBB1-0001") is not None, "no pickup at the other kiosk")
    is_refused(world, "aaa1", "taken")


def served_elsewhere_while_both_are_online(world: World) -> None:
    """A citizen comes to another point: the idle right comes back within seconds."""
    served_elsewhere(world, "aaa1", "bbb1")
    syncs(world, "aaa1", "bbb1")
    is_refused(world, "aaa1", "taken")
    is_refused(world, "bbb1", "taken")


def void_of_a_released_right(world: World) -> None:
    """Goods come back to the first counter after the rest went to the second: they are no right there."""
    ref = gets(world, "aaa1", quantity=4)
    served_elsewhere(world, "aaa1", "bbb1", quantity=6)
    expect(take_back(world, world.machines["aaa1"], ref, "returned") == "", "the void is refused")
    world.network.cut.add("aaa1")
    is_refused(world, "aaa1", "held_elsewhere", "needs_network", "taken")
    world.network.cut.clear()
    syncs(world, "aaa1", "bbb1", "bbb1", "aaa1")
    # Four came back: wherever they lie now, somebody hands them out, and no more than that.
    expect(gets(world, "aaa1", quantity=10) != "", "what came back is lost")
    expect(world.oracle.out(NOVEMBER.replace("beras", "minyak")) == 10, "not all that is due went out")


def month_turns_offline(world: World) -> None:
    """The first morning of a month without any network: everybody is served at their usual point."""
    gets(world, "aaa1", 1, "beras")
    world.network.cut.update(world.machines)
    world.time.to_month_start()
    gets(world, "aaa1", 1, "beras")
    gets(world, "aaa1", 1, "minyak", 3)
    gets(world, "aaa1", 1, "minyak", 7)
    gets(world, "bbb1", 2, "beras")
    is_refused(world, "aaa2", "held_elsewhere", "needs_network", holder=1, program="beras")
    is_refused(world, "aaa1", "taken", holder=1, program="beras")


def next_month_after_a_sync(world: World) -> None:
    """What was granted in one month is spendable on the first morning of the next, cut off since."""
    world.time.to_month_start()
    syncs(world, "aaa1", "bbb1")
    world.network.cut.add("aaa1")
    world.time.to_month_start()
    gets(world, "aaa1")


def died_before_it_was_shown(world: World) -> None:
    """Recorded, and the power went: nothing left the counter, or it did; the officer knows."""
    machine = world.machines["aaa1"]
    expect(asks(world, "aaa1", dies_at={"confirm": 2}).startswith("died"), "it did not die")
    is_refused(world, "aaa1", "taken")
    expect(settle(world, machine) == 1, "nobody asks about it")
    expect(asks(world, "aaa1", dies_at={"show": 1}).startswith("died"), "it did not die the second time")
    expect(len(world.oracle.standing()) == 1, "the goods are gone")
    expect(settle(world, machine) == 1, "nobody asks about the second one")
    is_refused(world, "aaa1", "taken")


def family_by_two_cards(world: World) -> None:
    """Two members of a family come to two points for what the family is due once."""
    world.network.cut.add("bbb1")
    gets(world, "aaa1", 1)
    is_refused(world, "bbb1", "held_elsewhere", "needs_network", holder=2)
    is_refused(world, "aaa1", "taken", holder=2)
    world.network.cut.clear()
    syncs(world, "aaa1", "bbb1")
    is_refused(world, "bbb1", "taken", holder=2)


def programs_that_exclude_each_other(world: World) -> None:
    """Who took the smaller benefit has no claim to the rest of the larger one."""
    gets(world, "aaa1", 1, "tunai")
    is_refused(world, "aaa1", "taken", program="beras")
    syncs(world, "aaa1", "bbb1")
    is_refused(world, "bbb1", "taken", program="beras")


def cut_off_kiosk_keeps_its_right(world: World) -> None:
    """A kiosk is cut off for a long time: its right stays with it, and nobody else hands it out."""
    world.network.cut.add("aaa1")
    for _ in range(3):
        syncs(world, "bbb1")
        is_refused(world, "bbb1", "held_elsewhere")
        world.time.go_on(86_000)
    gets(world, "aaa1")
    syncs(world, "bbb1")
    is_refused(world, "bbb1", "held_elsewhere")


def answer_comes_after_the_visit(world: World) -> None:
    """The grant asked for on a tap is late: by then the right went back and was handed out elsewhere."""
    bbb = world.machines["bbb1"]
    syncs(world, "aaa1", "bbb1")
    asks(world, "bbb1")
    syncs(world, "aaa1")
    # Free at central now, and waiting for the second kiosk, whose question is answered slowly.
    world.network.next_fates = ["meanwhile_reply"]

    def meanwhile(_machine: str) -> None:
        syncs(world, "bbb1")
        expect(bbb.ledger.right(NOVEMBER) is not None, "the grant did not come by poll")
        served_elsewhere(world, "bbb1", "aaa1")

    world.network.meanwhile = meanwhile
    word = asks(world, "bbb1")
    expect(not word.startswith("BBB1"), f"handed out on an old grant: {word}")
    expect(len(world.oracle.standing()) == 1, "nothing happened meanwhile")


def taken_back_and_handed_out_again(world: World) -> None:
    """A void before anything was sent, and another pickup after it."""
    world.network.cut.add("aaa1")
    ref = gets(world, "aaa1")
    expect(take_back(world, world.machines["aaa1"], ref, "never_left") == "", "refused")
    gets(world, "aaa1")
    is_refused(world, "aaa1", "taken")


def second_counter_of_the_point(world: World) -> None:
    """The keeper's counter holds the point's rights; the second one gets them through central."""
    served_elsewhere(world, "aaa1", "aaa2")
    world.network.cut.add("aaa1")
    is_refused(world, "aaa2", "taken", program="beras")
    is_refused(world, "aaa2", "held_elsewhere", holder=1, program="minyak")
