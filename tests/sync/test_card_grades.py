"""Cards above P1 at the issuing station: chips that sign, and new keys for chips with keys of their own."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from drivers.chips.personalise import MasterKeys
from drivers.virtual.applet import desfire_like, smart_card
from drivers.virtual.ev2_chip import blank_desfire_ev2, blank_ntag424
from drivers.virtual.field import VirtualField
from drivers.virtual.signing_chip import SigningChip
from kiosk.errors import CardFault, OfficerFault
from kiosk.keyset import KeyUse
from kiosk.values import CardRead, Grade, Medium
from sync.central import (
    card_acts,
    card_certify,
    card_check,
    card_rekey_commands,
    card_writing,
    cards,
    key_admin,
    state,
)
from sync.central.card_commands import grade_of
from sync.central.key_files import KEYS_FOLDER
from sync.central.state import Central
from tests.sync.central_side import CARD_1, Clock, new_central
from tests.sync.field_station import station_on

UID = bytes.fromhex("04A1B2C3D4E5F6")
OLD = MasterKeys(bytes(range(16)), bytes(range(16, 32)))
NEW = MasterKeys(bytes(range(32, 48)), bytes(range(48, 64)))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def central(tmp_path: Path, clock: Clock) -> Iterator[Central]:
    made = new_central(tmp_path / "central", state.default_url(tmp_path / "central"), clock)
    yield made
    made.close()


@pytest.fixture
def field() -> Iterator[VirtualField]:
    with VirtualField() as made:
        yield made


def acts(central: Central) -> list[str]:
    return [act["act"] for act in card_acts.history(central, CARD_1)]


@pytest.mark.parametrize(
    ("chip", "grade", "good"),
    [
        ("NTAG215", "p2", False),
        ("NTAG424", "p2", True),
        ("DESFire", "p3", False),
        ("SmartCard", "p2", False),
        ("SmartCard", "p3", True),
        ("SmartCard", "p1", True),
    ],
)
def test_a_chip_is_issued_with_what_it_can_prove(chip: str, grade: str, *, good: bool) -> None:
    asked = Namespace(chip=chip, grade=grade)
    if good:
        assert grade_of(asked) is Grade.of(grade)
        return
    with pytest.raises(OfficerFault, match="card_refused"):
        grade_of(asked)


def test_a_card_of_p3_is_written_certified_and_checked(
    central: Central, clock: Clock, field: VirtualField
) -> None:
    key_admin.add(central, KeyUse.CARD_CA, central.home / KEYS_FOLDER / "root1.key")
    clock.now += 1
    cards.issue(central, 1, "SmartCard", b"", grade=Grade.P3)
    chip = SigningChip(b"", b"none yet")
    field.put(smart_card(UID, chip))
    with station_on(field.path, field.lift) as station:
        card_writing.write_card(central, CARD_1, station, None, overwrite=False, lock="none")
        with pytest.raises(CardFault, match="card_proof_bad"):
            card_check.signed(central, station.look(), station)
        public = chip.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        chip.certificate = card_certify.certify(central, CARD_1, public)
        seen = station.look()
        assert card_check.signed(central, seen, station) is Grade.P3
        read = CardRead(Medium.NFC, seen.payload, seen.uid, seen.chip)
        told = card_check.examine(central, read, proved=Grade.P3, locked=True)
        assert (told["good"], told["findings"]) == (True, [])
        # Read without the challenge it is less than it was issued for, and that is said.
        assert [one["code"] for one in card_check.examine(central, read)["findings"]] == ["not_challenged"]
        found = card_check.examine(central, read, proved=Grade.P1)["findings"]
        assert found[0]["code"] == "card_downgrade"
    assert acts(central)[-3:] == ["written", "verified", "certified"]


@pytest.mark.parametrize("kind", ["NTAG424", "DESFire"])
def test_a_card_that_is_out_gets_new_keys(kind: str, central: Central, field: VirtualField) -> None:
    made = blank_ntag424(UID) if kind == "NTAG424" else blank_desfire_ev2(UID)
    cards.issue(central, 1, kind, b"", grade=Grade.P2)
    field.put(desfire_like(UID, made))
    with station_on(field.path, field.lift, OLD) as station:
        card_writing.write_card(central, CARD_1, station, None, overwrite=False, lock="none")
        written = station.look().payload
    with station_on(field.path, field.lift, NEW, OLD) as station:
        told = card_rekey_commands.rekey_one(central, station, None)
        assert (told["card_no"], told["uid"]) == (CARD_1, UID.hex())
        seen = station.look()
        assert (seen.payload, seen.proved) == (written, True)
        assert made.keys[1] == NEW.of(UID, 1)
        assert acts(central)[-1] == card_rekey_commands.REKEYED
        cards.revoke(central, CARD_1, None, "stolen")
        with pytest.raises(CardFault, match="card_stolen"):
            card_rekey_commands.rekey_one(central, station, None)
    with station_on(field.path, field.lift, OLD) as station, pytest.raises(CardFault, match="card_proof_bad"):
        station.look()


def test_a_card_without_keys_of_its_own_gets_none(central: Central, field: VirtualField) -> None:
    chip = blank_ntag424(UID)
    cards.issue(central, 1, "NTAG424", b"")
    field.put(desfire_like(UID, chip))
    rekeying = station_on(field.path, field.lift, NEW, OLD)
    with rekeying as station, pytest.raises(CardFault, match="card_empty"):
        card_rekey_commands.rekey_one(central, station, None)
    with station_on(field.path, field.lift) as station:
        card_writing.write_card(central, CARD_1, station, None, overwrite=False, lock="none")
    with station_on(field.path, field.lift, NEW, OLD) as station, pytest.raises(CardFault):
        card_rekey_commands.rekey_one(central, station, None)
    assert chip.keys == [bytes(16)] * 5
