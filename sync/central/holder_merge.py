"""Two records of one person made one: ``kmc-central holder merge KEEP GONE``.

What the one who goes is entitled to becomes the other's, once for each program; their rights become one right
of which the larger spend counts; the card that goes is taken out of use. A list that is imported again and
still names the one who went is read as naming the one who stays.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from sqlalchemy import Connection, insert, select, update

from kiosk.errors import OfficerFault
from sync.central import adoptions, import_rows, merging, placement, right_rows
from sync.central.cards import today
from sync.central.entitlement_past import note_replaced
from sync.central.feed import FeedChanges
from sync.central.models import card, entitlement, guardian, holder, holder_merge
from sync.central.models import rights as rights_table
from sync.central.recalls import MERGED, Recalls
from sync.central.right_rows import Kiosks, Right
from sync.central.state import Central
from sync.wire import point_bucket


def merge(central: Central, keep: int, gone: int) -> dict[str, Any]:
    """Makes holder ``gone`` a part of holder ``keep``; answers the move's id and what was moved.

    Raises OfficerFault ``same_holder``, ``unknown_holder``, ``already_merged``.
    """
    if keep == gone:
        raise OfficerFault("same_holder", "a holder is merged with another one")
    return central.database.write(partial(_merge, central, keep, gone, central.now()))


def merged_ids(connection: Connection, ids: Iterable[int]) -> dict[int, int]:
    """Of these holders the ones that became part of another, with who stands for them now."""
    rows = connection.execute(select(holder_merge.c.gone, holder_merge.c.keep))
    known: dict[int, int] = {row.gone: row.keep for row in rows}
    found: dict[int, int] = {}
    for one in set(ids) & known.keys():
        stays = known[one]
        while stays in known:
            stays = known[stays]
        found[one] = stays
    return found


def read_subjects(connection: Connection, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entitlements of an import with merged holders read as the ones who stay.

    One that the one who stays has already under that program and in that time is ended, not given twice.
    """
    ids = [int(row["subject"][1:]) for row in rows if row["subject"][0] == "h"]
    merged = merged_ids(connection, ids)
    moved = [row for row in rows if row["subject"][0] == "h" and int(row["subject"][1:]) in merged]
    for row in moved:
        row["subject"] = f"h{merged[int(row['subject'][1:])]}"
    _end_doubled(connection, moved)
    return rows


def _merge(central: Central, keep: int, gone: int, now: int, connection: Connection) -> dict[str, Any]:
    people = {row.id: row for row in connection.execute(select(holder).where(holder.c.id.in_((keep, gone))))}
    for one in (keep, gone):
        if one not in people:
            raise OfficerFault("unknown_holder", f"no holder {one}")
        if connection.execute(select(holder_merge.c.gone).where(holder_merge.c.gone == one)).first():
            raise OfficerFault("already_merged", f"holder {one} became part of another one")
    move_id = secrets.token_hex(8)
    changes, recalls, kiosks = FeedChanges(), Recalls(now), Kiosks(connection)
    connection.execute(insert(holder_merge).values(gone=gone, keep=keep, move_id=move_id, at=now))
    cards = _retire_cards(connection, changes, gone, today(central).isoformat())
    connection.execute(update(holder).where(holder.c.id == gone).values(status="blocked"))
    import_rows.tell_holders(connection, changes, central.keys.nik, [gone])
    adoptions.hand_on(connection, changes, keep, gone)
    moved = _move_entitlements(connection, changes, keep, gone, people[gone].point_id, now)
    _move_guardians(connection, changes, keep, gone)
    joined = _join_rights(connection, changes, recalls, keep, gone, move_id, now, kiosks)
    recalls.write(connection)
    changes.write(connection)
    placement.ensure(central, connection, {f"h{keep}", f"h{gone}"}, now, Kiosks(connection))
    return {
        "keep": keep,
        "gone": gone,
        "move_id": move_id,
        "rights": joined,
        "entitlements": moved,
        "cards": cards,
    }


def _retire_cards(connection: Connection, changes: FeedChanges, gone: int, day: str) -> int:
    query = select(card).where(card.c.holder_id == gone, card.c.status == "active")
    rows = [dict(row) for row in connection.execute(query).mappings()]
    for row in rows:
        row["status"], row["since"] = "replaced", day
        import_rows.tell_card(changes, row)
    import_rows.upsert(connection, card, rows)
    return len(rows)


def _move_entitlements(
    connection: Connection, changes: FeedChanges, keep: int, gone: int, point_id: int, now: int
) -> int:
    query = select(entitlement).where(entitlement.c.subject == f"h{gone}").order_by(entitlement.c.id)
    rows = [dict(row) for row in connection.execute(query).mappings()]
    for row in rows:
        row["subject"] = f"h{keep}"
        changes.drop(point_bucket(point_id), "entitlement", (row["id"],))
    _end_doubled(connection, rows)
    note_replaced(connection, rows, now)
    import_rows.upsert(connection, entitlement, rows)
    import_rows.tell_entitlements(connection, changes, [f"h{keep}"])
    return len(rows)


def _end_doubled(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Ends, of entitlements about to become others', those that would be a second one beside theirs.

    The right takes the larger quantity of what is in force, so the larger one of two stands.
    """
    subjects = {row["subject"] for row in rows}
    own = {row["id"] for row in rows}
    query = select(entitlement).where(entitlement.c.subject.in_(subjects), entitlement.c.status == "active")
    theirs = [dict(row) for row in connection.execute(query).mappings() if row["id"] not in own]
    for row in rows:
        beside = [one for one in theirs if _doubles(row, one)]
        if row["status"] == "active" and beside and max(one["quantity"] for one in beside) >= row["quantity"]:
            row["status"] = "ended"


def _doubles(row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    same = (row["subject"], row["program_id"]) == (other["subject"], other["program_id"])
    begins, ends = row["valid_from"], row["valid_until"] or "9999"
    return same and begins < (other["valid_until"] or "9999") and other["valid_from"] < ends


def _move_guardians(connection: Connection, changes: FeedChanges, keep: int, gone: int) -> None:
    mine = (guardian.c.child_id == gone) | (guardian.c.guardian_id == gone)
    rows = [dict(row) for row in connection.execute(select(guardian).where(mine)).mappings()]
    points = {
        row.id: row.point_id
        for row in connection.execute(
            select(holder.c.id, holder.c.point_id).where(holder.c.id.in_({one["child_id"] for one in rows}))
        )
    }
    children: set[int] = set()
    for row in rows:
        changes.drop(point_bucket(points[row["child_id"]]), "guardian", (row["id"],))
        row["child_id"] = keep if row["child_id"] == gone else row["child_id"]
        row["guardian_id"] = keep if row["guardian_id"] == gone else row["guardian_id"]
        if row["child_id"] == row["guardian_id"]:
            row["revoked_at"] = row["revoked_at"] or row["valid_from"]
        children.add(row["child_id"])
    import_rows.upsert(connection, guardian, rows)
    import_rows.tell_guardians(connection, changes, children)


def _join_rights(
    connection: Connection,
    changes: FeedChanges,
    recalls: Recalls,
    keep: int,
    gone: int,
    move_id: str,
    now: int,
    kiosks: Kiosks,
) -> int:
    open_ones = select(rights_table).where(rights_table.c.subject == f"h{gone}")
    open_ones = open_ones.where(rights_table.c.merged_into.is_(None))
    going = [right_rows.of_row(row) for row in connection.execute(open_ones).mappings()]
    known = right_rows.load(connection, [_key_at(keep, row.right) for row in going])
    fresh: list[Right] = []
    for row in going:
        key = _key_at(keep, row.right)
        stays = known.get(key)
        if stays is None:
            stays = Right(key, f"h{keep}", row.point_id, 0, "[]", row.not_before, row.not_after, row.mode)
            fresh.append(stays)
            known[key] = stays
        spent = stays.spent
        merging.join(connection, stays, row, move_id, now)
        recalls.ask(row, MERGED)
        if stays.spent != spent or stays.waits:
            # Its holder believes in more than it may hand out now.
            recalls.ask(stays, MERGED)
        right_rows.tell(changes, row, kiosks)
        right_rows.tell(changes, stays, kiosks)
        changes.name_move(point_bucket(row.point_id), "right", (row.right,), move_id)
        changes.name_move(point_bucket(stays.point_id), "right", (key,), move_id)
    right_rows.add(connection, fresh)
    right_rows.save(connection, [*going, *(row for row in known.values() if row not in fresh)])
    return len(going)


def _key_at(keep: int, right: str) -> str:
    return f"h{keep}/{right.split('/', maxsplit=1)[1]}"
