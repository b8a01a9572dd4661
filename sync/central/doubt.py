"""Since when a right was in doubt, and why: what central did to the generation of a kiosk that held it.

Nothing is kept of it by right: it follows from when a generation's word was lost and who held the right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from kiosk.journal_format import parse_ref
from sync.central.kiosk_rows import REVOKE
from sync.central.models import case, kiosk_gen, kiosk_order

REVOKED: Final = "revoked"
FORKED: Final = "fork"
ROLLED_BACK: Final = "rolled_back"
ENROLLED_AGAIN: Final = "enrolled_again"


@dataclass(frozen=True, slots=True)
class Doubt:
    """From ``at`` (Unix seconds) on nobody can say what became of what ``gen`` of ``kiosk`` held."""

    at: int
    kiosk: str
    gen: int
    why: str
    epoch: tuple[int, int]
    """Of the grant that was outstanding."""


def doubts(
    connection: Connection, grants: Sequence[Any], releases: Sequence[tuple[int, str, tuple[int, int]]]
) -> list[Doubt]:
    """When a right was in doubt, by its grants (rows of ``grant_log``) in the order of their epochs.

    ``releases``: when each release came, the record's reference and up to which epoch it speaks.
    """
    found: list[Doubt] = []
    for kiosk, gen in dict.fromkeys(map(_holder_of, grants)):
        lost = _lost(connection, kiosk, gen)
        if lost is None:
            continue
        at, why = lost
        own = [_epoch_of(row) for row in grants if _holder_of(row) == (kiosk, gen) and row["issued_at"] <= at]
        # Of the same second: what went elsewhere by then came back by a release, and else went there later.
        since = [_epoch_of(row) for row in grants if row["issued_at"] < at]
        epoch = max(own, default=(0, 0))
        if not own or max(since, default=epoch) > epoch:
            continue
        given = (upto for came, ref, upto in releases if came <= at and parse_ref(ref)[:2] == (kiosk, gen))
        if not any(epoch <= upto for upto in given):
            found.append(Doubt(at, kiosk, gen, why, epoch))
    return found


def _lost(connection: Connection, kiosk: str, gen: int) -> tuple[int, str] | None:
    """When and why what this generation held went in doubt; None while its word counts."""
    order = select(kiosk_order.c.ordered_at).where(
        kiosk_order.c.kiosk == kiosk, kiosk_order.c.gen == gen, kiosk_order.c.what == REVOKE
    )
    found = [(at, REVOKED) for at in connection.execute(order).scalars()]
    again = select(kiosk_gen.c.enrolled_at).where(kiosk_gen.c.kiosk == kiosk, kiosk_gen.c.gen == gen + 1)
    found += [(at, ENROLLED_AGAIN) for at in connection.execute(again).scalars()]
    ids = [f"{code}:{kiosk}.{gen}" for code in (FORKED, ROLLED_BACK)]
    told = select(case.c.opened_at, case.c.code).where(case.c.id.in_(ids))
    found += [(row.opened_at, row.code) for row in connection.execute(told)]
    return min(found, default=None)


def _epoch_of(row: Any) -> tuple[int, int]:
    return row["epoch_incarnation"], row["epoch_n"]


def _holder_of(row: Any) -> tuple[str, int]:
    return row["kiosk"], row["gen"]
