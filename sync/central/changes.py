"""The feed as a kiosk reads it: an opaque cursor in, one page out."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select

from kiosk.errors import CentralFault
from kiosk.feed_columns import pack
from sync.central import feed
from sync.central.following import Follower
from sync.central.models import feed as feed_table
from sync.central.state import Central
from sync.wire import FEED_COLUMNS, FEED_KEYS, MAX_ROWS, BucketPart, ChangesAnswer, Checkpoint, ColumnarRows

SNAPSHOT_ROWS: Final = MAX_ROWS
"""A bucket with more rows than one page that a kiosk has nothing of is better loaded as a file."""
_SOME: Final = select(feed_table.c.row_key).where(feed_table.c.bucket == bindparam("of_bucket"))
_COUNT_SOME: Final = select(func.count()).select_from(_SOME.limit(bindparam("most")).subquery())


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a kiosk has each bucket."""

    incarnation: int
    revs: dict[str, int]

    def encode(self) -> str:
        """Base64url JSON; kiosks do not look inside, and may join several by dots."""
        body = {"incarnation": self.incarnation, "revs": self.revs}
        text = json.dumps(body, separators=(",", ":"), sort_keys=True)
        return base64.urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")


def read_cursor(text: str, incarnation: int) -> Cursor:
    """The cursor of a text, of several where dots join them; an empty text is the very beginning.

    Raises CentralFault ``cursor_malformed``, ``cursor_gone`` for one of another incarnation.
    """
    revs: dict[str, int] = {}
    for part in text.split(".") if text else ():
        revs |= _read_part(part, incarnation)
    return Cursor(incarnation, revs)


def _read_part(text: str, incarnation: int) -> dict[str, int]:
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
    return dict(revs)


def are_waiting(connection: Connection, central: Central, follower: Follower, cursor: str) -> bool:
    """True if the feed holds something behind the cursor, or the cursor is of no use any more.

    Also when a kiosk follows fewer buckets than its cursor names: it has something to forget.
    """
    try:
        known = read_cursor(cursor, central.incarnation).revs
    except CentralFault:
        return True
    latest = feed.revs(connection, follower.buckets)
    return any(rev != known.get(name, 0) for name, rev in latest.items()) or not set(known) <= set(latest)


def page(central: Central, follower: Follower, cursor: str, limit: int = MAX_ROWS) -> ChangesAnswer:
    """The next page behind the cursor: as many whole buckets as fit in, or whole revs of one that does not.

    Raises CentralFault ``cursor_malformed``, ``cursor_gone``.
    """
    known = read_cursor(cursor, central.incarnation).revs
    with central.database.read() as connection:
        buckets = follower.buckets
        revs = {name: known.get(name, 0) for name in buckets}
        latest = feed.revs(connection, buckets)
        if any(revs[name] > latest[name] for name in buckets):
            raise CentralFault("cursor_gone", "the cursor is ahead of central: load anew")
        snapshots = [name for name in buckets if not revs[name] and _is_large(connection, name)]
        parts: list[BucketPart] = []
        room = limit
        for name in buckets:
            if revs[name] == latest[name]:
                continue
            if parts and name in snapshots:
                break  # its rows are for kiosks that cannot load it as a file, and ask on
            found = feed.page(connection, name, revs[name], room)
            if parts and (found.count > room or not found.complete):
                break  # it begins a page of its own: a kiosk applies whole checkpoints only
            parts.append(_part(found))
            revs[name] = found.upto
            room -= found.count
            if not found.complete or room <= 0:
                break
    return ChangesAnswer(
        parts=parts,
        follow=list(buckets),
        snapshots=snapshots,
        next=Cursor(central.incarnation, revs).encode(),
        more=any(revs[one] < latest[one] for one in buckets),
    )


def columnar(
    kind: str, rows: Sequence[Sequence[Any]], moves: Mapping[tuple[str, str], str] | None = None
) -> ColumnarRows:
    """Rows of a kind, packed column by column."""
    return _packed(kind, FEED_COLUMNS[kind], rows, moves or {})


def _part(found: feed.Page) -> BucketPart:
    return BucketPart(
        bucket=found.bucket,
        tables={kind: columnar(kind, rows, found.moves) for kind, rows in found.rows.items()},
        tombstones={
            kind: _packed(kind, FEED_COLUMNS[kind][: FEED_KEYS[kind]], keys, found.moves)
            for kind, keys in found.tombstones.items()
        },
        checkpoint=(
            Checkpoint(bucket=found.bucket, rev=found.upto, checksum=found.checksum)
            if found.complete
            else None
        ),
    )


def _packed(
    kind: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], moves: Mapping[tuple[str, str], str]
) -> ColumnarRows:
    keys = FEED_KEYS[kind]
    told = [moves.get((kind, feed.text_of(row[:keys])), "") for row in rows] if moves else []
    return ColumnarRows(
        columns=list(columns),
        keys=keys,
        count=len(rows),
        data=[pack(column) for column in zip(*rows, strict=True)],
        moves=pack(told) if any(told) else None,
    )


def _is_large(connection: Connection, name: str) -> bool:
    counted = connection.execute(_COUNT_SOME, {"of_bucket": name, "most": SNAPSHOT_ROWS + 1}).scalar_one()
    return int(counted) > SNAPSHOT_ROWS
