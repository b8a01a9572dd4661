"""What becomes of rights that a kiosk asks for on a tap."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from sqlalchemy import Connection

from kiosk.period import split_right
from sync.central import placement, programs, right_rows
from sync.central.feed import FeedChanges
from sync.central.recalls import WANTED, Recalls
from sync.central.right_rows import Kiosk, Kiosks, Right
from sync.central.rights import hand_over, signed_grant
from sync.central.state import Central
from sync.wire import RightAnswer

WANTED_S: Final = 60
"""How long a right that came back by recall waits for the kiosk that asked for it."""


def acquire(central: Central, kiosk_id: str, gen: int, wanted: Sequence[str]) -> list[RightAnswer]:
    """What becomes of rights that a kiosk wants now: free ones are granted, others recalled."""
    answers = central.database.write(partial(_acquire, central, kiosk_id, gen, wanted))
    central.outside.keep_grants([one.grant for one in answers if one.grant is not None])
    return answers


def _acquire(
    central: Central, kiosk_id: str, gen: int, wanted: Sequence[str], connection: Connection
) -> list[RightAnswer]:
    now = central.now()
    kiosks = Kiosks(connection)
    asker = kiosks.by_id[kiosk_id]
    placement.ensure(central, connection, _subjects(wanted), now, kiosks)
    rows = right_rows.load(connection, wanted)
    served = programs.served_at(connection, asker.point_id)
    changes, recalls = FeedChanges(), Recalls(now)
    answers: list[RightAnswer] = []
    for key in wanted:
        row = rows.get(key)
        if row is None or not _is_served(row, served):
            answers.append(RightAnswer(right=key, status="unknown"))
            continue
        answers.append(_decide(central, connection, row, asker, gen, now, kiosks, changes, recalls))
    recalls.write(connection)
    changes.write(connection)
    return answers


def _decide(
    central: Central,
    connection: Connection,
    row: Right,
    asker: Kiosk,
    gen: int,
    now: int,
    kiosks: Kiosks,
    changes: FeedChanges,
    recalls: Recalls,
) -> RightAnswer:
    where = kiosks.point_of(row.held_by)
    if row.left == 0:
        return RightAnswer(
            right=row.right, status="taken", point=row.last_point_id, at=row.last_at, ref=row.last_ref
        )
    if now >= row.not_after:
        return RightAnswer(right=row.right, status="closed")
    mine = row.held_by == asker.id and row.gen == gen and not row.in_doubt
    if mine and row.recall and row.wanted_by:
        # Asked for by its own holder: somebody stands there with the card.
        row.recall, row.wanted_by, row.wanted_until = False, "", 0
        right_rows.save(connection, [row])
    if mine:
        return _granted(central, row)
    if now < row.not_before:
        return RightAnswer(right=row.right, status="later")
    if not asker.may_hold or asker.gen != gen:
        return RightAnswer(right=row.right, status="held", point=where or None, kiosk=row.held_by or None)
    if row.waits:
        # Another card of the same person may still spend it elsewhere.
        return RightAnswer(right=row.right, status="recalled", point=where or None, kiosk=row.held_by or None)
    if not row.held_by:
        hand_over(connection, central.incarnation, asker, [row], now, changes, kiosks)
        if row.held_by != asker.id:
            # Withheld: central went back to a backup, and another kiosk may hold this right.
            return RightAnswer(right=row.right, status="held")
        return _granted(central, row)
    if row.in_doubt or not kiosks.by_id[row.held_by].may_hold:
        return RightAnswer(right=row.right, status="held", point=where, kiosk=row.held_by)
    if not row.recall or row.wanted_by:
        recalls.ask(row, WANTED, asker.id)
        row.wanted_by, row.wanted_until = asker.id, now + WANTED_S
    right_rows.save(connection, [row])
    return RightAnswer(right=row.right, status="recalled", point=where, kiosk=row.held_by)


def _granted(central: Central, row: Right) -> RightAnswer:
    return RightAnswer(
        right=row.right, status="granted", grant=signed_grant(central, row), grant_rev=row.grant_rev
    )


def _is_served(row: Right, served: frozenset[str]) -> bool:
    return any(term[0] in served for term in json.loads(row.terms))


def _subjects(keys: Iterable[str]) -> set[str]:
    """The subjects of right keys; keys that cannot be one are left out and will be unknown."""
    subjects = set()
    for key in keys:
        try:
            subjects.add(split_right(key).subject)
        except ValueError:
            continue
    return subjects
