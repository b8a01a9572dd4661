"""Rights held in escrow at this kiosk: taking a grant in, spending, releasing.

A right comes back only by this kiosk's own signed record. An expiry stops new spending and nothing else
(docs/decisions/0004-escrow.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kiosk import freezing, stock, tolerate
from kiosk.asking import answered, asked_ms
from kiosk.clock import unix_ms
from kiosk.effects import recount
from kiosk.errors import OfficerFault
from kiosk.grant import Grant, terms_text
from kiosk.grant_terms import Basis, basis_of
from kiosk.journal import Draft, Journal
from kiosk.journal_format import Record
from kiosk.ledger import (
    ACKNOWLEDGED,
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
from kiosk.tolerate import WithoutRight
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
    told: Sequence[str] = (),
) -> list[GrantOutcome]:
    """Takes verified grants into the ledger in one transaction; answers one outcome for each.

    Only for this kiosk's own current generation, only a higher epoch, never one at or below the release
    floor; the same epoch while held changes nothing. A grant of a right that a tap has asked for is acquired,
    whichever way it comes; ``acquired_ms`` says so of all. What is held keeps the way in which it came.
    ``grant_rev`` is kept as the delivery cursor; ``told`` are rights that central has given its word on.
    """
    outcomes = []
    with ledger.writing() as connection:
        for grant, data in grants:
            outcomes.append(_take_in_one(connection, grant, data, kiosk, gen, acquired_ms))
        answered(connection, told)
        if grant_rev is not None:
            put_meta(connection, grant_rev=str(grant_rev))
    return outcomes


def _take_in_one(
    connection: Any, grant: Grant, data: bytes, kiosk: str, gen: int, acquired_ms: int
) -> GrantOutcome:
    if grant.kiosk != kiosk or grant.gen != gen:
        return GrantOutcome.OTHER_GENERATION
    if freezing.is_retired(connection, gen):
        return GrantOutcome.RELEASED
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
                not_before, not_after, mode, grant_bytes, held, terms, acquired_ms)
            VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, 1, ?, ?)
            ON CONFLICT (right) DO UPDATE SET
                gen = excluded.gen, epoch_incarnation = excluded.epoch_incarnation,
                epoch_n = excluded.epoch_n, granted = excluded.granted, upto_seq = excluded.upto_seq,
                not_before = excluded.not_before, not_after = excluded.not_after, mode = excluded.mode,
                grant_bytes = excluded.grant_bytes, held = 1, terms = excluded.terms,
                acquired_ms = excluded.acquired_ms""",
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
            terms_text(grant.terms),
            known.acquired_ms if known and mine else acquired_ms or asked_ms(connection, grant.right),
        ),
    )
    answered(connection, [grant.right])
    recount(connection, grant.right, gen)
    return GrantOutcome.TAKEN_IN


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
    entitled: bool = True
    """The cache still has the entitlement as active."""
    without: WithoutRight | None = None
    """What is known of a right that is not held here, where a tolerate program may do without."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """What one hand-out is taken from: a grant, or none."""

    left: int
    epoch: tuple[int, int]
    mode: str
    entitlement: tuple[int, int]
    detail: dict[str, Any]


def dispense(journal: Journal, handing: Handing) -> Record:
    """Records a hand-out; durable, signed and chained when this returns.

    Everything is decided again inside the transaction: another process may have been faster, and a right that
    came meanwhile is used. Raises OfficerFault: ``right_not_held``, ``already_taken``, ``right_closed``,
    ``quantity``, ``reason_missing``, ``no_stock``, ``frozen``.
    """

    def decide(connection: Any) -> Draft:
        freezing.refuse_if_frozen(connection)
        held = read_right(connection, handing.right)
        if held is None or not held.held or held.gen != journal.identity.gen:
            taken = _without_right(connection, journal, handing)
        else:
            taken = _under_grant(journal, handing, held)
        due = min(taken.left, handing.most)
        validate_quantity(handing.program, handing.quantity, due)
        if needs_reason(handing.program, handing.quantity, due) and not handing.reason:
            raise OfficerFault("reason_missing", "less than all closes the right: say why")
        detail = dict(taken.detail)
        if handing.program.stock:
            gen = journal.identity.gen
            detail["slice"] = stock.take_from(connection, gen, handing.program.id, handing.quantity)
        return Draft(
            type="dispense",
            right=handing.right,
            quantity=handing.quantity,
            epoch=taken.epoch,
            mode=taken.mode,
            program_version=f"{handing.program.id}@{handing.program.version}",
            officer=handing.officer.username,
            card=handing.card_no,
            assurance=handing.grade.label,
            detail={
                "spends": spends(handing.program, handing.quantity, taken.left),
                "entitlement": list(taken.entitlement),
                "collector": handing.collector.kind,
                # Only what the program asks for: free text has no place in the chain.
                "checks": [
                    *(one for one in handing.program.documents if one in handing.checks.documents),
                    *(["photo_and_ktp"] if handing.checks.photo_and_ktp else []),
                ],
            }
            | detail,
            private=_private_of(handing),
        )

    return journal.append(decide)


def _under_grant(journal: Journal, handing: Handing, held: HeldRight) -> _Taken:
    if held.quantity_left <= 0:
        raise OfficerFault("already_taken", "taken already", right=handing.right)
    if not held.not_before <= unix_ms(journal.clock.now()) // 1000 < held.not_after:
        raise OfficerFault("right_closed", "outside the time of this right", right=handing.right)
    program = handing.program
    basis = basis_of(held.terms, program.id, program.version, handing.entitlement, handing.entitled)
    detail = {"within_grant": True} if basis.within_grant else {}
    return _Taken(held.quantity_left, held.epoch, held.mode, _entitlement(handing, basis), detail)


def _entitlement(handing: Handing, basis: Basis) -> tuple[int, int]:
    term = basis.term
    return (term.entitlement_id, term.entitlement_version) if term else handing.entitlement


def _without_right(connection: Any, journal: Journal, handing: Handing) -> _Taken:
    room = tolerate.room(connection, handing.program, unix_ms(journal.clock.now()))
    if handing.without is None or room < handing.quantity:
        raise OfficerFault("right_not_held", "this right is not held here", right=handing.right)
    left = handing.without.left(connection, handing.right)
    if left <= 0:
        raise OfficerFault("already_taken", "taken already", right=handing.right)
    return _Taken(left, tolerate.NO_GRANT, tolerate.MODE, handing.entitlement, {"tolerated": True})


def _private_of(handing: Handing) -> str:
    told = {
        "collector": handing.collector.name,
        "guardian": handing.collector.holder_id,
        "letter": handing.collector.letter,
        "reason": handing.reason,
    }
    told = {key: value for key, value in told.items() if value}
    return json.dumps(told, ensure_ascii=False, sort_keys=True) if told else ""


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
                SELECT 1 FROM {JOURNAL} j WHERE j.type = 'release' AND j.right IN (r.right, '*')
                AND j.gen = r.gen
                AND j.seq > coalesce((SELECT acked_seq FROM {ACKNOWLEDGED} a WHERE a.gen = j.gen), 0)))""",
        gen,
    )
    return [(row[0], (row[1], row[2])) for row in rows]


def release_seq(ledger: Ledger, right: str, gen: int) -> int:
    """Number of the newest record that gave this right back; 0 if there is none, or none any more."""
    found = ledger.row(
        f"SELECT max(seq) FROM {JOURNAL} WHERE gen = ? AND type = 'release' AND right IN (?, '*')", gen, right
    )
    return int(found[0] or 0) if found else 0
