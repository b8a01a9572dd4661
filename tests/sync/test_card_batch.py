"""Batches of cards: each holder one card in use, whatever is laid down and whenever it is killed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from drivers.chips.ndef import credential_payload
from drivers.chips.personalise import MasterKeys
from drivers.chips.type2 import find_ndef
from drivers.virtual.blank import BlankType2, blank_felica, blank_ntag
from drivers.virtual.field import VirtualField
from kiosk.credential import VerifiedCard, verify
from kiosk.errors import CardFault, OfficerFault
from kiosk.keyset import KeyUse
from kiosk.values import CardRead, Grade, Medium
from sync.central import (
    accounts,
    card_acts,
    card_batch,
    card_holders,
    card_manifest,
    card_writing,
    cards,
    key_admin,
    state,
)
from sync.central.card_issue import IssuedCard
from sync.central.card_manifest import CardState, Manifest
from sync.central.models import card_act, holder
from sync.central.state import Central
from tests.sync.central_side import CARD_1, Clock, new_central
from tests.sync.field_station import FieldStation, station_on

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def central(tmp_path: Path) -> Iterator[Central]:
    """A demonstration central; batches use one process, so one kind of database is enough."""
    made = new_central(tmp_path / "central", state.default_url(tmp_path / "central"), Clock())
    yield made
    made.close()


@pytest.fixture
def field() -> Iterator[VirtualField]:
    with VirtualField() as made:
        yield made


@pytest.fixture
def station(field: VirtualField) -> Iterator[FieldStation]:
    with station_on(field.path, field.lift) as made:
        yield made


def chip(number: int, kind: str = "NTAG215") -> BlankType2:
    """A blank chip of its own."""
    return blank_ntag(bytes.fromhex("04A1B2C3D4E5") + bytes([number]), kind)


def planned(central: Central, folder: Path, limit: int = 3, **more: Any) -> Path:
    """A batch for the first holders without a card."""
    grade, lock = more.pop("grade", Grade.P1), more.pop("lock", "none")
    holders = card_holders.without_card(central, limit=limit)
    card_batch.plan(central, folder, holders, more.pop("chip", "NTAG215"), grade, lock, **more)
    return folder


class Hand:
    """Lays a chip for each card that is asked for."""

    def __init__(self, field: VirtualField, *chips: Any) -> None:
        self.field, self.chips, self.told = field, list(chips), list[tuple[str, str]]()

    def __call__(self, step: str, one: CardState | None, message: str) -> None:
        self.told.append((step, one.card_no if one else message))
        if step == "lay" and self.chips:
            self.field.put(self.chips.pop(0))


def holds(central: Central, made: BlankType2) -> tuple[str, int]:
    """Card number and issue of the credential on a chip, if a kiosk takes it."""
    place = find_ndef(made.memory[16:], 496)
    assert place is not None
    payload = credential_payload(place.cut(made.memory[16:]))
    found = verify(CardRead(Medium.NFC, payload, made.uid), central.ring.keyset, central.now())
    return found.card_no, found.issue_no


def in_use(central: Central) -> dict[str, int]:
    """How many cards in use each number has."""
    found: dict[str, int] = {}
    for one in cards.listed(central, limit=1000):
        found[one["card_no"]] = found.get(one["card_no"], 0) + (one["status"] == "active")
    return found


def steps(manifest: Manifest) -> list[str]:
    return [one.step for one in manifest.cards.values()]


def test_a_batch_from_plan_to_verified(
    central: Central, tmp_path: Path, field: VirtualField, station: FieldStation
) -> None:
    key = tmp_path / "tono.key"
    accounts.add(central, "tono", key)
    by = accounts.signer("tono", key)
    folder = planned(central, tmp_path / "batch")
    chips = [chip(1), chip(2), chip(3)]
    with card_manifest.opened(folder) as manifest:
        assert steps(manifest) == ["planned"] * 3
        card_batch.issue(central, manifest, by)
        assert steps(manifest) == ["issued"] * 3
        outcome = card_writing.write_batch(central, manifest, station, by, Hand(field, *chips))
        assert outcome.verified == list(manifest.cards)
        assert outcome.faults == {}
    with card_manifest.opened(folder) as manifest:
        assert steps(manifest) == ["verified"] * 3
        assert [holds(central, one) for one in chips] == [(number, 1) for number in manifest.cards]
        assert set(in_use(central).values()) == {1}
        first = next(iter(manifest.cards))
    acts = card_acts.history(central, first)
    assert [act["act"] for act in acts] == ["issued", "bound", "written", "verified"]
    assert {(act["account"], act["holds"]) for act in acts} == {("tono", True)}
    assert (folder / "manifest.jsonl").stat().st_mode & 0o777 == 0o600
    central.database.write(lambda connection: connection.execute(update(card_act).values(uid="00")))
    assert {act["holds"] for act in card_acts.history(central, first)} == {False}


def test_what_is_laid_wrongly_is_named_and_binds_nothing(
    central: Central, tmp_path: Path, field: VirtualField, station: FieldStation
) -> None:
    folder = planned(central, tmp_path / "batch", limit=2)
    locked, full = chip(5), chip(6)
    locked.memory = locked.memory[:15] + b"\x0f" + locked.memory[16:]
    web = b"\x03\x10\xd1\x01\x0c\x55\x04example.org\xfe"
    full.memory = full.memory[:16] + web + full.memory[16 + len(web) :]
    good, second = chip(1), chip(2)
    hand = Hand(
        field,
        chip(3, "NTAG216"),
        blank_felica(bytes.fromhex("0114B34D2A6F7788")),
        locked,
        full,
        good,
        good,
        second,
    )
    with card_manifest.opened(folder) as manifest:
        card_batch.issue(central, manifest, None)
        outcome = card_writing.write_batch(central, manifest, station, None, hand)
        assert outcome.verified == list(manifest.cards)
    assert outcome.faults == {"card_wrong_kind": 2, "card_locked": 1, "card_foreign": 1, "card_written": 1}
    assert {one["uid"] for one in cards.listed(central)} == {good.uid.hex(), second.uid.hex()}


def test_lifted_while_it_is_written_the_same_chip_goes_on(
    central: Central, tmp_path: Path, field: VirtualField, station: FieldStation
) -> None:
    folder = planned(central, tmp_path / "batch", limit=2)
    slipping, other = chip(1), chip(2)
    heard = 0

    def lift(_: str, frame: bytes) -> None:
        nonlocal heard
        heard += frame[:1] == b"\xa2"
        if heard == 20:
            slipping.script.lift_after = 0

    slipping.script.on_frame = lift

    class Again(Hand):
        def __call__(self, step: str, one: CardState | None, message: str) -> None:
            if step == "card_lifted":
                slipping.script.lift_after = slipping.script.on_frame = None
            super().__call__(step, one, message)

    hand = Again(field, slipping, other, slipping)
    with card_manifest.opened(folder) as manifest:
        card_batch.issue(central, manifest, None)
        outcome = card_writing.write_batch(central, manifest, station, None, hand)
        first, second = manifest.cards.values()
    assert outcome.faults == {"card_lifted": 1}
    assert (first.uid, second.uid) == (slipping.uid.hex(), other.uid.hex())
    assert holds(central, slipping) == (first.card_no, 1)
    assert outcome.verified == [second.card_no, first.card_no]


def test_a_spoilt_chip_is_given_up_for_the_next_issue(
    central: Central, tmp_path: Path, field: VirtualField, station: FieldStation
) -> None:
    folder = planned(central, tmp_path / "batch", limit=1)
    with card_manifest.opened(folder) as manifest:
        card_batch.issue(central, manifest, None)
        (one,) = manifest.cards.values()
        card_batch.bind(central, manifest, one, chip(9).uid, None)
        outcome = card_writing.write_batch(central, manifest, station, None, Hand(field, chip(1)), limit=1)
        assert outcome.verified == []
        assert outcome.faults == {"card_wrong_chip": 1}
        card_batch.give_up(central, manifest, one.card_no, None)
        outcome = card_writing.write_batch(central, manifest, station, None, Hand(field, chip(1)))
        assert outcome.verified == [one.card_no]
        with pytest.raises(OfficerFault, match="card_written"):
            card_batch.give_up(central, manifest, one.card_no, None)
    assert [(row["issue_no"], row["status"]) for row in cards.listed(central, one.card_no)] == [
        (1, "replaced"),
        (2, "active"),
    ]


def test_who_gets_no_card(central: Central, tmp_path: Path) -> None:
    has, blocked, gone = (number for number, _ in card_holders.without_card(central, limit=3))
    cards.issue(central, has, "NTAG215", chip(1).uid)
    file = tmp_path / "list.csv"
    file.write_text(f"name,holder_id\nA,{has}\nB,{blocked}\nC,{gone}\n", encoding="utf-8")
    holders = card_holders.from_file(central, file)
    folder = tmp_path / "batch"
    card_batch.plan(central, folder, holders, "NTAG215", Grade.P1, "none")
    put = update(holder).where(holder.c.id == blocked).values(status="blocked")
    central.database.write(lambda connection: connection.execute(put))
    with card_manifest.opened(folder) as manifest:
        card_batch.issue(central, manifest, None)
        assert [one.skipped for one in manifest.cards.values()] == ["has_card", "holder_blocked", ""]
        with pytest.raises(OfficerFault, match="batch_busy"), card_manifest.opened(folder):
            pass
    with pytest.raises(OfficerFault, match="batch_exists"):
        card_batch.plan(central, folder, holders, "NTAG215", Grade.P1, "none")
    file.write_text(f"{has}\n\n{blocked}\n99999\n{has}\nxyz\n", encoding="utf-8")
    with pytest.raises(OfficerFault) as caught:
        card_holders.from_file(central, file)
    told = [(one["where"], one["code"]) for one in caught.value.detail["mistakes"]]
    assert told == [
        ("line 2", "holder_not_active"),
        ("line 3", "unknown_holder"),
        ("line 4", "twice"),
        ("line 5", "unknown_holder"),
    ]


def test_replacing_by_list_leaves_one_card_in_use(central: Central, tmp_path: Path) -> None:
    (first, card_no), (second, _) = card_holders.without_card(central, limit=2)
    cards.issue(central, first, "NTAG215", chip(1).uid)
    file = tmp_path / "list.csv"
    file.write_text(f"card_no\n{card_no}\n", encoding="utf-8")
    folder = tmp_path / "batch"
    holders = card_holders.from_file(central, file)
    card_batch.plan(central, folder, holders, "NTAG215", Grade.P1, "none", "lost")
    with card_manifest.opened(folder) as manifest:
        card_batch.issue(central, manifest, None)
    rows = [(row["issue_no"], row["status"], row["uid"]) for row in cards.listed(central, card_no)]
    assert rows == [(1, "lost", chip(1).uid.hex()), (2, "active", "")]
    cards.issue(central, second, "NTAG215", chip(2).uid)
    with pytest.raises(OfficerFault, match="chip_in_use"):
        cards.bind(central, card_no, 2, "NTAG215", chip(2).uid)


def test_a_card_revoked_meanwhile_is_not_written(
    central: Central, tmp_path: Path, field: VirtualField, station: FieldStation
) -> None:
    folder = planned(central, tmp_path / "batch", limit=2)
    with card_manifest.opened(folder) as manifest:
        card_batch.issue(central, manifest, None)
        first, second = manifest.cards
        cards.revoke(central, first, None, "lost")
        outcome = card_writing.write_batch(central, manifest, station, None, Hand(field, chip(1)))
        assert outcome.verified == [second]
        with pytest.raises(OfficerFault, match="card_out_of_use"):
            card_batch.bind(central, manifest, manifest.cards[first], chip(2).uid, None)


def test_a_line_cut_short_is_dropped_and_damage_is_named(central: Central, tmp_path: Path) -> None:
    folder = planned(central, tmp_path / "batch", limit=2)
    path = folder / "manifest.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"step":"issued","card_no"')
    with card_manifest.opened(folder) as manifest:
        assert steps(manifest) == ["planned"] * 2
        assert path.read_bytes() == whole
    path.write_bytes(whole + b"rubbish\n")
    with pytest.raises(Exception, match="batch_damaged"), card_manifest.opened(folder):
        pass


def test_other_than_written_is_no_card(central: Central, tmp_path: Path) -> None:
    folder = planned(central, tmp_path / "batch", limit=2)
    with card_manifest.opened(folder) as manifest:
        card_batch.issue(central, manifest, None)
        first, second = manifest.cards.values()
        made = cards.bind(central, second.card_no, 1, "NTAG215", chip(1).uid)
        with pytest.raises(CardFault, match="card_differs"):
            card_writing.check(central, first, chip(1).uid, made.nfc)
        with pytest.raises(CardFault, match="card_wrong_chip"):
            card_writing.check(central, second, chip(2).uid, made.nfc)


@pytest.mark.parametrize("stride", [5, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.slow
def test_killed_at_any_step_nothing_is_issued_twice(tmp_path: Path, field: VirtualField, stride: int) -> None:
    template = tmp_path / "template"
    new_central(template, state.default_url(template), Clock()).close()
    command = [sys.executable, "-m", "tests.sync.batch_process", template, tmp_path, field.path, str(stride)]
    chips: dict[str, BlankType2] = {}
    killed = finished = 0
    with subprocess.Popen(
        list(map(str, command)), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in process.stdout:
            told = json.loads(line)
            if "fresh" in told:
                chips = {one.uid.hex(): one for one in (chip(1), chip(2))}
            elif "lay" in told:
                free = [uid for uid in chips if uid not in told["bound"]]
                field.put(chips[told["lay"] or free[0]])
            elif "lift" in told:
                field.lift()
            else:
                assert "fault" not in told, told
                killed += told["passed"] is None
                finished += 1
                _check_finished(Path(told["finished"]), Path(told["batch"]), chips, told["at"])
            process.stdin.write("\n")
            process.stdin.flush()
        assert process.wait(timeout=60) == 0
    assert finished == killed + 1
    assert killed >= 30 // stride


def _check_finished(home: Path, folder: Path, chips: dict[str, BlankType2], at: int) -> None:
    central = state.open_central(home, state.default_url(home), Clock())
    try:
        rows = cards.listed(central)
        assert [(row["issue_no"], row["status"]) for row in rows] == [(1, "active")] * 2, at
        with central.database.read() as connection:
            acts = [tuple(row) for row in connection.execute(select(card_act.c.card_no, card_act.c.act))]
        assert sorted(acts) == sorted(
            (row["card_no"], act)
            for row in rows
            for act in ("issued", "bound", "printed", "written", "verified")
        ), at
        with card_manifest.opened(folder) as manifest:
            assert steps(manifest) == ["verified"] * 2, at
            lines = (folder / "manifest.jsonl").read_text().splitlines()
        kinds = [json.loads(line)["step"] for line in lines]
        for step in ("issued", "printed", "bound", "written", "verified"):
            assert kinds.count(step) == 2, (at, kinds)
        assert {holds(central, one) for one in chips.values()} == {(row["card_no"], 1) for row in rows}, at
    finally:
        central.close()


def test_the_first_card_of_all(central: Central) -> None:
    """What is bound later is what would have been issued at once."""
    made = cards.issue(central, 1, "NTAG215", chip(1).uid)
    assert (made.card_no, made.issue_no) == (CARD_1, 1)
    assert cards.issued(central, CARD_1) == made
    assert cards.bind(central, CARD_1, 1, "NTAG215", chip(1).uid) == made
    with pytest.raises(OfficerFault, match="card_bound"):
        cards.bind(central, CARD_1, 1, "NTAG215", chip(2).uid)


def test_a_card_of_the_day_on_which_the_key_changed_is_taken(central: Central) -> None:
    """Its first second is not the day's, which was before the key."""
    first = cards.issue(central, 1, "NTAG215", chip(1).uid)
    root = central.home / "keys" / "root1.key"
    key_admin.add(central, KeyUse.ISSUER, root)
    key_admin.retire(central, verified(central, first).kid.hex(), root)
    second = cards.issue(central, 2, "NTAG215", chip(2).uid)
    again = cards.issued(central, first.card_no)
    assert verified(central, second).kid == verified(central, again).kid != verified(central, first).kid
    printed = CardRead(Medium.QR, again.qr.encode())
    assert verify(printed, central.ring.keyset, central.now()).card_no == first.card_no


def verified(central: Central, made: IssuedCard) -> VerifiedCard:
    """The chip's credential as a kiosk takes it."""
    return verify(CardRead(Medium.NFC, made.nfc, made.uid), central.ring.keyset, central.now())


def test_keys_of_cards_are_two() -> None:
    with pytest.raises(ValueError, match="must not change cards"):
        MasterKeys(bytes(16), bytes(16))
