"""The engine on real rows, with agents in memory."""

import asyncio
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from app.domain.agents import (
    AgentNotFound,
    Answer,
    RunState,
    RunStatus,
    StartUnknown,
    SunaBusy,
    SunaUnavailable,
)
from app.domain.progress import ExecutionStatus
from app.domain.results import RemoteStop
from app.domain.teams import OnFailure, Role, WorkflowType
from app.usecases.executions import cancel_execution
from app.usecases.remote_stop import stop_runs
from tests.builders import a_team, an_agent, keys
from tests.world import LIMITS, World, now


async def test_a_sequential_team_hands_every_result_on(world: World) -> None:
    report = await world.run(prompt="Sell X", context={"product": "X"})

    assert report.status is ExecutionStatus.COMPLETED
    assert [r.status for r in report.results] == ["completed"] * 3
    assert report.progress.percentage == 100
    first, second, third = (prompt for _, prompt in world.runtime.starts)
    assert first == "Sell X\n\n## Context\n- product: X"
    assert "## Result of Outline (outline)" in second
    assert "## Result of Draft (draft)" in third
    assert "## Task\nSell X" in third


async def test_a_parallel_team_keeps_to_its_limit_and_ends_with_the_coordinator(
    world: World,
) -> None:
    at_once = most = 0

    async def watched(_agent: UUID, _prompt: str) -> Answer:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        return Answer("done")

    world.runtime.behaviour = watched
    members = [an_agent(f"m{i}") for i in range(5)]
    joiner = an_agent("join", role=Role.COORDINATOR)
    team = a_team(joiner, *members, workflow=WorkflowType.PARALLEL)
    report = await world.run(team, parallel_limit=2)

    assert report.status is ExecutionStatus.COMPLETED
    assert most == 2
    assert keys(report.results)[-1] == "join"
    assert world.runtime.starts[-1][1].count("## Result of") == 5


async def test_a_pipeline_passes_the_output_itself(world: World) -> None:
    team = a_team(an_agent("a", 1), an_agent("b", 2), workflow=WorkflowType.PIPELINE)
    report = await world.run(team)
    assert world.runtime.starts[1][1] == report.results[0].output


async def test_an_agent_whose_conditions_fail_is_skipped_and_its_followers_run(
    world: World,
) -> None:
    condition = {"field": "results.a.output", "operator": "contains", "value": "never"}
    from app.domain.conditions import Condition

    skipped = an_agent("b", 2, conditions=(Condition(**condition),))
    team = a_team(an_agent("a", 1), skipped, an_agent("c", 3), workflow=WorkflowType.CONDITIONAL)
    report = await world.run(team)
    assert [r.status for r in report.results] == ["completed", "skipped", "completed"]
    assert report.status is ExecutionStatus.COMPLETED
    assert report.progress.skipped_agents == 1


def failing(times: int, then: str = "fine") -> Callable[[UUID, str], object]:
    left = times

    async def behave(_agent: UUID, _prompt: str) -> Answer | RunState:
        nonlocal left
        if left > 0:
            left -= 1
            return RunState(RunStatus.FAILED, "Traceback: secret")
        return Answer(then)

    return behave


async def test_a_failed_run_is_tried_again(world: World) -> None:
    world.runtime.behaviour = failing(2)
    report = await world.run(a_team(an_agent("a")))
    assert report.status is ExecutionStatus.COMPLETED
    assert report.results[0].attempts == 3
    assert "secret" not in str(report)


async def test_after_three_attempts_the_team_stops(world: World) -> None:
    world.runtime.behaviour = failing(99)
    report = await world.run()
    assert report.status is ExecutionStatus.FAILED
    assert [r.status for r in report.results] == ["failed", "skipped", "skipped"]
    assert report.results[0].attempts == 3
    assert report.error_code == "agent_failed"
    assert report.error_message == "Outline: The agent's run failed at Suna."


async def test_without_retries_one_attempt_is_made(world: World) -> None:
    world.runtime.behaviour = failing(1)
    report = await world.run(a_team(an_agent("a")), retry_failed=False)
    assert (report.status, report.results[0].attempts) == ("failed", 1)


@pytest.mark.parametrize(
    ("on_failure", "status"), [(OnFailure.CONTINUE, "failed"), (OnFailure.IGNORE, "completed")]
)
async def test_a_failure_may_let_the_others_go_on(
    world: World, on_failure: OnFailure, status: str
) -> None:
    world.runtime.behaviour = failing(1)
    team = a_team(an_agent("a", 1, on_failure=on_failure), an_agent("b", 2))
    report = await world.run(team, retry_failed=False)
    assert report.status == status
    assert [r.status for r in report.results] == ["failed", "completed"]


async def test_an_answer_without_text_is_a_failure(world: World) -> None:
    async def silent(_agent: UUID, _prompt: str) -> Answer:
        return Answer("  ")

    world.runtime.behaviour = silent
    report = await world.run(a_team(an_agent("a")), retry_failed=False)
    assert report.results[0].error_code == "agent_no_output"


async def test_a_run_stopped_by_others_is_a_failure_without_another_attempt(world: World) -> None:
    async def stopped(_agent: UUID, _prompt: str) -> RunState:
        return RunState(RunStatus.STOPPED)

    world.runtime.behaviour = stopped
    report = await world.run(a_team(an_agent("a")))
    assert (report.results[0].error_code, report.results[0].attempts) == ("agent_stopped", 1)


async def test_an_unknown_agent_is_not_tried_again(world: World) -> None:
    world.runtime.start_errors = [AgentNotFound(uuid4())]
    report = await world.run(a_team(an_agent("a")))
    assert (report.results[0].error_code, report.results[0].attempts) == ("agent_not_found", 1)


async def test_waiting_for_a_free_run_uses_up_no_attempt(world: World) -> None:
    world.runtime.start_errors = [SunaBusy("full")] * 5
    report = await world.run(a_team(an_agent("a")))
    assert (report.status, report.results[0].attempts) == ("completed", 1)


async def test_suna_away_at_the_start_is_tried_again(world: World) -> None:
    world.runtime.start_errors = [SunaUnavailable("away")]
    report = await world.run(a_team(an_agent("a")))
    assert (report.status, report.results[0].attempts) == ("completed", 2)


async def test_a_start_whose_answer_was_lost_is_found_again_not_repeated(world: World) -> None:
    world.runtime.lose_answers = [StartUnknown("lost")]
    report = await world.run(a_team(an_agent("a")))
    assert report.status is ExecutionStatus.COMPLETED
    assert len(world.runtime.starts) == 1


async def test_a_question_to_a_person_is_shown(world: World) -> None:
    async def asks(_agent: UUID, _prompt: str) -> Answer:
        return Answer("Which product?", needs_input=True)

    world.runtime.behaviour = asks
    report = await world.run(a_team(an_agent("a")))
    assert report.results[0].needs_input
    assert report.results[0].status == "completed"


async def test_live_text_comes_with_its_offset(world: World) -> None:
    await world.run(a_team(an_agent("a")))
    ((key, offset, text),) = world.heard.chunks
    assert (key, offset) == ("a", 0)
    assert text.startswith("answer to")


async def test_who_takes_over_follows_what_runs_and_repeats_nothing(world: World) -> None:
    """The first worker dies while the second agent runs."""
    gate = asyncio.Event()

    async def behave(_agent: UUID, prompt: str) -> Answer:
        if "## Result of Outline" in prompt:
            await gate.wait()
        return Answer("done")

    world.runtime.behaviour = behave
    execution = await world.begin()
    dying = asyncio.create_task(world.engine.drive(execution.id))
    while len(world.runtime.starts) < 2:
        await asyncio.sleep(0.01)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)

    rescue = asyncio.create_task(world.engine.drive(execution.id))
    gate.set()
    await rescue
    report = await world.report(execution)
    assert report.status is ExecutionStatus.COMPLETED
    assert len(world.runtime.starts) == 3
    assert [r.attempts for r in report.results] == [1, 1, 1]


async def test_a_worker_that_was_overtaken_writes_nothing(world: World) -> None:
    gate = asyncio.Event()

    async def behave(_agent: UUID, _prompt: str) -> Answer:
        await gate.wait()
        return Answer("done")

    world.runtime.behaviour = behave
    execution = await world.begin(a_team(an_agent("a")))
    zombie = asyncio.create_task(world.engine.drive(execution.id))
    while not world.runtime.starts:
        await asyncio.sleep(0.01)
    rescuer = asyncio.create_task(world.engine.drive(execution.id))
    await asyncio.sleep(0.05)
    gate.set()
    await asyncio.gather(zombie, rescuer)
    report = await world.report(execution)
    assert report.status is ExecutionStatus.COMPLETED
    assert len(world.runtime.starts) == 1
    ends = [line for line in report.logs if line.message.startswith("Execution completed")]
    assert len(ends) == 1


async def test_cancel_stops_the_driver_and_the_remote_run(world: World) -> None:
    async def forever(_agent: UUID, _prompt: str) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    world.runtime.behaviour = forever
    execution = await world.begin()
    driver = asyncio.create_task(world.engine.drive(execution.id))
    while not world.runtime.keys:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    for _ in range(2):  # cancelling twice is fine
        cancelled = await cancel_execution(
            world.db, uuid4, LIMITS, execution.id, user_id=execution.user_id, now=now()
        )
        assert cancelled.status is ExecutionStatus.CANCELLED
    driver.cancel()
    await asyncio.gather(driver, return_exceptions=True)
    report = await world.report(execution)
    assert [r.status for r in report.results] == ["cancelled"] * 3
    assert report.results[0].remote_stop is RemoteStop.PENDING

    await stop_runs(world.db, world.runtime, execution.id, last=False)
    report = await world.report(execution)
    assert report.results[0].remote_stop is RemoteStop.CONFIRMED
    assert len(world.runtime.stopped) == 1


async def test_the_deadline_is_a_stored_time(world: World) -> None:
    async def forever(_agent: UUID, _prompt: str) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    world.runtime.behaviour = forever
    execution = await world.begin()
    async with world.db.reading() as tx:
        await tx.executions._connection.execute(
            "UPDATE renum.executions SET deadline_at = now() + interval '50 ms' WHERE id = %s",
            (execution.id,),
        )
    await world.engine.drive(execution.id)
    report = await world.report(execution)
    assert (report.status, report.error_code) == ("failed", "execution_timeout")
    assert [r.status for r in report.results] == ["failed", "skipped", "skipped"]
    assert report.results[0].remote_stop is RemoteStop.PENDING


async def test_an_execution_that_gets_nowhere_is_given_up(world: World) -> None:
    execution = await world.begin()
    async with world.db.reading() as tx:
        await tx.executions._connection.execute(
            "UPDATE renum.executions SET claims = 10 WHERE id = %s", (execution.id,)
        )
    await world.engine.drive(execution.id)
    report = await world.report(execution)
    assert (report.status, report.error_code) == ("failed", "engine_gave_up")


async def test_an_end_lets_the_next_execution_of_the_user_start(world: World) -> None:
    team = a_team(an_agent("a"))
    first = await world.begin(team)
    second = await world.begin(team, queued=True)
    assert (await world.report(second)).queue_position == 1
    await world.engine.drive(first.id)
    promoted = await world.report(second)
    assert (promoted.status, promoted.queue_position) == ("running", None)
    async with world.db.reading() as tx:
        depth = await tx.jobs.depth()
    assert depth.pending >= 1
