"""Writing through PC/SC: into a virtual reader of a real pcscd; frames for a chip, by each make's command."""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.chip_writer import NO_KEYS, ChipWriter, StationKeys
from drivers.chips import card_profile, ndef, passthrough, type2
from drivers.chips.originality import READ_SIG, PublicKey
from drivers.chips.personalise import MasterKeys
from drivers.pcsc_reader import PcscConnection
from drivers.pcsc_writer import PcscField
from drivers.virtual.blank import BlankType2, blank_desfire, blank_felica, blank_ntag
from drivers.virtual.cards import ntag215
from drivers.virtual.ev2_chip import blank_desfire_ev2, blank_ntag424
from drivers.virtual.signer import Signer
from drivers.virtual.signing_chip import SigningChip
from drivers.virtual.vpcd import SlotCard, Type2Slot, Type4Slot, in_slot
from drivers.write_orders import Look, Rekey, Sign, Write, encode_order, parse_order
from drivers.write_process import run
from kiosk.errors import CardFault, EnvironmentFault
from kiosk.values import CardRead, Grade
from tests.drivers.contract import is_end, poll_until
from tests.drivers.pcsc_rig import READER, PcscRig, VirtualPcscd

UID = bytes.fromhex("04A1B2C3D4E5F6")
KEYS = MasterKeys(bytes(range(16)), bytes(range(16, 32)))
NEXT = MasterKeys(bytes(range(32, 48)), bytes(range(48, 64)))
HELD = StationKeys(KEYS, KEYS.authentication)
PAYLOAD, OTHER = bytes(range(172)), bytes(172)
MOST_MISSES = 40


@pytest.fixture(scope="module")
def pcscd() -> Iterator[VirtualPcscd]:
    service = VirtualPcscd()
    try:
        service.start()
        yield service
    finally:
        service.close()


@pytest.fixture
def rig(pcscd: VirtualPcscd) -> Iterator[PcscRig]:
    made = PcscRig(pcscd, "DESFire")
    yield made
    made.close()


@contextmanager
def writing(keys: StationKeys = NO_KEYS) -> Iterator[ChipWriter]:
    misses = itertools.count()

    def nobody() -> None:
        if next(misses) > MOST_MISSES:
            raise EnvironmentFault("reader_timeout")
        time.sleep(0.05)

    with PcscField(f"pcsc:{READER}") as field:
        yield ChipWriter(field, waits=nobody, keys=keys)


def blank(kind: str, *, keys: bool = False) -> SlotCard:
    if kind == "SmartCard":
        chip = SigningChip(b"", b"certificate")
        return Type4Slot(UID, chip)
    if kind == "DESFire":
        return Type4Slot(UID, blank_desfire_ev2(UID)) if keys else empty_desfire()
    return in_slot(blank_ntag(UID, kind)) if kind.startswith("NTAG2") else Type4Slot(UID, blank_ntag424(UID))


def refusal(work: Callable[[], Any]) -> str:
    with pytest.raises((CardFault, EnvironmentFault)) as caught:
        work()
    return caught.value.code


def kiosk_reads(rig: PcscRig) -> CardRead:
    with PcscConnection(rig.reference) as connection:
        read = poll_until(connection, is_end)[-1]
    assert isinstance(read, CardRead), read
    return read


@pytest.mark.parametrize("kind", ["NTAG215", "NTAG216", "NTAG424", "DESFire", "SmartCard"])
def test_a_blank_chip_is_written_and_read_by_the_kiosk(kind: str, rig: PcscRig) -> None:
    rig.put(blank(kind))
    with writing() as writer:
        survey, payload, state, proved = writer.look()
        assert (survey.chip, survey.uid, payload, state, proved) == (kind, UID, b"", "empty", None)
        order = Write(UID, kind, PAYLOAD)
        assert writer.write(order)[1] == PAYLOAD
        assert writer.write(order)[1] == PAYLOAD
        assert refusal(lambda: writer.write(Write(UID, kind, OTHER))) == "card_written"
        assert refusal(lambda: writer.write(Write(UID[:-1] + b"\x01", kind, PAYLOAD))) == "card_wrong_chip"
        assert refusal(lambda: writer.write(Write(UID, "FeliCa", PAYLOAD))) == "card_wrong_kind"
        assert writer.write(Write(UID, kind, OTHER, overwrite=True))[1] == OTHER
    read = kiosk_reads(rig)
    assert (read.payload, read.uid) == (OTHER, UID)


@pytest.mark.parametrize("kind", ["NTAG215", "DESFire"])
def test_a_lock_keeps_what_was_written(kind: str, rig: PcscRig) -> None:
    rig.put(blank(kind))
    with writing() as writer:
        writer.write(Write(UID, kind, PAYLOAD, lock="permanent"))
        again = Write(UID, kind, OTHER, overwrite=True)
        assert refusal(lambda: writer.write(again)) == "card_locked"
        assert writer.look()[1] == PAYLOAD


def empty_desfire() -> SlotCard:
    """A DESFire as delivered, without the keys of ``blank_desfire_ev2``."""
    chip = blank_desfire(UID)

    class Plain:
        def reset(self) -> None:
            chip.reset()

        def respond(self, apdu: bytes) -> bytes:
            return chip._respond(apdu)

    return Type4Slot(UID, Plain())


@pytest.mark.parametrize("kind", ["NTAG424", "DESFire"])
def test_a_chip_gets_keys_and_later_new_ones(kind: str, rig: PcscRig) -> None:
    rig.put(blank(kind, keys=True))
    with writing(HELD) as writer:
        assert writer.write(Write(UID, kind, PAYLOAD, personalise=True))[1] == PAYLOAD
        assert writer.look()[1:] == (PAYLOAD, "credential", True)
        assert refusal(lambda: writer.rekey(UID)) == "card_key_missing"
    later = StationKeys(NEXT, NEXT.authentication, KEYS)
    with writing(later) as writer:
        assert refusal(lambda: writer.rekey(UID[:-1] + b"\x01")) == "card_wrong_chip"
        assert writer.rekey(UID)[1] == PAYLOAD
        assert writer.look()[3] is True
    with writing(HELD) as writer:
        assert refusal(writer.look) == "card_proof_bad"


def test_a_chip_that_signs_answers_a_challenge(rig: PcscRig) -> None:
    chip = SigningChip(ndef.encode_record(PAYLOAD), b"certificate" * 40)
    rig.put(Type4Slot(UID, chip))
    with writing() as writer:
        survey, certificate, signature = writer.sign(bytes(16))
        assert (survey.chip, certificate) == ("SmartCard", chip.certificate)
        assert len(signature) > 60
        assert writer.look()[1] == PAYLOAD
        rig.put(in_slot(ntag215(UID, ndef.encode_record(PAYLOAD))))
        assert refusal(lambda: writer.sign(bytes(16))) == "card_wrong_kind"


def test_what_cannot_be_written_is_named(rig: PcscRig) -> None:
    frames = in_slot(blank_ntag(UID))
    assert isinstance(frames, Type2Slot)
    frames.hands_on = False
    cards: list[tuple[SlotCard, str]] = [
        (in_slot(blank_felica(bytes.fromhex("0114B34D2A6F7788"))), "card_wrong_kind"),
        (Type4Slot(bytes.fromhex("08010203"), blank_desfire_ev2(UID)), "card_random_uid"),
        # Without GET_VERSION nobody knows where its locks are.
        (frames, "card_wrong_kind"),
    ]
    with writing() as writer:
        for card, code in cards:
            rig.put(card)
            assert refusal(writer.look) == code


@pytest.mark.parametrize("answered", [0, 2, 7, 20])
def test_lifted_it_is_written_by_the_same_order_again(answered: int, rig: PcscRig) -> None:
    chip = blank_ntag(UID)
    with writing() as writer:
        rig.slot.lift_after = answered
        rig.put(in_slot(chip))
        assert refusal(lambda: writer.write(Write(UID, "NTAG215", PAYLOAD))) == "card_lifted"
        rig.slot.lift_after = None
        rig.put(in_slot(chip))
        assert writer.write(Write(UID, "NTAG215", PAYLOAD))[1] == PAYLOAD
        rig.slot.lift()
        writer.wait_lifted()


def test_the_writing_process_takes_a_pcsc_reader(rig: PcscRig, tmp_path: Path) -> None:
    rig.put(in_slot(blank_ntag(UID)))
    orders = tmp_path / "orders"
    orders.write_text(encode_order(Look()) + encode_order(Write(UID, "NTAG215", PAYLOAD)))
    command = [
        sys.executable,
        "-m",
        "kiosk.cli",
        "write",
        "--device",
        f"pcsc:{READER}",
        "--order",
        str(orders),
    ]
    ended = subprocess.run(
        [*command, "--timeout", "60"],
        env={**os.environ, "KMC_HOME": str(tmp_path)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 0, ended.stderr
    assert [line["event"] for line in lines] == ["ready", "chip", "written"]
    assert lines[0]["device"] == f"pcsc:{READER}"
    assert (lines[2]["uid"], lines[2]["chip"]) == (UID.hex(), "NTAG215")


def test_a_reader_that_goes_ends_the_process(pcscd: VirtualPcscd, tmp_path: Path) -> None:
    orders = tmp_path / "orders"
    orders.write_text(encode_order(Look()) * 2)
    out = io.StringIO()
    waits = itertools.count()

    def clock() -> float:
        if next(waits) == 5:
            pcscd.stop()
        return 0.0

    try:
        with orders.open() as opened:
            code = run(f"pcsc:{READER}", out=out, orders=opened, orders_are_file=True, clock=clock)
    finally:
        pcscd.start()
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    assert (code, [event["event"] for event in events]) == (3, ["ready", "gone"])
    assert events[1]["code"] == "reader_gone"


# -- NXP's signature of a Type 2 chip --


@pytest.mark.parametrize(
    ("whose", "hands_on", "original"),
    [
        ("its own", True, True),
        ("another chip's", True, False),
        ("none", True, None),
        ("its own", False, None),
        ("short", True, None),
    ],
)
def test_an_ntags_signature_is_checked_where_the_reader_hands_frames_on(
    whose: str, hands_on: bool, original: bool | None, rig: PcscRig
) -> None:
    signer = Signer()
    card = ntag215(UID, ndef.encode_record(PAYLOAD))
    signatures = {"its own": signer.type2(UID), "another chip's": signer.type2(bytes(7)), "short": bytes(16)}
    card.signature = signatures.get(whose, b"")
    slot = Type2Slot(card, hands_on=hands_on)
    keys = [PublicKey.of(key) for key in signer.public_keys]
    with PcscConnection(rig.reference, originality_keys=keys) as connection:
        rig.put(slot)
        read = poll_until(connection, is_end)[-1]
    assert isinstance(read, CardRead), read
    assert read.payload == PAYLOAD
    assert (read.proof.original if read.proof else None) is original
    assert read.proof is None or read.proof.grade is Grade.P1


# -- frames for a chip --


@pytest.mark.parametrize(
    "reader", ["ACS ACR122U PICC Interface 00 00", "ACS ACR1552 1S CL Reader PICC 00 00"]
)
def test_frames_reach_the_chip_by_the_readers_own_command(reader: str) -> None:
    card = blank_ntag(UID)
    card.signature = bytes(range(32))
    slot = Type2Slot(card)
    sent: list[bytes] = []

    def transmit(apdu: bytes) -> bytes:
        sent.append(apdu)
        return slot.respond(apdu)

    assert passthrough.exchange(transmit, reader, type2.GET_VERSION) == card.version
    assert passthrough.exchange(transmit, reader, READ_SIG) == card.signature
    expected = bytes.fromhex("FF00000003D44260" if "ACR122" in reader else "FFC200010A5F460450C3000095016000")
    assert sent[0] == expected
    frames = passthrough.Type2Frames(transmit, reader)
    assert frames(type2.read_command(3)) == card.memory[12:28]
    assert frames(b"\xa2\x08abcd") == bytes([type2.ACK])
    assert frames(type2.read_command(8))[:4] == b"abcd"
    # Page 1 is part of the UID: the chip refuses, and a refusal is a NAK whatever the reader says.
    assert type2.is_nak(frames(b"\xa2\x01abcd"))
    assert type2.is_nak(frames(b"\x1a\x00"))


@pytest.mark.parametrize(
    "answer",
    [
        "6A81",
        "9000",
        "C00301 6A81 9000",
        "C003009000 9000",
        "C003009000 920100 96020100 9000",
        "C003009000 9720 01 9000",
        "C003009000 97 9000",
        "C003009000 9700 9000",
    ],
)
def test_a_reader_that_says_no_or_something_else_handed_nothing_on(answer: str) -> None:
    told = bytes.fromhex(answer.replace(" ", ""))
    for reader in ("ACR122U", "any"):
        assert passthrough.exchange(lambda _: told, reader, READ_SIG) is None


def test_orders_of_their_own_survive_their_line() -> None:
    for order in (Rekey(UID), Sign(bytes(16))):
        assert parse_order(encode_order(order)) == order
    for line in (
        '{"command":"rekey","uid":"04"}',
        '{"command":"rekey"}',
        '{"command":"sign","challenge":"xx"}',
        '{"command":"sign","challenge":"00"}',
    ):
        assert not isinstance(parse_order(line), (Rekey, Sign))


def test_the_citys_application_makes_it_a_smart_card() -> None:
    assert SigningChip(b"", b"c").respond(card_profile.select())[-2:] == b"\x90\x00"
    assert BlankType2(UID).command(card_profile.select()) == b"\x00"
