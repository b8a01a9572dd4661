"""Writes batches of an import document to central's tables and to the feed."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Table, bindparam, func, insert, select, tuple_, update

from sync.central import adoptions, placement
from sync.central.feed import FeedChanges
from sync.central.models import card, entitlement, guardian, holder, officer
from sync.wire import CITY, FEED_COLUMNS, officer_bucket, point_bucket

_KEYS_PER_QUERY: Final = 400


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows, or changes the named columns of those that stand already."""
    keys = [column.name for column in table.primary_key]
    known: set[tuple[Any, ...]] = set()
    columns = [table.c[name] for name in keys]
    wanted = [tuple(row[name] for name in keys) for row in rows]
    for start in range(0, len(wanted), _KEYS_PER_QUERY):
        place = tuple_(*columns).in_(wanted[start : start + _KEYS_PER_QUERY])
        known |= {tuple(found) for found in connection.execute(select(*columns).where(place))}
    fresh = [dict(row) for row, key in zip(rows, wanted, strict=True) if key not in known]
    changed = [row for row, key in zip(rows, wanted, strict=True) if key in known]
    if fresh:
        connection.execute(insert(table), fresh)
    if changed:
        statement = update(table)
        for name in keys:
            statement = statement.where(table.c[name] == bindparam(f"key_{name}"))
        statement = statement.values(
            {name: bindparam(f"new_{name}") for name in changed[0] if name not in keys}
        )
        connection.execute(
            statement,
            [
                {f"{'key' if name in keys else 'new'}_{name}": value for name, value in row.items()}
                for row in changed
            ],
        )


def nik_hash(key: bytes, nik: str) -> str:
    """HMAC-SHA-256 of a NIK, in hex: caches can compare it and cannot turn it back."""
    return hmac.digest(key, nik.encode("ascii"), "sha256").hex()


def tell_holders(connection: Connection, changes: FeedChanges, nik_key: bytes, ids: Iterable[int]) -> None:
    """Puts holders in their points' buckets as they stand now."""
    points: dict[int, int] = {}
    for row in _by(connection, holder, "id", ids):
        points[row["id"]] = row["point_id"]
        changes.put(
            point_bucket(row["point_id"]),
            "holder",
            (
                row["id"],
                row["card_no"],
                row["issue_no"],
                row["name"],
                row["birth"],
                row["nik"][-4:],
                nik_hash(nik_key, row["nik"]),
                row["family_id"],
                row["point_id"],
                row["status"],
            ),
        )
    adoptions.tell_of_holders(connection, changes, points)


def tell_guardians(connection: Connection, changes: FeedChanges, children: Iterable[int]) -> None:
    """Puts the guardianships of children in the buckets of the children's points."""
    wanted = sorted(set(children))
    points = {row["id"]: row["point_id"] for row in _by(connection, holder, "id", wanted)}
    for row in _by(connection, guardian, "child_id", wanted):
        values = tuple(row[name] for name in FEED_COLUMNS["guardian"])
        changes.put(point_bucket(points[row["child_id"]]), "guardian", values)


def tell_entitlements(connection: Connection, changes: FeedChanges, subjects: Iterable[str]) -> None:
    """Puts the entitlements of subjects in the buckets of their usual points."""
    wanted = sorted(set(subjects))
    homes = placement.home_points(connection, wanted)
    for row in _by(connection, entitlement, "subject", wanted):
        values = tuple(row[name] for name in FEED_COLUMNS["entitlement"])
        changes.put(point_bucket(homes[row["subject"]]), "entitlement", values)


def tell_officer(connection: Connection, changes: FeedChanges, username: str) -> None:
    """Puts an officer who has a PIN in the bucket of the point's officers."""
    row = connection.execute(select(officer).where(officer.c.username == username)).mappings().one()
    if row["pin_hash"]:
        values = tuple(row[name] for name in FEED_COLUMNS["officer"])
        changes.put(officer_bucket(row["point_id"]), "officer", values)


def tell_card(changes: FeedChanges, row: Mapping[str, Any]) -> None:
    """Puts a card that is not good any more on the deny list, and takes one that is off it."""
    if row["status"] == "active":
        changes.drop(CITY, "denied_card", (row["card_no"], row["issue_no"]))
    else:
        values = (row["card_no"], row["issue_no"], row["status"], row["since"])
        changes.put(CITY, "denied_card", values)


def drop_moved(connection: Connection, changes: FeedChanges, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Takes holders who move, and what goes with them, out of their old buckets.

    Called before ``rows`` are written; answers the subjects whose usual point may change.
    """
    coming = {row["id"]: row for row in rows}
    moved = [
        row
        for row in _by(connection, holder, "id", coming)
        if row["point_id"] != coming[row["id"]]["point_id"]
    ]
    adoptions.drop_of_holders(connection, changes, {row["id"]: row["point_id"] for row in moved})
    subjects = {f"h{row['id']}" for row in moved} | {f"f{row['family_id']}" for row in moved}
    homes = placement.home_points(connection, subjects)
    for row in moved:
        changes.drop(point_bucket(row["point_id"]), "holder", (row["id"],))
    points = {row["id"]: row["point_id"] for row in moved}
    for row in _by(connection, guardian, "child_id", points):
        changes.drop(point_bucket(points[row["child_id"]]), "guardian", (row["id"],))
    for row in _by(connection, entitlement, "subject", subjects):
        changes.drop(point_bucket(homes[row["subject"]]), "entitlement", (row["id"],))
    return subjects


def newest_issues(connection: Connection, card_nos: Iterable[str]) -> dict[str, int]:
    """The highest issue number of each card number that has cards."""
    wanted = sorted(set(card_nos))
    found: dict[str, int] = {}
    for start in range(0, len(wanted), _KEYS_PER_QUERY):
        query = (
            select(card.c.card_no, func.max(card.c.issue_no).label("newest"))
            .where(card.c.card_no.in_(wanted[start : start + _KEYS_PER_QUERY]))
            .group_by(card.c.card_no)
        )
        found |= {row.card_no: row.newest for row in connection.execute(query)}
    return found


def compact(value: Any) -> str:
    """JSON without spaces, as documents are kept."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _by(connection: Connection, table: Table, column: str, values: Iterable[Any]) -> list[Mapping[str, Any]]:
    wanted = sorted(set(values))
    found: list[Mapping[str, Any]] = []
    for start in range(0, len(wanted), _KEYS_PER_QUERY):
        query = select(table).where(table.c[column].in_(wanted[start : start + _KEYS_PER_QUERY]))
        found.extend(dict(row) for row in connection.execute(query).mappings())
    return found
