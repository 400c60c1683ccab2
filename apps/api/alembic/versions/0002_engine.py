"""Retries, long texts, repairs.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE renum.executions
            -- The execution whose finished results this one took over; it may be gone.
            ADD COLUMN retry_of uuid,
            -- How often the invariant check found it stuck.
            ADD COLUMN repairs  smallint NOT NULL DEFAULT 0;
        -- The metric sums them; they are few, for each is a bug or an outage.
        CREATE INDEX executions_repaired ON renum.executions (repairs) WHERE repairs > 0;

        ALTER TABLE renum.agent_results
            ADD COLUMN input_bytes  integer,
            ADD COLUMN output_bytes integer,
            ADD COLUMN reused       boolean NOT NULL DEFAULT false;
        -- The invariant check looks for remote runs that nobody stops.
        CREATE INDEX agent_results_to_stop ON renum.agent_results (execution_id)
            WHERE remote_stop = 'pending';

        -- Inputs and outputs over 256 KiB; their rows hold the beginning. In the database, not in
        -- files: a text commits with the state that it belongs to, and every process reads it.
        CREATE TABLE renum.texts (
            execution_id uuid NOT NULL REFERENCES renum.executions ON DELETE CASCADE,
            key          text NOT NULL,
            field        text NOT NULL,
            -- bytea, uncompressed: a piece of it is read without the rest.
            body         bytea NOT NULL,
            PRIMARY KEY (execution_id, key, field)
        );
        ALTER TABLE renum.texts ALTER COLUMN body SET STORAGE EXTERNAL;
        """
    )


def downgrade() -> None:
    op.execute(
        """
        DROP TABLE renum.texts;
        DROP INDEX renum.agent_results_to_stop;
        ALTER TABLE renum.agent_results
            DROP COLUMN input_bytes, DROP COLUMN output_bytes, DROP COLUMN reused;
        ALTER TABLE renum.executions DROP COLUMN retry_of, DROP COLUMN repairs;
        """
    )
