"""The one door to the journal: every append, from screen, sync or command, goes through ``Journal.append``.

Inside one ``BEGIN IMMEDIATE`` it reads the head, lets the caller decide on what it finds there, appends the
signed record, and makes the record's effect on rights and pickups. No right is ever held in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.central_time import raise_highest
from kiosk.clock import Clock, unix_ms
from kiosk.effects import make_effect
from kiosk.errors import EnvironmentFault, OfficerFault
from kiosk.generations import salvaged_upto
from kiosk.journal_format import ZERO_HASH, Record, commitment, encode, record_hash, sign_record
from kiosk.ledger import JOURNAL, JOURNAL_PRIVATE, Ledger, meta_of, signing_key

SALT_BYTES = 16
MAX_PRIVATE_CHARS = 1000
"""Longest private text of one record; the wire takes four times as much."""
GENERATION_META = "gen"
"""Name of the ledger's value that says which generation may append."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who writes: this kiosk, its generation and its signing key."""

    kiosk: str
    gen: int
    key: Ed25519PrivateKey
    """The key that the generation was enrolled with."""
    rolled: Callable[[bytes], Ed25519PrivateKey | None] = lambda public: None
    """The private key of a public one (raw, 32 bytes) that the key was rolled to."""

    def signer(self, public: bytes) -> Ed25519PrivateKey:
        """The key to sign with where ``public`` is in force; empty means the one enrolled.

        Raises EnvironmentFault ``keys_missing``: the device key that this journal goes on with is not here.
        """
        key = self.rolled(public) if public else self.key
        if key is None:
            raise EnvironmentFault("keys_missing", "the key this journal was rolled to is not on this device")
        return key


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
        nothing. Raises what ``decide`` raises; OfficerFault ``text_too_long``, ``text_malformed`` for private
        text; EnvironmentFault ``enrolled_again`` when this process is of an older generation,
        ``ledger_salvaged`` when this one was damaged, and others when the disk refuses.
        """
        with self.ledger.writing() as connection:
            return self._append(connection, decide(connection))

    def _append(self, connection: Any, draft: Draft) -> Record:
        gen = self.identity.gen
        current = meta_of(connection, GENERATION_META)
        if current and int(current) != gen:
            raise EnvironmentFault(
                "enrolled_again", "this kiosk was enrolled again: start the program anew", gen=int(current)
            )
        if salvaged_upto(connection, gen) is not None:
            # What central has behind the cut would be forked by another record in its place.
            raise EnvironmentFault(
                "ledger_salvaged", "the ledger was damaged: this kiosk records nothing until enrolled again"
            )
        _check_private(draft.private)
        row = connection.execute(
            f"SELECT seq, hash FROM {JOURNAL} WHERE gen = ? ORDER BY seq DESC LIMIT 1", (gen,)
        ).fetchone()
        seq, prev = (row[0] + 1, bytes(row[1])) if row else (1, ZERO_HASH)
        salt = os.urandom(SALT_BYTES) if draft.private else b""
        now_ms = max(0, unix_ms(self.clock.now()))
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
                sign_record(payload, self.identity.signer(signing_key(connection, gen)[1])),
            ),
        )
        if draft.private:
            connection.execute(
                f"INSERT INTO {JOURNAL_PRIVATE} (gen, seq, salt, text) VALUES (?, ?, ?, ?)",
                (gen, seq, salt, draft.private),
            )
        make_effect(connection, record)
        raise_highest(connection, now_ms)
        return record


def _check_private(text: str) -> None:
    if len(text) > MAX_PRIVATE_CHARS:
        raise OfficerFault("text_too_long", f"at most {MAX_PRIVATE_CHARS} characters", most=MAX_PRIVATE_CHARS)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise OfficerFault("text_malformed", "not readable as text") from None
