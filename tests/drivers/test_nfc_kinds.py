"""Chips over the field by kind: NXP's signature checked, and those that cannot carry a credential named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drivers.chips import ndef
from drivers.chips.originality import NXP_KEYS, PublicKey
from drivers.nfc_devices import find_device
from drivers.nfc_reader import NfcConnection
from drivers.reader import Faulted, Reading
from drivers.virtual.cards import Type2Card, TypeACard, VirtualCard, desfire, felica, mifare_classic, ntag215
from drivers.virtual.field import VirtualField
from drivers.virtual.signer import Signer
from kiosk.errors import CardFault
from kiosk.values import CardRead, ChipProof, Grade
from tests.drivers.contract import is_end, poll_until
from tests.drivers.nfc_rig import UIDS, make_card, payload_of

SIGNER = Signer()
MESSAGE = ndef.encode_record(payload_of(1))


@pytest.fixture
def signed_connection(nfc_field: VirtualField) -> Iterator[NfcConnection]:
    keys = (*NXP_KEYS, *map(PublicKey.of, SIGNER.public_keys))
    with NfcConnection(find_device(nfc_field.path), originality_keys=keys) as connection:
        yield connection


def read_of(field: VirtualField, connection: NfcConnection, card: VirtualCard) -> CardRead:
    field.put(card)
    end = poll_until(connection, is_end)[-1]
    assert isinstance(end, CardRead), getattr(end, "fault", end)
    assert end.payload == payload_of(1)
    return end


def signed_ntag(signature: bytes) -> Type2Card:
    card = ntag215(UIDS["NTAG215"], MESSAGE)
    card.signature = signature
    return card


def test_an_ntag215_with_its_makers_signature_is_original(
    nfc_field: VirtualField, signed_connection: NfcConnection
) -> None:
    read = read_of(nfc_field, signed_connection, signed_ntag(SIGNER.type2(UIDS["NTAG215"])))
    assert read.proof == ChipProof(Grade.P1, original=True)


def test_a_desfire_with_its_makers_signature_is_original(
    nfc_field: VirtualField, signed_connection: NfcConnection
) -> None:
    card = desfire(UIDS["DESFire"], MESSAGE)
    card.signature = SIGNER.type4(UIDS["DESFire"])
    assert read_of(nfc_field, signed_connection, card).proof == ChipProof(Grade.P1, original=True)


@pytest.mark.parametrize(
    "signature",
    [SIGNER.type2(b"\x04" * 7), bytes(32), b"\xff" * 32, SIGNER.type2(UIDS["NTAG215"])[:31], b"\x0a"],
    ids=["of another chip", "zeros", "ones", "short", "an acknowledge"],
)
def test_another_signature_is_told_as_not_original(
    signature: bytes, nfc_field: VirtualField, signed_connection: NfcConnection
) -> None:
    read = read_of(nfc_field, signed_connection, signed_ntag(signature))
    assert read.proof == ChipProof(Grade.P1, original=False)


def test_only_nxps_own_keys_are_believed_unless_told(
    nfc_field: VirtualField, nfc_connection: NfcConnection
) -> None:
    read = read_of(nfc_field, nfc_connection, signed_ntag(SIGNER.type2(UIDS["NTAG215"])))
    assert read.proof == ChipProof(Grade.P1, original=False)


@pytest.mark.parametrize("chip", ["NTAG215", "DESFire", "FeliCa"])
def test_a_chip_that_gives_none_is_read_as_before(
    chip: str, nfc_field: VirtualField, nfc_connection: NfcConnection
) -> None:
    assert read_of(nfc_field, nfc_connection, make_card(chip, 1)).proof is None


def test_a_genuine_ntag215_takes_at_most_twenty_host_commands(
    nfc_field: VirtualField, signed_connection: NfcConnection
) -> None:
    nfc_field.put(signed_ntag(SIGNER.type2(UIDS["NTAG215"])))
    assert signed_connection.poll() == Reading()
    assert isinstance(signed_connection.poll(), CardRead)
    # A PN53x needs four host commands for each exchange, five to sense and select.
    assert signed_connection.frontend.exchanges == 3
    assert 4 * signed_connection.frontend.exchanges + 5 <= 20


def version(product: int, subtype: int, size: int) -> bytes:
    return bytes([0x00, 0x04, product, subtype, 0x01, 0x00, size, 0x03])


def too_small(name: str) -> VirtualCard:
    product, size, pages = {
        "NTAG213": (4, 0x0F, 45),
        "NTAG212": (4, 0x0E, 41),
        "NTAG210": (4, 0x0B, 20),
        "Ultralight EV1": (3, 0x0E, 41),
    }[name]
    return Type2Card(UIDS["NTAG215"], memory=bytes(4 * pages), version=version(product, 2, size))


def classic_4k() -> VirtualCard:
    return TypeACard(bytes.fromhex("11223344"), bytes.fromhex("0200"), 0x18)


@pytest.mark.parametrize(
    ("card", "code", "name"),
    [
        (mifare_classic(bytes.fromhex("11223344")), "card_classic", "MIFARE Classic 1K"),
        (mifare_classic(UIDS["NTAG215"]), "card_classic", "MIFARE Classic 1K"),
        (classic_4k(), "card_classic", "MIFARE Classic 4K"),
        *((too_small(name), "card_too_small", name) for name in ("NTAG213", "NTAG212", "NTAG210")),
        (too_small("Ultralight EV1"), "card_too_small", "Ultralight EV1"),
        (TypeACard(bytes.fromhex("11223344"), bytes.fromhex("0400"), 0x01), "card_foreign", "TNP3xxx"),
        (
            desfire(b"\x08\x01\x02\x03", ndef.encode_record(b"x", "T", 1)),
            "card_foreign",
            "DESFire random UID",
        ),
        (felica(UIDS["FeliCa"], b""), "card_empty", "FeliCa"),
    ],
)
def test_a_chip_that_cannot_carry_a_credential_is_named(
    card: VirtualCard, code: str, name: str, nfc_field: VirtualField, nfc_connection: NfcConnection
) -> None:
    nfc_field.put(card)
    end = poll_until(nfc_connection, is_end)[-1]
    assert isinstance(end, Faulted)
    assert isinstance(end.fault, CardFault)
    assert (end.fault.code, end.fault.detail["chip"]) == (code, name)


def test_an_ntag216_holds_a_credential_and_ntag_i2c_is_not_asked_for_a_signature(
    nfc_field: VirtualField, signed_connection: NfcConnection
) -> None:
    memory = ntag215(UIDS["NTAG215"], MESSAGE).memory + bytes(96 * 4)
    ntag216 = Type2Card(UIDS["NTAG215"], memory=memory, version=version(4, 2, 0x13))
    ntag216.signature = SIGNER.type2(UIDS["NTAG215"])
    read = read_of(nfc_field, signed_connection, ntag216)
    assert (read.chip, read.proof) == ("NTAG216", ChipProof(Grade.P1, original=True))
    nfc_field.lift()
    i2c = Type2Card(UIDS["NTAG215"][:6] + b"\x01", memory=memory, version=version(4, 5, 0x13))
    i2c.signature = b"\xff" * 32
    assert read_of(nfc_field, signed_connection, i2c).proof is None
