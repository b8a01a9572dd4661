"""Rights held in escrow at this kiosk: taking a grant in, spending, voiding, releasing.

A right comes back only by this kiosk's own signed record. An expiry stops new spending and nothing else
(docs/decisions/0004-escrow.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kiosk import freezing
from kiosk.clock import unix_ms
from kiosk.effects import recount
from kiosk.errors import OfficerFault
from kiosk.grant import Grant
from kiosk.journal import Draft, Journal
from kiosk.journal_format import Record, decode
from kiosk.ledger import (
    ACKNOWLEDGED,
    ASKED,
    JOURNAL,
    PICKUPS,
    RIGHTS,
    HeldRight,
    Ledger,
    head_seq,
    put_meta,
    read_right,
)
from kiosk.program import Program, needs_reason, spends, validate_quantity
from kiosk.values import Checks, Collector, Grade, OfficerSession


class GrantOutcome(StrEnum):
    """What became of a grant that arrived."""

    TAKEN_IN = "taken_in"
    SAME = "same"
    STALE_EPOCH = "stale_epoch"
    RELEASED = "released"
    OTHER_GENERATION = "other_generation"
    ROLLED_BACK = "rolled_back"
    """Central had counted more records than this ledger holds: an old disk came back."""


def take_in(
    ledger: Ledger,
    grants: Sequence[tuple[Grant, bytes]],
    *,
    kiosk: str,
    gen: int,
    acquired_ms: int = 0,
    grant_rev: int | None = None,
    answered: Sequence[str] = (),
) -> list[GrantOutcome]:
    """Takes verified grants into the ledger in one transaction; answers one outcome for each.

    Only for this kiosk's own current generation, only a higher epoch, never one at or below the release
    floor; the same epoch while held changes nothing. A grant of a right that a tap has asked for is acquired,
    whichever way it comes; ``acquired_ms`` says so of all. What is held keeps the way in which it came.
    ``grant_rev`` is kept as the delivery cursor; ``answered`` are rights that central has given its word on.
    """
    outcomes = []
    with ledger.writing() as connection:
        for grant, data in grants:
            outcomes.append(_take_in_one(connection, grant, data, kiosk, gen, acquired_ms))
        connection.executemany(f"DELETE FROM {ASKED} WHERE right = ?", [(right,) for right in answered])
        if grant_rev is not None:
            put_meta(connection, grant_rev=str(grant_rev))
    return outcomes


ASKED_KEPT_MS = 10 * 60 * 1000
"""Central takes a request for five minutes around its own time; of an older one nothing can come any more."""


def note_asked(ledger: Ledger, rights: Sequence[str], now_ms: int) -> None:
    """Keeps which rights a tap asks for, before the request is sent: its answer may be lost."""
    with ledger.writing() as connection:
        connection.executemany(
            f"""INSERT INTO {ASKED} (right, asked_ms) VALUES (?, ?)
                ON CONFLICT (right) DO UPDATE SET asked_ms = excluded.asked_ms""",
            [(right, now_ms) for right in rights],
        )


def forget_asked(ledger: Ledger, polled_ms: int) -> None:
    """Forgets rights asked for so long before a poll, all of whose grants came, that none is on its way."""
    too_old = f"FROM {ASKED} WHERE asked_ms < ?"
    if ledger.row(f"SELECT 1 {too_old}", polled_ms - ASKED_KEPT_MS):
        with ledger.writing() as connection:
            connection.execute(f"DELETE {too_old}", (polled_ms - ASKED_KEPT_MS,))


def _take_in_one(
    connection: Any, grant: Grant, data: bytes, kiosk: str, gen: int, acquired_ms: int
) -> GrantOutcome:
    if grant.kiosk != kiosk or grant.gen != gen:
        return GrantOutcome.OTHER_GENERATION
    if grant.upto_seq > head_seq(connection, gen):
        freezing.freeze(connection, freezing.ROLLED_BACK)
        return GrantOutcome.ROLLED_BACK
    known = read_right(connection, grant.right)
    mine = known is not None and known.held and known.gen == gen
    if known is not None:
        if mine and known.epoch == grant.epoch:
            return GrantOutcome.SAME
        if grant.epoch <= known.floor:
            return GrantOutcome.RELEASED
        if grant.epoch <= known.epoch:
            return GrantOutcome.STALE_EPOCH
    connection.execute(
        f"""INSERT INTO {RIGHTS} (right, gen, epoch_incarnation, epoch_n, granted, upto_seq, quantity_left,
                not_before, not_after, mode, grant_bytes, held, acquired_ms)
            VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, 1, ?)
            ON CONFLICT (right) DO UPDATE SET
                gen = excluded.gen, epoch_incarnation = excluded.epoch_incarnation,
                epoch_n = excluded.epoch_n, granted = excluded.granted, upto_seq = excluded.upto_seq,
                not_before = excluded.not_before, not_after = excluded.not_after, mode = excluded.mode,
                grant_bytes = excluded.grant_bytes, held = 1, acquired_ms = excluded.acquired_ms""",
        (
            grant.right,
            gen,
            grant.epoch[0],
            grant.epoch[1],
            grant.quantity_left,
            grant.upto_seq,
            grant.not_before,
            grant.not_after,
            grant.mode,
            data,
            known.acquired_ms if known is not None and mine else acquired_ms or _asked_ms(connection, grant.right),
        ),
    )
    connection.execute(f"DELETE FROM {ASKED} WHERE right = ?", (grant.right,))
    recount(connection, grant.right, gen)
    return GrantOutcome.TAKEN_IN


def _asked_ms(connection: Any, right: str) -> int:
    """When a tap asked for this right; 0 if none did: then it is placed here."""
    row = connection.execute(f"SELECT asked_ms FROM {ASKED} WHERE right = ?", (right,)).fetchone()
    return int(row[0]) if row else 0


@dataclass(frozen=True, slots=True)
class Handing:
    """One hand-out that an officer confirmed, before it is recorded."""

    program: Program
    right: str
    entitlement: tuple[int, int]
    quantity: int
    most: int
    """What the entitlement leaves to hand out; below the right's quantity where programs share a right."""
    card_no: str
    grade: Grade
    collector: Collector
    checks: Checks
    officer: OfficerSession
    reason: str = ""


def dispense(journal: Journal, handing: Handing) -> Record:
    """Records a hand-out; durable, signed and chained when this returns.

    Everything is decided again inside the transaction: another process may have been faster. Raises
    OfficerFault: ``right_not_held``, ``already_taken``, ``right_closed``, ``quantity``, ``reason_missing``,
    ``frozen``.
    """

    def decide(connection: Any) -> Draft:
        freezing.refuse_if_frozen(connection)
        held = read_right(connection, handing.right)
        now_s = unix_ms(journal.clock.now()) // 1000
        if held is None or not held.held or held.gen != journal.identity.gen:
            raise OfficerFault("right_not_held", "this right is not held here", right=handing.right)
        if held.quantity_left <= 0:
            raise OfficerFault("already_taken", "taken already", right=handing.right)
        if not held.not_before <= now_s < held.not_after:
            raise OfficerFault("right_closed", "outside the time of this right", right=handing.right)
        due = min(held.quantity_left, handing.most)
        validate_quantity(handing.program, handing.quantity, due)
        if needs_reason(handing.program, handing.quantity, due) and not handing.reason:
            raise OfficerFault("reason_missing", "less than all closes the right: say why")
        return Draft(
            type="dispense",
            right=handing.right,
            quantity=handing.quantity,
            epoch=held.epoch,
            mode=held.mode,
            program_version=f"{handing.program.id}@{handing.program.version}",
            officer=handing.officer.username,
            card=handing.card_no,
            assurance=handing.grade.label,
            detail={
                "spends": spends(handing.program, handing.quantity, held.quantity_left),
                "entitlement": list(handing.entitlement),
                "collector": handing.collector.kind,
                # Only what the program asks for: free text has no place in the chain.
                "checks": [
                    *(one for one in handing.program.documents if one in handing.checks.documents),
                    *(["photo_and_ktp"] if handing.checks.photo_and_ktp else []),
                ],
            },
            private=_private_of(handing),
        )

    return journal.append(decide)


def _private_of(handing: Handing) -> str:
    told = {
        "collector": handing.collector.name,
        "guardian": handing.collector.holder_id,
        "letter": handing.collector.letter,
        "reason": handing.reason,
    }
    told = {key: value for key, value in told.items() if value}
    return json.dumps(told, ensure_ascii=False, sort_keys=True) if told else ""


@dataclass(frozen=True, slots=True)
class RecordedPickup:
    """A hand-out as the ledger has it, for who decides whether it may be taken back."""

    ref: str
    officer: str
    shown: bool
    age_s: float
    """Since it was recorded; infinite where the clocks say it is yet to come."""


def void(
    journal: Journal,
    ref: str,
    goods: str,
    reason: str,
    officer: str,
    permit: Callable[[RecordedPickup], None],
) -> Record:
    """Records that a hand-out did not happen (``never_left``) or came back (``returned``).

    ``permit`` may refuse inside the transaction. Raises OfficerFault: ``unknown_ref``, ``already_voided``,
    ``goods`` and what ``permit`` raises.
    """
    if goods not in ("never_left", "returned"):
        raise OfficerFault("goods", "say never_left or returned")

    def decide(connection: Any) -> Draft:
        pickup = recorded_pickup(connection, journal, ref)
        permit(pickup)
        row = connection.execute(
            f"""SELECT right, quantity, spends, epoch_incarnation, epoch_n, program_id, program_version, card
                FROM {PICKUPS} WHERE ref = ?""",
            (pickup.ref,),
        ).fetchone()
        return Draft(
            type="void",
            right=row[0],
            ref=pickup.ref,
            quantity=row[1],
            epoch=(row[3], row[4]),
            program_version=f"{row[5]}@{row[6]}",
            officer=officer,
            card=row[7],
            detail={"goods": goods, "restores": row[2]},
            private=json.dumps({"reason": reason}, ensure_ascii=False) if reason else "",
        )

    return journal.append(decide)


def recorded_pickup(connection: Any, journal: Journal, ref: str) -> RecordedPickup:
    """A pickup that stands, inside the caller's transaction.

    Raises OfficerFault ``unknown_ref``, ``already_voided``.
    """
    known = (
        ref.isascii()
        and connection.execute(
            f"""SELECT p.officer, p.shown, p.voided, p.wall_ms, j.record FROM {PICKUPS} p
            LEFT JOIN {JOURNAL} j ON j.gen = p.gen AND j.seq = p.seq WHERE p.ref = ?""",
            (ref,),
        ).fetchone()
    )
    if not known:
        raise OfficerFault("unknown_ref", "no such pickup in this kiosk's journal")
    officer, shown, voided, wall_ms, payload = known
    if voided:
        raise OfficerFault("already_voided", f"{ref} is voided already", ref=ref)
    # Of a pruned record only the wall time is left, which is months old.
    record = decode(bytes(payload)) if payload is not None else None
    clock = journal.clock
    if record is not None and record.boot_id == clock.boot_id():
        age_ms = clock.monotonic_ms() - record.mono
    else:
        age_ms = unix_ms(clock.now()) - wall_ms
    return RecordedPickup(ref, officer, bool(shown), age_ms / 1000 if age_ms >= 0 else float("inf"))


def release(
    journal: Journal, right: str, *, only_acquired: bool = False, older_than_ms: int = 0
) -> Record | None:
    """Gives a right that is held here back to central, up to its current epoch; None if not held.

    ``only_acquired`` leaves rights alone that were placed here or that were spent from, ``older_than_ms``
    also those that came less than so long ago.
    """

    def decide(connection: Any) -> Draft:
        held = _held_now(connection, journal, right)
        age_ms = abs(unix_ms(journal.clock.now()) - held.acquired_ms)
        if only_acquired and (not _idle(connection, held) or age_ms < older_than_ms):
            raise _NothingToRelease
        return _release_of(held)

    return _append_release(journal, decide)


def _held_now(connection: Any, journal: Journal, right: str) -> HeldRight:
    held = read_right(connection, right)
    if held is None or not held.held or held.gen != journal.identity.gen:
        raise _NothingToRelease
    return held


def _release_of(held: HeldRight) -> Draft:
    return Draft(type="release", right=held.right, epoch=held.epoch, detail={"upto": list(held.epoch)})


def _append_release(journal: Journal, decide: Callable[[Any], Draft]) -> Record | None:
    try:
        return journal.append(decide)
    except _NothingToRelease:
        return None


def release_unless_just_acquired(journal: Journal, right: str, within_ms: int) -> Record | None:
    """Gives back a right, placed here or not, unless a tap fetched it less than so long ago."""

    def decide(connection: Any) -> Draft:
        held = _held_now(connection, journal, right)
        if held.acquired_ms and abs(unix_ms(journal.clock.now()) - held.acquired_ms) < within_ms:
            raise _NothingToRelease
        return _release_of(held)

    return _append_release(journal, decide)


def release_forgotten(journal: Journal, older_than_ms: int) -> int:
    """Gives back what a tap brought here and nobody used: its visit ended without a word (a stop, a crash).

    Answers how many rights went back.
    """
    found = journal.ledger.rows(
        f"""SELECT right FROM {RIGHTS} r WHERE held = 1 AND acquired_ms > 0 AND NOT EXISTS (
                SELECT 1 FROM {PICKUPS} p WHERE p.right = r.right AND p.gen = r.gen AND p.voided = 0
                AND p.epoch_incarnation = r.epoch_incarnation AND p.epoch_n = r.epoch_n)"""
    )
    return sum(
        release(journal, row[0], only_acquired=True, older_than_ms=older_than_ms) is not None for row in found
    )


def _idle(connection: Any, held: HeldRight) -> bool:
    spent = connection.execute(
        f"""SELECT 1 FROM {PICKUPS} WHERE right = ? AND gen = ? AND epoch_incarnation = ? AND epoch_n = ?
              AND voided = 0""",
        (held.right, held.gen, *held.epoch),
    ).fetchone()
    return held.acquired_ms > 0 and spent is None


class _NothingToRelease(Exception):
    """Ends a transaction that has nothing to append."""


def held_subjects(ledger: Ledger, gen: int) -> dict[str, list[str]]:
    """The rights held here, by subject (``h12``, ``f7``)."""
    found: dict[str, list[str]] = {}
    for row in ledger.rows(f"SELECT right FROM {RIGHTS} WHERE gen = ? AND held = 1 ORDER BY right", gen):
        found.setdefault(row[0].split("/")[0], []).append(row[0])
    return found


def held_epochs(ledger: Ledger, gen: int) -> list[tuple[str, tuple[int, int]]]:
    """The grants that central should believe are here: those held, and those whose release it has not got."""
    rows = ledger.rows(
        f"""SELECT right, epoch_incarnation, epoch_n FROM {RIGHTS} r WHERE gen = ? AND (held = 1 OR EXISTS (
                SELECT 1 FROM {JOURNAL} j WHERE j.type = 'release' AND j.right = r.right AND j.gen = r.gen
                AND j.seq > coalesce((SELECT acked_seq FROM {ACKNOWLEDGED} a WHERE a.gen = j.gen), 0)))""",
        gen,
    )
    return [(row[0], (row[1], row[2])) for row in rows]
