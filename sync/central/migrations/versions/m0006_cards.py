"""Cards: the grade they must be read with, and who did what with them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the step."""
    op.add_column("card", sa.Column("least_grade", sa.String(length=8), server_default="p1", nullable=False))
    op.create_index("card_uid", "card", ["uid"])
    op.create_table(
        "card_act",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("card_no", sa.String(length=40), nullable=False),
        sa.Column("issue_no", sa.Integer(), nullable=False),
        sa.Column("act", sa.String(length=16), nullable=False),
        sa.Column("uid", sa.String(length=20), nullable=False),
        sa.Column("batch", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("card_act_card", "card_act", ["card_no", "at"])
    op.create_index("card_act_batch", "card_act", ["batch", "card_no"])


def downgrade() -> None:
    """Takes the step back."""
    op.drop_table("card_act")
    op.drop_index("card_uid", "card")
    with op.batch_alter_table("card") as batch:
        batch.drop_column("least_grade")
