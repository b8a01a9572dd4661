"""Rights, stock and approvals."""

from __future__ import annotations

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the step."""


def downgrade() -> None:
    """Takes the step back."""
