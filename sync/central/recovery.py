"""After central went back to a backup: nothing strict is granted until every kiosk has said what it holds.

``restore`` names the kiosks to be heard in ``kiosk_report``: those that could hold rights by the backup or by
the log outside the database. Each sends its journal, then its list; a kiosk that is gone is written off by
two people. Until then a right that lies with central by the backup may have been granted since.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from sync.central import right_rows
from sync.central.bulk import insert_rows
from sync.central.feed import FeedChanges
from sync.central.models import case, grant_log, kiosk, kiosk_gen, kiosk_report, rights, writeoff
from sync.central.right_rows import ACTIVE, Kiosks, Right
from sync.central.state import Central
from sync.wire import HoldingsAnswer, HoldingsRequest

WAITING: Final = "waiting"
REPORTED: Final = "reported"
TOLERATE: Final = "tolerate"
ASKED: Final = "asked"
"""State of a write-off that one person signed only."""


def begin(connection: Connection, now: int) -> int:
    """Asks every kiosk that may hold rights for its report; answers how many those are."""
    connection.execute(delete(kiosk_report))
    found = connection.execute(
        select(kiosk.c.id, kiosk.c.gen).where(kiosk.c.state == ACTIVE, kiosk.c.gen > 0)
    )
    asked = [
        {"kiosk": row.id, "gen": row.gen, "state": WAITING, "asked_at": now, "reported_at": None, "held": 0}
        for row in found
    ]
    if asked:
        connection.execute(insert(kiosk_report), asked)
    return len(asked)


def missing(connection: Connection) -> list[tuple[str, int]]:
    """Kiosk and generation of those that have not reported and are not written off."""
    gone = select(writeoff.c.id).where(
        writeoff.c.kiosk == kiosk_report.c.kiosk,
        writeoff.c.gen == kiosk_report.c.gen,
        writeoff.c.right == "",
        writeoff.c.state != ASKED,
    )
    # One that was enrolled again has a new generation: what the old one held is in doubt, and never granted.
    current = select(kiosk.c.id).where(kiosk.c.id == kiosk_report.c.kiosk, kiosk.c.gen == kiosk_report.c.gen)
    query = (
        select(kiosk_report.c.kiosk, kiosk_report.c.gen)
        .where(kiosk_report.c.state == WAITING, ~gone.exists(), current.exists())
        .order_by(kiosk_report.c.kiosk)
    )
    return [(row.kiosk, row.gen) for row in connection.execute(query)]


def is_pending(connection: Connection) -> bool:
    """True while strict grants are withheld."""
    return bool(missing(connection))


_ASKED: Final = select(kiosk_report.c.kiosk).where(
    kiosk_report.c.state == WAITING,
    kiosk_report.c.kiosk == bindparam("of_kiosk"),
    kiosk_report.c.gen == bindparam("of_gen"),
)


def is_asked(connection: Connection, kiosk_id: str, gen: int) -> bool:
    """True if this kiosk's report is waited for."""
    return connection.execute(_ASKED, {"of_kiosk": kiosk_id, "of_gen": gen}).first() is not None


def is_withheld(row: Right) -> bool:
    """True if a right is not to be granted while a recovery is pending."""
    return row.mode != TOLERATE


def take(central: Central, kiosk_id: str, gen: int, request: HoldingsRequest) -> HoldingsAnswer:
    """Takes one page of what a kiosk holds; the last one makes its report whole."""
    return central.database.write(partial(_take, central, kiosk_id, gen, request))


def _take(
    central: Central, kiosk_id: str, gen: int, request: HoldingsRequest, connection: Connection
) -> HoldingsAnswer:
    if not is_asked(connection, kiosk_id, gen):
        return HoldingsAnswer(status="not_asked")
    place = (kiosk_gen.c.kiosk == kiosk_id) & (kiosk_gen.c.gen == gen)
    acked = connection.execute(select(kiosk_gen.c.acked_seq).where(place)).scalar_one()
    if acked < request.head_seq:
        # Its journal says what it has released and spent; without that its list means nothing.
        return HoldingsAnswer(status="journal_first")
    _reconcile(connection, kiosk_id, gen, request.held, central.now())
    counted = kiosk_report.c.held + len(request.held) if not request.first else len(request.held)
    values: dict[str, Any] = {"held": counted}
    if not request.more:
        values |= {"state": REPORTED, "reported_at": central.now()}
    place = (kiosk_report.c.kiosk == kiosk_id) & (kiosk_report.c.gen == gen)
    connection.execute(update(kiosk_report).where(place).values(**values))
    return HoldingsAnswer(status="taken")


def _reconcile(
    connection: Connection, kiosk_id: str, gen: int, held: Sequence[tuple[str, int, int]], now: int
) -> None:
    kiosks, changes = Kiosks(connection), FeedChanges()
    mine = kiosks.by_id[kiosk_id]
    known = right_rows.load(connection, [right for right, _, _ in held])
    fresh: list[Right] = []
    changed: list[Right] = []
    rev = mine.grant_rev
    for right, incarnation, n in held:
        row = known.get(right)
        if row is None:
            row = Right(right, right.split("/", maxsplit=1)[0], mine.point_id, 0, "[]", 0, 0, "strict")
            fresh.append(row)
        elif (row.held_by, row.gen, row.epoch) == (kiosk_id, gen, (incarnation, n)):
            continue
        elif (incarnation, n) < row.epoch or ((incarnation, n) == row.epoch and row.held_by):
            _open_case(connection, row, kiosk_id, (incarnation, n), now)
            continue
        else:
            changed.append(row)
        rev += 1
        hold(row, kiosk_id, gen, (incarnation, n), rev)
        right_rows.tell(changes, row, kiosks)
    right_rows.add(connection, fresh)
    right_rows.save(connection, changed)
    insert_rows(connection, grant_log, [log_row(row, now) for row in (*fresh, *changed)])
    connection.execute(update(kiosk).where(kiosk.c.id == kiosk_id).values(grant_rev=rev))
    changes.write(connection)


def hold(row: Right, kiosk_id: str, gen: int, epoch: tuple[int, int], rev: int) -> None:
    """Lets a right lie with a kiosk by its word, or the log's, at that epoch; the caller saves it."""
    row.held_by, row.gen = kiosk_id, gen
    row.epoch_incarnation, row.epoch_n = epoch
    row.granted_left, row.grant_rev = row.left, rev
    row.granted = json.dumps(
        {
            "terms": json.loads(row.terms),
            "not_before": row.not_before,
            "not_after": row.not_after,
            "mode": row.mode,
            "upto_seq": 0,
        },
        separators=(",", ":"),
    )
    row.recall, row.in_doubt, row.wanted_by, row.wanted_until = False, False, "", 0


def log_row(row: Right, now: int) -> dict[str, Any]:
    """What the log of grants in the database says of the grant outstanding."""
    return {
        "right": row.right,
        "epoch_incarnation": row.epoch_incarnation,
        "epoch_n": row.epoch_n,
        "kiosk": row.held_by,
        "gen": row.gen,
        "quantity_left": row.granted_left,
        "spent_before": max(0, row.quantity - row.granted_left),
        "issued_at": now,
    }


def _open_case(connection: Connection, row: Right, kiosk_id: str, epoch: tuple[int, int], now: int) -> None:
    case_id = f"held_twice:{row.right}#{kiosk_id}@{epoch[0]}.{epoch[1]}"
    if connection.execute(select(case.c.id).where(case.c.id == case_id)).first():
        return
    detail = {"reported_by": kiosk_id, "epoch": list(epoch), "held_by": row.held_by, "at": list(row.epoch)}
    connection.execute(
        insert(case).values(
            id=case_id,
            code="held_twice",
            right=row.right,
            refs="[]",
            detail=json.dumps(detail),
            kiosk=kiosk_id,
            opened_at=now,
        )
    )


def status(central: Central) -> dict[str, Any]:
    """How a recovery stands, and who is missing; the same shape when there is none."""
    with central.database.read() as connection:
        absent = missing(connection)
        seen = {
            row.id: row for row in connection.execute(select(kiosk.c.id, kiosk.c.point_id, kiosk.c.seen_at))
        }
        states = select(kiosk_report.c.state, func.count().label("number")).group_by(kiosk_report.c.state)
        counts = {row.state: row.number for row in connection.execute(states)}
        withheld = (
            select(func.count())
            .select_from(rights)
            .where(rights.c.held_by == "", rights.c.mode != TOLERATE)
            .where(rights.c.spent < rights.c.quantity, rights.c.not_after > central.now())
        )
        return {
            "incarnation": central.incarnation,
            "pending": bool(absent),
            "asked": sum(counts.values()),
            "reported": counts.get(REPORTED, 0),
            "missing": [
                {
                    "kiosk": name,
                    "gen": gen,
                    "point_id": seen[name].point_id,
                    "seen_at": seen[name].seen_at,
                }
                for name, gen in absent
            ],
            "rights_withheld": connection.execute(withheld).scalar_one() if absent else 0,
        }
