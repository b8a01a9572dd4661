"""Families whose members live apart: told where a member lives and the head does not.

What a family may get is told at its head's point. A kiosk that follows a member's point alone learns from
these rows that there is more to ask central for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, func, select

from sync.central.feed import FeedChanges
from sync.central.models import holder
from sync.wire import point_bucket

_KEYS_PER_QUERY: Final = 400


def points_of(connection: Connection, holders: Iterable[Mapping[str, Any]]) -> dict[int, set[int]]:
    """Where members of some holders' families live now, by family; also of the families they leave.

    To be asked before ``holders`` (rows about to be written) are.
    """
    coming = {row["id"]: row for row in holders}
    families = {int(row["family_id"]) for row in coming.values()}
    ids = sorted(coming)
    for start in range(0, len(ids), _KEYS_PER_QUERY):
        query = select(holder.c.family_id).where(holder.c.id.in_(ids[start : start + _KEYS_PER_QUERY]))
        families.update(connection.execute(query).scalars())
    return {
        family: {point for _, point in members} for family, members in _members(connection, families).items()
    }


def tell(connection: Connection, changes: FeedChanges, before: Mapping[int, set[int]]) -> None:
    """Puts each family where a member lives away from its head, and takes it out where none does any more."""
    for family, members in _members(connection, before).items():
        head_id, head_point = min(members, default=(0, 0))
        away = {point for _, point in members} - {head_point}
        for point in sorted(before[family] | away):
            if point in away:
                changes.put(point_bucket(point), "family", (family, point, head_id, head_point))
            else:
                changes.drop(point_bucket(point), "family", (family, point))


def tell_all(connection: Connection, changes: FeedChanges) -> None:
    """Tells of every such family there is: once, for data of before there were these rows."""
    spread = (
        select(holder.c.family_id)
        .where(holder.c.family_id != 0)
        .group_by(holder.c.family_id)
        .having(func.count(holder.c.point_id.distinct()) > 1)
    )
    tell(connection, changes, {family: set() for family in connection.execute(spread).scalars()})


def _members(connection: Connection, families: Iterable[int]) -> dict[int, list[tuple[int, int]]]:
    """Id and point of each family's members."""
    wanted = sorted(family for family in families if family)
    found: dict[int, list[tuple[int, int]]] = {family: [] for family in wanted}
    for start in range(0, len(wanted), _KEYS_PER_QUERY):
        query = select(holder.c.family_id, holder.c.id, holder.c.point_id).where(
            holder.c.family_id.in_(wanted[start : start + _KEYS_PER_QUERY])
        )
        for row in connection.execute(query):
            found[row.family_id].append((row.id, row.point_id))
    return found
