"""The doctor on PostgreSQL and the queue."""

from collections.abc import Callable
from uuid import uuid4

import psycopg
import pytest
from pydantic import SecretStr

from app.core.settings import Settings
from app.doctor.findings import Outcome
from app.infra.db import migrations
from app.infra.db.database import PostgresDatabase, create_pool
from app.infra.db.grants import grant_service
from renum_sandbox import constants
from tests.builders import an_execution
from tests.doctor.diagnosis import about, complaint
from tests.endpoints.people import Person, signed_in
from tests.poolers import TRANSACTION_PORT, UNKNOWN_PORT, session_pooler, transaction_pooler
from tests.ports import a_free_port
from tests.serving import serving
from tests.world import now

FAILED, WARNING, OK = Outcome.FAILED, Outcome.WARNING, Outcome.OK
Postgres = Callable[[str], str]


def at(settings: Settings, url: str, direct: str = "") -> Settings:
    return settings.having(
        {"database_url": SecretStr(url), "database_direct_url": SecretStr(direct)}
    )


def url_of(settings: Settings) -> str:
    return settings.database_url.get_secret_value()


def as_role(url: str, role: str) -> str:
    assert "://postgres:@" in url
    return url.replace("://postgres:@", f"://{role}:@")


@pytest.fixture
def role(postgres: Postgres) -> str:
    """One that may sign in and nothing else."""
    name = f"clerk_{uuid4().hex[:8]}"
    with psycopg.connect(postgres("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN")
    return name


async def test_nobody_listens_there(settings: Settings) -> None:
    nobody = f"postgresql://ana:hidden@127.0.0.1:{a_free_port()}/renum"
    found = await complaint(at(settings, nobody), "database.reachable")
    assert found.outcome is FAILED
    assert "Connection refused" in found.detail
    assert "hidden" not in found.detail
    assert found.advice == "start PostgreSQL, or check host and port"


@pytest.mark.parametrize(("part", "instead"), [("postgres:@", "stranger:@"), ("/test", "/no_")])
async def test_a_wrong_name_in_the_url(settings: Settings, part: str, instead: str) -> None:
    url = url_of(settings).replace(part, instead, 1)
    found = await complaint(at(settings, url), "database.reachable")
    assert found.outcome is FAILED
    assert "names of database and role" in (found.advice or "")


async def test_a_url_that_is_none(settings: Settings) -> None:
    found = await complaint(at(settings, "postgresql://[half"), "database.reachable")
    assert (found.outcome, found.advice) == (FAILED, "check the URL")


async def test_before_the_first_migration(settings: Settings, postgres: Postgres) -> None:
    name = f"empty_{uuid4().hex[:8]}"
    with psycopg.connect(postgres("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    found = await complaint(at(settings, postgres(name)), "database.migrations")
    assert (found.outcome, found.advice) == (FAILED, "run: renum-api migrate")


async def test_a_migration_behind_and_one_ahead(settings: Settings) -> None:
    url = url_of(settings)
    migrations.downgrade(url, "0010")
    behind = await complaint(settings, "database.migrations")
    assert f"is at 0010, and this version needs {migrations.head()}" in behind.detail
    migrations.upgrade(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE renum.alembic_version SET version_num = '9999'")
    ahead = await complaint(settings, "database.migrations")
    assert (ahead.outcome, "newer than this version" in ahead.detail) == (FAILED, True)


async def test_a_role_without_rights_and_with_them(settings: Settings, role: str) -> None:
    owner = url_of(settings)
    theirs = at(settings, as_role(owner, role))
    found = await complaint(theirs, "database.rights")
    assert (found.outcome, "the schema renum" in found.detail) == (FAILED, True)
    assert found.advice == f"as the owner, run: renum-api migrate --grant-to {role}"
    grant_service(owner, role)
    seen = await about(theirs, "database")
    assert seen["database.rights"].outcome is OK
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(f"REVOKE DELETE ON renum.events FROM {role}")
        connection.execute(f"DROP POLICY {role} ON renum.teams")
        connection.execute(f"REVOKE EXECUTE ON FUNCTION renum.fenced() FROM {role}")
    partly = await complaint(theirs, "database.rights")
    assert f"the role {role} may not use events, teams, fenced" == partly.detail


async def test_a_pooler_in_transaction_mode_hears_nothing(settings: Settings) -> None:
    url = url_of(settings)
    with transaction_pooler(url) as (_, address):
        pooled = address(UNKNOWN_PORT)
        found = await complaint(at(settings, pooled), "database.listen")
        assert found.outcome is FAILED
        assert "transaction mode" in found.detail
        seen = await about(at(settings, pooled, direct=url), "database")
    assert seen["database.listen"].detail == "news arrive through DATABASE_DIRECT_URL"


async def test_poolers_that_are_used_as_they_are_meant(settings: Settings) -> None:
    url = url_of(settings)
    with transaction_pooler(url) as (_, address), session_pooler(url) as direct:
        seen = await about(at(settings, address(TRANSACTION_PORT), direct=direct), "database")
    assert {f.outcome for f in seen.values()} == {OK}


async def test_more_connections_than_the_server_takes(settings: Settings) -> None:
    greedy = settings.having({"database_pool_size": 1000})
    found = await complaint(greedy, "database.connections")
    assert (found.outcome, "up to 1008" in found.detail) == (FAILED, True)


async def test_in_production_a_superuser_is_too_much(settings: Settings) -> None:
    found = await complaint(settings.having({"app_env": "production"}), "database.role")
    assert found.outcome is WARNING


# ---- the queue -----------------------------------------------------------------------------------


async def test_nobody_works(settings: Settings) -> None:
    found = await complaint(settings, "queue.workers")
    assert (found.outcome, found.detail) == (WARNING, "none is alive")


async def test_nobody_works_and_something_waits(settings: Settings) -> None:
    async with create_pool(url_of(settings), size=1) as pool:
        execution = an_execution(now=now())
        async with PostgresDatabase(pool).transaction() as tx:
            await tx.executions.add(execution)
            await tx.jobs.drive(execution.id)
    found = await complaint(settings, "queue.workers")
    assert (found.outcome, found.detail) == (FAILED, "none is alive, and 1 jobs wait")


async def test_an_execution_stands_still(settings: Settings) -> None:
    async with create_pool(url_of(settings), size=1) as pool:
        execution = an_execution(now=now())
        async with PostgresDatabase(pool).transaction() as tx:
            await tx.executions.add(execution)
    found = await complaint(settings, "queue.stuck")
    assert found.outcome is FAILED
    assert str(execution.id) in found.detail


async def test_jobs_wait_although_somebody_works(settings: Settings) -> None:
    busy = settings.having({"worker_concurrency": 1})
    with serving(busy) as url, signed_in(url, constants.ANA_EMAIL) as http:
        ana = Person(http)
        team = ana.team()
        ana.running(team)
        ana.execute(team)
        with psycopg.connect(url_of(settings), autocommit=True) as connection:
            aged = connection.execute(
                """
                UPDATE renum.procrastinate_jobs SET scheduled_at = now() - interval '2 minutes'
                 WHERE queue_name = 'executions' AND status = 'todo'
                """
            )
            assert aged.rowcount == 1
        found = await complaint(busy, "queue.age")
        ana.tidy()
    assert (found.outcome, "executions for 12" in found.detail) == (FAILED, True)
