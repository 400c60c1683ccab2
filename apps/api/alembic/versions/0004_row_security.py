"""Row security: whoever is not the owner sees no row, unless a policy says so.

The second line of defence, should the schema ever be exposed: to a Data API, or to roles that
were granted too much. The service's own role gets its policies from `migrate --grant-to`.

Revision ID: 0004
Revises: 0003
"""

from sqlalchemy import text

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not FORCE: the owner migrates and, where there is no second role, serves.
    _each_table("ENABLE ROW LEVEL SECURITY")
    # Functions are everybody's unless revoked; the others are said for completeness.
    op.execute(
        """
        REVOKE ALL ON SCHEMA renum FROM PUBLIC;
        REVOKE ALL ON ALL TABLES IN SCHEMA renum FROM PUBLIC;
        REVOKE ALL ON ALL SEQUENCES IN SCHEMA renum FROM PUBLIC;
        REVOKE ALL ON ALL FUNCTIONS IN SCHEMA renum FROM PUBLIC;
        """
    )


def downgrade() -> None:
    op.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA renum TO PUBLIC")
    _each_table("DISABLE ROW LEVEL SECURITY")


def _each_table(change: str) -> None:
    """Ours, the queue's and Alembic's, each in a transaction of its own: one that locks them all
    may deadlock with servers that run meanwhile."""
    with op.get_context().autocommit_block():
        tables = op.get_bind().scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'renum' ORDER BY tablename")
        )
        for table in tables.all():
            op.execute(f"ALTER TABLE renum.{table} {change}")
