"""Rights, whom they were granted to and asked back from, and stock."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, false

from sync.central.tables.metadata import metadata

rights = Table(
    "rights",
    metadata,
    Column("right", String(120), primary_key=True),
    Column("subject", String(24), nullable=False),
    Column("point_id", BigInteger, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
    # JSON [[program id, version, entitlement id, version, quantity], …] in force now.
    Column("terms", Text, nullable=False),
    Column("not_before", BigInteger, nullable=False),
    Column("not_after", BigInteger, nullable=False),
    Column("mode", String(16), nullable=False),
    # Who holds it: a kiosk's id, or empty for central.
    Column("held_by", String(8), nullable=False),
    Column("gen", Integer, nullable=False),
    Column("epoch_incarnation", Integer, nullable=False),
    Column("epoch_n", BigInteger, nullable=False),
    # What the grant outstanding says, so that its echo is the same bytes: JSON of its terms and times.
    Column("granted", Text),
    Column("granted_left", BigInteger, nullable=False),
    Column("grant_rev", BigInteger, nullable=False),
    Column("in_doubt", Boolean, nullable=False),
    Column("recall", Boolean, nullable=False),
    Column("wanted_by", String(8), nullable=False),
    Column("wanted_until", BigInteger, nullable=False),
    Column("last_at", String(32)),
    Column("last_point_id", BigInteger),
    Column("last_ref", String(48)),
    # The epoch up to which it came back: nothing at or below is anybody's to spend.
    Column("floor_incarnation", Integer, nullable=False, server_default="0"),
    Column("floor_n", BigInteger, nullable=False, server_default="0"),
    # The right that this one became part of, when two records of one person were merged.
    Column("merged_into", String(120)),
    # How many rights became part of this one.
    Column("merges", Integer, nullable=False, server_default="0"),
    # A right that became part of this one still lies at a kiosk: no new grant until it is back.
    Column("waits", Boolean, nullable=False, server_default=false()),
    Index("rights_holder", "held_by", "grant_rev"),
    Index("rights_place", "held_by", "point_id", "not_after"),
    Index("rights_subject", "subject"),
)

grant_log = Table(
    "grant_log",
    metadata,
    Column("right", String(120), primary_key=True),
    Column("epoch_incarnation", Integer, primary_key=True, autoincrement=False),
    Column("epoch_n", BigInteger, primary_key=True, autoincrement=False),
    Column("kiosk", String(8), nullable=False),
    Column("gen", Integer, nullable=False),
    Column("quantity_left", BigInteger, nullable=False),
    Column("spent_before", BigInteger, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
)

recall_log = Table(
    "recall_log",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("right", String(120), nullable=False),
    Column("epoch_incarnation", Integer, nullable=False),
    Column("epoch_n", BigInteger, nullable=False),
    Column("kiosk", String(8), nullable=False),
    Column("gen", Integer, nullable=False),
    # wanted, changed, misled, merged
    Column("why", String(16), nullable=False),
    Column("wanted_by", String(8), nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("recall_log_right", "right"),
)

right_merge = Table(
    "right_merge",
    metadata,
    Column("keep", String(120), primary_key=True),
    # From 0, in the order in which they were merged.
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("gone", String(120), nullable=False, unique=True),
    # What each had spent then, less what was taken back since: the larger one counts.
    Column("keep_spent", BigInteger, nullable=False),
    Column("gone_spent", BigInteger, nullable=False),
    Column("move_id", String(40), nullable=False),
    Column("at", BigInteger, nullable=False),
)

stock_slice = Table(
    "stock_slice",
    metadata,
    # <kiosk>.<gen>/<program>/<n>
    Column("id", String(80), primary_key=True),
    Column("program_id", String(40), nullable=False),
    Column("kiosk", String(8), nullable=False),
    Column("gen", Integer, nullable=False),
    Column("n", Integer, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("returned", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("received_at", BigInteger),
    Column("closed", Boolean, nullable=False),
    Index("stock_slice_kiosk", "kiosk", "gen", "closed"),
)
