"""What left the counters, counted from what officers were told, and compared with what central has.

Shares nothing with the product's own counting: central's journal is read from its tables and decoded here.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import cbor2
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

REPORT_VARIABLE = "KMC_FAULT_REPORT"
"""Names a file to which each comparison appends a line of JSON: fault, tries, pickups, lost, doubled."""


class City(Protocol):
    """Anything with a central."""

    @property
    def database(self) -> str:
        """SQLAlchemy's URL of central's database."""
        ...


Pair = tuple[str, str]
"""Reference and right. Two copies of a kiosk may give one reference to two rights."""


@dataclass
class HandOuts:
    """What officers were told is recorded, which is what they handed over."""

    told: Counter[Pair] = field(default_factory=Counter)
    taken_back: Counter[Pair] = field(default_factory=Counter)

    @property
    def standing(self) -> Counter[Pair]:
        """What was handed over and not taken back."""
        return self.told - self.taken_back

    def hear(self, lines: Iterable[str]) -> list[dict[str, str]]:
        """Takes in what a process of ``at_counter`` said; answers its lines."""
        events = [json.loads(line) for line in lines]
        for event in events:
            if event["event"] == "told":
                self.add(event["ref"], event["right"])
            elif event["event"] == "voided":
                self.take_back(event["ref"])
        return events

    def add(self, ref: str, right: str) -> None:
        """The officer was told that this is recorded."""
        self.told[ref, right] += 1

    def take_back(self, ref: str) -> None:
        """The officer was told that this is taken back."""
        (pair,) = (pair for pair in self.told if pair[0] == ref)
        self.taken_back[pair] += 1


def at_central(database: str) -> Counter[Pair]:
    """The hand-outs in central's journals, of all generations and branches, that no void takes back."""
    engine = create_engine(database, poolclass=NullPool)
    with engine.connect() as connection:
        rows = [
            row
            for table in ("journal", "journal_branch")
            for row in connection.execute(text(f"SELECT kiosk, gen, seq, record FROM {table} ORDER BY seq"))
        ]
    engine.dispose()
    found: Counter[Pair] = Counter()
    voided: Counter[Pair] = Counter()
    for kiosk, gen, seq, payload in rows:
        record = cbor2.loads(bytes(payload))
        if record["type"] == "dispense":
            found[f"{kiosk if gen == 1 else f'{kiosk}.{gen}'}-{seq:04d}", record["right"]] += 1
        elif record["type"] == "void":
            voided[record["ref"], record["right"]] += 1
    return found - voided


@dataclass(frozen=True)
class Outcome:
    """One comparison."""

    pickups: int
    lost: int
    """Handed over, and central does not know."""
    doubled: int
    """Hand-outs too many: of a right that was handed out already, or twice at central."""
    unfounded: int
    """Central knows of a hand-out that nobody made."""


def compare(
    fault: str, tries: int, handed: HandOuts, town: City, before: Counter[Pair] | None = None
) -> Outcome:
    """Compares, prints, and reports to the file that REPORT_VARIABLE names.

    ``before`` is what central had already when ``handed`` began.
    """
    made, known = handed.standing, at_central(town.database) - (before or Counter())
    rights = Counter(right for pair, count in (made | known).items() for right in [pair[1]] * count)
    outcome = Outcome(
        pickups=made.total(),
        lost=(made - known).total(),
        doubled=sum(count - 1 for count in rights.values()),
        unfounded=(known - made).total(),
    )
    line = {
        "fault": fault,
        "tries": tries,
        "pickups": outcome.pickups,
        "lost": outcome.lost,
        "doubled": outcome.doubled,
    }
    print(json.dumps(line | {"unfounded": outcome.unfounded}))
    if report := os.environ.get(REPORT_VARIABLE):
        with Path(report).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    return outcome


def agree(
    fault: str,
    tries: int,
    handed: HandOuts,
    town: City,
    before: Counter[Pair] | None = None,
    *,
    tolerated: int = 0,
) -> None:
    """Fails unless central has each hand-out once and nothing else, and there was at least one.

    ``tolerated`` is the number of cases in which a program let two counters that were cut off hand out the
    same right, and central names both pickups.
    """
    outcome = compare(fault, tries, handed, town, before)
    assert outcome.pickups
    assert (outcome.lost, outcome.doubled, outcome.unfounded) == (0, tolerated, 0), outcome
