"""Which buckets a kiosk follows: the city, its own point, and what central's settings name for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select

from kiosk.errors import OfficerFault
from sync.central import kiosk_rows
from sync.central.models import follow, point
from sync.central.state import Central
from sync.wire import CITY, officer_bucket, point_bucket


@dataclass(frozen=True, slots=True)
class Follower:
    """A kiosk's point, and other points whose holders it knows without asking."""

    point_id: int
    also: tuple[int, ...] = ()

    @property
    def buckets(self) -> list[str]:
        """What it follows, most needed first."""
        own = [CITY, officer_bucket(self.point_id), point_bucket(self.point_id)]
        return own + [point_bucket(one) for one in self.also if one != self.point_id]


_MORE: Final = (
    select(follow.c.point_id).where(follow.c.kiosk == bindparam("of_kiosk")).order_by(follow.c.point_id)
)


def follower(connection: Connection, kiosk_id: str, point_id: int) -> Follower:
    """What a kiosk at a point follows."""
    return Follower(point_id, tuple(connection.execute(_MORE, {"of_kiosk": kiosk_id}).scalars()))


def set_followed(central: Central, kiosk_id: str, points: tuple[int, ...]) -> None:
    """Makes a kiosk follow exactly these points beside its own.

    Raises OfficerFault ``unknown_kiosk``, ``unknown_point``.
    """
    central.database.write(partial(_set_followed, kiosk_id, sorted(set(points))))


def _set_followed(kiosk_id: str, points: list[int], connection: Connection) -> None:
    kiosk_rows.state_of(connection, kiosk_id)
    known = set(connection.execute(select(point.c.id).where(point.c.id.in_(points))).scalars())
    if missing := [one for one in points if one not in known]:
        raise OfficerFault("unknown_point", f"there is no service point {missing[0]}")
    connection.execute(delete(follow).where(follow.c.kiosk == kiosk_id))
    if points:
        connection.execute(insert(follow), [{"kiosk": kiosk_id, "point_id": one} for one in points])
