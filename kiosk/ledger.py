"""``ledger.db``: rights held and the journal. Precious: never recreated silently, never wiped with the cache.

Tables are named here once, because a mistyped table name would be created without a word.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk.database import Database, Migrations, open_database, writing
from kiosk.errors import EnvironmentFault

LEDGER_FILE = "ledger.db"

META = "meta"
JOURNAL = "journal"
JOURNAL_PRIVATE = "journal_private"
RIGHTS = "rights"
PICKUPS = "pickups"
ACKNOWLEDGED = "acknowledged"
OFFICER_DELAYS = "officer_delays"
CARD_ISSUES = "card_issues"

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
            quantity_left INTEGER NOT NULL, not_before INTEGER NOT NULL, not_after INTEGER NOT NULL,
            mode TEXT NOT NULL, grant_bytes BLOB, held INTEGER NOT NULL, acquired INTEGER NOT NULL DEFAULT 0,
            floor_incarnation INTEGER NOT NULL DEFAULT 0, floor_n INTEGER NOT NULL DEFAULT 0,
            grant_rev INTEGER NOT NULL DEFAULT 0)"""
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


@dataclass(frozen=True, slots=True)
class HeldRight:
    """A right as the ledger knows it. ``epoch`` is ``(incarnation, n)``."""

    right: str
    epoch: tuple[int, int]
    quantity_left: int
    not_before: int
    not_after: int
    mode: str
    held: bool
    acquired: bool
    floor: tuple[int, int]
    grant: bytes


class Ledger:
    """One connection to ``ledger.db``; reading is here, every append goes through ``kiosk.journal``."""

    def __init__(self, path: Path, key: bytes, *, create: bool = False) -> None:
        """Opens the ledger and brings its tables up to date.

        Raises EnvironmentFault: ``ledger_missing`` unless ``create``; what ``open_database`` raises.
        """
        if not create and not path.exists():
            raise EnvironmentFault(
                "ledger_missing",
                "ledger.db is not there: this kiosk may not hand out until it is enrolled again",
                file=path.name,
            )
        self.path = path
        self.db = open_database(path, key)
        if migrations.pending(self.db):
            migrations.apply(self.db)

    def close(self) -> None:
        """Closes the connection."""
        self.db.close()

    def meta(self, key: str, default: str = "") -> str:
        """A value of the table of single values."""
        row = self.db.conn.execute(f"SELECT value FROM {META} WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else default

    def set_meta(self, **values: str) -> None:
        """Writes single values in one transaction."""
        with writing(self.db, self.path) as connection:
            put_meta(connection, **values)

    def right(self, right: str) -> HeldRight | None:
        """What is known of a right, held or released."""
        return read_right(self.db.conn, right)

    def rights(self, rights: list[str]) -> dict[str, HeldRight]:
        """The same for several keys at once."""
        found = {}
        for key in rights:
            held = read_right(self.db.conn, key)
            if held:
                found[key] = held
        return found

    def waiting(self) -> int:
        """Records that central has not acknowledged."""
        row = self.db.conn.execute(
            f"""SELECT count(*) FROM {JOURNAL} j
                WHERE j.seq > coalesce((SELECT acked_seq FROM {ACKNOWLEDGED} a WHERE a.gen = j.gen), 0)"""
        ).fetchone()
        return int(row[0])

    def acked(self, gen: int) -> int:
        """The highest acknowledged sequence number of a generation; 0 if none."""
        row = self.db.conn.execute(f"SELECT acked_seq FROM {ACKNOWLEDGED} WHERE gen = ?", (gen,)).fetchone()
        return int(row[0]) if row else 0

    def mark_shown(self, ref: str) -> None:
        """Notes that the officer saw this pickup recorded."""
        with writing(self.db, self.path) as connection:
            connection.execute(f"UPDATE {PICKUPS} SET shown = 1 WHERE ref = ?", (ref,))

    def highest_issue(self, card_no: str) -> int:
        """The highest issue number of a card ever read here; 0 if none."""
        row = self.db.conn.execute(
            f"SELECT issue_no FROM {CARD_ISSUES} WHERE card_no = ?", (card_no,)
        ).fetchone()
        return int(row[0]) if row else 0

    def remember_issue(self, card_no: str, issue_no: int) -> None:
        """Raises the highest issue number seen of a card; an older card is then refused even offline."""
        if self.highest_issue(card_no) >= issue_no:
            return
        with writing(self.db, self.path) as connection:
            connection.execute(
                f"""INSERT INTO {CARD_ISSUES} (card_no, issue_no) VALUES (?, ?)
                    ON CONFLICT (card_no) DO UPDATE SET issue_no = max(issue_no, excluded.issue_no)""",
                (card_no, issue_no),
            )


def put_meta(connection: Any, **values: str) -> None:
    """Writes single values inside the caller's transaction."""
    connection.executemany(
        f"""INSERT INTO {META} (key, value) VALUES (?, ?)
            ON CONFLICT (key) DO UPDATE SET value = excluded.value""",
        list(values.items()),
    )


def read_right(connection: Any, right: str) -> HeldRight | None:
    """A right inside the caller's transaction."""
    row = connection.execute(
        f"""SELECT right, epoch_incarnation, epoch_n, quantity_left, not_before, not_after, mode, held,
                   acquired, floor_incarnation, floor_n, grant_bytes
            FROM {RIGHTS} WHERE right = ?""",
        (right,),
    ).fetchone()
    if row is None:
        return None
    return HeldRight(
        right=row[0],
        epoch=(row[1], row[2]),
        quantity_left=row[3],
        not_before=row[4],
        not_after=row[5],
        mode=row[6],
        held=bool(row[7]),
        acquired=bool(row[8]),
        floor=(row[9], row[10]),
        grant=bytes(row[11] or b""),
    )
