"""What is wrong with a hand-out that has happened: the case people are to settle, if any.

What left the counter is a fact, so nothing here refuses. Each hand-out opens at most one case. The common
one, by the kiosk that holds the right and within what is left, asks the database nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, func, select

from kiosk.journal_format import Record
from sync.central import writeoff
from sync.central.models import case, grant_log, pickup
from sync.central.record_check import PAPER
from sync.central.right_rows import Right

EXPOSURE: Final = "exposure"
"""Handed out as granted, after the entitlement was cut or changed: reported apart, nobody's fault."""
OVERSPEND: Final = "overspend"
OVERSPEND_TOLERATED: Final = "overspend_tolerated"
UNENTITLED: Final = "unentitled"
NOT_HELD: Final = "not_held"
WRITTEN_OFF: Final = "written_off"
TOLERATE: Final = "tolerate"
TOLERATED: Final = "tolerated"
WITHIN_GRANT: Final = "within_grant"

OpenCase = Callable[..., None]


@dataclass(frozen=True, slots=True)
class HandOut:
    """One dispense as central has just counted it."""

    record: Record
    ref: str
    kind: str
    """As in the table of pickups."""
    row: Right
    """The right it names."""
    counted: Right
    """The right it counts in: another one after a merge."""
    holds: bool
    """The kiosk held the right at that epoch."""


def kind_of(record: Record) -> str:
    """Empty, ``tolerated``, ``within_grant`` or ``paper``."""
    if record.type == PAPER:
        return "paper"
    if record.mode == TOLERATE and (record.epoch or (0, 0))[1] == 0:
        return TOLERATED
    return WITHIN_GRANT if record.detail.get(WITHIN_GRANT) is True else ""


def judge(
    connection: Connection,
    found: HandOut,
    others: Callable[[], list[tuple[str, str]]],
    held_before: Callable[[], bool],
    open_case: OpenCase,
) -> None:
    """Opens the case of a hand-out, if there is one.

    ``others``: references and kinds of the right's other pickups that stand, oldest first. ``held_before``:
    true if its kiosk held the right then, though a restore told of a later grant first.
    """
    record, counted, ref = found.record, found.counted, found.ref
    epoch = record.epoch or (0, 0)
    by = max(0, counted.spent - counted.quantity)
    tolerated = found.kind == TOLERATED and found.row.mode == TOLERATE
    if not found.holds and found.kind in ("", WITHIN_GRANT):
        given_up = writeoff.covering(connection, record.right, record.kiosk, record.gen, epoch)
        if given_up is not None:
            refs = [one for one, _ in others()] if by else []
            detail = {"writeoff": given_up, "by": by, "epoch": list(epoch)}
            open_case(f"{WRITTEN_OFF}:{ref}", WRITTEN_OFF, record.right, [*refs, ref], **detail)
            return
        found = replace(found, holds=held_before())
    if by:
        _overspent(connection, found, others(), by, open_case)
    elif not found.holds and not tolerated and found.kind != "paper":
        open_case(f"{NOT_HELD}:{ref}", NOT_HELD, record.right, [ref], epoch=list(epoch))
    elif found.holds and found.kind == WITHIN_GRANT:
        open_case(f"{EXPOSURE}:{ref}", EXPOSURE, record.right, [ref], by=0)


def _overspent(
    connection: Connection, found: HandOut, others: list[tuple[str, str]], by: int, open_case: OpenCase
) -> None:
    record, right, ref = found.record, found.record.right, found.ref
    if _is_granted(connection, found):
        open_case(f"{EXPOSURE}:{ref}", EXPOSURE, right, [ref], by=by)
        return
    refs = [*(one for one, _ in others), ref]
    detail: dict[str, Any] = {"by": by}
    kinds = {found.kind, *(kind for _, kind in others)}
    if TOLERATED in kinds and found.row.mode == TOLERATE:
        code, case_id = OVERSPEND_TOLERATED, f"{right}#{record.kiosk}.{record.gen}-{record.seq}"
        if "~" in ref:
            case_id += ref[ref.index("~") :]
    else:
        code = OVERSPEND if found.counted.quantity or others else UNENTITLED
        case_id = f"{code}:{ref}"
    given_up = _named_writeoff(connection, found)
    if given_up is not None:
        detail["writeoff"] = given_up
    open_case(case_id, code, right, refs, **detail)


def _is_granted(connection: Connection, found: HandOut) -> bool:
    """True if the grant it was made under left room for it, whatever became of the entitlement since."""
    record, row = found.record, found.row
    epoch = record.epoch or (0, 0)
    granted = connection.execute(
        select(grant_log.c.quantity_left, grant_log.c.spent_before)
        .where(grant_log.c.right == row.right)
        .where(grant_log.c.epoch_incarnation == epoch[0], grant_log.c.epoch_n == epoch[1])
        .where(grant_log.c.kiosk == record.kiosk, grant_log.c.gen == record.gen)
    ).first()
    if granted is None or not found.holds:
        return False
    if row is found.counted and not row.merges:
        return bool(row.spent <= granted.spent_before + granted.quantity_left)
    # A merge raised the spend beneath the grant: what was handed out under it is what counts.
    under = select(func.coalesce(func.sum(pickup.c.spends), 0))
    under = under.where(pickup.c.right == row.right, pickup.c.voided.is_(False))
    under = under.where(pickup.c.epoch_incarnation == epoch[0], pickup.c.epoch_n == epoch[1])
    before = connection.execute(under.where(pickup.c.ref != found.ref)).scalar_one()
    return bool(before + int(record.detail["spends"]) <= granted.quantity_left)


def _named_writeoff(connection: Connection, found: HandOut) -> str | None:
    """The write-off that a case of this right names already."""
    query = select(case.c.detail).where(case.c.code == WRITTEN_OFF)
    query = query.where(case.c.right.in_({found.row.right, found.counted.right})).order_by(case.c.opened_at)
    detail = connection.execute(query.limit(1)).scalar()
    return None if detail is None else str(json.loads(detail)["writeoff"])
