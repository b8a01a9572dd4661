"""Rights, stock and approvals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the step."""
    op.create_table(
        "account",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sa.UniqueConstraint("public"),
    )
    op.create_table(
        "approval",
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "account"),
    )
    op.create_table(
        "entitlement_past",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("replaced_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subject", sa.String(length=24), nullable=False),
        sa.Column("program_id", sa.String(length=40), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.String(length=10), nullable=False),
        sa.Column("valid_until", sa.String(length=10), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", "version", "replaced_at"),
    )
    op.create_index("entitlement_past_subject", "entitlement_past", ["subject"], unique=False)

    op.create_table(
        "holder_merge",
        sa.Column("gone", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("keep", sa.BigInteger(), nullable=False),
        sa.Column("move_id", sa.String(length=40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("gone"),
    )
    op.create_table(
        "order_to_kiosk",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kiosk", sa.String(length=8), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("ref", sa.String(length=48), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=32), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("done_by", sa.String(length=48), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("order_to_kiosk_kiosk", "order_to_kiosk", ["kiosk", "done_at"], unique=False)
    op.create_index("order_to_kiosk_ref", "order_to_kiosk", ["ref"], unique=False)

    op.create_table(
        "program_next",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("doc", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "recall_log",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("right", sa.String(length=120), nullable=False),
        sa.Column("epoch_incarnation", sa.Integer(), nullable=False),
        sa.Column("epoch_n", sa.BigInteger(), nullable=False),
        sa.Column("kiosk", sa.String(length=8), nullable=False),
        sa.Column("gen", sa.Integer(), nullable=False),
        sa.Column("why", sa.String(length=16), nullable=False),
        sa.Column("wanted_by", sa.String(length=8), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("recall_log_right", "recall_log", ["right"], unique=False)

    op.create_table(
        "right_merge",
        sa.Column("keep", sa.String(length=120), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("gone", sa.String(length=120), nullable=False),
        sa.Column("keep_spent", sa.BigInteger(), nullable=False),
        sa.Column("gone_spent", sa.BigInteger(), nullable=False),
        sa.Column("move_id", sa.String(length=40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("keep", "n"),
        sa.UniqueConstraint("gone"),
    )
    op.create_table(
        "stock_slice",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("program_id", sa.String(length=40), nullable=False),
        sa.Column("kiosk", sa.String(length=8), nullable=False),
        sa.Column("gen", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=True),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("stock_slice_kiosk", "stock_slice", ["kiosk", "gen", "closed"], unique=False)

    op.create_table(
        "writeoff",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("right", sa.String(length=120), nullable=False),
        sa.Column("kiosk", sa.String(length=8), nullable=False),
        sa.Column("gen", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("writeoff_kiosk", "writeoff", ["kiosk", "gen"], unique=False)

    op.create_table(
        "writeoff_right",
        sa.Column("writeoff", sa.String(length=40), nullable=False),
        sa.Column("right", sa.String(length=120), nullable=False),
        sa.Column("kiosk", sa.String(length=8), nullable=False),
        sa.Column("gen", sa.Integer(), nullable=False),
        sa.Column("epoch_incarnation", sa.Integer(), nullable=False),
        sa.Column("epoch_n", sa.BigInteger(), nullable=False),
        sa.Column("quantity_left", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("writeoff", "right"),
    )
    op.create_index("writeoff_right_right", "writeoff_right", ["right"], unique=False)

    with op.batch_alter_table("conflict") as batch_op:
        batch_op.alter_column(
            "id", existing_type=sa.String(length=100), type_=sa.String(length=200), existing_nullable=False
        )
        batch_op.create_index("conflict_right", ["right"], unique=False)

    with op.batch_alter_table("pickup") as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(length=16), server_default="", nullable=False))
        batch_op.add_column(sa.Column("slice", sa.String(length=80), nullable=True))
        batch_op.add_column(sa.Column("counted_in", sa.String(length=120), nullable=True))
        batch_op.add_column(sa.Column("era", sa.Integer(), server_default="0", nullable=False))

    with op.batch_alter_table("rights") as batch_op:
        batch_op.add_column(sa.Column("floor_incarnation", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("floor_n", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("merged_into", sa.String(length=120), nullable=True))
        batch_op.add_column(sa.Column("merges", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("waits", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    """Takes the step back."""
    with op.batch_alter_table("rights") as batch_op:
        batch_op.drop_column("waits")
        batch_op.drop_column("merges")
        batch_op.drop_column("merged_into")
        batch_op.drop_column("floor_n")
        batch_op.drop_column("floor_incarnation")

    with op.batch_alter_table("pickup") as batch_op:
        batch_op.drop_column("era")
        batch_op.drop_column("counted_in")
        batch_op.drop_column("slice")
        batch_op.drop_column("kind")

    with op.batch_alter_table("conflict") as batch_op:
        batch_op.drop_index("conflict_right")
        batch_op.alter_column(
            "id", existing_type=sa.String(length=200), type_=sa.String(length=100), existing_nullable=False
        )

    op.drop_index("writeoff_right_right", "writeoff_right")

    op.drop_table("writeoff_right")
    op.drop_index("writeoff_kiosk", "writeoff")

    op.drop_table("writeoff")
    op.drop_index("stock_slice_kiosk", "stock_slice")

    op.drop_table("stock_slice")
    op.drop_table("right_merge")
    op.drop_index("recall_log_right", "recall_log")

    op.drop_table("recall_log")
    op.drop_table("program_next")
    op.drop_index("order_to_kiosk_ref", "order_to_kiosk")
    op.drop_index("order_to_kiosk_kiosk", "order_to_kiosk")

    op.drop_table("order_to_kiosk")
    op.drop_table("holder_merge")
    op.drop_index("entitlement_past_subject", "entitlement_past")

    op.drop_table("entitlement_past")
    op.drop_table("approval")
    op.drop_table("account")
