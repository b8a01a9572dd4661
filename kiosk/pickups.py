"""Pickups as lists and receipts show them, and what officers settle about those nobody saw recorded."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kiosk.benefit import quantity_text
from kiosk.cache import Cache
from kiosk.database import database_faults
from kiosk.eligibility import local_iso, sound_program
from kiosk.errors import OfficerFault
from kiosk.journal import Draft, Journal
from kiosk.ledger import ACKNOWLEDGED, PICKUPS, Ledger
from kiosk.values import OfficerSession, Pickup, Text
from kiosk.voiding import RecordedPickup, recorded_pickup, void

UNSHOWN_TO_SUPERVISOR_S = 24 * 3600
"""From then on only a supervisor says whether a pickup that nobody saw recorded was handed over."""


class PickupList:
    """Pickups of one ledger, newest first; names come from the cache where there is one."""

    def __init__(self, ledger: Ledger, zone: str) -> None:
        self._ledger = ledger
        self._zone = zone

    def of_record(self, cache: Cache | None, gen: int, seq: int) -> Pickup:
        """The pickup of a dispense that was just recorded."""
        return self._listed(cache, "gen = ? AND seq = ?", gen, seq)[0]

    def of_ref(self, cache: Cache | None, ref: str) -> Pickup:
        """A pickup by its reference, which is known to exist."""
        return self._listed(cache, "ref = ?", ref)[0]

    def unshown(self, cache: Cache | None) -> list[Pickup]:
        """Those that nobody saw recorded and that stand."""
        return self._listed(cache, "shown = 0 AND voided = 0")

    def since(self, cache: Cache | None, wall_ms: int) -> list[Pickup]:
        """Those recorded from that time on (Unix milliseconds)."""
        return self._listed(cache, "wall_ms >= ?", wall_ms)

    def _listed(self, cache: Cache | None, where: str, *values: object) -> list[Pickup]:
        rows = self._ledger.rows(
            f"""SELECT ref, program_id, card, quantity, officer, wall_ms, voided, shown,
                       seq <= coalesce((SELECT acked_seq FROM {ACKNOWLEDGED} a WHERE a.gen = p.gen), 0)
                FROM {PICKUPS} p WHERE {where} ORDER BY gen DESC, seq DESC""",
            *values,
        )
        docs = cache.program_docs({row[1] for row in rows}) if cache and rows else {}
        return [self._pickup(cache, docs, row) for row in rows]

    def _pickup(self, cache: Cache | None, docs: dict[str, str], row: Any) -> Pickup:
        ref, program_id, card, quantity, officer, wall_ms, voided, shown, synced = row
        program = sound_program(program_id, docs[program_id]) if program_id in docs else None
        holder = cache.holder_by_card(card) if cache else None
        return Pickup(
            ref=ref,
            program_id=program_id,
            program_name=Text(program.name.id, program.name.en) if program else Text(program_id, program_id),
            holder_name=holder.name if holder else "",
            quantity=quantity,
            quantity_text=quantity_text(program.benefit, quantity)
            if program
            else Text(str(quantity), str(quantity)),
            officer=officer,
            at=local_iso(wall_ms, self._zone),
            voided=bool(voided),
            shown=bool(shown),
            synced=bool(synced),
        )


@dataclass(frozen=True, slots=True)
class Unshown:
    """A pickup that nobody saw recorded, and who may say whether it was handed over."""

    ref: str
    officer: str
    age_s: float

    @property
    def for_supervisor(self) -> bool:
        """True once it is older than a day: it lies in the supervisor's inbox."""
        return self.age_s > UNSHOWN_TO_SUPERVISOR_S


def unshown(journal: Journal) -> list[Unshown]:
    """Pickups that stand and that nobody saw recorded, the newest first."""
    rows = journal.ledger.rows(f"SELECT ref FROM {PICKUPS} WHERE shown = 0 ORDER BY gen DESC, seq DESC")
    found = []
    for (ref,) in rows:
        with database_faults(journal.ledger.path), suppress(OfficerFault):  # settled meanwhile
            one = recorded_pickup(journal.ledger.db.conn, journal, ref)
            found.append(Unshown(one.ref, one.officer, one.age_s))
    return found


def overdue(journal: Journal) -> list[str]:
    """References of the pickups in the supervisor's inbox."""
    return [one.ref for one in unshown(journal) if one.for_supervisor]


def mark_shown(ledger: Ledger, ref: str) -> None:
    """Notes that the officer saw this pickup recorded. Raises OfficerFault ``unknown_ref``."""
    with ledger.writing() as connection:
        changed = (
            ref.isascii()
            and connection.execute(f"UPDATE {PICKUPS} SET shown = 1 WHERE ref = ?", (ref,)).rowcount
        )
    if not changed:
        raise OfficerFault("unknown_ref", "no such pickup in this kiosk's journal")


def answer_unshown(journal: Journal, ref: str, handed_over: bool, session: OfficerSession) -> None:
    """Settles a pickup that nobody saw recorded: it was handed over, or is voided as ``never_left``.

    Raises OfficerFault: ``unknown_ref``, ``already_voided``, ``already_answered`` for one that somebody saw
    (to void that has rules of its own), ``supervisor_needed`` after a day.
    """

    def permit(pickup: RecordedPickup) -> None:
        if pickup.shown:
            raise OfficerFault("already_answered", f"{ref} was settled already", ref=ref)
        if session.role != "supervisor" and pickup.age_s > UNSHOWN_TO_SUPERVISOR_S:
            raise OfficerFault("supervisor_needed", "older than a day", ref=ref, why="too_late")

    if not handed_over:
        void(journal, ref, "never_left", "unclean stop", session.username, permit)
        return

    def decide(connection: Any) -> Draft:
        permit(recorded_pickup(connection, journal, ref))
        connection.execute(f"UPDATE {PICKUPS} SET shown = 1 WHERE ref = ?", (ref,))
        return Draft(type="note", ref=ref, officer=session.username, detail={"what": "handed_over"})

    journal.append(decide)
