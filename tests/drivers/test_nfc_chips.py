"""Each chip over udp: a hundred reads, lifted midway, empty, foreign, hostile."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from drivers.chips import ndef
from drivers.nfc_budget import TAP_BUDGET_S
from drivers.nfc_reader import MOST_ALIKE, MOST_ATTEMPTS, TECHNOLOGIES, NfcConnection
from drivers.reader import Faulted, Lifted, PollEvent, Reading
from drivers.virtual.cards import (
    Script,
    Type2Card,
    Type3Card,
    Type4Card,
    VirtualCard,
    desfire,
    felica,
    ntag215,
)
from drivers.virtual.field import VirtualField
from kiosk.errors import CardFault, EnvironmentFault
from kiosk.values import CardRead
from tests.drivers.contract import is_end, is_lifted, is_nothing_more, poll_until
from tests.drivers.nfc_rig import MAKERS, UIDS, make_card, payload_of, unplug

CHIPS = sorted(MAKERS)


def read_card(field: VirtualField, connection: NfcConnection, card: VirtualCard) -> CardRead:
    field.put(card)
    end = poll_until(connection, is_end)[-1]
    assert isinstance(end, CardRead), getattr(end, "fault", end)
    return end


def fault_of(field: VirtualField, connection: NfcConnection, card: VirtualCard) -> CardFault:
    field.put(card)
    end = poll_until(connection, is_end)[-1]
    assert isinstance(end, Faulted), end
    assert isinstance(end.fault, CardFault)
    return end.fault


@pytest.mark.parametrize("chip", CHIPS)
def test_a_hundred_of_a_hundred_reads(
    chip: str, nfc_field: VirtualField, nfc_connection: NfcConnection
) -> None:
    for number in range(100):
        read = read_card(nfc_field, nfc_connection, make_card(chip, number % 7))
        assert read.payload == payload_of(number % 7)
        assert read.chip == chip
        assert len(read.uid) == len(UIDS[chip])
    assert nfc_connection.health().reads == 100
    assert nfc_connection.health().faults == 0


def test_ntag215_with_194_bytes_takes_at_most_20_commands(
    nfc_field: VirtualField, nfc_connection: NfcConnection
) -> None:
    frames: list[bytes] = []
    script = Script(on_frame=lambda technology, frame: frames.append(frame))
    message = ndef.encode_record(payload_of(1))
    assert len(message) == 194
    nfc_field.put(ntag215(UIDS["NTAG215"], message, script))
    assert nfc_connection.poll() == Reading()
    assert isinstance(nfc_connection.poll(), CardRead)
    assert len(frames) <= 20


@pytest.mark.parametrize("size", [1, 200, 255, 256, 400])
@pytest.mark.parametrize("chip", CHIPS)
def test_small_and_large_records(
    chip: str, size: int, nfc_field: VirtualField, nfc_connection: NfcConnection
) -> None:
    read = read_card(nfc_field, nfc_connection, make_card(chip, 3, size=size))
    assert read.payload == payload_of(3, size)


def test_a_chip_without_version_or_fast_read_is_read_page_by_page(
    nfc_field: VirtualField, nfc_connection: NfcConnection
) -> None:
    card = ntag215(UIDS["NTAG215"], ndef.encode_record(payload_of(5)))
    read = read_card(nfc_field, nfc_connection, Type2Card(card.uid, memory=card.memory, version=b""))
    assert read.payload == payload_of(5)
    assert read.chip == "Type 2"


@pytest.mark.parametrize("after", range(1, 13))
@pytest.mark.parametrize("chip", CHIPS)
def test_lifted_at_any_command_is_never_anything_else(
    chip: str, after: int, nfc_field: VirtualField, nfc_connection: NfcConnection
) -> None:
    nfc_field.put(make_card(chip, script=Script(lift_after=after)))
    ends: list[PollEvent] = []
    quiet = 0
    while quiet < 5 and Lifted() not in ends:
        event = nfc_connection.poll()
        quiet = quiet + 1 if event is None else 0
        if event is not None:
            ends.append(event)
        if isinstance(event, CardRead):
            nfc_field.lift()
    codes = [event.fault.code for event in ends if isinstance(event, Faulted)]
    reads = [event for event in ends if isinstance(event, CardRead)]
    if Reading() not in ends:
        assert ends == []
    elif reads:
        assert codes == []
        assert ends == [Reading(), *reads, Lifted()]
    else:
        assert codes == ["card_lifted"]
        assert ends[-1] == Lifted()


def test_a_card_that_slips_and_comes_back_is_read_without_being_lifted(
    nfc_field: VirtualField, nfc_connection: NfcConnection
) -> None:
    nfc_field.put(make_card("NTAG215", script=Script(lift_after=6)))
    fault = poll_until(nfc_connection, is_end)[-1]
    assert isinstance(fault, Faulted)
    assert fault.fault.code == "card_lifted"
    nfc_field.put(make_card("NTAG215"))
    first, read = poll_until(nfc_connection, is_end)
    assert first == Reading()
    assert isinstance(read, CardRead)
    assert read.payload == payload_of(0)


def test_a_card_that_keeps_silent_for_a_moment_is_read_in_the_same_tap(
    nfc_field: VirtualField, nfc_connection: NfcConnection
) -> None:
    script = Script()
    looks = 0

    def on_frame(technology: str, frame: bytes) -> None:
        nonlocal looks
        if frame[:1] == b"\x3a" and looks == 0:
            script.silent, looks = True, 1
        elif frame == b"\x26" and looks:
            # The reader wakes the chip once, and looks whether the card still lies there after that.
            looks += 1
            script.silent = looks < 3

    script.on_frame = on_frame
    nfc_field.put(make_card("NTAG215", 6, script))
    events = poll_until(nfc_connection, is_end)
    assert events[:-1] == [Reading()]
    assert isinstance(events[-1], CardRead)
    assert events[-1].payload == payload_of(6)
    assert not script.silent


def test_a_card_that_slips_for_ever_is_tried_a_few_times(
    nfc_field: VirtualField, nfc_connection: NfcConnection
) -> None:
    codes = []
    for _ in range(MOST_ATTEMPTS):
        nfc_field.put(make_card("NTAG215", script=Script(lift_after=6)))
        end = poll_until(nfc_connection, is_end)[-1]
        assert isinstance(end, Faulted)
        codes.append(end.fault.code)
    assert codes == ["card_lifted"] * MOST_ATTEMPTS
    nfc_field.put(make_card("NTAG215"))
    assert is_nothing_more(nfc_connection, 8)


def _empty_type2() -> VirtualCard:
    card = ntag215(UIDS["NTAG215"], b"\x00")
    memory = card.memory[:16] + b"\x03\x00\xfe" + bytes(len(card.memory) - 19)
    return Type2Card(card.uid, memory=memory)


@pytest.mark.parametrize(
    "make",
    [
        _empty_type2,
        lambda: Type2Card(UIDS["NTAG215"], memory=bytes(540)),
        lambda: ntag215(UIDS["NTAG215"], ndef.encode_record(b"", "", ndef.TNF_EMPTY)),
        lambda: ntag215(UIDS["NTAG215"], ndef.encode_record(b"")),
        lambda: felica(UIDS["FeliCa"], b""),
        lambda: desfire(UIDS["DESFire"], b""),
    ],
)
def test_empty(
    make: Callable[[], VirtualCard], nfc_field: VirtualField, nfc_connection: NfcConnection
) -> None:
    assert fault_of(nfc_field, nfc_connection, make()).code == "card_empty"
    assert is_nothing_more(nfc_connection)


@pytest.mark.parametrize(
    ("make", "chip"),
    [
        (lambda: ntag215(UIDS["NTAG215"], ndef.encode_record(b"\x01kmc.id", "U", 1)), "Type 2"),
        (lambda: felica(UIDS["FeliCa"], ndef.encode_record(b"x", "example.com:other")), "FeliCa"),
        (lambda: Type3Card(UIDS["FeliCa"], b"", systems=(0x0003,)), "FeliCa"),
        (
            lambda: Type4Card(UIDS["DESFire"], bytes.fromhex("4403"), 0x20, has_ndef=False),
            "DESFire",
        ),
        (
            lambda: Type2Card(UIDS["NTAG215"], memory=bytes(12) + b"\xff\xff\xff\xff" + bytes(524)),
            "Type 2",
        ),
    ],
)
def test_foreign(
    make: Callable[[], VirtualCard], chip: str, nfc_field: VirtualField, nfc_connection: NfcConnection
) -> None:
    fault = fault_of(nfc_field, nfc_connection, make())
    assert fault.code == "card_foreign"
    assert fault.detail["chip"] == chip
    assert is_nothing_more(nfc_connection)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Type3Card(UIDS["FeliCa"], b"x", length=5000),
        lambda: Type4Card(UIDS["DESFire"], bytes.fromhex("4403"), 0x20, message=b"x", length=5000),
    ],
)
def test_oversized_is_refused_by_what_it_announces(
    make: Callable[[], VirtualCard], nfc_field: VirtualField, nfc_connection: NfcConnection
) -> None:
    assert fault_of(nfc_field, nfc_connection, make()).code == "card_oversized"


def test_a_random_uid_is_read_and_named_and_lies_still(
    nfc_field: VirtualField, nfc_connection: NfcConnection
) -> None:
    count = iter(range(1_000_000))

    def new_uid() -> bytes:
        return b"\x08" + next(count).to_bytes(3, "big")

    message = ndef.encode_record(payload_of(2))
    card = Type4Card(new_uid(), bytes.fromhex("4403"), 0x20, new_uid=new_uid, message=message)
    read = read_card(nfc_field, nfc_connection, card)
    assert read.payload == payload_of(2)
    assert read.chip == "DESFire random UID"
    assert len(read.uid) == 4
    assert read.uid[0] == 0x08
    assert is_nothing_more(nfc_connection)


def test_two_technologies_in_turn(nfc_field: VirtualField, nfc_connection: NfcConnection) -> None:
    for number in range(6):
        for chip in ("NTAG215", "FeliCa", "DESFire"):
            read = read_card(nfc_field, nfc_connection, make_card(chip, number))
            assert (read.chip, read.payload) == (chip, payload_of(number))


def test_two_cards_that_take_turns_are_told(nfc_field: VirtualField, nfc_connection: NfcConnection) -> None:
    first, second = make_card("NTAG215", 1), make_card("NTAG215", 2)
    read_card(nfc_field, nfc_connection, first)
    assert nfc_connection.poll() is None
    nfc_field.put(second)
    assert nfc_connection.poll() == Lifted()
    assert nfc_connection.poll() == Reading()
    assert isinstance(nfc_connection.poll(), CardRead)
    assert nfc_connection.poll() is None
    nfc_field.put(first)
    event = nfc_connection.poll()
    assert isinstance(event, Faulted)
    assert event.fault.code == "card_two"
    for card in (second, first, second):
        nfc_field.put(card)
        assert nfc_connection.poll() is None
    nfc_field.lift()
    assert poll_until(nfc_connection, is_lifted) == [Lifted()]


@pytest.mark.parametrize(
    ("chip", "script"),
    [
        ("DESFire", Script(endless_wtx=True)),
        ("DESFire", Script(empty_reads=True)),
        ("DESFire", Script(short_ats=True)),
        *[(chip, Script(wrong_lengths=True)) for chip in CHIPS],
        *[(chip, Script(garbage=True)) for chip in CHIPS],
        *[(chip, Script(silent=True)) for chip in CHIPS],
    ],
)
def test_a_hostile_card_ends_as_a_card_fault_within_the_budget(
    chip: str, script: Script, nfc_field: VirtualField, nfc_connection: NfcConnection
) -> None:
    nfc_field.put(make_card(chip, script=script))
    while (event := nfc_connection.poll()) != Reading():
        assert event is None
    started = time.monotonic()
    event = nfc_connection.poll()
    took_s = time.monotonic() - started
    assert isinstance(event, Faulted)
    assert isinstance(event.fault, CardFault)
    assert event.fault.code in ("card_unreadable", "card_malformed", "card_foreign")
    # The budget, and the look whether the card still lies there.
    assert took_s < TAP_BUDGET_S + 0.5
    assert is_nothing_more(nfc_connection)
    assert read_card(nfc_field, nfc_connection, make_card("NTAG215", 9)).payload == payload_of(9)


def test_endless_wtx_uses_the_whole_budget_and_no_more(
    nfc_field: VirtualField, nfc_connection: NfcConnection
) -> None:
    nfc_field.put(make_card("DESFire", script=Script(endless_wtx=True)))
    while nfc_connection.poll() != Reading():
        pass
    started = time.monotonic()
    event = nfc_connection.poll()
    assert isinstance(event, Faulted)
    assert event.fault.detail["error"] == "BudgetSpent"
    assert TAP_BUDGET_S - 0.1 < time.monotonic() - started < TAP_BUDGET_S + 0.5


@pytest.mark.parametrize("after", range(0, 12, 2))
@pytest.mark.parametrize("chip", CHIPS)
def test_a_device_that_goes_at_any_datagram_is_gone(
    chip: str, after: int, nfc_field: VirtualField, nfc_connection: NfcConnection
) -> None:
    nfc_field.put(make_card(chip))
    unplug(nfc_connection, after)
    with pytest.raises(EnvironmentFault) as caught:
        poll_until(nfc_connection, lambda event: False)
    assert caught.value.code == "reader_gone"


def test_an_empty_field_is_polled_eight_times_a_second(nfc_connection: NfcConnection) -> None:
    assert len(TECHNOLOGIES) == 3
    deadline = time.monotonic() + 20
    while True:
        started = time.monotonic()
        assert nfc_connection.poll() is None
        if time.monotonic() - started + nfc_connection.interval_s <= 1 / 8:
            break
        assert time.monotonic() < deadline, "no round was as quick"


def test_a_second_card_beside_the_read_one_is_told(
    nfc_field: VirtualField, nfc_connection: NfcConnection
) -> None:
    nfc_field.put(make_card("NTAG215", 1))
    nfc_field.put_beside(make_card("DESFire", 2))
    read = poll_until(nfc_connection, is_end)[-1]
    assert isinstance(read, CardRead)
    assert read.payload == payload_of(1)
    told = nfc_connection.poll()
    assert isinstance(told, Faulted)
    assert told.fault.code == "card_two"
    assert is_nothing_more(nfc_connection)
    nfc_field.lift()
    assert poll_until(nfc_connection, is_lifted) == [Lifted()]


@pytest.mark.parametrize("script", [Script(), Script(garbage=True)])
def test_a_card_that_changes_its_uid_is_told_once_and_left_alone(
    script: Script, nfc_field: VirtualField, nfc_connection: NfcConnection
) -> None:
    count = iter(range(1_000_000))

    def new_uid() -> bytes:
        return b"\x04" + next(count).to_bytes(6, "big")

    card = make_card("NTAG215", script=script)
    assert isinstance(card, Type2Card)
    nfc_field.put(Type2Card(new_uid(), memory=card.memory, script=script, new_uid=new_uid))
    ends = poll_until(
        nfc_connection,
        lambda event: isinstance(event, Faulted) and event.fault.message == "the card changes its UID",
    )
    assert sum(map(is_end, ends)) == MOST_ALIKE + 1
    assert is_nothing_more(nfc_connection)
    nfc_field.lift()
    assert poll_until(nfc_connection, is_lifted) == [Lifted()]
    assert read_card(nfc_field, nfc_connection, make_card("NTAG215", 9)).payload == payload_of(9)
