"""A job is ended only by the worker that holds it, and no execution is left without one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest

from app.common.tasks import background
from app.domain.execution import Execution
from app.infra.db.database import PostgresDatabase, create_pool
from app.infra.queue.worker import QueueWorker
from tests.builders import a_team, an_agent, an_execution

_TAKEN_OVER = """
SELECT renum.procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL)
  FROM renum.procrastinate_jobs WHERE status = 'doing'
"""
_CUT_WHO_WAITS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
#: By a worker that is new, or once more by the one that held it before.
_HELD_BY = {
    "another worker": "renum.procrastinate_register_worker_v1()",
    "the same worker again": "(SELECT max(worker_id) AS worker_id FROM renum.procrastinate_jobs)",
}


class Held:
    """A worker that works on one job at a time, each for as long as the test wants."""

    def __init__(self, url: str, db: PostgresDatabase) -> None:
        self._url, self._db = url, db
        self.begun: asyncio.Queue[UUID] = asyncio.Queue()
        #: How each drive ends: None, or what it raises.
        self.ends: asyncio.Queue[Exception | None] = asyncio.Queue()

    def worker(self) -> QueueWorker:
        async def work(execution_id: UUID, *_: object) -> None:
            await self.begun.put(execution_id)
            if error := await self.ends.get():
                raise error

        return QueueWorker(self._url, drive=work, stop_runs=work, deliver=_never, concurrency=1)

    async def submit(self) -> Execution:
        execution = an_execution(a_team(an_agent("a")), now=datetime.now(UTC))
        async with self._db.transaction() as tx:
            await tx.executions.add(execution)
            await tx.jobs.drive(execution.id)
        return execution

    async def stop_runs(self, execution: Execution) -> None:
        async with self._db.transaction() as tx:
            await tx.jobs.stop_runs(execution.id)

    async def cancel(self, execution: Execution) -> None:
        await self.set_status(execution, "cancelled")
        async with self._db.transaction() as tx:
            await tx.jobs.abort(execution.id)

    async def set_status(self, execution: Execution, status: str) -> None:
        """As somebody else does."""
        await self.ask(
            f"UPDATE renum.executions SET status = '{status}' WHERE id = '{execution.id}'"
        )

    async def begins(self) -> UUID:
        async with asyncio.timeout(10):
            return await self.begun.get()

    async def ask(self, query: str) -> list[tuple[object, ...]]:
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
            cursor = await connection.execute(query.encode())
            return await cursor.fetchall() if cursor.description else []

    async def jobs(self) -> list[tuple[object, ...]]:
        """Of executions: their state, tries and worker."""
        return await self.ask(
            """
            SELECT status::text, attempts, worker_id FROM renum.procrastinate_jobs
             WHERE queueing_lock <> task_name ORDER BY id
            """
        )

    @asynccontextmanager
    async def locked_jobs(self) -> AsyncIterator[None]:
        async with await psycopg.AsyncConnection.connect(self._url) as connection:
            await connection.execute("SELECT FROM renum.procrastinate_jobs FOR UPDATE")
            yield

    async def until_no_job_is_left(self) -> None:
        async with asyncio.timeout(10):
            while await self.jobs():
                await asyncio.sleep(0.02)


@pytest.fixture
async def held(new_database: Callable[[], str]) -> AsyncIterator[Held]:
    url = new_database()
    async with create_pool(url, size=2) as pool:
        yield Held(url, PostgresDatabase(pool))


@pytest.mark.parametrize("holder", _HELD_BY)
@pytest.mark.parametrize("end", [None, RuntimeError("a defect")])
async def test_who_has_lost_a_job_does_not_end_it(
    held: Held, holder: str, end: Exception | None
) -> None:
    """Its worker stood still; meanwhile the job was taken over, and is being worked on."""
    async with background(held.worker().run(), name="worker"):
        execution = await held.submit()
        await held.begins()
        await held.ask(_TAKEN_OVER)
        await held.ask(
            f"""
            SELECT renum.procrastinate_fetch_job_v2(ARRAY['executions'], worker_id)
              FROM {_HELD_BY[holder]} AS holder
            """
        )
        taken = await held.jobs()
        assert [status for status, *_ in taken] == ["doing"]
        await held.set_status(execution, "failed")
        await held.ends.put(end)
        # One at a time: the next begins when the end of this one is stored.
        await held.submit()
        assert await held.begins() != execution.id
        assert taken[0] in await held.jobs()


async def test_who_has_lost_a_job_does_not_end_it_before_it_is_held_again(held: Held) -> None:
    """It was put back already, and waits for a worker."""
    async with background(held.worker().run(), name="worker"):
        execution = await held.submit()
        await held.begins()
        await held.ask(_TAKEN_OVER)
        await held.ends.put(None)
        assert await held.begins() == execution.id


async def test_an_execution_that_still_runs_keeps_its_job(held: Held) -> None:
    """Its holder was fenced by who had lost the job, but had not claimed the execution yet."""
    async with background(held.worker().run(), name="worker"):
        execution = await held.submit()
        await held.begins()
        await held.ends.put(None)
        assert await held.begins() == execution.id
        await held.set_status(execution, "completed")
        await held.ends.put(None)
        await held.until_no_job_is_left()


async def test_a_job_that_fails_while_the_same_waits_gives_way_to_it(held: Held) -> None:
    """Both would wait under one lock, of which there is one at most."""
    async with background(held.worker().run(), name="worker"):
        execution = an_execution(now=datetime.now(UTC))
        await held.stop_runs(execution)
        await held.begins()
        await held.stop_runs(execution)
        await held.ends.put(RuntimeError("Suna is away"))
        assert await held.begins() == execution.id
        assert [status for status, *_ in await held.jobs()] == ["doing"]


async def test_a_job_ends_although_its_connection_breaks_meanwhile(held: Held) -> None:
    """Its worker lives on, so nobody would ever take the job over."""
    async with background(held.worker().run(), name="worker"):
        execution = await held.submit()
        await held.begins()
        await held.set_status(execution, "completed")
        async with held.locked_jobs():
            await held.ends.put(None)
            async with asyncio.timeout(10):
                while not await held.ask(_CUT_WHO_WAITS):
                    await asyncio.sleep(0.02)
        await held.until_no_job_is_left()


async def test_a_job_that_fails_before_it_hears_of_its_abortion_is_gone(held: Held) -> None:
    await held.ask(
        """
        ALTER TABLE renum.procrastinate_jobs
        DISABLE TRIGGER procrastinate_jobs_notify_queue_job_aborted_v1
        """
    )
    async with background(held.worker().run(), name="worker"):
        execution = await held.submit()
        await held.begins()
        await held.cancel(execution)
        await held.ends.put(RuntimeError("a defect"))
        await held.until_no_job_is_left()


async def test_a_job_that_was_to_be_aborted_dies_with_its_worker(held: Held) -> None:
    execution = await held.submit()
    await held.ask("SELECT renum.procrastinate_fetch_job_v2(ARRAY['executions'], NULL)")
    await held.cancel(execution)
    async with background(held.worker().run(), name="rescuer"):
        await held.until_no_job_is_left()


async def _never(*_: object) -> None:
    raise AssertionError
