"""Central's data folder: its keys, and the Central object everything else is handed.

Keys are files of mode 0400 in ``$KMC_HOME/keys`` (see ``key_files``); the keyset says which of them sign.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from kiosk import keyset
from kiosk.errors import EnvironmentFault, OfficerFault
from kiosk.keyset import Key, KeyUse
from kiosk.values import Mode
from sync.central import families, key_files, migration, settings
from sync.central.database import Database
from sync.central.feed import FeedChanges
from sync.central.grant_journal import GrantJournal
from sync.central.key_files import KEYS_FOLDER, Keys, Signer
from sync.central.key_ring import KeyRing
from sync.central.verifying import Verify, verify_here
from sync.wire import CITY, to_base64

FAMILIES_TOLD: Final = "families_told"
"""Single value that is set once the feed has its rows of families."""
DATABASE_FILE: Final = "central.db"
KEY_YEARS: Final = 10


@dataclass(frozen=True, slots=True)
class Central:
    """One central: its database, keys, mode and clock."""

    home: Path
    database: Database
    ring: KeyRing
    mode: Mode
    incarnation: int
    clock: Callable[[], float] = field(default=time.time)
    """Unix seconds."""
    verify: Verify = field(default=verify_here)
    """Checks the signatures of records."""
    outside: GrantJournal = field(init=False)
    """What has to be known after the database went back to a backup."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "outside", GrantJournal(self.home))

    @property
    def keys(self) -> Keys:
        """The keys to sign with now."""
        return self.ring.keys

    def now(self) -> int:
        """Unix seconds."""
        return int(self.clock())

    def close(self) -> None:
        """Closes the database and the log outside it."""
        self.outside.close()
        self.database.close()


def default_url(home: Path) -> str:
    """The URL of the SQLite database in a data folder."""
    return f"sqlite:///{home / DATABASE_FILE}"


def init(home: Path, url: str, mode: Mode, clock: Callable[[], float] = time.time) -> Central:
    """Creates keys and tables, or brings the tables up to date; the mode of a central never changes.

    Raises OfficerFault ``mode_fixed``; EnvironmentFault ``keys_unreadable``.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_files.create(home / KEYS_FOLDER)
    if url == default_url(home):
        # SQLite's own files take the mode of this one; people's numbers are in it.
        os.close(os.open(home / DATABASE_FILE, os.O_WRONLY | os.O_CREAT, 0o600))
    migration.upgrade(url)
    keys = load_keys(home)
    database = Database(url)
    try:
        database.write(lambda connection: _first_rows(connection, home, keys, mode, int(clock())))
        return _opened(home, database, keys, clock)
    except BaseException:
        database.close()
        raise


def open_central(home: Path, url: str, clock: Callable[[], float] = time.time) -> Central:
    """Opens a central that ``init`` has made.

    Raises EnvironmentFault ``not_initialised``, ``keys_unreadable``, ``database_outdated``.
    """
    if not (home / KEYS_FOLDER).is_dir() or (
        url == default_url(home) and not (home / DATABASE_FILE).exists()
    ):
        raise EnvironmentFault("not_initialised", f"nothing in {home.name}: run `kmc-central init` first")
    keys = load_keys(home)
    at, newest = migration.version(url), migration.newest()
    if at is None:
        raise EnvironmentFault("not_initialised", "the database has no tables: run `kmc-central init` first")
    if at != newest:
        raise EnvironmentFault(
            "database_outdated", f"tables at {at}, {newest} needed: run `kmc-central init`"
        )
    database = Database(url)
    try:
        return _opened(home, database, keys, clock)
    except BaseException:
        database.close()
        raise


def load_keys(home: Path) -> Keys:
    """The first keys in a data folder. Raises EnvironmentFault ``keys_unreadable``."""
    return key_files.load(home)


def make_keyset(keys: Keys, root: Signer, issued: int) -> bytes:
    """The signed keyset with central's and the issuer's keys, as of ``issued`` (Unix seconds).

    The issuer's reaches back KEY_YEARS, for cards that were made before this central was set up.
    """
    span = KEY_YEARS * 366 * 86_400
    listed = [
        Key(keys.central.kid, KeyUse.CENTRAL, keys.central.public, issued - 86_400, issued + span),
        Key(keys.issuer.kid, KeyUse.ISSUER, keys.issuer.public, max(0, issued - span), issued + span),
    ]
    return keyset.make(listed, issued, root.private, root.kid)


def _opened(home: Path, database: Database, keys: Keys, clock: Callable[[], float]) -> Central:
    with database.read() as connection:
        known = settings.all_of(connection)
    if known.get("central_kid") != keys.central.kid.hex():
        raise EnvironmentFault("keys_unreadable", "these are not the keys this database was made with")
    ring = KeyRing(home, database, clock)
    return Central(home, database, ring, Mode(known["mode"]), int(known["incarnation"]), clock)


def _first_rows(connection: Connection, home: Path, keys: Keys, mode: Mode, now: int) -> None:
    known = settings.all_of(connection)
    if known.get("mode", str(mode)) != str(mode):
        raise OfficerFault("mode_fixed", f"this central is a {known['mode']} one for good")
    if "mode" in known:
        _tell_families_once(connection, known)
        return
    root = key_files.root_signer(home / KEYS_FOLDER / "root1.key", keys)
    signed = to_base64(make_keyset(keys, root, now))
    settings.put(
        connection,
        mode=str(mode),
        incarnation="1",
        created=str(now),
        central_kid=keys.central.kid.hex(),
        keyset=signed,
        **{FAMILIES_TOLD: "1"},
    )
    changes = FeedChanges()
    changes.put(CITY, "keyset", (1, signed))
    changes.write(connection)


def _tell_families_once(connection: Connection, known: dict[str, str]) -> None:
    """Data of before the feed had rows of families gets them."""
    if FAMILIES_TOLD in known:
        return
    changes = FeedChanges()
    families.tell_all(connection, changes)
    changes.write(connection)
    settings.put(connection, **{FAMILIES_TOLD: "1"})
