"""Central's data folder: its keys, and the Central object everything else is handed.

Keys are files of mode 0400 in ``$KMC_HOME/keys``; whoever reads them is central. The roots sign keysets only
and are needed at ``init`` and when a key changes: in production they belong in a safe.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection

from kiosk import keyset
from kiosk.errors import EnvironmentFault, OfficerFault
from kiosk.keyset import Key, KeyUse
from kiosk.values import Mode
from sync.central import migration, settings
from sync.central.database import Database
from sync.central.feed import FeedChanges
from sync.central.verifying import Verify, verify_here
from sync.wire import CITY, to_base64

KEYS_FOLDER: Final = "keys"
DATABASE_FILE: Final = "central.db"
_SIGNING: Final = ("root1", "root2", "central", "issuer")
_SECRET: Final = ("nik", "pepper")
KEY_YEARS: Final = 10


@dataclass(frozen=True, slots=True)
class Signer:
    """A signing key with its id."""

    private: Ed25519PrivateKey
    kid: bytes
    public: bytes


@dataclass(frozen=True, slots=True)
class Keys:
    """All that central signs or hashes with."""

    root1: Signer
    root2: Signer
    central: Signer
    issuer: Signer
    nik: bytes
    """HMAC-SHA-256 key of the NIK hashes that caches hold."""
    pepper: bytes
    """Of officers' PINs; kiosks get it at enrolment."""


@dataclass(frozen=True, slots=True)
class Central:
    """One central: its database, keys, mode and clock."""

    home: Path
    database: Database
    keys: Keys
    mode: Mode
    incarnation: int
    clock: Callable[[], float] = field(default=time.time)
    """Unix seconds."""
    verify: Verify = field(default=verify_here)
    """Checks the signatures of records."""

    def now(self) -> int:
        """Unix seconds."""
        return int(self.clock())

    def close(self) -> None:
        """Closes the database."""
        self.database.close()


def default_url(home: Path) -> str:
    """The URL of the SQLite database in a data folder."""
    return f"sqlite:///{home / DATABASE_FILE}"


def init(home: Path, url: str, mode: Mode, clock: Callable[[], float] = time.time) -> Central:
    """Creates keys and tables, or brings the tables up to date; the mode of a central never changes.

    Raises OfficerFault ``mode_fixed``; EnvironmentFault ``keys_unreadable``.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    _create_keys(home / KEYS_FOLDER)
    if url == default_url(home):
        # SQLite's own files take the mode of this one; people's numbers are in it.
        os.close(os.open(home / DATABASE_FILE, os.O_WRONLY | os.O_CREAT, 0o600))
    migration.upgrade(url)
    keys = load_keys(home)
    database = Database(url)
    try:
        database.write(lambda connection: _first_rows(connection, keys, mode, int(clock())))
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
    """The keys in a data folder. Raises EnvironmentFault ``keys_unreadable``."""
    folder = home / KEYS_FOLDER
    try:
        raw = {name: (folder / f"{name}.key").read_bytes() for name in (*_SIGNING, *_SECRET)}
    except OSError as fault:
        raise EnvironmentFault("keys_unreadable", f"{KEYS_FOLDER}: {fault.strerror}") from fault
    if any(len(value) != 32 for value in raw.values()):
        raise EnvironmentFault("keys_unreadable", "a key file is not 32 bytes")
    signers = {name: _signer(raw[name]) for name in _SIGNING}
    return Keys(**signers, nik=raw["nik"], pepper=raw["pepper"])


def make_keyset(keys: Keys, issued: int) -> bytes:
    """The signed keyset with central's and the issuer's keys, as of ``issued`` (Unix seconds).

    The issuer's reaches back KEY_YEARS, for cards that were made before this central was set up.
    """
    span = KEY_YEARS * 366 * 86_400
    listed = [
        Key(keys.central.kid, KeyUse.CENTRAL, keys.central.public, issued - 86_400, issued + span),
        Key(keys.issuer.kid, KeyUse.ISSUER, keys.issuer.public, max(0, issued - span), issued + span),
    ]
    return keyset.make(listed, issued, keys.root1.private, keys.root1.kid)


def _opened(home: Path, database: Database, keys: Keys, clock: Callable[[], float]) -> Central:
    with database.read() as connection:
        known = settings.all_of(connection)
    if known.get("central_kid") != keys.central.kid.hex():
        raise EnvironmentFault("keys_unreadable", "these are not the keys this database was made with")
    return Central(home, database, keys, Mode(known["mode"]), int(known["incarnation"]), clock)


def _first_rows(connection: Connection, keys: Keys, mode: Mode, now: int) -> None:
    known = settings.all_of(connection)
    if known.get("mode", str(mode)) != str(mode):
        raise OfficerFault("mode_fixed", f"this central is a {known['mode']} one for good")
    if "mode" in known:
        return
    signed = to_base64(make_keyset(keys, now))
    settings.put(
        connection,
        mode=str(mode),
        incarnation="1",
        created=str(now),
        central_kid=keys.central.kid.hex(),
        keyset=signed,
    )
    changes = FeedChanges()
    changes.put(CITY, "keyset", (1, signed))
    changes.write(connection)


def _create_keys(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in (*_SIGNING, *_SECRET):
        try:
            handle = os.open(folder / f"{name}.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        except FileExistsError:
            continue
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _signer(seed: bytes) -> Signer:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return Signer(private, keyset.key_id(public), public)
