"""Officers' badges at central: cards whose number names an officer, told with the point's officers."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from kiosk.credential import uid_is_random
from kiosk.errors import OfficerFault
from kiosk.values import Grade
from sync.central import card_acts, cards
from sync.central.accounts import Signer
from sync.central.card_acts import Act
from sync.central.card_issue import IssuedCard
from sync.central.feed import FeedChanges
from sync.central.models import badge, card, officer
from sync.central.state import Central
from sync.wire import FEED_COLUMNS, officer_bucket

REVOKED: Final = "revoked"
_DIGITS: Final = 12


def issue(
    central: Central,
    username: str,
    chip: str,
    uid: bytes,
    *,
    required: bool = True,
    grade: Grade = Grade.P1,
    by: Signer | None = None,
) -> IssuedCard:
    """The officer's next badge, for a chip with that UID; the one before opens nothing any more.

    Raises OfficerFault ``unknown_officer``, ``card_refused``, ``chip_in_use``, and what ``accounts.sign``
    does.
    """
    if not uid or uid_is_random(uid):
        raise OfficerFault("card_refused", "a badge needs a chip with a UID of its own")
    return central.database.write(partial(_issue, central, username, chip, uid, required, grade, by))


def _issue(
    central: Central,
    username: str,
    chip: str,
    uid: bytes,
    required: bool,
    grade: Grade,
    by: Signer | None,
    connection: Connection,
) -> IssuedCard:
    if not connection.execute(select(officer.c.username).where(officer.c.username == username)).first():
        raise OfficerFault("unknown_officer", f"no officer {username}")
    _refuse_used(connection, username, uid)
    known = connection.execute(select(badge).where(badge.c.username == username)).mappings().first()
    day = cards.today(central)
    row = {
        "badge_no": known["badge_no"] if known else _number(),
        "issue_no": known["issue_no"] + 1 if known else 1,
        "required": required,
        "chip": chip,
        "uid": uid.hex(),
        "issued": day.isoformat(),
        "valid_until": day.replace(year=day.year + cards.CARD_YEARS, day=min(day.day, 28)).isoformat(),
        "least_grade": grade.label,
    }
    made = cards.credentials(central, row | {"card_no": row["badge_no"]})
    if known:
        connection.execute(update(badge).where(badge.c.username == username).values(**row))
    else:
        connection.execute(insert(badge).values(username=username, **row))
    changes = FeedChanges()
    tell(connection, changes, username)
    changes.write(connection)
    act = Act(card_acts.ISSUED, made.card_no, made.issue_no, uid.hex())
    card_acts.record(connection, [act], by, central.now())
    return made


def withdraw(central: Central, username: str, by: Signer | None = None) -> dict[str, Any]:
    """Takes an officer's badge away: PIN alone from now on. Raises OfficerFault ``unknown_badge``."""
    return central.database.write(partial(_withdraw, central, username, by))


def _withdraw(central: Central, username: str, by: Signer | None, connection: Connection) -> dict[str, Any]:
    known = connection.execute(select(badge).where(badge.c.username == username)).mappings().first()
    if known is None:
        raise OfficerFault("unknown_badge", f"{username} has no badge")
    changes = FeedChanges()
    changes.drop(officer_bucket(_point_of(connection, username)), "badge", (known["badge_no"],))
    changes.write(connection)
    connection.execute(delete(badge).where(badge.c.username == username))
    act = Act(REVOKED, known["badge_no"], known["issue_no"], known["uid"])
    card_acts.record(connection, [act], by, central.now())
    return {"username": username, "badge_no": known["badge_no"]}


def tell(connection: Connection, changes: FeedChanges, username: str) -> None:
    """Puts an officer's badge, if there is one, in the bucket of the point's officers."""
    row = connection.execute(select(badge).where(badge.c.username == username)).mappings().first()
    if row is not None:
        values = tuple(int(row[name]) if name == "required" else row[name] for name in FEED_COLUMNS["badge"])
        changes.put(officer_bucket(_point_of(connection, username)), "badge", values)


def drop(connection: Connection, changes: FeedChanges, username: str, point_id: int) -> None:
    """Takes an officer's badge out of the bucket of a point that the officer leaves."""
    number = connection.execute(select(badge.c.badge_no).where(badge.c.username == username)).scalar()
    if number is not None:
        changes.drop(officer_bucket(point_id), "badge", (number,))


def _point_of(connection: Connection, username: str) -> int:
    return int(
        connection.execute(select(officer.c.point_id).where(officer.c.username == username)).scalar_one()
    )


def _refuse_used(connection: Connection, username: str, uid: bytes) -> None:
    mine = badge.c.username == username
    others = select(badge.c.username).where(badge.c.uid == uid.hex(), ~mine)
    held = select(card.c.card_no).where(card.c.uid == uid.hex(), card.c.status == cards.ACTIVE)
    if connection.execute(others).first() or connection.execute(held).first():
        raise OfficerFault("chip_in_use", "another card in use is on this chip; revoke that one first")


def _number() -> str:
    """No holder's: those begin with a digit."""
    return "B" + "".join(secrets.choice("0123456789") for _ in range(_DIGITS))
