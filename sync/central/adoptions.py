"""Cards from before this system: bound to holders by officers' notes or at central, told to their point."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from kiosk.errors import OfficerFault
from kiosk.journal_format import Record, pickup_ref
from kiosk.legacy_cards import Adoption, legacy_id
from sync.central.feed import FeedChanges
from sync.central.models import holder, legacy_card
from sync.central.state import Central
from sync.wire import point_bucket

ACTIVE, REVOKED = "active", "revoked"
TWICE: Final = "adopted_twice"
"""Code of the case in which two people were given one card."""
_IDS_PER_QUERY: Final = 400

OpenCase = Callable[..., None]


def take(connection: Connection, changes: FeedChanges, record: Record, now: int, open_case: OpenCase) -> None:
    """The effect of a note that binds a card; any other note has none.

    The first note stands. Another person's opens a case ``adopted_twice``; a note that makes no sense, or
    names a holder who is not there, opens ``adoption_unread``.
    """
    called = pickup_ref(record.kiosk, record.gen, record.seq)
    try:
        adoption = Adoption.of_detail(record.detail)
    except ValueError as error:
        open_case(f"adoption_unread:{called}", "adoption_unread", "", [called], why=str(error))
        return
    if adoption is None:
        return
    known = _row(connection, adoption.id)
    if known is not None and known["holder_id"] != adoption.holder_id:
        detail = {"holders": [known["holder_id"], adoption.holder_id], "state": known["state"]}
        open_case(f"{TWICE}:{called}", TWICE, "", [known["ref"] or known["by"], called], **detail)
        return
    if known is not None:
        return
    if _point_of(connection, adoption.holder_id) is None:
        why = f"no holder {adoption.holder_id}"
        open_case(f"adoption_unread:{called}", "adoption_unread", "", [called], why=why)
        return
    _put(connection, changes, adoption, called, record.officer, now)


def adopt(central: Central, card_no: str, kind: str, value: str, by: str) -> dict[str, Any]:
    """Binds a card at central, on somebody's word that the identity was checked; ``by`` names them.

    Raises OfficerFault ``unknown_card``, ``card_number_malformed``, ``adopted_already``.
    """
    identity = _identity(kind, value)
    return central.database.write(partial(_adopt, card_no, identity, kind, by, central.now()))


def _adopt(
    card_no: str, identity: str, kind: str, by: str, now: int, connection: Connection
) -> dict[str, Any]:
    holder_id = connection.execute(select(holder.c.id).where(holder.c.card_no == card_no)).scalar()
    if holder_id is None:
        raise OfficerFault("unknown_card", "no holder has that card number")
    known = _row(connection, identity)
    if known is not None and known["state"] == ACTIVE:
        same = known["holder_id"] == holder_id
        raise OfficerFault("adopted_already", "this card is bound already", same=same)
    changes = FeedChanges()
    if known is not None:
        _tell(connection, changes, known["holder_id"], identity, None)
    _put(connection, changes, Adoption(identity, kind, int(holder_id)), "", by, now)
    changes.write(connection)
    return {"id": identity, "holder_id": int(holder_id), "state": ACTIVE}


def revoke(central: Central, kind: str, value: str) -> dict[str, Any]:
    """Takes a card's binding back. Raises OfficerFault ``unknown_card``, ``card_number_malformed``."""
    return central.database.write(partial(_revoke, _identity(kind, value)))


def _revoke(identity: str, connection: Connection) -> dict[str, Any]:
    known = _row(connection, identity)
    if known is None or known["state"] != ACTIVE:
        raise OfficerFault("unknown_card", "no such card is bound")
    connection.execute(update(legacy_card).where(legacy_card.c.id == identity).values(state=REVOKED))
    changes = FeedChanges()
    _tell(connection, changes, known["holder_id"], identity, REVOKED)
    changes.write(connection)
    return {"id": identity, "holder_id": known["holder_id"], "state": REVOKED}


def listed(central: Central, after: str = "", limit: int = 100) -> list[dict[str, Any]]:
    """Bound cards behind ``after`` in the order of their ids."""
    query = select(legacy_card).where(legacy_card.c.id > after).order_by(legacy_card.c.id).limit(limit)
    with central.database.read() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def tell_of_holders(connection: Connection, changes: FeedChanges, points: Mapping[int, int]) -> None:
    """Puts the cards of holders, given with their points, in those points' buckets."""
    for row in _of_holders(connection, points):
        place = point_bucket(points[row["holder_id"]])
        changes.put(place, "legacy_card", (row["id"], row["holder_id"], row["state"]))


def drop_of_holders(connection: Connection, changes: FeedChanges, points: Mapping[int, int]) -> None:
    """Takes the cards of holders who leave points, given with them, out of those points' buckets."""
    for row in _of_holders(connection, points):
        changes.drop(point_bucket(points[row["holder_id"]]), "legacy_card", (row["id"],))


def hand_on(connection: Connection, changes: FeedChanges, keep: int, gone: int) -> int:
    """Makes the cards of a merged holder those of the one who is kept; answers how many."""
    points = {one: _point_of(connection, one) for one in (keep, gone)}
    rows = list(_of_holders(connection, [gone]))
    for row in rows:
        if points[gone] is not None:
            changes.drop(point_bucket(int(points[gone] or 0)), "legacy_card", (row["id"],))
    connection.execute(update(legacy_card).where(legacy_card.c.holder_id == gone).values(holder_id=keep))
    for row in rows:
        _tell(connection, changes, keep, row["id"], row["state"])
    return len(rows)


def _put(
    connection: Connection, changes: FeedChanges, adoption: Adoption, ref: str, by: str, now: int
) -> None:
    row = {
        "kind": adoption.kind,
        "holder_id": adoption.holder_id,
        "state": ACTIVE,
        "ref": ref,
        "by": by,
        "at": now,
    }
    if _row(connection, adoption.id) is None:
        connection.execute(insert(legacy_card).values(id=adoption.id, **row))
    else:
        connection.execute(update(legacy_card).where(legacy_card.c.id == adoption.id).values(**row))
    _tell(connection, changes, adoption.holder_id, adoption.id, ACTIVE)


def _tell(
    connection: Connection, changes: FeedChanges, holder_id: int, identity: str, state: str | None
) -> None:
    point_id = _point_of(connection, holder_id)
    if point_id is None:
        return  # of a holder who is gone nobody is told anything
    if state is None:
        changes.drop(point_bucket(point_id), "legacy_card", (identity,))
    else:
        changes.put(point_bucket(point_id), "legacy_card", (identity, holder_id, state))


def _row(connection: Connection, identity: str) -> dict[str, Any] | None:
    found = connection.execute(select(legacy_card).where(legacy_card.c.id == identity)).mappings().first()
    return dict(found) if found else None


def _of_holders(connection: Connection, ids: Iterable[int]) -> Iterable[Mapping[str, Any]]:
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), _IDS_PER_QUERY):
        some = legacy_card.c.holder_id.in_(wanted[start : start + _IDS_PER_QUERY])
        found = connection.execute(select(legacy_card).where(some).order_by(legacy_card.c.id)).mappings()
        yield from map(dict, found)


def _point_of(connection: Connection, holder_id: int) -> int | None:
    found = connection.execute(select(holder.c.point_id).where(holder.c.id == holder_id)).scalar()
    return None if found is None else int(found)


def _identity(kind: str, value: str) -> str:
    try:
        return legacy_id(kind, value)
    except ValueError as error:
        raise OfficerFault("card_number_malformed", str(error), kind=kind) from None
