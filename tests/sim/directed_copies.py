"""Schedules about lost disks, second copies and machines that were replaced."""

from __future__ import annotations

from tests.sim.counter_work import take_back
from tests.sim.healing import heal
from tests.sim.saying import NOVEMBER, asks, expect, gets, is_refused, is_shut_out, served_elsewhere, syncs
from tests.sim.world import World

OIL = "h1/minyak/2026-11"


def enrolled_again_while_the_old_machine_hands_out(world: World) -> None:
    """A kiosk was replaced; the old machine, cut off, does not know: its rights stay in doubt."""
    world.network.cut.add("aaa1")
    newer = world.replace_machine("AAA1")
    expect(world.enrol(newer), "not enrolled")
    syncs(world, newer.name)
    is_refused(world, newer.name, "needs_network", "held_elsewhere")
    gets(world, "aaa1")
    world.network.cut.clear()
    is_shut_out(world, "aaa1", "stale_generation")
    expect(world.books().spent[NOVEMBER] == 10, "what the old machine handed out is not known")
    syncs(world, newer.name)
    is_refused(world, newer.name, "taken")
    # The period after the next is the first that no old grant speaks of.
    for _ in range(2):
        world.time.to_month_start()
        syncs(world, newer.name)
    gets(world, newer.name)


def disk_lost_with_what_was_not_sent(world: World) -> None:
    """Handed out, not sent, and the disk is gone: nobody hands it out again in this period."""
    gets(world, "aaa1")
    world.lose_disk(world.machines["aaa1"])
    newer = world.replace_machine("AAA1")
    expect(world.enrol(newer), "not enrolled")
    syncs(world, newer.name, "bbb1")
    is_refused(world, newer.name, "needs_network", "held_elsewhere")
    is_refused(world, "bbb1", "held_elsewhere")


def cloned_and_both_hand_out(world: World) -> None:
    """Two copies of a kiosk, both offline: both hand out; at the first contact they are found out."""
    world.network.cut.add("aaa1")
    copy = world.clone(world.machines["aaa1"])
    gets(world, "aaa1")
    gets(world, copy.name)
    world.network.cut.clear()
    syncs(world, "aaa1")
    is_shut_out(world, copy.name, "journal_fork")
    is_refused(world, copy.name, "taken", "frozen")
    is_shut_out(world, "aaa1", "kiosk_frozen")
    cases = [(code, len(refs)) for code, right, refs in world.books().cases if right == NOVEMBER]
    expect(cases == [("overspend", 2)], f"reported as {cases}")


def image_put_back_and_handed_out_again(world: World) -> None:
    """An old image comes back after a pickup was sent; offline it hands out once more, and is found out."""
    aaa = world.machines["aaa1"]
    world.take_image(aaa)
    gets(world, "aaa1")
    syncs(world, "aaa1")
    world.put_back(aaa)
    world.network.cut.add("aaa1")
    gets(world, "aaa1")
    world.network.cut.clear()
    is_shut_out(world, "aaa1", "journal_fork")
    is_refused(world, "aaa1", "taken", "frozen")
    expect(world.books().spent[NOVEMBER] == 20, "one of both is not known")


def image_put_back_and_nothing_done(world: World) -> None:
    """An old image comes back and syncs at once: it may not hand out."""
    aaa = world.machines["aaa1"]
    world.take_image(aaa)
    gets(world, "aaa1")
    syncs(world, "aaa1")
    world.put_back(aaa)
    is_shut_out(world, "aaa1", "ledger_rolled_back")
    word = asks(world, "aaa1")
    expect(word == "frozen", f"a rolled-back kiosk: {word}")


def image_put_back_and_a_right_asked_for(world: World) -> None:
    """The first contact after an old image came back is a tap: the grant itself tells."""
    bbb = world.machines["bbb1"]
    syncs(world, "bbb1")
    world.take_image(bbb)
    ref = served_elsewhere(world, "aaa1", "bbb1")
    expect(take_back(world, bbb, ref, "returned") == "", "refused")
    served_elsewhere(world, "bbb1", "aaa1")
    expect(
        take_back(world, world.machines["aaa1"], world.oracle.standing()[0].ref, "returned") == "", "refused"
    )
    syncs(world, "aaa1")
    world.put_back(bbb, boots=False)

    def release(step: str) -> None:
        if step == "recalled":
            syncs(world, "aaa1")

    word = asks(world, "bbb1", between=release)
    expect(not word.startswith("BBB1"), f"handed out after the image came back: {word}")
    expect(bbb.frozen() == "ledger_rolled_back", f"{bbb.frozen()!r} after {word}")
    is_shut_out(world, "bbb1", "ledger_rolled_back")


def voids_on_both_sides_of_a_fork(world: World) -> None:
    """Each copy takes back what it handed out itself; central does not mix them up."""
    world.network.cut.add("aaa1")
    copy = world.clone(world.machines["aaa1"])
    mine = gets(world, "aaa1", quantity=3)
    theirs = gets(world, copy.name, quantity=5)
    expect(mine == theirs, "the copies do not count alike")
    expect(take_back(world, copy, theirs, "returned") == "", "refused")
    world.network.cut.clear()
    world.sync(world.machines["aaa1"])
    world.sync(copy)
    expect(world.books().spent[OIL] == 3, f"{world.books().spent[OIL]} spent of 3")
    heal(world)


def both_sides_take_back_the_same(world: World) -> None:
    """A pickup from before the copy is taken back at both: it comes back once."""
    ref = gets(world, "aaa1", quantity=4)
    gets(world, "aaa1", quantity=3)
    world.network.cut.add("aaa1")
    copy = world.clone(world.machines["aaa1"])
    expect(take_back(world, world.machines["aaa1"], ref, "returned") == "", "refused")
    world.network.cut.add(copy.name)
    gets(world, copy.name, quantity=1)
    expect(
        copy.attempt("screen", lambda: copy.screen.void(ref, "returned", "x", copy.session)).code == "", "no"
    )
    world.network.cut.clear()
    world.sync(world.machines["aaa1"])
    world.sync(copy)
    expect(world.books().spent[OIL] == 4, f"{world.books().spent[OIL]} spent of 4")


def revoked_while_cut_off(world: World) -> None:
    """A kiosk is revoked; cut off, it hands out what it holds; then it sends all it has and stops."""
    world.network.cut.add("aaa1")
    world.revoke("AAA1")
    syncs(world, "bbb1")
    is_refused(world, "bbb1", "held_elsewhere")
    gets(world, "aaa1")
    world.network.cut.clear()
    machine = is_shut_out(world, "aaa1", "kiosk_revoked")
    expect(machine.ledger.waiting() == 0, "its journal was not sent")
    expect(machine.engine.caches.current_number_or_none() is None, "its cache is still there")
    expect(world.books().spent[NOVEMBER] == 10, "its pickup is not known")
