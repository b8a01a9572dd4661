"""The feed as a kiosk reads it: an opaque cursor in, one page of one bucket out."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from sqlalchemy import Connection, select

from kiosk.errors import CentralFault
from sync.central import feed
from sync.central.models import bucket
from sync.central.state import Central
from sync.wire import (
    CITY,
    FEED_COLUMNS,
    MAX_ROWS,
    ChangesAnswer,
    Checkpoint,
    ColumnarRows,
    officer_bucket,
    point_bucket,
)


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a kiosk has each bucket."""

    incarnation: int
    revs: dict[str, int]

    def encode(self) -> str:
        """Base64url JSON; kiosks do not look inside."""
        body = {"incarnation": self.incarnation, "revs": self.revs}
        text = json.dumps(body, separators=(",", ":"), sort_keys=True)
        return base64.urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")


def read_cursor(text: str, incarnation: int) -> Cursor:
    """The cursor of a text; an empty text is the very beginning.

    Raises CentralFault ``cursor_malformed``, ``cursor_gone`` for one of another incarnation.
    """
    if not text:
        return Cursor(incarnation, {})
    try:
        body = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        found, revs = body["incarnation"], body["revs"]
        sound = (
            type(found) is int
            and isinstance(revs, dict)
            and all(type(rev) is int and 0 <= rev < 2**63 for rev in revs.values())
        )
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        sound = False
        found, revs = 0, {}
    if not sound:
        raise CentralFault("cursor_malformed", "not a cursor of this central")
    if found != incarnation:
        raise CentralFault("cursor_gone", "central was restored since: load anew")
    return Cursor(found, revs)


def are_waiting(connection: Connection, central: Central, point_id: int, cursor: str) -> bool:
    """True if the feed holds something behind the cursor, or the cursor is of no use any more."""
    try:
        known = read_cursor(cursor, central.incarnation).revs
    except CentralFault:
        return True
    latest = feed.revs(connection, _buckets(connection, point_id))
    return any(rev != known.get(name, 0) for name, rev in latest.items())


def page(central: Central, point_id: int, cursor: str, limit: int = MAX_ROWS) -> ChangesAnswer:
    """The next page behind the cursor: whole revs of one bucket, with a checkpoint where it is complete.

    Raises CentralFault ``cursor_malformed``, ``cursor_gone``.
    """
    known = read_cursor(cursor, central.incarnation).revs
    with central.database.read() as connection:
        buckets = _buckets(connection, point_id)
        revs = {name: known.get(name, 0) for name in buckets}
        latest = feed.revs(connection, buckets)
        if any(revs[name] > latest[name] for name in buckets):
            raise CentralFault("cursor_gone", "the cursor is ahead of central: load anew")
        name = next((one for one in buckets if revs[one] < latest[one]), None)
        if name is None:
            return ChangesAnswer(bucket=CITY, next=Cursor(central.incarnation, revs).encode(), more=False)
        found = feed.page(connection, name, revs[name], limit)
    revs[name] = found.upto
    return ChangesAnswer(
        bucket=name,
        tables={
            kind: ColumnarRows(columns=list(FEED_COLUMNS[kind]), rows=rows)
            for kind, rows in found.rows.items()
        },
        tombstones=dict(found.tombstones),
        next=Cursor(central.incarnation, revs).encode(),
        more=any(revs[one] < latest[one] for one in buckets),
        checkpoint=(
            Checkpoint(bucket=name, rev=found.upto, checksum=found.checksum) if found.complete else None
        ),
    )


def _buckets(connection: Connection, point_id: int) -> list[str]:
    """What a point's kiosks follow, most needed first: the city, the point's own, then all other points."""
    own = [CITY, officer_bucket(point_id), point_bucket(point_id)]
    named = connection.execute(select(bucket.c.name).where(bucket.c.name.like("p%")).order_by(bucket.c.name))
    return own + [name for name in named.scalars() if name not in own]
