"""Personalising virtual chips: whole, cut short at every command, and with the wrong keys."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest

from drivers.chip_prover import KEY_NO, Prover
from drivers.chips import ev2, ndef, personalise, sdm
from drivers.chips.an10922 import card_key
from drivers.chips.apdu import Transmit
from drivers.chips.personalise import MasterKeys
from drivers.virtual.ev2_chip import Ev2Chip, blank_desfire_ev2, blank_ntag424
from kiosk.errors import CardFault
from kiosk.values import ChipProof, Grade

UID = bytes.fromhex("04A1B2C3D4E5F6")
KEYS = MasterKeys(bytes(range(16)), bytes(range(16, 32)))
PAYLOAD = bytes(range(172))
MESSAGE = ndef.encode_record(PAYLOAD)
MIRRORED = ndef.encode_with_mirror(PAYLOAD, b"0" * sdm.MIRROR_BYTES)
SELECT = bytes.fromhex("00A4040007D276000085010100")

Run = Callable[[Transmit, MasterKeys], None]


def run_ntag(transmit: Transmit, keys: MasterKeys = KEYS) -> None:
    personalise.ntag424(transmit, UID, keys, MESSAGE, secrets.token_bytes)


def run_mirrored(transmit: Transmit, keys: MasterKeys = KEYS) -> None:
    personalise.ntag424(transmit, UID, keys, MIRRORED, secrets.token_bytes, mirrored=True)


def run_desfire(transmit: Transmit, keys: MasterKeys = KEYS) -> None:
    personalise.desfire(transmit, UID, keys, MESSAGE, secrets.token_bytes)


CHIPS: list[tuple[Callable[[bytes], Ev2Chip], Run]] = [
    (blank_ntag424, run_ntag),
    (blank_ntag424, run_mirrored),
    (blank_desfire_ev2, run_desfire),
]
every_chip = pytest.mark.parametrize(("blank", "run"), CHIPS, ids=["ntag424", "mirrored", "desfire"])


class Lifted(Exception):
    """The chip left."""


def cut_after(chip: Ev2Chip, commands: int) -> Transmit:
    left = commands

    def transmit(apdu: bytes) -> bytes:
        nonlocal left
        left -= 1
        if left < 0:
            raise Lifted
        return chip.respond(apdu)

    return transmit


@every_chip
def test_a_blank_chip_proves_itself_afterwards(blank: Callable[[bytes], Ev2Chip], run: Run) -> None:
    chip = blank(UID)
    run(chip.respond, KEYS)
    assert bytes(16) not in chip.keys
    assert set(chip.versions) == {1}
    chip.reset()
    chip.respond(SELECT)
    assert ev2.authenticate(chip.respond, KEY_NO, card_key(KEYS.authentication, UID), bytes(16)) is not None
    for number in range(len(chip.keys)):
        with pytest.raises(CardFault, match="refuses the key"):
            ev2.authenticate(chip.respond, number, bytes(16), bytes(16))


@every_chip
def test_nobody_writes_it_without_the_key(blank: Callable[[bytes], Ev2Chip], run: Run) -> None:
    chip = blank(UID)
    run(chip.respond, KEYS)
    chip.reset()
    chip.respond(SELECT)
    chip.respond(bytes.fromhex("00A4000C02E104"))
    assert chip.respond(bytes.fromhex("00D60000020000")) == bytes.fromhex("6982")
    # Nor with the key that kiosks hold.
    key = card_key(KEYS.authentication, UID)
    for apdu in ("908D00000902000000020000000000", "905F0000040200E0EE00"):
        chip.respond(SELECT)
        assert ev2.authenticate(chip.respond, KEY_NO, key, bytes(16)) is not None
        assert chip.respond(bytes.fromhex(apdu))[:1] == b"\x91"
        assert chip.respond(bytes.fromhex(apdu)) != bytes.fromhex("9100")
    run(chip.respond, KEYS)


@every_chip
def test_cut_short_anywhere_it_is_done_again(blank: Callable[[bytes], Ev2Chip], run: Run) -> None:
    commands = 0
    while True:
        chip = blank(UID)
        try:
            run(cut_after(chip, commands), KEYS)
        except Lifted:
            chip.reset()
            commands += 1
            run(chip.respond, KEYS)
            assert set(chip.versions) == {1}
        else:
            break
    assert commands > 15


@every_chip
def test_a_chip_of_somebody_else_is_not_touched(blank: Callable[[bytes], Ev2Chip], run: Run) -> None:
    chip = blank(UID)
    run(chip.respond, MasterKeys(b"x" * 16, b"y" * 16))
    keys = list(chip.keys)
    with pytest.raises(CardFault) as caught:
        run(chip.respond, KEYS)
    assert caught.value.code == "card_proof_bad"
    assert chip.keys == keys


def test_the_key_of_kiosks_may_not_be_the_one_that_changes_cards() -> None:
    with pytest.raises(ValueError, match="must not"):
        MasterKeys(bytes(16), bytes(16))
    with pytest.raises(ValueError, match="16 bytes"):
        MasterKeys(bytes(15), bytes(16))


def test_a_message_that_does_not_fit_is_refused_before_anything_is_written() -> None:
    chip = blank_ntag424(UID)
    with pytest.raises(CardFault) as caught:
        personalise.ntag424(chip.respond, UID, KEYS, bytes(255), secrets.token_bytes)
    assert caught.value.code == "card_too_small"
    assert chip.keys == [bytes(16)] * 5


def test_a_mirrored_message_counts_every_read() -> None:
    chip = blank_ntag424(UID)
    run_mirrored(chip.respond)
    prover = Prover(KEYS.authentication)
    counters = []
    for _ in range(3):
        chip.reset()
        chip.respond(SELECT)
        chip.respond(bytes.fromhex("00A4000C02E104"))
        content = chip.respond(bytes.fromhex("00B0000000"))[:-2]
        message = content[2 : 2 + int.from_bytes(content[:2], "big")]
        assert ndef.credential_payload(message) == PAYLOAD
        proof = prover.prove(chip.respond, UID, message)
        assert isinstance(proof, ChipProof)
        assert proof.grade is Grade.P2
        counters.append(proof.counter)
    assert counters[1:] == [counters[0] + 1, counters[0] + 2] if counters[0] is not None else False
