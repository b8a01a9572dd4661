"""Officers' badges: a card of the same kinds, which opens no visit and is the second factor of a sign-in."""

from __future__ import annotations

from typing import Any

import pytest

from kiosk.credential import to_qr
from kiosk.errors import CardFault, OfficerFault
from kiosk.journal_format import decode
from kiosk.values import CardRead
from tests.kiosk.city import shown, tapped
from tests.kiosk.counter_world import OFFICER, PIN, SUPERVISOR, World

BADGE, OTHERS = "B-rina", "B-budi"
UNTIL = 1_830_000_000


@pytest.fixture
def badged(world: World) -> World:
    """Rina must show her badge; Budi has one and need not."""
    world.put("badge", BADGE, OFFICER, 2, 1)
    world.put("badge", OTHERS, SUPERVISOR, 1, 0)
    return world


def badge(world: World, number: str = BADGE, issue: int = 2) -> CardRead:
    return tapped(world.city.chip(number, issue, expires_at=UNTIL))


def refused(code: str, work: Any, *args: Any) -> dict[str, Any]:
    with pytest.raises((OfficerFault, CardFault)) as caught:
        work(*args)
    assert caught.value.code == code
    return dict(caught.value.detail)


def test_a_badge_opens_no_visit(badged: World) -> None:
    assert refused("card_is_badge", badged.counter.read, badge(badged)) == {"username": OFFICER}


def test_badge_and_pin(badged: World) -> None:
    refused("badge_needed", badged.counter.sign_in, OFFICER, PIN)
    session = badged.counter.sign_in(OFFICER, PIN, badge(badged))
    assert session.username == OFFICER
    record = decode(bytes(badged.ledger.rows("SELECT record FROM journal ORDER BY seq DESC LIMIT 1")[0][0]))
    assert (record.type, record.card, record.assurance) == ("sign_in", BADGE, "p1")


def test_the_badge_is_no_pin(badged: World) -> None:
    refused("wrong_pin", badged.counter.sign_in, OFFICER, "000000", badge(badged))
    assert badged.counter.sign_in(OFFICER, PIN, badge(badged)).username == OFFICER


def test_a_badge_that_is_not_needed_may_be_shown(badged: World) -> None:
    assert badged.counter.sign_in(SUPERVISOR, PIN).username == SUPERVISOR
    assert badged.counter.sign_in(SUPERVISOR, PIN, badge(badged, OTHERS, 1)).username == SUPERVISOR


def test_somebody_elses(badged: World) -> None:
    refused("wrong_badge", badged.counter.sign_in, SUPERVISOR, PIN, badge(badged))
    badged.put_holder(4, "SITI")
    refused("wrong_badge", badged.counter.sign_in, SUPERVISOR, PIN, badged.card(4))


def test_an_older_one(badged: World) -> None:
    refused("card_superseded", badged.counter.read, badge(badged, issue=1))
    refused("card_superseded", badged.counter.sign_in, OFFICER, PIN, badge(badged, issue=1))


def test_a_picture_of_its_code(badged: World) -> None:
    printed = shown(to_qr(badged.city.printed(BADGE, 2)))
    refused("card_badge_copied", badged.counter.read, printed)
    refused("card_badge_copied", badged.counter.sign_in, OFFICER, PIN, printed)


def test_a_copied_uid_is_no_badge(badged: World) -> None:
    """The credential is the factor, never the UID alone."""
    genuine = badge(badged)
    other_chip = CardRead(genuine.medium, genuine.payload, b"\x04" * 7)
    bare = CardRead(genuine.medium, b"", genuine.uid, "NTAG215")
    holders = CardRead(genuine.medium, badged.card(1).payload, genuine.uid, "NTAG215")
    for copy, code in ((other_chip, "card_wrong_chip"), (bare, "card_empty"), (holders, "wrong_badge")):
        refused(code, badged.counter.sign_in, OFFICER, PIN, copy)
    for copy, code in ((other_chip, "card_wrong_chip"), (bare, "card_empty"), (holders, "not_a_badge")):
        refused(code, badged.counter.badge_owner, copy)
    assert badged.ledger.rows("SELECT 1 FROM journal WHERE type = 'sign_in'") == []
    assert badged.counter.sign_in(OFFICER, PIN, genuine).username == OFFICER
