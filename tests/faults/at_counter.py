"""A counter at work in a process of its own, to be killed: says in JSON lines what its officer is told.

``python -m tests.faults.at_counter HOME OFFICER SEED PICKUPS TAKEN_BACK`` hands out to whoever has something
to collect and then takes some back; the PIN is in the environment. Lines: ``ready``; ``about`` before and
``told`` after each pickup; ``voiding`` and ``voided``; ``fault`` and ``refused``, which end it; ``done``.
"""

from __future__ import annotations

import base64
import json
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from kiosk.clock import SystemClock
from kiosk.counter import Counter
from kiosk.desk_commands import PIN_VARIABLE
from kiosk.errors import CardFault, EnvironmentFault, OfficerFault
from kiosk.home import Home
from kiosk.values import (
    CardRead,
    Checks,
    Collector,
    Medium,
    OfficerSession,
    Pickup,
    StateCode,
    Visit,
    VisitRow,
)

DOCUMENTS = ("ktp", "kk", "akta", "kartu_pelajar", "surat_dokter")
DUE = (StateCode.READY, StateCode.NEEDS_DOCUMENT)


def say(event: str, **more: object) -> None:
    """One line, out before anything else happens."""
    print(json.dumps({"event": event} | more), flush=True)


def due(counter: Counter, seed: int) -> Iterator[tuple[Visit, VisitRow]]:
    """Genuine cards of this point in an order of the seed's, with what their holders may collect."""
    lines = (counter.home / "cards.jsonl").read_text(encoding="utf-8").splitlines()
    random.Random(seed).shuffle(lines)
    for card in map(json.loads, lines):
        if card["label"]:
            continue
        chip = base64.b64decode(card["nfc"], validate=True)
        while True:
            try:
                visit = counter.read(CardRead(Medium.NFC, chip, bytes.fromhex(card["uid"])))
            except CardFault as fault:
                if fault.code != "card_from_elsewhere":
                    raise
                break
            row = next(
                (row for row in visit.rows if row.state.code in DUE and "holder" in row.collectors), None
            )
            if row is None:
                break
            yield visit, row


def hand_out(counter: Counter, visit: Visit, row: VisitRow, session: OfficerSession) -> Pickup:
    """One pickup of all that is due, shown to the officer."""
    say("about", right=row.right)
    pickup = counter.confirm(visit, row.program_id, row.quantity, Collector(), Checks(DOCUMENTS), session)
    say("told", ref=pickup.ref, right=row.right)
    counter.mark_shown(pickup.ref)
    return pickup


def work(counter: Counter, officer: str, seed: int, pickups: int, taken_back: int) -> None:
    """A shift."""
    session = counter.sign_in(officer, os.environ[PIN_VARIABLE])
    say("ready")
    refs: list[str] = []
    people = due(counter, seed)
    while len(refs) < pickups and (found := next(people, None)):
        refs.append(hand_out(counter, *found, session).ref)
    for ref in refs[:taken_back]:
        say("voiding", ref=ref)
        counter.void(ref, "returned", "salah orang", session)
        say("voided", ref=ref)


def main(home: str, officer: str, seed: str, pickups: str, taken_back: str) -> int:
    """The exit code: 1 when the machine failed under it, 2 when the officer was refused."""
    try:
        counter = Home(Path(home)).counter(SystemClock())
        try:
            work(counter, officer, int(seed), int(pickups), int(taken_back))
        finally:
            counter.close()
    except EnvironmentFault as fault:
        say("fault", code=fault.code)
        return 1
    except OfficerFault as fault:
        say("refused", code=fault.code)
        return 2
    say("done")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
