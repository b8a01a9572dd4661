"""Backups and recovery."""

from __future__ import annotations

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the step."""


def downgrade() -> None:
    """Takes the step back."""
