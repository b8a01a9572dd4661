"""The one door to the journal: every append, from screen, sync or command, goes through ``Journal.append``.

Inside one ``BEGIN IMMEDIATE`` it reads the head, lets the caller decide on what it finds there, appends the
signed record, and makes the record's effect on rights and pickups. No right is ever held in memory.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.clock import Clock, unix_ms
from kiosk.database import writing
from kiosk.errors import EnvironmentFault, OfficerFault
from kiosk.journal_format import (
    ZERO_HASH,
    Record,
    encode,
    pickup_ref,
    record_hash,
    sign_record,
    verify_record,
)
from kiosk.ledger import JOURNAL, JOURNAL_PRIVATE, META, PICKUPS, RIGHTS, Ledger, put_meta

SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Identity:
    """Who writes: this kiosk, its generation and its signing key."""

    kiosk: str
    gen: int
    key: Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Draft:
    """What a caller wants recorded; identity, chain and times are added by the door."""

    type: str
    right: str = ""
    ref: str = ""
    quantity: int = 0
    epoch: tuple[int, int] | None = None
    mode: str = ""
    program_version: str = ""
    officer: str = ""
    card: str = ""
    assurance: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    private: str = ""
    """Names, relations and reasons: kept beside the chain, bound to it by a salted commitment."""


class Journal:
    """Appends to and reads from the journal of one ledger connection."""

    def __init__(self, ledger: Ledger, identity: Identity, clock: Clock) -> None:
        self.ledger = ledger
        self.identity = identity
        self.clock = clock

    def append(self, decide: Callable[[Any], Draft]) -> Record:
        """Appends one record; durable when this returns.

        ``decide`` gets the connection inside the transaction and returns the draft, or raises to append
        nothing. Raises what ``decide`` raises, and EnvironmentFault when the disk refuses.
        """
        with writing(self.ledger.db, self.ledger.path) as connection:
            return self._append(connection, decide(connection))

    def _append(self, connection: Any, draft: Draft) -> Record:
        gen = self.identity.gen
        row = connection.execute(
            f"SELECT seq, hash FROM {JOURNAL} WHERE gen = ? ORDER BY seq DESC LIMIT 1", (gen,)
        ).fetchone()
        seq, prev = (row[0] + 1, bytes(row[1])) if row else (1, ZERO_HASH)
        salt = os.urandom(SALT_BYTES) if draft.private else b""
        now_ms = unix_ms(self.clock.now())
        record = Record(
            kiosk=self.identity.kiosk,
            gen=gen,
            seq=seq,
            prev=prev,
            type=draft.type,
            right=draft.right,
            ref=draft.ref,
            quantity=draft.quantity,
            epoch=draft.epoch,
            mode=draft.mode,
            program_version=draft.program_version,
            officer=draft.officer,
            card=draft.card,
            assurance=draft.assurance,
            collector_commitment=commitment(salt, draft.private) if draft.private else b"",
            wall=now_ms,
            mono=self.clock.monotonic_ms(),
            boot_id=self.clock.boot_id(),
            detail=dict(draft.detail),
        )
        payload = encode(record)
        connection.execute(
            f"""INSERT INTO {JOURNAL} (gen, seq, type, right, ref, record, hash, signature)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                gen,
                seq,
                record.type,
                record.right,
                record.ref,
                payload,
                record_hash(payload),
                sign_record(payload, self.identity.key),
            ),
        )
        if draft.private:
            connection.execute(
                f"INSERT INTO {JOURNAL_PRIVATE} (gen, seq, salt, text) VALUES (?, ?, ?, ?)",
                (gen, seq, salt, draft.private),
            )
        make_effect(connection, record)
        raise_highest_wall(connection, now_ms)
        return record

    def record(self, gen: int, seq: int) -> Record | None:
        """One record, its signature checked. Raises EnvironmentFault ``journal_damaged``."""
        row = self.ledger.db.conn.execute(
            f"SELECT record, signature FROM {JOURNAL} WHERE gen = ? AND seq = ?", (gen, seq)
        ).fetchone()
        if row is None:
            return None
        try:
            return verify_record(bytes(row[0]), bytes(row[1]), self.identity.key.public_key())
        except ValueError as fault:
            raise EnvironmentFault("journal_damaged", f"record {gen}:{seq}: {fault}", seq=seq) from fault


def commitment(salt: bytes, text: str) -> bytes:
    """SHA-256 over salt and text: binds private text that can be erased without breaking the chain."""
    return hashlib.sha256(salt + text.encode()).digest()


def make_effect(connection: Any, record: Record) -> None:
    """What a record does to rights and pickups; derived from the record alone, so that it can be replayed."""
    if record.type == "dispense":
        _effect_of_dispense(connection, record)
    elif record.type == "void":
        _effect_of_void(connection, record)
    elif record.type == "release":
        _effect_of_release(connection, record)


def _effect_of_dispense(connection: Any, record: Record) -> None:
    spends = int(record.detail["spends"])
    incarnation, n = record.epoch or (0, 0)
    changed = connection.execute(
        f"""UPDATE {RIGHTS} SET quantity_left = quantity_left - ?
            WHERE right = ? AND gen = ? AND held = 1 AND epoch_incarnation = ? AND epoch_n = ?
              AND quantity_left >= ?""",
        (spends, record.right, record.gen, incarnation, n, spends),
    ).rowcount
    if changed != 1:
        raise OfficerFault(
            "right_not_held", "the right is not held here with enough left", right=record.right
        )
    program_id, _, version = record.program_version.partition("@")
    connection.execute(
        f"""INSERT INTO {PICKUPS} (ref, gen, seq, right, program_id, program_version, card, quantity, spends,
                epoch_incarnation, epoch_n, officer, wall_ms)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            pickup_ref(record.kiosk, record.gen, record.seq),
            record.gen,
            record.seq,
            record.right,
            program_id,
            int(version),
            record.card,
            record.quantity,
            spends,
            incarnation,
            n,
            record.officer,
            record.wall,
        ),
    )


def _effect_of_void(connection: Any, record: Record) -> None:
    changed = connection.execute(
        f"UPDATE {PICKUPS} SET voided = 1, shown = 1 WHERE ref = ? AND voided = 0", (record.ref,)
    ).rowcount
    if changed != 1:
        raise OfficerFault("already_voided", f"{record.ref} is voided already", ref=record.ref)
    incarnation, n = record.epoch or (0, 0)
    # A right that was released meanwhile, or renewed at a higher epoch, is not spendable here again:
    # central gives the quantity back from this record.
    connection.execute(
        f"""UPDATE {RIGHTS} SET quantity_left = quantity_left + ?
            WHERE right = ? AND gen = ? AND held = 1 AND epoch_incarnation = ? AND epoch_n = ?""",
        (int(record.detail["restores"]), record.right, record.gen, incarnation, n),
    )


def _effect_of_release(connection: Any, record: Record) -> None:
    incarnation, n = record.detail["upto"]
    connection.execute(
        f"""UPDATE {RIGHTS} SET held = 0, acquired = 0, floor_incarnation = ?, floor_n = ?
            WHERE right = ? AND (floor_incarnation, floor_n) < (?, ?)""",
        (incarnation, n, record.right, incarnation, n),
    )


def raise_highest_wall(connection: Any, wall_ms: int) -> None:
    """Keeps the highest wall time ever seen; a clock behind it is in doubt."""
    row = connection.execute(f"SELECT value FROM {META} WHERE key = 'highest_wall_ms'").fetchone()
    if row is None or int(row[0]) < wall_ms:
        put_meta(connection, highest_wall_ms=str(wall_ms))
