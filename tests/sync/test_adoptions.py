"""Cards from before this system and officers' badges, from one counter by central to the next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest

from kiosk.adopting import OldCard
from kiosk.counter import Counter
from kiosk.errors import CardFault, OfficerFault
from kiosk.values import CardRead, Grade, Medium
from sync.central import adoptions, holder_merge, importing, officer_badges, officer_rows
from sync.central.identity_numbers import card_no_of
from tests.sync.central_side import CARD_1, city, holder
from tests.sync.whole import Kiosk, Whole

UID = bytes.fromhex("04a1b2c3d4e5f6")
OLD = OldCard("uid", UID.hex())
CARD_2 = card_no_of(2)
PIN = "482913"


@pytest.fixture
def whole(whole: Whole) -> Whole:
    """A central with an officer who has a PIN."""
    officer_rows.add(whole.central, "rina", "Rina", "officer", 1, date(2027, 6, 1), PIN)
    return whole


@pytest.fixture
def first(whole: Whole) -> Kiosk:
    made = whole.enrol()
    assert made.sync() == ""
    return made


@pytest.fixture
def second(whole: Whole, first: Kiosk) -> Kiosk:
    """Another counter of the same point."""
    made = whole.enrol("AAA2")
    assert made.sync() == ""
    return made


@contextmanager
def counter_of(kiosk: Kiosk) -> Iterator[Counter]:
    made = kiosk.home.counter(kiosk.clock)
    try:
        yield made
    finally:
        made.close()


def blank(uid: bytes = UID) -> CardRead:
    return CardRead(Medium.NFC, b"", uid, "MIFARE Classic")


def adopt(kiosk: Kiosk, card_no: str = CARD_1) -> None:
    with counter_of(kiosk) as counter:
        counter.adopt(OLD, card_no, counter.sign_in("rina", PIN), identity_checked=True)


def reads(kiosk: Kiosk) -> int:
    """Whose old card it is there; 0 for nobody's."""
    with counter_of(kiosk) as counter:
        try:
            visit = counter.read(blank())
        except CardFault:
            return 0
    assert visit.grade is Grade.LEGACY
    return visit.holder_id


def test_bound_at_one_counter_known_at_the_next(whole: Whole, first: Kiosk, second: Kiosk) -> None:
    adopt(first)
    assert (reads(first), reads(second)) == (1, 0)
    assert (first.sync(), second.sync()) == ("", "")
    assert (reads(first), reads(second)) == (1, 1)
    (row,) = adoptions.listed(whole.central)
    assert (row["holder_id"], row["state"], row["by"], row["ref"][:4]) == (1, "active", "rina", "AAA1")
    assert whole.cases() == []


def test_one_card_two_people(whole: Whole, first: Kiosk, second: Kiosk) -> None:
    """Cut off from each other two officers bind one card: the first to arrive stands, people are asked."""
    adopt(first)
    adopt(second, CARD_2)
    assert (first.sync(), second.sync(), first.sync(), second.sync()) == ("", "", "", "")
    assert (reads(first), reads(second)) == (1, 1)
    assert whole.cases() == ["adopted_twice"]


def test_taken_back_and_bound_again(whole: Whole, first: Kiosk) -> None:
    adopt(first)
    first.sync()
    adoptions.revoke(whole.central, "uid", UID.hex())
    first.sync()
    assert reads(first) == 0
    with pytest.raises(OfficerFault, match="no such card"):
        adoptions.revoke(whole.central, "uid", UID.hex())
    adoptions.adopt(whole.central, CARD_2, "uid", UID.hex(), "staff")
    with pytest.raises(OfficerFault, match="bound already"):
        adoptions.adopt(whole.central, CARD_1, "uid", UID.hex(), "staff")
    first.sync()
    assert reads(first) == 2


def test_the_card_goes_where_its_holder_goes(whole: Whole, first: Kiosk) -> None:
    adopt(first)
    first.sync()
    importing.apply(whole.central, city(holders=(holder(1, 2), holder(2), holder(3, 2))))
    first.sync()
    other = whole.enrol("BBB1")
    assert other.sync() == ""
    assert (reads(first), reads(other)) == (0, 1)


def test_a_merged_holders_card_stays_theirs(whole: Whole, first: Kiosk) -> None:
    adopt(first, CARD_2)
    first.sync()
    holder_merge.merge(whole.central, 1, 2)
    first.sync()
    assert reads(first) == 1
    assert adoptions.listed(whole.central)[0]["holder_id"] == 1


@pytest.mark.parametrize("detail", [{"what": "adopted", "id": "x"}, {"holder": 99}])
def test_a_note_that_binds_nothing_is_asked_about(whole: Whole, first: Kiosk, detail: dict[str, Any]) -> None:
    from kiosk.journal import Draft

    whole_detail = {"what": "adopted", "id": OLD.id, "kind": "uid", "holder": 1} | detail
    first.journal.append(lambda _: Draft(type="note", officer="rina", detail=whole_detail))
    assert first.sync() == ""
    assert whole.cases() == ["adoption_unread"]
    assert adoptions.listed(whole.central) == []


def badge_of(whole: Whole, username: str = "rina", uid: bytes = UID, **rest: Any) -> CardRead:
    made = officer_badges.issue(whole.central, username, "NTAG215", uid, **rest)
    return CardRead(Medium.NFC, made.nfc, uid, "NTAG215")


def test_a_badge_from_central_signs_in(whole: Whole, first: Kiosk) -> None:
    badge = badge_of(whole)
    first.sync()
    with counter_of(first) as counter:
        with pytest.raises(OfficerFault) as caught:
            counter.sign_in("rina", PIN)
        assert caught.value.code == "badge_needed"
        assert counter.sign_in("rina", PIN, badge).username == "rina"
        with pytest.raises(CardFault) as read:
            counter.read(badge)
        assert (read.value.code, read.value.detail) == ("card_is_badge", {"username": "rina"})


def test_the_next_badge_ends_the_one_before(whole: Whole, first: Kiosk) -> None:
    old = badge_of(whole)
    new = badge_of(whole, uid=UID[::-1])
    first.sync()
    with counter_of(first) as counter:
        with pytest.raises(CardFault) as caught:
            counter.sign_in("rina", PIN, old)
        assert caught.value.code == "card_superseded"
        assert counter.sign_in("rina", PIN, new).username == "rina"


def test_withdrawn(whole: Whole, first: Kiosk) -> None:
    badge_of(whole)
    first.sync()
    officer_badges.withdraw(whole.central, "rina")
    first.sync()
    with counter_of(first) as counter:
        assert counter.sign_in("rina", PIN).username == "rina"
    with pytest.raises(OfficerFault, match="has no badge"):
        officer_badges.withdraw(whole.central, "rina")


def test_badges_that_are_refused(whole: Whole) -> None:
    badge_of(whole)
    officer_rows.add(whole.central, "budi", "Budi", "officer", 1, date(2027, 6, 1), PIN)
    for code, username, uid in (
        ("chip_in_use", "budi", UID),
        ("unknown_officer", "nobody", UID[::-1]),
        ("card_refused", "budi", b"\x08\x01\x02\x03"),
        ("card_refused", "budi", b""),
    ):
        with pytest.raises(OfficerFault) as caught:
            badge_of(whole, username, uid)
        assert caught.value.code == code
