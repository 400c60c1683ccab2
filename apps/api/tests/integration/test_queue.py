"""The queue's worker on a real PostgreSQL: nothing waits, nothing is lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from random import Random
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from app.common.tasks import background
from app.domain.agents import Answer
from app.domain.errors import DatabaseUnavailable
from app.domain.execution import Execution
from app.infra.db.database import PostgresDatabase, create_pool
from app.infra.queue.worker import QueueWorker
from app.infra.templates.jinja import JinjaTemplates
from app.usecases.agent_runs import Pace
from app.usecases.engine import Engine
from app.usecases.executions import cancel_execution
from app.usecases.limits import Limits
from app.usecases.remote_stop import stop_runs
from tests.builders import a_team, an_agent, an_execution
from tests.fake_runtime import FakeRuntime

LIMITS = Limits(running=5, queued=100)


class Silent:
    def publish(self, user_id: UUID, **_: object) -> None:
        pass


class Stack:
    """A database of its own, and workers on it."""

    def __init__(self, url: str, db: PostgresDatabase) -> None:
        self.url, self.db = url, db
        self.runtime = FakeRuntime()

    def runtime_of(self, _user_id: UUID) -> FakeRuntime:
        return self.runtime

    def worker(self) -> QueueWorker:
        engine = Engine(
            db=self.db,
            runtime_of=self.runtime_of,
            templates=JinjaTemplates(),
            output=Silent(),
            limits=LIMITS,
            clock=lambda: datetime.now(UTC),
            new_id=uuid4,
            rng=Random(1),
            pace=Pace(look_again=(0,), output=0, backoff=0),
        )

        async def stop(execution_id: UUID, last: bool) -> None:
            await stop_runs(
                self.db, self.runtime_of, execution_id, now=datetime.now(UTC), last=last
            )

        return QueueWorker(
            self.url, drive=engine.drive, stop_runs=stop, deliver=_never, concurrency=50
        )

    async def submit(self, *, limit: int = 3) -> Execution:
        team = a_team(an_agent("a", 1), an_agent("b", 2))
        execution = an_execution(team, now=datetime.now(UTC), parallel_limit=limit)
        async with self.db.transaction() as tx:
            await tx.executions.add(execution)
            await tx.jobs.drive(execution.id)
        return execution

    async def status(self, execution: Execution) -> str:
        async with self.db.autocommit() as tx:
            report = await tx.reports.report(execution.id, user_id=execution.user_id)
        return report.status

    async def until(self, execution: Execution, status: str) -> None:
        async with asyncio.timeout(20):
            while await self.status(execution) != status:
                await asyncio.sleep(0.02)

    async def jobs(self) -> int:
        async with self.db.autocommit() as tx:
            depth = await tx.jobs.depth()
        return depth.pending + depth.running


@pytest.fixture
async def stack(new_database: Callable[[], str]) -> AsyncIterator[Stack]:
    url = new_database()
    async with create_pool(url, size=5) as pool:
        yield Stack(url, PostgresDatabase(pool))


async def test_a_job_is_picked_up_and_gone_when_done(stack: Stack) -> None:
    async with background(stack.worker().run(), name="worker"):
        execution = await stack.submit()
        await stack.until(execution, "completed")
        async with asyncio.timeout(5):
            while await stack.jobs():
                await asyncio.sleep(0.02)


async def test_a_cancelled_execution_is_let_go_and_its_run_stopped(stack: Stack) -> None:
    async def forever(_agent: UUID, _prompt: str) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    stack.runtime.behaviour = forever
    async with background(stack.worker().run(), name="worker"):
        execution = await stack.submit()
        async with asyncio.timeout(5):
            while not stack.runtime.keys:
                await asyncio.sleep(0.02)
        await cancel_execution(
            stack.db,
            uuid4,
            LIMITS,
            execution.id,
            user_id=execution.user_id,
            now=datetime.now(UTC),
        )
        async with asyncio.timeout(10):
            while await stack.jobs() or not stack.runtime.stopped:
                await asyncio.sleep(0.02)
    assert await stack.status(execution) == "cancelled"


async def test_a_stopping_worker_hands_its_executions_over(stack: Stack) -> None:
    gate = asyncio.Event()

    async def gated(_agent: UUID, _prompt: str) -> Answer:
        await gate.wait()
        return Answer("done")

    stack.runtime.behaviour = gated
    async with background(stack.worker().run(), name="first"):
        execution = await stack.submit()
        async with asyncio.timeout(5):
            while not stack.runtime.keys:
                await asyncio.sleep(0.02)
    assert await stack.jobs() == 1
    gate.set()
    async with background(stack.worker().run(), name="second"):
        await stack.until(execution, "completed")
    assert len(stack.runtime.starts) == 2


async def _die_with_a_job(connection: psycopg.AsyncConnection) -> int:
    """A worker that died leaves a job in doing, and a heart that stands still; its id."""
    await connection.execute("SET search_path TO renum")
    cursor = await connection.execute(
        """
        INSERT INTO procrastinate_workers (last_heartbeat)
        VALUES (now() - interval '1 minute') RETURNING id
        """
    )
    ((worker_id,),) = await cursor.fetchall()
    await connection.execute("SELECT procrastinate_fetch_job_v2(NULL, %s)", (worker_id,))
    return int(worker_id)


async def test_the_executions_of_a_dead_worker_are_taken_over(stack: Stack) -> None:
    execution = await stack.submit()
    async with await psycopg.AsyncConnection.connect(stack.url, autocommit=True) as connection:
        await _die_with_a_job(connection)
    async with background(stack.worker().run(), name="rescuer"):
        await stack.until(execution, "completed")


async def test_of_jobs_for_the_same_thing_one_is_taken_over(stack: Stack) -> None:
    """What was repeated while the first time still went on, and what waits once more already."""
    async with await psycopg.AsyncConnection.connect(stack.url, autocommit=True) as connection:
        execution = await stack.submit()
        worker_id = await _die_with_a_job(connection)
        async with stack.db.transaction() as tx:
            await tx.jobs.drive(execution.id)
        await connection.execute(
            """
            INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, status, worker_id)
            SELECT 'of nobody here', 'again', 'again', 'doing', %s FROM generate_series(1, 2)
            """,
            (worker_id,),
        )
        async with background(stack.worker().run(), name="rescuer"):
            await stack.until(execution, "completed")
        cursor = await connection.execute(
            "SELECT status::text FROM procrastinate_jobs WHERE task_name = 'again'"
        )
        assert await cursor.fetchall() == [("todo",)]


async def test_a_drive_that_breaks_is_tried_again(stack: Stack) -> None:
    broken = True

    async def drive(execution_id: UUID) -> None:
        nonlocal broken
        if broken:
            broken = False
            raise RuntimeError("a defect")
        await done.put(execution_id)

    done: asyncio.Queue[UUID] = asyncio.Queue()
    worker = QueueWorker(stack.url, drive=drive, stop_runs=_never, deliver=_never, concurrency=5)
    async with background(worker.run(), name="worker"):
        execution = await stack.submit()
        async with asyncio.timeout(10):
            assert await done.get() == execution.id


async def _never(*_: object) -> None:
    raise AssertionError


async def test_an_outage_of_the_database_ends_neither_worker_nor_execution(stack: Stack) -> None:
    """Every connection is cut while an agent runs."""
    gate = asyncio.Event()

    async def gated(_agent: UUID, _prompt: str) -> Answer:
        await gate.wait()
        return Answer("done")

    stack.runtime.behaviour = gated
    async with background(stack.worker().run(), name="worker"):
        execution = await stack.submit()
        async with asyncio.timeout(5):
            while not stack.runtime.keys:
                await asyncio.sleep(0.02)
        with contextlib.suppress(psycopg.OperationalError):
            async with await psycopg.AsyncConnection.connect(stack.url, autocommit=True) as cutter:
                await cutter.execute(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()
                    """
                )
        gate.set()
        async with asyncio.timeout(30):
            while await status_or_none(stack, execution) != "completed":
                await asyncio.sleep(0.05)
    assert len(stack.runtime.starts) == 2


@pytest.mark.slow
async def test_a_worker_that_is_there_before_its_database_begins_when_it_comes(
    stack: Stack, new_database: Callable[[], str]
) -> None:
    """For longer than the 30 seconds that the queue's pool waits for its first connection."""
    url = new_database()
    name = sql.Identifier(str(psycopg.conninfo.conninfo_to_dict(url)["dbname"]))
    close, open_again = (
        sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(name, sql.SQL(allow))
        for allow in ("false", "true")
    )
    async with (
        await psycopg.AsyncConnection.connect(stack.url, autocommit=True) as admin,
        create_pool(url, size=2) as pool,
    ):
        late = Stack(url, PostgresDatabase(pool))
        execution = await late.submit()
        await admin.execute(close)
        async with background(late.worker().run(), name="worker"):
            await asyncio.sleep(32)
            await admin.execute(open_again)
            await late.until(execution, "completed")


async def status_or_none(stack: Stack, execution: Execution) -> str | None:
    """None while the database is away."""
    try:
        return await stack.status(execution)
    except DatabaseUnavailable:
        return None
