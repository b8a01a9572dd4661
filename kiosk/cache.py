"""The local copy of what central knows: holders, programs, entitlements, officers. Disposable at any time.

It lies in ``cache.<n>.db``; the file ``cache.current`` names n and is swapped atomically, and read anew at
each use, so that a rebuilt cache takes over between two taps. Only sync writes here; what was handed out
here since is an overlay from the ledger.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk.database import Database, Migrations, database_faults, open_database, writing
from kiosk.errors import EnvironmentFault

POINTER_FILE = "cache.current"

COLUMNS: dict[str, tuple[str, ...]] = {
    "agency": ("id", "name", "short"),
    "point": ("id", "name", "district", "kind"),
    "kiosk": ("id", "point_id", "counter", "keeper", "state"),
    "program": ("id", "version", "doc"),
    "denied_card": ("card_no", "issue_no", "reason", "since"),
    "keyset": ("id", "doc"),
    "holder": (
        "id",
        "card_no",
        "issue_no",
        "name",
        "birth",
        "nik_last4",
        "nik_hash",
        "family_id",
        "point_id",
        "status",
    ),
    "guardian": ("id", "child_id", "guardian_id", "relation", "valid_from", "valid_until", "revoked_at"),
    "entitlement": (
        "id",
        "version",
        "subject",
        "program_id",
        "quantity",
        "valid_from",
        "valid_until",
        "status",
    ),
    "right": ("right", "held_by", "point_id", "quantity", "spent", "last_at", "last_point_id", "last_ref"),
    "officer": ("username", "name", "role", "point_id", "pin_hash", "valid_until"),
}
"""Tables and columns, as the feed names them."""

KEYS: dict[str, int] = {kind: 2 if kind == "denied_card" else 1 for kind in COLUMNS}
"""How many leading columns make a row's key."""

CACHE_META = "cache_meta"
_INTEGERS = {
    "id",
    "version",
    "point_id",
    "issue_no",
    "keeper",
    "family_id",
    "child_id",
    "guardian_id",
    "quantity",
    "spent",
    "last_point_id",
}
_TEXT_IDS = {("kiosk", "id"), ("program", "id")}

migrations = Migrations("cache")


@migrations()
def m001_first_tables(db: Database) -> None:
    """One table for each kind of the feed, with the row's bucket and hash, and the single values."""
    for kind, columns in COLUMNS.items():
        typed = ", ".join(
            f'"{name}" {"INTEGER" if name in _INTEGERS and (kind, name) not in _TEXT_IDS else "TEXT"}'
            for name in columns
        )
        key = ", ".join(f'"{name}"' for name in columns[: KEYS[kind]])
        db.conn.execute(
            f'CREATE TABLE "{kind}" ({typed}, bucket TEXT NOT NULL, row_hash INTEGER NOT NULL, '
            f"PRIMARY KEY ({key}))"
        )
    db.conn.execute('CREATE UNIQUE INDEX holder_card ON "holder" (card_no)')
    db.conn.execute('CREATE INDEX holder_family ON "holder" (family_id)')
    db.conn.execute('CREATE INDEX entitlement_subject ON "entitlement" (subject)')
    db.conn.execute('CREATE INDEX guardian_child ON "guardian" (child_id)')
    db.conn.execute(f"CREATE TABLE {CACHE_META} (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")


@dataclass(frozen=True, slots=True)
class Holder:
    """A holder as cached; no full NIK."""

    id: int
    card_no: str
    issue_no: int
    name: str
    birth: str
    nik_last4: str
    nik_hash: str
    family_id: int
    point_id: int
    status: str


@dataclass(frozen=True, slots=True)
class Entitlement:
    """An agency's word that a subject may get something from a program."""

    id: int
    version: int
    subject: str
    program_id: str
    quantity: int
    valid_from: str
    valid_until: str | None
    status: str


@dataclass(frozen=True, slots=True)
class Guardianship:
    """Who may collect for a child, and how long."""

    id: int
    child_id: int
    guardian_id: int
    relation: str
    valid_from: str
    valid_until: str | None
    revoked_at: str | None


@dataclass(frozen=True, slots=True)
class RightPlace:
    """Where a right lies or what became of it, as central last said."""

    right: str
    held_by: str
    point_id: int
    quantity: int
    spent: int
    last_at: str | None
    last_point_id: int | None
    last_ref: str | None


@dataclass(frozen=True, slots=True)
class CachedOfficer:
    """An officer of this point."""

    username: str
    name: str
    role: str
    point_id: int
    pin_hash: str
    valid_until: str | None


@dataclass(frozen=True, slots=True)
class CachedKiosk:
    """A kiosk of the city."""

    id: str
    point_id: int
    counter: str
    keeper: int
    state: str


class Cache:
    """One connection to one ``cache.<n>.db``."""

    def __init__(self, path: Path, key: bytes, *, create: bool = False, cache_kib: int = 16384) -> None:
        """Opens it and brings its tables up to date; raises EnvironmentFault as ``open_database`` does."""
        self.path = path
        self.db = open_database(path, key, create=create, cache_kib=cache_kib)
        if migrations.pending(self.db):
            migrations.apply(self.db)

    def close(self) -> None:
        """Closes the connection."""
        self.db.close()

    def meta(self, key: str, default: str = "") -> str:
        """A single value, such as ``cursor`` or ``synced_at``."""
        row = self._one(f"SELECT value FROM {CACHE_META} WHERE key = ?", key)
        return str(row[0]) if row else default

    def set_meta(self, **values: str) -> None:
        """Writes single values."""
        with writing(self.db, self.path) as connection:
            put_cache_meta(connection, **values)

    def holder_by_card(self, card_no: str) -> Holder | None:
        """The holder of a card number."""
        row = self._one(f"{_select('holder')} WHERE card_no = ?", card_no)
        return Holder(*row) if row else None

    def holder(self, holder_id: int) -> Holder | None:
        """A holder by id."""
        row = self._one(f"{_select('holder')} WHERE id = ?", holder_id)
        return Holder(*row) if row else None

    def family_head(self, family_id: int) -> Holder | None:
        """The member with the lowest id: the family's rights lie at that member's point."""
        row = self._one(f"{_select('holder')} WHERE family_id = ? ORDER BY id LIMIT 1", family_id)
        return Holder(*row) if row else None

    def entitlements(self, subjects: Sequence[str]) -> list[Entitlement]:
        """All entitlements of these subjects, by program and id."""
        marks = ", ".join("?" * len(subjects))
        rows = self._all(
            f"{_select('entitlement')} WHERE subject IN ({marks}) ORDER BY program_id, id", *subjects
        )
        return [Entitlement(*row) for row in rows]

    def program_docs(self, program_ids: Iterable[str]) -> dict[str, str]:
        """The JSON documents of these programs, by id."""
        ids = list(program_ids)
        marks = ", ".join("?" * len(ids))
        return dict(self._all(f'SELECT id, doc FROM "program" WHERE id IN ({marks})', *ids))

    def guardians(self, child_id: int) -> list[Guardianship]:
        """Every guardianship of a child, also ended ones."""
        return [
            Guardianship(*row) for row in self._all(f"{_select('guardian')} WHERE child_id = ?", child_id)
        ]

    def right_places(self, rights: Sequence[str]) -> dict[str, RightPlace]:
        """What central last said of these rights; a right not listed lies at its usual place."""
        marks = ", ".join("?" * len(rights))
        rows = self._all(f'{_select("right")} WHERE "right" IN ({marks})', *rights)
        return {row[0]: RightPlace(*row) for row in rows}

    def denied(self, card_no: str, issue_no: int) -> str | None:
        """Why a card was denied, or None."""
        row = self._one(
            'SELECT reason FROM "denied_card" WHERE card_no = ? AND issue_no = ?', card_no, issue_no
        )
        return str(row[0]) if row else None

    def officer(self, username: str) -> CachedOfficer | None:
        """An officer by user name."""
        row = self._one(f"{_select('officer')} WHERE username = ?", username)
        return CachedOfficer(*row) if row else None

    def point_name(self, point_id: int) -> str:
        """The name of a service point; empty if unknown."""
        row = self._one('SELECT name FROM "point" WHERE id = ?', point_id)
        return str(row[0]) if row else ""

    def agency_name(self, agency_id: int) -> str:
        """The short name of an agency; empty if unknown."""
        row = self._one('SELECT short FROM "agency" WHERE id = ?', agency_id)
        return str(row[0]) if row else ""

    def kiosk(self, kiosk_id: str) -> CachedKiosk | None:
        """A kiosk by id."""
        row = self._one(f"{_select('kiosk')} WHERE id = ?", kiosk_id)
        return CachedKiosk(*row) if row else None

    def keeper_of(self, point_id: int) -> CachedKiosk | None:
        """The kiosk at which a point's rights lie."""
        row = self._one(f"{_select('kiosk')} WHERE point_id = ? AND keeper = 1 ORDER BY id", point_id)
        return CachedKiosk(*row) if row else None

    def keyset_doc(self) -> str:
        """The newest signed key set, Base64; empty if none came yet."""
        row = self._one('SELECT doc FROM "keyset" WHERE id = 1')
        return str(row[0]) if row else ""

    def count(self, kind: str) -> int:
        """How many rows of a kind there are."""
        if kind not in COLUMNS:
            raise ValueError(f"no table {kind!r}")
        row = self._one(f'SELECT count(*) FROM "{kind}"')
        return int(row[0]) if row else 0

    def _one(self, sql: str, *values: Any) -> Any:
        with database_faults(self.path):
            return self.db.conn.execute(sql, values).fetchone()

    def _all(self, sql: str, *values: Any) -> list[Any]:
        with database_faults(self.path):
            return list(self.db.conn.execute(sql, values).fetchall())


def _select(kind: str) -> str:
    columns = ", ".join(f'"{name}"' for name in COLUMNS[kind])
    return f'SELECT {columns} FROM "{kind}"'


def put_cache_meta(connection: Any, **values: str) -> None:
    """Writes single values inside the caller's transaction."""
    connection.executemany(
        f"INSERT INTO {CACHE_META} (key, value) VALUES (?, ?) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        list(values.items()),
    )


class CacheFolder:
    """Finds the current cache file; one per thread, since it keeps the connection open."""

    def __init__(self, home: Path, key: bytes) -> None:
        self.home = home
        self._key = key
        self._open: Cache | None = None

    def current(self) -> Cache:
        """The current cache, opened anew when the pointer has moved.

        Raises EnvironmentFault: ``cache_missing`` before the first load, and what opening raises.
        """
        number = self.current_number()
        if number is None:
            raise EnvironmentFault("cache_missing", "nothing was loaded from central yet")
        path = self.path_of(number)
        if self._open is None or self._open.path != path:
            self.close()
            self._open = Cache(path, self._key)
        return self._open

    def close(self) -> None:
        """Closes the open connection, if any."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def current_number(self) -> int | None:
        """The number in the pointer file; None if there is none."""
        try:
            return int((self.home / POINTER_FILE).read_text(encoding="ascii"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as fault:
            raise EnvironmentFault("cache_pointer_damaged", f"{POINTER_FILE}: {fault}") from fault

    def path_of(self, number: int) -> Path:
        """The file of a cache number."""
        return self.home / f"cache.{number}.db"

    def next_number(self) -> int:
        """A number that no file uses."""
        numbers = [
            int(p.name.split(".")[1]) for p in self.home.glob("cache.*.db") if p.name.split(".")[1].isdigit()
        ]
        return max([*numbers, self.current_number() or 0], default=0) + 1

    def create(self, number: int) -> Cache:
        """A new, empty cache file that is not current yet."""
        return Cache(self.path_of(number), self._key, create=True)

    def make_current(self, number: int) -> None:
        """Swaps the pointer atomically and removes older files."""
        staging = self.home / f"{POINTER_FILE}.new"
        with staging.open("w", encoding="ascii") as file:
            file.write(str(number))
            file.flush()
            os.fsync(file.fileno())
        staging.replace(self.home / POINTER_FILE)
        folder = os.open(self.home, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        for old in self.home.glob("cache.*.db*"):
            part = old.name.split(".")[1]
            if part.isdigit() and int(part) < number:
                old.unlink(missing_ok=True)

    def wipe(self) -> None:
        """Removes pointer and files: after this device was revoked. The ledger stays."""
        self.close()
        (self.home / POINTER_FILE).unlink(missing_ok=True)
        for old in self.home.glob("cache.*.db*"):
            old.unlink(missing_ok=True)
