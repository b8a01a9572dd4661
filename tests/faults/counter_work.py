"""Work at a kiosk's counter in this process, for tests that need many records quickly."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kiosk.clock import SystemClock
from kiosk.counter import Counter
from kiosk.desk_commands import card_in_tray
from kiosk.home import Home
from kiosk.journal_walk import export_lines, list_records, verify_journal
from kiosk.values import CardRead, Checks, Collector, Medium, StateCode, Visit
from tests.e2e.town import OFFICERS, PINS, KioskAt

DOCUMENTS = ("ktp", "kk", "akta", "kartu_pelajar", "surat_dokter")


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


def hand_out_to_many(kiosk: KioskAt, count: int) -> list[str]:
    """Records that many pickups of whoever has something to collect here; answers their references."""
    refs: list[str] = []
    rights: set[str] = set()
    with counter_of(kiosk) as counter:
        session = counter.sign_in(OFFICERS[kiosk.name], PINS[OFFICERS[kiosk.name]])
        for card in map(json.loads, (kiosk.home / "cards.jsonl").read_text().splitlines()):
            if card["label"] or len(refs) == count:
                continue
            chip = base64.b64decode(card["nfc"], validate=True)
            visit = counter.read(CardRead(Medium.NFC, chip, bytes.fromhex(card["uid"])))
            for row in visit.rows:
                due = (
                    row.state.code in (StateCode.READY, StateCode.NEEDS_DOCUMENT) and row.right not in rights
                )
                if not due or "holder" not in row.collectors or len(refs) == count:
                    continue
                pickup = counter.confirm(
                    visit, row.program_id, row.quantity, Collector(), Checks(DOCUMENTS), session
                )
                counter.mark_shown(pickup.ref)
                refs.append(pickup.ref)
                rights.add(row.right)
    assert len(refs) == count
    return refs


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
