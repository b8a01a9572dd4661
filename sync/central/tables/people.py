"""Holders, their families and guardians, and officers."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from sync.central.tables.metadata import metadata

family = Table(
    "family",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("kk", String(16), nullable=False),
)

holder = Table(
    "holder",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("card_no", String(40), nullable=False, unique=True),
    Column("issue_no", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("birth", String(10), nullable=False),
    Column("nik", String(16), nullable=False),
    Column("family_id", BigInteger, nullable=False),
    Column("point_id", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Index("holder_family", "family_id"),
)

guardian = Table(
    "guardian",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("child_id", BigInteger, nullable=False),
    Column("guardian_id", BigInteger, nullable=False),
    Column("relation", String(24), nullable=False),
    Column("valid_from", String(10), nullable=False),
    Column("valid_until", String(10)),
    Column("revoked_at", String(10)),
    Index("guardian_child", "child_id"),
    Index("guardian_guardian", "guardian_id"),
)

officer = Table(
    "officer",
    metadata,
    Column("username", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("point_id", BigInteger, nullable=False),
    Column("pin_hash", Text, nullable=False),
    Column("valid_until", String(10), nullable=False),
)

holder_merge = Table(
    "holder_merge",
    metadata,
    Column("gone", BigInteger, primary_key=True, autoincrement=False),
    Column("keep", BigInteger, nullable=False),
    Column("move_id", String(40), nullable=False),
    Column("at", BigInteger, nullable=False),
)
