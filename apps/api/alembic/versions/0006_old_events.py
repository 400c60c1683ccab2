"""Old events are found without reading the log.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        -- Block ranges, as the log is written in order of time: some kilobytes, and no work at all
        -- for most inserts.
        CREATE INDEX events_created_at ON renum.events USING brin (created_at)
            WITH (pages_per_range = 32, autosummarize = on)
        """
    )


def downgrade() -> None:
    op.execute("DROP INDEX renum.events_created_at")
