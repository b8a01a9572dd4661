"""Diversification, EV2First, its messages and SDM against what NXP published, and what no example covers."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.chips import aes, an10922, ev2, sdm
from drivers.chips.ev2_messages import SecureChannel, change_key_data
from kiosk.errors import CardFault
from tests.drivers.vectors import published

h = bytes.fromhex
AN10922 = published("an10922")
AN12196 = published("an12196")
KEYS = st.binary(min_size=16, max_size=16)


def by_where(name: str) -> Any:
    return pytest.mark.parametrize("example", AN12196[name], ids=[one["where"] for one in AN12196[name]])


# -- diversification --


def test_an10922_example() -> None:
    example = AN10922
    diversifier = h(example["uid"] + example["application"] + example["system"])
    assert an10922.diversify(h(example["master"]), diversifier) == h(example["key"])


@settings(deadline=None)
@given(KEYS, st.binary(min_size=16, max_size=31))
def test_an_input_of_two_blocks_is_plain_cmac(master: bytes, diversifier: bytes) -> None:
    assert an10922.diversify(master, diversifier) == aes.cmac(master, b"\x01" + diversifier)


@settings(deadline=None)
@given(KEYS, st.binary(min_size=1, max_size=15))
def test_a_short_input_is_padded_to_two_blocks_where_cmac_stops_after_one(
    master: bytes, diversifier: bytes
) -> None:
    def block(data: bytes) -> bytes:
        encryptor = Cipher(AES128(master), ECB()).encryptor()  # noqa: S305
        return encryptor.update(data) + encryptor.finalize()

    def doubled(value: int) -> int:
        return (value << 1) ^ (0x1_00000000_00000000_00000000_00000087 if value >> 127 else 0)

    message = (b"\x01" + diversifier + b"\x80").ljust(32, b"\x00")
    k2 = doubled(doubled(int.from_bytes(block(bytes(16)), "big")))
    first = int.from_bytes(block(message[:16]), "big")
    last = (first ^ int.from_bytes(message[16:], "big") ^ k2).to_bytes(16, "big")
    made = an10922.diversify(master, diversifier)
    assert made == block(last)
    assert made != aes.cmac(master, b"\x01" + diversifier)


def test_a_card_of_ours_takes_the_short_way() -> None:
    uid = h("04782E21801D80")
    assert len(uid + an10922.APPLICATION + an10922.SYSTEM) == 13
    assert an10922.card_key(bytes(16), uid) == an10922.diversify(bytes(16), uid + h("010000") + b"KMC")
    assert an10922.card_key(bytes(16), uid) != an10922.card_key(bytes(16), uid[:-1] + b"\x81")


@pytest.mark.parametrize(
    ("master", "diversifier"), [(bytes(15), b"1"), (bytes(16), b""), (bytes(16), bytes(32))]
)
def test_sizes_that_cannot_be(master: bytes, diversifier: bytes) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        an10922.diversify(master, diversifier)


# -- EV2First --


class Played:
    """A chip that answers one published exchange and nothing else."""

    def __init__(self, *exchanges: tuple[str, str]) -> None:
        self._left = list(exchanges)

    def __call__(self, command: bytes) -> bytes:
        wanted, answer = self._left.pop(0)
        assert command == h(wanted)
        return h(answer)


@by_where("authenticate")
def test_authenticate_example(example: dict[str, Any]) -> None:
    chip = Played(
        (example["first_command"], example["first_answer"]),
        (example["second_command"], example["second_answer"]),
    )
    session = ev2.authenticate(chip, example["key_no"], h(example["key"]), h(example["rnd_a"]))
    assert session == ev2.Session(h(example["ti"]), h(example["enc_key"]), h(example["mac_key"]))
    assert aes.decrypt(h(example["key"]), h(example["first_answer"])[:16]) == h(example["rnd_b"])


@by_where("authenticate")
@pytest.mark.parametrize("at", [0, 4, 15, 16, 31])
def test_a_proof_with_a_bit_changed_is_none(example: dict[str, Any], at: int) -> None:
    answer = bytearray(h(example["second_answer"]))
    answer[at] ^= 1
    chip = Played(
        (example["first_command"], example["first_answer"]), (example["second_command"], answer.hex())
    )
    with pytest.raises(CardFault) as caught:
        ev2.authenticate(chip, example["key_no"], h(example["key"]), h(example["rnd_a"]))
    assert (caught.value.code, caught.value.detail["why"]) == ("card_proof_bad", "answer")


@pytest.mark.parametrize("refusal", ["911C", "9140", "917E", "6D00", "6E00"])
def test_a_chip_that_does_not_know_the_command_proves_nothing(refusal: str) -> None:
    assert ev2.authenticate(Played(("9071000002010000", refusal)), 1, bytes(16), bytes(16)) is None


def test_a_wrong_key_and_a_chip_in_lrp_mode_are_named() -> None:
    example = AN12196["authenticate"][0]
    wrong = Played((example["first_command"], example["first_answer"]), (example["second_command"], "91AE"))
    with pytest.raises(CardFault) as caught:
        ev2.authenticate(wrong, 0, bytes(16), h(example["rnd_a"]))
    assert caught.value.as_json()["detail"] == {"why": "key", "status": "91ae"}
    with pytest.raises(CardFault, match="another size"):
        ev2.authenticate(Played(("9071000002000000", "00" * 17 + "91AF")), 0, bytes(16), bytes(16))


# -- messages --


@by_where("messages")
def test_message_example(example: dict[str, Any]) -> None:
    session = ev2.Session(h(example["ti"]), h(example["enc_key"]), h(example["mac_key"]))
    channel = SecureChannel(Played((example["command"], example["answer"])), session, example["counter"])
    send = channel.full if example["mode"] == "full" else channel.with_code
    assert send(h(example["ins"])[0], h(example["header"]), h(example["data"])) == h(example["plain"])


@by_where("messages")
def test_an_answer_with_a_bit_changed_is_refused(example: dict[str, Any]) -> None:
    session = ev2.Session(h(example["ti"]), h(example["enc_key"]), h(example["mac_key"]))
    answer = bytearray(h(example["answer"]))
    answer[0] ^= 1
    channel = SecureChannel(Played((example["command"], answer.hex())), session, example["counter"])
    send = channel.full if example["mode"] == "full" else channel.with_code
    with pytest.raises(CardFault, match="does not hold"):
        send(h(example["ins"])[0], h(example["header"]), h(example["data"]))


@by_where("change_key")
def test_change_key_example(example: dict[str, Any]) -> None:
    session = ev2.Session(h(example["ti"]), h(example["enc_key"]), h(example["mac_key"]))
    channel = SecureChannel(Played((example["command"], example["answer"])), session, example["counter"])
    old = None if example["old"] is None else h(example["old"])
    data = change_key_data(h(example["new"]), example["version"], old)
    send = channel.last if old is None else channel.full
    send(0xC4, bytes([example["key_no"]]), data)


# -- SDM --


@by_where("sdm")
def test_sdm_example(example: dict[str, Any]) -> None:
    picc = sdm.decrypt_picc_data(h(example["meta_key"]), h(example["picc_data"]))
    assert picc == sdm.PiccData(h(example["uid"]), example["counter"])
    session_key = sdm.session_mac_key(h(example["file_key"]), picc)
    assert session_key == h(example["session_key"])
    covered = example["covered"].encode("ascii")
    if example["full_cmac"]:
        assert aes.cmac(session_key, covered) == h(example["full_cmac"])
    assert sdm.code(h(example["file_key"]), picc, covered) == h(example["code"])


def test_a_mirror_is_read_with_its_counter() -> None:
    example = AN12196["sdm"][0]
    mirror = f"{example['uid']}{example['counter']:06X}{example['code']}".encode()
    assert sdm.check_mirror(bytes(16), h(example["uid"]), mirror) == 61


@pytest.mark.parametrize(
    "change",
    [
        lambda mirror: mirror[:-1] + b"7",
        lambda mirror: b"05" + mirror[2:],
        lambda mirror: mirror[:14] + b"00003E" + mirror[20:],
        lambda mirror: mirror[:-1],
        lambda mirror: mirror + b"0",
        lambda mirror: b"",
        lambda mirror: b"Z" + mirror[1:],
        lambda mirror: b"\xff" + mirror[1:],
        lambda mirror: b" " + mirror[1:],
    ],
)
def test_a_changed_mirror_is_refused(change: Any) -> None:
    example = AN12196["sdm"][0]
    mirror = f"{example['uid']}{example['counter']:06X}{example['code']}".encode()
    with pytest.raises(CardFault) as caught:
        sdm.check_mirror(bytes(16), h(example["uid"]), change(mirror))
    assert (caught.value.code, caught.value.detail["why"]) == ("card_proof_bad", "sun")


@settings(deadline=None)
@given(KEYS, st.binary(max_size=20))
def test_picc_data_are_picc_data_or_a_card_fault(key: bytes, data: bytes) -> None:
    try:
        uid = sdm.decrypt_picc_data(key, data).uid
    except CardFault:
        uid = b""
    assert len(uid) in (0, 7)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_padding_comes_off_as_it_went_on(data: bytes) -> None:
    assert aes.unpad(aes.pad(data)) == data
    assert len(aes.pad(data)) % 16 == 0
