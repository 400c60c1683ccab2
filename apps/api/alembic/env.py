"""Alembic's entry: migrates on the connection that `app.infra.db.migrations` opened."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table_schema="renum",
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
