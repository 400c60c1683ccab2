"""No execution stands still: what is found without a job, a slot or a stop is set in motion."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest

from app.domain.execution import Execution
from app.domain.reports import JobState, StuckKind
from app.infra.db.database import PostgresDatabase, create_pool
from app.infra.db.jobs import UPKEEP
from app.usecases.executions import cancel_execution
from app.usecases.invariant import engine_state, repair_stuck
from tests.builders import an_execution
from tests.fake_runtime import FakeRuntime
from tests.world import LIMITS, Heard, World, now


class Stage:
    """A database of its own: what is stuck elsewhere is not seen here."""

    def __init__(self, url: str, db: PostgresDatabase) -> None:
        self.url, self.db = url, db
        self.world = World(db, FakeRuntime(), Heard())

    async def begin(self, **asked: object) -> Execution:
        execution = an_execution(now=now(), **asked)
        async with self.db.transaction() as tx:
            await tx.executions.add(execution)
            if not asked.get("queued"):
                await tx.jobs.drive(execution.id)
        return execution

    async def lose_all_jobs(self) -> None:
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
            await connection.execute("DELETE FROM renum.procrastinate_jobs")

    async def age_all_jobs(self, *, by: str) -> None:
        await self._change("UPDATE renum.procrastinate_events SET at = at - %s::interval", by)

    async def schedule_all_jobs(self, *, later: str) -> None:
        await self._change(
            "UPDATE renum.procrastinate_jobs SET scheduled_at = now() + %s::interval", later
        )

    async def _change(self, sql: LiteralString, value: str) -> None:
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
            await connection.execute(sql, (value,))

    async def put_check_into_the_queue(self) -> None:
        """As the timer of any process does, every few seconds."""
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
            await connection.execute(
                """
                SELECT renum.procrastinate_defer_jobs_v1(ARRAY[
                    ROW(%s, %s, 0, NULL, %s, '{"timestamp": 0}'::jsonb, NULL)
                    ::renum.procrastinate_job_to_defer_v1
                ])
                """,
                (UPKEEP, "repair_stuck", "repair_stuck"),
            )

    async def stuck(self) -> list[tuple[UUID, StuckKind]]:
        async with self.db.autocommit() as tx:
            found = await tx.jobs.stuck(running_limit=LIMITS.running)
        return [(s.execution_id, s.kind) for s in found]

    async def repair(self) -> int:
        return await repair_stuck(self.db, LIMITS, now=now())


@pytest.fixture
async def stage(new_database: Callable[[], str]) -> AsyncIterator[Stage]:
    url = new_database()
    async with create_pool(url, size=5) as pool:
        yield Stage(url, PostgresDatabase(pool))


async def test_what_has_a_job_is_not_stuck(stage: Stage) -> None:
    await stage.begin()
    assert await stage.stuck() == []
    assert await stage.repair() == 0


async def test_a_lost_job_is_made_anew(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    execution = await stage.begin()
    await stage.lose_all_jobs()
    assert await stage.stuck() == [(execution.id, StuckKind.NO_JOB)]
    before = await engine_state(stage.db, LIMITS)
    assert before.stuck == {StuckKind.NO_JOB: 1}

    assert await stage.repair() == 1
    async with stage.db.autocommit() as tx:
        assert await tx.jobs.state(execution.id) is JobState.WAITING
    assert await stage.repair() == 0
    after = await engine_state(stage.db, LIMITS)
    assert (after.stuck, after.repairs) == ({}, 1)
    assert f"execution {execution.id} was stuck (no_job)" in caplog.text


async def test_two_repairers_make_one_job(stage: Stage) -> None:
    await stage.begin()
    await stage.lose_all_jobs()
    assert sorted(await asyncio.gather(*(stage.repair() for _ in range(4)))) == [0, 0, 0, 1]
    depth = await stage.db.queue_depth()
    assert depth.pending == 1


async def test_who_waits_for_nobody_is_started(stage: Stage) -> None:
    execution = await stage.begin(queued=True)
    assert await stage.stuck() == [(execution.id, StuckKind.NOT_PROMOTED)]
    assert await stage.repair() == 1
    report = await stage.world.report(execution)
    assert report.status == "running"
    assert await stage.stuck() == []


async def test_a_run_that_nobody_stops_is_stopped(stage: Stage) -> None:
    execution = await stage.begin()
    driving = asyncio.create_task(stage.world.engine.drive(execution.id))
    stage.world.runtime.behaviour = lambda *_: asyncio.Event().wait()
    async with asyncio.timeout(10):
        while not stage.world.runtime.starts:
            await asyncio.sleep(0.01)
    await cancel_execution(
        stage.db, uuid4, LIMITS, execution.id, user_id=execution.user_id, now=now()
    )
    driving.cancel()
    await asyncio.gather(driving, return_exceptions=True)
    await stage.lose_all_jobs()
    assert await stage.stuck() == [(execution.id, StuckKind.NO_STOP_JOB)]
    assert await stage.repair() == 1
    assert await stage.stuck() == []


async def test_what_has_ended_is_never_stuck(stage: Stage) -> None:
    execution = await stage.begin()
    await stage.world.engine.drive(execution.id)
    await stage.lose_all_jobs()
    assert await stage.stuck() == []


async def test_the_check_itself_is_no_work_that_waits(stage: Stage) -> None:
    await stage.begin()
    await stage.put_check_into_the_queue()
    depth = await stage.db.queue_depth()
    assert (depth.pending, depth.running) == (1, 0)


async def oldest_due(stage: Stage) -> float:
    async with stage.db.autocommit() as tx:
        return (await tx.jobs.backlogs())[0].oldest_due_s


async def test_the_queue_is_as_old_as_the_job_that_waits_longest(stage: Stage) -> None:
    assert await oldest_due(stage) == 0
    await stage.begin()
    await stage.age_all_jobs(by="90 seconds")
    await stage.begin()
    assert 90 <= await oldest_due(stage) < 150


async def test_a_job_for_later_is_not_waiting_yet(stage: Stage) -> None:
    await stage.begin()
    await stage.age_all_jobs(by="90 seconds")
    await stage.schedule_all_jobs(later="1 hour")
    assert (await stage.db.queue_depth()).pending == 1
    assert await oldest_due(stage) == 0
