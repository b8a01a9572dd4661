"""Whose card is this? Asked by a kiosk that does not follow the card's point, of a genuine card only.

The card is judged as a kiosk would judge it. Every question is kept, whatever came of it, and a kiosk that
asks more often than people queue is told to wait.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select

from kiosk.credential import VerifiedCard, check_standing, verify
from kiosk.errors import CardFault, CentralFault
from kiosk.keyset import KeySet, open_keyset
from kiosk.values import CardRead, Grade, Medium
from sync.central import settings
from sync.central.changes import columnar
from sync.central.import_rows import nik_hash
from sync.central.models import card, entitlement, guardian, holder, lookup, rights
from sync.central.right_rows import Kiosks, of_row, row_of
from sync.central.state import Central
from sync.wire import FEED_COLUMNS, LookupAnswer, LookupRequest, from_base64

MOST_IN_WINDOW: Final = 30
WINDOW_MS: Final = 60_000
"""A counter serves one person in two minutes at best, and people tap twice: thirty a minute is no queue."""


def look_up(central: Central, kiosk_id: str, gen: int, request: LookupRequest) -> LookupAnswer:
    """The holder of a card with family, guardians, entitlements and rights.

    Raises CentralFault ``lookup_too_often`` (detail ``retry_after_s``).
    """
    return central.database.write(partial(_look_up, central, kiosk_id, gen, request), quiet=True)


def _look_up(
    central: Central, kiosk_id: str, gen: int, request: LookupRequest, connection: Connection
) -> LookupAnswer:
    now_ms = int(central.clock() * 1000)
    _check_rate(connection, kiosk_id, now_ms)
    card_no, answer = _judge(central, connection, request)
    connection.execute(
        insert(lookup).values(
            id=secrets.token_hex(16),
            kiosk=kiosk_id,
            gen=gen,
            at=now_ms,
            card_no=card_no,
            holder_id=answer.holder_id,
            status=answer.status,
            code=answer.code,
        )
    )
    return answer


def _check_rate(connection: Connection, kiosk_id: str, now_ms: int) -> None:
    lately = (lookup.c.kiosk == kiosk_id, lookup.c.at > now_ms - WINDOW_MS, lookup.c.at <= now_ms)
    count, oldest = connection.execute(select(func.count(), func.min(lookup.c.at)).where(*lately)).one()
    if count >= MOST_IN_WINDOW:
        retry_after_s = max(1, -(-(oldest + WINDOW_MS - now_ms) // 1000))
        raise CentralFault(
            "lookup_too_often", f"at most {MOST_IN_WINDOW} cards a minute", retry_after_s=retry_after_s
        )


def _judge(central: Central, connection: Connection, request: LookupRequest) -> tuple[str, LookupAnswer]:
    """The card's number as far as it can be believed, and the answer."""
    read = CardRead(Medium(request.medium), request.credential, request.uid, reader="kiosk")
    try:
        # What the chip proved is judged by the kiosk that saw it, before it asks; the proof stays there.
        verified = verify(read, _keyset(central, connection), central.now(), Grade.P3)
    except CardFault as fault:
        return "", LookupAnswer(status="refused", code=fault.code)
    found = connection.execute(select(holder).where(holder.c.card_no == verified.card_no)).mappings().first()
    if found is None:
        return verified.card_no, LookupAnswer(status="unknown", card_no=verified.card_no)
    try:
        _check_standing(connection, verified, found["issue_no"], found["status"])
    except CardFault as fault:
        refused = LookupAnswer(
            status="refused", code=fault.code, card_no=verified.card_no, holder_id=found["id"]
        )
        return verified.card_no, refused
    rows = _rows_about(central, connection, dict(found))
    return verified.card_no, LookupAnswer(
        status="found",
        card_no=verified.card_no,
        holder_id=found["id"],
        tables={kind: columnar(kind, some) for kind, some in rows.items() if some},
    )


def _check_standing(connection: Connection, verified: VerifiedCard, issue_no: int, status: str) -> None:
    denied = connection.execute(
        select(card.c.status).where(
            card.c.card_no == verified.card_no,
            card.c.issue_no == verified.issue_no,
            card.c.status != "active",
        )
    ).scalar()
    check_standing(verified, issue_no, 0, denied, status)


def _keyset(central: Central, connection: Connection) -> KeySet:
    roots = (central.keys.root1.public, central.keys.root2.public)
    return open_keyset(from_base64(settings.get(connection, "keyset")), roots)


def _rows_about(central: Central, connection: Connection, about: dict[str, Any]) -> dict[str, list[Any]]:
    """Rows of the feed's kinds: the holder's own, and of others only what a counter needs of them."""
    family_id = about["family_id"]
    head = None
    if family_id:
        lowest = select(holder).where(holder.c.family_id == family_id).order_by(holder.c.id).limit(1)
        head = connection.execute(lowest).mappings().first()
    wards = _all(connection, select(guardian).where(guardian.c.child_id == about["id"]))
    ids = {row["guardian_id"] for row in wards} - {about["id"]}
    people = [about, *_all(connection, select(holder).where(holder.c.id.in_(sorted(ids))))]
    subjects = [f"h{about['id']}"] + ([f"f{family_id}"] if family_id else [])
    entitled = _all(connection, select(entitlement).where(entitlement.c.subject.in_(subjects)))
    kiosks = Kiosks(connection)
    open_now = (rights.c.subject.in_(subjects), rights.c.not_after > central.now())
    held = _all(connection, select(rights).where(*open_now))
    placed = (row_of(of_row(row), kiosks) for row in held)
    families = []
    if head is not None and head["point_id"] != about["point_id"]:
        families = [[family_id, about["point_id"], head["id"], head["point_id"]]]
    return {
        "holder": [_holder_row(central.keys.nik, one, whole=one is about) for one in people],
        "guardian": _values("guardian", wards),
        "entitlement": _values("entitlement", entitled),
        "right": [list(row) for row in placed if row is not None],
        "family": families,
    }


def _holder_row(nik_key: bytes, row: dict[str, Any], *, whole: bool) -> list[Any]:
    """A holder as the feed tells of them; of a guardian the name and whether they may come, no more."""
    told = {
        **{name: row[name] for name in FEED_COLUMNS["holder"] if name in row},
        "nik_last4": row["nik"][-4:] if whole else "",
        "nik_hash": nik_hash(nik_key, row["nik"]) if whole else "",
    }
    if not whole:
        told |= {"card_no": "", "birth": "", "family_id": 0}
    return [told[name] for name in FEED_COLUMNS["holder"]]


def _all(connection: Connection, query: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _values(kind: str, rows: Iterable[dict[str, Any]]) -> list[list[Any]]:
    return [[row[name] for name in FEED_COLUMNS[kind]] for row in rows]
