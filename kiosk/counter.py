"""The counter: everything the screens and the commands ask of the domain, over one pair of connections.

One thread owns a ``Counter``, because it owns the database connections in it. Nothing here waits for the
network: rights are asked for through ``RightsSource`` and looked at again when its future is done.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from kiosk import sync_state
from kiosk.benefit import quantity_text
from kiosk.cache import Cache, CacheFolder, Holder
from kiosk.clock import Clock, from_unix_ms, unix_ms
from kiosk.credential import VerifiedCard, check_standing, verify
from kiosk.eligibility import Asked, Eligible, Moment, eligible, local_iso, program_of, rights_to_ask
from kiosk.enrolment import Enrolment
from kiosk.errors import CardFault, OfficerFault
from kiosk.journal import Draft, Journal
from kiosk.keyset import KeySet
from kiosk.ledger import ACKNOWLEDGED, PICKUPS, Ledger
from kiosk.names import public_name
from kiosk.officers import Officers
from kiosk.ports import RightsSource, RightWord
from kiosk.program import needs_reason
from kiosk.program_state import HeldHere
from kiosk.rights import Handing, dispense, release, void
from kiosk.values import (
    CardRead,
    Checks,
    Collector,
    Grade,
    KioskStatus,
    Medium,
    OfficerSession,
    Person,
    Pickup,
    StateCode,
    Text,
    Visit,
)

REFUSED_AS = {
    StateCode.CHECKING: "right_not_held",
    StateCode.TAKEN: "already_taken",
    StateCode.NOT_YET: "not_yet",
    StateCode.ENDED: "ended",
    StateCode.NEEDS_DOCUMENT: "documents",
    StateCode.HELD_ELSEWHERE: "held_elsewhere",
    StateCode.NEEDS_NETWORK: "right_not_held",
    StateCode.GRADE_TOO_LOW: "grade_too_low",
    StateCode.BLOCKED: "blocked",
    StateCode.DATE_IN_DOUBT: "date_in_doubt",
}
"""Code of the OfficerFault that ``confirm`` raises for each state that is not ready."""


class Counter:
    """Reads cards, lists programs, records pickups and voids."""

    def __init__(
        self,
        home: Path,
        enrolment: Enrolment,
        ledger: Ledger,
        caches: CacheFolder,
        journal: Journal,
        keyset: Callable[[], KeySet],
        pepper: bytes,
        clock: Clock,
        *,
        rights: RightsSource | None = None,
        zone: str = "Asia/Jakarta",
        void_minutes: int = 10,
        warnings: tuple[str, ...] = (),
    ) -> None:
        self.home = home
        self.enrolment = enrolment
        self._ledger = ledger
        self._caches = caches
        self._journal = journal
        self._keyset = keyset
        self._clock = clock
        self._rights = rights
        self._zone = zone
        self._void_minutes = void_minutes
        self._warnings = warnings
        self._officers = Officers(ledger, journal, clock, pepper, enrolment.point)
        self._sessions: set[OfficerSession] = set()
        self._asked: dict[str, dict[str, Future[dict[str, RightWord]]]] = {}

    def close(self) -> None:
        """Closes the connections."""
        self._caches.close()
        self._ledger.close()

    # -- cards --

    def read(self, read: CardRead, session: OfficerSession | None = None) -> Visit:
        """The visit of a card that holds. Raises CardFault, EnvironmentFault."""
        cache = self._caches.current()
        now_s = int(self._clock.now().timestamp())
        return self._admit(cache, verify(read, self._keyset(), now_s), session)

    def read_typed(self, card_no: str, session: OfficerSession, reason: str) -> Visit:
        """The visit of a card number that an officer typed; grade ``typed``.

        Raises CardFault; OfficerFault ``not_signed_in``, ``reason_missing``.
        """
        self._require(session)
        if not reason.strip():
            raise OfficerFault("reason_missing", "say why the card could not be read")
        cache = self._caches.current()
        holder = cache.holder_by_card(card_no)
        if holder is None:
            raise CardFault("card_unknown_holder", "no holder with this card number in the cache")
        typed = VerifiedCard(card_no, holder.issue_no, Grade.TYPED, Medium.TYPED, 0, 0, b"")
        visit = self._admit(cache, typed, session)
        self._journal.append(
            lambda _: Draft(
                type="note", officer=session.username, card=card_no, detail={"what": "typed"}, private=reason
            )
        )
        return visit

    def _admit(self, cache: Cache, card: VerifiedCard, session: OfficerSession | None) -> Visit:
        holder = cache.holder_by_card(card.card_no)
        check_standing(
            card,
            holder.issue_no if holder else None,
            self._ledger.highest_issue(card.card_no),
            cache.denied(card.card_no, card.issue_no),
            holder.status if holder else None,
        )
        assert holder is not None  # noqa: S101  check_standing refuses an unknown holder
        if card.issue_no > holder.issue_no:
            self._ledger.remember_issue(card.card_no, card.issue_no)
        return self._visit(cache, secrets.token_hex(8), holder, card, session, Checks())

    def refresh(
        self, visit: Visit, session: OfficerSession | None = None, checks: Checks | None = None
    ) -> Visit:
        """The same visit with the states of now. Raises CardFault ``card_unknown_holder``."""
        cache = self._caches.current()
        card = VerifiedCard(visit.card_no, visit.issue_no, visit.grade, visit.medium, 0, 0, b"")
        seen = checks or Checks(documents=visit.documents_seen)
        return self._visit(cache, visit.visit_id, self._holder(cache, visit), card, session, seen)

    def acquire(self, visit: Visit, session: OfficerSession) -> list[Future[dict[str, RightWord]]]:
        """Asks central for the rights this visit lacks here; look again when a future is done.

        Only with a signed-in officer, only for programs this point hands out, only while online.
        """
        self._require(session)
        if self._rights is None or not self._online():
            return []
        cache = self._caches.current()
        asked = self._asked.setdefault(visit.visit_id, {})
        found = self._eligible(cache, self._holder(cache, visit), visit, session, Checks())
        wanted = [right for right in rights_to_ask(found, self.enrolment.point) if right not in asked]
        if not wanted:
            return []
        future = self._rights.acquire(wanted)
        for right in wanted:
            asked[right] = future
        return [future]

    def leave(self, visit: Visit) -> None:
        """Ends a visit: rights that came for it and were not used go back."""
        asked = self._asked.pop(visit.visit_id, {})
        released = [right for right in asked if release(self._journal, right, only_acquired=True)]
        if released and self._rights:
            self._rights.wake()

    # -- officers --

    def sign_in(self, username: str, pin: str) -> OfficerSession:
        """Signs an officer in. Raises OfficerFault as ``Officers.sign_in`` does."""
        session = self._officers.sign_in(self._caches.current(), username, pin, unix_ms(self._synced_at()))
        self._sessions.add(session)
        return session

    def sign_out(self, session: OfficerSession) -> None:
        """Ends an officer's session."""
        self._sessions.discard(session)

    def reveal(self, visit: Visit, what: str, session: OfficerSession) -> str:
        """Shows the birth date (``birth``), and keeps a record that it was shown."""
        self._require(session)
        if what != "birth":
            raise OfficerFault("not_kept_here", f"{what} is not kept at the kiosk", what=what)
        self._journal.append(
            lambda _: Draft(
                type="reveal", officer=session.username, card=visit.card_no, detail={"what": what}
            )
        )
        return visit.birth_date

    # -- pickups --

    def confirm(
        self,
        visit: Visit,
        program_id: str,
        quantity: int,
        collector: Collector,
        checks: Checks,
        session: OfficerSession,
        reason: str = "",
    ) -> Pickup:
        """Records a hand-out; durable before it returns.

        Raises OfficerFault: ``not_signed_in``, ``unknown_program``, the codes of REFUSED_AS, ``collector``,
        ``quantity``, ``reason_missing``, ``frozen``; EnvironmentFault when the disk refuses.
        """
        self._require(session)
        cache = self._caches.current()
        holder = self._holder(cache, visit)
        found = self._eligible(cache, holder, visit, session, checks, {program_id: quantity})
        chosen = next((item for item in found if item.row.program_id == program_id), None)
        if chosen is None:
            raise OfficerFault("unknown_program", "this holder has no such program", program=program_id)
        if chosen.row.state.code is not StateCode.READY:
            raise self._refuse(visit, chosen, session)
        self._check_collector(cache, holder, chosen, collector)
        assert isinstance(chosen.situation, HeldHere)  # noqa: S101  ready without it is only tolerate's
        left = chosen.situation.quantity_left
        if needs_reason(chosen.program, quantity, min(left, chosen.row.quantity)) and not reason.strip():
            raise OfficerFault("reason_missing", "less than all closes the right: say why")
        record = dispense(
            self._journal,
            Handing(
                program=chosen.program,
                right=chosen.row.right,
                entitlement=(chosen.entitlement.id, chosen.entitlement.version),
                quantity=quantity,
                most=chosen.row.quantity,
                card_no=visit.card_no,
                grade=visit.grade,
                collector=collector,
                checks=checks,
                officer=session,
                reason=reason.strip(),
            ),
        )
        if self._rights:
            self._rights.wake()
        return self._pickups(cache, "gen = ? AND seq = ?", record.gen, record.seq)[0]

    def _refuse(self, visit: Visit, chosen: Eligible, session: OfficerSession) -> OfficerFault:
        state = chosen.row.state
        self._journal.append(
            lambda _: Draft(
                type="refusal",
                right=chosen.row.right,
                program_version=f"{chosen.program.id}@{chosen.program.version}",
                officer=session.username,
                card=visit.card_no,
                assurance=visit.grade.label,
                detail={"state": str(state.code)},
            )
        )
        return OfficerFault(
            REFUSED_AS[state.code],
            f"{chosen.program.id} is {state.code.replace('_', ' ')}"
            + (f": {state.place}" if state.place else ""),
            state=str(state.code),
            place=state.place,
            date=state.date,
            by=state.by,
            documents=list(state.documents),
        )

    def mark_shown(self, ref: str) -> None:
        """Notes that the officer saw the pickup recorded."""
        self._ledger.mark_shown(ref)

    def void(self, ref: str, goods: str, reason: str, session: OfficerSession) -> Pickup:
        """Takes a pickup back (``never_left`` or ``returned``); the right is spendable here again.

        An officer's own within ten minutes, afterwards a supervisor's. Raises OfficerFault:
        ``not_signed_in``, ``unknown_ref``, ``already_voided``, ``supervisor_needed``, ``reason_missing``.
        """
        self._require(session)
        if not reason.strip():
            raise OfficerFault("reason_missing", "say why it is taken back")
        cache = self._caches.current()

        def permit(connection: object) -> None:
            if session.role == "supervisor":
                return
            (pickup,) = self._pickups(cache, "ref = ?", ref)
            age = self._local_now() - datetime.fromisoformat(pickup.at)
            if pickup.officer != session.username:
                raise OfficerFault(
                    "supervisor_needed", "recorded by somebody else", ref=ref, why="other_officer"
                )
            if age > timedelta(minutes=self._void_minutes):
                raise OfficerFault(
                    "supervisor_needed", f"older than {self._void_minutes} minutes", ref=ref, why="too_late"
                )

        void(self._journal, ref, goods, reason.strip(), session.username, permit)
        if self._rights:
            self._rights.wake()
        return self._pickups(cache, "ref = ?", ref)[0]

    def unshown(self) -> list[Pickup]:
        """Pickups recorded before an unclean stop that nobody saw: was it handed over?"""
        return self._pickups(self._caches.current(), "shown = 0 AND voided = 0")

    def answer_unshown(self, ref: str, handed_over: bool, session: OfficerSession) -> None:
        """Settles such a pickup: shown, or voided as ``never_left``. Raises OfficerFault as ``void`` does."""
        self._require(session)
        if handed_over:
            self._ledger.mark_shown(ref)
            return
        void(self._journal, ref, "never_left", "unclean stop", session.username)
        if self._rights:
            self._rights.wake()

    def today(self, session: OfficerSession) -> list[Pickup]:
        """This counter's pickups since midnight, newest first."""
        self._require(session)
        midnight = (
            self._clock.now()
            .astimezone(ZoneInfo(self._zone))
            .replace(hour=0, minute=0, second=0, microsecond=0)
        )
        return self._pickups(self._caches.current(), "wall_ms >= ?", unix_ms(midnight))

    # -- the kiosk itself --

    def status(self) -> KioskStatus:
        """What the screens show of the kiosk itself."""
        cache = self._caches.current()
        me = cache.kiosk(self.enrolment.kiosk)
        doubt = ("date_in_doubt",) if self._date_in_doubt() else ()
        synced = self._synced_at()
        return KioskStatus(
            kiosk=self.enrolment.kiosk,
            point=cache.point_name(self.enrolment.point),
            counter=me.counter if me else "",
            mode=self.enrolment.mode,
            online=self._online(),
            waiting=self._ledger.waiting(),
            data_as_of=synced.astimezone(ZoneInfo(self._zone)).isoformat(timespec="seconds")
            if synced.year > 1970
            else "",
            frozen=self._ledger.meta("frozen"),
            warnings=self._warnings + doubt,
        )

    # -- inside --

    def _require(self, session: OfficerSession) -> None:
        if session not in self._sessions:
            raise OfficerFault("not_signed_in", "an officer has to sign in first")

    def _holder(self, cache: Cache, visit: Visit) -> Holder:
        holder = cache.holder(visit.holder_id)
        if holder is None:
            raise CardFault("card_unknown_holder", "the holder is not in the cache any more")
        return holder

    def _visit(
        self,
        cache: Cache,
        visit_id: str,
        holder: Holder,
        card: VerifiedCard,
        session: OfficerSession | None,
        checks: Checks,
    ) -> Visit:
        bare = Visit(
            visit_id=visit_id,
            holder_id=holder.id,
            card_no=card.card_no,
            issue_no=card.issue_no,
            medium=card.medium,
            grade=card.grade,
            public_name=public_name(holder.name) if card.grade >= Grade.P1 else "",
            full_name=holder.name,
            nik_last4=holder.nik_last4,
            birth_date=holder.birth,
            rows=(),
            guardians=self._guardians(cache, holder),
            data_as_of=self._synced_at().isoformat(timespec="seconds"),
            documents_seen=checks.documents,
        )
        rows = tuple(item.row for item in self._eligible(cache, holder, bare, session, checks))
        return replace(bare, rows=rows)

    def _eligible(
        self,
        cache: Cache,
        holder: Holder,
        visit: Visit,
        session: OfficerSession | None,
        checks: Checks,
        quantities: dict[str, int] | None = None,
    ) -> list[Eligible]:
        moment = Moment(
            now=self._clock.now(),
            kiosk=self.enrolment.kiosk,
            point=self.enrolment.point,
            zone=self._zone,
            online=self._online(),
            date_in_doubt=self._date_in_doubt(),
            officer_signed_in=session in self._sessions and self._rights is not None,
            checks=checks,
        )
        asked = {right: _word(future, right) for right, future in self._asked.get(visit.visit_id, {}).items()}
        return eligible(cache, self._ledger, holder, visit.grade, moment, asked, quantities)

    def _guardians(self, cache: Cache, holder: Holder) -> tuple[Person, ...]:
        today = self._local_now().date()
        people = []
        for guardianship in cache.guardians(holder.id):
            guardian = cache.holder(guardianship.guardian_id)
            begun = date.fromisoformat(guardianship.valid_from) <= today
            over = (
                guardianship.valid_until is not None and date.fromisoformat(guardianship.valid_until) <= today
            )
            if (
                guardian
                and begun
                and not over
                and not guardianship.revoked_at
                and guardian.status == "active"
            ):
                people.append(Person(guardian.id, guardian.name, guardianship.relation))
        return tuple(people)

    def _check_collector(self, cache: Cache, holder: Holder, chosen: Eligible, collector: Collector) -> None:
        if collector.kind not in chosen.program.collectors:
            raise OfficerFault("collector", f"{collector.kind} may not collect this", kind=collector.kind)
        if collector.kind == "guardian" and collector.holder_id not in {
            person.holder_id for person in self._guardians(cache, holder)
        }:
            raise OfficerFault("collector", "not a guardian of this child now", kind="guardian")
        if collector.kind == "representative" and not (collector.name.strip() and collector.letter.strip()):
            raise OfficerFault(
                "collector", "a representative's name and letter number", kind="representative"
            )

    def _pickups(self, cache: Cache, where: str, *values: object) -> list[Pickup]:
        rows = self._ledger.db.conn.execute(
            f"""SELECT ref, program_id, program_version, card, quantity, officer, wall_ms, voided, shown, seq,
                       coalesce((SELECT acked_seq FROM {ACKNOWLEDGED} a WHERE a.gen = p.gen), 0)
                FROM {PICKUPS} p WHERE {where} ORDER BY gen DESC, seq DESC""",
            values,
        ).fetchall()
        docs = cache.program_docs({row[1] for row in rows}) if rows else {}
        return [self._pickup(cache, docs, row) for row in rows]

    def _pickup(self, cache: Cache, docs: dict[str, str], row: tuple[object, ...]) -> Pickup:
        ref, program_id, _, card, quantity, officer, wall_ms, voided, shown, seq, acked = row
        program = program_of(docs[str(program_id)]) if str(program_id) in docs else None
        holder = cache.holder_by_card(str(card))
        count = int(str(quantity))
        plain = Text(str(count), str(count))
        return Pickup(
            ref=str(ref),
            program_id=str(program_id),
            program_name=Text(program.name.id, program.name.en)
            if program
            else Text(str(program_id), str(program_id)),
            holder_name=holder.name if holder else "",
            quantity=count,
            quantity_text=quantity_text(program.benefit, count) if program else plain,
            officer=str(officer),
            at=local_iso(int(str(wall_ms)), self._zone),
            voided=bool(voided),
            shown=bool(shown),
            synced=int(str(seq)) <= int(str(acked)),
        )

    def _online(self) -> bool:
        return sync_state.is_online(sync_state.load(self.home), self._clock)

    def _date_in_doubt(self) -> bool:
        highest = int(self._ledger.meta("highest_wall_ms", "0"))
        return sync_state.date_in_doubt(sync_state.load(self.home), self._clock, highest)

    def _synced_at(self) -> datetime:
        state = sync_state.load(self.home)
        stored = self._caches.current().meta("synced_at")
        known = datetime.fromisoformat(stored) if stored else datetime.fromtimestamp(0, UTC)
        return max(known, from_unix_ms(state.last_success_ms))

    def _local_now(self) -> datetime:
        return self._clock.now().astimezone(ZoneInfo(self._zone)).replace(tzinfo=None)


def _word(future: Future[dict[str, RightWord]], right: str) -> Asked:
    if not future.done():
        return Asked(under_way=True)
    if future.cancelled() or future.exception() is not None:
        return Asked(under_way=False, status="failed")
    word = future.result().get(right)
    if word is None:
        return Asked(under_way=False, status="unknown")
    return Asked(False, word.status, word.point_id, word.at, word.ref)
