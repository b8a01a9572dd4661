"""The counter: everything the screens and the commands ask of the domain, over one pair of connections.

One thread owns a ``Counter``, because it owns the database connections in it. Nothing here waits for the
network: rights are asked for through ``RightsSource`` and looked at again when its future is done.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from kiosk import adopting, badges, pickups, visits
from kiosk.acquiring import Acquiring
from kiosk.adopting import OldCard
from kiosk.cache import Cache
from kiosk.cache_folder import DAMAGE_CODES, CacheFolder
from kiosk.chip_proof import Challenges
from kiosk.clock import Clock, unix_ms
from kiosk.clock_assertion import assert_date
from kiosk.credential import VerifiedCard, check_standing
from kiosk.database import database_faults
from kiosk.eligibility import Eligible, Moment, eligible, rights_to_ask, sound_program
from kiosk.enrolment import PLACE_METAS, Enrolment
from kiosk.errors import CardFault, EnvironmentFault, OfficerFault
from kiosk.journal import Draft, Journal
from kiosk.keyset import KeySet
from kiosk.ledger import Ledger
from kiosk.looking_up import LookingUp
from kiosk.officers import Officers
from kiosk.pickups import PickupList
from kiosk.ports import LookupWord, RightsSource, RightWord
from kiosk.proving import Proving
from kiosk.refusing import RECORDED_REFUSALS, record_refusal, refusal_of
from kiosk.rights import Handing, dispense
from kiosk.standing import Standing
from kiosk.stock import SliceHere, slices
from kiosk.values import (
    CardRead,
    Checks,
    Collector,
    Grade,
    KioskStatus,
    Medium,
    OfficerSession,
    Pickup,
    StateCode,
    Visit,
)
from kiosk.voiding import RecordedPickup, void


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
        challenges: Challenges | None = None,
        zone: str = "Asia/Jakarta",
        void_minutes: int = 10,
        officer_cache_days: int = 30,
        warnings: tuple[str, ...] = (),
        live_warnings: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self.home = home
        self.enrolment = enrolment
        self._ledger = ledger
        self._caches = caches
        self._journal = journal
        self._clock = clock
        self._rights = rights
        self._void_minutes = void_minutes
        self._officer_cache_days = officer_cache_days
        self._warnings = warnings
        self._live_warnings = live_warnings
        self._officers = Officers(ledger, journal, clock, pepper, enrolment.point, officer_cache_days)
        self._sessions: set[OfficerSession] = set()
        self._acquiring = Acquiring(journal, rights)
        self._looking_up = LookingUp(rights)
        self._pickups = PickupList(ledger, zone)
        self._proving = Proving(ledger, keyset, challenges or Challenges())
        self._standing = Standing(home, ledger, clock, zone)

    def close(self) -> None:
        """Closes the connections."""
        self._caches.close()
        self._ledger.close()

    def prepare(self) -> None:
        """Parses the programs, so that the first card is read as fast as the next one."""
        cache = self._cache_or_none()
        for program_id, doc in cache.all_program_docs().items() if cache else ():
            sound_program(program_id, doc)

    # -- cards --

    def read(self, read: CardRead, session: OfficerSession | None = None) -> Visit:
        """The visit of a card that holds; ``asking``, perhaps without a holder, if it is of another point.

        Raises CardFault, ``card_from_elsewhere`` among them: it needs the network; EnvironmentFault.
        """
        self._acquiring.settle()
        now_s = int(self._standing.card_time().timestamp())
        cache = self._caches.current()
        try:
            card = self._proving.verified(read, now_s)
        except CardFault as fault:
            card = adopting.trusted(cache, self._ledger, read, fault)
        standing, see = self._standing, partial(self._admit, cache, card, session)
        return self._looking_up.admit(cache, read, card, standing.online(), standing.now_ms(), see)

    def look_up(self, visit: Visit) -> list[Future[LookupWord]]:
        """Asks central about a visit that is ``asking``; refresh it when the future is done."""
        return self._looking_up.ask(visit)

    def read_typed(self, card_no: str, session: OfficerSession, reason: str) -> Visit:
        """The visit of a card number that an officer typed; grade ``typed``.

        Raises CardFault; OfficerFault ``not_signed_in``, ``officer_ended``, ``reason_missing``.
        """
        cache = self._caches.current()
        self._require(session, cache)
        if not reason.strip():
            raise OfficerFault("reason_missing", "say why the card could not be read")
        holder, grade = cache.holder_by_card(card_no) if card_no.isascii() else None, Grade.TYPED
        if holder is None:
            holder, grade = adopting.holder_of_number(cache, self._ledger, card_no), Grade.LEGACY
        if holder is None:
            raise CardFault("card_unknown_holder", "no holder with this card number in the cache")
        typed = VerifiedCard(holder.card_no, holder.issue_no, grade, Medium.TYPED, 0, 0, b"")
        visit = self._admit(cache, typed, session)
        self._journal.append(
            lambda _: Draft(
                type="note",
                officer=session.username,
                card=card_no,
                detail={"what": "typed"},
                private=reason.strip(),
            )
        )
        return visit

    def _admit(
        self, cache: Cache, card: VerifiedCard, session: OfficerSession | None, visit_id: str = ""
    ) -> Visit:
        holder = cache.holder_by_card(card.card_no)
        if holder is None:
            badges.check_no_badge(cache, card)
        reason, since = cache.denied(card.card_no, card.issue_no) or (None, "")
        check_standing(
            card,
            holder.issue_no if holder else None,
            self._ledger.highest_issue(card.card_no),
            reason,
            holder.status if holder else None,
            since,
        )
        if holder is None:
            raise CardFault("card_unknown_holder", "no holder with this card number in the cache")
        if card.issue_no > holder.issue_no:
            self._ledger.remember_issue(card.card_no, card.issue_no)
        moment = self._moment(session, Checks())
        as_of = self._standing.data_as_of(cache, holder.id)
        return visits.see(
            cache, self._ledger, visit_id or secrets.token_hex(8), holder, card, moment, {}, as_of
        )

    def refresh(
        self, visit: Visit, session: OfficerSession | None = None, checks: Checks | None = None
    ) -> Visit:
        """The same visit with the states of now, and the holder whom a lookup has found.

        Raises CardFault: ``card_unknown_holder``, and as ``LookingUp.card_of`` does.
        """
        cache = self._caches.current()
        found = self._looking_up.card_of(visit)
        if visit.holder_id == 0:
            return visit if found is None else self._admit(cache, found, session, visit.visit_id)
        holder = visits.holder_of(cache, visit)
        card = VerifiedCard(visit.card_no, visit.issue_no, visit.grade, visit.medium, 0, 0, b"")
        moment = self._moment(session, checks or Checks(documents=visit.documents_seen))
        asked = self._acquiring.words(visit.visit_id)
        as_of = self._standing.data_as_of(cache, holder.id)
        fresh = visits.see(cache, self._ledger, visit.visit_id, holder, card, moment, asked, as_of)
        return replace(fresh, asking=self._looking_up.is_asking(visit))

    def acquire(self, visit: Visit, session: OfficerSession) -> list[Future[dict[str, RightWord]]]:
        """Asks central for the rights this visit lacks here; look again when a future is done.

        Only with a signed-in officer, only for programs this point hands out, only while online. What failed
        or was called back from elsewhere may be asked for again. Raises OfficerFault ``not_signed_in``,
        ``officer_ended``.
        """
        cache = self._caches.current()
        self._require(session, cache)
        if not self._standing.online() or not visit.holder_id:
            return []
        found = self._eligible(cache, visit, session, Checks())
        return self._acquiring.ask(visit.visit_id, rights_to_ask(found, self.enrolment.point))

    def leave(self, visit: Visit) -> None:
        """Ends a visit: rights that came for it and were not used go back."""
        self._looking_up.leave(visit.visit_id)
        self._acquiring.leave(visit.visit_id)

    # -- officers --

    def adopt(self, card: OldCard, card_no: str, session: OfficerSession, *, identity_checked: bool) -> int:
        """Binds a card from before this system to the holder with that card number; answers the holder's id.

        Raises OfficerFault ``not_signed_in``, ``officer_ended`` and as ``adopting.adopt`` does.
        """
        cache = self._caches.current()
        self._require(session, cache)
        adopt = adopting.adopt
        return adopt(cache, self._ledger, self._journal, card, card_no, session, identity_checked).id

    def badge_owner(self, read: CardRead) -> str:
        """User name of the officer whose badge this is.

        Raises CardFault as reading a card does; OfficerFault ``not_a_badge``.
        """
        card = self._proving.badge(read, int(self._standing.card_time().timestamp()))
        found = self._caches.current().badge(card.card_no)
        if found is None:
            raise OfficerFault("not_a_badge", "a card, but no officer's badge")
        badges.check(found, card)
        return found.username

    def sign_in(self, username: str, pin: str, badge: CardRead | None = None) -> OfficerSession:
        """Signs an officer in, with the badge that was shown if one was.

        Raises OfficerFault as ``Officers.sign_in`` does; CardFault for a badge that does not hold.
        """
        cache = self._caches.current()
        shown = None
        if badge is not None:
            shown = self._proving.badge_again(badge, int(self._standing.card_time().timestamp()))
        synced_ms = unix_ms(self._standing.synced_at(cache))
        session = self._officers.sign_in(
            cache, username, pin, synced_ms, self._standing.local_now().date(), shown
        )
        self._proving.forget_badge()
        self._sessions.add(session)
        return session

    def sign_out(self, session: OfficerSession) -> None:
        """Ends an officer's session."""
        self._sessions.discard(session)

    def reveal(self, visit: Visit, what: str, session: OfficerSession) -> str:
        """Shows the birth date (``birth``), and keeps a record that it was shown.

        Raises OfficerFault ``not_signed_in``, ``officer_ended``, ``not_kept_here`` for a NIK.
        """
        cache = self._caches.current()
        self._require(session, cache)
        if what != "birth":
            raise OfficerFault("not_kept_here", "only the birth date is kept at the kiosk")
        birth = visits.holder_of(cache, visit).birth
        self._journal.append(
            lambda _: Draft(
                type="reveal", officer=session.username, card=visit.card_no, detail={"what": what}
            )
        )
        return birth

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

        Raises OfficerFault: ``not_signed_in``, ``officer_ended``, ``unknown_program``, the codes of
        ``refusing.REFUSED_AS``, ``collector``, ``quantity``, ``reason_missing``, ``text_too_long``,
        ``right_closed``, ``no_stock``, ``frozen``; EnvironmentFault when the disk refuses.
        """
        cache = self._caches.current()
        self._require(session, cache)
        holder = visits.holder_of(cache, visit)
        found = self._eligible(cache, visit, session, checks, {program_id: quantity})
        chosen = next((item for item in found if item.row.program_id == program_id), None)
        if chosen is None:
            raise OfficerFault("unknown_program", "this holder has no such program")
        state = chosen.row.state
        if state.code is not StateCode.READY:
            record_refusal(self._journal, visit, chosen, session, str(state.code))
            raise refusal_of(chosen)
        visits.check_collector(cache, holder, chosen, collector, self._standing.local_now().date())
        handing = Handing(
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
            entitled=chosen.entitlement.status == "active",
            without=chosen.without,
        )
        try:
            record = dispense(self._journal, handing)
        except OfficerFault as fault:
            if fault.code in RECORDED_REFUSALS:
                record_refusal(self._journal, visit, chosen, session, fault.code)
            raise
        self._acquiring.wake()
        return self._pickups.of_record(cache, record.gen, record.seq)

    def mark_shown(self, ref: str) -> None:
        """Notes that the officer saw the pickup recorded. Raises OfficerFault ``unknown_ref``."""
        pickups.mark_shown(self._ledger, ref)

    def void(self, ref: str, goods: str, reason: str, session: OfficerSession) -> Pickup:
        """Takes a pickup back (``never_left`` or ``returned``); the right is spendable here again.

        An officer's own within ten minutes, afterwards a supervisor's. Raises OfficerFault:
        ``not_signed_in``, ``officer_ended``, ``unknown_ref``, ``already_voided``, ``supervisor_needed``,
        ``reason_missing``, ``text_too_long``, ``goods``.
        """
        cache = self._cache_or_none()
        self._require(session, cache)
        if not reason.strip():
            raise OfficerFault("reason_missing", "say why it is taken back")

        def permit(pickup: RecordedPickup) -> None:
            if session.role == "supervisor":
                return
            if pickup.officer != session.username:
                raise OfficerFault(
                    "supervisor_needed", "recorded by somebody else", ref=ref, why="other_officer"
                )
            if pickup.age_s > self._void_minutes * 60:
                raise OfficerFault(
                    "supervisor_needed", f"older than {self._void_minutes} minutes", ref=ref, why="too_late"
                )

        void(self._journal, ref, goods, reason.strip(), session.username, permit)
        self._acquiring.wake()
        return self._pickups.of_ref(cache, ref)

    def unshown(self) -> list[Pickup]:
        """Pickups recorded before an unclean stop that nobody saw: was it handed over?"""
        return self._pickups.unshown(self._cache_or_none())

    def answer_unshown(self, ref: str, handed_over: bool, session: OfficerSession) -> None:
        """Settles such a pickup: shown, or voided as ``never_left``.

        Raises OfficerFault: ``not_signed_in``, ``officer_ended``, ``unknown_ref``, ``already_voided``,
        ``already_answered``, ``supervisor_needed`` after a day.
        """
        self._require(session, self._cache_or_none())
        pickups.answer_unshown(self._journal, ref, handed_over, session)
        self._acquiring.wake()

    def today(self, session: OfficerSession) -> list[Pickup]:
        """This counter's pickups since midnight, newest first. Raises OfficerFault ``not_signed_in``."""
        cache = self._cache_or_none()
        self._require(session, cache)
        midnight = self._standing.local_now().replace(hour=0, minute=0, second=0, microsecond=0)
        return self._pickups.since(cache, unix_ms(midnight))

    # -- the kiosk itself --

    def status(self) -> KioskStatus:
        """What the screens show of the kiosk itself; also of one without a cache, which says why it has none.

        Raises EnvironmentFault when the ledger cannot be read.
        """
        self._acquiring.settle()
        warnings = [*self._warnings, *self._live_warnings()]
        if pickups.overdue(self._journal):
            warnings.append("unshown_overdue")
        cache = self._cache_or_none(warnings)
        me = cache.kiosk(self.enrolment.kiosk) if cache else None
        if self._standing.date_in_doubt():
            warnings.append("date_in_doubt")
        return KioskStatus(
            kiosk=self.enrolment.kiosk,
            point=cache.point_name(self.enrolment.point)
            if cache
            else self._ledger.meta(PLACE_METAS["point"]),
            counter=me.counter if me else self._ledger.meta(PLACE_METAS["counter"]),
            mode=self.enrolment.mode,
            online=self._standing.online(),
            waiting=self._ledger.waiting(),
            data_as_of=self._standing.data_as_of(cache),
            frozen=self._ledger.meta("frozen"),
            warnings=tuple(warnings),
            loading=self._caches.progress(),
        )

    def assert_clock(self, day: date, session: OfficerSession) -> str:
        """A supervisor confirms the local date while it is in doubt; answers the local time that counts now.

        ISO, to the second. Holds for this boot, unless central's signed time says otherwise. Raises
        OfficerFault: ``not_signed_in``, ``officer_ended``, ``supervisor_needed``, ``date_not_in_doubt``, and
        what ``clock_assertion.assert_date`` raises.
        """
        cache = self._cache_or_none()
        journal = self.journal_of_supervisor(session)
        if not self._standing.date_in_doubt():
            raise OfficerFault("date_not_in_doubt", "the date is not in doubt")
        standing = self._standing
        synced = standing.synced_at(cache).astimezone(standing.zone).date()
        last_day = synced + timedelta(days=self._officer_cache_days)
        assert_date(
            journal, standing.sync(), day, session.username, zone=standing.zone.key, last_day=last_day
        )
        self._acquiring.wake()
        return self._standing.local_now().replace(tzinfo=None).isoformat(timespec="seconds")

    def stock(self) -> list[SliceHere]:
        """The stock slices of this kiosk's generation, oldest first within each program."""
        with database_faults(self._ledger.path):
            return slices(self._ledger.db.conn, self.enrolment.gen)

    def journal_of_supervisor(self, session: OfficerSession) -> Journal:
        """The journal, for what a supervisor does to the kiosk itself.

        Raises OfficerFault: ``not_signed_in``, ``officer_ended``, ``supervisor_needed``.
        """
        self._require(session, self._cache_or_none())
        if session.role != "supervisor":
            raise OfficerFault("supervisor_needed", "a supervisor has to do this", why="role")
        return self._journal

    # -- inside --

    def _require(self, session: OfficerSession, cache: Cache | None) -> None:
        if session not in self._sessions:
            raise OfficerFault("not_signed_in", "an officer has to sign in first")
        if cache is not None:
            self._officers.check_still(cache, session, self._standing.local_now().date())

    def _cache_or_none(self, warnings: list[str] | None = None) -> Cache | None:
        """The cache for what can do without: before the first load, after a wipe, while a new one loads."""
        try:
            return self._caches.current()
        except EnvironmentFault as fault:
            if fault.code not in (*DAMAGE_CODES, "cache_missing"):
                raise
            if warnings is not None:
                warnings.append(fault.code)
            return None

    def _moment(self, session: OfficerSession | None, checks: Checks) -> Moment:
        return Moment(
            now=self._clock.now(),
            kiosk=self.enrolment.kiosk,
            gen=self.enrolment.gen,
            point=self.enrolment.point,
            zone=self._standing.zone.key,
            online=self._standing.online(),
            date_in_doubt=self._standing.date_in_doubt(),
            officer_signed_in=session in self._sessions and self._rights is not None,
            checks=checks,
        )

    def _eligible(
        self,
        cache: Cache,
        visit: Visit,
        session: OfficerSession,
        checks: Checks,
        quantities: dict[str, int] | None = None,
    ) -> list[Eligible]:
        holder = visits.holder_of(cache, visit)
        asked = self._acquiring.words(visit.visit_id)
        moment = self._moment(session, checks)
        return eligible(cache, self._ledger, holder, visit.grade, moment, asked, quantities)
