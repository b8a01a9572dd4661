"""Applies an import document that has been checked: tables, feed, then rights and their placement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, select, update

from kiosk.errors import OfficerFault
from kiosk.officer_pin import hash_pin
from kiosk.program import Program
from kiosk.values import Mode
from sync.central import (
    families,
    holder_merge,
    import_rows,
    kiosk_rows,
    mode_change,
    officer_badges,
    placement,
    programs,
)
from sync.central.entitlement_past import note_replaced
from sync.central.feed import FeedChanges
from sync.central.import_checks import Known, Unresolved, accept
from sync.central.import_format import (
    Card,
    Entitlement,
    Guardian,
    Holder,
    ImportDocument,
    Kiosk,
    Officer,
)
from sync.central.models import (
    agency,
    card,
    entitlement,
    family,
    guardian,
    holder,
    kiosk,
    officer,
    point,
)
from sync.central.state import Central
from sync.wire import CITY, officer_bucket

ROWS_PER_WRITE: Final = 300
"""Entries in one transaction: each may touch more than one row of the feed, of which 1000 make a rev."""
ItemT = TypeVar("ItemT")


def import_raw(central: Central, raw: str | bytes) -> dict[str, int]:
    """Checks and applies a document; answers how many entries of each list were taken.

    Raises OfficerFault ``import_refused`` with every mistake, ``wrong_mode`` for one of the other mode.
    """
    return apply(central, accept(raw, partial(_lookup, central)))


def apply(central: Central, document: ImportDocument) -> dict[str, int]:
    """Applies a document that ``accept`` has let through. Raises OfficerFault ``wrong_mode``."""
    if document.mode != str(central.mode):
        raise OfficerFault("wrong_mode", f"a {document.mode} document for a {central.mode} central")
    write = central.database.write
    write(partial(_places, document))
    _in_batches(central, document.kiosks, _kiosks)
    deferred: list[str] = []
    _in_batches(central, document.programs, partial(_programs, now=central.now(), deferred=deferred))
    card_nos = {one.id: one.card_no for one in document.holders}
    newest: dict[int, int] = {}
    for one in document.cards:
        newest[one.holder_id] = max(one.issue_no, newest.get(one.holder_id, 0))
    moved: set[str] = set()
    for some in _batches(document.holders):
        moved |= write(partial(_holders, central.keys.nik, newest, some))
    _in_batches(central, document.guardians, _guardians)
    for cards in _batches(document.cards):
        write(partial(_cards, central.keys.nik, card_nos, cards))
    _in_batches(central, document.entitlements, partial(_entitlements, now=central.now()))
    peppered = [(one, _pin_hash(central, one)) for one in document.officers]
    _in_batches(central, peppered, _officers)
    subjects = {one.subject for one in document.entitlements} | moved
    placement.ensure_all(central, _standing(central, subjects), central.now())
    placement.place(central)
    taken = {name: len(getattr(document, name)) for name in _LISTS if getattr(document, name)}
    # Programs that change their mode come into force when the period that runs is over.
    return taken | ({"deferred_programs": len(set(deferred))} if deferred else {})


def _standing(central: Central, subjects: set[str]) -> set[str]:
    """The subjects with those that became part of another read as that one."""
    ids = {int(subject[1:]) for subject in subjects if subject[0] == "h"}
    with central.database.read() as connection:
        merged = holder_merge.merged_ids(connection, ids)
    return {
        f"h{merged[int(one[1:])]}" if one[0] == "h" and int(one[1:]) in merged else one for one in subjects
    }


_LISTS: Final = (
    "agencies",
    "points",
    "kiosks",
    "families",
    "holders",
    "guardians",
    "programs",
    "entitlements",
    "officers",
    "cards",
)


def _lookup(central: Central, wanted: Unresolved) -> Known:
    with central.database.read() as connection:
        running = programs.all_of(connection)
        keepers = select(kiosk.c.point_id, kiosk.c.id).where(kiosk.c.keeper.is_(True))
        return Known(
            agencies=_known_ids(connection, agency, wanted.agencies),
            points=_known_ids(connection, point, wanted.points),
            families=_known_ids(connection, family, wanted.families),
            holders=_known_ids(connection, holder, wanted.holders),
            programs={
                key: one
                for key, one in running.items()
                if key in wanted.programs or one.right_group in wanted.right_groups
            },
            keepers={
                row.point_id: row.id
                for row in connection.execute(keepers)
                if row.point_id in wanted.kiosk_points
            },
        )


def _known_ids(connection: Connection, table: Any, ids: frozenset[int]) -> frozenset[int]:
    found: set[int] = set()
    for some in _batches(sorted(ids)):
        found.update(connection.execute(select(table.c.id).where(table.c.id.in_(some))).scalars())
    return frozenset(found)


def _places(document: ImportDocument, connection: Connection) -> None:
    changes = FeedChanges()
    agencies: list[dict[str, Any]] = [
        {"id": one.id, "name": one.name, "short": one.short} for one in document.agencies
    ]
    points: list[dict[str, Any]] = [
        {"id": one.id, "name": one.name, "district": one.district, "kind": one.kind}
        for one in document.points
    ]
    import_rows.upsert(connection, agency, agencies)
    import_rows.upsert(connection, point, points)
    import_rows.upsert(connection, family, [{"id": one.id, "kk": one.kk} for one in document.families])
    for row in agencies:
        changes.put(CITY, "agency", tuple(row.values()))
    for row in points:
        changes.put(CITY, "point", tuple(row.values()))
    changes.write(connection)


def _kiosks(connection: Connection, items: Sequence[Kiosk]) -> None:
    changes = FeedChanges()
    for one in items:
        settled = update(kiosk).where(kiosk.c.id == one.id)
        settled = settled.values(point_id=one.point_id, counter=one.counter, keeper=one.keeper)
        if not connection.execute(settled).rowcount:
            kiosk_rows.insert_kiosk(connection, one.id, one.point_id, one.counter, one.keeper)
        kiosk_rows.tell(connection, changes, one.id)
    changes.write(connection)


def _programs(connection: Connection, items: Sequence[Program], *, now: int, deferred: list[str]) -> None:
    changes = FeedChanges()
    known = programs.all_of(connection)
    for one in items:
        if one.id in known and known[one.id].version > one.version:
            continue
        if mode_change.defer(connection, one, known.get(one.id), now):
            deferred.append(one.id)
            continue
        mode_change.put(connection, changes, one)
    changes.write(connection)


def _holders(
    nik_key: bytes, issues: dict[int, int], items: Sequence[Holder], connection: Connection
) -> set[str]:
    changes = FeedChanges()
    known = import_rows.newest_issues(connection, (one.card_no for one in items))
    rows = [
        {
            "id": one.id,
            "card_no": one.card_no,
            "issue_no": max(known.get(one.card_no, 0), issues.get(one.id, 0)),
            "name": one.name,
            "birth": one.birth.isoformat(),
            "nik": one.nik,
            "family_id": one.family_id,
            "point_id": one.point_id,
            "status": one.status,
        }
        for one in items
    ]
    merged = holder_merge.merged_ids(connection, (one.id for one in items))
    for row in rows:
        if row["id"] in merged:
            row["status"] = "blocked"
    moved = import_rows.drop_moved(connection, changes, rows)
    spread = families.points_of(connection, rows)
    import_rows.upsert(connection, holder, rows)
    families.tell(connection, changes, spread)
    import_rows.tell_holders(connection, changes, nik_key, (one.id for one in items))
    if moved:
        children = (int(subject[1:]) for subject in moved if subject[0] == "h")
        import_rows.tell_guardians(connection, changes, children)
        import_rows.tell_entitlements(connection, changes, moved)
    changes.write(connection)
    return moved


def _guardians(connection: Connection, items: Sequence[Guardian]) -> None:
    changes = FeedChanges()
    rows = [
        {
            "id": one.id,
            "child_id": one.child_id,
            "guardian_id": one.guardian_id,
            "relation": one.relation,
            "valid_from": one.valid_from.isoformat(),
            "valid_until": _day(one.valid_until),
            "revoked_at": _day(one.revoked_at),
        }
        for one in items
    ]
    import_rows.upsert(connection, guardian, rows)
    import_rows.tell_guardians(connection, changes, (one.child_id for one in items))
    changes.write(connection)


def _cards(nik_key: bytes, card_nos: dict[int, str], items: Sequence[Card], connection: Connection) -> None:
    changes = FeedChanges()
    missing = sorted({one.holder_id for one in items} - card_nos.keys())
    query = select(holder.c.id, holder.c.card_no).where(holder.c.id.in_(missing))
    numbers = card_nos | {row.id: row.card_no for row in connection.execute(query)}
    rows = [
        {
            "card_no": numbers[one.holder_id],
            "issue_no": one.issue_no,
            "holder_id": one.holder_id,
            "chip": one.chip,
            "uid": one.uid or "",
            "issued": one.issued.isoformat(),
            "valid_until": one.valid_until.isoformat(),
            "status": one.status,
            "since": _day(one.since) or (None if one.status == "active" else one.issued.isoformat()),
        }
        for one in items
    ]
    merged = holder_merge.merged_ids(connection, (one.holder_id for one in items))
    for row in rows:
        if row["holder_id"] in merged and row["status"] == "active":
            row["status"], row["since"] = "replaced", row["issued"]
    import_rows.upsert(connection, card, rows)
    for row in rows:
        import_rows.tell_card(changes, row)
    newest = import_rows.newest_issues(connection, (str(row["card_no"]) for row in rows))
    for card_no, issue_no in newest.items():
        connection.execute(update(holder).where(holder.c.card_no == card_no).values(issue_no=issue_no))
    import_rows.tell_holders(connection, changes, nik_key, (one.holder_id for one in items))
    changes.write(connection)


def _entitlements(connection: Connection, items: Sequence[Entitlement], *, now: int) -> None:
    changes = FeedChanges()
    query = select(entitlement.c.id, entitlement.c.version)
    known = {
        row.id: row.version
        for row in connection.execute(query.where(entitlement.c.id.in_([one.id for one in items])))
    }
    rows = [
        {
            "id": one.id,
            "version": one.version,
            "subject": one.subject,
            "program_id": one.program_id,
            "quantity": one.quantity,
            "valid_from": one.valid_from.isoformat(),
            "valid_until": _day(one.valid_until),
            "status": one.status,
        }
        for one in items
        if known.get(one.id, 0) <= one.version
    ]
    rows = holder_merge.read_subjects(connection, rows)
    note_replaced(connection, rows, now)
    import_rows.upsert(connection, entitlement, rows)
    import_rows.tell_entitlements(connection, changes, (str(row["subject"]) for row in rows))
    changes.write(connection)


def _officers(connection: Connection, items: Sequence[tuple[Officer, str]]) -> None:
    changes = FeedChanges()
    for one, pin_hash in items:
        row = {
            "username": one.username,
            "name": one.name,
            "role": one.role,
            "point_id": one.point_id,
            "valid_until": one.valid_until.isoformat(),
        }
        put_officer(connection, changes, row, pin_hash)
    changes.write(connection)


def put_officer(connection: Connection, changes: FeedChanges, row: dict[str, Any], pin_hash: str) -> None:
    """Adds or changes an officer; an empty ``pin_hash`` keeps the PIN there is."""
    before = connection.execute(
        select(officer.c.point_id, officer.c.pin_hash).where(officer.c.username == row["username"])
    ).first()
    kept = pin_hash or (before.pin_hash if before else "")
    import_rows.upsert(connection, officer, [{**row, "pin_hash": kept}])
    if before and before.point_id != row["point_id"]:
        changes.drop(officer_bucket(before.point_id), "officer", (row["username"],))
        officer_badges.drop(connection, changes, row["username"], before.point_id)
    import_rows.tell_officer(connection, changes, row["username"])
    officer_badges.tell(connection, changes, row["username"])


def _pin_hash(central: Central, one: Officer) -> str:
    if one.pin is None:
        return one.pin_hash or ""
    if central.mode is not Mode.DEMONSTRATION:
        raise OfficerFault("not_in_production", "a document with PINs is for demonstrations")
    return hash_pin(one.pin, one.username, central.keys.pepper)


def _in_batches(
    central: Central, items: Sequence[ItemT], work: Callable[[Connection, Sequence[ItemT]], None]
) -> None:
    for some in _batches(items):
        central.database.write(partial(_run, work, some))


def _run(
    work: Callable[[Connection, Sequence[ItemT]], None], items: Sequence[ItemT], connection: Connection
) -> None:
    work(connection, items)


def _batches(items: Sequence[ItemT]) -> Iterator[Sequence[ItemT]]:
    for start in range(0, len(items), ROWS_PER_WRITE):
        yield items[start : start + ROWS_PER_WRITE]


def _day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()
