"""Writing chips that prove themselves: keys from files that nobody else reads, and a proof afterwards."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.chip_writer import StationKeys
from drivers.chips.personalise import MasterKeys
from drivers.master_keys import read_master_keys
from drivers.nfc_budget import BudgetedFrontend
from drivers.nfc_devices import find_device, open_device
from drivers.nfc_writer import NfcWriter
from drivers.virtual.applet import desfire_like
from drivers.virtual.blank import blank_ntag
from drivers.virtual.ev2_chip import Ev2Chip, blank_desfire_ev2, blank_ntag424
from drivers.virtual.field import VirtualField
from drivers.write_orders import Write, encode_order
from drivers.write_process import run_with_files
from kiosk.errors import CardFault, EnvironmentFault

UID = bytes.fromhex("04A1B2C3D4E5F6")
KEYS = MasterKeys(bytes(range(16)), bytes(range(16, 32)))
HELD = StationKeys(KEYS, KEYS.authentication)
PAYLOAD = bytes(range(172))
CHIPS: dict[str, Callable[[bytes], Ev2Chip]] = {"NTAG424": blank_ntag424, "DESFire": blank_desfire_ev2}


def wait() -> None:
    """The card lies there all the time: a round without it is a busy machine's."""


@pytest.fixture
def frontend(nfc_field: VirtualField) -> Iterator[BudgetedFrontend]:
    made = BudgetedFrontend()
    open_device(find_device(nfc_field.path), made)
    yield made
    made.close()


@pytest.mark.parametrize("kind", list(CHIPS))
def test_a_chip_is_personalised_and_proves_itself(
    nfc_field: VirtualField, frontend: BudgetedFrontend, kind: str
) -> None:
    chip = CHIPS[kind](UID)
    nfc_field.put(desfire_like(UID, chip))
    order = Write(UID, kind, PAYLOAD, personalise=True)
    writer = NfcWriter(frontend, waits=wait, keys=HELD)
    survey, _, state, proved = writer.look()
    assert (survey.chip, state, proved) == (kind, "empty", None)
    assert writer.write(order)[1] == PAYLOAD
    assert writer.look()[1:] == (PAYLOAD, "credential", True)
    assert chip.keys[1] == KEYS.of(UID, 1)
    # The same order again finds it done; another content is refused by the chip itself.
    assert writer.write(order)[1] == PAYLOAD
    with pytest.raises(CardFault):
        writer.write(Write(UID, kind, bytes(172), overwrite=True, personalise=True))
    stranger = NfcWriter(frontend, waits=wait, keys=StationKeys(card=bytes(15) + b"\x01"))
    with pytest.raises(CardFault, match="card_proof_bad"):
        stranger.look()
    assert NfcWriter(frontend, waits=wait).look()[3] is None


def test_without_keys_or_with_the_wrong_chip_nothing_is_written(
    nfc_field: VirtualField, frontend: BudgetedFrontend
) -> None:
    chip = blank_ntag424(UID)
    nfc_field.put(desfire_like(UID, chip))
    with pytest.raises(EnvironmentFault, match="card_key_missing"):
        NfcWriter(frontend, waits=wait).write(Write(UID, "NTAG424", PAYLOAD, personalise=True))
    assert chip.keys[0] == bytes(16)
    nfc_field.put(blank_ntag(UID))
    with pytest.raises(CardFault, match="card_wrong_kind"):
        NfcWriter(frontend, waits=wait, keys=HELD).write(Write(UID, "NTAG215", PAYLOAD, personalise=True))


@pytest.mark.parametrize("kind", list(CHIPS))
def test_cut_short_it_is_done_by_the_same_order_again(
    nfc_field: VirtualField, frontend: BudgetedFrontend, kind: str
) -> None:
    writer = NfcWriter(frontend, waits=wait, keys=HELD)
    order = Write(UID, kind, PAYLOAD, personalise=True)
    for lifted_after in (30, 60, 80, 100):
        card = desfire_like(UID, CHIPS[kind](UID))
        card.script.lift_after = lifted_after
        nfc_field.put(card)
        codes = set()
        try:
            writer.write(order)
        except CardFault as fault:
            codes.add(fault.code)
        assert codes <= {"card_lifted"}
        card.script.lift_after = None
        nfc_field.put(card)
        assert writer.write(order)[1] == PAYLOAD
        assert writer.look()[3] is True


def test_keys_come_from_files_that_nobody_else_reads(tmp_path: Path, nfc_field: VirtualField) -> None:
    master, card = tmp_path / "application.key", tmp_path / "card-auth-key"
    for path, key in ((master, KEYS.application), (card, KEYS.authentication)):
        path.write_text(key.hex() + "\n")
        path.chmod(0o400)
    assert read_master_keys(master, card) == KEYS

    def refused(**files: Any) -> str:
        with pytest.raises(EnvironmentFault) as caught:
            run_with_files(nfc_field.path, out=io.StringIO(), orders=io.StringIO(), **files)
        assert KEYS.application.hex() not in str(caught.value.as_json())
        return caught.value.code

    assert refused(master_key_file=master) == "card_key_missing"
    assert refused(master_key_file=tmp_path / "none", card_key_file=card) == "card_key_missing"
    assert refused(master_key_file=card, card_key_file=card) == "card_keys_same"
    master.chmod(0o440)
    assert refused(master_key_file=master, card_key_file=card) == "card_key_exposed"
    master.chmod(0o600)
    master.write_text("not hex")
    master.chmod(0o400)
    assert refused(master_key_file=master, card_key_file=card) == "card_key_malformed"
    master.chmod(0o600)
    master.write_text(KEYS.application.hex())
    master.chmod(0o400)
    orders, out = tmp_path / "orders", io.StringIO()
    orders.write_text(encode_order(Write(UID, "NTAG424", PAYLOAD, personalise=True)))
    nfc_field.put(desfire_like(UID, blank_ntag424(UID)))
    code = run_with_files(
        nfc_field.path, out=out, orders=orders, timeout_s=20, master_key_file=master, card_key_file=card
    )
    assert (code, json.loads(out.getvalue().splitlines()[-1])["event"]) == (0, "written")
