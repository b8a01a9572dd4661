"""Central's staff: accounts, and what they signed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

from sync.central.tables.metadata import metadata

account = Table(
    "account",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("public", LargeBinary, nullable=False, unique=True),
    # staff asks and approves, a clerk only asks
    Column("role", String(16), nullable=False),
    # active, closed
    Column("state", String(16), nullable=False),
    Column("added_at", BigInteger, nullable=False),
)

writeoff = Table(
    "writeoff",
    metadata,
    Column("id", String(40), primary_key=True),
    # One right, or all in doubt of one generation of a kiosk.
    Column("right", String(120), nullable=False),
    Column("kiosk", String(8), nullable=False),
    Column("gen", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    # asked, approved, done
    Column("state", String(16), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Index("writeoff_kiosk", "kiosk", "gen"),
)

approval = Table(
    "approval",
    metadata,
    # What was approved: a write-off's id, or an order's.
    Column("subject", String(40), primary_key=True),
    Column("account", String(32), primary_key=True),
    Column("signed", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False),
)

writeoff_right = Table(
    "writeoff_right",
    metadata,
    Column("writeoff", String(40), primary_key=True),
    Column("right", String(120), primary_key=True),
    Column("kiosk", String(8), nullable=False),
    Column("gen", Integer, nullable=False),
    Column("epoch_incarnation", Integer, nullable=False),
    Column("epoch_n", BigInteger, nullable=False),
    Column("quantity_left", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("writeoff_right_right", "right"),
)

order_to_kiosk = Table(
    "order_to_kiosk",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kiosk", String(8), nullable=False),
    # void
    Column("what", String(16), nullable=False),
    Column("ref", String(48), nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", String(32), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("done_at", BigInteger),
    # The kiosk's own record that carried it out.
    Column("done_by", String(48)),
    Index("order_to_kiosk_kiosk", "kiosk", "done_at"),
    Index("order_to_kiosk_ref", "ref"),
)
