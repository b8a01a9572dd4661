"""Kiosks' journals as they came, what they make of pickups, and cases for people."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text

from sync.central.tables.metadata import metadata

journal = Table(
    "journal",
    metadata,
    Column("kiosk", String(8), primary_key=True),
    Column("gen", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("type", String(24), nullable=False),
    Column("right", String(120), nullable=False),
    # Empty, or why it cannot be interpreted.
    Column("quarantine", String(60), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Index("journal_right", "right"),
)

journal_branch = Table(
    "journal_branch",
    metadata,
    Column("kiosk", String(8), primary_key=True),
    Column("gen", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, primary_key=True),
    Column("record", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("type", String(24), nullable=False),
    Column("right", String(120), nullable=False),
    Column("quarantine", String(60), nullable=False),
    Column("received_at", BigInteger, nullable=False),
)

journal_private = Table(
    "journal_private",
    metadata,
    Column("kiosk", String(8), primary_key=True),
    Column("gen", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("salt", LargeBinary, nullable=False),
    Column("text", Text),
)

pickup = Table(
    "pickup",
    metadata,
    # A fork's other branch adds ``~`` and 8 hex digits of the record's hash.
    Column("ref", String(48), primary_key=True),
    Column("kiosk", String(8), nullable=False),
    Column("gen", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("right", String(120), nullable=False),
    Column("program_version", Text, nullable=False),
    Column("card", Text, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("spends", BigInteger, nullable=False),
    Column("epoch_incarnation", BigInteger, nullable=False),
    Column("epoch_n", BigInteger, nullable=False),
    Column("officer", Text, nullable=False),
    Column("wall", BigInteger, nullable=False),
    Column("point_id", BigInteger, nullable=False),
    Column("voided", Boolean, nullable=False),
    # Empty, tolerated, within_grant or paper.
    Column("kind", String(16), nullable=False, server_default=""),
    Column("slice", String(80)),
    # The right whose spend it raised, if that is another one by a merge, and how many merges that one had.
    Column("counted_in", String(120)),
    Column("era", Integer, nullable=False, server_default="0"),
    Index("pickup_right", "right"),
)

case = Table(
    "conflict",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("code", String(32), nullable=False),
    Column("right", String(120), nullable=False),
    Column("refs", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("kiosk", String(8), nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Index("conflict_right", "right"),
)
