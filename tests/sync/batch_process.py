"""A process that works through a batch again and again, each life ended by SIGKILL one step later.

Started by a test, which lays the chips: ``lay`` and ``lift`` go out as JSON lines, each answered by a line.
One life is a fork, so that what is imported is imported once.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from drivers.nfc_writer import NfcWriter
from drivers.write_tags import Type2Writer
from kiosk import durable_file
from sync.central import card_batch, card_manifest, card_sheet, card_writing, state
from sync.central.card_face import Branding, Face, register_fonts
from sync.central.card_manifest import CardState
from sync.central.database import Database
from tests.sync.central_side import Clock
from tests.sync.field_station import station_on

PAGES_PER_STEP = 20
"""Of the pages written to a chip, so many pass between two places to be killed at."""


class Killer:
    """Ends the process at the n-th of the places that are marked."""

    def __init__(self, at: int) -> None:
        self.at, self.passed = at, 0

    def mark(self) -> None:
        self.passed += 1
        if self.passed == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: Any, name: str, every: int = 1) -> None:
        """Marks before and after each call, or each so many calls."""
        stock = getattr(owner, name)
        calls = 0

        def marked(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls % every == 0:
                self.mark()
            answer = stock(*arguments, **options)
            if calls % every == 0:
                self.mark()
            return answer

        setattr(owner, name, marked)


def ask(**what: Any) -> None:
    """Tells the test and waits for its answer."""
    os.write(1, json.dumps(what).encode() + b"\n")
    while os.read(0, 1) not in (b"\n", b""):
        pass


def live(home: Path, folder: Path, device: str, kill_at: int) -> int:
    """One life; answers how many places it passed."""
    killer = Killer(kill_at)
    killer.around(Database, "write")
    killer.around(os, "fsync")
    killer.around(NfcWriter, "write")
    killer.around(Type2Writer, "_write_page", every=PAGES_PER_STEP)
    central = state.open_central(home, state.default_url(home), Clock())
    if not card_manifest.exists(folder):
        from kiosk.values import Grade
        from sync.central.card_holders import without_card

        holders = without_card(central, limit=2)
        card_batch.plan(central, folder, holders, "NTAG215", Grade.P1, "none")
    with card_manifest.opened(folder) as manifest:
        card_batch.issue(central, manifest, None)
        unprinted = [one for one in manifest.cards.values() if not one.file]
        if unprinted:
            faces = [
                Face(one.card_no, "Siti", one.qr, date.fromisoformat(one.valid_until)) for one in unprinted
            ]
            pages = card_sheet.pages(faces, Branding("Kartu", "Metro"), "card")
            durable_file.replace(folder / "faces-0001.pdf", pages)
            card_batch.note_printed(central, manifest, unprinted, "faces-0001.pdf", None)

        def tell(step: str, one: CardState | None, _: str) -> None:
            if step == "lay" and one is not None:
                ask(lay=one.uid, bound=[card.uid for card in manifest.cards.values()])
            elif one is None:
                ask(fault=step)

        with station_on(device, lambda: ask(lift=True)) as station:
            card_writing.write_batch(central, manifest, station, None, tell)
    central.close()
    return killer.passed


def in_a_fork(work: Callable[[], int]) -> int | None:
    """What it answers; None if it was killed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        answer = work()
        os.write(write, str(answer).encode())
        os._exit(0)
    os.close(write)
    told = os.read(read, 100)
    os.close(read)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return None
    assert status == 0, status
    return int(told)


def main(template: Path, work: Path, device: str, stride: int) -> None:
    """For each place: a fresh city, a life killed there, and one that finishes."""
    register_fonts()
    kill_at = 1
    while True:
        home, folder = work / f"central-{kill_at}", work / f"batch-{kill_at}"
        shutil.copytree(template, home)
        ask(fresh=str(home), batch=str(folder), at=kill_at)
        passed = in_a_fork(partial(live, home, folder, device, kill_at))
        if passed is None:
            again = in_a_fork(partial(live, home, folder, device, 0))
            assert again is not None
        ask(finished=str(home), batch=str(folder), at=kill_at, passed=passed)
        if passed is not None:
            return
        kill_at += stride


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
