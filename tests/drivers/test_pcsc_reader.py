"""The reader contract over PC/SC, and what only PC/SC has: no pcscd, names of readers, cards in a slot."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.chip_prover import Prover
from drivers.chips import ndef, pcsc_atr, personalise
from drivers.chips.identify import Family
from drivers.chips.originality import PublicKey
from drivers.chips.personalise import MasterKeys
from drivers.lines import parse_event
from drivers.makes import connect
from drivers.nfc_process import run
from drivers.pcsc_reader import PcscConnection, find_readers
from drivers.reader import DeviceReference, Faulted, Lifted, Ready
from drivers.virtual.ev2_chip import Ev2Chip, blank_desfire_ev2, blank_ntag424
from drivers.virtual.signer import Signer
from drivers.virtual.signing_chip import SigningChip
from drivers.virtual.vpcd import SlotCard, Type4Slot, in_slot
from kiosk.errors import CardFault, EnvironmentFault
from kiosk.values import CardRead, Grade
from tests.drivers.contract import ReaderContract, Rig, is_end, is_lifted, poll_until
from tests.drivers.nfc_rig import MAKERS
from tests.drivers.pcsc_rig import READER, PcscRig, VirtualPcscd

UID = bytes.fromhex("04A1B2C3D4E5F6")
KEYS = MasterKeys(bytes(range(16)), bytes(range(16, 32)))
PAYLOAD = bytes(range(172))
MESSAGE = ndef.encode_record(PAYLOAD)
CHALLENGE = bytes(range(16))


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


class TestPcsc(ReaderContract):
    @pytest.fixture(params=sorted(MAKERS))
    def rig(self, request: pytest.FixtureRequest, pcscd: VirtualPcscd) -> Iterator[Rig]:
        made = PcscRig(pcscd, request.param)
        yield made
        made.close()


def end_of(connection: PcscConnection) -> CardRead | CardFault:
    end = poll_until(connection, is_end)[-1]
    if isinstance(end, Faulted):
        assert isinstance(end.fault, CardFault)
        return end.fault
    assert isinstance(end, CardRead)
    return end


def personalised(kind: str) -> Ev2Chip:
    if kind == "desfire":
        chip = blank_desfire_ev2(UID)
        personalise.desfire(chip.respond, UID, KEYS, MESSAGE, secrets.token_bytes)
    else:
        chip = blank_ntag424(UID)
        personalise.ntag424(chip.respond, UID, KEYS, MESSAGE, secrets.token_bytes)
    return chip


@pytest.mark.parametrize("kind", ["ntag424", "desfire"])
def test_a_chip_with_its_key_is_p2(kind: str, rig: PcscRig) -> None:
    with PcscConnection(rig.reference, prover=Prover(KEYS.authentication)) as connection:
        rig.put(Type4Slot(UID, personalised(kind)))
        read = end_of(connection)
        assert isinstance(read, CardRead), read
        assert (read.payload, read.uid, read.chip) == (PAYLOAD, UID, "DESFire")
        assert read.proof is not None
        assert read.proof.grade is Grade.P2
    with PcscConnection(rig.reference, prover=Prover(b"k" * 16)) as connection:
        fault = end_of(connection)
        assert isinstance(fault, CardFault)
        assert (fault.code, fault.detail["why"]) == ("card_proof_bad", "key")


@pytest.mark.parametrize("whose", ["its own", "another chip's", "none"])
def test_its_makers_signature_is_checked_beside_what_it_proves(whose: str, rig: PcscRig) -> None:
    signer, chip = Signer(), personalised("ntag424")
    chip.signature = {"its own": signer.type4(UID), "another chip's": signer.type4(bytes(7)), "none": b""}[
        whose
    ]
    keys = [PublicKey.of(key) for key in signer.public_keys]
    prover = Prover(KEYS.authentication)
    with PcscConnection(rig.reference, prover=prover, originality_keys=keys) as connection:
        rig.put(Type4Slot(UID, chip))
        read = end_of(connection)
        assert isinstance(read, CardRead), read
        assert read.proof is not None
        original = {"its own": True, "another chip's": False, "none": None}[whose]
        assert (read.proof.grade, read.proof.original) == (Grade.P2, original)


def test_a_chip_that_signs_is_p3(rig: PcscRig) -> None:
    chip = SigningChip(MESSAGE, b"certificate" * 40)
    with PcscConnection(rig.reference, prover=Prover(KEYS.authentication)) as connection:
        connection.take_challenge(CHALLENGE)
        rig.put(Type4Slot(UID, chip))
        read = end_of(connection)
        assert isinstance(read, CardRead), read
        assert read.proof is not None
        assert (read.proof.grade, read.proof.challenge) == (Grade.P3, CHALLENGE)
        assert read.proof.certificate == chip.certificate


@pytest.mark.parametrize("answered", [0, 1, 3, 5])
def test_lifted_at_any_command_is_lifted(answered: int, rig: PcscRig) -> None:
    with PcscConnection(rig.reference, prover=Prover(KEYS.authentication)) as connection:
        rig.slot.lift_after = answered
        rig.put(Type4Slot(UID, personalised("ntag424")))
        fault = end_of(connection)
        assert isinstance(fault, CardFault), fault
        assert fault.code == "card_lifted", fault.as_json()
        assert poll_until(connection, is_lifted)[-1] == Lifted()


def test_what_no_card_of_ours_is(rig: PcscRig) -> None:
    class Classic:
        atr = pcsc_atr.storage_atr(*pcsc_atr.CLASSIC_ATR)

        def reset(self) -> None: ...

        def respond(self, apdu: bytes) -> bytes:
            return UID[:4] + bytes.fromhex("9000") if apdu == pcsc_atr.GET_UID else bytes.fromhex("6300")

    class Mute:
        atr = pcsc_atr.contactless_atr(b"\x80")

        def reset(self) -> None: ...

        def respond(self, apdu: bytes) -> bytes:
            return b"\x90"

    cards: list[tuple[SlotCard, str]] = [(Classic(), "card_classic"), (Mute(), "card_unreadable")]
    with PcscConnection(rig.reference) as connection:
        for card, code in cards:
            rig.put(card)
            fault = end_of(connection)
            assert isinstance(fault, CardFault)
            assert fault.code == code


def test_readers_are_listed_and_found_by_the_beginning_of_their_name(rig: PcscRig) -> None:
    assert READER in [reader.name for reader in find_readers()]
    for path in ("pcsc:", "pcsc:Virtual", f"pcsc:{READER}"):
        with connect(path) as connection:
            assert connection.reference.path == f"pcsc:{READER}"
            assert connection.reference.name == READER
    with pytest.raises(EnvironmentFault) as caught, connect("pcsc:Nobody"):
        pass
    assert caught.value.code == "reader_missing"
    assert READER in caught.value.message


def test_without_pcscd_the_fault_names_what_starts_it(pcscd: VirtualPcscd) -> None:
    pcscd.stop()
    try:
        for open_it in (find_readers, PcscConnection(DeviceReference("nfc", "pcsc:")).__enter__):
            with pytest.raises(EnvironmentFault) as caught:
                open_it()
            assert caught.value.code == "pcsc_not_running"
            assert "systemctl" in str(caught.value.detail["fix"])
    finally:
        pcscd.start()


def test_a_reader_that_comes_later_is_found_where_none_is_named(
    pcscd: VirtualPcscd, rig: PcscRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.nfc_devices.find_devices", list)
    monkeypatch.setattr("drivers.nfc_any._CONTACTLESS", re.compile("Virtual PCD"))
    out_end, out_write = os.pipe()
    command_end, command_write = os.pipe()
    pcscd.stop()
    with (
        os.fdopen(out_end) as lines,
        os.fdopen(out_write, "w") as out,
        os.fdopen(command_end) as commands,
        os.fdopen(command_write, "w") as orders,
    ):
        codes: list[int] = []
        process = threading.Thread(target=lambda: codes.append(run("", out=out, commands=commands)))
        process.start()
        try:
            gone = json.loads(lines.readline())
            assert (gone["event"], gone["code"]) == ("gone", "reader_missing")
            for _ in range(2):  # plugged in, unplugged, and plugged in again
                pcscd.start()
                rig.put(Type4Slot(UID, personalised("ntag424")))
                events: list[dict[str, str]] = []
                while not events or events[-1]["event"] != "read":
                    events.append(json.loads(lines.readline()))
                ready = next(event for event in events if event["event"] == "ready")
                assert ready["device"] == f"pcsc:{READER}"
                pcscd.stop()
                while json.loads(lines.readline())["event"] != "gone":
                    pass
            orders.write('{"command":"stop"}\n')
            orders.flush()
            process.join(20)
        finally:
            orders.close()
            process.join(20)
            pcscd.start()
        assert codes == [0]


def test_the_reader_process_reads_a_p2_card(rig: PcscRig, tmp_path: Path) -> None:
    rig.put(Type4Slot(UID, personalised("ntag424")))
    key_file = tmp_path / "card-auth-key"
    key_file.write_text(KEYS.authentication.hex() + "\n")
    command = [sys.executable, "-m", "kiosk.cli", "read", "nfc", "--device", f"pcsc:{READER}", "--once"]
    ended = subprocess.run(
        [*command, "--timeout", "60", "--card-key-file", str(key_file)],
        env={**os.environ, "KMC_HOME": str(tmp_path)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    lines = ended.stdout.splitlines()
    assert isinstance(parse_event(lines[0]), Ready), ended.stderr
    read = parse_event(lines[-1])
    assert isinstance(read, CardRead), lines
    assert read.proof is not None
    assert (ended.returncode, read.uid, read.proof.grade) == (0, UID, Grade.P2)
    assert KEYS.authentication.hex() not in json.dumps([line.decode() for line in lines])


@pytest.mark.parametrize(
    ("atr", "uid", "family", "name"),
    [
        ("3B8F8001804F0CA000000306030003000000 0068", UID, Family.TYPE2, "Type 2"),
        ("3B8F8001804F0CA0000003060300010000 00006A", UID[:4], Family.FOREIGN, "MIFARE Classic 1K"),
        ("3B8180018080", UID, Family.TYPE4, "DESFire"),
        ("3B888001000000007177830092", UID, Family.TYPE4, "Type 4"),
        ("3B9F", b"", Family.TYPE4, "Type 4"),
        ("", b"", Family.TYPE4, "Type 4"),
    ],
)
def test_chips_by_their_atr(atr: str, uid: bytes, family: Family, name: str) -> None:
    chip = pcsc_atr.identify(bytes.fromhex(atr), uid)
    assert (chip.family, chip.name, chip.uid) == (family, name, uid)
    assert not chip.random_uid


def test_the_atr_of_a_storage_card_is_the_published_one() -> None:
    # PC/SC part 3, section 3.1.3.2.3.2: MIFARE Classic 1K.
    assert pcsc_atr.storage_atr(0x03, 0x0001) == bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")
    assert pcsc_atr.contactless_atr(b"\x80") == bytes.fromhex("3B8180018080")
    assert pcsc_atr.identify(bytes.fromhex("3B8180018080"), bytes.fromhex("08112233")).random_uid


def test_only_what_a_reader_shows_lies_in_a_slot() -> None:
    with pytest.raises(TypeError, match="cannot lie"):
        in_slot(object())
