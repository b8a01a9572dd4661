"""Central's own single values."""

from __future__ import annotations

from sqlalchemy import Column, String, Table, Text

from sync.central.tables.metadata import metadata

meta = Table(
    "meta",
    metadata,
    Column("key", String(60), primary_key=True),
    Column("value", Text, nullable=False),
)
