"""What kiosks follow: buckets of the change feed, and cards that were looked up."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from sync.central.tables.metadata import metadata

bucket = Table(
    "bucket",
    metadata,
    Column("name", String(24), primary_key=True),
    Column("rev", BigInteger, nullable=False),
    # Sum of row hashes, kept as a signed 64-bit number.
    Column("checksum", BigInteger, nullable=False),
)

feed = Table(
    "feed",
    metadata,
    Column("bucket", String(24), primary_key=True),
    Column("kind", String(16), primary_key=True),
    # Canonical JSON list of the key columns.
    Column("row_key", String(160), primary_key=True),
    Column("rev", BigInteger, nullable=False),
    # Canonical JSON list of all columns; null for a tombstone.
    Column("body", Text),
    Column("hash", BigInteger, nullable=False),
    # Shared by a tombstone and the row that took its place in another bucket; empty if it did not move.
    Column("move", String(32), nullable=False, server_default=""),
    Index("feed_rev", "bucket", "rev"),
)

follow = Table(
    "follow",
    metadata,
    # Points that a kiosk follows beside its own.
    Column("kiosk", String(8), primary_key=True),
    Column("point_id", BigInteger, primary_key=True, autoincrement=False),
)

lookup = Table(
    "lookup",
    metadata,
    # Every card that a kiosk asked about, whatever came of it.
    Column("id", String(32), primary_key=True),
    Column("kiosk", String(8), nullable=False),
    Column("gen", Integer, nullable=False),
    # Unix milliseconds.
    Column("at", BigInteger, nullable=False),
    # Empty for a card that is not genuine.
    Column("card_no", String(40), nullable=False),
    Column("holder_id", BigInteger, nullable=False),
    # found, unknown, refused
    Column("status", String(16), nullable=False),
    Column("code", String(40), nullable=False),
    Index("lookup_kiosk", "kiosk", "at"),
    Index("lookup_card", "card_no", "at"),
)
