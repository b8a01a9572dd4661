"""The cards' state at central: issued, replaced, revoked; what was taken out of use goes on the deny list."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update

from kiosk.errors import OfficerFault
from kiosk.period import local_day
from sync.central import import_rows
from sync.central.card_issue import ZONE, IssuedCard, day_seconds, issue_card
from sync.central.feed import FeedChanges
from sync.central.models import card, holder
from sync.central.state import Central

REASONS: Final = ("lost", "stolen", "replaced", "revoked", "deceased")
CARD_YEARS: Final = 5


def today(central: Central) -> date:
    """The city's calendar day."""
    return local_day(datetime.fromtimestamp(central.clock(), UTC), ZONE)


def issue(
    central: Central, holder_id: int, chip: str, uid: bytes, *, replaces: str = "replaced"
) -> IssuedCard:
    """The holder's next card, for a chip with that UID; the one before is on the deny list from today.

    Raises OfficerFault ``unknown_holder``, ``card_refused``.
    """
    day = today(central)
    until = day.replace(year=day.year + CARD_YEARS, day=min(day.day, 28))
    work = partial(_next_issue, central, holder_id, chip, uid, day, until, replaces)
    return central.database.write(work)


def _next_issue(
    central: Central,
    holder_id: int,
    chip: str,
    uid: bytes,
    day: date,
    until: date,
    reason: str,
    connection: Connection,
) -> IssuedCard:
    card_no = connection.execute(select(holder.c.card_no).where(holder.c.id == holder_id)).scalar()
    if card_no is None:
        raise OfficerFault("unknown_holder", f"no holder {holder_id}")
    newest = select(func.max(card.c.issue_no)).where(card.c.card_no == card_no)
    issue_no = (connection.execute(newest).scalar() or 0) + 1
    key = central.keys.issuer
    try:
        made = issue_card(
            key.private, key.kid, card_no, issue_no, uid, chip, day_seconds(day), day_seconds(until)
        )
    except ValueError as fault:
        raise OfficerFault("card_refused", str(fault)) from None
    changes = FeedChanges()
    _take_out(connection, changes, card_no, None, reason, day)
    connection.execute(
        insert(card).values(
            card_no=card_no,
            issue_no=issue_no,
            holder_id=holder_id,
            chip=chip,
            uid=uid.hex(),
            issued=day.isoformat(),
            valid_until=until.isoformat(),
            status="active",
            since=None,
        )
    )
    connection.execute(update(holder).where(holder.c.id == holder_id).values(issue_no=issue_no))
    import_rows.tell_holders(connection, changes, central.keys.nik, [holder_id])
    changes.write(connection)
    return made


def revoke(central: Central, card_no: str, issue_no: int | None, reason: str) -> int:
    """Puts a card's active issues, or one issue, on the deny list from today; answers how many.

    Raises OfficerFault ``unknown_card``, ``unknown_reason``.
    """
    if reason not in REASONS:
        raise OfficerFault("unknown_reason", f"one of {', '.join(REASONS)}")
    return central.database.write(partial(_revoke, card_no, issue_no, reason, today(central)))


def _revoke(card_no: str, issue_no: int | None, reason: str, day: date, connection: Connection) -> int:
    changes = FeedChanges()
    taken = _take_out(connection, changes, card_no, issue_no, reason, day)
    if not taken:
        raise OfficerFault("unknown_card", "no card in use has that number")
    changes.write(connection)
    return taken


def holder_of(central: Central, card_no: str) -> int:
    """The holder of a card number. Raises OfficerFault ``unknown_card``."""
    with central.database.read() as connection:
        found = connection.execute(select(holder.c.id).where(holder.c.card_no == card_no)).scalar()
    if found is None:
        raise OfficerFault("unknown_card", "no holder has that card number")
    return int(found)


def listed(central: Central, card_no: str = "", limit: int = 100) -> list[dict[str, Any]]:
    """Cards, newest issue last; of one card number or the first ``limit``."""
    query = select(card).order_by(card.c.card_no, card.c.issue_no).limit(limit)
    if card_no:
        query = query.where(card.c.card_no == card_no)
    with central.database.read() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def _take_out(
    connection: Connection,
    changes: FeedChanges,
    card_no: str,
    issue_no: int | None,
    reason: str,
    day: date,
) -> int:
    query = select(card).where(card.c.card_no == card_no, card.c.status == "active")
    if issue_no is not None:
        query = query.where(card.c.issue_no == issue_no)
    rows = [dict(row) for row in connection.execute(query).mappings()]
    for row in rows:
        row |= {"status": reason, "since": day.isoformat()}
        connection.execute(
            update(card)
            .where(card.c.card_no == card_no, card.c.issue_no == row["issue_no"])
            .values(status=reason, since=row["since"])
        )
        import_rows.tell_card(changes, row)
    return len(rows)
