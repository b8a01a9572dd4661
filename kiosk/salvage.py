"""A damaged ledger: moved aside, never deleted, and what still holds of its journal saved for pushing.

The new file holds each generation up to its last good record and no right at all. It records nothing more:
central may have what was cut off, and another record in its place would be a fork. The kiosk dispenses again
once it is enrolled again, as a new generation.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any, Final

from kiosk import freezing
from kiosk.clock import Clock
from kiosk.database import is_intact
from kiosk.durable_file import sync_folder
from kiosk.enrolment import Enrolment
from kiosk.errors import EnvironmentFault, OfficerFault
from kiosk.journal_walk import verify_journal
from kiosk.ledger import LEDGER_FILE, Ledger
from kiosk.ledger_lock import alone_with
from kiosk.salvage_reading import Found, read_found
from kiosk.salvage_writing import Kept, keep

SUFFIXES: Final = ("", "-wal", "-shm")
_QUARANTINED: Final = re.compile(r"ledger\.damaged-[0-9]{8}T[0-9]{6}Z(?:-[0-9]+)?\.db")
NO_DAMAGE: Final = frozenset(("overspend", "wrong_balance", "fork", "cut_off"))
"""Findings of ``verify_journal`` that speak of what was done, not of a damaged file."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What became of a damaged ledger."""

    quarantined: str
    """Name of the file it was moved to."""
    generations: list[Kept] = field(default_factory=list)


def damage_of(ledger: Ledger) -> str:
    """What is wrong with an open ledger, in a few words; empty if it is sound. Reads all of it."""
    try:
        wrong = is_intact(ledger)
        if wrong:
            return wrong[0][:200]
        findings = verify_journal(ledger).get("findings", [])
    except EnvironmentFault as fault:
        if fault.code != "database_damaged":
            raise
        return fault.message
    told = [one for one in findings if one["code"] not in NO_DAMAGE]
    return f"record {told[0]['gen']}:{told[0]['seq']}: {told[0]['message']}" if told else ""


def salvage(home: Path, key: bytes, enrolled: Enrolment, publics: list[bytes], clock: Clock) -> Salvaged:
    """Moves a damaged ledger aside and makes a new one of what holds; safe to repeat after a stop.

    ``key`` opens the ledger; ``publics`` are the device's raw public keys, the newest first. Raises
    OfficerFault ``ledger_sound`` where nothing is damaged; EnvironmentFault ``ledger_in_use`` while another
    process has it open, ``ledger_missing``, and what the disk raises.
    """
    path = home / LEDGER_FILE
    if path.exists():
        with alone_with(path):
            _refuse_if_sound(path, key)
            source = _quarantine(path, clock)
    else:
        source = _newest_quarantined(home)
        for suffix in SUFFIXES[1:]:
            _move(path, source, suffix)
    with _copied(source) as copy:
        found = read_found(copy, key)
        made = copy.with_name(LEDGER_FILE)
        kept = _write(made, key, enrolled, publics, found)
        made.replace(path)
    sync_folder(home)
    return Salvaged(source.name, kept)


def _refuse_if_sound(path: Path, key: bytes) -> None:
    """Looks at a copy: to open a database, and to close it, changes it."""
    try:
        with _copied(path) as copy, closing(Ledger(copy, key)) as ledger:
            damage = damage_of(ledger)
    except EnvironmentFault as fault:
        if fault.code != "database_damaged":
            raise
        return
    if not damage:
        raise OfficerFault("ledger_sound", "the ledger is sound: there is nothing to salvage")


def _quarantine(path: Path, clock: Clock) -> Path:
    """Renames the ledger with its log; who has it open would go on writing into it, so nobody may."""
    stamp = clock.now().astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    names = [f"ledger.damaged-{stamp}{more}.db" for more in ("", *(f"-{n}" for n in range(1, 100)))]
    target = next(path.with_name(name) for name in names if not path.with_name(name).exists())
    # The ledger before its log: a stop in between leaves no ledger that opens without its newest records.
    for suffix in SUFFIXES:
        _move(path, target, suffix)
        sync_folder(path.parent)
    return target


def _move(path: Path, target: Path, suffix: str) -> None:
    file = path.with_name(path.name + suffix)
    if file.exists():
        file.rename(target.with_name(target.name + suffix))


def _newest_quarantined(home: Path) -> Path:
    found = sorted(path for path in home.iterdir() if _QUARANTINED.fullmatch(path.name))
    if not found:
        raise EnvironmentFault("ledger_missing", "there is no ledger, and none that was set aside")
    return found[-1]


@contextmanager
def _copied(source: Path) -> Iterator[Path]:
    """A copy of a ledger and its log in a folder that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix=".salvage-", dir=source.parent) as work:
        copy = Path(work) / "damaged.db"
        for suffix in ("", "-wal"):
            file = source.with_name(source.name + suffix)
            if file.exists():
                shutil.copyfile(file, copy.with_name(copy.name + suffix))
        yield copy


def _write(path: Path, key: bytes, enrolled: Enrolment, publics: list[bytes], found: Found) -> list[Kept]:
    with closing(Ledger(path, key, create=True)) as ledger:
        with ledger.writing() as connection:
            kept = keep(connection, enrolled, publics, found)
            freezing.freeze(connection, freezing.SALVAGED)
        # One file, so that it can be put in its place at once.
        ledger.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    return kept


def as_json(done: Salvaged) -> dict[str, Any]:
    """As the command prints it."""
    return {
        "quarantined": done.quarantined,
        "generations": [
            {"gen": one.gen, "records": one.records, "upto": one.upto, "beyond": one.beyond}
            for one in done.generations
        ],
    }
