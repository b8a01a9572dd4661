"""Work at a kiosk's counter in this process, for tests that need many records quickly."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kiosk.clock import SystemClock
from kiosk.counter import Counter
from kiosk.desk_commands import card_in_tray
from kiosk.home import Home
from kiosk.journal_walk import export_lines, list_records, verify_journal
from kiosk.values import Checks, Collector, Visit
from tests.e2e.town import OFFICERS, PINS, KioskAt
from tests.faults.at_counter import DOCUMENTS, due
from tests.faults.counting import HandOuts


@contextmanager
def counter_of(kiosk: KioskAt) -> Iterator[Counter]:
    """The kiosk's counter."""
    counter = Home(kiosk.home).counter(SystemClock())
    try:
        yield counter
    finally:
        counter.close()


def tap(counter: Counter, card_no: str) -> Visit:
    """The visit of a genuine card of the demonstration."""
    read = card_in_tray(counter.home, card_no)
    assert read is not None
    return counter.read(read)


def state_of(counter: Counter, card_no: str, program: str) -> str:
    """The state of one program of a card."""
    return str(next(row.state.code for row in tap(counter, card_no).rows if row.program_id == program))


class Queue:
    """Holders who come one after the other to an officer who has signed in."""

    def __init__(self, kiosk: KioskAt, counter: Counter, seed: int = 0) -> None:
        self._counter = counter
        self._officer = OFFICERS[kiosk.name]
        self._session = counter.sign_in(self._officer, PINS[self._officer])
        self._people = due(counter, seed)

    def serve(self, handed: HandOuts) -> str:
        """Hands out to the next all that is due of one program; answers the reference."""
        visit, row = next(self._people)
        pickup = self._counter.confirm(
            visit, row.program_id, row.quantity, Collector(), Checks(DOCUMENTS), self._session
        )
        handed.add(pickup.ref, row.right)
        self._counter.mark_shown(pickup.ref)
        return pickup.ref


def pick_up(kiosk: KioskAt, handed: HandOuts, card: str, program: str) -> str:
    """A pickup by the command, with the officer told; answers the reference."""
    code, answer = kiosk.confirm(card, program)
    assert code == 0, answer
    note(kiosk, handed, str(answer["ref"]))
    return str(answer["ref"])


def note(kiosk: KioskAt, handed: HandOuts, ref: str) -> None:
    """An officer was told that a pickup is recorded."""
    handed.add(ref, next(one["right"] for one in dispensed(kiosk) if one["ref"] == ref))


def hand_out_to_many(kiosk: KioskAt, count: int, handed: HandOuts) -> list[str]:
    """Records that many pickups of whoever has something to collect here; answers their references."""
    with counter_of(kiosk) as counter:
        queue = Queue(kiosk, counter)
        return [queue.serve(handed) for _ in range(count)]


@dataclass(frozen=True)
class JournalHere:
    """A kiosk's journal as it stands on its disk."""

    hashes: dict[int, str]
    """SHA-256 in hex by sequence number."""
    waiting: int
    intact: bool


def journal_of(kiosk: KioskAt) -> JournalHere:
    """The kiosk's journal, read and verified in this process."""
    ledger = Home(kiosk.home).ledger()
    try:
        lines = list(export_lines(ledger, kiosk.name))
        return JournalHere(
            {line["seq"]: hashlib.sha256(base64.b64decode(line["record"])).hexdigest() for line in lines},
            ledger.waiting(),
            verify_journal(ledger)["intact"],
        )
    finally:
        ledger.close()


def dispensed(kiosk: KioskAt) -> list[dict[str, str]]:
    """The hand-outs in the kiosk's journal, oldest first: ref, card, program and right."""
    ledger = Home(kiosk.home).ledger()
    try:
        records = list_records(ledger, last=1000, type_="dispense")
    finally:
        ledger.close()
    return [
        {
            "ref": record["name"],
            "card": record["card"],
            "program": record["program_version"].split("@")[0],
            "right": record["right"],
        }
        for record in reversed(records)
    ]
