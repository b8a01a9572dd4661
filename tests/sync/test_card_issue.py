"""Cards issued hold on their own medium, the bad ones fail as their labels say, the file holds them all."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import ndef
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from drivers.chips.ndef import credential_payload
from drivers.virtual.deck import Deck
from kiosk.credential import check_standing, verify
from kiosk.errors import CardFault, EnvironmentFault, OfficerFault
from kiosk.keyset import Key, KeySet, KeyUse, key_id
from kiosk.values import CardRead, Grade, Medium
from sync.central.card_issue import (
    VirtualCard,
    day_seconds,
    issue_batch,
    issue_card,
    virtual_uid,
    write_cards,
)
from sync.central.demo_cards import NOBODYS_CARD, BadCard, bad_cards, demo_cards, earliest_issue
from sync.central.demo_data import generate
from sync.central.demo_showcase import OLD_ISSUE_LABEL, SERVED, SHOWCASE
from sync.central.import_format import Card

TODAY = date(2026, 11, 23)
NOW = int(datetime(2026, 11, 23, 9, 0, tzinfo=ZoneInfo("Asia/Jakarta")).timestamp())
ISSUER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = ISSUER.public_key().public_bytes_raw()
KID = key_id(PUBLIC)
CITY = generate(1, TODAY)
KEYS = KeySet(NOW, (Key(KID, KeyUse.ISSUER, PUBLIC, day_seconds(earliest_issue(CITY)), NOW + 10**9),))
CARDS = {card.card_no: card for card in demo_cards(CITY, ISSUER, KID)}
NEWEST = {card.holder_id: card for card in CITY.cards}
HOLDERS = {holder.card_no: holder for holder in CITY.holders}


def by_chip(card: VirtualCard) -> CardRead:
    return CardRead(Medium.NFC, card.nfc, card.uid, card.chip)


def by_qr(card: VirtualCard) -> CardRead:
    return CardRead(Medium.QR, card.qr.encode())


def outcome(read: CardRead) -> str:
    """``served`` or the code of the fault, as a kiosk decides with this document as its cache."""
    try:
        verified = verify(read, KEYS, NOW)
        holder = HOLDERS.get(verified.card_no)
        newest = NEWEST[holder.id] if holder else None
        mine = [
            card
            for card in CITY.cards
            if holder and (card.holder_id, card.issue_no) == (holder.id, verified.issue_no)
        ]
        denied = mine[0].status if mine and mine[0].status != "active" else None
        check_standing(
            verified, newest.issue_no if newest else None, 0, denied, holder.status if holder else None
        )
    except CardFault as fault:
        return fault.code
    return SERVED


@pytest.mark.parametrize("label", SHOWCASE)
def test_the_showcase_ends_as_it_says(label: str) -> None:
    shown = SHOWCASE[label]
    card = CARDS[shown.card_no]
    assert card.label == label
    assert outcome(by_chip(card)) == shown.expect
    assert outcome(by_qr(card)) == shown.expect


def test_the_first_issue_of_a_replaced_card_is_superseded() -> None:
    old, new = CARDS[OLD_ISSUE_LABEL], CARDS[SHOWCASE["replaced-new"].card_no]
    assert outcome(by_chip(old)) == "card_superseded"
    assert old.uid != new.uid


@pytest.mark.parametrize("expected", bad_cards(), ids=lambda bad: bad.label)
def test_bad_cards_fail_as_their_labels_say(expected: BadCard) -> None:
    card = CARDS[expected.label]
    assert card.label == expected.label
    if card.ndef:
        with pytest.raises(CardFault, match=expected.nfc_fault):
            credential_payload(card.ndef)
    else:
        assert outcome(by_chip(card)) == expected.nfc_fault
    assert bool(card.qr) == bool(expected.qr_fault)
    if card.qr:
        assert outcome(by_qr(card)) == expected.qr_fault


def test_everybody_has_a_card_that_names_its_own_holder() -> None:
    served = 0
    for holder in CITY.holders:
        card = CARDS[holder.card_no]
        assert card.holder == holder.name
        shown = next((shown for shown in SHOWCASE.values() if shown.card_no == holder.card_no), None)
        if shown is None:
            assert verify(by_chip(card), KEYS, NOW).card_no == holder.card_no
            assert verify(by_qr(card), KEYS, NOW).grade is Grade.P0
            served += 1
    assert served == len(CITY.holders) - len(SHOWCASE)


def test_no_two_chips_of_people_share_a_uid() -> None:
    uids = [card.uid for card in CARDS.values() if not card.label.startswith("bad-")]
    assert len(set(uids)) == len(uids) == len(CITY.cards)


def test_uids_are_shaped_as_their_chips_are() -> None:
    for card in CARDS.values():
        if card.label == "bad-random-uid":
            continue
        if card.chip == "FeliCa":
            assert len(card.uid) == 8
            assert card.uid[:2] != b"\x01\xfe"
        else:
            assert len(card.uid) == 7
            assert card.uid[0] == 0x04
            assert card.uid[3] != 0x88
    assert {card.chip for card in CARDS.values()} == {"NTAG215", "FeliCa", "DESFire"}
    shown = {CARDS[person.card_no].chip for person in SHOWCASE.values() if person.expect == SERVED}
    assert shown == {"NTAG215", "FeliCa", "DESFire"}


def test_the_fourth_byte_of_a_uid_is_never_the_cascade_tag() -> None:
    drawn = {virtual_uid(str(number), 1, "NTAG215")[3] for number in range(5000)}
    assert drawn == set(range(256)) - {0x88}


def test_a_uid_is_the_same_every_time_and_another_for_another_issue() -> None:
    assert virtual_uid("5111592852", 1, "NTAG215") == virtual_uid("5111592852", 1, "NTAG215")
    assert virtual_uid("5111592852", 1, "NTAG215") != virtual_uid("5111592852", 2, "NTAG215")
    assert virtual_uid("5111592852", 1, "NTAG215") != virtual_uid("5111592852", 1, "DESFire")


def test_nobody_has_the_number_of_the_unknown_holder() -> None:
    assert NOBODYS_CARD not in HOLDERS


def test_a_card_is_good_from_midnight_to_midnight_of_the_city() -> None:
    card = next(card for card in CITY.cards if card.status == "active")
    (issued,) = issue_batch(ISSUER, KID, [card], {card.holder_id: "5111592852"})
    read = CardRead(Medium.QR, issued.qr.encode())
    end = int(datetime(*card.valid_until.timetuple()[:3], tzinfo=ZoneInfo("Asia/Jakarta")).timestamp())
    assert issued.expires_at == end
    assert verify(read, KEYS, end - 1).card_no == "5111592852"
    with pytest.raises(CardFault, match="card_expired"):
        verify(read, KEYS, end)


def test_a_credential_fits_the_smallest_chip_and_a_printed_code() -> None:
    """NTAG215 has 504 bytes of user memory (data sheet NTAG213_215_216, section 8.5)."""
    for card in CARDS.values():
        assert len(card.nfc) + 3 + 4 + len("metrokota.go.id:kmc") <= 504
        if card.qr.startswith("KMC1:"):
            assert re.fullmatch(r"[0-9A-Z $%*+\-./:]+", card.qr)
            assert len(card.qr) < 500


def test_a_batch_names_every_card_that_cannot_be_issued() -> None:
    blank = Card.model_validate(CITY.cards[1].model_dump() | {"uid": None})
    with pytest.raises(OfficerFault) as caught:
        issue_batch(ISSUER, KID, [CITY.cards[0], blank], {CITY.cards[1].holder_id: "8533711431"})
    assert [mistake["where"] for mistake in caught.value.detail["mistakes"]] == ["[0].holder_id", "[1].uid"]


@pytest.mark.parametrize(
    ("uid", "until"), [(bytes.fromhex("08010203"), NOW + 1), (bytes(7), NOW), (bytes(3), NOW + 1)]
)
def test_what_no_kiosk_would_take_is_not_issued(uid: bytes, until: int) -> None:
    with pytest.raises(ValueError, match=r".+"):
        issue_card(ISSUER, KID, "5111592852", 1, uid, "NTAG215", NOW, until)


def test_a_higher_least_grade_is_written_to_the_chip() -> None:
    uid = virtual_uid("5111592852", 1, "NTAG215")
    made = issue_card(ISSUER, KID, "5111592852", 1, uid, "NTAG215", NOW, NOW + 10, Grade.P2)
    read = CardRead(Medium.NFC, made.nfc, uid)
    assert verify(read, KEYS, NOW, proved=Grade.P2).grade is Grade.P2
    with pytest.raises(CardFault, match="card_downgrade"):
        verify(read, KEYS, NOW)


def test_the_virtual_hardware_reads_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cards.jsonl"
    assert write_cards(path, CARDS.values()) == len(CARDS)
    assert path.stat().st_mode & 0o777 == 0o600
    deck = Deck(path).cards()
    assert deck.keys() == CARDS.keys()
    for name, card in CARDS.items():
        laid = deck[name]
        assert (laid.label, laid.holder, laid.chip) == (card.label, card.holder, card.chip)
        assert (laid.uid, laid.nfc, laid.qr, laid.ndef) == (card.uid, card.nfc, card.qr, card.ndef)
        laid.chip_card()
    (address,) = ndef.message_decoder(deck["bad-foreign"].ndef)
    assert address.type == "urn:nfc:wkt:U"
    assert address.uri == "https://example.org/kmc"


def test_the_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "cards.jsonl"
    first, second = list(CARDS.values())[:2]
    write_cards(path, [first, second])
    write_cards(path, [second])
    assert [json.loads(line)["card_no"] for line in path.read_text("utf-8").splitlines()] == [second.card_no]
    assert [entry.name for entry in tmp_path.iterdir()] == ["cards.jsonl"]
    with pytest.raises(ValueError, match="same name"):
        write_cards(path, [first, replace(second, card_no=first.card_no)])
    assert len(path.read_text("utf-8").splitlines()) == 1


def test_a_folder_that_is_missing_is_the_environments_fault(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="write_failed"):
        write_cards(tmp_path / "missing" / "cards.jsonl", CARDS.values())


def test_the_issuers_key_must_reach_back_to_the_first_card() -> None:
    first = earliest_issue(CITY)
    late = KeySet(NOW, (replace(KEYS.keys[0], start=day_seconds(first + timedelta(days=1))),))
    card = next(card for card in CITY.cards if card.issued == first)
    holder = next(holder for holder in CITY.holders if holder.id == card.holder_id)
    with pytest.raises(CardFault, match="card_unknown_key"):
        verify(by_chip(CARDS[holder.card_no]), late, NOW)
