"""Rights held in escrow at this kiosk: taking a grant in, spending, voiding, releasing.

A right comes back only by this kiosk's own signed record. An expiry stops new spending and nothing else
(docs/decisions/0004-escrow.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kiosk.clock import unix_ms
from kiosk.database import writing
from kiosk.errors import OfficerFault
from kiosk.grant import Grant
from kiosk.journal import Draft, Journal
from kiosk.journal_format import Record
from kiosk.ledger import ACKNOWLEDGED, JOURNAL, META, PICKUPS, RIGHTS, HeldRight, Ledger, put_meta, read_right
from kiosk.program import Program, spends, validate_quantity
from kiosk.values import Checks, Collector, Grade, OfficerSession


class GrantOutcome(StrEnum):
    """What became of a grant that arrived."""

    TAKEN_IN = "taken_in"
    SAME = "same"
    STALE_EPOCH = "stale_epoch"
    RELEASED = "released"
    OTHER_GENERATION = "other_generation"


def take_in(
    ledger: Ledger,
    grants: list[tuple[Grant, bytes]],
    *,
    kiosk: str,
    gen: int,
    acquired: bool = False,
    grant_rev: int | None = None,
) -> list[GrantOutcome]:
    """Takes verified grants into the ledger in one transaction; answers one outcome for each.

    Only for this kiosk's own current generation, only a higher epoch, never one at or below the release
    floor; the same epoch while held changes nothing. ``grant_rev`` is kept as the delivery cursor.
    """
    outcomes = []
    with writing(ledger.db, ledger.path) as connection:
        for grant, data in grants:
            outcomes.append(_take_in_one(connection, grant, data, kiosk, gen, acquired))
        if grant_rev is not None:
            put_meta(connection, grant_rev=str(grant_rev))
    return outcomes


def _take_in_one(
    connection: Any, grant: Grant, data: bytes, kiosk: str, gen: int, acquired: bool
) -> GrantOutcome:
    if grant.kiosk != kiosk or grant.gen != gen:
        return GrantOutcome.OTHER_GENERATION
    known = read_right(connection, grant.right)
    if known is not None:
        if known.held and known.epoch == grant.epoch:
            return GrantOutcome.SAME
        if grant.epoch <= known.floor:
            return GrantOutcome.RELEASED
        if grant.epoch <= known.epoch:
            return GrantOutcome.STALE_EPOCH
    # Central counted this kiosk's records up to `upto_seq`; what was handed out since comes off here.
    left = grant.quantity_left - _spent_since(connection, grant.right, gen, grant.upto_seq)
    connection.execute(
        f"""INSERT INTO {RIGHTS} (right, gen, epoch_incarnation, epoch_n, quantity_left, not_before,
                not_after, mode, grant_bytes, held, acquired)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?)
            ON CONFLICT (right) DO UPDATE SET
                gen = excluded.gen, epoch_incarnation = excluded.epoch_incarnation,
                epoch_n = excluded.epoch_n, quantity_left = excluded.quantity_left,
                not_before = excluded.not_before, not_after = excluded.not_after, mode = excluded.mode,
                grant_bytes = excluded.grant_bytes, held = 1, acquired = excluded.acquired""",
        (
            grant.right,
            gen,
            grant.epoch[0],
            grant.epoch[1],
            max(0, left),
            grant.not_before,
            grant.not_after,
            grant.mode,
            data,
            int(acquired),
        ),
    )
    return GrantOutcome.TAKEN_IN


def _spent_since(connection: Any, right: str, gen: int, seq: int) -> int:
    row = connection.execute(
        f"""SELECT coalesce(sum(p.spends), 0) FROM {PICKUPS} p
            WHERE p.right = ? AND p.gen = ? AND p.seq > ? AND p.voided = 0""",
        (right, gen, seq),
    ).fetchone()
    restored = connection.execute(
        f"""SELECT coalesce(sum(p.spends), 0) FROM {JOURNAL} v JOIN {PICKUPS} p ON p.ref = v.ref
            WHERE v.type = 'void' AND v.right = ? AND v.gen = ? AND v.seq > ? AND p.seq <= ?""",
        (right, gen, seq, seq),
    ).fetchone()
    return int(row[0]) - int(restored[0])


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

    Raises OfficerFault: ``right_not_held``, ``already_taken``, ``right_closed``, ``quantity``, ``frozen``.
    """

    def decide(connection: Any) -> Draft:
        refuse_if_frozen(connection)
        held = read_right(connection, handing.right)
        now_s = unix_ms(journal.clock.now()) // 1000
        if held is None or not held.held:
            raise OfficerFault("right_not_held", "this right is not held here", right=handing.right)
        if held.quantity_left <= 0:
            raise OfficerFault("already_taken", "taken already", right=handing.right)
        if not held.not_before <= now_s < held.not_after:
            raise OfficerFault("right_closed", "outside the time of this right", right=handing.right)
        validate_quantity(handing.program, handing.quantity, min(held.quantity_left, handing.most))
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
                "checks": [
                    *handing.checks.documents,
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


def void(
    journal: Journal,
    ref: str,
    goods: str,
    reason: str,
    officer: str,
    permit: Callable[[Any], None] | None = None,
) -> Record:
    """Records that a hand-out did not happen (``never_left``) or came back (``returned``).

    ``permit`` may refuse inside the transaction. Raises OfficerFault: ``unknown_ref``, ``already_voided``,
    ``goods`` and what ``permit`` raises.
    """
    if goods not in ("never_left", "returned"):
        raise OfficerFault("goods", "say never_left or returned", goods=goods)

    def decide(connection: Any) -> Draft:
        row = connection.execute(
            f"""SELECT right, quantity, spends, epoch_incarnation, epoch_n, program_id, program_version, card,
                       voided FROM {PICKUPS} WHERE ref = ?""",
            (ref,),
        ).fetchone()
        if row is None:
            raise OfficerFault("unknown_ref", f"no pickup {ref} in this kiosk's journal", ref=ref)
        if row[8]:
            raise OfficerFault("already_voided", f"{ref} is voided already", ref=ref)
        if permit:
            permit(connection)
        return Draft(
            type="void",
            right=row[0],
            ref=ref,
            quantity=row[1],
            epoch=(row[3], row[4]),
            program_version=f"{row[5]}@{row[6]}",
            officer=officer,
            card=row[7],
            detail={"goods": goods, "restores": row[2]},
            private=json.dumps({"reason": reason}, ensure_ascii=False) if reason else "",
        )

    return journal.append(decide)


def release(journal: Journal, right: str, *, only_acquired: bool = False) -> Record | None:
    """Gives a right that is held here back to central, up to its current epoch; None if not held.

    ``only_acquired`` leaves rights alone that were placed here or that were spent from.
    """

    def decide(connection: Any) -> Draft:
        held = read_right(connection, right)
        if held is None or not held.held or (only_acquired and not _idle(connection, held)):
            raise _NothingToRelease
        return Draft(type="release", right=right, epoch=held.epoch, detail={"upto": list(held.epoch)})

    try:
        return journal.append(decide)
    except _NothingToRelease:
        return None


def _idle(connection: Any, held: HeldRight) -> bool:
    spent = connection.execute(
        f"SELECT 1 FROM {PICKUPS} WHERE right = ? AND epoch_incarnation = ? AND epoch_n = ? AND voided = 0",
        (held.right, *held.epoch),
    ).fetchone()
    return held.acquired and spent is None


class _NothingToRelease(Exception):
    """Ends a transaction that has nothing to append."""


def refuse_if_frozen(connection: Any) -> None:
    """Raises OfficerFault ``frozen`` when central or this kiosk stopped dispensing here."""
    row = connection.execute(f"SELECT value FROM {META} WHERE key = 'frozen'").fetchone()
    if row and row[0]:
        raise OfficerFault("frozen", "this kiosk may not hand out now", why=row[0])


def held_epochs(ledger: Ledger, gen: int) -> list[tuple[str, tuple[int, int]]]:
    """The grants that central should believe are here: those held, and those whose release it has not got."""
    rows = ledger.db.conn.execute(
        f"""SELECT right, epoch_incarnation, epoch_n FROM {RIGHTS} r WHERE gen = ? AND (held = 1 OR EXISTS (
                SELECT 1 FROM {JOURNAL} j WHERE j.type = 'release' AND j.right = r.right AND j.gen = r.gen
                AND j.seq > coalesce((SELECT acked_seq FROM {ACKNOWLEDGED} a WHERE a.gen = j.gen), 0)))""",
        (gen,),
    )
    return [(row[0], (row[1], row[2])) for row in rows]
