"""The role that the service runs as: all that it needs, and nothing else."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege
from pydantic import SecretStr

from app.infra.db import migrations
from app.infra.db.database import PostgresDatabase, create_pool
from app.infra.db.grants import GrantError, grant_service
from app.usecases.invariant import repair_stuck
from renum_sandbox.testing import RunningSandbox
from tests.database.journey import take_the_journey
from tests.integration import test_queue
from tests.poolers import TRANSACTION_PORT, transaction_pooler
from tests.serving import settings_for


@dataclass(frozen=True)
class Roles:
    """URLs of one database, for its owner, for the service, and for others."""

    owner: str
    service: str
    #: Was granted too much, as `authenticated` may be by mistake; names of roles are the server's.
    intruder: str


def as_role(url: str, role: str) -> str:
    assert "://postgres:@" in url
    return url.replace("://postgres:@", f"://{role}:@")


def name_of(url: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(url)["user"])


@pytest.fixture(scope="module")
def roles(postgres: Callable[[str], str]) -> Roles:
    """A database that a role without any privileges migrated, and granted to another."""
    suffix = uuid4().hex[:8]
    owner, service, intruder = (f"{n}_{suffix}" for n in ("owner", "service", "intruder"))
    with psycopg.connect(postgres("postgres"), autocommit=True) as admin:
        for role in (owner, service, intruder):
            admin.execute(f"CREATE ROLE {role} LOGIN NOBYPASSRLS")
        admin.execute(f"CREATE DATABASE {owner} OWNER {owner}")
    url = postgres(owner)
    found = Roles(as_role(url, owner), as_role(url, service), as_role(url, intruder))
    migrations.upgrade(found.owner)
    grant_service(found.owner, service)
    with psycopg.connect(found.owner, autocommit=True) as connection:
        connection.execute(f"GRANT USAGE ON SCHEMA renum TO {intruder}")
        connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA renum TO {intruder}")
        connection.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA renum TO {intruder}")
        connection.execute("CREATE SCHEMA theirs CREATE TABLE secrets (id int)")
    return found


def tables(connection: psycopg.Connection) -> list[sql.Identifier]:
    found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'renum'")
    return [sql.Identifier("renum", name) for (name,) in found.fetchall()]


def count(connection: psycopg.Connection, table: sql.Identifier) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone()
    assert row is not None
    return int(row[0])


def test_the_service_does_everything_and_an_intruder_sees_nothing_of_it(
    roles: Roles, sandbox: RunningSandbox
) -> None:
    take_the_journey(settings_for(sandbox, roles.service))
    with (
        psycopg.connect(roles.owner, autocommit=True) as owner,
        psycopg.connect(roles.intruder, autocommit=True) as intruder,
    ):
        assert sum(count(owner, table) for table in tables(owner)) > 50
        for table in tables(owner):
            assert count(intruder, table) == 0
            assert intruder.execute(sql.SQL("DELETE FROM {}").format(table)).rowcount == 0
            with pytest.raises(InsufficientPrivilege, match="row-level security"):
                intruder.execute(sql.SQL("INSERT INTO {} DEFAULT VALUES").format(table))
        with pytest.raises(InsufficientPrivilege):
            intruder.execute("SELECT renum.procrastinate_register_worker_v1()")


def test_the_service_works_behind_a_transaction_pooler_too(
    roles: Roles, sandbox: RunningSandbox
) -> None:
    with transaction_pooler(roles.service) as (_, url_at):
        settings = settings_for(
            sandbox, url_at(TRANSACTION_PORT), database_direct_url=SecretStr(roles.service)
        )
        take_the_journey(settings)


@pytest.mark.parametrize(
    "scenario",
    [
        test_queue.test_the_executions_of_a_dead_worker_are_taken_over,
        test_queue.test_a_cancelled_execution_is_let_go_and_its_run_stopped,
        test_queue.test_a_stopping_worker_hands_its_executions_over,
    ],
)
async def test_the_service_is_a_worker(
    roles: Roles,
    new_database: Callable[[], str],
    scenario: Callable[[test_queue.Stack], Awaitable[None]],
) -> None:
    url, role = new_database(), name_of(roles.service)
    grant_service(url, role)
    async with create_pool(as_role(url, role), size=5) as pool:
        await scenario(test_queue.Stack(as_role(url, role), PostgresDatabase(pool)))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT renum.procrastinate_defer_periodic_job_v2('q', NULL, 'l', 't', 0, '', 1, '{}')",
        "SELECT renum.procrastinate_prune_stalled_workers_v1(0)",
        "DELETE FROM renum.procrastinate_jobs",
        "DELETE FROM renum.executions",
    ],
)
def test_what_the_service_does_seldom(roles: Roles, statement: str) -> None:
    with psycopg.connect(roles.service) as connection:
        connection.execute(statement)
        connection.rollback()


async def test_the_service_repairs_and_is_fenced(roles: Roles) -> None:
    async with create_pool(roles.service, size=1) as pool:
        await repair_stuck(PostgresDatabase(pool), test_queue.LIMITS, now=datetime.now(UTC))
        async with pool.connection() as connection:
            with pytest.raises(psycopg.Error) as fenced:
                await connection.execute("SELECT renum.fenced()")
            assert fenced.value.sqlstate == "RN001"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE renum.mine (id int)",
        "CREATE SCHEMA mine",
        "ALTER TABLE renum.teams ADD COLUMN mine int",
        "ALTER TABLE renum.teams DISABLE ROW LEVEL SECURITY",
        "CREATE POLICY mine ON renum.teams USING (true)",
        "DROP TABLE renum.texts",
        "TRUNCATE renum.texts",
        "CREATE OR REPLACE FUNCTION renum.fenced() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "UPDATE renum.alembic_version SET version_num = '0001'",
        "DELETE FROM renum.alembic_version",
        "SELECT * FROM theirs.secrets",
        "SELECT setval('renum.procrastinate_jobs_id_seq', 1)",
    ],
)
def test_the_service_may_not(roles: Roles, statement: str) -> None:
    with psycopg.connect(roles.service) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(statement)


def test_it_knows_the_version_of_the_schema(roles: Roles) -> None:
    with psycopg.connect(roles.service) as connection:
        row = connection.execute("SELECT version_num FROM renum.alembic_version").fetchone()
    assert row == (migrations.head(),)


def test_granting_again_changes_nothing_and_covers_new_tables(roles: Roles) -> None:
    with psycopg.connect(roles.owner, autocommit=True) as owner:
        owner.execute("CREATE TABLE renum.later (id int)")
        owner.execute("ALTER TABLE renum.later ENABLE ROW LEVEL SECURITY")
        try:
            for _ in range(2):
                grant_service(roles.owner, name_of(roles.service))
            with psycopg.connect(roles.service) as connection:
                connection.execute("INSERT INTO renum.later VALUES (1)")
                assert count(connection, sql.Identifier("renum", "later")) == 1
        finally:
            owner.execute("DROP TABLE renum.later")


@pytest.mark.parametrize("role", ["nobody", "", "public", 'x" TO PUBLIC; --', "current_user"])
def test_an_unknown_role_is_refused(roles: Roles, role: str) -> None:
    with pytest.raises(GrantError, match="there is no role"):
        grant_service(roles.owner, role)


def test_the_owner_is_no_second_role(roles: Roles) -> None:
    with pytest.raises(GrantError, match="the owner's rights already"):
        grant_service(roles.owner, name_of(roles.owner))


def test_names_are_quoted(roles: Roles, postgres: Callable[[str], str]) -> None:
    name = f'Renum "App"; {uuid4().hex[:8]}'
    role = sql.Identifier(name)
    with psycopg.connect(postgres(name_of(roles.owner)), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {}").format(role))
        try:
            grant_service(roles.owner, name)
            admin.execute(sql.SQL("SET ROLE {}").format(role))
            assert count(admin, sql.Identifier("renum", "alembic_version")) == 1
            admin.execute("RESET ROLE")
        finally:
            admin.execute(sql.SQL("DROP OWNED BY {}").format(role))
            admin.execute(sql.SQL("DROP ROLE {}").format(role))
