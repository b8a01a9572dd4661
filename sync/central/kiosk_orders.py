"""Orders to kiosks: to stop, to send everything, to wipe; and what kiosks say of themselves with each poll.

An order is for one generation. It goes out with every poll until it is taken back or another generation
begins; a kiosk that was cut off gets it at its next contact. Pushing stays allowed whatever is ordered.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from kiosk.errors import OfficerFault
from sync.central import kiosk_rows, rights
from sync.central.feed import FeedChanges
from sync.central.models import case, kiosk, kiosk_gen, kiosk_order
from sync.central.right_rows import ACTIVE, FROZEN, REVOKED
from sync.central.state import Central
from sync.wire import PollAnswer, PollRequest

STOPPED: Final = "stopped"
"""Why a kiosk is frozen that people have stopped."""
DONE: Final = ("", "stopped", "flushed", "wiped")
"""How far a kiosk may say that it is, in order."""
ROLLED_BACK: Final = "ledger_rolled_back"
"""What a kiosk says that found less in its ledger than central has."""


@dataclass(frozen=True, slots=True)
class Order:
    """What one generation of a kiosk is to do."""

    what: str
    done: str

    @property
    def step(self) -> str:
        """The word that the next answer carries. ``wipe`` is not held up by what a thief never reports."""
        if self.what == kiosk_rows.REVOKE:
            return "wipe"
        return "stop" if self.done == "" else "flush"

    @property
    def is_done(self) -> bool:
        """True if the kiosk says that it has carried out all of it."""
        return DONE.index(self.done) >= DONE.index("wiped" if self.what == kiosk_rows.REVOKE else "flushed")


def stop(central: Central, kiosk_id: str) -> None:
    """Stops a kiosk: it hands nothing out and gets no grants until ``resume``.

    Raises OfficerFault ``unknown_kiosk``, ``kiosk_not_active``.
    """
    central.database.write(partial(_stop, kiosk_id, central.now()))


def _stop(kiosk_id: str, now: int, connection: Connection) -> None:
    state = kiosk_rows.state_of(connection, kiosk_id)
    if state != ACTIVE:
        raise OfficerFault("kiosk_not_active", f"{kiosk_id} is {state}", state=state)
    changes = FeedChanges()
    kiosk_rows.freeze(connection, changes, kiosk_id, STOPPED)
    changes.write(connection)
    kiosk_rows.order(connection, kiosk_id, kiosk_rows.STOP, now)


def resume(central: Central, kiosk_id: str) -> None:
    """Takes a stop back.

    Raises OfficerFault ``unknown_kiosk``, ``kiosk_not_stopped``: revoked or forked, it is enrolled again.
    """
    central.database.write(partial(_resume, kiosk_id))


def _resume(kiosk_id: str, connection: Connection) -> None:
    kiosk_rows.state_of(connection, kiosk_id)
    stopped = (kiosk.c.id == kiosk_id) & (kiosk.c.state == FROZEN) & (kiosk.c.frozen_why == STOPPED)
    again = update(kiosk).where(stopped).values(state=ACTIVE, frozen_why="")
    gen = connection.execute(again.returning(kiosk.c.gen)).scalar()
    if gen is None:
        raise OfficerFault("kiosk_not_stopped", f"{kiosk_id} is not stopped by an order")
    connection.execute(delete(kiosk_order).where(kiosk_order.c.kiosk == kiosk_id, kiosk_order.c.gen == gen))
    changes = FeedChanges()
    kiosk_rows.tell(connection, changes, kiosk_id)
    changes.write(connection)


_ORDER_OF: Final = (
    select(kiosk_order.c.what, kiosk_order.c.done, kiosk.c.state, kiosk.c.frozen_why)
    .select_from(kiosk_order.join(kiosk, kiosk.c.id == kiosk_order.c.kiosk))
    .where(kiosk_order.c.kiosk == bindparam("of_kiosk"))
    .where(kiosk_order.c.gen == bindparam("of_gen"), kiosk.c.gen == bindparam("of_gen"))
)


def order_of(connection: Connection, kiosk_id: str, gen: int) -> Order | None:
    """The order that this generation is under; None for most."""
    row = connection.execute(_ORDER_OF, {"of_kiosk": kiosk_id, "of_gen": gen}).first()
    if row is None:
        return None
    stands = row.state == REVOKED if row.what == kiosk_rows.REVOKE else row.frozen_why == STOPPED
    return Order(row.what, row.done) if stands else None


def answer(
    central: Central, connection: Connection, kiosk_id: str, request: PollRequest, order: Order
) -> PollAnswer:
    """The answer to the poll of a kiosk under an order: no grants and no recalls, which it keeps for now."""
    acked = select(kiosk_gen.c.acked_seq).where(kiosk_gen.c.kiosk == kiosk_id, kiosk_gen.c.gen == request.gen)
    return PollAnswer(
        changes_waiting=False,
        grant_rev=request.highest_grant_rev,
        time_ms=int(central.clock() * 1000),
        incarnation=central.incarnation,
        acked_seq=connection.execute(acked).scalar_one(),
        order=order.step,
    )


def note_health(connection: Connection, kiosk_id: str, gen: int, health: dict[str, Any], now: int) -> None:
    """Takes in what a kiosk says of orders carried out, and of an old disk that came back."""
    done = health.get("order")
    if isinstance(done, str) and done in DONE[1:]:
        mine = (kiosk_order.c.kiosk == kiosk_id) & (kiosk_order.c.gen == gen) & (kiosk_order.c.done != done)
        connection.execute(update(kiosk_order).where(mine).values(done=done, done_at=now))
    if health.get("frozen") == ROLLED_BACK:
        _rolled_back(connection, kiosk_id, gen, now)


def _rolled_back(connection: Connection, kiosk_id: str, gen: int, now: int) -> None:
    """Freezes a kiosk whose disk is an old one, once: what it holds may have been handed out already."""
    case_id = f"rolled_back:{kiosk_id}.{gen}"
    row = connection.execute(select(kiosk.c.state, kiosk.c.gen).where(kiosk.c.id == kiosk_id)).one()
    if row.gen != gen or connection.execute(select(case.c.id).where(case.c.id == case_id)).first():
        return
    values = {"id": case_id, "code": "rolled_back", "right": "", "refs": "[]", "kiosk": kiosk_id}
    detail = json.dumps({"kiosk": kiosk_id, "gen": gen})
    connection.execute(insert(case).values(**values, detail=detail, opened_at=now))
    changes = FeedChanges()
    kiosk_rows.freeze(connection, changes, kiosk_id, "rolled_back")
    changes.write(connection)
    rights.put_in_doubt(connection, kiosk_id, gen)
