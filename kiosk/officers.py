"""Officers signing in with user name and PIN, with growing delays that outlive a restart."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

from kiosk.badges import check_factor
from kiosk.cache import Cache, CachedOfficer
from kiosk.clock import Clock, from_unix_ms, unix_ms
from kiosk.credential import VerifiedCard
from kiosk.errors import OfficerFault
from kiosk.journal import Draft, Journal
from kiosk.ledger import OFFICER_DELAYS, Ledger
from kiosk.officer_pin import delay_after, pin_holds
from kiosk.values import OfficerSession

FORGOTTEN_AFTER_MS = 24 * 3600 * 1000
"""Failures of names that nobody tries any more; a delay lasts 15 minutes at most."""
_USERNAME = re.compile(r"[a-z][a-z0-9._-]{0,31}")
_SELECT_DELAY = f"SELECT failures, wall_ms, mono_ms, boot_id FROM {OFFICER_DELAYS} WHERE username = ?"


class Officers:
    """Checks officers against the cache, and keeps their failures in the ledger."""

    def __init__(
        self, ledger: Ledger, journal: Journal, clock: Clock, pepper: bytes, point: int, cached_days: int = 30
    ) -> None:
        self._ledger = ledger
        self._journal = journal
        self._clock = clock
        self._pepper = pepper
        self._point = point
        self._cached_days = cached_days

    def sign_in(
        self,
        cache: Cache,
        username: str,
        pin: str,
        synced_at_ms: int,
        today: date,
        badge: VerifiedCard | None = None,
    ) -> OfficerSession:
        """Signs an officer in and records it. ``today`` is the local date, ``badge`` what was shown.

        Raises OfficerFault: ``locked_out`` (detail ``wait_s``), ``unknown_officer``, ``wrong_pin`` (detail
        ``wait_s``), ``officer_stale`` (nothing was synced for too long), ``officer_ended``, and as
        ``badges.check_factor`` does.
        """
        username = username.strip().lower()
        if not _USERNAME.fullmatch(username):
            raise OfficerFault("unknown_officer", "no such officer at this point", wait_s=0.0)
        now = self._clock.now()
        if now - from_unix_ms(synced_at_ms) > timedelta(days=self._cached_days):
            raise OfficerFault(
                "officer_stale", f"no sync for {self._cached_days} days: officers are not known any more"
            )
        # Counted before the PIN is looked at: guesses made side by side cost the same as one after another.
        self._begin_attempt(username)
        officer = cache.officer(username)
        # An unknown name costs the same delays, or names could be tried out.
        if officer is None or officer.point_id != self._point:
            raise OfficerFault(
                "unknown_officer", "no such officer at this point", wait_s=self.wait_s(username)
            )
        if not pin_holds(officer.pin_hash, pin, username, self._pepper):
            raise OfficerFault("wrong_pin", "the PIN does not match", wait_s=self.wait_s(username))
        if _has_ended(officer, today):
            raise OfficerFault("officer_ended", "this officer's account has ended")
        check_factor(cache, username, badge)
        session = OfficerSession(username, officer.name, officer.role, now.isoformat(timespec="seconds"))

        def signed_in(connection: Any) -> Draft:
            connection.execute(f"DELETE FROM {OFFICER_DELAYS} WHERE username = ?", (username,))
            return Draft(
                type="sign_in",
                officer=username,
                card=badge.card_no if badge else "",
                assurance=badge.grade.label if badge else "",
                detail={"role": officer.role},
            )

        self._journal.append(signed_in)
        return session

    def check_still(self, cache: Cache, session: OfficerSession, today: date) -> None:
        """Raises OfficerFault ``officer_ended`` when sync has meanwhile taken this officer away."""
        officer = cache.officer(session.username)
        if officer is None or officer.point_id != self._point or _has_ended(officer, today):
            raise OfficerFault("officer_ended", "this officer's account has ended")
        if officer.role != session.role:
            raise OfficerFault("officer_ended", "this officer's role has changed: sign in again")

    def wait_s(self, username: str) -> float:
        """Seconds until this user name may be tried again; 0 if at once.

        Counted on the monotonic clock within a boot, on the wall clock across boots; a wall clock set back
        waits the whole delay again.
        """
        return self._wait_of(self._ledger.row(_SELECT_DELAY, username))

    def _wait_of(self, row: Any) -> float:
        if row is None:
            return 0.0
        failures, wall_ms, mono_ms, boot_id = row
        delay_s = delay_after(int(failures))
        if boot_id == self._clock.boot_id():
            passed_s = (self._clock.monotonic_ms() - int(mono_ms)) / 1000
        else:
            passed_s = max(0.0, (unix_ms(self._clock.now()) - int(wall_ms)) / 1000)
        return max(0.0, delay_s - passed_s)

    def _begin_attempt(self, username: str) -> None:
        with self._ledger.writing() as connection:
            wait_s = self._wait_of(connection.execute(_SELECT_DELAY, (username,)).fetchone())
            if wait_s > 0:
                raise OfficerFault("locked_out", f"wait {wait_s:.0f} s", wait_s=wait_s)
            now_ms = unix_ms(self._clock.now())
            connection.execute(
                f"DELETE FROM {OFFICER_DELAYS} WHERE username <> ? AND abs(wall_ms - ?) > ?",
                (username, now_ms, FORGOTTEN_AFTER_MS),
            )
            connection.execute(
                f"""INSERT INTO {OFFICER_DELAYS} (username, failures, wall_ms, mono_ms, boot_id)
                    VALUES (?, 1, ?, ?, ?)
                    ON CONFLICT (username) DO UPDATE SET failures = failures + 1, wall_ms = excluded.wall_ms,
                        mono_ms = excluded.mono_ms, boot_id = excluded.boot_id""",
                (username, now_ms, self._clock.monotonic_ms(), self._clock.boot_id()),
            )


def _has_ended(officer: CachedOfficer, today: date) -> bool:
    try:
        return bool(officer.valid_until) and today >= date.fromisoformat(officer.valid_until or "")
    except ValueError:
        return True
