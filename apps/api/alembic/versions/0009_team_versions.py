"""Every version of a team, and which one an execution began with.

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE renum.team_versions (
            team_id       uuid NOT NULL REFERENCES renum.teams ON DELETE CASCADE,
            version       integer NOT NULL,
            name          text NOT NULL,
            description   text,
            workflow_type text NOT NULL,
            status        text NOT NULL,
            -- The rows of team_agents as they were.
            agents        jsonb NOT NULL,
            created_at    timestamptz NOT NULL,
            PRIMARY KEY (team_id, version)
        );
        ALTER TABLE renum.team_versions ENABLE ROW LEVEL SECURITY;
        INSERT INTO renum.team_versions
        SELECT t.id, t.version, t.name, t.description, t.workflow_type, t.status,
               (SELECT jsonb_agg(a ORDER BY a.position) FROM renum.team_agents a
                 WHERE a.team_id = t.id),
               t.updated_at
          FROM renum.teams t;

        -- Null for those from before this.
        ALTER TABLE renum.executions ADD COLUMN team_version integer;
        """
    )


def downgrade() -> None:
    op.execute(
        """
        ALTER TABLE renum.executions DROP COLUMN team_version;
        DROP TABLE renum.team_versions;
        """
    )
