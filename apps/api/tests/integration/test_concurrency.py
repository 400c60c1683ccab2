"""Two at once: a cancel and an end, two workers, a change of a team that runs, one user's many."""

import asyncio
from collections import Counter
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from uuid_utils.compat import uuid7

from app.common.tasks import background
from app.domain.agents import Answer
from app.domain.execution import Execution, ExecutionConfig
from app.domain.execution_errors import ExecutionFinished
from app.domain.teams import Team, TeamHasRunningExecutions
from app.infra.db.database import PostgresDatabase, create_pool
from app.infra.queue.worker import QueueWorker
from app.infra.templates.jinja import JinjaTemplates
from app.usecases.executions import cancel_execution, execute_team
from app.usecases.limits import Limits
from app.usecases.teams import TeamChanges, delete_team, update_team
from tests.builders import a_team, an_agent, unkeyed
from tests.fake_runtime import FakeRuntime
from tests.folding import assert_tells
from tests.world import LIMITS, Heard, World, now


async def saved(db: PostgresDatabase, team: Team) -> Team:
    async with db.transaction() as tx:
        await tx.teams.add(team)
    return team


async def ended(world: World, execution: Execution) -> None:
    """Whatever won, the events tell one story, and every agent was started as often as it says."""
    report = await world.report(execution)
    async with world.db.autocommit() as tx:
        events = await tx.events.after(execution.user_id, 0, limit=1000)
    assert_tells(events, report)


@pytest.mark.parametrize("pause", [0, 1, 2, 4, 8, 16])
async def test_a_cancel_meets_the_end(world: World, pause: int) -> None:
    """At whatever moment it comes: cancelled or completed, never both, never half."""
    execution = await world.begin(a_team(an_agent("a", 1), an_agent("b", 2)))
    driving = asyncio.create_task(world.engine.drive(execution.id))
    for _ in range(pause * 5):
        await asyncio.sleep(0.001)
    try:
        await cancel_execution(
            world.db, uuid4, LIMITS, execution.id, user_id=execution.user_id, now=now()
        )
        expected = "cancelled"
    except ExecutionFinished:
        expected = "completed"
    await driving
    report = await world.report(execution)
    assert report.status == expected
    assert all(r.status.is_final for r in report.results)
    await ended(world, execution)


async def test_two_engines_on_one_execution_start_every_agent_once(world: World) -> None:
    execution = await world.begin()
    await asyncio.gather(*(world.engine.drive(execution.id) for _ in range(3)))
    report = await world.report(execution)
    assert report.status == "completed"
    assert Counter(a for a, _ in world.runtime.starts) == {r.agent_id: 1 for r in report.results}
    await ended(world, execution)


async def test_a_team_that_runs_is_changed_but_not_deleted(world: World) -> None:
    go_on = asyncio.Event()

    async def patient(_agent: UUID, _prompt: str) -> Answer:
        await go_on.wait()
        return Answer("done")

    world.runtime.behaviour = patient
    team = await saved(world.db, a_team(an_agent("a", 1), an_agent("b", 2)))
    execution = await world.begin(team)
    driving = asyncio.create_task(world.engine.drive(execution.id))
    with pytest.raises(TeamHasRunningExecutions):
        await delete_team(world.db, team.id, user_id=team.user_id, if_match=None)
    changed = await update_team(
        world.db,
        _NoDirectory(),
        JinjaTemplates().examine,
        uuid4,
        team.id,
        user_id=team.user_id,
        changes=TeamChanges(name="Another name"),
        if_match=None,
        now=now(),
    )
    assert changed.version == 2
    go_on.set()
    await driving
    report = await world.report(execution)
    assert (report.status, report.team_name) == ("completed", team.name)
    await delete_team(world.db, team.id, user_id=team.user_id, if_match=None)
    assert (await world.report(execution)).status == "completed"


async def test_never_more_run_than_may(world: World) -> None:
    limits = Limits(running=2, queued=100)
    team = await saved(world.db, a_team(an_agent("a", 1)))

    async def execute() -> UUID:
        report = await execute_team(
            world.db,
            JinjaTemplates().examine,
            uuid4,
            limits,
            team.id,
            user_id=team.user_id,
            prompt="x",
            context={},
            config=ExecutionConfig(),
            now=now(),
            idempotent=unkeyed(),
        )
        return report.id

    await asyncio.gather(*(execute() for _ in range(12)))
    async with world.db.autocommit() as tx:
        assert await tx.executions.unfinished(team.user_id) == (2, 10)


class _NoDirectory:
    """A change that names no agents asks Suna nothing."""


async def test_everybodys_first_execution_comes_before_anybodys_second(
    new_database: Callable[[], str],
) -> None:
    """One slot, one user with a hundred: another user's first waits for one slot at most."""
    url = new_database()
    async with create_pool(url, size=5) as pool:
        db = PostgresDatabase(pool)
        world = World(db, FakeRuntime(), Heard())
        order: list[UUID] = []
        first_runs, go_on = asyncio.Event(), asyncio.Event()

        async def drive(execution_id: UUID) -> None:
            order.append(execution_id)
            first_runs.set()
            await go_on.wait()
            await world.engine.drive(execution_id)

        async def execute(team: Team) -> UUID:
            report = await execute_team(
                db, JinjaTemplates().examine, uuid7, LIMITS, team.id, user_id=team.user_id,
                prompt="x", context={}, config=ExecutionConfig(), now=now(), idempotent=unkeyed(),
            )  # fmt: skip
            return report.id

        busy = await saved(db, a_team(an_agent("a", 1)))
        other = await saved(db, a_team(an_agent("a", 1)))
        worker = QueueWorker(url, drive=drive, stop_runs=_never, deliver=_never, concurrency=1)
        async with background(worker.run(), name="worker"):
            many = [await execute(busy) for _ in range(100)]
            await first_runs.wait()
            one = await execute(other)
            go_on.set()
            async with asyncio.timeout(60):
                while len(order) < 20:
                    await asyncio.sleep(0.01)
        assert order.index(one) == 1
        order.remove(one)
        assert order == many[: len(order)]


async def _never(*_: object) -> None:
    raise AssertionError
