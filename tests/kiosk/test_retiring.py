"""A kiosk that retires: one record gives every right back, and nothing is handed out or taken in any more."""

from __future__ import annotations

import pytest

from kiosk import freezing, retiring
from kiosk.errors import OfficerFault
from kiosk.freezing import freeze_ledger
from kiosk.journal_format import decode
from kiosk.journal_walk import verify_journal
from kiosk.ledger import JOURNAL
from kiosk.retiring import retire
from kiosk.rights import GrantOutcome, held_epochs
from kiosk.stock_records import receive
from kiosk.stock_slice import make
from kiosk.values import StateCode
from tests.kiosk.counter_world import OFFICER, SUPERVISOR, World
from tests.kiosk.test_stock import SLICE

RICE = "h1/beras/2026-11"


def test_one_record_gives_everything_back_for_good(world: World) -> None:
    world.take_in(world.grant())
    world.take_in(world.grant("h2/beras/2026-11", 7))
    journal = world.counter.journal_of_supervisor(world.sign_in(SUPERVISOR))
    receive(journal, [make(SLICE, world.city.central, b"c-now")], world.home.keyset())
    gone = retire(journal, "budi")
    assert (gone.rights, gone.slices) == (2, 1)
    rows = world.ledger.rows(f"SELECT record FROM {JOURNAL} WHERE type IN ('release', 'stock') ORDER BY seq")
    records = [decode(bytes(row[0])) for row in rows]
    assert [(one.type, one.right) for one in records] == [("stock", ""), ("release", "*"), ("stock", "")]
    assert (records[1].detail, records[1].epoch, records[1].officer) == ({"upto": [1, 7]}, (1, 7), "budi")
    assert world.counter.status().frozen == freezing.RETIRED
    # Outstanding until central has the record, so that the two agree on what lies here.
    assert {right for right, _ in held_epochs(world.ledger, 1)} == {RICE, "h2/beras/2026-11"}
    assert verify_journal(world.ledger)["intact"]


def test_a_retired_kiosk_hands_out_and_takes_in_nothing(world: World) -> None:
    world.take_in(world.grant())
    rina = world.sign_in()
    visit = world.counter.read(world.card(), rina)
    assert visit.rows[0].state.code is StateCode.READY
    retire(world.counter._journal, "budi")
    assert world.take_in(world.grant(n=1)) is GrantOutcome.RELEASED
    assert world.take_in(world.grant(n=2)) is GrantOutcome.RELEASED
    assert world.take_in(world.grant("h3/beras/2026-11")) is GrantOutcome.RELEASED  # never known here
    slices = [make(SLICE, world.city.central, b"c-now")]
    assert receive(world.counter._journal, slices, world.home.keyset()) == 0
    with pytest.raises(OfficerFault) as refused:
        world.confirm(rina)
    assert refused.value.code in ("right_not_held", "frozen")
    freezing.thaw(world.ledger)
    assert world.counter.status().frozen == freezing.RETIRED


def test_what_was_handed_out_can_still_be_taken_back(world: World) -> None:
    world.take_in(world.grant())
    rina = world.sign_in()
    ref = world.confirm(rina).ref
    retire(world.counter._journal, "budi")
    assert world.counter.void(ref, "never_left", "salah", rina).voided
    right = world.ledger.right(RICE)
    assert right is not None
    assert not right.held


def test_a_stop_in_between_is_mended_by_repeating(world: World) -> None:
    world.take_in(world.grant())
    journal = world.counter._journal
    receive(journal, [make(SLICE, world.city.central, b"c-now")], world.home.keyset())
    assert retiring._release_all(journal, "budi") == 1  # and here the power went
    gone = retire(journal, "budi")
    assert (gone.rights, gone.slices) == (0, 1)
    again = retire(journal, "budi")
    assert (again.rights, again.slices) == (0, 0)
    releases = world.ledger.rows(f"SELECT 1 FROM {JOURNAL} WHERE type = 'release'")
    assert len(releases) == 1


@pytest.mark.parametrize("why", [freezing.FORKED, freezing.ROLLED_BACK])
def test_a_journal_whose_word_is_worth_nothing_frees_nothing(world: World, why: str) -> None:
    world.take_in(world.grant())
    freeze_ledger(world.ledger, why)
    with pytest.raises(OfficerFault) as refused:
        retire(world.counter._journal, "budi")
    assert (refused.value.code, refused.value.detail["why"]) == ("frozen", why)
    assert held_epochs(world.ledger, 1) == [(RICE, (1, 1))]


def test_a_revoked_kiosk_may_still_give_back(world: World) -> None:
    world.take_in(world.grant())
    freeze_ledger(world.ledger, freezing.REVOKED)
    assert retire(world.counter._journal, "budi").rights == 1
    assert world.counter.status().frozen == freezing.REVOKED


def test_only_a_supervisor(world: World) -> None:
    with pytest.raises(OfficerFault) as refused:
        world.counter.journal_of_supervisor(world.sign_in(OFFICER))
    assert refused.value.code == "supervisor_needed"
