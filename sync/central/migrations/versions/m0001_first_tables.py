"""Central's first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the step."""
    op.create_table(
        "agency",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("short", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "bucket",
        sa.Column("name", sa.String(length=24), nullable=False),
        sa.Column("rev", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "card",
        sa.Column("card_no", sa.String(length=40), nullable=False),
        sa.Column("issue_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("holder_id", sa.BigInteger(), nullable=False),
        sa.Column("chip", sa.String(length=16), nullable=False),
        sa.Column("uid", sa.String(length=20), nullable=False),
        sa.Column("issued", sa.String(length=10), nullable=False),
        sa.Column("valid_until", sa.String(length=10), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("since", sa.String(length=10), nullable=True),
        sa.PrimaryKeyConstraint("card_no", "issue_no"),
    )
    op.create_index("card_holder", "card", ["holder_id"], unique=False)
    op.create_table(
        "conflict",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("right", sa.String(length=120), nullable=False),
        sa.Column("refs", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("kiosk", sa.String(length=8), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "entitlement",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=24), nullable=False),
        sa.Column("program_id", sa.String(length=40), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.String(length=10), nullable=False),
        sa.Column("valid_until", sa.String(length=10), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("entitlement_program", "entitlement", ["program_id", "id"], unique=False)
    op.create_index("entitlement_subject", "entitlement", ["subject"], unique=False)
    op.create_table(
        "family",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kk", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "feed",
        sa.Column("bucket", sa.String(length=24), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("row_key", sa.String(length=160), nullable=False),
        sa.Column("rev", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("hash", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "kind", "row_key"),
    )
    op.create_index("feed_rev", "feed", ["bucket", "rev"], unique=False)
    op.create_table(
        "grant_log",
        sa.Column("right", sa.String(length=120), nullable=False),
        sa.Column("epoch_incarnation", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch_n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kiosk", sa.String(length=8), nullable=False),
        sa.Column("gen", sa.Integer(), nullable=False),
        sa.Column("quantity_left", sa.BigInteger(), nullable=False),
        sa.Column("spent_before", sa.BigInteger(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("right", "epoch_incarnation", "epoch_n"),
    )
    op.create_table(
        "guardian",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("child_id", sa.BigInteger(), nullable=False),
        sa.Column("guardian_id", sa.BigInteger(), nullable=False),
        sa.Column("relation", sa.String(length=24), nullable=False),
        sa.Column("valid_from", sa.String(length=10), nullable=False),
        sa.Column("valid_until", sa.String(length=10), nullable=True),
        sa.Column("revoked_at", sa.String(length=10), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("guardian_child", "guardian", ["child_id"], unique=False)
    op.create_index("guardian_guardian", "guardian", ["guardian_id"], unique=False)
    op.create_table(
        "holder",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("card_no", sa.String(length=40), nullable=False),
        sa.Column("issue_no", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("birth", sa.String(length=10), nullable=False),
        sa.Column("nik", sa.String(length=16), nullable=False),
        sa.Column("family_id", sa.BigInteger(), nullable=False),
        sa.Column("point_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("card_no"),
    )
    op.create_index("holder_family", "holder", ["family_id"], unique=False)
    op.create_table(
        "journal",
        sa.Column("kiosk", sa.String(length=8), nullable=False),
        sa.Column("gen", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("type", sa.String(length=24), nullable=False),
        sa.Column("right", sa.String(length=120), nullable=False),
        sa.Column("quarantine", sa.String(length=60), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kiosk", "gen", "seq"),
    )
    op.create_index("journal_right", "journal", ["right"], unique=False)
    op.create_table(
        "journal_branch",
        sa.Column("kiosk", sa.String(length=8), nullable=False),
        sa.Column("gen", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("type", sa.String(length=24), nullable=False),
        sa.Column("right", sa.String(length=120), nullable=False),
        sa.Column("quarantine", sa.String(length=60), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kiosk", "gen", "seq", "hash"),
    )
    op.create_table(
        "journal_private",
        sa.Column("kiosk", sa.String(length=8), nullable=False),
        sa.Column("gen", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("kiosk", "gen", "seq"),
    )
    op.create_table(
        "kiosk",
        sa.Column("id", sa.String(length=8), nullable=False),
        sa.Column("point_id", sa.BigInteger(), nullable=False),
        sa.Column("counter", sa.Text(), nullable=False),
        sa.Column("keeper", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("gen", sa.Integer(), nullable=False),
        sa.Column("grant_rev", sa.BigInteger(), nullable=False),
        sa.Column("frozen_why", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("health", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("kiosk_point", "kiosk", ["point_id"], unique=False)
    op.create_table(
        "meta",
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "nonce",
        sa.Column("keyid", sa.String(length=24), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("keyid", "nonce"),
    )
    op.create_index("nonce_seen", "nonce", ["seen_at"], unique=False)
    op.create_table(
        "officer",
        sa.Column("username", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("point_id", sa.BigInteger(), nullable=False),
        sa.Column("pin_hash", sa.Text(), nullable=False),
        sa.Column("valid_until", sa.String(length=10), nullable=False),
        sa.PrimaryKeyConstraint("username"),
    )
    op.create_table(
        "pickup",
        sa.Column("ref", sa.String(length=48), nullable=False),
        sa.Column("kiosk", sa.String(length=8), nullable=False),
        sa.Column("gen", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("right", sa.String(length=120), nullable=False),
        sa.Column("program_version", sa.Text(), nullable=False),
        sa.Column("card", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("spends", sa.BigInteger(), nullable=False),
        sa.Column("epoch_incarnation", sa.BigInteger(), nullable=False),
        sa.Column("epoch_n", sa.BigInteger(), nullable=False),
        sa.Column("officer", sa.Text(), nullable=False),
        sa.Column("wall", sa.BigInteger(), nullable=False),
        sa.Column("point_id", sa.BigInteger(), nullable=False),
        sa.Column("voided", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_index("pickup_right", "pickup", ["right"], unique=False)
    op.create_table(
        "point",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("district", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "program",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("right_group", sa.String(length=40), nullable=False),
        sa.Column("doc", sa.Text(), nullable=False),
        sa.Column("placed", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "rights",
        sa.Column("right", sa.String(length=120), nullable=False),
        sa.Column("subject", sa.String(length=24), nullable=False),
        sa.Column("point_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("not_after", sa.BigInteger(), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("held_by", sa.String(length=8), nullable=False),
        sa.Column("gen", sa.Integer(), nullable=False),
        sa.Column("epoch_incarnation", sa.Integer(), nullable=False),
        sa.Column("epoch_n", sa.BigInteger(), nullable=False),
        sa.Column("granted", sa.Text(), nullable=True),
        sa.Column("granted_left", sa.BigInteger(), nullable=False),
        sa.Column("grant_rev", sa.BigInteger(), nullable=False),
        sa.Column("in_doubt", sa.Boolean(), nullable=False),
        sa.Column("recall", sa.Boolean(), nullable=False),
        sa.Column("wanted_by", sa.String(length=8), nullable=False),
        sa.Column("wanted_until", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.String(length=32), nullable=True),
        sa.Column("last_point_id", sa.BigInteger(), nullable=True),
        sa.Column("last_ref", sa.String(length=48), nullable=True),
        sa.PrimaryKeyConstraint("right"),
    )
    op.create_index("rights_holder", "rights", ["held_by", "grant_rev"], unique=False)
    op.create_index("rights_place", "rights", ["held_by", "point_id", "not_after"], unique=False)
    op.create_index("rights_subject", "rights", ["subject"], unique=False)
    op.create_table(
        "kiosk_gen",
        sa.Column("kiosk", sa.String(length=8), nullable=False),
        sa.Column("gen", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("enrolled_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("acked_seq", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("ticket_hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["kiosk"],
            ["kiosk.id"],
        ),
        sa.PrimaryKeyConstraint("kiosk", "gen"),
    )
    op.create_table(
        "ticket",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("kiosk", sa.String(length=8), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_gen", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["kiosk"],
            ["kiosk.id"],
        ),
        sa.PrimaryKeyConstraint("hash"),
    )


def downgrade() -> None:
    """Takes the step back."""
    op.drop_table("ticket")
    op.drop_table("kiosk_gen")
    op.drop_index("rights_subject", table_name="rights")
    op.drop_index("rights_place", table_name="rights")
    op.drop_index("rights_holder", table_name="rights")
    op.drop_table("rights")
    op.drop_table("program")
    op.drop_table("point")
    op.drop_index("pickup_right", table_name="pickup")
    op.drop_table("pickup")
    op.drop_table("officer")
    op.drop_index("nonce_seen", table_name="nonce")
    op.drop_table("nonce")
    op.drop_table("meta")
    op.drop_index("kiosk_point", table_name="kiosk")
    op.drop_table("kiosk")
    op.drop_table("journal_private")
    op.drop_table("journal_branch")
    op.drop_index("journal_right", table_name="journal")
    op.drop_table("journal")
    op.drop_index("holder_family", table_name="holder")
    op.drop_table("holder")
    op.drop_index("guardian_guardian", table_name="guardian")
    op.drop_index("guardian_child", table_name="guardian")
    op.drop_table("guardian")
    op.drop_table("grant_log")
    op.drop_index("feed_rev", table_name="feed")
    op.drop_table("feed")
    op.drop_table("family")
    op.drop_index("entitlement_subject", table_name="entitlement")
    op.drop_index("entitlement_program", table_name="entitlement")
    op.drop_table("entitlement")
    op.drop_table("conflict")
    op.drop_index("card_holder", table_name="card")
    op.drop_table("card")
    op.drop_table("bucket")
    op.drop_table("agency")
