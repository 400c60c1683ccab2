"""API keys of users, for machines.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE renum.api_keys (
            id           uuid PRIMARY KEY,
            user_id      uuid NOT NULL,
            -- Whom a key speaks for, as they were when it was made.
            email        text NOT NULL,
            user_name    text NOT NULL,
            name         text NOT NULL,
            -- Its beginning, to tell keys apart.
            prefix       text NOT NULL,
            -- SHA-256; the key itself is random, and nowhere.
            hash         bytea NOT NULL UNIQUE,
            scopes       text[] NOT NULL,
            created_at   timestamptz NOT NULL,
            expires_at   timestamptz,
            last_used_at timestamptz
        );
        CREATE INDEX api_keys_of_user ON renum.api_keys (user_id, id DESC);
        ALTER TABLE renum.api_keys ENABLE ROW LEVEL SECURITY;
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE renum.api_keys")
