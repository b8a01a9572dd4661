"""What people ask central: how it stands, one right's story, the journal."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Table, func, select

from kiosk import cose, journal_format
from kiosk.errors import OfficerFault
from sync.central import feed, kiosk_rows, migration
from sync.central.flags import EXPOSURE
from sync.central.models import (
    bucket,
    case,
    entitlement,
    grant_log,
    holder,
    journal,
    kiosk,
    pickup,
    program,
    program_next,
    rights,
)
from sync.central.state import Central


def status(central: Central) -> dict[str, Any]:
    """Mode, counts and cases."""
    with central.database.read() as connection:
        held = select(func.count()).select_from(rights)
        quarantined = select(func.count()).select_from(journal).where(journal.c.quarantine != "")
        codes = select(case.c.code, func.count().label("number")).group_by(case.c.code)
        exposures = select(func.count()).select_from(case).where(case.c.code == EXPOSURE)
        states = select(kiosk.c.state, func.count().label("number")).group_by(kiosk.c.state)
        return {
            "mode": str(central.mode),
            "incarnation": central.incarnation,
            "database": "sqlite" if central.database.is_sqlite else "postgresql",
            "tables": migration.version(central.database.url),
            "holders": _count(connection, holder),
            "programs": _count(connection, program),
            "entitlements": _count(connection, entitlement),
            "kiosks": {row.state: row.number for row in connection.execute(states)},
            "rights": {
                "all": _count(connection, rights),
                "held": connection.execute(held.where(rights.c.held_by != "")).scalar_one(),
                "in_doubt": connection.execute(
                    held.where(rights.c.in_doubt.is_(True), rights.c.not_after > central.now())
                ).scalar_one(),
                "recalled": connection.execute(held.where(rights.c.recall.is_(True))).scalar_one(),
            },
            # Versions that change a mode, and come into force when the period that runs is over.
            "programs_waiting": _count(connection, program_next),
            "pickups": _count(connection, pickup),
            "records": _count(connection, journal),
            "quarantined": connection.execute(quarantined).scalar_one(),
            "cases": {
                row.code: row.number for row in connection.execute(codes.where(case.c.code != EXPOSURE))
            },
            "exposures": connection.execute(exposures).scalar_one(),
            "feed_rows": feed.row_count(connection),
            "buckets": {row.name: row.rev for row in connection.execute(select(bucket.c.name, bucket.c.rev))},
        }


def right(central: Central, key: str) -> dict[str, Any]:
    """One right with its grants, pickups and cases. Raises OfficerFault ``unknown_right``."""
    with central.database.read() as connection:
        row = connection.execute(select(rights).where(rights.c.right == key)).mappings().first()
        if row is None:
            raise OfficerFault("unknown_right", f"no right {key}")
        told = dict(row) | {"terms": json.loads(row["terms"])}
        told["granted"] = json.loads(row["granted"]) if row["granted"] else None
        order = (grant_log.c.epoch_incarnation, grant_log.c.epoch_n)
        told["grants"] = _rows(connection, grant_log, grant_log.c.right == key, *order)
        told["pickups"] = _rows(connection, pickup, pickup.c.right == key, pickup.c.wall, pickup.c.ref)
        told["cases"] = _rows(connection, case, case.c.right == key, case.c.opened_at, case.c.id)
        return told


def records(
    central: Central, kiosk_id: str = "", gen: int | None = None, after: int = 0, limit: int = 100
) -> list[dict[str, Any]]:
    """Journal records in order, with their fields; of a quarantined one, why.

    Raises OfficerFault ``unknown_kiosk``.
    """
    query = select(journal).where(journal.c.seq > after)
    if kiosk_id:
        query = query.where(journal.c.kiosk == kiosk_id)
    if gen is not None:
        query = query.where(journal.c.gen == gen)
    query = query.order_by(journal.c.kiosk, journal.c.gen, journal.c.seq).limit(limit)
    with central.database.read() as connection:
        if kiosk_id:
            kiosk_rows.state_of(connection, kiosk_id)
        return [_told(row) for row in connection.execute(query).mappings()]


def _told(row: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "kiosk": row["kiosk"],
        "gen": row["gen"],
        "seq": row["seq"],
        "hash": bytes(row["hash"]).hex(),
        "quarantine": row["quarantine"],
        "received_at": row["received_at"],
    }
    try:
        record = journal_format.decode(bytes(row["record"]))
    except cose.SignedDataFault:
        return told
    return told | {
        "type": record.type,
        "right": record.right,
        "ref": record.ref,
        "quantity": record.quantity,
        "epoch": list(record.epoch or ()),
        "mode": record.mode,
        "program_version": record.program_version,
        "officer": record.officer,
        "card": record.card,
        "assurance": record.assurance,
        "wall": record.wall,
    }


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _rows(connection: Connection, table: Table, where: Any, *order: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(table).where(where).order_by(*order)).mappings()]
