"""Answers to requests that carry an Idempotency-Key.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE renum.idempotency_keys (
            user_id     uuid NOT NULL,
            key         text NOT NULL,
            -- SHA-256 of the request.
            fingerprint bytea NOT NULL,
            status      smallint NOT NULL,
            location    text NOT NULL,
            -- As it was sent.
            body        bytea NOT NULL,
            created_at  timestamptz NOT NULL,
            PRIMARY KEY (user_id, key)
        );
        -- What is old goes every hour.
        CREATE INDEX idempotency_keys_created_at ON renum.idempotency_keys (created_at);
        ALTER TABLE renum.idempotency_keys ENABLE ROW LEVEL SECURITY;
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE renum.idempotency_keys")
