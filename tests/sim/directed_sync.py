"""Schedules about the way between kiosks and central."""

from __future__ import annotations

from kiosk.grant import open_grant
from kiosk.rights import release
from sync.pushing import Pusher
from sync.wire import JournalRequest
from tests.sim import invariants
from tests.sim.city import Due
from tests.sim.saying import NOVEMBER, asks, expect, gets, is_now_due, is_refused, served_elsewhere, syncs
from tests.sim.world import World

OIL = "h1/minyak/2026-11"


def reply_lost_after_commit(world: World) -> None:
    """Central has the records, the kiosk does not know it: sent again, they count once."""
    machine = world.machines["aaa1"]
    gets(world, "aaa1")
    world.network.next_fates = ["reply_lost"]
    expect(world.sync(machine).code == "central_unreachable", "the reply came")
    expect(machine.ledger.acked(1) == 0, "acknowledged without an answer")
    world.network.next_fates = ["doubled", "reply_lost"]
    world.sync(machine)
    syncs(world, "aaa1")
    expect(world.books().spent[NOVEMBER] == 10, "not counted once")


def killed_between_push_and_acknowledgement(world: World) -> None:
    """The sync process dies with central's answer in its hand."""
    machine = world.machines["aaa1"]
    gets(world, "aaa1")
    for countdown in (1, 2, 3, 4):
        world.sync(machine, countdown)
        world.sync(machine, countdown)
    syncs(world, "aaa1")
    expect(world.books().spent[NOVEMBER] == 10, "not counted once")
    expect(world.frames.points.get("network:after arrival", 0) > 0, "never died there")


def pushes_doubled_late_and_out_of_order(world: World) -> None:
    """A push arrives late and twice; one that skips records is not taken, nor the release in it."""
    aaa = world.machines["aaa1"]
    gets(world, "aaa1")
    world.network.next_fates = ["late"]
    world.sync(aaa)
    # What follows the pickup is sent without it: a release behind a gap frees nothing.
    released = release(aaa.screen._journal, NOVEMBER.replace("2026-11", "2026-12"))
    expect(released is not None, "nothing to release")
    last = aaa.ledger.head_seq(1)
    batch = Pusher(aaa.path, aaa.engine.ledger, 1, aaa.engine.client.push)._batch(1, last)
    outcome = aaa.attempt("sync", lambda: aaa.engine.client.push(batch))
    expect(outcome.value is not None and outcome.value.status == "gap", f"a gap was taken: {outcome}")
    expect(world.books().held[NOVEMBER.replace("2026-11", "2026-12")][0] == "AAA1", "freed behind a gap")
    syncs(world, "aaa1")
    expect(world.network.deliver_late() == 200, "the late push is refused")
    whole = Pusher(aaa.path, aaa.engine.ledger, 1, aaa.engine.client.push)._batch(1, 1)
    for _ in range(2):
        again = aaa.attempt("sync", lambda: aaa.engine.client.push(whole))
        expect(again.value is not None and again.value.status == "ok", f"sent again: {again}")
    invariants.books_are_right(world.books(), world.oracle)
    halves = JournalRequest(gen=1, from_seq=2, records=whole.records[1:])
    aaa.attempt("sync", lambda: aaa.engine.client.push(halves))


def stale_grant_comes_again(world: World) -> None:
    """Every grant that was ever made for the kiosk comes again after its right went elsewhere."""
    aaa = world.machines["aaa1"]
    old = aaa.ledger.right(NOVEMBER)
    assert old is not None
    served_elsewhere(world, "aaa1", "bbb1")
    for grant in (old.grant, *world.network.grants.get("aaa1", [])):
        world.replay(aaa, grant)
        word = asks(world, "aaa1")
        expect(not word.startswith("AAA1"), f"handed out on an old grant: {word}")


def stale_grant_while_held(world: World) -> None:
    """The grant from before a renewal comes again while the renewed one is held."""
    aaa = world.machines["aaa1"]
    old = aaa.ledger.right(NOVEMBER)
    assert old is not None
    is_now_due(world, Due(1, "h1", "beras", 12))
    syncs(world, "aaa1")
    world.replay(aaa, old.grant)
    held = aaa.ledger.right(NOVEMBER)
    expect(held is not None and held.epoch[1] == 2 and held.quantity_left == 12, f"after the replay: {held}")


def grant_of_another_comes_by(world: World) -> None:
    """A grant made for another kiosk, and one for another generation, are none here."""
    aaa, bbb = world.machines["aaa1"], world.machines["bbb1"]
    held = aaa.ledger.right(NOVEMBER)
    assert held is not None
    world.replay(bbb, held.grant)
    is_refused(world, "bbb1", "held_elsewhere")
    newer = world.replace_machine("AAA1")
    expect(world.enrol(newer), "not enrolled")
    syncs(world, newer.name)
    world.replay(newer, held.grant)
    word = asks(world, newer.name)
    expect(not word.startswith("AAA1"), f"handed out on the old generation's grant: {word}")
    gets(world, "aaa1")


def renewal_crosses_a_pickup(world: World) -> None:
    """More is granted while a pickup of the same right is not sent yet: it is taken off all the same."""
    aaa = world.machines["aaa1"]
    world.network.cut.add("aaa1")
    gets(world, "aaa1", quantity=7)
    is_now_due(world, Due(2, "h1", "minyak", 12))
    world.network.cut.clear()
    # The poll is answered before the push: the grant knows nothing of the pickup.
    outcome = aaa.attempt("sync", lambda: aaa.engine.poll(0.0))
    expect(outcome.value is not None and len(outcome.value.grants) > 0, "no renewal")
    held = aaa.ledger.right(OIL)
    expect(held is not None and held.epoch[1] == 2 and held.quantity_left == 5, f"after the renewal: {held}")
    syncs(world, "aaa1")
    gets(world, "aaa1", quantity=12)
    expect(world.oracle.out(OIL) == 12, "not all that is due went out")
    is_refused(world, "aaa1", "taken")


def release_crosses_a_renewal(world: World) -> None:
    """A release on its way cannot take back the grant that was made after it."""
    aaa = world.machines["aaa1"]
    expect(release(aaa.screen._journal, NOVEMBER) is not None, "nothing to release")
    is_now_due(world, Due(1, "h1", "beras", 12))
    outcome = aaa.attempt("sync", lambda: aaa.engine.poll(0.0))
    grants = [open_grant(one, aaa.home.keyset()) for one in outcome.value.grants] if outcome.value else []
    expect(NOVEMBER in {one.right for one in grants}, "no renewal")
    syncs(world, "aaa1")
    expect(world.books().held[NOVEMBER][0] == "AAA1", "the old release freed the new grant")
    world.network.cut.add("aaa1")
    gets(world, "aaa1")
    syncs(world, "bbb1")
    is_refused(world, "bbb1", "held_elsewhere")


def grant_lost_on_its_way(world: World) -> None:
    """Central granted and the answer is lost: the poll brings it, and unused it goes home by itself."""
    bbb = world.machines["bbb1"]
    syncs(world, "aaa1", "bbb1")
    asks(world, "bbb1")
    syncs(world, "aaa1")
    world.network.next_fates = ["reply_lost", "reply_lost", "reply_lost"]
    expect(not asks(world, "bbb1").startswith("BBB1"), "served without an answer")
    syncs(world, "bbb1")
    held = bbb.ledger.right(NOVEMBER)
    expect(held is not None and held.held, "the lost grant did not come by poll")
    is_refused(world, "aaa1", "held_elsewhere", "needs_network")


def central_dies_between_commit_and_reply(world: World) -> None:
    """Central dies at each of its steps while it takes a pickup in."""
    aaa = world.machines["aaa1"]
    gets(world, "aaa1")
    for countdown in range(1, 9):
        world.host.next_countdown = countdown
        world.sync(aaa)
        world.host.restart()
        invariants.books_are_right(world.books(), world.oracle)
    expect(world.host.stops > 3, "it never died")
    syncs(world, "aaa1")
    expect(world.books().spent[NOVEMBER] == 10, "not counted once")


def less_is_due_than_was_granted(world: World) -> None:
    """An agency cuts what is due: the recall for it holds until it is answered, also after a pickup."""
    gets(world, "aaa1", quantity=3)
    is_now_due(world, Due(2, "h1", "minyak", 3))
    syncs(world, "aaa1", "aaa1", "bbb1")
    is_refused(world, "aaa1", "taken")
    is_refused(world, "bbb1", "taken")


def pages_of_one_row(world: World) -> None:
    """The feed in pages of one row, and something new between them: the same cache in the end."""
    bbb = world.machines["bbb1"]
    syncs(world, "bbb1")
    gets(world, "aaa1", 1, "beras")
    gets(world, "aaa1", 1, "minyak", 3)
    syncs(world, "aaa1")
    world.network.next_fates = ["ok", "meanwhile_reply", "meanwhile_reply", "reply_lost"]
    given: list[str] = []

    def meanwhile(machine: str) -> None:
        if machine == "bbb1" and len(given) < 2:
            fates, world.network.next_fates = world.network.next_fates, []
            given.append(gets(world, "aaa1", 1, ("minyak", "sembako")[len(given)], 2))
            syncs(world, "aaa1")
            world.network.next_fates = fates

    world.network.meanwhile = meanwhile
    world.sync(bbb)
    expect(len(given) > 0, "nothing happened between the pages")
    world.network.next_fates.clear()
    syncs(world, "bbb1")
    bbb.engine.caches.wipe()
    bbb.kill("screen")
    syncs(world, "bbb1", "aaa1", "aaa2")
    invariants.caches_agree(world)
