"""Whatever bytes a card gives, the chip protocols raise nothing but CardFault, and end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.chips import ndef, type2, type3, type4
from drivers.chips.identify import identify_type_a, identify_type_f
from kiosk.errors import CardFault
from kiosk.values import NDEF_TYPE

CODES = {"card_empty", "card_foreign", "card_malformed", "card_oversized"}

T = TypeVar("T")


def result_of(parse: Callable[[], T]) -> T | None:
    """What it gives; None if it raised a CardFault with a known code. Anything else comes out."""
    try:
        return parse()
    except CardFault as fault:
        known = fault.code in CODES
    assert known
    return None


record_headers = st.builds(
    lambda flags, tnf, kind, length, rest: bytes([flags & 0xF8 | tnf, kind, length]) + rest,
    st.integers(0, 255),
    st.integers(0, 7),
    st.integers(0, 30),
    st.integers(0, 255),
    st.binary(max_size=300),
)


def mutated(message: bytes) -> st.SearchStrategy[bytes]:
    """The message with one byte changed, cut or doubled."""
    return st.tuples(st.integers(0, len(message) - 1), st.integers(0, 255), st.sampled_from("xcd")).map(
        lambda change: {
            "x": message[: change[0]] + bytes([change[1]]) + message[change[0] + 1 :],
            "c": message[: change[0]],
            "d": message + message[change[0] :],
        }[change[2]]
    )


@given(st.one_of(st.binary(max_size=600), record_headers, mutated(ndef.encode_record(b"credential"))))
def test_ndef_raises_card_faults_only(message: bytes) -> None:
    payload = result_of(lambda: ndef.credential_payload(message))
    if payload is not None:
        assert payload
        assert payload in message
        assert NDEF_TYPE.encode() in message.lower()


@given(st.binary(min_size=1, max_size=4000))
def test_ndef_gives_back_what_was_encoded(payload: bytes) -> None:
    assert ndef.credential_payload(ndef.encode_record(payload)) == payload


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"", "card_empty"),
        (b"\xd0\x00\x00", "card_empty"),
        (b"\x00" * 4097, "card_oversized"),
        (ndef.encode_record(b"x", "example.com:x"), "card_foreign"),
        (ndef.encode_record(b"x", "T", ndef.TNF_WELL_KNOWN), "card_foreign"),
        (ndef.encode_record(b"x") + b"\x00", "card_malformed"),
        (b"\x94" + ndef.encode_record(b"x")[1:], "card_malformed"),
        (b"\x54" + ndef.encode_record(b"x")[1:], "card_malformed"),
        (b"\xf4" + ndef.encode_record(b"x")[1:], "card_malformed"),
        (b"\xd6\x00\x00", "card_malformed"),
        (b"\xd7\x00\x00", "card_malformed"),
        (
            b"\x94" + ndef.encode_record(b"x")[1:] + b"\x54" + ndef.encode_record(b"x")[1:],
            "card_malformed",
        ),
        (b"\x90\x00\x00" + b"\x10\x00\x00" * 20 + b"\x50\x00\x00", "card_malformed"),
    ],
)
def test_ndef_faults_by_name(message: bytes, code: str) -> None:
    with pytest.raises(CardFault) as caught:
        ndef.credential_payload(message)
    assert caught.value.code == code


def test_the_type_name_compares_without_case() -> None:
    assert ndef.credential_payload(ndef.encode_record(b"x", NDEF_TYPE.upper())) == b"x"


tlv = st.one_of(
    st.binary(max_size=600),
    st.lists(
        st.builds(
            lambda tag, value: bytes([tag, len(value)]) + value,
            st.sampled_from([0x00, 0x01, 0x02, 0x03, 0xFD, 0xFE, 0x55]),
            st.binary(max_size=40),
        ),
        max_size=12,
    ).map(b"".join),
)


@given(tlv, st.integers(0, 2040))
def test_tlv_walk_raises_card_faults_only_and_asks_for_no_byte_past_the_area(area: bytes, size: int) -> None:
    known = 0

    def walk() -> tuple[type2.NdefPlace, bytes]:
        nonlocal known
        whole = area.ljust(size + 16, b"\x00")
        while (place := type2.find_ndef(whole[:known], size)) is None:
            assert known < size
            known += 16
        assert place.end <= size
        return place, place.cut(whole)

    found = result_of(walk)
    if found is not None:
        place, message = found
        assert len(message) == place.length


@given(st.binary(min_size=1, max_size=480))
def test_tlv_walk_finds_what_was_formatted(message: bytes) -> None:
    pages = type2.format_area(message, 135)
    size = type2.data_area_bytes(pages[:4])
    place = type2.find_ndef(pages[4:], size)
    assert place is not None
    assert place.cut(pages[4:]) == message


def test_lock_bytes_inside_the_message_are_stepped_over() -> None:
    message = bytes(range(60))
    # Lock control TLV: 16 bits at page 10, byte 0 (offset 24 of the data area), pages of 4 bytes.
    head = bytes.fromhex("0103A010 44".replace(" ", "")) + bytes([0x03, len(message)])
    flat = head + message
    first = 10 * 4 + 0 - 16
    area = flat[:first] + b"\xee\xee" + flat[first:] + b"\xfe"
    wide = bytes([0x01, 0x03, 0xA0, 0x10, 0x02]) + area[5:]
    place = type2.find_ndef(wide, 144)
    assert place is not None
    assert place.cut(wide) == message


@given(st.binary(max_size=20))
def test_versions_and_containers(data: bytes) -> None:
    type2.parse_version(data)
    result_of(lambda: type2.data_area_bytes(data))
    result_of(lambda: type3.parse_attributes(data))
    result_of(lambda: type4.parse_cc(data))


@given(st.binary(min_size=14, max_size=14))
def test_attribute_block_with_a_right_checksum(head: bytes) -> None:
    block = head + (sum(head) & 0xFFFF).to_bytes(2, "big")
    attributes = result_of(lambda: type3.parse_attributes(block))
    if attributes is not None:
        numbers = [number for blocks in attributes.block_ranges() for number in blocks]
        assert numbers == list(range(1, 1 + -(-attributes.length // 16)))
        assert numbers[-1] <= attributes.last_block


@given(st.lists(st.tuples(st.binary(max_size=300), st.sampled_from([0x9000, 0x9000, 0x6A82])), max_size=60))
def test_type4_ends_whatever_is_answered(answers: list[tuple[bytes, int]]) -> None:
    left = iter(answers)
    sent = 0

    def send(apdu: type4.Apdu) -> tuple[bytes, int]:
        nonlocal sent
        sent += 1
        if sent == 3:
            return type4.encode_cc(type4.NdefFile(b"\xe1\x04", 2048, 240, 2)), 0x9000
        return next(left, (b"", 0x9000))

    message = result_of(lambda: type4.read_message(send))
    assert message is None or 0 < len(message) <= ndef.MAX_MESSAGE_BYTES


@given(st.binary(max_size=3), st.binary(max_size=2), st.binary(max_size=12))
def test_any_anticollision_has_a_name(sens_res: bytes, sel_res: bytes, uid: bytes) -> None:
    chip = identify_type_a(sens_res, sel_res, uid)
    assert chip.label
    assert chip.same_card(chip)
    assert identify_type_f(uid).same_card(identify_type_f(uid))


@pytest.mark.parametrize(
    ("sak", "name"), [(0x08, "MIFARE Classic 1K"), (0x18, "MIFARE Classic 4K"), (0x00, "Type 2")]
)
def test_names_by_sak(sak: int, name: str) -> None:
    assert identify_type_a(bytes.fromhex("0400"), bytes([sak]), bytes(4)).name == name


def test_uids_that_start_with_08_are_random_when_four_bytes_long() -> None:
    assert identify_type_a(b"\x44\x03", b"\x20", bytes.fromhex("08112233")).random_uid
    assert not identify_type_a(b"\x44\x03", b"\x20", bytes.fromhex("08112233445566")).random_uid
    assert not identify_type_a(b"\x44\x03", b"\x20", bytes.fromhex("04112233")).random_uid
