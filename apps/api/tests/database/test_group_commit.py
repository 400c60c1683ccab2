"""Single statements of many tasks, sent and committed together."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import UniqueViolation

from app.infra.db.database import Pool, create_pool
from app.infra.db.group_commit import GroupCommit


@pytest.fixture
async def pool(shared_database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(shared_database_url, size=3) as opened:
        yield opened


@pytest.fixture
async def numbers(pool: Pool) -> AsyncIterator[sql.Identifier]:
    """A table of numbers, and of the transactions that wrote them."""
    table = sql.Identifier(f"numbers_{uuid4().hex}")
    async with pool.connection() as db:
        await db.execute(
            sql.SQL(
                "CREATE TABLE {} (n int PRIMARY KEY, xid xid8 DEFAULT pg_current_xact_id())"
            ).format(table)
        )
    yield table
    async with pool.connection() as db:
        await db.execute(sql.SQL("DROP TABLE {}").format(table))


def insert(table: sql.Identifier) -> str:
    return sql.SQL("INSERT INTO {} (n) VALUES (%s) RETURNING n").format(table).as_string()


async def rows(pool: Pool, table: sql.Identifier) -> dict[int, int]:
    async with pool.connection() as db:
        found = await db.execute(sql.SQL("SELECT n, xid::text::int AS xid FROM {}").format(table))
        return {row["n"]: row["xid"] for row in await found.fetchall()}


async def test_what_comes_at_once_is_committed_together(
    pool: Pool, numbers: sql.Identifier
) -> None:
    group, query = GroupCommit(pool), insert(numbers)

    cursors = await asyncio.gather(*(group.execute(query, (n,)) for n in range(20)))

    assert [await cursor.fetchone() for cursor in cursors] == [{"n": n} for n in range(20)]
    transactions = set((await rows(pool, numbers)).values())
    assert len(transactions) <= 3  # the first two by themselves


async def test_what_comes_alone_goes_alone(pool: Pool, numbers: sql.Identifier) -> None:
    group, query = GroupCommit(pool), insert(numbers)

    for n in range(3):
        await group.execute(query, (n,))

    assert len(set((await rows(pool, numbers)).values())) == 3


@pytest.mark.parametrize(
    ("bad", "error"), [(0, UniqueViolation), (object(), psycopg.ProgrammingError)]
)
async def test_one_that_fails_takes_no_other_with_it(
    pool: Pool, numbers: sql.Identifier, bad: object, error: type[Exception]
) -> None:
    group, query = GroupCommit(pool), insert(numbers)
    await group.execute(query, (0,))

    ends = await asyncio.gather(
        *(group.execute(query, (n,)) for n in (1, 2, bad, 3, 4)), return_exceptions=True
    )

    assert [isinstance(end, error) for end in ends] == [False, False, True, False, False]
    assert sorted(await rows(pool, numbers)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("by_itself", [True, False])
async def test_one_that_waits_for_a_lock_keeps_no_other_waiting(
    pool: Pool, numbers: sql.Identifier, shared_database_url: str, by_itself: bool
) -> None:
    group, query = GroupCommit(pool), insert(numbers)
    async with await psycopg.AsyncConnection.connect(shared_database_url) as other:
        await other.execute(query, (1,))  # not committed: whoever adds it too has to wait
        order = [1, 2, 3, 4, 5] if by_itself else [2, 3, 1, 4, 5]
        tasks = {n: asyncio.create_task(group.execute(query, (n,))) for n in order}
        waits = tasks.pop(1)
        async with asyncio.timeout(20):
            await asyncio.gather(*tasks.values())
        assert not waits.done()
        await other.rollback()
        await waits

    assert sorted(await rows(pool, numbers)) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("which", [0, 3])
async def test_one_that_nobody_waits_for_any_more_harms_no_other(
    pool: Pool, numbers: sql.Identifier, which: int
) -> None:
    group, query = GroupCommit(pool), insert(numbers)
    tasks = [asyncio.create_task(group.execute(query, (n,))) for n in range(5)]
    await asyncio.sleep(0)
    tasks[which].cancel()

    ends = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(ends[which], asyncio.CancelledError)
    assert set(range(5)) - {which} <= set(await rows(pool, numbers))


async def test_a_connection_that_is_lost_fails_its_group_and_nothing_later(
    pool: Pool, numbers: sql.Identifier
) -> None:
    group, query = GroupCommit(pool), insert(numbers)
    suicide = "SELECT pg_terminate_backend(pg_backend_pid())"

    ends = await asyncio.gather(
        group.execute(query, (1,)),
        group.execute(query, (2,)),
        group.execute(query, (3,)),
        group.execute(suicide, ()),
        group.execute(query, (4,)),
        return_exceptions=True,
    )

    lost = [isinstance(end, psycopg.OperationalError) for end in ends]
    assert lost == [False, False, True, True, True]
    await group.execute(query, (5,))
    assert sorted(await rows(pool, numbers)) == [1, 2, 5]
