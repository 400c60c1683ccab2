"""The trace of the request that began an execution.

Revision ID: 0013
Revises: 0012
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # W3C Trace Context, as {"traceparent": ..., "tracestate": ...}; null without tracing.
    op.execute("ALTER TABLE renum.executions ADD COLUMN trace_context jsonb")


def downgrade() -> None:
    op.execute("ALTER TABLE renum.executions DROP COLUMN trace_context")
