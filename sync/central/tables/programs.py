"""Programs and entitlements, with what they were and will be."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from sync.central.tables.metadata import metadata

program = Table(
    "program",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("right_group", String(40), nullable=False),
    Column("doc", Text, nullable=False),
    # Periods whose rights have been made: JSON list of their keys, for this version.
    Column("placed", Text, nullable=False),
)

program_next = Table(
    "program_next",
    metadata,
    # A version that comes into force when the period that runs is over, since it changes the mode.
    Column("id", String(40), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("doc", Text, nullable=False),
    Column("starts_at", BigInteger, nullable=False),
)

entitlement = Table(
    "entitlement",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("subject", String(24), nullable=False),
    Column("program_id", String(40), nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("valid_from", String(10), nullable=False),
    Column("valid_until", String(10)),
    Column("status", String(16), nullable=False),
    Index("entitlement_subject", "subject"),
    Index("entitlement_program", "program_id", "id"),
)

entitlement_past = Table(
    "entitlement_past",
    metadata,
    # Versions that were replaced, with when.
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("replaced_at", BigInteger, primary_key=True, autoincrement=False),
    Column("subject", String(24), nullable=False),
    Column("program_id", String(40), nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("valid_from", String(10), nullable=False),
    Column("valid_until", String(10)),
    Column("status", String(16), nullable=False),
    Index("entitlement_past_subject", "subject"),
)
