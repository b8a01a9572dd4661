"""Two records of one person made one: their rights become one right, of which the larger spend counts.

The right that goes keeps its row: a kiosk may hold it, and what was handed out under its name is a fact. From
the merge on its pickups count in the right that stays. Until it is back from its kiosk, the one that stays is
not granted anew, or both could be spent.

What was spent before a merge counts once, as the larger of the two; so a pickup that is taken back later
gives back only what it makes the larger one smaller. ``right_merge`` keeps both sides for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import Connection, func, insert, select, update

from sync.central import right_rows
from sync.central.models import right_merge
from sync.central.models import rights as rights_table
from sync.central.right_rows import Right


def take_back(
    connection: Connection, row: Right, era: int, spends: int, right_of: Callable[[str], Right]
) -> Right:
    """Takes a voided pickup's spend off the right it counted in, and off those that one became part of.

    ``era``: how many merges that right had when the pickup came. ``right_of`` loads and remembers rights.
    Answers the right that stands for it now; the caller saves what ``right_of`` gave out.
    """
    less = spends
    while True:
        if row.merges > era:
            less = _through(connection, row.right, era, less)
        row.spent -= less
        if row.merged_into is None:
            return row
        merge = connection.execute(select(right_merge).where(right_merge.c.gone == row.right)).one()
        keep_spent, gone_spent = merge.keep_spent, merge.gone_spent - less
        _settle(connection, merge.keep, merge.n, keep_spent, gone_spent)
        less = max(merge.keep_spent, merge.gone_spent) - max(keep_spent, gone_spent)
        row, era = right_of(merge.keep), merge.n + 1


def root_of(row: Right, right_of: Callable[[str], Right]) -> Right:
    """The right that stands for this one now: itself, unless it became part of another."""
    while row.merged_into is not None:
        row = right_of(row.merged_into)
    return row


def join(connection: Connection, keep: Right, gone: Right, move_id: str, now: int) -> None:
    """Makes ``gone`` a part of ``keep``; the caller saves both.

    What ``keep`` may have is settled by its entitlements, which the caller moves to its subject.
    """
    connection.execute(
        insert(right_merge).values(
            keep=keep.right,
            n=keep.merges,
            gone=gone.right,
            keep_spent=keep.spent,
            gone_spent=gone.spent,
            move_id=move_id,
            at=now,
        )
    )
    keep.spent = max(keep.spent, gone.spent)
    keep.merges += 1
    keep.waits = keep.waits or bool(gone.held_by) or gone.waits
    gone.merged_into = keep.right
    if gone.last_at is not None and (keep.last_at is None or keep.last_at < gone.last_at):
        keep.last_at, keep.last_point_id, keep.last_ref = gone.last_at, gone.last_point_id, gone.last_ref


def end_waiting(connection: Connection, freed: Iterable[Right]) -> list[str]:
    """Lets rights be granted again whose merged ones are all back; answers their keys.

    ``freed`` are saved already. A right in a chain of merges waits for all behind it.
    """
    waiting = {row.merged_into for row in freed if row.merged_into is not None}
    ended: list[str] = []
    while waiting:
        key = waiting.pop()
        behind = select(func.count()).select_from(rights_table).where(rights_table.c.merged_into == key)
        behind = behind.where((rights_table.c.held_by != "") | rights_table.c.waits.is_(True))
        if connection.execute(behind).scalar_one():
            continue
        connection.execute(update(rights_table).where(rights_table.c.right == key).values(waits=False))
        ended.append(key)
        above = right_rows.load(connection, [key])[key].merged_into
        if above is not None:
            waiting.add(above)
    return ended


def parts_of(connection: Connection, keep: str) -> list[str]:
    """The rights that became part of one, and of those."""
    found: list[str] = []
    wanted = [keep]
    while wanted:
        query = select(right_merge.c.gone).where(right_merge.c.keep.in_(wanted)).order_by(right_merge.c.gone)
        wanted = list(connection.execute(query).scalars())
        found += wanted
    return found


def _through(connection: Connection, keep: str, era: int, less: int) -> int:
    """What is left of a spend taken back before merge ``era`` after that merge and the later ones."""
    query = select(right_merge).where(right_merge.c.keep == keep, right_merge.c.n >= era)
    for merge in connection.execute(query.order_by(right_merge.c.n)).all():
        before = max(merge.keep_spent, merge.gone_spent)
        after = max(merge.keep_spent - less, merge.gone_spent)
        _settle(connection, keep, merge.n, merge.keep_spent - less, merge.gone_spent)
        less = before - after
    return less


def _settle(connection: Connection, keep: str, n: int, keep_spent: int, gone_spent: int) -> None:
    connection.execute(
        update(right_merge)
        .where(right_merge.c.keep == keep, right_merge.c.n == n)
        .values(keep_spent=keep_spent, gone_spent=gone_spent)
    )
