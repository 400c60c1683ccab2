"""Webhooks of users, and what is on its way to them.

Revision ID: 0011
Revises: 0010
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE renum.webhooks (
            id              uuid PRIMARY KEY,
            user_id         uuid NOT NULL,
            url             text NOT NULL,
            description     text NOT NULL,
            events          text[] NOT NULL,
            -- Why nothing is sent; null while it is told what happens.
            disabled_reason text,
            created_at      timestamptz NOT NULL,
            updated_at      timestamptz NOT NULL,
            failing_since   timestamptz,
            -- Needed to sign with, so not hashed.
            secret          bytea NOT NULL,
            previous_secret bytea,
            previous_until  timestamptz
        );
        -- Lists, and the question at the end of every execution.
        CREATE INDEX webhooks_of_user ON renum.webhooks (user_id, id DESC);
        ALTER TABLE renum.webhooks ENABLE ROW LEVEL SECURITY;

        CREATE TABLE renum.webhook_deliveries (
            webhook_id      uuid NOT NULL REFERENCES renum.webhooks (id) ON DELETE CASCADE,
            -- The message's: one message goes to every webhook that wants it.
            id              uuid NOT NULL,
            user_id         uuid NOT NULL,
            type            text NOT NULL,
            -- The bytes that are signed and sent, at every attempt.
            body            text NOT NULL,
            status          text NOT NULL,
            created_at      timestamptz NOT NULL,
            tries           integer NOT NULL,
            attempts        jsonb NOT NULL,
            next_attempt_at timestamptz,
            completed_at    timestamptz,
            PRIMARY KEY (webhook_id, id)
        );
        -- The search for those whose job was lost.
        CREATE INDEX webhook_deliveries_pending ON renum.webhook_deliveries (next_attempt_at)
         WHERE status = 'pending';
        -- What ended long ago is deleted.
        CREATE INDEX webhook_deliveries_ended ON renum.webhook_deliveries (completed_at)
         WHERE status <> 'pending';
        ALTER TABLE renum.webhook_deliveries ENABLE ROW LEVEL SECURITY;
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE renum.webhook_deliveries; DROP TABLE renum.webhooks")
