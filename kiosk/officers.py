"""Officers signing in with user name and PIN, with growing delays that outlive a restart."""

from __future__ import annotations

from datetime import date, timedelta

from kiosk.cache import Cache
from kiosk.clock import Clock, from_unix_ms, unix_ms
from kiosk.database import writing
from kiosk.errors import OfficerFault
from kiosk.journal import Draft, Journal
from kiosk.ledger import OFFICER_DELAYS, Ledger
from kiosk.officer_pin import delay_after, pin_holds
from kiosk.values import OfficerSession


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

    def sign_in(self, cache: Cache, username: str, pin: str, synced_at_ms: int) -> OfficerSession:
        """Signs an officer in and records it.

        Raises OfficerFault: ``locked_out`` (detail ``wait_s``), ``unknown_officer``, ``wrong_pin`` (detail
        ``wait_s``), ``officer_stale`` (nothing was synced for ``cached_days``), ``officer_ended``.
        """
        username = username.strip().lower()
        wait_s = self.wait_s(username)
        if wait_s > 0:
            raise OfficerFault("locked_out", f"wait {wait_s:.0f} s", wait_s=wait_s)
        now = self._clock.now()
        if now - from_unix_ms(synced_at_ms) > timedelta(days=self._cached_days):
            raise OfficerFault(
                "officer_stale", f"no sync for {self._cached_days} days: officers are not known any more"
            )
        officer = cache.officer(username)
        # An unknown name costs the same delays, or names could be tried out.
        if officer is None or officer.point_id != self._point:
            self._count_failure(username)
            raise OfficerFault(
                "unknown_officer", "no such officer at this point", wait_s=self.wait_s(username)
            )
        if not pin_holds(officer.pin_hash, pin, username, self._pepper):
            self._count_failure(username)
            raise OfficerFault("wrong_pin", "the PIN does not match", wait_s=self.wait_s(username))
        if officer.valid_until and now.date() >= date.fromisoformat(officer.valid_until):
            raise OfficerFault("officer_ended", "this officer's account has ended")
        self._forget_failures(username)
        session = OfficerSession(username, officer.name, officer.role, now.isoformat(timespec="seconds"))
        self._journal.append(lambda _: Draft(type="sign_in", officer=username, detail={"role": officer.role}))
        return session

    def wait_s(self, username: str) -> float:
        """Seconds until this user name may be tried again; 0 if at once.

        Counted on the monotonic clock within a boot, on the wall clock across boots; a wall clock set back
        waits the whole delay again.
        """
        row = self._ledger.db.conn.execute(
            f"SELECT failures, wall_ms, mono_ms, boot_id FROM {OFFICER_DELAYS} WHERE username = ?",
            (username,),
        ).fetchone()
        if row is None:
            return 0.0
        failures, wall_ms, mono_ms, boot_id = row
        delay_s = delay_after(int(failures))
        if boot_id == self._clock.boot_id():
            passed_s = (self._clock.monotonic_ms() - int(mono_ms)) / 1000
        else:
            passed_s = max(0.0, (unix_ms(self._clock.now()) - int(wall_ms)) / 1000)
        return max(0.0, delay_s - passed_s)

    def _count_failure(self, username: str) -> None:
        with writing(self._ledger.db, self._ledger.path) as connection:
            connection.execute(
                f"""INSERT INTO {OFFICER_DELAYS} (username, failures, wall_ms, mono_ms, boot_id)
                    VALUES (?, 1, ?, ?, ?)
                    ON CONFLICT (username) DO UPDATE SET failures = failures + 1, wall_ms = excluded.wall_ms,
                        mono_ms = excluded.mono_ms, boot_id = excluded.boot_id""",
                (username, unix_ms(self._clock.now()), self._clock.monotonic_ms(), self._clock.boot_id()),
            )

    def _forget_failures(self, username: str) -> None:
        if (
            self.wait_s(username)
            or self._ledger.db.conn.execute(
                f"SELECT 1 FROM {OFFICER_DELAYS} WHERE username = ?", (username,)
            ).fetchone()
        ):
            with writing(self._ledger.db, self._ledger.path) as connection:
                connection.execute(f"DELETE FROM {OFFICER_DELAYS} WHERE username = ?", (username,))
