"""Makes rights out of entitlements, and places them at the kiosk that keeps each subject's usual point.

All rights of the current and of the next period are placed ahead, so that the first morning of a month works
without a network. Every step can be run again: it does what is still missing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any, Final

from sqlalchemy import Column, Connection, Select, func, select, update

from kiosk.period import right_key, start_of_day
from kiosk.program import Program
from sync.central import mode_change, programs, recovery, right_rows, rights
from sync.central.feed import FeedChanges
from sync.central.models import entitlement, holder, kiosk, program
from sync.central.models import rights as rights_table
from sync.central.recalls import CHANGED, MERGED, Recalls
from sync.central.right_rows import ACTIVE, Kiosks, Right
from sync.central.state import Central
from sync.wire import point_bucket

SUBJECTS_PER_WRITE: Final = 250
RIGHTS_PER_WRITE: Final = 500
_KEYS_PER_QUERY: Final = 400


@dataclass(slots=True)
class _Plan:
    """What a right should be by the entitlements in force."""

    point_id: int
    mode: str
    terms: list[list[str | int]] = field(default_factory=list)
    quantity: int = 0
    not_before: int = 2**62
    not_after: int = 0


def place(central: Central) -> int:
    """Makes the rights of periods that have come up, then grants free ones to their keepers.

    Answers how many grants were made.
    """
    now = central.now()
    mode_change.bring_due(central, now)
    for program_id, wanted in _unplaced(central, now).items():
        _make_for(central, program_id, now)
        central.database.write(partial(_mark_placed, program_id, wanted))
    return _grant_free(central, now)


def ensure(
    central: Central, connection: Connection, subjects: Iterable[str], now: int, kiosks: Kiosks
) -> None:
    """Brings the rights of subjects in line with their entitlements, for the current and the next period.

    A right held by a kiosk keeps its grant: more is granted at the next epoch, less is recalled.
    """
    wanted = sorted(set(subjects))
    if not wanted:
        return
    plans = _plans(connection, wanted, now)
    known = right_rows.load(connection, plans)
    open_now = select(rights_table).where(rights_table.c.subject.in_(wanted), rights_table.c.not_after > now)
    for found in connection.execute(open_now).mappings():
        known.setdefault(found["right"], right_rows.of_row(found))
    changes, recalls = FeedChanges(), Recalls(now)
    fresh, changed = [], []
    renewed: dict[str, list[Right]] = defaultdict(list)
    for key in sorted({*plans, *known}):
        plan, row = plans.get(key), known.get(key)
        if row is None and plan is not None:
            fresh.append(_new_right(key, plan))
        elif row is not None:
            left, not_after, point_id = row.left, row.not_after, row.point_id
            if _reopens(row, plan, now) or not _apply(row, plan):
                continue
            if row.point_id != point_id:
                changes.drop(point_bucket(point_id), "right", (row.right,))
            if row.held_by and not row.in_doubt and kiosks.by_id[row.held_by].may_hold:
                shrunk = row.left < left or row.not_after < not_after or row.point_id != point_id
                if row.left and not shrunk and not row.waits:
                    renewed[row.held_by].append(row)
                    continue
                # One that is spent is nobody's to give back.
                if shrunk and (row.left or left):
                    recalls.ask(row, MERGED if row.merged_into else CHANGED)
            right_rows.tell(changes, row, kiosks)
            changed.append(row)
    right_rows.add(connection, fresh)
    right_rows.save(connection, changed)
    for holder_id, rows in renewed.items():
        rights.hand_over(connection, central.incarnation, kiosks.by_id[holder_id], rows, now, changes, kiosks)
    recalls.write(connection)
    changes.write(connection)


def _unplaced(central: Central, now: int) -> dict[str, str]:
    """Programs whose periods changed since rights were made, with the mark to leave when that is done."""
    with central.database.read() as connection:
        found = programs.all_of(connection)
        rows = connection.execute(select(program.c.id, program.c.placed))
        placed: dict[str, str] = {row.id: row.placed for row in rows}
    marks = {
        key: json.dumps([one.version, *(span.key for span in programs.periods(one, now))])
        for key, one in found.items()
    }
    return {key: mark for key, mark in marks.items() if placed[key] != mark}


def _mark_placed(program_id: str, mark: str, connection: Connection) -> None:
    connection.execute(update(program).where(program.c.id == program_id).values(placed=mark))


def _make_for(central: Central, program_id: str, now: int) -> None:
    last = ""
    while True:
        with central.database.read() as connection:
            query = (
                select(entitlement.c.subject)
                .where(entitlement.c.program_id == program_id, entitlement.c.subject > last)
                .distinct()
                .order_by(entitlement.c.subject)
                .limit(SUBJECTS_PER_WRITE)
            )
            subjects = list(connection.execute(query).scalars())
        if not subjects:
            return
        ensure_all(central, subjects, now)
        last = subjects[-1]


def ensure_all(central: Central, subjects: Iterable[str], now: int) -> None:
    """``ensure`` in transactions of SUBJECTS_PER_WRITE subjects."""
    wanted = sorted(set(subjects))
    for start in range(0, len(wanted), SUBJECTS_PER_WRITE):
        some = wanted[start : start + SUBJECTS_PER_WRITE]
        central.database.write(partial(_ensure_some, central, some, now))


def _ensure_some(central: Central, subjects: list[str], now: int, connection: Connection) -> None:
    ensure(central, connection, subjects, now, Kiosks(connection))


def _grant_free(central: Central, now: int) -> int:
    total = 0
    free_there = _free_at(kiosk.c.point_id, now, 1).order_by(None).limit(None).correlate(kiosk)
    before = kiosk.alias("before")
    is_second = select(before.c.id).where(before.c.keeper, before.c.point_id == kiosk.c.point_id)
    is_second = is_second.where(before.c.id < kiosk.c.id).correlate(kiosk)
    query = select(kiosk.c.id).where(kiosk.c.keeper, kiosk.c.state == ACTIVE, kiosk.c.gen > 0)
    query = query.where(~is_second.exists())
    with central.database.read() as connection:
        keepers = list(connection.execute(query.where(free_there.exists()).order_by(kiosk.c.id)).scalars())
    for keeper_id in keepers:
        made = RIGHTS_PER_WRITE
        while made == RIGHTS_PER_WRITE:
            # Beside a push of the same kiosk one of the two would be undone.
            made = central.database.write(partial(_grant_some, central, keeper_id, now), in_turn=True)
            total += made
    return total


def _grant_some(central: Central, keeper_id: str, now: int, connection: Connection) -> int:
    kiosks = Kiosks(connection)
    keeper = kiosks.by_id[keeper_id]
    if not keeper.may_hold or kiosks.keeper_of(keeper.point_id) != keeper:
        return 0
    free = _free_at(keeper.point_id, now, RIGHTS_PER_WRITE)
    if recovery.is_pending(connection):
        free = free.where(rights_table.c.mode == recovery.TOLERATE)
    rows = [right_rows.of_row(row) for row in connection.execute(free).mappings()]
    changes = FeedChanges()
    rights.hand_over(connection, central.incarnation, keeper, rows, now, changes, kiosks)
    changes.write(connection)
    return len(rows)


def _free_at(point_id: int | Column[int], now: int, limit: int) -> Select[Any]:
    """Rights of a point that lie with central, have something left, and wait for nobody."""
    return (
        select(rights_table)
        .where(rights_table.c.held_by == "", rights_table.c.point_id == point_id)
        .where(rights_table.c.not_after > now, rights_table.c.wanted_until <= now)
        .where(rights_table.c.spent < rights_table.c.quantity, rights_table.c.waits.is_(False))
        .order_by(rights_table.c.not_after, rights_table.c.right)
        .limit(limit)
    )


def _plans(connection: Connection, subjects: list[str], now: int) -> dict[str, _Plan]:
    found = programs.all_of(connection)
    homes = home_points(connection, subjects)
    plans: dict[str, _Plan] = {}
    for start in range(0, len(subjects), _KEYS_PER_QUERY):
        query = (
            select(entitlement)
            .where(entitlement.c.subject.in_(subjects[start : start + _KEYS_PER_QUERY]))
            .where(entitlement.c.status == "active")
            .order_by(entitlement.c.id)
        )
        for row in connection.execute(query):
            one = found.get(row.program_id)
            if one is None or row.subject not in homes:
                continue
            valid = _validity(row.valid_from, row.valid_until, one)
            for period in programs.periods(one, now):
                begins, ends = programs.span_of(one, period)
                begins, ends = max(begins, valid[0]), min(ends, valid[1])
                if begins >= ends:
                    continue
                key = right_key(row.subject, one.right_group, period.key)
                plan = plans.setdefault(key, _Plan(homes[row.subject], one.mode))
                _add_term(plan, [one.id, one.version, row.id, row.version, row.quantity])
                plan.quantity = max(plan.quantity, row.quantity)
                plan.not_before = min(plan.not_before, begins)
                plan.not_after = max(plan.not_after, ends)
    return plans


def home_points(connection: Connection, subjects: Iterable[str]) -> dict[str, int]:
    """The usual service point of each subject: the holder's, or that of the family's lowest holder id."""
    wanted = sorted(set(subjects))
    holders = [int(subject[1:]) for subject in wanted if subject[0] == "h"]
    families = [int(subject[1:]) for subject in wanted if subject[0] == "f"]
    homes: dict[str, int] = {}
    for start in range(0, len(holders), _KEYS_PER_QUERY):
        some = holders[start : start + _KEYS_PER_QUERY]
        query = select(holder.c.id, holder.c.point_id).where(holder.c.id.in_(some))
        homes |= {f"h{row.id}": row.point_id for row in connection.execute(query)}
    for start in range(0, len(families), _KEYS_PER_QUERY):
        some = families[start : start + _KEYS_PER_QUERY]
        heads = select(func.min(holder.c.id)).where(holder.c.family_id.in_(some)).group_by(holder.c.family_id)
        query = select(holder.c.family_id, holder.c.point_id).where(holder.c.id.in_(heads.scalar_subquery()))
        homes |= {f"f{row.family_id}": row.point_id for row in connection.execute(query)}
    return homes


def _add_term(plan: _Plan, term: list[str | int]) -> None:
    """Adds a term; of two of one program, as a merge of two holders may leave, the larger one stands."""
    for at, other in enumerate(plan.terms):
        if other[0] == term[0]:
            if int(term[4]) > int(other[4]):
                plan.terms[at] = term
            return
    plan.terms.append(term)


def _validity(valid_from: str, valid_until: str | None, one: Program) -> tuple[int, int]:
    begins = int(start_of_day(date.fromisoformat(valid_from), one.zone).timestamp())
    if valid_until is None:
        return begins, 2**62
    return begins, int(start_of_day(date.fromisoformat(valid_until), one.zone).timestamp())


def _new_right(key: str, plan: _Plan) -> Right:
    return Right(
        right=key,
        subject=key.split("/", maxsplit=1)[0],
        point_id=plan.point_id,
        quantity=plan.quantity,
        terms=_text(plan),
        not_before=plan.not_before,
        not_after=plan.not_after,
        mode=plan.mode,
    )


def _reopens(row: Right, plan: _Plan | None, now: int) -> bool:
    """True if another version of a program would reopen a right that is over: a period never reopens.

    An entitlement that lapsed and is given again while its period runs is no such thing.
    """
    if plan is None or not 0 < row.not_after <= now:
        return False
    return {(term[0], term[1]) for term in json.loads(row.terms)} != {(one[0], one[1]) for one in plan.terms}


def _apply(row: Right, plan: _Plan | None) -> bool:
    """Brings a right in line; False if it was already."""
    before = (row.point_id, row.quantity, row.terms, row.not_before, row.not_after, row.mode)
    if plan is None:
        row.quantity, row.terms = 0, "[]"
    else:
        row.point_id, row.quantity, row.terms = plan.point_id, plan.quantity, _text(plan)
        row.not_before, row.not_after, row.mode = plan.not_before, plan.not_after, plan.mode
    return before != (row.point_id, row.quantity, row.terms, row.not_before, row.not_after, row.mode)


def _text(plan: _Plan) -> str:
    return json.dumps(plan.terms, separators=(",", ":"))
