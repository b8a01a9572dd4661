"""``ledger.db``: rights held and the journal. Precious: never recreated silently, never wiped with the cache.

Tables are named here once, because a mistyped table name would be created without a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk.database import (
    Database,
    DatabaseFile,
    Migrations,
    bring_up_to_date,
    database_faults,
    open_database,
)
from kiosk.errors import EnvironmentFault
from kiosk.grant import terms_in

LEDGER_FILE = "ledger.db"

META = "meta"
JOURNAL = "journal"
JOURNAL_PRIVATE = "journal_private"
RIGHTS = "rights"
PICKUPS = "pickups"
ACKNOWLEDGED = "acknowledged"
OFFICER_DELAYS = "officer_delays"
CARD_ISSUES = "card_issues"
CARD_COUNTERS = "card_counters"
SIGNING_KEYS = "signing_keys"
ANCHOR = "anchor"
USB_EXPORTS = "usb_exports"
ASKED = "asked"
STOCK = "stock"
TOLERATED = "tolerated"
ADOPTED_CARDS = "adopted_cards"

migrations = Migrations("ledger")


@migrations()
def m001_first_tables(db: Database) -> None:
    """Journal, private text, rights with their floors, pickups, acknowledgements, delays, card issues."""
    db.conn.execute(f"CREATE TABLE {META} (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
    db.conn.execute(
        f"""CREATE TABLE {JOURNAL} (
            gen INTEGER NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, right TEXT NOT NULL,
            ref TEXT NOT NULL, record BLOB NOT NULL, hash BLOB NOT NULL, signature BLOB NOT NULL,
            PRIMARY KEY (gen, seq))"""
    )
    db.conn.execute(
        f"""CREATE TABLE {JOURNAL_PRIVATE} (
            gen INTEGER NOT NULL, seq INTEGER NOT NULL, salt BLOB NOT NULL, text TEXT,
            PRIMARY KEY (gen, seq), FOREIGN KEY (gen, seq) REFERENCES {JOURNAL} (gen, seq))"""
    )
    db.conn.execute(
        f"""CREATE TABLE {RIGHTS} (
            right TEXT PRIMARY KEY, gen INTEGER NOT NULL,
            epoch_incarnation INTEGER NOT NULL, epoch_n INTEGER NOT NULL,
            granted INTEGER NOT NULL, upto_seq INTEGER NOT NULL, quantity_left INTEGER NOT NULL,
            not_before INTEGER NOT NULL, not_after INTEGER NOT NULL, mode TEXT NOT NULL, grant_bytes BLOB,
            held INTEGER NOT NULL, acquired_ms INTEGER NOT NULL DEFAULT 0,
            floor_incarnation INTEGER NOT NULL DEFAULT 0, floor_n INTEGER NOT NULL DEFAULT 0)"""
    )
    db.conn.execute(
        f"""CREATE TABLE {PICKUPS} (
            ref TEXT PRIMARY KEY, gen INTEGER NOT NULL, seq INTEGER NOT NULL, right TEXT NOT NULL,
            program_id TEXT NOT NULL, program_version INTEGER NOT NULL, card TEXT NOT NULL,
            quantity INTEGER NOT NULL, spends INTEGER NOT NULL,
            epoch_incarnation INTEGER NOT NULL, epoch_n INTEGER NOT NULL,
            officer TEXT NOT NULL, wall_ms INTEGER NOT NULL,
            shown INTEGER NOT NULL DEFAULT 0, voided INTEGER NOT NULL DEFAULT 0)"""
    )
    db.conn.execute(f"CREATE INDEX {PICKUPS}_right ON {PICKUPS} (right)")
    db.conn.execute(f"CREATE UNIQUE INDEX {PICKUPS}_record ON {PICKUPS} (gen, seq)")
    db.conn.execute(f"CREATE INDEX {JOURNAL}_right ON {JOURNAL} (right, type)")
    db.conn.execute(f"CREATE INDEX {PICKUPS}_wall ON {PICKUPS} (wall_ms)")
    db.conn.execute(f"CREATE INDEX {PICKUPS}_unshown ON {PICKUPS} (shown) WHERE shown = 0")
    db.conn.execute(
        f"""CREATE TABLE {ACKNOWLEDGED} (
            gen INTEGER PRIMARY KEY, acked_seq INTEGER NOT NULL, durable_seq INTEGER NOT NULL,
            head TEXT NOT NULL)"""
    )
    db.conn.execute(
        f"""CREATE TABLE {OFFICER_DELAYS} (
            username TEXT PRIMARY KEY, failures INTEGER NOT NULL, wall_ms INTEGER NOT NULL,
            mono_ms INTEGER NOT NULL, boot_id TEXT NOT NULL)"""
    )
    db.conn.execute(
        f"CREATE TABLE {CARD_ISSUES} (card_no TEXT PRIMARY KEY, issue_no INTEGER NOT NULL) WITHOUT ROWID"
    )


@migrations()
def m002_anchors(db: Database) -> None:
    """Where a pruned journal begins, the files it went out in, and which record took a pickup back."""
    db.conn.execute(
        f"""CREATE TABLE {ANCHOR} (
            gen INTEGER PRIMARY KEY, seq INTEGER NOT NULL, hash BLOB NOT NULL, signature BLOB NOT NULL,
            at INTEGER NOT NULL)"""
    )
    db.conn.execute(
        f"""CREATE TABLE {USB_EXPORTS} (
            number INTEGER PRIMARY KEY, nonce TEXT NOT NULL UNIQUE, written_ms INTEGER NOT NULL,
            sections TEXT NOT NULL, answered INTEGER NOT NULL DEFAULT 0)"""
    )
    db.conn.execute(f"ALTER TABLE {PICKUPS} ADD COLUMN void_gen INTEGER NOT NULL DEFAULT 0")
    db.conn.execute(f"ALTER TABLE {PICKUPS} ADD COLUMN void_seq INTEGER NOT NULL DEFAULT 0")
    db.conn.execute(
        f"""UPDATE {PICKUPS} SET (void_gen, void_seq) = (
                SELECT v.gen, v.seq FROM {JOURNAL} v WHERE v.type = 'void' AND v.ref = {PICKUPS}.ref)
            WHERE voided = 1"""
    )


@migrations()
def m003_rights_in_full(db: Database) -> None:
    """Rights asked for, stock slices, and what was handed out without a right that central has not got."""
    db.conn.execute(f"CREATE TABLE {ASKED} (right TEXT PRIMARY KEY, asked_ms INTEGER NOT NULL) WITHOUT ROWID")
    db.conn.execute(
        f"""CREATE TABLE {STOCK} (
            slice TEXT PRIMARY KEY, program_id TEXT NOT NULL, gen INTEGER NOT NULL,
            quantity INTEGER NOT NULL, returned INTEGER NOT NULL DEFAULT 0)"""
    )
    db.conn.execute(f"ALTER TABLE {PICKUPS} ADD COLUMN slice TEXT NOT NULL DEFAULT ''")
    db.conn.execute(f"CREATE INDEX {PICKUPS}_slice ON {PICKUPS} (slice) WHERE slice <> ''")
    db.conn.execute(
        f"""CREATE INDEX {PICKUPS}_tolerated ON {PICKUPS} (program_id)
            WHERE epoch_incarnation = 0 AND epoch_n = 0"""
    )
    # A view: it can neither drift from the journal nor be reset by anything but an acknowledgement.
    db.conn.execute(
        f"""CREATE VIEW {TOLERATED} AS
            SELECT program_id, sum(quantity) AS quantity, count(*) AS count FROM {PICKUPS} p
            WHERE epoch_incarnation = 0 AND epoch_n = 0
              AND seq > coalesce((SELECT acked_seq FROM {ACKNOWLEDGED} a WHERE a.gen = p.gen), 0)
            GROUP BY program_id"""
    )


@migrations()
def m004_signing_keys(db: Database) -> None:
    """Which key signs from which record on, for generations whose key was rolled."""
    db.conn.execute(
        f"""CREATE TABLE {SIGNING_KEYS} (
            gen INTEGER NOT NULL, from_seq INTEGER NOT NULL, public BLOB NOT NULL,
            PRIMARY KEY (gen, from_seq)) WITHOUT ROWID"""
    )


@migrations()
def m005_grant_terms(db: Database) -> None:
    """What each grant was made for, beside its bytes: looked at on every tap."""
    db.conn.execute(f"ALTER TABLE {RIGHTS} ADD COLUMN terms TEXT NOT NULL DEFAULT ''")
    known = db.conn.execute(f"SELECT right, grant_bytes FROM {RIGHTS} WHERE grant_bytes IS NOT NULL")
    db.conn.executemany(
        f"UPDATE {RIGHTS} SET terms = ? WHERE right = ?",
        [(terms_in(bytes(grant)), right) for right, grant in known.fetchall()],
    )


@migrations()
def m006_adopted_cards(db: Database) -> None:
    """Cards from before this system that were bound to their holder here."""
    db.conn.execute(
        f"CREATE TABLE {ADOPTED_CARDS} (id TEXT PRIMARY KEY, holder_id INTEGER NOT NULL) WITHOUT ROWID"
    )


@migrations()
def m007_card_counters(db: Database) -> None:
    """The highest counter of the messages that each chip writes itself."""
    db.conn.execute(
        f"""CREATE TABLE {CARD_COUNTERS} (
            card_no TEXT NOT NULL, issue_no INTEGER NOT NULL, counter INTEGER NOT NULL,
            PRIMARY KEY (card_no, issue_no)) WITHOUT ROWID"""
    )


@dataclass(frozen=True, slots=True)
class HeldRight:
    """A right as the ledger knows it. ``epoch`` is ``(incarnation, n)``."""

    right: str
    gen: int
    """Generation that it was granted to: an older one spends nothing any more."""
    epoch: tuple[int, int]
    quantity_left: int
    """What the grant left, less what was handed out here since."""
    not_before: int
    not_after: int
    mode: str
    held: bool
    acquired_ms: int
    """When it came on a tap (Unix ms); 0 for a right that was placed here."""
    floor: tuple[int, int]
    grant: bytes
    terms: str
    """The grant's terms, see ``kiosk.grant.terms_text``; empty if they were not kept."""


class Ledger(DatabaseFile):
    """One connection to ``ledger.db``; every append goes through ``kiosk.journal``."""

    def __init__(self, path: Path, key: bytes, *, create: bool = False) -> None:
        """Opens the ledger and brings its tables up to date.

        Raises EnvironmentFault: unless ``create``, ``ledger_missing``, and ``database_damaged`` for a file
        that lost its content; what ``open_database`` raises.
        """
        if not create and not path.exists():
            raise EnvironmentFault(
                "ledger_missing",
                "ledger.db is not there: this kiosk may not hand out until it is enrolled again",
                file=path.name,
            )
        super().__init__(path, open_database(path, key, create=create))
        try:
            bring_up_to_date(self.db, path, migrations, create=create)
        except BaseException:
            self.close()
            raise

    def meta(self, key: str, default: str = "") -> str:
        """A value of the table of single values."""
        row = self.row(f"SELECT value FROM {META} WHERE key = ?", key)
        return str(row[0]) if row else default

    def set_meta(self, **values: str) -> None:
        """Writes single values in one transaction."""
        with self.writing() as connection:
            put_meta(connection, **values)

    def right(self, right: str) -> HeldRight | None:
        """What is known of a right, held or released."""
        return self.rights([right]).get(right)

    def rights(self, rights: Sequence[str]) -> dict[str, HeldRight]:
        """The same for several keys at once."""
        marks = ", ".join("?" * len(rights))
        found = self.rows(f"{_SELECT_RIGHT} WHERE right IN ({marks})", *rights)
        return {row[0]: _right_of(row) for row in found}

    def generations(self) -> list[int]:
        """The generations that have records, oldest first."""
        found: list[int] = []
        row = self.row(f"SELECT max(gen) FROM {JOURNAL}")
        while row[0] is not None:
            found.append(row[0])
            row = self.row(f"SELECT max(gen) FROM {JOURNAL} WHERE gen < ?", row[0])
        return found[::-1]

    def head_seq(self, gen: int) -> int:
        """Sequence number of a generation's newest record; 0 if none."""
        return head_seq(self.db.conn, gen)

    def waiting(self) -> int:
        """Records that central has not acknowledged."""
        with database_faults(self.path):
            return sum(max(0, self.head_seq(gen) - self.acked(gen)) for gen in self.generations())

    def acked(self, gen: int) -> int:
        """The highest acknowledged sequence number of a generation; 0 if none."""
        row = self.row(f"SELECT acked_seq FROM {ACKNOWLEDGED} WHERE gen = ?", gen)
        return int(row[0]) if row else 0

    def highest_issue(self, card_no: str) -> int:
        """The highest issue number of a card ever read here; 0 if none."""
        row = self.row(f"SELECT issue_no FROM {CARD_ISSUES} WHERE card_no = ?", card_no)
        return int(row[0]) if row else 0

    def remember_issue(self, card_no: str, issue_no: int) -> None:
        """Raises the highest issue number seen of a card; an older card is then refused even offline."""
        if self.highest_issue(card_no) >= issue_no:
            return
        with self.writing() as connection:
            connection.execute(
                f"""INSERT INTO {CARD_ISSUES} (card_no, issue_no) VALUES (?, ?)
                    ON CONFLICT (card_no) DO UPDATE SET issue_no = max(issue_no, excluded.issue_no)""",
                (card_no, issue_no),
            )


def meta_of(connection: Any, key: str) -> str:
    """A single value inside the caller's transaction; empty if none."""
    row = connection.execute(f"SELECT value FROM {META} WHERE key = ?", (key,)).fetchone()
    return str(row[0]) if row else ""


def head_seq(connection: Any, gen: int) -> int:
    """Sequence number of a generation's newest record inside the caller's transaction; 0 if none."""
    row = connection.execute(f"SELECT max(seq) FROM {JOURNAL} WHERE gen = ?", (gen,)).fetchone()
    return int(row[0] or 0)


def signing_key(connection: Any, gen: int) -> tuple[int, bytes]:
    """The key a generation was last rolled to (raw public) and its first record; ``(0, b"")`` for none."""
    row = connection.execute(
        f"SELECT from_seq, public FROM {SIGNING_KEYS} WHERE gen = ? ORDER BY from_seq DESC LIMIT 1", (gen,)
    ).fetchone()
    return (int(row[0]), bytes(row[1])) if row else (0, b"")


def put_meta(connection: Any, **values: str) -> None:
    """Writes single values inside the caller's transaction."""
    connection.executemany(
        f"""INSERT INTO {META} (key, value) VALUES (?, ?)
            ON CONFLICT (key) DO UPDATE SET value = excluded.value""",
        list(values.items()),
    )


_SELECT_RIGHT = f"""SELECT right, gen, epoch_incarnation, epoch_n, quantity_left, not_before, not_after, mode,
    held, acquired_ms, floor_incarnation, floor_n, grant_bytes, terms FROM {RIGHTS}"""


def read_right(connection: Any, right: str) -> HeldRight | None:
    """A right inside the caller's transaction."""
    row = connection.execute(f"{_SELECT_RIGHT} WHERE right = ?", (right,)).fetchone()
    return None if row is None else _right_of(row)


def _right_of(row: Any) -> HeldRight:
    return HeldRight(
        right=row[0],
        gen=row[1],
        epoch=(row[2], row[3]),
        quantity_left=row[4],
        not_before=row[5],
        not_after=row[6],
        mode=row[7],
        held=bool(row[8]),
        acquired_ms=row[9],
        floor=(row[10], row[11]),
        grant=bytes(row[12] or b""),
        terms=row[13],
    )
