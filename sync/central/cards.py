"""The cards' state at central: issued, bound to a chip, revoked; what is out of use goes on the deny list.

A card may be issued before its chip is known: then it has its number and its printed credential, and the
chip's credential is made when it is bound to a UID. One issue of a card number is active, never two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from kiosk.credential import uid_is_random
from kiosk.errors import OfficerFault
from kiosk.period import local_day
from kiosk.values import Grade
from sync.central import card_acts, import_rows
from sync.central.accounts import Signer
from sync.central.card_acts import Act
from sync.central.card_issue import ZONE, IssuedCard, day_seconds, issue_card
from sync.central.feed import FeedChanges
from sync.central.models import card, holder
from sync.central.state import Central

REASONS: Final = ("lost", "stolen", "replaced", "revoked", "deceased")
CARD_YEARS: Final = 5
ACTIVE: Final = "active"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A card to be issued."""

    holder_id: int
    chip: str
    uid: bytes = b""
    """Empty: bound when the chip is written."""
    grade: Grade = Grade.P1
    replaces: str = "replaced"
    """What becomes of the card before, if it is in use."""


def today(central: Central) -> date:
    """The city's calendar day."""
    return local_day(datetime.fromtimestamp(central.clock(), UTC), ZONE)


def issue(
    central: Central,
    holder_id: int,
    chip: str,
    uid: bytes,
    *,
    replaces: str = "replaced",
    grade: Grade = Grade.P1,
    by: Signer | None = None,
) -> IssuedCard:
    """The holder's next card, for a chip with that UID; the one before is on the deny list from today.

    Raises OfficerFault ``unknown_holder``, ``holder_not_active``, ``card_refused``, ``chip_in_use``, and what
    ``accounts.sign`` does.
    """
    wanted = Wanted(holder_id, chip, uid, grade, replaces)
    return central.database.write(
        lambda connection: issue_in(connection, central, [wanted], by)[0],
    )


def issue_in(
    connection: Connection, central: Central, wanted: Sequence[Wanted], by: Signer | None, batch: str = ""
) -> list[IssuedCard]:
    """Issues cards within the caller's transaction, at most 500 of different holders. Raises as ``issue``."""
    day = today(central)
    changes = FeedChanges()
    made = [_next_issue(connection, central, changes, one, day, by, batch) for one in wanted]
    import_rows.tell_holders(connection, changes, central.keys.nik, [one.holder_id for one in wanted])
    changes.write(connection)
    return made


def _next_issue(
    connection: Connection,
    central: Central,
    changes: FeedChanges,
    wanted: Wanted,
    day: date,
    by: Signer | None,
    batch: str,
) -> IssuedCard:
    found = connection.execute(
        select(holder.c.card_no, holder.c.status).where(holder.c.id == wanted.holder_id)
    ).first()
    if found is None:
        raise OfficerFault("unknown_holder", f"no holder {wanted.holder_id}")
    if found.status != ACTIVE:
        raise OfficerFault("holder_not_active", f"holder {wanted.holder_id} is {found.status}")
    card_no = found.card_no
    newest = select(func.max(card.c.issue_no)).where(card.c.card_no == card_no)
    row = {
        "card_no": card_no,
        "issue_no": (connection.execute(newest).scalar() or 0) + 1,
        "holder_id": wanted.holder_id,
        "chip": wanted.chip,
        "uid": wanted.uid.hex(),
        "issued": day.isoformat(),
        "valid_until": day.replace(year=day.year + CARD_YEARS, day=min(day.day, 28)).isoformat(),
        "status": ACTIVE,
        "since": None,
        "least_grade": wanted.grade.label,
    }
    _refuse_used(connection, wanted.uid, card_no)
    made = credentials(central, row)
    now = central.now()
    _take_out(connection, changes, card_no, None, wanted.replaces, day, by, now)
    connection.execute(insert(card).values(row))
    connection.execute(update(holder).where(holder.c.id == wanted.holder_id).values(issue_no=row["issue_no"]))
    acts = [Act(card_acts.ISSUED, card_no, made.issue_no, wanted.uid.hex())]
    if wanted.uid:
        acts.append(Act(card_acts.BOUND, card_no, made.issue_no, wanted.uid.hex()))
    card_acts.record(connection, acts, by, now, batch)
    return made


def bind(
    central: Central,
    card_no: str,
    issue_no: int,
    chip: str,
    uid: bytes,
    *,
    by: Signer | None = None,
    batch: str = "",
) -> IssuedCard:
    """The card with its chip's credential, bound to that UID for good; bound to it already, the same again.

    Raises OfficerFault ``unknown_card``, ``card_out_of_use``, ``card_bound``, ``chip_in_use``,
    ``card_refused``, and what ``accounts.sign`` does.
    """
    if uid_is_random(uid):
        raise OfficerFault("card_refused", "a chip with a random UID cannot be bound")
    return central.database.write(partial(_bind, central, card_no, issue_no, chip, uid, by, batch))


def _bind(
    central: Central,
    card_no: str,
    issue_no: int,
    chip: str,
    uid: bytes,
    by: Signer | None,
    batch: str,
    connection: Connection,
) -> IssuedCard:
    row = _row(connection, card_no, issue_no)
    if row["status"] != ACTIVE:
        raise OfficerFault("card_out_of_use", f"issue {issue_no} of {card_no} is {row['status']}")
    if row["uid"] not in ("", uid.hex()):
        raise OfficerFault("card_bound", f"issue {issue_no} of {card_no} is bound to chip {row['uid']}")
    _refuse_used(connection, uid, card_no)
    made = credentials(central, row | {"uid": uid.hex(), "chip": chip})
    if not row["uid"]:
        place = (card.c.card_no == card_no) & (card.c.issue_no == issue_no)
        connection.execute(update(card).where(place).values(uid=uid.hex(), chip=chip))
        acts = [Act(card_acts.BOUND, card_no, issue_no, uid.hex())]
        card_acts.record(connection, acts, by, central.now(), batch)
    return made


def issued(central: Central, card_no: str, issue_no: int | None = None) -> IssuedCard:
    """An issue of a card as it is printed and written; its newest one without ``issue_no``.

    Raises OfficerFault ``unknown_card``.
    """
    with central.database.read() as connection:
        return issued_on(connection, central, card_no, issue_no)


def issued_on(
    connection: Connection, central: Central, card_no: str, issue_no: int | None = None
) -> IssuedCard:
    """The same within the caller's transaction."""
    return credentials(central, _row(connection, card_no, issue_no))


def credentials(central: Central, row: dict[str, Any]) -> IssuedCard:
    """Both credentials of a card's row; none for the chip where it has no UID.

    They begin with the card's first day, but never before the key that signs them: kiosks would refuse that.
    Raises OfficerFault ``card_refused``.
    """
    key = central.keys.issuer
    known = central.ring.keyset.issuer(key.kid)
    begins = max(day_seconds(date.fromisoformat(row["issued"])), known.start if known else 0)
    try:
        return issue_card(
            key.private,
            key.kid,
            row["card_no"],
            row["issue_no"],
            bytes.fromhex(row["uid"]),
            row["chip"],
            begins,
            day_seconds(date.fromisoformat(row["valid_until"])),
            Grade.of(row["least_grade"]),
        )
    except ValueError as fault:
        raise OfficerFault("card_refused", str(fault)) from None


def revoke(
    central: Central, card_no: str, issue_no: int | None, reason: str, by: Signer | None = None
) -> int:
    """Puts a card's active issues, or one issue, on the deny list from today; answers how many.

    Raises OfficerFault ``unknown_card``, ``unknown_reason``, and what ``accounts.sign`` does.
    """
    if reason not in REASONS:
        raise OfficerFault("unknown_reason", f"one of {', '.join(REASONS)}")
    day, now = today(central), central.now()
    return central.database.write(partial(_revoke, card_no, issue_no, reason, day, by, now))


def _revoke(
    card_no: str,
    issue_no: int | None,
    reason: str,
    day: date,
    by: Signer | None,
    now: int,
    connection: Connection,
) -> int:
    changes = FeedChanges()
    taken = _take_out(connection, changes, card_no, issue_no, reason, day, by, now)
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


def listed(central: Central, card_no: str = "", limit: int = 100, after: str = "") -> list[dict[str, Any]]:
    """Cards by number, newest issue last; of one number or all, at most ``limit`` behind ``after``.

    ``after`` is the last of the page before: ``<card_no>/<issue_no>``. Raises OfficerFault ``unknown_row``.
    """
    query = select(card).order_by(card.c.card_no, card.c.issue_no).limit(limit)
    if card_no:
        query = query.where(card.c.card_no == card_no)
    if after:
        number, _, issue = after.partition("/")
        if not issue.isdecimal() or len(issue) > 9:
            raise OfficerFault("unknown_row", "a place in this list is CARD_NO/ISSUE_NO")
        issues = and_(card.c.card_no == number, card.c.issue_no > int(issue))
        query = query.where(or_(card.c.card_no > number, issues))
    with central.database.read() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def count_of(central: Central, holder_id: int) -> int:
    """How many cards were ever issued to a holder."""
    query = select(func.count()).select_from(card).where(card.c.holder_id == holder_id)
    with central.database.read() as connection:
        return int(connection.execute(query).scalar_one())


def active_issue(connection: Connection, card_no: str) -> int | None:
    """The issue of a card number that is in use; None if none is."""
    query = select(card.c.issue_no).where(card.c.card_no == card_no, card.c.status == ACTIVE)
    found = connection.execute(query).scalar()
    return None if found is None else int(found)


def _row(connection: Connection, card_no: str, issue_no: int | None) -> dict[str, Any]:
    query = select(card).where(card.c.card_no == card_no).order_by(card.c.issue_no.desc()).limit(1)
    if issue_no is not None:
        query = query.where(card.c.issue_no == issue_no)
    found = connection.execute(query).mappings().first()
    if found is None:
        raise OfficerFault("unknown_card", "no card has that number")
    return dict(found)


def _refuse_used(connection: Connection, uid: bytes, card_no: str) -> None:
    """Two people's cards on one chip: one of them would hold the other's."""
    query = select(card.c.card_no).where(card.c.uid == uid.hex(), card.c.status == ACTIVE)
    if uid and connection.execute(query.where(card.c.card_no != card_no)).first():
        raise OfficerFault("chip_in_use", "another card in use is on this chip; revoke that one first")


def _take_out(
    connection: Connection,
    changes: FeedChanges,
    card_no: str,
    issue_no: int | None,
    reason: str,
    day: date,
    by: Signer | None,
    now: int,
) -> int:
    query = select(card).where(card.c.card_no == card_no, card.c.status == ACTIVE)
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
    acts = [Act(reason, card_no, row["issue_no"], row["uid"]) for row in rows]
    card_acts.record(connection, acts, by, now)
    return len(rows)
