"""What waits for a kiosk: changes, recalls, grants; and the waiting itself, without a connection held."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sqlalchemy import Connection, bindparam, delete, select, update

from kiosk.errors import CentralFault
from sync.central import (
    changes,
    following,
    key_renewal,
    kiosk_health,
    kiosk_orders,
    orders,
    placement,
    recovery,
    rights,
    stock,
)
from sync.central.models import kiosk, kiosk_gen, nonce
from sync.central.right_rows import FROZEN, REVOKED
from sync.central.state import Central
from sync.signature import MAX_SKEW_S
from sync.wire import MAX_GRANTS, MAX_RIGHTS, PollAnswer, PollRequest

TICK_S: Final = 5
RESET_EVERY_S: Final = 300
"""A kiosk whose digest never agrees is not sent everything at each poll."""
TELL_AGAIN_S: Final = 5
TELL_ORDER_AGAIN_S: Final = 60
"""A void asked for or a stock slice may wait at the kiosk for an officer, or for its next push."""
WAKE_S: Final = 1.0
"""How often a waiting poll looks by itself: another process of central may have written."""

_STATE_OF: Final = select(kiosk.c.state, kiosk.c.gen, kiosk.c.point_id, kiosk.c.frozen_why).where(
    kiosk.c.id == bindparam("of_kiosk")
)
_HEALTH_OF: Final = select(kiosk.c.health).where(kiosk.c.id == bindparam("of_kiosk"))

logger = logging.getLogger(__name__)


class Ticker:
    """Runs what time brings (periods that turn, free rights, old nonces), at most every TICK_S."""

    def __init__(self, central: Central) -> None:
        self._central = central
        self._lock = threading.Lock()
        self._last: int | None = None

    def hasten(self) -> None:
        """Makes the next tick due now."""
        self._last = None

    def tick(self) -> None:
        """Does what is due; a tick that another thread is in is not waited for."""
        now = self._central.now()
        if (self._last is not None and 0 <= now - self._last < TICK_S) or not self._lock.acquire(
            blocking=False
        ):
            return
        try:
            self._last = now
            made = placement.place(self._central)
            if made:
                logger.info("placed %d rights", made)
            key_renewal.renew(self._central)
            self._central.database.write(partial(_forget_nonces, now), quiet=True)
        finally:
            self._lock.release()


class Hub:
    """Wakes waiting polls when something was written; ``notify`` may come from any thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._written = asyncio.Event()
        self.closed = False

    def notify(self) -> None:
        """Something was written."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """Lets all waiting polls go."""
        self.closed = True
        self.notify()

    async def wait(self, timeout_s: float) -> None:
        """Until something is written, or the time is over."""
        self._loop = asyncio.get_running_loop()
        if self.closed:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._written.wait()
        except TimeoutError:
            return

    def _wake(self) -> None:
        written, self._written = self._written, asyncio.Event()
        written.set()


@dataclass(slots=True)
class Told:
    """What this process has told each kiosk lately; only saves repetition, so it may be forgotten."""

    resets: dict[str, int] = field(default_factory=dict)
    recalls: dict[str, dict[str, int]] = field(default_factory=dict)
    orders: dict[str, dict[str, int]] = field(default_factory=dict)

    def may_reset(self, kiosk_id: str, now: int) -> bool:
        """True, and remembered, if the kiosk was not sent everything lately."""
        last = self.resets.get(kiosk_id)
        if last is not None and 0 <= now - last < RESET_EVERY_S:
            return False
        self.resets[kiosk_id] = now
        return True

    def are_new(self, kiosk_id: str, recalls: list[str], now: int) -> bool:
        """True if a recall among these was not told in the last TELL_AGAIN_S."""
        before = self.recalls.get(kiosk_id, {})
        return any(now - before.get(right, -TELL_AGAIN_S) >= TELL_AGAIN_S for right in recalls)

    def orders_are_new(self, kiosk_id: str, names: list[str], now: int) -> bool:
        """True if a void or a slice among these was not told in the last TELL_ORDER_AGAIN_S."""
        before = self.orders.get(kiosk_id, {})
        return any(now - before.get(name, -TELL_ORDER_AGAIN_S) >= TELL_ORDER_AGAIN_S for name in names)

    def remember(self, kiosk_id: str, answer: PollAnswer, now: int) -> None:
        """Notes what goes out now."""
        self.recalls[kiosk_id] = dict.fromkeys(answer.recalls, now)
        before, names = self.orders.get(kiosk_id, {}), _orders_in(answer)
        late = self.orders_are_new(kiosk_id, names, now)
        self.orders[kiosk_id] = {name: now if late else before[name] for name in names}


def current_point(connection: Connection, kiosk_id: str, gen: int, *, even_frozen: bool = False) -> int:
    """The point of a kiosk that may take part.

    Raises CentralFault ``kiosk_revoked``, ``stale_gen``, ``kiosk_stopped``, ``kiosk_frozen``.
    """
    row = connection.execute(_STATE_OF, {"of_kiosk": kiosk_id}).one()
    if row.state == REVOKED:
        raise CentralFault("kiosk_revoked", f"{kiosk_id} was revoked")
    if row.gen != gen:
        raise CentralFault("stale_gen", f"{kiosk_id} was enrolled again since")
    if row.state == FROZEN and row.frozen_why == kiosk_orders.STOPPED and not even_frozen:
        raise CentralFault("kiosk_stopped", f"{kiosk_id} was stopped by central's staff")
    if row.state == FROZEN and not even_frozen:
        raise CentralFault("kiosk_frozen", f"{kiosk_id} may not hand out: {row.frozen_why}")
    return int(row.point_id)


def note_seen(central: Central, kiosk_id: str, request: PollRequest) -> None:
    """Keeps when a kiosk was heard of, and how it is."""

    def work(connection: Connection) -> None:
        before = connection.execute(_HEALTH_OF, {"of_kiosk": kiosk_id}).scalar()
        health = kiosk_health.after(before, request, central.now())
        seen = update(kiosk).where(kiosk.c.id == kiosk_id)
        connection.execute(seen.values(seen_at=central.now(), health=health))
        if request.health:
            kiosk_orders.note_health(connection, kiosk_id, request.gen, request.health, central.now())

    central.database.write(work, quiet=True)


def look(central: Central, kiosk_id: str, request: PollRequest, told: Told) -> tuple[PollAnswer, bool]:
    """What waits for a kiosk now, and whether that is worth answering at once.

    Raises CentralFault as ``current_point`` does.
    """
    now = central.now()
    with central.database.read() as connection:
        order = kiosk_orders.order_of(connection, kiosk_id, request.gen)
        if order is not None:
            return kiosk_orders.answer(central, connection, kiosk_id, request, order), not order.is_done
        point_id = current_point(connection, kiosk_id, request.gen)
        row = connection.execute(
            select(kiosk.c.grant_rev, kiosk_gen.c.acked_seq)
            .select_from(kiosk.join(kiosk_gen, kiosk_gen.c.kiosk == kiosk.c.id))
            .where(kiosk.c.id == kiosk_id, kiosk_gen.c.gen == request.gen)
        ).one()
        follower = following.follower(connection, kiosk_id, point_id)
        waiting = changes.are_waiting(connection, central, follower, request.cursor)
        after = request.highest_grant_rev
        reset = _disagrees(connection, kiosk_id, request, row.grant_rev) and told.may_reset(kiosk_id, now)
        if reset:
            after = 0
        held = rights.outstanding(connection, kiosk_id, request.gen, after, MAX_GRANTS + 1)
        recalls = rights.recalled(connection, kiosk_id, request.gen, MAX_RIGHTS)
        voids = orders.voids_for(connection, kiosk_id)
        slices = stock.waiting(central, connection, kiosk_id, request.gen)
        asked = recovery.is_asked(connection, kiosk_id, request.gen)
    some = held[:MAX_GRANTS]
    answer = PollAnswer(
        changes_waiting=waiting,
        recalls=recalls,
        grants=[rights.signed_grant(central, one) for one in some],
        grant_rev=some[-1].grant_rev if some else after,
        grants_more=len(held) > MAX_GRANTS,
        grants_reset=reset,
        time_ms=int(central.clock() * 1000),
        incarnation=central.incarnation,
        acked_seq=row.acked_seq,
        report_wanted=asked,
        slices=slices,
        voids=voids,
    )
    news = told.are_new(kiosk_id, recalls, now) or told.orders_are_new(kiosk_id, _orders_in(answer), now)
    return answer, bool(waiting or some or reset or news)


def _orders_in(answer: PollAnswer) -> list[str]:
    names = [one.ref for one in answer.voids] + [hashlib.sha256(one).hexdigest() for one in answer.slices]
    return [*names, "report"] if answer.report_wanted else names


def _disagrees(connection: Connection, kiosk_id: str, request: PollRequest, grant_rev: int) -> bool:
    """True if the kiosk holds other grants than central believes.

    Not asked while records wait at the kiosk: a release among them makes the sets differ rightly.
    """
    if request.highest_grant_rev > grant_rev:
        return True
    if request.highest_grant_rev == 0 or request.queue:
        return False
    digests = rights.outstanding_digests(connection, kiosk_id, request.gen, request.highest_grant_rev)
    return request.grants_digest not in digests


def _forget_nonces(now: int, connection: Connection) -> None:
    connection.execute(delete(nonce).where(nonce.c.seen_at < now - 3 * MAX_SKEW_S))
