"""Backups and recovery."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the step."""
    # No backup is known to cover what was acknowledged before.
    op.add_column("kiosk_gen", sa.Column("durable_seq", sa.BigInteger(), server_default="0", nullable=False))
    op.create_table(
        "kiosk_report",
        sa.Column("kiosk", sa.String(length=8), nullable=False),
        sa.Column("gen", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("reported_at", sa.BigInteger(), nullable=True),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kiosk", "gen"),
    )


def downgrade() -> None:
    """Takes the step back."""
    op.drop_table("kiosk_report")
    with op.batch_alter_table("kiosk_gen") as batch:
        batch.drop_column("durable_seq")
