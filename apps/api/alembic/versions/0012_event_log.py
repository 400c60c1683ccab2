"""Where the logs of new users begin; and old events are found by the primary key.

Revision ID: 0012
Revises: 0011
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # First, as it is a transaction of its own: if it is refused, the rest is not done twice.
    with op.get_context().autocommit_block():
        # Pages that were freed and filled again span all times, so it came to name every page.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS renum.events_created_at")
    op.execute(
        """
        -- One row. Above zero once a backup was restored: an id that was given before must not
        -- come again, not even to a user whom the backup does not know.
        CREATE TABLE renum.event_floor (
            only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
            last_id  bigint NOT NULL
        );
        INSERT INTO renum.event_floor (last_id) VALUES (0);
        ALTER TABLE renum.event_floor ENABLE ROW LEVEL SECURITY;
        """
    )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS renum.events_created_at")
        op.execute(
            """
            CREATE INDEX CONCURRENTLY events_created_at ON renum.events USING brin (created_at)
                WITH (pages_per_range = 32, autosummarize = on)
            """
        )
    op.execute("DROP TABLE renum.event_floor")
