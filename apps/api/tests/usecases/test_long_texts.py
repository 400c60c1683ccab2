"""Answers too long for a row: kept whole, handed on whole, and out of every row's way."""

from uuid import uuid4

import pytest

from app.domain.agents import Answer, RunState, RunStatus
from app.domain.conditions import Condition, Operator
from app.domain.execution_errors import TextNotFound
from app.domain.reports import ExecutionReport
from app.domain.teams import WorkflowType
from app.domain.texts import HEAD_CHARS, MAX_INLINE_BYTES, TextField
from app.usecases.executions import open_text, retry_execution
from tests.builders import a_team, an_agent, unkeyed
from tests.fake_runtime import FakeRuntime
from tests.world import LIMITS, World, now

#: Ten MiB, of characters of two bytes.
LONG = "é" * (5 * 1024 * 1024)


async def read(world: World, report: ExecutionReport, user_id: object, key: str) -> bytes:
    pieces = await open_text(world.db, report.id, key, TextField.OUTPUT, user_id=user_id)
    return b"".join([piece async for piece in pieces])


async def long_answer(_agent: object, prompt: str) -> Answer:
    return Answer(LONG if len(prompt) < 1000 else f"{len(prompt)} characters")


async def test_a_long_answer_is_kept_whole_and_its_row_stays_small(world: World) -> None:
    world.runtime.behaviour = long_answer
    team = a_team(an_agent("a", 1), an_agent("b", 2), workflow=WorkflowType.PIPELINE)
    report = await world.run(team)

    first, second = report.results
    assert first.output == LONG[:HEAD_CHARS]
    assert first.output_bytes == 10 * 1024 * 1024
    assert first.output_truncated
    assert await read(world, report, team.user_id, "a") == LONG.encode()
    # The next agent got all of it, and its row holds only the beginning too.
    assert world.runtime.starts[1][1] == LONG
    assert second.output == f"{len(LONG)} characters"
    assert (second.input, second.input_truncated) == (LONG[:HEAD_CHARS], True)
    async with world.db.autocommit() as tx:
        events = await tx.events.after(team.user_id, 0, limit=100)
    assert sum(len(e.text) for e in events) < 100_000


async def test_conditions_see_all_of_a_long_answer(world: World) -> None:
    async def at_its_end(_agent: object, prompt: str) -> Answer:
        return Answer("x" * MAX_INLINE_BYTES + "needle")

    def about(text: str) -> Condition:
        return Condition(field="results.a.output", operator=Operator.CONTAINS, value=text)

    world.runtime.behaviour = at_its_end
    team = a_team(
        an_agent("a", 1),
        an_agent("b", 2, conditions=(about("needle"),)),
        an_agent("c", 3, conditions=(about("thread"),)),
    )
    report = await world.run(team)
    assert [r.status for r in report.results] == ["completed", "completed", "skipped"]


async def test_templates_see_all_of_a_long_answer(world: World) -> None:
    world.runtime.behaviour = long_answer
    template = "{{ results.a.output | length }}"
    report = await world.run(a_team(an_agent("a", 1), an_agent("b", 2, input_template=template)))
    assert report.results[1].input == str(len(LONG))


async def test_a_retry_takes_long_answers_with_it(world: World) -> None:
    async def then_fail(_agent: object, prompt: str) -> Answer | RunState:
        return Answer(LONG) if len(prompt) < 1000 else RunState(RunStatus.FAILED)

    world.runtime.behaviour = then_fail
    team = a_team(an_agent("a", 1), an_agent("b", 2), workflow=WorkflowType.PIPELINE)
    async with world.db.transaction() as tx:
        await tx.teams.add(team)
    failed = await world.run(team, retry_failed=False)
    world.runtime = FakeRuntime(long_answer)
    again = await retry_execution(
        world.db,
        uuid4,
        LIMITS,
        failed.id,
        user_id=team.user_id,
        now=now(),
        idempotent=unkeyed(),
    )
    await world.engine.drive(again.id)
    assert world.runtime.starts == [(team.agents[1].agent_id, LONG)]
    assert await read(world, again, team.user_id, "a") == LONG.encode()


async def test_a_text_that_is_not_there_is_said_to_be_missing(world: World) -> None:
    execution = await world.begin()
    for key in ("outline", "nobody"):
        with pytest.raises(TextNotFound):
            await open_text(
                world.db, execution.id, key, TextField.OUTPUT, user_id=execution.user_id
            )
