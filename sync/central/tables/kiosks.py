"""Points and kiosks: generations, keys, reports, orders, tickets, requests seen."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from sync.central.tables.metadata import metadata

agency = Table(
    "agency",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("short", Text, nullable=False),
)

point = Table(
    "point",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("district", Text, nullable=False),
    Column("kind", String(24), nullable=False),
)

kiosk = Table(
    "kiosk",
    metadata,
    Column("id", String(8), primary_key=True),
    Column("point_id", BigInteger, nullable=False),
    Column("counter", Text, nullable=False),
    Column("keeper", Boolean, nullable=False),
    # new, active, frozen, revoked
    Column("state", String(16), nullable=False),
    Column("gen", Integer, nullable=False),
    Column("grant_rev", BigInteger, nullable=False),
    Column("frozen_why", Text, nullable=False),
    Column("seen_at", BigInteger),
    Column("health", Text),
    Index("kiosk_point", "point_id"),
)

kiosk_gen = Table(
    "kiosk_gen",
    metadata,
    Column("kiosk", String(8), primary_key=True),
    Column("gen", Integer, primary_key=True, autoincrement=False),
    Column("public", LargeBinary, nullable=False),
    Column("enrolled_at", BigInteger, nullable=False),
    # active, retired, revoked, forked
    Column("state", String(16), nullable=False),
    Column("acked_seq", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("ticket_hash", LargeBinary, nullable=False),
    # How far the last backup has this journal.
    Column("durable_seq", BigInteger, nullable=False, server_default="0"),
    ForeignKeyConstraint(["kiosk"], ["kiosk.id"]),
)

kiosk_report = Table(
    "kiosk_report",
    metadata,
    # Whom central waits for since it went back to a backup.
    Column("kiosk", String(8), primary_key=True),
    Column("gen", Integer, primary_key=True, autoincrement=False),
    # waiting or reported
    Column("state", String(16), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("reported_at", BigInteger),
    # How many rights it said it holds.
    Column("held", BigInteger, nullable=False),
)

kiosk_key = Table(
    "kiosk_key",
    metadata,
    Column("kiosk", String(8), primary_key=True),
    Column("gen", Integer, primary_key=True, autoincrement=False),
    # The first record that it signs; the generation's first key is in ``kiosk_gen``.
    Column("from_seq", BigInteger, primary_key=True, autoincrement=False),
    Column("public", LargeBinary, primary_key=True),
    # Named by a record that is kept beside the chain.
    Column("beside", Boolean, nullable=False),
    # First request signed by it: from then on the key before it signs none any more.
    Column("used_at", BigInteger),
)

kiosk_order = Table(
    "kiosk_order",
    metadata,
    Column("kiosk", String(8), primary_key=True),
    Column("gen", Integer, primary_key=True, autoincrement=False),
    # stop or revoke
    Column("what", String(8), nullable=False),
    Column("ordered_at", BigInteger, nullable=False),
    # How far the kiosk says it is: empty, stopped, flushed, wiped.
    Column("done", String(8), nullable=False),
    Column("done_at", BigInteger),
)

ticket = Table(
    "ticket",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("kiosk", String(8), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_gen", Integer),
    ForeignKeyConstraint(["kiosk"], ["kiosk.id"]),
)

nonce = Table(
    "nonce",
    metadata,
    Column("keyid", String(24), primary_key=True),
    Column("nonce", String(64), primary_key=True),
    Column("seen_at", BigInteger, nullable=False),
    Index("nonce_seen", "seen_at"),
)
