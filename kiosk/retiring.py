"""A kiosk that retires gives everything back by its own signed record, and hands out nothing any more.

That record is what frees the rights of a kiosk that is taken out of service, at once and without anybody's
approval; a kiosk that cannot make it is written off at central instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kiosk import freezing, stock_records
from kiosk.errors import OfficerFault
from kiosk.journal import Draft, Journal
from kiosk.journal_format import EVERY_RIGHT, RELEASE
from kiosk.ledger import RIGHTS, meta_of


@dataclass(frozen=True, slots=True)
class Retirement:
    """What went back."""

    rights: int
    slices: int


class _RetiredAlready(Exception):
    """Ends a transaction that has nothing to append."""


def retire(journal: Journal, supervisor: str) -> Retirement:
    """Gives back all rights by one record, then all stock; can be repeated after a stop in between.

    Raises OfficerFault ``frozen`` (detail ``why``) for a journal that forked, was damaged or came back from
    an old disk: its word frees nothing, and its rights are written off at central.
    """
    rights = _release_all(journal, supervisor)
    return Retirement(rights, len(stock_records.give_back(journal, supervisor)))


def _release_all(journal: Journal, supervisor: str) -> int:
    gen = journal.identity.gen
    released = 0

    def decide(connection: Any) -> Draft:
        nonlocal released
        why = meta_of(connection, "frozen")
        if why in (freezing.FORKED, freezing.ROLLED_BACK, freezing.SALVAGED):
            raise OfficerFault("frozen", "this journal's word frees nothing: write off at central", why=why)
        if freezing.is_retired(connection, gen):
            raise _RetiredAlready
        held = connection.execute(
            f"SELECT epoch_incarnation, epoch_n FROM {RIGHTS} WHERE gen = ? AND held = 1", (gen,)
        ).fetchall()
        released = len(held)
        upto = max(((row[0], row[1]) for row in held), default=(0, 0))
        return Draft(
            type=RELEASE, right=EVERY_RIGHT, epoch=upto, officer=supervisor, detail={"upto": list(upto)}
        )

    try:
        journal.append(decide)
    except _RetiredAlready:
        return 0
    return released
