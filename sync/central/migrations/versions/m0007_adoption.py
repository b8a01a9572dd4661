"""Officers' badges, and cards from before this system that were bound to their holders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the step."""
    op.create_table(
        "badge",
        sa.Column("username", sa.String(length=32), nullable=False),
        sa.Column("badge_no", sa.String(length=40), nullable=False),
        sa.Column("issue_no", sa.Integer(), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("chip", sa.String(length=16), nullable=False),
        sa.Column("uid", sa.String(length=20), nullable=False),
        sa.Column("issued", sa.String(length=10), nullable=False),
        sa.Column("valid_until", sa.String(length=10), nullable=False),
        sa.Column("least_grade", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("username"),
        sa.UniqueConstraint("badge_no"),
    )
    op.create_table(
        "legacy_card",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("holder_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("ref", sa.String(length=40), nullable=False),
        sa.Column("by", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("legacy_card_holder", "legacy_card", ["holder_id"])


def downgrade() -> None:
    """Takes the step back."""
    op.drop_table("legacy_card")
    op.drop_table("badge")
