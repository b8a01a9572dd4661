"""Run by Alembic with the connection that ``sync.central.migration`` opened."""

from __future__ import annotations

from alembic import context

from sync.central.models import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
