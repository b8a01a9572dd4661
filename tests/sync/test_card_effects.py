"""What becomes of a card at central, and what a kiosk makes of it: over the feed, and offline after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from kiosk.errors import CardFault
from kiosk.values import CardRead, Medium
from sync.central import cards, import_rows
from sync.central.card_issue import IssuedCard
from sync.central.feed import FeedChanges
from sync.central.models import holder
from sync.central.state import Central
from tests.sync.central_side import CARD_1
from tests.sync.whole import Kiosk, Whole, whole_city

UID, NEXT_UID = bytes.fromhex("04AABBCCDDEE01"), bytes.fromhex("04AABBCCDDEE02")


@pytest.fixture
def city(tmp_path: Path) -> Iterator[Whole]:
    with whole_city(tmp_path) as made:
        yield made


def chip(card: IssuedCard) -> CardRead:
    return CardRead(Medium.NFC, card.nfc, card.uid, card.chip)


def code(card: IssuedCard) -> CardRead:
    return CardRead(Medium.QR, card.qr.encode())


def outcome(kiosk: Kiosk, read: CardRead) -> tuple[str, Any]:
    """``served``, or the fault's code and what its detail says of the deny list."""
    with closing(kiosk.home.counter(kiosk.clock)) as counter:
        try:
            visit = counter.read(read)
        except CardFault as fault:
            return fault.code, fault.detail.get("denied")
        counter.leave(visit)
        return "served", None


def say_deceased(central: Central) -> None:
    """The register says so of the holder, as an import does."""

    def work(connection: Any) -> None:
        connection.execute(update(holder).where(holder.c.card_no == CARD_1).values(status="deceased"))
        changes = FeedChanges()
        import_rows.tell_holders(connection, changes, central.keys.nik, [1])
        changes.write(connection)

    central.database.write(work)


def issue_next(replaces: str) -> Callable[[Central], object]:
    return lambda central: cards.issue(central, 1, "NTAG215", NEXT_UID, replaces=replaces)


def revoke(reason: str) -> Callable[[Central], object]:
    return lambda central: cards.revoke(central, CARD_1, None, reason)


@pytest.mark.parametrize(
    ("happens", "refused"),
    [
        pytest.param(revoke("lost"), ("card_lost", None), id="lost"),
        pytest.param(revoke("stolen"), ("card_stolen", None), id="stolen"),
        pytest.param(revoke("revoked"), ("card_revoked", None), id="revoked"),
        pytest.param(revoke("deceased"), ("card_deceased", None), id="deceased, by the card"),
        pytest.param(say_deceased, ("card_deceased", None), id="deceased, by the register"),
        pytest.param(issue_next("replaced"), ("card_superseded", "replaced"), id="replaced"),
        pytest.param(issue_next("stolen"), ("card_superseded", "stolen"), id="stolen and replaced"),
    ],
)
def test_out_of_use_at_the_kiosk_by_its_own_code(
    city: Whole, happens: Callable[[Central], object], refused: tuple[str, str | None]
) -> None:
    made = cards.issue(city.central, 1, "NTAG215", UID)
    kiosk = city.enrol()
    assert kiosk.sync() == ""
    for read in (chip(made), code(made)):
        assert outcome(kiosk, read) == ("served", None)
    happens(city.central)
    # A kiosk knows what it was told: until the next round the card is served.
    assert outcome(kiosk, chip(made)) == ("served", None)
    assert kiosk.sync() == ""
    for read in (chip(made), code(made)):
        assert outcome(kiosk, read) == refused
    city.line.lose_requests = 1_000_000
    kiosk.stop()
    assert kiosk.sync() == "central_unreachable"
    for read in (chip(made), code(made)):
        assert outcome(kiosk, read) == refused


def test_expired_needs_nobody_to_say_so(city: Whole) -> None:
    made = cards.issue(city.central, 1, "NTAG215", UID)
    kiosk = city.enrol()
    # Years pass, the last contact is seconds ago: a clock that only jumps would not be believed.
    city.clock.now = made.expires_at - 5
    assert kiosk.sync() == ""
    city.line.lose_requests = 1_000_000
    assert outcome(kiosk, chip(made))[0] == "served"
    city.clock.now = made.expires_at
    for read in (chip(made), code(made)):
        assert outcome(kiosk, read)[0] == "card_expired"


def test_the_next_card_is_served_and_the_one_before_never_again(city: Whole) -> None:
    first = cards.issue(city.central, 1, "NTAG215", UID)
    kiosk = city.enrol()
    second = cards.issue(city.central, 1, "NTAG215", NEXT_UID, replaces="lost")
    assert kiosk.sync() == ""
    assert outcome(kiosk, chip(first)) == ("card_superseded", "lost")
    assert outcome(kiosk, chip(second)) == ("served", None)
    # Printed before its chip is known, a card is served by its code.
    third = cards.issue(city.central, 1, "NTAG215", b"")
    assert third.nfc == b""
    assert kiosk.sync() == ""
    assert outcome(kiosk, chip(second)) == ("card_superseded", "replaced")
    assert outcome(kiosk, code(third)) == ("served", None)
