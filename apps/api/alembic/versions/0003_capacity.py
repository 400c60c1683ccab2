"""Waiting for Suna, and runs that belong to one result.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE renum.executions
            -- When it was last claimed: quick claims without progress are what the engine gives up.
            ADD COLUMN claimed_at timestamptz;

        ALTER TABLE renum.event_heads
            -- When an agent of the user was let to Suna last: users take turns.
            ADD COLUMN suna_turn_at timestamptz;

        ALTER TABLE renum.agent_results
            -- Since when it waits for its due time or for room at Suna.
            ADD COLUMN waiting_since timestamptz;
        -- Who is at Suna and who is in line there is counted at every start that is limited.
        CREATE INDEX agent_results_at_suna ON renum.agent_results (execution_id)
            WHERE status = 'running' OR remote_stop = 'pending' OR waiting_since IS NOT NULL;

        -- A run belongs to one result: two that were asked the same must not share one.
        UPDATE renum.agent_results r SET run_id = NULL
         WHERE EXISTS (
            SELECT FROM renum.agent_results o
             WHERE o.run_id = r.run_id AND o.thread_id = r.thread_id
               AND (o.execution_id, o.key) < (r.execution_id, r.key)
         );
        CREATE UNIQUE INDEX agent_results_run ON renum.agent_results (run_id, thread_id);
        """
    )


def downgrade() -> None:
    op.execute(
        """
        DROP INDEX renum.agent_results_run, renum.agent_results_at_suna;
        ALTER TABLE renum.agent_results DROP COLUMN waiting_since;
        ALTER TABLE renum.event_heads DROP COLUMN suna_turn_at;
        ALTER TABLE renum.executions DROP COLUMN claimed_at;
        """
    )
