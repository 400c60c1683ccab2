"""Runs of attempts that have failed.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        -- A later attempt that looks for its run must not take one of these for it.
        ALTER TABLE renum.agent_results ADD COLUMN past_runs text[] NOT NULL DEFAULT '{}';
        """
    )


def downgrade() -> None:
    op.execute("ALTER TABLE renum.agent_results DROP COLUMN past_runs")
