"""Renum behind Supabase's poolers, and in front of them."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

import psycopg
import pytest
from psycopg.errors import DuplicatePreparedStatement, InvalidSqlStatementName
from pydantic import SecretStr

from app.infra.db.database import PostgresDatabase, create_pool
from renum_sandbox.testing import RunningSandbox
from tests.database.journey import take_the_journey
from tests.poolers import TRANSACTION_PORT, UNKNOWN_PORT, session_pooler, transaction_pooler
from tests.serving import settings_for


def test_everything_works_behind_a_transaction_pooler(
    sandbox: RunningSandbox, new_database: Callable[[], str]
) -> None:
    direct_url = new_database()
    with transaction_pooler(direct_url, servers=2) as (pooler, url_at):
        settings = settings_for(
            sandbox, url_at(TRANSACTION_PORT), database_direct_url=SecretStr(direct_url)
        )
        take_the_journey(settings)
        assert pooler.clients > 2
        assert pooler.transactions > 100


def test_everything_works_behind_a_session_pooler(
    sandbox: RunningSandbox, new_database: Callable[[], str]
) -> None:
    with session_pooler(new_database()) as url:
        take_the_journey(settings_for(sandbox, url))


def test_everything_works_without_a_pooler(
    sandbox: RunningSandbox, new_database: Callable[[], str]
) -> None:
    take_the_journey(settings_for(sandbox, new_database()))


async def read_often(url: str) -> None:
    async with create_pool(url, size=2) as pool:
        db = PostgresDatabase(pool)
        for _ in range(20):
            async with db.autocommit() as tx:
                await tx.events.bounds(uuid4())
            async with db.transaction() as tx:
                await tx.events.lock(uuid4())


async def test_the_port_keeps_statements_from_being_prepared(shared_database_url: str) -> None:
    """The control: behind the same pooler at another port, which says nothing, it goes wrong."""
    with transaction_pooler(shared_database_url) as (_, url_at):
        await read_often(url_at(TRANSACTION_PORT))
        with pytest.raises((InvalidSqlStatementName, DuplicatePreparedStatement)):
            await read_often(url_at(UNKNOWN_PORT))


async def test_a_pool_that_rests_leaves_every_server_to_others(shared_database_url: str) -> None:
    with transaction_pooler(shared_database_url, servers=1) as (pooler, url_at):
        async with create_pool(url_at(TRANSACTION_PORT), size=4) as pool, asyncio.timeout(20):
            db = PostgresDatabase(pool)

            async def write() -> None:
                async with db.transaction() as tx:
                    await tx.events.lock(uuid4())

            for _ in range(25):
                await asyncio.gather(*(write() for _ in range(4)))
            while pooler.lent:
                await asyncio.sleep(0.01)


async def test_the_transaction_pooler_is_one(shared_database_url: str) -> None:
    """No session survives a transaction; within one, everything is as without a pooler."""
    with transaction_pooler(shared_database_url) as (_, url_at):
        async with await psycopg.AsyncConnection.connect(
            url_at(TRANSACTION_PORT), autocommit=True, prepare_threshold=None
        ) as client:

            async def one(statement: str) -> object:
                row = await (await client.execute(statement)).fetchone()
                return row and row[0]

            backend = "SELECT pg_backend_pid()"
            assert await one(backend) != await one(backend)
            async with client.transaction():
                assert await one(backend) == await one(backend)
            async with client.pipeline(), client.transaction():
                cursors = [await client.execute(backend) for _ in range(3)]
                assert len({(await c.fetchone() or (0,))[0] for c in cursors}) == 1

            await client.execute("SET application_name = 'kept'")
            assert await one("SHOW application_name") != "kept"
            await client.execute("LISTEN doorbell")
            await client.execute("NOTIFY doorbell")
            assert [n async for n in client.notifies(timeout=0.05)] == []


async def test_the_transaction_pooler_refuses_options(shared_database_url: str) -> None:
    with transaction_pooler(shared_database_url) as (_, url_at):
        url = f"{url_at(TRANSACTION_PORT)}&options=-cstatement_timeout%3D1s"
        with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter"):
            await psycopg.AsyncConnection.connect(url)
