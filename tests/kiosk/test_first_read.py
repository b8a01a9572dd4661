"""Several readers, one screen: which read is shown."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk import credential
from kiosk.first_read import FIRST_WINS_S, SAME_CARD_S, FirstRead, is_same_card
from kiosk.values import CardRead, Grade, Medium

KEY = Ed25519PrivateKey.generate()
UID = bytes.fromhex("04A1B2C3D4E5F6")


def chip(card_no: str = "4621000001") -> CardRead:
    payload = credential.issue(
        KEY, b"k", card_no, 1, 1_700_000_000, 1_900_000_000, Medium.NFC, uid=UID, least_grade=Grade.P1
    )
    return CardRead(Medium.NFC, payload, UID, "NTAG215")


def code(card_no: str = "4621000001") -> CardRead:
    payload = credential.issue(KEY, b"k", card_no, 1, 1_700_000_000, 1_900_000_000, Medium.QR)
    return CardRead(Medium.QR, credential.to_qr(payload).encode("ascii"))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def first(clock: Clock) -> FirstRead:
    return FirstRead(clock)


def test_one_reader_alone_is_never_held_back(first: FirstRead) -> None:
    assert all(first.admits("nfc", chip()) for _ in range(3))


def test_the_same_card_at_another_reader_is_one_read_for_three_seconds(
    first: FirstRead, clock: Clock
) -> None:
    assert first.admits("nfc", chip())
    for elapsed_s in (0.0, 1.5, SAME_CARD_S):
        clock.now = 100.0 + elapsed_s
        assert not first.admits("nfc:2", chip())
        assert not first.admits("qr", code())
    clock.now += 0.01
    assert first.admits("qr", code())


def test_a_chip_after_its_own_code_proves_more(first: FirstRead) -> None:
    assert first.admits("qr", code())
    assert first.admits("nfc", chip())
    assert not first.admits("qr", code())


def test_of_two_cards_at_once_the_first_whole_one_wins(first: FirstRead, clock: Clock) -> None:
    assert first.admits("nfc", chip("4621000001"))
    assert not first.admits("nfc:2", chip("4621000002"))
    clock.now += FIRST_WINS_S + 0.01
    assert first.admits("nfc:2", chip("4621000002"))


def test_after_a_read_that_was_refused_any_reader_is_heard(first: FirstRead) -> None:
    assert first.admits("nfc", chip())
    first.refused()
    assert first.admits("qr", code())


def test_bytes_and_claimed_numbers_tell_cards_apart() -> None:
    assert is_same_card(chip(), code())
    assert not is_same_card(chip("4621000001"), code("4621000002"))
    noise = CardRead(Medium.QR, b"KMC1:NOISE")
    assert is_same_card(noise, noise)
    assert not is_same_card(noise, CardRead(Medium.QR, b"KMC1:OTHER"))
    empty = CardRead(Medium.NFC, b"", UID)
    assert not is_same_card(empty, empty)
    copied = CardRead(Medium.NFC, chip().payload, b"\x04" * 7)
    assert not is_same_card(chip(), copied), "a copy on another chip is another card, and refused as such"
