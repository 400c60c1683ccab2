"""PostgreSQL: reachable, young enough, migrated, and open to us."""

import secrets

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from app.core.settings import Settings
from app.core.settings_rules import is_loopback
from app.doctor.clock import clock_finding, now
from app.doctor.findings import Finding, failed, ok, skipped, warning
from app.doctor.queue import queue_findings
from app.infra.db import migrations
from app.infra.db.connection import Connection, Row

_CONNECT_S = 5
_OLDEST = 15
#: Of one process, beside its pool (docs/operations/database.md).
_BESIDE_POOL = 8
_NOTIFIED_WITHIN_S = 3.0

_RIGHTS = """
SELECT c.relname AS name, c.relname = 'alembic_version' AS read_only,
       has_table_privilege(c.oid, 'SELECT') AS reads,
       has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
           AND has_table_privilege(c.oid, 'DELETE') AS writes,
       NOT row_security_active(c.oid) OR EXISTS (
           SELECT FROM pg_policies p
            WHERE p.schemaname = 'renum' AND p.tablename = c.relname
              AND (current_user = ANY(p.roles) OR 'public' = ANY(p.roles))
       ) AS sees_rows
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'renum' AND c.relkind IN ('r', 'p') ORDER BY c.relname
"""
_ALSO_NEEDED = """
SELECT p.proname AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname = 'renum' AND NOT has_function_privilege(p.oid, 'EXECUTE')
UNION ALL
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'renum'
   -- A condition beside it could be looked at first, of what is no sequence.
   AND CASE WHEN c.relkind = 'S' THEN NOT has_sequence_privilege(c.oid, 'USAGE') END
 ORDER BY name
"""
#: So many names say enough.
_NAMED = 5
_ADVICE = {
    "password authentication failed": "check the user and the password, which is percent-encoded",
    "no password supplied": "put user and password into the URL",
    "does not exist": "check the names of database and role at the end and the start of the URL",
    "Connection refused": "start PostgreSQL, or check host and port",
    "No such file": "start PostgreSQL, or check host and port",
    "resolve": "check the host; Supabase's direct host needs IPv6, its pooler does not",
    "translate host": "check the host; Supabase's direct host needs IPv6, its pooler does not",
    "timeout": "check host and port, and whether a firewall is in between",
    "SSL": "check sslmode and sslrootcert in the URL",
    "MaxClients": "raise the pooler's pool size, or lower DATABASE_POOL_SIZE",
    "too many": "raise max_connections, or lower DATABASE_POOL_SIZE",
}


async def database_findings(settings: Settings) -> list[Finding]:
    """And the queue, which lives in it."""
    url = settings.database_url.get_secret_value()
    if not url:
        return [skipped("database.reachable", "DATABASE_URL is not set")]
    try:
        async with await _connect(url) as connection:
            findings = await _server(settings, connection)
            schema = await _schema(connection)
            findings += schema
            if all(f.advice is None for f in schema):
                findings += await queue_findings(settings, connection)
    except psycopg.Error as error:
        return [_unreachable("database.reachable", url, error)]
    return findings + await _direct(settings)


async def _connect(url: str) -> Connection:
    return await psycopg.AsyncConnection.connect(
        url,
        autocommit=True,
        row_factory=dict_row,
        connect_timeout=_CONNECT_S,
        prepare_threshold=None,  # whatever stands in between
    )


def _unreachable(check: str, url: str, error: psycopg.Error) -> Finding:
    said = " ".join(str(error).split())
    advice = next((a for sign, a in _ADVICE.items() if sign in said), "check the URL")
    return failed(check, f"{_place(url)}: {said}", advice)


def _place(url: str) -> str:
    try:
        info = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "the address"
    return f"{info.get('host', 'localhost')}:{info.get('port', 5432)}"


async def _row(connection: Connection, query: str) -> Row:
    row = await (await connection.execute(query.encode())).fetchone()
    assert row is not None  # noqa: S101  all of these have one row
    return row


async def _server(settings: Settings, connection: Connection) -> list[Finding]:
    info = connection.info
    asked_at = now()
    server = await _row(
        connection,
        """
        SELECT current_setting('server_version') AS version,
               current_setting('max_connections')::int AS connections,
               (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser,
               clock_timestamp() AS clock
        """,
    )
    answered_at = now()
    ms = round((answered_at - asked_at).total_seconds() * 1000)
    findings = [
        ok(
            "database.reachable",
            f"PostgreSQL {server['version']} at {info.host}:{info.port}, {ms} ms",
        )
    ]
    if info.server_version < _OLDEST * 10_000:
        findings.append(
            failed(
                "database.version",
                f"PostgreSQL {server['version']} is too old",
                f"upgrade it to {_OLDEST} or newer",
            )
        )
    if not (connection.pgconn.ssl_in_use or _is_near(info.host)):
        findings.append(
            warning(
                "database.tls",
                f"the connection to {info.host} is not encrypted",
                "append ?sslmode=verify-full&sslrootcert=FILE to the URL",
            )
        )
    needed = settings.database_pool_size + _BESIDE_POOL
    if needed > server["connections"]:
        findings.append(
            failed(
                "database.connections",
                f"one process opens up to {needed} connections, and the server takes "
                f"{server['connections']}",
                "lower DATABASE_POOL_SIZE, or raise max_connections",
            )
        )
    if server["is_superuser"] and not settings.in_development:
        findings.append(
            warning(
                "database.role",
                f"the role {info.user} is a superuser",
                "let a role that owns nothing run the service: renum-api migrate --grant-to ROLE",
            )
        )
    middle = asked_at + (answered_at - asked_at) / 2
    return [*findings, clock_finding("database.clock", "the database's", server["clock"], middle)]


def _is_near(host: str) -> bool:
    return host.startswith("/") or is_loopback(host)


async def _schema(connection: Connection) -> list[Finding]:
    found = await _row(
        connection,
        """
        SELECT has_schema_privilege(n.oid, 'USAGE') AS open, current_user AS role,
               EXISTS (SELECT FROM pg_tables WHERE schemaname = 'renum'
                          AND tablename = 'alembic_version') AS migrated
          FROM (SELECT) AS always LEFT JOIN pg_namespace n ON n.nspname = 'renum'
        """,
    )
    if not found["migrated"]:
        return [
            failed(
                "database.migrations",
                "the database has no schema of Renum",
                "run: renum-api migrate",
            )
        ]
    lacking = await _lacking(connection) if found["open"] else ["the schema renum"]
    if lacking:
        more = [f"{len(lacking) - _NAMED} more"] if len(lacking) > _NAMED else []
        return [
            failed(
                "database.rights",
                f"the role {found['role']} may not use {', '.join(lacking[:_NAMED] + more)}",
                f"as the owner, run: renum-api migrate --grant-to {found['role']}",
            )
        ]
    at = (await _row(connection, "SELECT version_num FROM renum.alembic_version"))["version_num"]
    granted = ok("database.rights", f"the role {found['role']} may do all that it has to")
    return [_revision(at), granted]


async def _lacking(connection: Connection) -> list[str]:
    """What the role may not use as it has to."""
    tables = await (await connection.execute(_RIGHTS)).fetchall()
    others = await (await connection.execute(_ALSO_NEEDED)).fetchall()
    return [
        r["name"]
        for r in tables
        if not (r["reads"] and r["sees_rows"] and (r["writes"] or r["read_only"]))
    ] + [r["name"] for r in others]


def _revision(at: str) -> Finding:
    head = migrations.head()
    if at == head:
        return ok("database.migrations", f"at {head}, as this version needs it")
    if migrations.knows(at):
        return failed(
            "database.migrations",
            f"the database is at {at}, and this version needs {head}",
            "run: renum-api migrate",
        )
    return failed(
        "database.migrations",
        f"the database is at {at}, which is newer than this version ({head})",
        "run the version of Renum that migrated it",
    )


async def _direct(settings: Settings) -> list[Finding]:
    """Whether news arrive where we LISTEN, which needs a session of one's own."""
    url = settings.direct_url.get_secret_value()
    name = "DATABASE_DIRECT_URL" if settings.database_direct_url else "DATABASE_URL"
    channel = f"renum_doctor_{secrets.token_hex(8)}"
    try:
        async with await _connect(url) as listening, await _connect(url) as telling:
            await listening.execute(f"LISTEN {channel}".encode())
            await telling.execute("SELECT pg_notify(%s, '')", (channel,))
            async for _ in listening.notifies(timeout=_NOTIFIED_WITHIN_S, stop_after=1):
                return [ok("database.listen", f"news arrive through {name}")]
    except psycopg.Error as error:
        return [_unreachable("database.listen", url, error)]
    return [
        failed(
            "database.listen",
            f"LISTEN through {name} hears nothing: a pooler in transaction mode is in between",
            "set DATABASE_DIRECT_URL to the session pooler or to the database itself",
        )
    ]
