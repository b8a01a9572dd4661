"""P2 and P3 through nfcpy's own ISO-DEP over its udp driver: proved, refused, lifted, silent, counted."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.chip_prover import CREDENTIAL, Prover, find_key_file, read_key_file
from drivers.chips import ndef, personalise, sdm
from drivers.chips.originality import PublicKey
from drivers.chips.personalise import MasterKeys
from drivers.nfc_devices import find_device
from drivers.nfc_reader import NfcConnection
from drivers.reader import Faulted, Lifted, TakesChallenges
from drivers.virtual.applet import desfire_like, smart_card
from drivers.virtual.cards import Script, VirtualCard, ntag215
from drivers.virtual.deck import DeckCard
from drivers.virtual.ev2_chip import Ev2Chip, blank_desfire_ev2, blank_ntag424
from drivers.virtual.field import VirtualField
from drivers.virtual.signer import Signer
from drivers.virtual.signing_chip import SIGNED_PREFIX, SigningChip
from kiosk.errors import CardFault, EnvironmentFault
from kiosk.values import CardRead, ChipProof, Grade
from tests.drivers.acr122 import Acr122Transport, OverTransport
from tests.drivers.contract import is_end, is_lifted, is_nothing_more, poll_until

UID = bytes.fromhex("04A1B2C3D4E5F6")
KEYS = MasterKeys(bytes(range(16)), bytes(range(16, 32)))
PAYLOAD = bytes(range(172))
MESSAGE = ndef.encode_record(PAYLOAD)
CHALLENGE = bytes(range(16))
KINDS = ["ntag424", "mirrored", "desfire"]


def personalised(kind: str, keys: MasterKeys = KEYS) -> Ev2Chip:
    if kind == "desfire":
        chip = blank_desfire_ev2(UID)
        personalise.desfire(chip.respond, UID, keys, MESSAGE, secrets.token_bytes)
    else:
        chip = blank_ntag424(UID)
        mirrored = kind == "mirrored"
        message = ndef.encode_with_mirror(PAYLOAD, b"0" * sdm.MIRROR_BYTES) if mirrored else MESSAGE
        personalise.ntag424(chip.respond, UID, keys, message, secrets.token_bytes, mirrored=mirrored)
    return chip


@pytest.fixture
def connection(nfc_field: VirtualField) -> Iterator[NfcConnection]:
    prover = Prover(KEYS.authentication)
    with NfcConnection(find_device(nfc_field.path), prover=prover) as opened:
        yield opened


def end_of(field: VirtualField, connection: NfcConnection, card: VirtualCard) -> CardRead | CardFault:
    field.put(card)
    end = poll_until(connection, is_end)[-1]
    if isinstance(end, Faulted):
        assert isinstance(end.fault, CardFault)
        return end.fault
    assert isinstance(end, CardRead)
    return end


def lift(field: VirtualField, connection: NfcConnection) -> None:
    """Takes the card away, until nothing more is heard of it."""
    field.lift()
    assert any(is_nothing_more(connection, 6) for _ in range(3))


@pytest.mark.parametrize("kind", KINDS)
def test_a_chip_with_its_key_is_p2(kind: str, nfc_field: VirtualField, connection: NfcConnection) -> None:
    read = end_of(nfc_field, connection, desfire_like(UID, personalised(kind)))
    assert isinstance(read, CardRead), read
    assert read.payload == PAYLOAD
    assert read.proof is not None
    assert read.proof.grade is Grade.P2
    assert (read.proof.counter is not None) == (kind == "mirrored")


@pytest.mark.parametrize("kind", KINDS)
def test_p2_takes_at_most_12_host_commands_more(kind: str) -> None:
    counts: list[int] = []
    # The last: a kiosk that holds the keys of tomorrow as well.
    provers = (Prover(), Prover(KEYS.authentication), Prover(b"n" * 16, KEYS.authentication))
    for prover in provers:
        transport = Acr122Transport()
        transport.card = desfire_like(UID, personalised(kind))
        with OverTransport(transport) as connection:
            connection._prover = prover
            transport.commands.clear()
            read = poll_until(connection, is_end)[-1]
            assert isinstance(read, CardRead), read
            assert (read.proof is not None and read.proof.grade is Grade.P2) == (len(counts) > 0)
            counts.append(len(transport.commands))
    assert 0 < counts[1] - counts[0] <= 12, counts
    assert 0 < counts[2] - counts[0] <= 12, counts


@pytest.mark.parametrize("kind", KINDS)
def test_another_key_is_a_bad_proof(kind: str, nfc_field: VirtualField, connection: NfcConnection) -> None:
    chip = personalised(kind, MasterKeys(b"m" * 16, b"a" * 16))
    fault = end_of(nfc_field, connection, desfire_like(UID, chip))
    assert isinstance(fault, CardFault)
    assert fault.code == "card_proof_bad"
    assert fault.detail["why"] == ("sun" if kind == "mirrored" else "key")


def test_a_copy_on_another_chip_of_ours_is_a_bad_proof(
    nfc_field: VirtualField, connection: NfcConnection
) -> None:
    # Its memory, and even its keys, but the UID of the chip they were not made for.
    chip = personalised("ntag424")
    other = UID[:-1] + b"\xf7"
    fault = end_of(nfc_field, connection, desfire_like(other, chip))
    assert isinstance(fault, CardFault)
    assert (fault.code, fault.detail["why"]) == ("card_proof_bad", "key")


def test_a_mirror_that_was_copied_is_a_bad_proof(nfc_field: VirtualField, connection: NfcConnection) -> None:
    stale = ndef.encode_with_mirror(PAYLOAD, b"0" * sdm.MIRROR_BYTES)
    chip = blank_ntag424(UID)
    personalise.ntag424(chip.respond, UID, KEYS, stale, secrets.token_bytes)
    fault = end_of(nfc_field, connection, desfire_like(UID, chip))
    assert isinstance(fault, CardFault)
    assert (fault.code, fault.detail["why"]) == ("card_proof_bad", "sun")


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_key_it_is_read_as_p1(kind: str, nfc_field: VirtualField) -> None:
    with NfcConnection(find_device(nfc_field.path)) as connection:
        read = end_of(nfc_field, connection, desfire_like(UID, personalised(kind)))
        assert isinstance(read, CardRead), read
        assert read.proof is None or read.proof == ChipProof(Grade.P1, original=read.proof.original)


def test_chips_without_keys_are_read_as_before(nfc_field: VirtualField, connection: NfcConnection) -> None:
    for card in (ntag215(UID, MESSAGE), smart_card(UID, SigningChip(MESSAGE))):
        lift(nfc_field, connection)
        read = end_of(nfc_field, connection, card)
        assert isinstance(read, CardRead), read
        assert read.proof is None or read.proof.grade is Grade.P1


@pytest.mark.parametrize("part", ["9071", "90af"])
def test_lifted_during_the_proof_is_lifted(
    part: str, nfc_field: VirtualField, connection: NfcConnection
) -> None:
    script = Script()

    def leave(technology: str, frame: bytes) -> None:
        if frame[1:3] == bytes.fromhex(part):
            script.lift_after = 0

    script.on_frame = leave
    fault = end_of(nfc_field, connection, desfire_like(UID, personalised("ntag424"), script))
    assert isinstance(fault, CardFault), fault
    assert fault.code == "card_lifted"
    assert poll_until(connection, is_lifted)[-1] == Lifted()


class Slow:
    """A chip that never ends its proof: it keeps silent from the first part on."""

    def __init__(self, chip: Ev2Chip) -> None:
        self._chip = chip

    def reset(self) -> None:
        self._chip.reset()

    def respond(self, apdu: bytes) -> bytes:
        return b"" if apdu[:2] == b"\x90\x71" else self._chip.respond(apdu)


def test_a_chip_that_answers_nothing_is_unreadable(
    nfc_field: VirtualField, connection: NfcConnection
) -> None:
    fault = end_of(nfc_field, connection, desfire_like(UID, Slow(personalised("ntag424"))))
    assert isinstance(fault, CardFault)
    assert fault.code == "card_unreadable"


# -- P3 --


def test_a_chip_that_signs_is_p3_once_for_each_challenge(
    nfc_field: VirtualField, connection: NfcConnection
) -> None:
    chip = SigningChip(MESSAGE, b"certificate" * 40)
    assert isinstance(connection, TakesChallenges)
    connection.take_challenge(bytes(16))
    connection.take_challenge(CHALLENGE)
    read = end_of(nfc_field, connection, smart_card(UID, chip))
    assert isinstance(read, CardRead), read
    proof = read.proof
    assert proof is not None
    assert (proof.grade, proof.challenge, proof.certificate) == (Grade.P3, CHALLENGE, chip.certificate)
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), chip.public)
    public.verify(proof.signature, SIGNED_PREFIX + CHALLENGE, ec.ECDSA(SHA256()))
    with pytest.raises(InvalidSignature):
        public.verify(proof.signature, CHALLENGE, ec.ECDSA(SHA256()))
    lift(nfc_field, connection)
    again = end_of(nfc_field, connection, smart_card(UID, chip))
    assert isinstance(again, CardRead)
    assert again.proof is None


@pytest.mark.parametrize("certificate", [b"c" * 2000])
def test_a_certificate_that_is_too_long_is_a_bad_proof(
    certificate: bytes, nfc_field: VirtualField, connection: NfcConnection
) -> None:
    connection.take_challenge(CHALLENGE)
    fault = end_of(nfc_field, connection, smart_card(UID, SigningChip(MESSAGE, certificate)))
    assert isinstance(fault, CardFault)
    assert (fault.code, fault.detail["why"]) == ("card_proof_bad", "profile")


# -- whatever a card answers --


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=6), st.binary(max_size=3))
def test_any_answers_are_a_proof_or_a_card_fault(answers: list[bytes], status: bytes) -> None:
    sent: list[bytes] = []

    def transmit(apdu: bytes) -> bytes:
        sent.append(apdu)
        return answers[len(sent) % len(answers)] + (status or bytes.fromhex("9000"))

    prover = Prover(KEYS.authentication)
    prover.take_challenge(CHALLENGE)
    proof: ChipProof | None = None
    with suppress(CardFault):
        proof = prover.prove(transmit, UID, MESSAGE)
    assert proof is None or proof.grade in (Grade.P1, Grade.P3)
    assert len(sent) < 600


def test_no_more_than_a_certificate_is_ever_read() -> None:
    sent: list[bytes] = []

    def transmit(apdu: bytes) -> bytes:
        sent.append(apdu)
        return (b"\x04\x00" if apdu[:4] == bytes.fromhex("00B00000") else b"c") + bytes.fromhex("9000")

    prover = Prover()
    prover.take_challenge(CHALLENGE)
    with suppress(CardFault):
        prover.prove(transmit, UID, MESSAGE)
    assert len(sent) <= 1030


def test_the_key_comes_from_a_file_that_holds_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / CREDENTIAL
    assert find_key_file("", {}) is None
    assert find_key_file("", {"CREDENTIALS_DIRECTORY": str(tmp_path)}) is None
    with pytest.raises(EnvironmentFault) as missing:
        read_key_file(file)
    assert missing.value.code == "card_key_missing"
    for content in ("", "00" * 15, "00" * 17, "zz" * 16, "00" * 16 + "\n\n", " " + "00" * 16):
        file.write_text(content)
        with pytest.raises(EnvironmentFault) as malformed:
            read_key_file(file)
        assert malformed.value.code == "card_key_malformed"
        assert not content.strip() or content.strip() not in str(malformed.value.as_json())
    file.write_text("0f" * 16 + "\n")
    assert find_key_file("", {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == file
    assert find_key_file("other", {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == Path("other")
    assert read_key_file(file) == b"\x0f" * 16


def test_a_tray_card_with_keys_is_p2_and_original(nfc_field: VirtualField) -> None:
    signer = Signer()
    card = DeckCard("1", "", "", "DESFire", UID, PAYLOAD, "")
    keys = tuple(PublicKey.of(key, "virtual") for key in signer.public_keys)
    prover = Prover(signer.card_keys.authentication)
    path = find_device(nfc_field.path)
    with NfcConnection(path, prover=prover, originality_keys=keys) as connection:
        read = end_of(nfc_field, connection, card.chip_card(signer))
        assert isinstance(read, CardRead), read
        assert (read.payload, read.proof) == (PAYLOAD, ChipProof(Grade.P2, original=True))
