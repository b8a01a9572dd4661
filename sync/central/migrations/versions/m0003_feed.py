"""What each kiosk follows, moves of rows between buckets, and cards that were looked up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the step."""
    op.add_column("feed", sa.Column("move", sa.String(length=32), server_default="", nullable=False))
    op.create_table(
        "follow",
        sa.Column("kiosk", sa.String(length=8), nullable=False),
        sa.Column("point_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("kiosk", "point_id"),
    )
    op.create_table(
        "lookup",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kiosk", sa.String(length=8), nullable=False),
        sa.Column("gen", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("card_no", sa.String(length=40), nullable=False),
        sa.Column("holder_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("lookup_kiosk", "lookup", ["kiosk", "at"], unique=False)
    op.create_index("lookup_card", "lookup", ["card_no", "at"], unique=False)


def downgrade() -> None:
    """Takes the step back."""
    op.drop_index("lookup_card", table_name="lookup")
    op.drop_index("lookup_kiosk", table_name="lookup")
    op.drop_table("lookup")
    op.drop_table("follow")
    op.drop_column("feed", "move")
