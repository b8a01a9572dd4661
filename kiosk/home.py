"""One kiosk's data folder: its keys, its enrolment and its two databases, opened the same way by everyone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk import distrust, enrolment, keystore, rollback
from kiosk.cache_folder import CacheFolder
from kiosk.chip_proof import Challenges
from kiosk.clock import Clock
from kiosk.clock_assertion import AssertedClock
from kiosk.counter import Counter
from kiosk.enrolment import EnrolmentBundle
from kiosk.errors import CentralFault, EnvironmentFault
from kiosk.journal import Identity, Journal
from kiosk.journal_walk import public_key_meta
from kiosk.keyset import MAX_UNIX, KeySet, KeyStanding, open_keyset
from kiosk.ledger import LEDGER_FILE, Ledger
from kiosk.ports import RightsSource, RollbackCounter


class Home:
    """An enrolled kiosk's folder. Opening it reads and verifies keys and enrolment, no database yet.

    Raises EnvironmentFault: ``not_enrolled``, ``enrolment_damaged``, ``keys_missing``, ``keys_exposed``,
    ``keys_damaged``, ``keys_foreign`` (the keys are not those that were enrolled).
    """

    def __init__(
        self, path: Path, *, find_counter: Callable[[], RollbackCounter | None] = rollback.find_counter
    ) -> None:
        bundle = enrolment.load(path)
        if bundle is None:
            raise EnvironmentFault("not_enrolled", "this kiosk is not enrolled yet: kmc-kiosk enrol TICKET")
        self.path = path
        self._find_counter = find_counter
        self.keys = keystore.load(path)
        if self.keys.signer_of(bundle.enrolment.public) is None:
            raise EnvironmentFault("keys_foreign", "the device keys are not those that were enrolled")
        self._bundle = bundle
        self._bundle_stamp = self._stamp()

    @property
    def bundle(self) -> EnrolmentBundle:
        """The enrolment with the newest keyset; read anew when sync has put in a newer one."""
        stamp = self._stamp()
        if stamp != self._bundle_stamp:
            fresh = enrolment.load(self.path)
            if fresh is not None:
                self._bundle, self._bundle_stamp = fresh, stamp
        return self._bundle

    def keyset(self) -> KeySet:
        """The newest keyset."""
        return self.bundle.keyset

    def take_keyset(self, data: bytes, latest: int = MAX_UNIX) -> bool:
        """Keeps a newer keyset that came by sync; an older or the same one changes nothing and answers False.

        Grants by a key that it calls compromised are no longer spendable when this returns. ``latest`` (Unix
        seconds) bounds when it may have been issued: one from the future would shut all others out. Raises
        CentralFault ``keyset_refused`` (detail ``why``) for one that no root key signed.
        """
        bundle = self.bundle
        fresh = open_keyset(data, bundle.roots, bundle.keyset)
        if not fresh.replaces(bundle.keyset):
            return False
        if fresh.issued > latest:
            raise CentralFault("keyset_refused", "issued in the future", why="future")
        # The ledger first: stopped in between, the keyset comes again, but no grant it distrusts is spent.
        ledger = self.ledger()
        try:
            distrust.drop_grants(ledger, fresh)
        finally:
            ledger.close()
        enrolment.save_keyset(self.path, bundle, data)
        return True

    def key_warnings(self) -> tuple[str, ...]:
        """``central_key_<standing>`` when the key that enrolled this kiosk does not stand as it did then."""
        standing = self.bundle.standing
        return () if standing is KeyStanding.ACTIVE else (f"central_key_{standing}",)

    def identity(self) -> Identity:
        """Who signs this kiosk's journal and requests."""
        enrolled = self._bundle.enrolment
        first = self.signer_of(enrolled.public)
        if first is None:
            raise EnvironmentFault("keys_foreign", "the device keys are not those that were enrolled")
        return Identity(enrolled.kiosk, enrolled.gen, first, self.signer_of)

    def signer_of(self, public: bytes) -> Ed25519PrivateKey | None:
        """The device key with that public key; looked for anew, since another process may have made it."""
        found = self.keys.signer_of(public)
        if found is None:
            self.keys = keystore.load(self.path)
            found = self.keys.signer_of(public)
        return found

    def signers(self) -> list[Ed25519PrivateKey]:
        """Every device key that is on this device now, the newest first."""
        self.keys = keystore.load(self.path)
        return self.keys.signers()

    def rollback_counter(self) -> RollbackCounter | None:
        """The counter that no old image of this disk takes back; None where this machine has none."""
        return self._find_counter()

    def ledger(self) -> Ledger:
        """A new connection to the ledger.

        Raises EnvironmentFault ``ledger_missing``, ``ledger_foreign`` (it is not of this enrolment) and what
        opening raises.
        """
        ledger = Ledger(self.path / LEDGER_FILE, self.keys.database_key)
        enrolled = self._bundle.enrolment
        if ledger.meta(public_key_meta(enrolled.gen)) != enrolled.public.hex():
            ledger.close()
            raise EnvironmentFault("ledger_foreign", "ledger.db belongs to another enrolment of this kiosk")
        return ledger

    def caches(self) -> CacheFolder:
        """A new view of the cache files."""
        return CacheFolder(self.path, self.keys.database_key)

    def counter(
        self,
        clock: Clock,
        *,
        rights: RightsSource | None = None,
        challenges: Challenges | None = None,
        zone: str = "Asia/Jakarta",
        void_minutes: int = 10,
        officer_cache_days: int = 30,
    ) -> Counter:
        """A counter with connections of its own, for the calling thread.

        An old image of the ledger is frozen here, before anything can be handed out, where there is a counter
        that tells.
        """
        ledger = self.ledger()
        asserted = AssertedClock(clock, ledger, self.path)
        told = rollback.check(ledger, self.rollback_counter())
        return Counter(
            self.path,
            self._bundle.enrolment,
            ledger,
            self.caches(),
            Journal(ledger, self.identity(), asserted),
            self.keyset,
            self.keys.officer_pepper,
            asserted,
            rights=rights,
            challenges=challenges,
            zone=zone,
            void_minutes=void_minutes,
            officer_cache_days=officer_cache_days,
            warnings=(*told, *(("stolen_disk_readable",) if self.keys.disk_theft_exposes else ())),
            live_warnings=self.key_warnings,
        )

    def _stamp(self) -> tuple[int, int]:
        try:
            found = (self.path / enrolment.FILE_NAME).stat()
        except OSError as fault:
            raise EnvironmentFault("not_enrolled", f"{enrolment.FILE_NAME} is gone") from fault
        return found.st_mtime_ns, found.st_ino
