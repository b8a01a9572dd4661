"""Cards from before this system: bound by an officer who checked the person, then read as grade legacy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from kiosk.adopting import OldCard
from kiosk.errors import CardFault, OfficerFault
from kiosk.journal_format import decode
from kiosk.legacy_cards import Adoption, legacy_id
from kiosk.values import CardRead, Checks, Grade, Medium, OfficerSession, StateCode
from tests.kiosk.counter_world import World, program

UID = bytes.fromhex("04a1b2c3d4e5f6")
OLD = OldCard("uid", UID.hex())


def blank(uid: bytes = UID, chip: str = "MIFARE Classic") -> CardRead:
    """A tap of a card that carries no credential."""
    return CardRead(Medium.NFC, b"", uid, chip)


def adopt(world: World, session: OfficerSession, card: OldCard = OLD, card_no: str = "7000000001") -> int:
    return world.counter.adopt(card, card_no, session, identity_checked=True)


def refused(code: str, work: Any, *args: Any, **kwargs: Any) -> Mapping[str, Any]:
    with pytest.raises((OfficerFault, CardFault)) as caught:
        work(*args, **kwargs)
    assert caught.value.code == code
    return caught.value.detail


def test_an_unbound_card_keeps_its_fault(world: World) -> None:
    refused("card_classic", world.counter.read, blank())
    refused("card_empty", world.counter.read, blank(chip="NTAG215"))


def test_bound_at_once_and_on_record(world: World) -> None:
    session = world.sign_in()
    assert adopt(world, session) == 1
    visit = world.counter.read(blank())
    assert (visit.holder_id, visit.grade, visit.medium) == (1, Grade.LEGACY, Medium.NFC)
    assert visit.public_name == ""  # anybody may have found that card
    record = decode(bytes(world.ledger.rows("SELECT record FROM journal ORDER BY seq DESC LIMIT 1")[0][0]))
    assert (record.type, record.officer, record.card) == ("note", "rina", "7000000001")
    assert Adoption.of_detail(record.detail) == Adoption(legacy_id("uid", UID.hex()), "uid", 1)


def test_by_its_printed_number(world: World) -> None:
    session = world.sign_in()
    refused("card_unknown_holder", world.counter.read_typed, "KIP-0012 3456", session, "chip broken")
    adopt(world, session, OldCard("number", "KIP-0012 3456"))
    visit = world.counter.read_typed("kip00123456", session, "chip broken")
    assert (visit.holder_id, visit.grade) == (1, Grade.LEGACY)


def test_who_may_bind_and_when(world: World) -> None:
    session = world.sign_in()
    world.put_holder(3, "BUDI", status="blocked")
    bind = world.counter.adopt
    refused("identity_unchecked", bind, OLD, "7000000001", session, identity_checked=False)
    refused("unknown_holder", bind, OLD, "7999999999", session, identity_checked=True)
    refused("holder_not_active", bind, OLD, "7000000003", session, identity_checked=True)
    refused("card_number_malformed", bind, OldCard("uid", "04"), "7000000001", session, identity_checked=True)
    world.counter.sign_out(session)
    refused("not_signed_in", bind, OLD, "7000000001", session, identity_checked=True)
    refused("card_classic", world.counter.read, blank())


def test_nobodys_second_card(world: World) -> None:
    session = world.sign_in()
    world.put_holder(2, "AGUS")
    adopt(world, session)
    assert refused("adopted_already", adopt, world, session, OLD, "7000000002") == {"same": False}
    assert refused("adopted_already", adopt, world, session) == {"same": True}
    assert world.counter.read(blank()).holder_id == 1


def test_centrals_word_goes_before_our_own(world: World) -> None:
    session = world.sign_in()
    world.put_holder(2, "AGUS")
    adopt(world, session)
    world.put("legacy_card", OLD.id, 2, "active")
    assert world.counter.read(blank()).holder_id == 2
    world.put("legacy_card", OLD.id, 2, "revoked")
    refused("card_classic", world.counter.read, blank())


@pytest.mark.parametrize("uid", [b"\x08\x01\x02\x03", b"\x01\xfe\x00\x00\x00\x00\x00\x00"])
def test_a_random_uid_binds_nothing(world: World, uid: bytes) -> None:
    world.put("legacy_card", legacy_id("uid", uid.hex()), 1, "active")
    refused("card_random_uid", world.counter.read, blank(uid, "NTAG215"))


def test_a_spoilt_credential_is_not_read_by_its_uid(world: World) -> None:
    adopt(world, world.sign_in())
    refused("card_malformed", world.counter.read, CardRead(Medium.NFC, b"\xff", UID, "NTAG215"))


def test_what_a_program_asks_of_a_legacy_card(world: World) -> None:
    """Its least grade stands; an officer's check lifts it where the program says so."""
    session = world.sign_in()
    adopt(world, session)
    world.take_in(world.grant())
    assert _state(world, session) is StateCode.GRADE_TOO_LOW
    world.put_program(program(officer_check_lifts=True))
    assert _state(world, session, Checks(photo_and_ktp=True)) is StateCode.READY
    world.put_program(program(least_grade="legacy", version=2))
    assert _state(world, session) in (StateCode.READY, StateCode.CHECKING)


def _state(world: World, session: OfficerSession, checks: Checks | None = None) -> StateCode:
    visit = world.counter.refresh(world.counter.read(blank(), session), session, checks)
    return next(row.state.code for row in visit.rows if row.program_id == "beras")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uid", ""),
        ("uid", "04a1"),
        ("uid", "zz" * 7),
        ("number", "12"),
        ("number", "é" * 8),
        ("name", "1234"),
    ],
)
def test_what_names_no_card(kind: str, value: str) -> None:
    with pytest.raises(ValueError, match="no card's"):
        legacy_id(kind, value)


@pytest.mark.parametrize(
    "detail",
    [
        {"what": "adopted"},
        {"what": "adopted", "id": "ab", "kind": "uid", "holder": 1},
        {"what": "adopted", "id": "a" * 64, "kind": "name", "holder": 1},
        {"what": "adopted", "id": "a" * 64, "kind": "uid", "holder": True},
        {"what": "adopted", "id": "a" * 64, "kind": "uid", "holder": 0},
    ],
)
def test_a_note_that_is_no_adoption(detail: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="an adoption without"):
        Adoption.of_detail(detail)
    assert Adoption.of_detail({"what": "typed"}) is None
