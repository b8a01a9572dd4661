"""Central's own records, counted from its database without the product's code."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

import cbor2
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool


@dataclass(frozen=True)
class Handed:
    """One hand-out in central's journal that no later record takes back."""

    ref: str
    kiosk: str
    right: str
    program: str
    card: str
    quantity: int
    spends: int


@dataclass(frozen=True)
class Books:
    """What stands in central's database at one moment."""

    hashes: dict[tuple[str, int, int], str]
    """SHA-256 in hex of each record by kiosk, generation and sequence number."""
    types: Counter[str]
    """How many records of each type there are."""
    handed: list[Handed]
    """Hand-outs, less those taken back, in the order of kiosk and sequence number."""
    spent: dict[str, int]
    """What central believes was spent of each right."""
    cases: list[str]
    """Codes of the conflicts that central opened."""

    def of(self, kiosk: str) -> dict[int, str]:
        """The hashes of a kiosk's first generation by sequence number."""
        return {seq: hashed for (name, gen, seq), hashed in self.hashes.items() if (name, gen) == (kiosk, 1)}

    def handed_of(self, right: str) -> list[Handed]:
        """The hand-outs of one right."""
        return [one for one in self.handed if one.right == right]


def read_books(url: str) -> Books:
    """Counts central's journal record by record; what its other tables say has to agree.

    ``url`` is SQLAlchemy's URL of central's database.
    """
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        journal = connection.execute(
            text("SELECT kiosk, gen, seq, hash, record, quarantine FROM journal ORDER BY kiosk, gen, seq")
        ).all()
        spent = {
            row.right: row.spent
            for row in connection.execute(text('SELECT "right", spent FROM rights WHERE spent <> 0'))
        }
        listed = {row.ref: row.voided for row in connection.execute(text("SELECT ref, voided FROM pickup"))}
        cases = list(connection.execute(text("SELECT code FROM conflict ORDER BY code")).scalars())
        beside = connection.execute(text("SELECT count(*) FROM journal_branch")).scalar_one()
    engine.dispose()
    assert beside == 0, "records beside the chain"
    return _count(journal, spent, listed, cases)


def _count(journal: Any, spent: dict[str, int], listed: dict[str, bool], cases: list[str]) -> Books:
    hashes: dict[tuple[str, int, int], str] = {}
    types: Counter[str] = Counter()
    dispensed: dict[str, Handed] = {}
    voided: set[str] = set()
    heads: dict[tuple[str, int], tuple[int, bytes]] = {}
    for row in journal:
        assert row.quarantine == ""
        payload = bytes(row.record)
        digest = hashlib.sha256(payload).digest()
        assert digest == bytes(row.hash)
        record = cbor2.loads(payload)
        seq, prev = heads.get((row.kiosk, row.gen), (0, bytes(32)))
        assert (record["kiosk"], record["gen"], record["seq"]) == (row.kiosk, row.gen, seq + 1)
        assert record["prev"] == prev
        heads[row.kiosk, row.gen] = seq + 1, digest
        hashes[row.kiosk, row.gen, row.seq] = digest.hex()
        types[record["type"]] += 1
        if record["type"] == "dispense":
            assert row.gen == 1
            ref = f"{row.kiosk}-{row.seq:04d}"
            dispensed[ref] = Handed(
                ref,
                row.kiosk,
                record["right"],
                record["program_version"].split("@")[0],
                record["card"],
                record["quantity"],
                record["detail"]["spends"],
            )
        elif record["type"] == "void":
            assert record["ref"] in dispensed
            assert record["ref"] not in voided
            voided.add(record["ref"])
    handed = [one for ref, one in dispensed.items() if ref not in voided]
    counted: Counter[str] = Counter()
    for one in handed:
        counted[one.right] += one.spends
    assert dict(counted) == spent, "central's rights are not spent as its journal says"
    assert {ref: bool(gone) for ref, gone in listed.items()} == {ref: ref in voided for ref in dispensed}
    return Books(hashes, types, handed, spent, cases)
