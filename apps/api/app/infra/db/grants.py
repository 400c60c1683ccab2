"""What the database role that the service runs as may do, where it is not the owner."""

import psycopg
from psycopg import sql

from app.infra.db.migrations import turn

_OWNS_SCHEMA = """
SELECT pg_has_role(r.oid, n.nspowner, 'MEMBER') AS owns
  FROM pg_roles r, pg_namespace n WHERE r.rolname = %s AND n.nspname = 'renum'
"""
_TABLES = """
SELECT t.tablename, p.policyname IS NOT NULL AS has_policy
  FROM pg_tables t LEFT JOIN pg_policies p
    ON p.schemaname = t.schemaname AND p.tablename = t.tablename AND p.policyname = %s
 WHERE t.schemaname = 'renum' ORDER BY t.tablename
"""


class GrantError(Exception):
    """The role cannot be the service's; the message says why."""


def grant_service(url: str, role: str) -> None:
    """
    Let *role* work with the rows of every table, and do nothing else: it creates, alters,
    drops and truncates nothing.

    Call it as the owner, after each upgrade; what is granted already stays so. Blocking.
    Raises GrantError when there is no such role, or it is the owner.
    """
    with turn(url) as owner:
        row = owner.execute(_OWNS_SCHEMA, [role]).fetchone()
        if row is None:
            raise GrantError(f"there is no role {role!r}: make it with CREATE ROLE ... LOGIN")
        if row[0]:
            raise GrantError(f"role {role!r} has the owner's rights already: grant to another")
        for table, has_policy in owner.execute(_TABLES, [role]).fetchall():
            verbs = "SELECT" if table == "alembic_version" else "SELECT, INSERT, UPDATE, DELETE"
            _run(owner, f"GRANT {verbs} ON renum.{{table}} TO {{role}}", role, table)
            # Only where it is missing: it locks the table, and servers may be running.
            if not has_policy:
                _run(
                    owner,
                    "CREATE POLICY {role} ON renum.{table} TO {role} USING (true)",
                    role,
                    table,
                )
        _run(owner, "GRANT USAGE ON ALL SEQUENCES IN SCHEMA renum TO {role}", role)
        _run(owner, "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA renum TO {role}", role)
        _run(owner, "GRANT USAGE ON SCHEMA renum TO {role}", role)


def _run(owner: psycopg.Connection, statement: str, role: str, table: str = "") -> None:
    names = {"role": sql.Identifier(role), "table": sql.Identifier(table)}
    owner.execute(sql.SQL(statement).format(**names))
