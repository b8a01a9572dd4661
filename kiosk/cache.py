"""The local copy of what central knows: holders, programs, entitlements, officers. Disposable at any time.

It lies in ``cache.<n>.db`` (see ``kiosk.cache_folder`` for which n). Only sync writes here; what was handed
out here since is an overlay from the ledger.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk.database import Database, DatabaseFile, Migrations, bring_up_to_date, open_database
from kiosk.errors import EnvironmentFault
from kiosk.feed_rows import COLUMNS, INDEXES, index_ddl, table_ddl

CACHE_META = "cache_meta"
LOOKUP = "looked_up"
SET_ASIDE = "set_aside"
LOOKED_UP = "x"
"""Begins the bucket of what was looked up; the holder's id follows."""
_IDS_PER_QUERY = 500

migrations = Migrations("cache")


@migrations()
def m001_first_tables(db: Database) -> None:
    """One table for each kind of the feed, with the row's bucket and hash, and the single values."""
    _make_tables(db)
    db.conn.execute(f"CREATE TABLE {CACHE_META} (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")


@migrations()
def m002_lookups(db: Database) -> None:
    """Cards of other points that were looked up, rows that were not understood, kinds that came since."""
    _make_tables(db)
    db.conn.execute(
        f"""CREATE TABLE {LOOKUP} (holder_id INTEGER PRIMARY KEY, card_no TEXT NOT NULL,
            at_ms INTEGER NOT NULL, row_keys TEXT NOT NULL)"""
    )
    db.conn.execute(
        f"""CREATE TABLE {SET_ASIDE} (kind TEXT NOT NULL, row_key TEXT NOT NULL, bucket TEXT NOT NULL,
            row_hash INTEGER NOT NULL, why TEXT NOT NULL,
            PRIMARY KEY (kind, row_key, bucket)) WITHOUT ROWID"""
    )


@migrations()
def m003_badges_and_old_cards(db: Database) -> None:
    """Officers' badges, and cards from before this system."""
    _make_tables(db)


def _make_tables(db: Database) -> None:
    """The tables that are missing; some may have come with a snapshot."""
    there = {row[0] for row in db.conn.execute("SELECT name FROM sqlite_schema")}
    for kind in COLUMNS:
        if kind not in there:
            db.conn.execute(table_ddl(kind))
        for name, ddl in zip(INDEXES.get(kind, ()), index_ddl(kind), strict=True):
            if name not in there:
                db.conn.execute(ddl)


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
class Badge:
    """An officer's badge."""

    badge_no: str
    username: str
    issue_no: int
    required: bool
    """Without it this officer does not sign in."""


@dataclass(frozen=True, slots=True)
class LegacyCard:
    """A card from before this system, bound to its holder."""

    id: str
    holder_id: int
    state: str
    """``active`` or ``revoked``."""


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


@dataclass(frozen=True, slots=True)
class Gaps:
    """What a cache does not have of a holder."""

    looked_up_ms: int | None
    """When central was last asked about them (Unix milliseconds)."""
    from_elsewhere: bool
    """They are known by a lookup only."""
    lacks_people: bool
    """A guardian of theirs, or their family, belongs to a point that is not followed."""


def damage_mark(path: Path) -> Path:
    """The file that says that the cache at ``path`` was found damaged."""
    return path.with_name(f"{path.name}-damaged")


class Cache(DatabaseFile):
    """One connection to one ``cache.<n>.db``."""

    def __init__(self, path: Path, key: bytes, *, create: bool = False, cache_kib: int = 16384) -> None:
        """Opens it and brings its tables up to date; raises EnvironmentFault as ``open_database`` does."""
        super().__init__(path, open_database(path, key, create=create, cache_kib=cache_kib))
        try:
            bring_up_to_date(self.db, path, migrations, create=create)
        except BaseException:
            self.close()
            raise

    def row(self, sql: str, *values: Any) -> Any:
        """The first row of a query; damage that it meets is noted for sync, which then loads anew."""
        with self._noting_damage():
            return super().row(sql, *values)

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """All rows of a query; damage that it meets is noted for sync, which then loads anew."""
        with self._noting_damage():
            return super().rows(sql, *values)

    @contextmanager
    def _noting_damage(self) -> Iterator[None]:
        try:
            yield
        except EnvironmentFault as fault:
            if fault.code == "database_damaged":
                # Where not even this can be written, the fault itself still comes out.
                with contextlib.suppress(OSError):
                    damage_mark(self.path).touch()
            raise

    def meta(self, key: str, default: str = "") -> str:
        """A single value, such as ``cursor`` or ``synced_at``."""
        row = self.row(f"SELECT value FROM {CACHE_META} WHERE key = ?", key)
        return str(row[0]) if row else default

    def set_meta(self, **values: str) -> None:
        """Writes single values."""
        with self.writing() as connection:
            put_cache_meta(connection, **values)

    def holder_by_card(self, card_no: str) -> Holder | None:
        """The holder of a card number."""
        row = self.row(
            f"{_select('holder')} WHERE card_no = ? "
            "ORDER BY status = 'active' DESC, issue_no DESC, id LIMIT 1",
            card_no,
        )
        return Holder(*row) if row else None

    def holder(self, holder_id: int) -> Holder | None:
        """A holder by id."""
        row = self.row(f"{_select('holder')} WHERE id = ?", holder_id)
        return Holder(*row) if row else None

    def family_point(self, family_id: int) -> int | None:
        """The point of the member with the lowest id: the family's rights lie there; None if unknown."""
        row = self.row('SELECT head_point_id FROM "family" WHERE id = ? LIMIT 1', family_id)
        if row is None:
            row = self.row('SELECT point_id FROM "holder" WHERE family_id = ? ORDER BY id LIMIT 1', family_id)
        return int(row[0]) if row else None

    def gaps(self, holder_id: int) -> Gaps:
        """What this cache does not have of a holder who is in it."""
        row = self.row(
            f"""SELECT (SELECT at_ms FROM {LOOKUP} WHERE holder_id = h.id), h.bucket LIKE '{LOOKED_UP}%',
                    EXISTS (SELECT 1 FROM "family" WHERE id = h.family_id) OR
                    EXISTS (SELECT 1 FROM "guardian" AS g WHERE g.child_id = h.id
                            AND NOT EXISTS (SELECT 1 FROM "holder" AS p WHERE p.id = g.guardian_id))
                FROM "holder" AS h WHERE h.id = ?""",
            holder_id,
        )
        return Gaps(row[0], bool(row[1]), bool(row[2])) if row else Gaps(None, False, False)

    def missing_subjects(self, subjects: Collection[str]) -> set[str]:
        """Which of these subjects (``h12``, ``f7``) are of no holder here."""
        missing = set(subjects)
        for letter, column in (("h", "id"), ("f", "family_id")):
            ids = [int(subject[1:]) for subject in subjects if subject[0] == letter]
            for start in range(0, len(ids), _IDS_PER_QUERY):
                part = ids[start : start + _IDS_PER_QUERY]
                marks = ", ".join("?" * len(part))
                found = self.rows(
                    f'SELECT DISTINCT {column} FROM "holder" WHERE {column} IN ({marks})', *part
                )
                missing -= {f"{letter}{row[0]}" for row in found}
        return missing

    def entitlements(self, subjects: Sequence[str]) -> list[Entitlement]:
        """All entitlements of these subjects, by program and id."""
        marks = ", ".join("?" * len(subjects))
        rows = self.rows(
            f"{_select('entitlement')} WHERE subject IN ({marks}) ORDER BY program_id, id", *subjects
        )
        return [Entitlement(*row) for row in rows]

    def program_docs(self, program_ids: Iterable[str]) -> dict[str, str]:
        """The JSON documents of these programs, by id."""
        ids = list(program_ids)
        marks = ", ".join("?" * len(ids))
        return dict(self.rows(f'SELECT id, doc FROM "program" WHERE id IN ({marks})', *ids))

    def all_program_docs(self) -> dict[str, str]:
        """The JSON documents of all programs, by id."""
        return dict(self.rows('SELECT id, doc FROM "program"'))

    def guardians(self, child_id: int) -> list[Guardianship]:
        """Every guardianship of a child, also ended ones."""
        return [
            Guardianship(*row) for row in self.rows(f"{_select('guardian')} WHERE child_id = ?", child_id)
        ]

    def right_places(self, rights: Sequence[str]) -> dict[str, RightPlace]:
        """What central last said of these rights; a right not listed lies at its usual place."""
        marks = ", ".join("?" * len(rights))
        rows = self.rows(f'{_select("right")} WHERE "right" IN ({marks})', *rights)
        return {row[0]: RightPlace(*row) for row in rows}

    def denied(self, card_no: str, issue_no: int) -> tuple[str, str] | None:
        """Why a card was denied and since when (ISO date), or None."""
        row = self.row(
            'SELECT reason, since FROM "denied_card" WHERE card_no = ? AND issue_no = ?', card_no, issue_no
        )
        return (str(row[0]), str(row[1])) if row else None

    def officer(self, username: str) -> CachedOfficer | None:
        """An officer by user name."""
        row = self.row(f"{_select('officer')} WHERE username = ?", username)
        return CachedOfficer(*row) if row else None

    def badge(self, badge_no: str) -> Badge | None:
        """An officer's badge by its number."""
        row = self.row(f"{_select('badge')} WHERE badge_no = ?", badge_no)
        return Badge(row[0], row[1], row[2], bool(row[3])) if row else None

    def badge_of(self, username: str) -> Badge | None:
        """An officer's badge by user name."""
        row = self.row(f"{_select('badge')} WHERE username = ?", username)
        return Badge(row[0], row[1], row[2], bool(row[3])) if row else None

    def legacy_card(self, identity: str) -> LegacyCard | None:
        """A card from before this system, by its ``legacy_id``."""
        row = self.row(f"{_select('legacy_card')} WHERE id = ?", identity)
        return LegacyCard(*row) if row else None

    def point_name(self, point_id: int) -> str:
        """The name of a service point; empty if unknown."""
        row = self.row('SELECT name FROM "point" WHERE id = ?', point_id)
        return str(row[0]) if row else ""

    def agency_name(self, agency_id: int) -> str:
        """The short name of an agency; empty if unknown."""
        row = self.row('SELECT short FROM "agency" WHERE id = ?', agency_id)
        return str(row[0]) if row else ""

    def kiosk(self, kiosk_id: str) -> CachedKiosk | None:
        """A kiosk by id."""
        row = self.row(f"{_select('kiosk')} WHERE id = ?", kiosk_id)
        return CachedKiosk(*row) if row else None

    def keeper_of(self, point_id: int) -> CachedKiosk | None:
        """The kiosk at which a point's rights lie."""
        row = self.row(f"{_select('kiosk')} WHERE point_id = ? AND keeper = 1 ORDER BY id", point_id)
        return CachedKiosk(*row) if row else None

    def keyset_doc(self) -> str:
        """The newest signed key set, Base64; empty if none came yet."""
        row = self.row('SELECT doc FROM "keyset" WHERE id = 1')
        return str(row[0]) if row else ""

    def count(self, kind: str) -> int:
        """How many rows of a kind there are."""
        if kind not in COLUMNS:
            raise ValueError(f"no table {kind!r}")
        row = self.row(f'SELECT count(*) FROM "{kind}"')
        return int(row[0]) if row else 0


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
