"""Device keys as central knows them: the one a generation was enrolled with, and those it was rolled to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, insert, select, update

from sync.central.models import kiosk_gen, kiosk_key

MOST_ROLLS: Final = 1000
"""Of one generation; what is rolled more often is kept in quarantine."""
_SAME: Final = (kiosk_key.c.kiosk == kiosk_gen.c.kiosk) & (kiosk_key.c.gen == kiosk_gen.c.gen)
_ROLLED: Final = kiosk_key.c.public.label("rolled")
# Made once: each request asks this, and to make the statement takes longer than to run it.
_OF_GENERATION: Final = (
    select(kiosk_gen.c.public, kiosk_key.c.from_seq, _ROLLED, kiosk_key.c.beside, kiosk_key.c.used_at)
    .select_from(kiosk_gen.outerjoin(kiosk_key, _SAME))
    .where(kiosk_gen.c.kiosk == bindparam("of_kiosk"), kiosk_gen.c.gen == bindparam("of_gen"))
    .order_by(kiosk_key.c.from_seq, _ROLLED)
)


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """A raw Ed25519 public key and the first record that it signs."""

    from_seq: int
    public: bytes
    beside: bool = False
    """Named by a record that is kept beside the chain: a fork's other side goes on under it."""
    used: bool = True
    """A request was signed by it: from then on the key before it signs none any more."""


def of_generation(connection: Connection, kiosk_id: str, gen: int) -> list[DeviceKey]:
    """The keys of a generation, oldest first; empty for one that was never registered."""
    rows = connection.execute(_OF_GENERATION, {"of_kiosk": kiosk_id, "of_gen": gen}).all()
    if not rows:
        return []
    later = [
        DeviceKey(row.from_seq, bytes(row.rolled), row.beside, row.used_at is not None)
        for row in rows
        if row.rolled is not None
    ]
    return [DeviceKey(1, bytes(rows[0].public)), *later]


def in_force(keys: Sequence[DeviceKey], seq: int) -> bytes:
    """The key that signs record ``seq`` of the chain."""
    if len(keys) == 1:
        return keys[0].public
    return next(key.public for key in reversed(keys) if not key.beside and key.from_seq <= seq)


def may_ask(keys: Sequence[DeviceKey], public: bytes) -> bool:
    """True if this key signs requests now: the newest of the chain, or the one before until that was used.

    Any other key of the generation still pushes its journal, and is told that it was rolled.
    """
    chain = [key for key in keys if not key.beside]
    newest = chain[-1]
    return public == newest.public or (not newest.used and len(chain) > 1 and public == chain[-2].public)


def is_first_use(keys: Sequence[DeviceKey], public: bytes) -> bool:
    """True if a request by this key ends that of the key before it."""
    return any(key.public == public and not key.used and not key.beside for key in keys)


def mark_used(connection: Connection, kiosk_id: str, gen: int, public: bytes, now: int) -> None:
    """Notes that a request was signed by this key."""
    first = update(kiosk_key).where(kiosk_key.c.kiosk == kiosk_id, kiosk_key.c.gen == gen)
    first = first.where(kiosk_key.c.public == public, kiosk_key.c.used_at.is_(None))
    connection.execute(first.values(used_at=now))


def add(connection: Connection, kiosk_id: str, gen: int, keys: Iterable[DeviceKey]) -> None:
    """Keeps keys that records of this generation named."""
    known = {(one.from_seq, one.public) for one in of_generation(connection, kiosk_id, gen)}
    rows = [
        {
            "kiosk": kiosk_id,
            "gen": gen,
            "from_seq": key.from_seq,
            "public": key.public,
            "beside": key.beside,
            "used_at": None,
        }
        for key in keys
        if (key.from_seq, key.public) not in known
    ]
    if rows:
        connection.execute(insert(kiosk_key), rows)
