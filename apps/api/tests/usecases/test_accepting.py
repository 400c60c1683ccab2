"""What is answered when an execution is accepted: from memory, and as it is read afterwards."""

from dataclasses import replace

from uuid_utils.compat import uuid7

from app.domain.agents import Answer, RunState, RunStatus
from app.domain.execution import ExecutionConfig
from app.domain.reports import ExecutionReport
from app.domain.teams import Team
from app.infra.templates.jinja import JinjaTemplates
from app.usecases.executions import execute_team, get_execution, retry_execution
from app.usecases.limits import Limits
from tests.builders import a_team, unkeyed
from tests.world import LIMITS, World, now


async def a_stored_team(world: World) -> Team:
    team = a_team()
    async with world.db.transaction() as tx:
        await tx.teams.add(team)
    return team


async def accepted(world: World, team: Team, limits: Limits = LIMITS) -> ExecutionReport:
    return await execute_team(
        world.db,
        JinjaTemplates().examine,
        uuid7,
        limits,
        team.id,
        user_id=team.user_id,
        prompt="Sell product X",
        context={"product": "X", "prices": [1, 2.5, None]},
        config=ExecutionConfig(parallel_limit=2),
        now=now(),
        idempotent=unkeyed(),
    )


async def read(world: World, team: Team, report: ExecutionReport) -> ExecutionReport:
    return await get_execution(world.db, report.id, user_id=team.user_id)


async def test_what_begins_at_once_is_answered_as_it_is_read(world: World) -> None:
    team = await a_stored_team(world)
    report = await accepted(world, team)
    assert (report.status, report.queue_position) == ("running", None)
    assert report == await read(world, team, report)


async def test_what_waits_is_answered_as_it_is_read(world: World) -> None:
    team, one = await a_stored_team(world), replace(LIMITS, running=1)
    await accepted(world, team, one)
    await accepted(world, team, one)
    report = await accepted(world, team, one)
    assert (report.status, report.queue_position) == ("pending", 2)
    assert report == await read(world, team, report)


async def test_what_takes_over_results_is_answered_as_it_is_read(world: World) -> None:
    async def then_fail(_agent: object, prompt: str) -> Answer | RunState:
        if "Result of" in prompt:
            return RunState(RunStatus.FAILED, "broken")
        return Answer("A slogan")

    team = await a_stored_team(world)
    world.runtime.behaviour = then_fail
    failed = await accepted(world, team)
    await world.engine.drive(failed.id)
    report = await retry_execution(
        world.db,
        uuid7,
        LIMITS,
        failed.id,
        user_id=team.user_id,
        now=now(),
        idempotent=unkeyed(),
    )
    assert [r.reused for r in report.results] == [True, False, False]
    assert report == await read(world, team, report)
