"""A ledger with its journal and nothing else, for what needs many of them or no counter at all."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.grant import Grant, Term
from kiosk.journal import Draft, Identity, Journal
from kiosk.journal_format import Record, pickup_ref
from kiosk.journal_walk import public_key_meta
from kiosk.ledger import PICKUPS, RIGHTS, Ledger
from kiosk.program import Program, parse_program
from kiosk.rights import GrantOutcome, Handing, dispense, release, take_in
from kiosk.values import Checks, Collector, Grade, OfficerSession
from kiosk.voiding import void
from tests.kiosk.counter_world import START, SetClock, program

KEY = b"k" * 32
RINA = OfficerSession("rina", "RINA", "officer", "")
NOW_S = int(START.timestamp())


@cache
def program_called(program_id: str, partial: bool) -> Program:
    """A monthly program of rice."""
    return parse_program(json.dumps(program(program_id, partial=partial)))


def grant(right: str, n: int = 1, quantity: int = 10, **changes: Any) -> Grant:
    """A grant to IRM1, generation 1, good for a month on both sides of now."""
    made = Grant(
        right=right,
        kiosk="IRM1",
        gen=1,
        epoch=(1, n),
        quantity_left=quantity,
        terms=(Term("beras", 1, 1, 1, max(1, quantity)),),
        not_before=NOW_S - 30 * 86400,
        not_after=NOW_S + 30 * 86400,
        mode="strict",
        upto_seq=0,
    )
    return replace(made, **changes)


@dataclass
class LedgerBench:
    """A new ledger at ``path``."""

    path: Path
    clock: SetClock = field(default_factory=SetClock)
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    gen: int = 1

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.path, KEY, create=True)
        public = self.key.public_key().public_bytes_raw()
        self.ledger.set_meta(**{public_key_meta(self.gen): public.hex(), "gen": str(self.gen)})
        self.journal = Journal(self.ledger, Identity("IRM1", self.gen, self.key), self.clock)

    def close(self) -> None:
        """Closes the connection."""
        self.ledger.close()

    def take_in(self, *grants: Grant, acquired_ms: int = 0) -> list[GrantOutcome]:
        """Takes grants in as if they had been opened."""
        pairs = [(one, b"") for one in grants]
        return take_in(self.ledger, pairs, kiosk="IRM1", gen=self.gen, acquired_ms=acquired_ms)

    def note(self, **draft: Any) -> Record:
        """Appends a note."""
        return self.journal.append(lambda _: Draft(type="note", **draft))

    def dispense(self, right: str, quantity: int, *, partial: bool = False, **changes: Any) -> Record:
        """Hands out of a right; nothing but the ledger decides."""
        handing = Handing(
            program=program_called("beras", partial),
            right=right,
            entitlement=(1, 1),
            quantity=quantity,
            most=2**40,
            card_no="7000000001",
            grade=Grade.P1,
            collector=Collector(),
            checks=Checks(),
            officer=RINA,
            reason="less",
        )
        return dispense(self.journal, replace(handing, **changes))

    def void(self, record: Record) -> Record:
        """Takes a hand-out back."""
        ref = pickup_ref(record.kiosk, record.gen, record.seq)
        return void(self.journal, ref, "returned", "", "rina", lambda _: None)

    def release(self, right: str) -> Record | None:
        """Gives a right back."""
        return release(self.journal, right)

    def left(self, right: str) -> int:
        """What is left of a right."""
        known = self.ledger.right(right)
        assert known is not None
        return known.quantity_left

    def tables(self) -> tuple[list[Any], list[Any]]:
        """All rights and pickups, without what a screen or a tap added."""
        rights = self.ledger.rows(
            f"""SELECT right, gen, epoch_incarnation, epoch_n, granted, upto_seq, quantity_left, held,
                       floor_incarnation, floor_n FROM {RIGHTS} ORDER BY right"""
        )
        return rights, self.ledger.rows(
            f"SELECT ref, right, spends, quantity, voided FROM {PICKUPS} ORDER BY ref"
        )
