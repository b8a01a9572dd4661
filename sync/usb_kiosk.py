"""The kiosk's end of the exchange by file: what central has not got goes out, its answer comes in.

The same checks as over the wire. An answer counts once, for the newest file that went out: central's word on
an older one could take back what a newer one brought. What is refused changes nothing, and nothing is lost:
the next file holds everything that is not acknowledged by then.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk import cose, freezing
from kiosk.acknowledgement import Acknowledged, acknowledge, forget_acknowledged
from kiosk.central_time import note_file
from kiosk.clock import Clock, unix_ms
from kiosk.errors import CentralFault, EnvironmentFault
from kiosk.freezing import freeze_ledger
from kiosk.generations import anchor_place
from kiosk.grant import digest_of
from kiosk.home import Home
from kiosk.journal import Identity
from kiosk.keyset import KeyStatus, open_keyset
from kiosk.ledger import JOURNAL, JOURNAL_PRIVATE, RIGHTS, SIGNING_KEYS, USB_EXPORTS, Ledger
from kiosk.rights import held_epochs
from sync.engine import SyncEngine
from sync.usb import (
    CONTEXT,
    VERSION,
    AnswerFile,
    ExportSeal,
    SectionAnswer,
    SectionHead,
    read_answer,
    write_export,
    write_on_stick,
)
from sync.wire import PollAnswer, to_base64

log = logging.getLogger(__name__)

ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Exported:
    """What went into an exchange file."""

    number: int
    records: int
    sections: dict[int, int] = field(default_factory=dict)
    """First sequence number by generation."""


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What an answer brought."""

    acknowledged: int
    waiting: int
    grants: int = 0
    orders: int = 0
    """Records made on central's word: rights released, stock received, pickups voided."""
    refused: str = ""
    """Code of central's refusal to give this kiosk grants; empty if there was none."""
    quarantined: list[int] = field(default_factory=list)


# -- out --


def export(home: Home, ledger: Ledger, path: Path, clock: Clock, *, everything: bool = False) -> Exported:
    """Writes what central has not acknowledged, or all there is, into a new file, durable when this returns.

    Raises EnvironmentFault ``export_failed``, for one that exists too, and what the ledger raises.
    """
    identity = home.identity()
    nonce, now_ms = secrets.token_hex(16), max(0, unix_ms(clock.now()))
    heads = [
        SectionHead(v=VERSION, kind="journal", kiosk=identity.kiosk, gen=gen, from_seq=start)
        for gen, start in _starts(ledger, identity.gen, everything)
    ]
    upto = {head.gen: ledger.head_seq(head.gen) for head in heads}
    seal = ExportSeal(
        kiosk=identity.kiosk,
        gen=identity.gen,
        nonce=nonce,
        written_ms=now_ms,
        highest_grant_rev=int(ledger.meta("grant_rev", "0")),
        grants_digest=digest_of(held_epochs(ledger, identity.gen)),
    )
    sections = [(head, _lines(ledger, head, upto[head.gen])) for head in heads]
    data = write_export(sections, seal, _sealing_key(ledger, identity))
    firsts = {head.gen: head.from_seq for head in heads}
    with ledger.writing() as connection:
        number = connection.execute(
            f"INSERT INTO {USB_EXPORTS} (nonce, written_ms, sections) VALUES (?, ?, ?)",
            (nonce, now_ms, json.dumps({str(gen): first for gen, first in firsts.items()})),
        ).lastrowid
    try:
        write_on_stick(path, data)
    except OSError as fault:
        raise EnvironmentFault("export_failed", f"{path.name}: {fault.strerror}") from fault
    records = sum(upto[head.gen] - head.from_seq + 1 for head in heads)
    return Exported(int(number), records, firsts)


def _starts(ledger: Ledger, current: int, everything: bool) -> list[tuple[int, int]]:
    """First records by generation; the current one is there even without any: its grants are asked for."""
    found = []
    for gen in sorted({*ledger.generations(), current}):
        anchor = anchor_place(ledger.db.conn, gen)
        first = anchor[0] + 1 if anchor else 1
        start = first if everything else ledger.acked(gen) + 1
        if start < first:
            raise CentralFault(
                "journal_pruned", f"central lacks {gen}:{start}, which is pruned here", gen=gen
            )
        if start <= ledger.head_seq(gen) or gen == current:
            found.append((gen, start))
    return found


def _lines(ledger: Ledger, head: SectionHead, upto: int) -> Iterator[dict[str, Any]]:
    after, rights = head.from_seq - 1, set()
    while after < upto:
        rows = ledger.rows(
            f"""SELECT j.seq, j.record, j.signature, j.right, p.salt, p.text FROM {JOURNAL} j
                LEFT JOIN {JOURNAL_PRIVATE} p ON p.gen = j.gen AND p.seq = j.seq
                WHERE j.gen = ? AND j.seq > ? AND j.seq <= ? ORDER BY j.seq LIMIT {ROWS_AT_ONCE}""",
            head.gen,
            after,
            upto,
        )
        for seq, record, signature, right, salt, text in rows:
            if seq != after + 1:
                raise EnvironmentFault(
                    "journal_damaged",
                    f"record {head.gen}:{after + 1} is missing",
                    gen=head.gen,
                    seq=after + 1,
                )
            after = seq
            rights.add(right)
            yield {"record": to_base64(bytes(record)), "signature": to_base64(bytes(signature))}
            if text:
                yield {"seq": seq, "salt": to_base64(bytes(salt)), "text": text}
        if not rows:
            raise EnvironmentFault("journal_damaged", f"record {head.gen}:{after + 1} is missing")
    for right, grant in ledger.rows(
        f"SELECT right, grant_bytes FROM {RIGHTS} WHERE gen = ? AND grant_bytes IS NOT NULL", head.gen
    ):
        if right in rights and grant:
            yield {"grant": to_base64(bytes(grant))}


def _sealing_key(ledger: Ledger, identity: Identity) -> Ed25519PrivateKey:
    """The newest key that central knows to be this kiosk's: the record that names it is acknowledged."""
    row = ledger.row(
        f"SELECT public FROM {SIGNING_KEYS} WHERE gen = ? AND from_seq <= ? ORDER BY from_seq DESC LIMIT 1",
        identity.gen,
        ledger.acked(identity.gen) + 1,
    )
    return identity.signer(bytes(row[0]) if row else b"")


# -- in --


def acknowledge_file(home: Home, engine: SyncEngine, data: bytes) -> TakenIn:
    """Takes central's answer to the newest exchange file in; safe to repeat after a stop.

    Raises CentralFault: ``file_malformed``, ``file_too_large``, ``unknown_key``, ``key_refused`` (central's
    key is retired or compromised), ``bad_signature``, ``other_kiosk``, ``other_generation``,
    ``unknown_export``, ``replayed``; ``ledger_rolled_back`` and ``journal_fork``, as over the wire, with the
    kiosk frozen.
    """
    answer, message = read_answer(data)
    _believe(home, answer, message)
    identity = engine.identity
    if answer.kiosk != identity.kiosk:
        raise CentralFault("other_kiosk", f"this answer is for {answer.kiosk}")
    if answer.gen != identity.gen:
        raise CentralFault("other_generation", f"this answer is for generation {answer.gen}", gen=answer.gen)
    asked = _asked(engine.ledger, answer)
    before = engine.ledger.waiting()
    for section in answer.journals:
        _take_section(engine.ledger, identity.gen, section, asked)
    note_file(engine.ledger, answer.time_ms)
    grants, orders, refused = 0, 0, ""
    if answer.poll is not None:
        refused = _take_poll(engine, answer.poll)
        grants = 0 if refused else len(answer.poll.grants)
        orders = 0 if refused else engine.carry_out(answer.poll)
    elif answer.refused is not None:
        refused = answer.refused.code
        engine.heed(CentralFault(refused, answer.refused.message[:500], signed=True))
    with engine.ledger.writing() as connection:
        connection.execute(f"UPDATE {USB_EXPORTS} SET answered = 1 WHERE nonce = ?", (answer.nonce,))
    waiting = engine.ledger.waiting()
    quarantined = [seq for section in answer.journals for seq in section.answer.quarantined]
    return TakenIn(max(0, before + orders - waiting), waiting, grants, orders, refused, quarantined)


def _believe(home: Home, answer: AnswerFile, message: cose.Sign1) -> None:
    """By a key of central that stands, in the newest key set: the answer brings one that the roots signed."""
    if open_keyset(answer.keyset, home.bundle.roots).replaces(home.keyset()):
        home.take_keyset(answer.keyset)
    keyset = home.keyset()
    key = keyset.central(message.kid)
    if key is None:
        raise CentralFault("unknown_key", "this answer is not signed by a key of central")
    standing = key.standing(answer.time_ms // 1000)
    if key.status is not KeyStatus.ACTIVE and key.since <= keyset.issued:
        # Whoever holds a key that signs no more chooses the time as well.
        raise CentralFault("key_refused", "central's key signs no more", why=str(key.status))
    if not standing.holds:
        raise CentralFault("key_refused", "central's key was not in force", why=str(standing))
    try:
        cose.check(message, key.verifier(), CONTEXT)
    except cose.SignedDataFault:
        raise CentralFault("bad_signature", "central's signature does not hold") from None


def _asked(ledger: Ledger, answer: AnswerFile) -> dict[int, int]:
    """First sequence number by generation of the file that is answered."""
    row = ledger.row(f"SELECT number, sections, answered FROM {USB_EXPORTS} WHERE nonce = ?", answer.nonce)
    if row is None:
        known = [one for one in answer.journals if one.gen == answer.gen]
        if any(one.answer.acked_seq > ledger.head_seq(one.gen) for one in known):
            freeze_ledger(ledger, freezing.ROLLED_BACK)
            raise CentralFault("ledger_rolled_back", "central has more of this journal than the kiosk")
        raise CentralFault("unknown_export", "this kiosk has written no such file")
    newest = ledger.row(f"SELECT max(number) FROM {USB_EXPORTS} WHERE answered = 1")[0] or 0
    if row[2] or newest > row[0]:
        raise CentralFault("replayed", "this answer, or one to a newer file, was taken in already")
    return {int(gen): first for gen, first in json.loads(row[1]).items()}


def _take_section(ledger: Ledger, current: int, section: SectionAnswer, asked: dict[int, int]) -> None:
    gen, answer = section.gen, section.answer
    if asked.get(gen) != section.from_seq:
        raise CentralFault("unknown_export", f"this kiosk has not asked about {gen}:{section.from_seq}")
    if answer.status == "gap":
        # Central was restored from a backup since it acknowledged what comes before the file.
        forget_acknowledged(ledger, gen, (answer.gap_from or 1) - 1)
        return
    if answer.status == "fork" and gen == current:
        freeze_ledger(ledger, freezing.FORKED)
    elif answer.status == "stale_gen" and gen == current:
        freeze_ledger(ledger, freezing.STALE_GENERATION)
    outcome = acknowledge(ledger, gen, answer.acked_seq, answer.durable_seq, answer.head)
    if outcome is Acknowledged.ROLLED_BACK:
        raise CentralFault("ledger_rolled_back", f"central has more of generation {gen} than this kiosk")
    if outcome is Acknowledged.OTHER_HEAD:
        raise CentralFault("journal_fork", f"central's head differs in generation {gen}", gen=gen)


def _take_poll(engine: SyncEngine, answer: PollAnswer) -> str:
    """Grants and orders; answers the code of an order that amounts to a refusal, such as to wipe."""
    try:
        engine.take_answer(answer)
    except CentralFault as fault:
        if fault.code == BY_FILE:
            log.warning("central wants everything at once: the next exchange file brings it")
            return "kiosk_stopped"
        if fault.detail.get("signed") is not True:
            raise
        engine.heed(fault)
        return fault.code
    return ""


BY_FILE = "no_wire"


class NoWire:
    """In the place of the client where there is no network: central is reached by file alone."""

    central_time = None

    def close(self) -> None:
        """There is nothing to close."""

    def use_key(self, key: Ed25519PrivateKey) -> None:
        """Files are sealed by the key that the ledger says."""

    def __getattr__(self, name: str) -> Any:
        """Every call of the client: there is nobody to call."""

        def refuse(*_: object, **__: object) -> Any:
            raise CentralFault(BY_FILE, "this kiosk speaks to central by file")

        return refuse


def read_bounded(path: Path, most: int) -> bytes:
    """A file's bytes. Raises EnvironmentFault ``file_unreadable``; CentralFault ``file_too_large``."""
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as fault:
        raise EnvironmentFault("file_unreadable", f"{path.name}: {fault.strerror}") from fault
    if len(data) > most:
        raise CentralFault("file_too_large", f"more than {most} bytes")
    return data
