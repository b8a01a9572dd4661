"""New keys for chips that were handed out: done whole, done again where cut short, never half trusted."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.chip_prover import Prover, read_key_file, read_keys
from drivers.chips import ndef, personalise, sdm, type4
from drivers.chips.personalise import KEYS_OF, MasterKeys
from drivers.chips.rekey import rekey
from drivers.virtual.ev2_chip import Ev2Chip, blank_desfire_ev2, blank_ntag424
from kiosk.errors import CardFault, EnvironmentFault
from kiosk.values import Grade

UID = bytes.fromhex("04A1B2C3D4E5F6")
OLD = MasterKeys(bytes(range(16)), bytes(range(16, 32)))
NEW = MasterKeys(bytes(range(32, 48)), bytes(range(48, 64)))
THIRD = MasterKeys(bytes(range(64, 80)), bytes(range(80, 96)))
MESSAGE = ndef.encode_record(bytes(range(172)))
KINDS = ("NTAG424", "DESFire")


class Cut(Exception):
    """The chip was lifted."""


def handed_out(kind: str) -> Ev2Chip:
    chip = blank_ntag424(UID) if kind == "NTAG424" else blank_desfire_ev2(UID)
    make = personalise.ntag424 if kind == "NTAG424" else personalise.desfire
    make(chip.respond, UID, OLD, MESSAGE, secrets.token_bytes)
    chip.reset()
    return chip


def cut_after(chip: Ev2Chip, answered: int) -> Callable[[bytes], bytes]:
    left = [answered]

    def transmit(apdu: bytes) -> bytes:
        if not left[0]:
            raise Cut
        left[0] -= 1
        return chip.respond(apdu)

    return transmit


def change(chip: Ev2Chip, kind: str, new: MasterKeys = NEW, answered: int = -1) -> bool:
    done = rekey(cut_after(chip, answered), UID, OLD, new, KEYS_OF[kind], MESSAGE, secrets.token_bytes)
    chip.reset()
    return done


def proves(chip: Ev2Chip, *masters: bytes) -> bool:
    chip.reset()
    personalise.select(chip.respond)
    proof = Prover(*masters).prove(chip.respond, UID, MESSAGE)
    return proof is not None and proof.grade is Grade.P2


def why(work: Callable[[], object]) -> str:
    with pytest.raises(CardFault) as caught:
        work()
    assert caught.value.code == "card_proof_bad"
    return str(caught.value.detail["why"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_a_new_one_and_the_message_stays(kind: str) -> None:
    chip = handed_out(kind)
    count = KEYS_OF[kind]
    assert chip.versions[:count] == [1] * count
    assert change(chip, kind)
    assert chip.keys[:count] == [NEW.of(UID, number) for number in range(count)]
    assert chip.versions[:count] == [2] * count
    assert proves(chip, NEW.authentication)
    assert why(lambda: proves(chip, OLD.authentication)) == "key"
    assert not change(chip, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_cut_short_anywhere_it_is_trusted_and_done_by_the_same_keys(kind: str) -> None:
    for answered in range(60):
        chip = handed_out(kind)
        try:
            change(chip, kind, answered=answered)
        except Cut:
            pass
        else:
            break
        # A kiosk that holds both, the newest first, takes it all the while.
        assert proves(chip, NEW.authentication, OLD.authentication), answered
        change(chip, kind)
        assert proves(chip, NEW.authentication), answered
    assert answered > 12


@pytest.mark.parametrize("kind", KINDS)
def test_begun_with_other_keys_it_stays_as_it_was(kind: str) -> None:
    chip = handed_out(kind)
    whole = 2 + 2 + 1 + 2 * (KEYS_OF[kind] - 1)
    with pytest.raises(Cut):
        change(chip, kind, answered=whole)
    assert why(lambda: change(chip, kind, THIRD)) == "key"
    # The master key was not touched: with the keys it was begun with it is finished.
    assert change(chip, kind)
    assert proves(chip, NEW.authentication)


@pytest.mark.parametrize("kind", KINDS)
def test_a_chip_of_somebody_else_is_left_alone(kind: str) -> None:
    chip = handed_out(kind)
    before = list(chip.keys)
    wrong = (THIRD, NEW)
    with pytest.raises(CardFault, match="card_proof_bad"):
        rekey(chip.respond, UID, *wrong, KEYS_OF[kind], MESSAGE, secrets.token_bytes)
    assert chip.keys == before
    with pytest.raises(CardFault, match="card_differs"):
        rekey(chip.respond, UID, OLD, NEW, KEYS_OF[kind], MESSAGE[:-1] + b"x", secrets.token_bytes)


def test_the_version_goes_round_and_is_never_that_of_a_chip_as_delivered() -> None:
    chip = handed_out("DESFire")
    chip.versions = [255, 255]
    assert change(chip, "DESFire")
    assert chip.versions == [1, 1]


def test_a_mirrored_message_holds_under_the_key_before_as_well() -> None:
    chip = blank_ntag424(UID)
    message = ndef.encode_with_mirror(bytes(172), b"0" * sdm.MIRROR_BYTES)
    personalise.ntag424(chip.respond, UID, OLD, message, secrets.token_bytes, mirrored=True)
    for masters in ((OLD.authentication,), (NEW.authentication, OLD.authentication)):
        chip.reset()
        read = type4.read_message(personalise._iso(chip.respond))
        proof = Prover(*masters).prove(chip.respond, UID, read)
        assert proof is not None
        assert proof.grade is Grade.P2
        assert proof.counter is not None
    chip.reset()
    rekey(chip.respond, UID, OLD, NEW, 5, message, secrets.token_bytes, mirrored=True)
    read = type4.read_message(personalise._iso(chip.respond))
    assert Prover(NEW.authentication).prove(chip.respond, UID, read) is not None


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b"00" * 16, 1),
        (b"00" * 16 + b"\n", 1),
        (b"00" * 16 + b"\n" + b"ff" * 16, 2),
        (b"00" * 16 + b"\r\n" + b"FF" * 16 + b"\r\n", 2),
    ],
)
def test_a_kiosks_file_holds_one_key_or_two(content: bytes, count: int, tmp_path: Path) -> None:
    file = tmp_path / "card-auth-key"
    file.write_bytes(content)
    assert read_keys(file) == (bytes(16), b"\xff" * 16)[:count]
    if count == 1:
        assert read_key_file(file) == bytes(16)
    else:
        with pytest.raises(EnvironmentFault, match="card_key_malformed"):
            read_key_file(file)


@pytest.mark.parametrize("content", [b"", b"00" * 15, b"00" * 16 + b"ff" * 16, (b"00" * 16 + b"\n") * 3])
def test_what_is_no_key_file(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "card-auth-key"
    file.write_bytes(content)
    with pytest.raises(EnvironmentFault) as caught:
        read_keys(file)
    assert caught.value.code == "card_key_malformed"
    assert content.decode() not in caught.value.message or not content
