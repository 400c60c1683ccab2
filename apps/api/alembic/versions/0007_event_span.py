"""Where an execution begins and ends in the event log.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        -- Its own stream starts and ends there; an index by execution would cost every event.
        ALTER TABLE renum.executions
            ADD COLUMN first_event_id bigint,
            -- Null while it goes on.
            ADD COLUMN last_event_id  bigint;
        UPDATE renum.executions e
           SET first_event_id = s.first_id,
               last_event_id = CASE WHEN e.status IN ('completed', 'failed', 'cancelled')
                                    THEN s.last_id END
          FROM (
            SELECT execution_id, min(id) AS first_id, max(id) AS last_id FROM renum.events
             WHERE execution_id IS NOT NULL GROUP BY execution_id
          ) AS s
         WHERE s.execution_id = e.id;
        """
    )


def downgrade() -> None:
    op.execute("ALTER TABLE renum.executions DROP COLUMN first_event_id, DROP COLUMN last_event_id")
