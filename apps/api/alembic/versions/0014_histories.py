"""What each agent went through, attempt by attempt.

Revision ID: 0014
Revises: 0013
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Marks of app.domain.history, oldest first. Empty for results from before this, and for
    # those that a version from before this has driven.
    op.execute("ALTER TABLE renum.agent_results ADD COLUMN history jsonb NOT NULL DEFAULT '[]'")


def downgrade() -> None:
    op.execute("ALTER TABLE renum.agent_results DROP COLUMN history")
