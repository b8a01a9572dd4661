"""What central orders a kiosk: to stop handing out, to send all it has, to wipe what it knows of people.

An order comes in the answer to a poll, or as the code of a signed refusal. Each step is safe to repeat,
central goes on asking, and every poll tells how far the kiosk is. The ledger and the keys for pushing always
stay.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from kiosk import freezing, keystore
from kiosk.errors import CentralFault
from kiosk.freezing import freeze_ledger
from kiosk.ledger import OFFICER_DELAYS, Ledger, meta_of, put_meta

if TYPE_CHECKING:
    from sync.engine import SyncEngine

STOP: Final = "stop"
FLUSH: Final = "flush"
WIPE: Final = "wipe"
STOPPED, FLUSHED, WIPED = "stopped", "flushed", "wiped"
DONE_META: Final = "order_done"

log = logging.getLogger(__name__)


def health_of(ledger: Ledger) -> dict[str, Any]:
    """What a poll tells of orders carried out, and of why this kiosk does not hand out."""
    told = {"order": ledger.meta(DONE_META), "frozen": ledger.meta("frozen")}
    return {key: value for key, value in told.items() if value}


def obey(engine: SyncEngine, order: str) -> None:
    """Carries out what a poll's answer orders; no order ends a stop.

    Raises CentralFault ``kiosk_revoked`` for ``wipe``, which ``heed`` answers as it does a signed refusal;
    what a push raises.
    """
    ledger = engine.ledger
    if order == WIPE:
        raise CentralFault("kiosk_revoked", "central has revoked this kiosk", signed=True)
    if order in (STOP, FLUSH):
        freeze_ledger(ledger, freezing.STOPPED)
        if order == FLUSH:
            engine.push_all()
        _note(ledger, FLUSHED if order == FLUSH and not ledger.waiting() else STOPPED)
    elif order:
        log.warning("central gives an order this program does not know")
    elif ledger.meta(DONE_META) in (STOPPED, FLUSHED):
        freezing.thaw(ledger, freezing.STOPPED)
        _note(ledger, "")


def carry_out_revocation(engine: SyncEngine) -> None:
    """Stops, sends what there is, wipes the cache, the officers' secrets and what is kept of them."""
    freeze_ledger(engine.ledger, freezing.REVOKED)
    if engine.ledger.meta(DONE_META) == WIPED and not engine.caches.has_files():
        return
    try:
        engine.push_all()
    except CentralFault as fault:
        # It goes on being tried. Citizens' data must not wait for it on a device that may be stolen.
        log.warning("the journal could not be sent yet: %s", fault.code)
    log.warning("central has revoked this kiosk: its cache is wiped")
    with engine.caches.loading():
        engine.caches.wipe()
    keystore.forget_pepper(engine.home)
    with engine.ledger.writing() as connection:
        connection.execute(f"DELETE FROM {OFFICER_DELAYS}")
        put_meta(connection, **{DONE_META: WIPED})


def _note(ledger: Ledger, done: str) -> None:
    if ledger.meta(DONE_META) in (done, WIPED):
        return
    with ledger.writing() as connection:
        if meta_of(connection, DONE_META) != WIPED:
            put_meta(connection, **{DONE_META: done})
