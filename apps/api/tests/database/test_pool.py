"""Connections come back to the pool as they were given out."""

import asyncio
from time import monotonic

import pytest

from app.infra.db.database import create_pool


async def test_a_pipeline_that_was_entered_while_cancelled_harms_nobody_else(
    shared_database_url: str,
) -> None:
    """psycopg lets others run on a loop that was busy, after it has entered the pipeline."""
    async with create_pool(shared_database_url, size=1) as pool:

        async def cancelled() -> None:
            async with pool.connection() as connection:
                busy_until = monotonic() + 0.05
                while monotonic() < busy_until:
                    pass
                asyncio.get_running_loop().call_soon(task.cancel)
                async with connection.pipeline():
                    raise AssertionError

        task = asyncio.create_task(cancelled())
        with pytest.raises(asyncio.CancelledError):
            await task

        async with pool.connection() as connection:
            cursor = await connection.execute("SELECT 1 AS one")
            assert cursor.rowcount == 1
            assert await cursor.fetchall() == [{"one": 1}]
