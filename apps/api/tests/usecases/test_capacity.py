"""No more agents at Suna than Renum may have there, over all processes; users take turns."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

import pytest

from app.common.tasks import background
from app.domain.agents import Answer, RunRef, RunState, RunStatus
from app.domain.execution import Execution
from app.domain.explain import WaitsFor
from app.domain.results import RemoteStop
from app.domain.teams import WorkflowType
from app.infra.db.database import PostgresDatabase, create_pool
from app.usecases.capacity import SunaCapacity
from app.usecases.executions import cancel_execution, explain_execution
from app.usecases.limits import SunaLimit
from tests.builders import a_team, an_agent
from tests.fake_runtime import FakeRuntime
from tests.world import LIMITS, Heard, World, now


@dataclass
class Counting(FakeRuntime):
    """Counts agents that work at once, and lets them end one by one."""

    at_once: int = 0
    most: int = 0
    order: list[str] = field(default_factory=list)
    permits: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(10_000))

    def __post_init__(self) -> None:
        self.behaviour = self._work

    async def _work(self, _agent: UUID, prompt: str) -> Answer:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.order.append(prompt)
        await self.permits.acquire()
        await asyncio.sleep(0.002)
        self.at_once -= 1
        return Answer("done")


@dataclass
class Stage:
    """A database of its own, and as many worker processes on it as are wanted."""

    db: PostgresDatabase
    runtime: Counting

    @asynccontextmanager
    async def process(self, runs: int, *, per_user: bool = False) -> AsyncIterator[World]:
        limit = SunaLimit(runs, per_user)
        capacity = SunaCapacity(self.db, LIMITS, limit, uuid4, poll_s=0.02)
        async with background(capacity.run(), name="capacity"):
            yield World(self.db, self.runtime, Heard(), capacity)


@pytest.fixture
async def stage(new_database: Callable[[], str]) -> AsyncIterator[Stage]:
    async with create_pool(new_database(), size=5) as pool:
        yield Stage(PostgresDatabase(pool), Counting())


def many(count: int = 4) -> object:
    return a_team(*(an_agent(f"k{i}") for i in range(count)), workflow=WorkflowType.PARALLEL)


async def in_line(world: World, execution: Execution) -> None:
    while not any(r.waiting_since for r in (await world.report(execution)).results):
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("runs", [1, 2, 3])
async def test_never_more_at_once_over_several_processes(stage: Stage, runs: int) -> None:
    async with AsyncExitStack() as stack:
        worlds = [await stack.enter_async_context(stage.process(runs)) for _ in range(3)]
        executions = [await w.begin(many(), parallel_limit=4) for w in worlds for _ in range(2)]
        async with asyncio.timeout(60):
            await asyncio.gather(
                *(worlds[i % 3].engine.drive(e.id) for i, e in enumerate(executions))
            )
        assert stage.runtime.most == runs
        assert len(stage.runtime.starts) == 4 * len(executions)
        for execution in executions:
            report = await worlds[0].report(execution)
            assert report.status == "completed"
            assert [r.attempts for r in report.results] == [1] * 4
            assert all(r.waiting_since is None for r in report.results)


async def test_who_waits_in_line_is_pending_and_explained(stage: Stage) -> None:
    stage.runtime.permits = asyncio.Semaphore(0)
    async with stage.process(1) as world:
        execution = await world.begin(many(2))
        driver = asyncio.create_task(world.engine.drive(execution.id))
        await in_line(world, execution)
        report = await world.report(execution)
        assert [r.status for r in report.results] == ["running", "pending"]
        told = await explain_execution(world.db, LIMITS, execution.id, user_id=execution.user_id)
        assert WaitsFor.SUNA_CAPACITY in [w.waits_for for w in told.waits]
        for _ in range(2):
            stage.runtime.permits.release()
        await driver
        lines = [line.message for line in (await world.report(execution)).logs]
        assert lines.count("K1 waits until Suna has room") == 1


async def test_users_take_turns(stage: Stage) -> None:
    """One user has twenty steps in line; another user's first comes after one of them."""
    stage.runtime.permits = asyncio.Semaphore(0)
    async with stage.process(1) as world:
        team = many(4)
        greedy = [await world.begin(team, prompt="greedy", parallel_limit=4) for _ in range(5)]
        drivers = [asyncio.create_task(world.engine.drive(e.id)) for e in greedy]
        for execution in greedy:
            await in_line(world, execution)
        modest = await world.begin(a_team(an_agent("a")), prompt="modest")
        drivers.append(asyncio.create_task(world.engine.drive(modest.id)))
        await in_line(world, modest)
        for _ in range(21):
            stage.runtime.permits.release()
        async with asyncio.timeout(30):
            await asyncio.gather(*drivers)
    assert stage.runtime.order.index("modest") == 1


async def test_with_an_account_each_users_do_not_wait_for_each_other(stage: Stage) -> None:
    stage.runtime.permits = asyncio.Semaphore(0)
    async with stage.process(1, per_user=True) as world:
        executions = [await world.begin(many(2)) for _ in range(3)]
        drivers = [asyncio.create_task(world.engine.drive(e.id)) for e in executions]
        for execution in executions:
            await in_line(world, execution)
        async with asyncio.timeout(10):
            while stage.runtime.at_once < 3:
                await asyncio.sleep(0.01)
        for _ in range(6):
            stage.runtime.permits.release()
        await asyncio.gather(*drivers)


async def test_a_run_that_is_still_to_be_stopped_takes_its_place(stage: Stage) -> None:
    stage.runtime.permits = asyncio.Semaphore(0)
    async with stage.process(1) as world:
        first, second = await world.begin(many(1)), await world.begin(many(1))
        drivers = [asyncio.create_task(world.engine.drive(first.id))]
        while not stage.runtime.starts:
            await asyncio.sleep(0.01)
        drivers.append(asyncio.create_task(world.engine.drive(second.id)))
        await in_line(world, second)
        await cancel_execution(world.db, uuid4, LIMITS, first.id, user_id=first.user_id, now=now())
        drivers[0].cancel()
        async with world.db.autocommit() as tx:
            assert await tx.capacity.next_in_line(SunaLimit(1, per_user=False)) == set()
            await tx.executions.set_remote_stop(first.id, "k0", RemoteStop.CONFIRMED)
        stage.runtime.permits.release()
        stage.runtime.permits.release()
        async with asyncio.timeout(20):
            await asyncio.gather(*drivers, return_exceptions=True)
        assert (await world.report(second)).status == "completed"


async def test_the_place_in_line_survives_the_worker(stage: Stage) -> None:
    stage.runtime.permits = asyncio.Semaphore(0)
    async with stage.process(1) as world:
        execution = await world.begin(many(3), parallel_limit=3)
        dying = asyncio.create_task(world.engine.drive(execution.id))
        await in_line(world, execution)
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
    for _ in range(3):
        stage.runtime.permits.release()
    async with stage.process(1) as world:
        await world.engine.drive(execution.id)
        report = await world.report(execution)
    assert report.status == "completed"
    assert [r.attempts for r in report.results] == [1, 1, 1]
    assert stage.runtime.most == 1


async def test_a_retry_that_is_due_does_not_block_the_step_that_waits_in_line(
    stage: Stage,
) -> None:
    """One parallel place, one at Suna: `b` fails, another execution goes to Suna, `a` waits in
    line, and then the second attempt of `b`, which comes first in the plan, is due."""
    runtime, failed = stage.runtime, False
    runtime.permits = asyncio.Semaphore(0)

    async def behave(agent: UUID, prompt: str) -> Answer | RunState:
        nonlocal failed
        answer = await runtime._work(agent, prompt)
        if prompt == "fails" and not failed:
            failed = True
            return RunState(RunStatus.FAILED)
        return answer

    runtime.behaviour = behave
    async with stage.process(1) as world:
        team = a_team(an_agent("b"), an_agent("a"), workflow=WorkflowType.PARALLEL)
        fails = await world.begin(team, prompt="fails", parallel_limit=1)
        drivers = [asyncio.create_task(world.engine.drive(fails.id))]
        while not runtime.starts:
            await asyncio.sleep(0.005)
        other = await world.begin(many(1), prompt="other")
        drivers.append(asyncio.create_task(world.engine.drive(other.id)))
        await in_line(world, other)
        runtime.permits.release()
        while runtime.order != ["fails", "other"]:
            await asyncio.sleep(0.005)
        await in_line(world, fails)
        for _ in range(3):
            runtime.permits.release()
        async with asyncio.timeout(20):
            await asyncio.gather(*drivers)
        for execution in (fails, other):
            assert (await world.report(execution)).status == "completed"
    assert runtime.most == 1


async def test_who_waits_for_a_worker_has_no_place_in_line(stage: Stage) -> None:
    stage.runtime.permits = asyncio.Semaphore(0)
    async with stage.process(1) as world:
        first, second = await world.begin(many(1)), await world.begin(many(1))
        drivers = [asyncio.create_task(world.engine.drive(first.id))]
        while not stage.runtime.starts:
            await asyncio.sleep(0.005)
        drivers.append(asyncio.create_task(world.engine.drive(second.id)))
        await in_line(world, second)
        drivers[1].cancel()  # its worker is gone; its job is in the queue again
        async with world.db.autocommit() as tx:
            await tx.jobs.drive(second.id)
        third = await world.begin(many(1))
        drivers.append(asyncio.create_task(world.engine.drive(third.id)))
        await in_line(world, third)
        for _ in range(2):
            stage.runtime.permits.release()
        async with asyncio.timeout(20):
            await asyncio.gather(drivers[0], drivers[2])
        assert (await world.report(third)).status == "completed"
    await asyncio.gather(*drivers, return_exceptions=True)


async def test_room_that_this_process_makes_is_seen_at_once(stage: Stage) -> None:
    capacity = SunaCapacity(stage.db, LIMITS, SunaLimit(1, per_user=False), uuid4, poll_s=3600)
    world = World(stage.db, stage.runtime, Heard(), capacity)
    async with background(capacity.run(), name="capacity"), asyncio.timeout(20):
        await world.engine.drive((await world.begin(many(4), parallel_limit=4)).id)
    assert len(stage.runtime.starts) == 4


async def test_a_retry_waits_in_line_too(stage: Stage) -> None:
    broken = True

    class Flaky(Counting):
        async def follow(self, run: RunRef, on_text: object) -> object:
            nonlocal broken
            state = await super().follow(run, on_text)
            if broken:
                broken = False
                return RunState(RunStatus.FAILED)
            return state

    stage = replace(stage, runtime=Flaky())
    async with stage.process(1) as world:
        execution = await world.begin(many(3), parallel_limit=3)
        async with asyncio.timeout(20):
            await world.engine.drive(execution.id)
        report = await world.report(execution)
    assert report.status == "completed"
    assert sum(r.attempts for r in report.results) == 4
    assert stage.runtime.most == 1
