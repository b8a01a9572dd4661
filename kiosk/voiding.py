"""Taking a hand-out back: a record of this kiosk's own, by an officer or on central's request."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kiosk.clock import unix_ms
from kiosk.errors import OfficerFault
from kiosk.journal import MAX_PRIVATE_CHARS, Draft, Journal
from kiosk.journal_format import Record, decode
from kiosk.ledger import JOURNAL, PICKUPS

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecordedPickup:
    """A hand-out as the ledger has it, for who decides whether it may be taken back."""

    ref: str
    officer: str
    shown: bool
    age_s: float
    """Since it was recorded; infinite where the clocks say it is yet to come."""


def void(
    journal: Journal,
    ref: str,
    goods: str,
    reason: str,
    officer: str,
    permit: Callable[[RecordedPickup], None],
    requested_by: str = "",
) -> Record:
    """Records that a hand-out did not happen (``never_left``) or came back (``returned``).

    ``permit`` may refuse inside the transaction; ``requested_by`` names who at central asked for it. Raises
    OfficerFault: ``unknown_ref``, ``already_voided``, ``goods`` and what ``permit`` raises.
    """
    if goods not in ("never_left", "returned"):
        raise OfficerFault("goods", "say never_left or returned")

    def decide(connection: Any) -> Draft:
        pickup = recorded_pickup(connection, journal, ref)
        permit(pickup)
        row = connection.execute(
            f"""SELECT right, quantity, spends, epoch_incarnation, epoch_n, program_id, program_version, card
                FROM {PICKUPS} WHERE ref = ?""",
            (pickup.ref,),
        ).fetchone()
        return Draft(
            type="void",
            right=row[0],
            ref=pickup.ref,
            quantity=row[1],
            epoch=(row[3], row[4]),
            program_version=f"{row[5]}@{row[6]}",
            officer=officer,
            card=row[7],
            detail={"goods": goods, "restores": row[2]}
            | ({"requested_by": requested_by} if requested_by else {}),
            private=json.dumps({"reason": reason}, ensure_ascii=False) if reason else "",
        )

    return journal.append(decide)


def recorded_pickup(connection: Any, journal: Journal, ref: str) -> RecordedPickup:
    """A pickup that stands, inside the caller's transaction.

    Raises OfficerFault ``unknown_ref``, ``already_voided``.
    """
    known = (
        ref.isascii()
        and connection.execute(
            f"""SELECT p.officer, p.shown, p.voided, p.wall_ms, j.record FROM {PICKUPS} p
            LEFT JOIN {JOURNAL} j ON j.gen = p.gen AND j.seq = p.seq WHERE p.ref = ?""",
            (ref,),
        ).fetchone()
    )
    if not known:
        raise OfficerFault("unknown_ref", "no such pickup in this kiosk's journal")
    officer, shown, voided, wall_ms, payload = known
    if voided:
        raise OfficerFault("already_voided", f"{ref} is voided already", ref=ref)
    # Of a pruned record only the wall time is left, which is months old.
    record = decode(bytes(payload)) if payload is not None else None
    clock = journal.clock
    if record is not None and record.boot_id == clock.boot_id():
        age_ms = clock.monotonic_ms() - record.mono
    else:
        age_ms = unix_ms(clock.now()) - wall_ms
    return RecordedPickup(ref, officer, bool(shown), age_ms / 1000 if age_ms >= 0 else float("inf"))


def void_requested(journal: Journal, ref: str, reason: str, by: str) -> Record | None:
    """Carries out central's request to take a hand-out back; None if there is nothing to take back.

    Central asks again until it has the record, so a pickup that is voided already is nothing new.
    """
    # What central says is kept as far as it can be: a reason that is too long holds up no void.
    readable = reason.encode("utf-8", "replace").decode()[: MAX_PRIVATE_CHARS // 4]
    try:
        return void(journal, ref, "returned", readable, "", lambda pickup: None, by or "central")
    except OfficerFault as fault:
        if fault.code != "already_voided":
            log.warning("central asks to void %r: %s", ref, fault.code)
        return None
