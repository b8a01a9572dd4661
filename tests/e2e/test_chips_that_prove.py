"""A chip in a field, a reader process's lines, a kiosk's counter: programs that ask for P2 and P3."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pytest

from drivers.chip_prover import Prover
from drivers.chips import ndef, personalise, sdm
from drivers.chips.personalise import MasterKeys
from drivers.commands import Challenge, encode_command
from drivers.lines import parse_event, serve
from drivers.nfc_devices import find_device
from drivers.nfc_reader import NfcConnection
from drivers.reader import Faulted, Gone, Lifted, ReaderEvent, Ready
from drivers.virtual.applet import desfire_like, smart_card
from drivers.virtual.cards import VirtualCard
from drivers.virtual.ev2_chip import blank_ntag424
from drivers.virtual.field import VirtualField
from drivers.virtual.signing_chip import SigningChip
from kiosk import card_certificate, keyset
from kiosk.card_certificate import CardCertificate
from kiosk.errors import CardFault
from kiosk.grant import Term
from kiosk.keyset import Key, KeyUse
from kiosk.values import CardRead, Checks, Collector, Grade
from tests.kiosk.city import NOW, UID, YEAR, key_pair, public
from tests.kiosk.counter_world import START, World, program

CARD_NO = "7000000001"
AUTHORITY = key_pair(20)
KEYS = MasterKeys(secrets.token_bytes(16), secrets.token_bytes(16))


@dataclass
class ReaderProcess:
    """``serve`` behind two pipes, as a reader process is."""

    events: TextIO
    commands: TextIO
    field: VirtualField

    def next(self) -> ReaderEvent:
        return parse_event(self.events.readline())

    def until(self, wanted: Callable[[ReaderEvent], bool]) -> ReaderEvent:
        while True:
            event = self.next()
            assert not isinstance(event, Gone), event
            if wanted(event):
                return event

    def challenge(self, value: bytes) -> None:
        self.commands.write(encode_command(Challenge(value)))
        self.commands.flush()

    def tap(self, card: VirtualCard) -> CardRead:
        self.field.put(card)
        event = self.until(lambda event: isinstance(event, (CardRead, Faulted)))
        assert isinstance(event, CardRead), event
        return event

    def lift(self) -> None:
        self.field.lift()
        self.until(lambda event: isinstance(event, Lifted))


@pytest.fixture
def reader() -> Iterator[ReaderProcess]:
    events_in, events_out = os.pipe()
    commands_in, commands_out = os.pipe()
    with (
        VirtualField() as field,
        os.fdopen(events_in, "r") as events,
        os.fdopen(events_out, "w") as out,
        os.fdopen(commands_in, "r") as commands,
    ):
        connection = NfcConnection(find_device(field.path), prover=Prover(KEYS.authentication))
        thread = threading.Thread(target=serve, args=(connection, out, commands))
        with os.fdopen(commands_out, "w") as orders:
            thread.start()
            process = ReaderProcess(events, orders, field)
            assert isinstance(process.next(), Ready)
            yield process
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    keys = [*made.city.keys, Key(b"ca-1", KeyUse.CARD_CA, public(AUTHORITY), NOW - YEAR, NOW + 2 * YEAR)]
    made.home.take_keyset(keyset.make(keys, NOW - 400, made.city.root1, b"root-1"))
    for number, grade in enumerate(("p2", "p3"), 2):
        made.put_program(program(f"uang-{grade}", least_grade=grade))
        made.entitle(number, "h1", f"uang-{grade}", 10_000)
        term = Term(f"uang-{grade}", 1, number, 1, 10_000)
        made.take_in(made.grant(f"h1/uang-{grade}/2026-11", n=number, terms=(term,)))
    return made


def credential(world: World, least: Grade) -> bytes:
    return world.city.chip(CARD_NO, 1, expires_at=int(START.timestamp()) + 400 * 86400, least=least)


def p2_card(world: World) -> VirtualCard:
    chip = blank_ntag424(UID)
    message = ndef.encode_with_mirror(credential(world, Grade.P2), b"0" * sdm.MIRROR_BYTES)
    personalise.ntag424(chip.respond, UID, KEYS, message, secrets.token_bytes, mirrored=True)
    return desfire_like(UID, chip)


def p3_card(world: World) -> VirtualCard:
    chip = SigningChip(ndef.encode_record(credential(world, Grade.P3)))
    now = int(START.timestamp())
    claims = CardCertificate(CARD_NO, 1, chip.public, now - 10, now + 10_000)
    chip.certificate = card_certificate.make(claims, AUTHORITY, b"ca-1")
    return smart_card(UID, chip)


def hand_out(world: World, read: CardRead, program_id: str) -> Grade:
    session = world.sign_in()
    visit = world.counter.read(read, session)
    world.counter.confirm(visit, program_id, 10_000, Collector(), Checks(), session)
    return visit.grade


def test_a_chip_with_its_own_key_is_handed_out_what_asks_for_p2(world: World, reader: ReaderProcess) -> None:
    read = reader.tap(p2_card(world))
    assert hand_out(world, read, "uang-p2") is Grade.P2
    # The very same message once more, as a copy of the chip's memory would say it.
    with pytest.raises(CardFault, match="card_replayed"):
        world.counter.read(read)


def test_a_chip_that_signs_is_handed_out_what_asks_for_p3(world: World, reader: ReaderProcess) -> None:
    challenges = world.counter._proving._challenges
    reader.challenge(challenges.new("nfc"))
    card = p3_card(world)
    read = reader.tap(card)
    assert hand_out(world, read, "uang-p3") is Grade.P3
    # Its answer was used up, and without a new challenge the chip cannot prove what it must.
    with pytest.raises(CardFault) as caught:
        world.counter.read(read)
    assert caught.value.detail["why"] == "challenge"
    reader.lift()
    again = reader.tap(p3_card(world))
    with pytest.raises(CardFault, match="card_downgrade"):
        world.counter.read(again)
    reader.lift()
    reader.challenge(challenges.new("nfc"))
    assert world.counter.read(reader.tap(p3_card(world))).grade is Grade.P3


def test_a_signature_that_was_asked_for_elsewhere_is_refused(world: World, reader: ReaderProcess) -> None:
    reader.challenge(secrets.token_bytes(16))
    with pytest.raises(CardFault) as caught:
        world.counter.read(reader.tap(p3_card(world)))
    assert (caught.value.code, caught.value.detail["why"]) == ("card_proof_bad", "challenge")
