"""Writing chips over nfcpy's own stack: what is written is read back; every refusal has its name."""

from __future__ import annotations

import io
import itertools
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.chips import type2_write
from drivers.chips.ndef import encode_record
from drivers.nfc_budget import BudgetedFrontend
from drivers.nfc_devices import find_device, open_device
from drivers.nfc_reader import NfcConnection
from drivers.nfc_writer import NfcWriter
from drivers.reader import Faulted
from drivers.virtual.blank import BlankType2, BlankType3, BlankType4, blank_desfire, blank_felica, blank_ntag
from drivers.virtual.cards import Script, mifare_classic
from drivers.virtual.field import VirtualField
from drivers.write_orders import Lift, Look, StopWriting, Write, encode_order, parse_order
from drivers.write_process import run
from kiosk.errors import CardFault, EnvironmentFault
from kiosk.values import CardRead

UIDS = {
    "NTAG213": bytes.fromhex("04A1B2C3D4E5F1"),
    "NTAG215": bytes.fromhex("04A1B2C3D4E5F6"),
    "NTAG216": bytes.fromhex("04A1B2C3D4E5F7"),
    "FeliCa": bytes.fromhex("0114B34D2A6F7788"),
    "DESFire": bytes.fromhex("04512233445566"),
}
CHIPS = ("NTAG215", "NTAG216", "FeliCa", "DESFire")
PAYLOAD = bytes(range(172))
MOST_MISSES = 20
"""Looks at an empty field until a test gives up; a busy machine may miss a few cards that lie there."""
OTHER = bytes(172)


def blank(chip: str, script: Script | None = None) -> Any:
    """A chip of this kind as delivered."""
    if chip == "FeliCa":
        return blank_felica(UIDS[chip], script)
    return blank_desfire(UIDS[chip], script) if chip == "DESFire" else blank_ntag(UIDS[chip], chip, script)


def order(chip: str, payload: bytes = PAYLOAD, **more: Any) -> Write:
    """An order for the chip of this kind."""
    return Write(UIDS[chip], chip, payload, **more)


@contextmanager
def writing(field: VirtualField) -> Iterator[NfcWriter]:
    """A writer that gives up when no card lies there."""

    misses = itertools.count()

    def nobody() -> None:
        if next(misses) > MOST_MISSES:
            raise EnvironmentFault("reader_timeout")

    frontend = BudgetedFrontend()
    open_device(find_device(field.path), frontend)
    try:
        yield NfcWriter(frontend, waits=nobody)
    finally:
        frontend.close()


@pytest.fixture
def writer(nfc_field: VirtualField) -> Iterator[NfcWriter]:
    """A writer on the virtual field."""
    with writing(nfc_field) as made:
        yield made


def kiosk_reads(field: VirtualField) -> CardRead:
    """What the kiosk's reader makes of the card in the field."""
    with NfcConnection(find_device(field.path)) as connection:
        for _ in range(6):
            event = connection.poll()
            if isinstance(event, CardRead):
                return event
    raise AssertionError("nothing was read")


def refusal(work: Callable[[], Any]) -> str:
    """The code of the CardFault it raises."""
    with pytest.raises(CardFault) as caught:
        work()
    return caught.value.code


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("lock", ["none", "permanent"])
def test_a_blank_chip_is_written_and_read_by_the_kiosk(
    nfc_field: VirtualField, writer: NfcWriter, chip: str, lock: Any
) -> None:
    nfc_field.put(blank(chip))
    survey, payload, state, proved = writer.look()
    assert (survey.chip, survey.uid, payload, state, proved) == (chip, UIDS[chip], b"", "empty", None)
    assert survey.capacity >= len(encode_record(PAYLOAD))
    survey, payload = writer.write(order(chip, lock=lock))
    assert (survey.uid, payload) == (UIDS[chip], PAYLOAD)
    read = kiosk_reads(nfc_field)
    assert (read.payload, read.uid) == (PAYLOAD, UIDS[chip])
    assert writer.look()[1:3] == (PAYLOAD, "credential")
    again = order(chip, OTHER, overwrite=True)
    if lock == "permanent":
        assert refusal(lambda: writer.write(again)) == "card_locked"
        assert kiosk_reads(nfc_field).payload == PAYLOAD
    else:
        assert writer.write(again)[1] == OTHER


@pytest.mark.parametrize("chip", CHIPS)
def test_the_same_again_counts_as_written_and_another_needs_to_be_ordered_over(
    nfc_field: VirtualField, writer: NfcWriter, chip: str
) -> None:
    nfc_field.put(blank(chip))
    writer.write(order(chip))
    assert writer.write(order(chip))[1] == PAYLOAD
    assert refusal(lambda: writer.write(order(chip, OTHER))) == "card_written"
    assert kiosk_reads(nfc_field).payload == PAYLOAD


@pytest.mark.parametrize("chip", CHIPS)
def test_lifted_at_any_frame_it_is_written_by_the_same_order_again(
    nfc_field: VirtualField, writer: NfcWriter, chip: str
) -> None:
    whole = blank(chip)
    nfc_field.put(whole)
    writer.write(order(chip))
    frames = nfc_field.frames
    seen = set()
    for lifted_after in [*range(1, frames, max(1, frames // 9)), frames - 2]:
        card = blank(chip, Script(lift_after=lifted_after))
        nfc_field.put(card)
        try:
            writer.write(order(chip))
            seen.add("written")
        except CardFault as fault:
            seen.add(fault.code)
        except EnvironmentFault:
            seen.add("gone before it was found")
        card.script.lift_after = None
        nfc_field.put(card)
        assert writer.look()[2] in ("empty", "credential"), lifted_after
        assert writer.write(order(chip))[1] == PAYLOAD
        assert kiosk_reads(nfc_field).payload == PAYLOAD
    assert "card_lifted" in seen
    assert seen <= {"card_lifted", "written", "gone before it was found"}


def test_each_refusal_has_its_name(nfc_field: VirtualField, writer: NfcWriter) -> None:
    nfc_field.put(blank("NTAG215"))
    assert refusal(lambda: writer.write(order("NTAG216"))) == "card_wrong_chip"
    same_uid = Write(UIDS["NTAG215"], "NTAG216", PAYLOAD)
    assert refusal(lambda: writer.write(same_uid)) == "card_wrong_kind"
    nfc_field.put(blank("NTAG213"))
    assert refusal(lambda: writer.write(order("NTAG213"))) == "card_too_small"
    assert writer.look()[0].capacity < 172
    nfc_field.put(mifare_classic(bytes.fromhex("A1B2C3D4")))
    classic = Write(bytes.fromhex("A1B2C3D4"), "NTAG215", PAYLOAD)
    assert refusal(lambda: writer.write(classic)) == "card_wrong_kind"
    assert refusal(writer.look) == "card_wrong_kind"
    nfc_field.put(blank_desfire(bytes.fromhex("08A1B2C3")))
    assert refusal(writer.look) == "card_random_uid"
    nfc_field.put(blank_felica(UIDS["FeliCa"]))
    assert refusal(lambda: writer.write(order("FeliCa", bytes(250)))) == "card_too_small"


def test_what_lies_on_a_chip_is_kept_unless_ordered_over(nfc_field: VirtualField, writer: NfcWriter) -> None:
    card = blank("NTAG215")
    web = b"\x03\x10\xd1\x01\x0c\x55\x04example.org\xfe"
    card.memory = card.memory[:16] + web + card.memory[16 + len(web) :]
    before = card.memory
    nfc_field.put(card)
    assert writer.look()[2] == "card_foreign"
    assert refusal(lambda: writer.write(order("NTAG215"))) == "card_foreign"
    assert card.memory == before
    assert writer.write(order("NTAG215", overwrite=True))[1] == PAYLOAD


@pytest.mark.parametrize(
    ("page", "data"),
    [
        pytest.param(2, "0000F0FF", id="static lock bits"),
        pytest.param(130, "01000000", id="dynamic lock bits"),
        pytest.param(131, "04000010", id="a password from page 16 on"),
    ],
)
def test_a_chip_that_is_locked_in_part_is_left_as_it_was(
    nfc_field: VirtualField, writer: NfcWriter, page: int, data: str
) -> None:
    card = blank("NTAG215")
    card.memory = card.memory[: page * 4] + bytes.fromhex(data) + card.memory[page * 4 + 4 :]
    before = card.memory
    nfc_field.put(card)
    assert refusal(lambda: writer.write(order("NTAG215"))) == "card_locked"
    assert card.memory == before


def test_a_locked_ntag_takes_no_password_either(nfc_field: VirtualField, writer: NfcWriter) -> None:
    for chip in ("NTAG215", "NTAG216"):
        card = blank(chip)
        assert isinstance(card, BlankType2)
        nfc_field.put(card)
        writer.write(order(chip, lock="permanent"))
        layout = type2_write.LAYOUTS[chip]
        for page in (2, 3, 4, 40, layout.config_page, layout.config_page + 1):
            held = card.memory
            nfc_field.put(card)
            card._selected = True
            assert card.command(type2_write.write_command(page, b"\x00\x00\x00\x01")) is not None
            assert card.memory == held or page == 2
        assert card.memory[8:12][2:] == b"\xff\xff"
        assert card.memory[15] == type2_write.CC_READ_ONLY


def test_a_chip_that_was_never_formatted(nfc_field: VirtualField, writer: NfcWriter) -> None:
    card = blank("NTAG215")
    card.memory = card.memory[:12] + bytes(8) + card.memory[20:]
    nfc_field.put(card)
    assert writer.look()[2] == "empty"
    assert card.memory[12:16] == bytes(4)
    assert writer.write(order("NTAG215"))[1] == PAYLOAD
    assert card.memory[12:16] == bytes.fromhex("E1103E00")


def test_read_back_is_compared(nfc_field: VirtualField, writer: NfcWriter) -> None:
    """A chip that acknowledges and keeps something else."""
    card = blank("NTAG215")

    def forget(technology: str, frame: bytes) -> None:
        if frame[:2] == b"\xa2\x10":
            card.memory = card.memory[:64] + b"\x00\x00\x00\x00" + card.memory[68:]
        elif frame[:1] == b"\x3a":
            card.memory = card.memory[:64] + b"\x55\x55\x55\x55" + card.memory[68:]

    card.script.on_frame = forget
    nfc_field.put(card)
    assert refusal(lambda: writer.write(order("NTAG215"))) == "card_differs"


def test_a_chip_that_answers_nonsense_is_unreadable(nfc_field: VirtualField, writer: NfcWriter) -> None:
    nfc_field.put(blank("DESFire", Script(garbage=True)))
    assert refusal(writer.look) == "card_unreadable"
    assert refusal(lambda: writer.write(order("DESFire"))) == "card_unreadable"


def test_blank_chips_are_of_three_kinds() -> None:
    kinds = {type(blank(chip)) for chip in CHIPS}
    assert kinds == {BlankType2, BlankType3, BlankType4}


# -- the process --


class Process:
    """The writing process in a thread: orders through a pipe, lines out."""

    def __init__(self, device: str) -> None:
        read, self._write = os.pipe()
        self._orders = os.fdopen(read)
        lines_read, lines_write = os.pipe()
        self._lines = os.fdopen(lines_read)
        self._out = os.fdopen(lines_write, "w")
        self.code: int | None = None
        self._thread = threading.Thread(target=self._run, args=(device,))
        self._thread.start()

    def _run(self, device: str) -> None:
        self.code = run(device, out=self._out, orders=self._orders)
        self._out.close()

    def say(self, line: str) -> None:
        os.write(self._write, line.encode())

    def hear(self) -> dict[str, Any]:
        """The next line that is no sign of health."""
        while True:
            line = json.loads(self._lines.readline())
            if line["event"] != "health":
                return dict(line)

    def end(self) -> int | None:
        """Closes the orders; the exit code."""
        os.close(self._write)
        self._thread.join(20)
        assert not self._thread.is_alive()
        self._lines.close()
        self._orders.close()
        return self.code


def test_orders_over_a_pipe(nfc_field: VirtualField) -> None:
    process = Process(nfc_field.path)
    try:
        assert process.hear()["event"] == "ready"
        nfc_field.put(blank("NTAG215"))
        process.say(encode_order(Look()))
        seen = process.hear()
        assert (seen["event"], seen["uid"], seen["chip"]) == ("chip", UIDS["NTAG215"].hex(), "NTAG215")
        process.say(encode_order(order("NTAG215")))
        written = process.hear()
        assert (written["event"], written["uid"]) == ("written", UIDS["NTAG215"].hex())
        process.say("rubbish\n")
        assert process.hear()["code"] == "reader_garbled"
        process.say(encode_order(order("NTAG216")))
        assert process.hear()["code"] == "card_wrong_chip"
        process.say(encode_order(Lift()))
        nfc_field.lift()
        assert process.hear()["event"] == "lifted"
        process.say(encode_order(Look()))  # nobody lays a card, and the orders end
    finally:
        assert process.end() == 0


def test_orders_from_a_file_end_with_the_first_fault(nfc_field: VirtualField, tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    nfc_field.put(blank("NTAG215"))

    def outcome(*orders: Any, timeout_s: float | None = None) -> tuple[int, list[str]]:
        file.write_text("".join(map(encode_order, orders)).rstrip("\n"), encoding="utf-8")
        out = io.StringIO()
        with file.open(encoding="utf-8") as opened:
            code = run(nfc_field.path, out=out, orders=opened, orders_are_file=True, timeout_s=timeout_s)
        return code, [
            line.get("code", line["event"]) for line in map(json.loads, out.getvalue().splitlines())
        ]

    assert outcome(order("NTAG215")) == (0, ["ready", "written"])
    assert outcome(order("NTAG215", OTHER), Look()) == (1, ["ready", "card_written"])
    assert outcome(Look(), StopWriting(), Look()) == (0, ["ready", "chip"])
    nfc_field.lift()
    assert outcome(Look(), timeout_s=0.2) == (1, ["ready", "reader_timeout"])
    out = io.StringIO()
    with file.open(encoding="utf-8") as opened:
        assert run("udp:nowhere", out=out, orders=opened, orders_are_file=True) == 3
    assert json.loads(out.getvalue())["code"] == "reader_missing"


def test_orders_survive_their_line_and_nonsense_does_not() -> None:
    for one in (Look(), Lift(), StopWriting(), order("FeliCa", lock="permanent", overwrite=True)):
        assert parse_order(encode_order(one)) == one
    good = json.loads(encode_order(order("NTAG215")))
    for change in (
        {"uid": "xyz"},
        {"uid": "0102"},
        {"payload": "%%"},
        {"payload": ""},
        {"lock": "maybe"},
        {"overwrite": 1},
        {"chip": None},
        {"command": "burn"},
    ):
        assert isinstance(parse_order(json.dumps(good | change)), Faulted), change
