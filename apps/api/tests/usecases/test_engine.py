"""The engine on real rows, with agents in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from unittest.mock import ANY
from uuid import UUID, uuid4

import pytest

from app.domain.agents import (
    AgentNotFound,
    Answer,
    RunLost,
    RunRef,
    RunState,
    RunStatus,
    StartUnknown,
    SunaBusy,
    SunaRefused,
    SunaUnavailable,
)
from app.domain.progress import ExecutionStatus
from app.domain.results import RemoteStop
from app.domain.teams import OnFailure, Role, WorkflowType
from app.usecases.executions import cancel_execution
from app.usecases.ports import Database, Transaction
from app.usecases.remote_stop import stop_runs
from tests.builders import a_team, an_agent, keys
from tests.fake_runtime import FakeRuntime
from tests.world import LIMITS, World, now


async def forever(_agent: UUID, _prompt: str) -> Answer:
    await asyncio.Event().wait()
    raise AssertionError


@dataclass
class Meanwhile:
    """The database of a worker that stands still right after it has begun the first agent."""

    db: Database
    passes: timedelta
    happens: Callable[[], Awaitable[None]] | None = None
    moment: int = 2
    commits: int = 0

    def clock(self) -> datetime:
        return now() + (self.passes if self.commits >= self.moment else timedelta(0))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self.db.transaction() as tx:
            yield tx
        await self._committed()

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[Transaction]:
        async with self.db.autocommit() as tx:
            yield tx
        await self._committed()

    @asynccontextmanager
    async def group_commit(self) -> AsyncIterator[Transaction]:
        async with self.db.group_commit() as tx:
            yield tx
        await self._committed()

    async def _committed(self) -> None:
        self.commits += 1  # the first is the claim
        if self.commits == self.moment and self.happens:
            await self.happens()


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


async def test_what_an_agent_went_through_is_stored(world: World) -> None:
    world.runtime.start_errors = [SunaBusy("full")] * 3
    execution = await world.begin(a_team(an_agent("a")))
    await world.engine.drive(execution.id)
    async with world.db.autocommit() as tx:
        recorded = await tx.reports.recorded(execution.id, user_id=execution.user_id)
    [result] = recorded.results
    assert [(m.phase, m.attempt, m.code) for m in result.history] == [
        ("waiting", 1, "suna_busy"),
        ("running", 1, None),
    ]
    assert recorded.plan == execution.plan
    assert (result.input, result.output) == (None, None)


async def test_waiting_while_suna_is_away_uses_up_no_attempt_and_is_told_once(
    world: World,
) -> None:
    world.runtime.start_errors = [SunaUnavailable("Suna is away.") for _ in range(20)]
    report = await world.run(a_team(an_agent("a")), retry_failed=False)
    assert (report.status, report.results[0].attempts) == ("completed", 1)
    lines = [line.message for line in report.logs]
    assert lines.count("A waits: Suna is away.") == 1
    assert lines.count("A started") == 1


async def test_a_start_whose_answer_was_lost_is_found_again_not_repeated(world: World) -> None:
    world.runtime.lose_answers = [StartUnknown("lost")]
    report = await world.run(a_team(an_agent("a")))
    assert report.status is ExecutionStatus.COMPLETED
    assert len(world.runtime.starts) == 1


async def test_a_start_is_not_repeated_while_suna_is_away_and_nobody_can_look(
    world: World,
) -> None:
    world.runtime.lose_answers = [StartUnknown("lost")]
    world.runtime.find_errors = [SunaUnavailable("away") for _ in range(8)]
    report = await world.run(a_team(an_agent("a")), retry_failed=False)
    assert report.status is ExecutionStatus.COMPLETED
    assert len(world.runtime.starts) == 1


@pytest.mark.parametrize("error", [StartUnknown("cannot tell"), SunaRefused("key revoked")])
async def test_a_start_of_which_nobody_can_tell_is_never_repeated_and_is_to_be_stopped(
    world: World, error: Exception
) -> None:
    world.runtime.lose_answers = [StartUnknown("lost")]
    world.runtime.find_errors = [error]
    report = await world.run(a_team(an_agent("a")))
    (result,) = report.results
    assert (result.status, result.error_code) == ("failed", "suna_start_unknown")
    assert result.remote_stop is RemoteStop.PENDING
    assert len(world.runtime.starts) == 1


async def test_where_a_start_may_be_repeated_it_is_until_it_is_answered(world: World) -> None:
    world.runtime.is_idempotent = True
    world.runtime.lose_answers = [StartUnknown("lost")]
    report = await world.run(a_team(an_agent("a")), retry_failed=False)
    assert report.status is ExecutionStatus.COMPLETED
    assert len(world.runtime.starts) == 1

    world.runtime.start_errors = [StartUnknown("503"), StartUnknown("503"), SunaBusy("full")]
    report = await world.run(a_team(an_agent("a")), retry_failed=False)
    assert report.status is ExecutionStatus.COMPLETED
    assert len(world.runtime.starts) == 2


async def test_a_start_that_surely_failed_is_another_attempt(world: World) -> None:
    world.runtime.start_errors = [StartUnknown("Suna answered the start with 500.")]
    report = await world.run(a_team(an_agent("a")))
    assert (report.status, report.results[0].attempts) == ("completed", 2)
    assert any("Suna answered the start with 500." in line.message for line in report.logs)


async def test_a_run_that_suna_refuses_to_show_is_to_be_stopped(world: World) -> None:
    world.runtime.follow_errors = [SunaRefused("key revoked") for _ in range(5)]
    report = await world.run(a_team(an_agent("a")))
    (result,) = report.results
    assert (result.status, result.error_code) == ("failed", "suna_refused")
    assert result.remote_stop is RemoteStop.PENDING


@pytest.mark.parametrize("error", [SunaRefused("403"), RunLost("404")])
async def test_a_run_that_cannot_be_seen_for_a_moment_is_followed_on(
    world: World, error: Exception
) -> None:
    world.runtime.follow_errors = [error] * 4
    report = await world.run(a_team(an_agent("a")), retry_failed=False)
    assert report.status is ExecutionStatus.COMPLETED
    assert len(world.runtime.starts) == 1


async def test_a_later_attempt_does_not_take_the_run_of_an_earlier_one_for_its_own(
    world: World,
) -> None:
    world.runtime.behaviour = failing(1)
    world.runtime.cannot_tell_apart = True

    async def lose_the_second_answer() -> None:
        world.runtime.lose_answers = [StartUnknown("lost")]

    execution = await world.begin(a_team(an_agent("a")))
    meanwhile = Meanwhile(world.db, passes=timedelta(0), happens=lose_the_second_answer, moment=3)
    await world.engine_on(meanwhile).drive(execution.id)
    (result,) = (await world.report(execution)).results
    assert (result.status, result.attempts) == ("completed", 2)
    assert result.run == RunRef(ANY, "run-2")
    assert len(world.runtime.starts) == 2


async def test_steps_that_took_each_other_s_run_are_sorted_out_and_none_is_stopped(
    world: World,
) -> None:
    """The first one's answer is slow; the second one's is lost, and it takes the first run."""
    taken = asyncio.Event()

    class Slow(FakeRuntime):
        async def start(self, agent_id: UUID, prompt: str, *, key: UUID) -> RunRef:
            if self.starts:
                await super().start(agent_id, prompt, key=key)
                raise StartUnknown("lost")
            run = await super().start(agent_id, prompt, key=key)
            await taken.wait()
            return run

        async def follow(self, run: RunRef, on_text: object) -> RunState:
            taken.set()
            return await super().follow(run, on_text)

    world.runtime = Slow(cannot_tell_apart=True)
    one, other = an_agent("one"), an_agent("other")
    team = a_team(one, replace(other, agent_id=one.agent_id), workflow=WorkflowType.PARALLEL)
    async with asyncio.timeout(20):
        report = await world.run(team, retry_failed=False)
    assert report.status is ExecutionStatus.COMPLETED
    assert {r.run.run_id for r in report.results if r.run} == {"run-1", "run-2"}
    assert world.runtime.stopped == []


async def test_two_steps_that_were_asked_the_same_do_not_share_a_run(world: World) -> None:
    """Both starts went unanswered, and nothing but the prompt tells the two runs apart."""
    one, other = an_agent("one"), an_agent("other")
    team = a_team(one, replace(other, agent_id=one.agent_id), workflow=WorkflowType.PARALLEL)
    world.runtime.lose_answers = [StartUnknown("lost"), StartUnknown("lost")]
    world.runtime.cannot_tell_apart = True
    execution = await world.begin(team)
    await world.engine.drive(execution.id)
    report = await world.report(execution)
    assert [r.status for r in report.results] == ["completed", "completed"]
    runs = {r.run.run_id for r in report.results if r.run}
    assert runs == {"run-1", "run-2"}


async def test_an_agent_has_its_own_time(world: World) -> None:
    world.runtime.behaviour = forever
    team = a_team(an_agent("slow", 1, timeout_minutes=1), an_agent("b", 2))
    execution = await world.begin(team)
    meanwhile = Meanwhile(world.db, passes=timedelta(seconds=59.9))
    await replace(world.engine_on(meanwhile), clock=meanwhile.clock).drive(execution.id)
    report = await world.report(execution)
    slow, skipped = report.results
    assert (slow.status, slow.error_code) == ("failed", "agent_timeout")
    assert slow.error_message == "The agent did not end within 1 min."
    assert slow.remote_stop is RemoteStop.PENDING
    assert skipped.status == "skipped"
    await stop_runs(world.db, world.runtime_of, execution.id, now=now(), last=False)
    assert (await world.report(execution)).results[0].remote_stop is RemoteStop.CONFIRMED


async def test_no_agent_is_started_when_its_time_is_over(world: World) -> None:
    execution = await world.begin(a_team(an_agent("late", timeout_minutes=1)))
    meanwhile = Meanwhile(world.db, passes=timedelta(minutes=2))
    await replace(world.engine_on(meanwhile), clock=meanwhile.clock).drive(execution.id)
    (late,) = (await world.report(execution)).results
    assert (late.status, late.error_code) == ("failed", "agent_timeout")
    assert late.remote_stop is RemoteStop.NOT_NEEDED
    assert world.runtime.starts == []


async def test_no_attempt_is_waited_for_that_could_only_begin_when_the_time_is_over(
    world: World,
) -> None:
    world.runtime.start_errors = [StartUnknown("Suna answered 503.", wait_s=3600)]
    execution = await world.begin(a_team(an_agent("a", timeout_minutes=1)))
    engine = world.engine
    await replace(engine, pace=replace(engine.pace, backoff=1)).drive(execution.id)
    (result,) = (await world.report(execution)).results
    assert (result.status, result.error_code, result.attempts) == ("failed", "suna_start_failed", 1)


async def test_what_suna_asks_to_wait_is_waited(world: World) -> None:
    world.runtime.start_errors = [SunaBusy("full", wait_s=1800)]
    execution = await world.begin(a_team(an_agent("a")))
    driver = asyncio.create_task(world.engine.drive(execution.id))
    while not (wait := (await world.report(execution)).results[0]).due_at:
        await asyncio.sleep(0.01)
    driver.cancel()
    await asyncio.gather(driver, return_exceptions=True)
    assert wait.due_at > now() + timedelta(minutes=29)
    assert (wait.attempts, wait.error_code) == (1, "suna_busy")


async def test_a_worker_that_stood_still_for_long_asks_before_it_starts(world: World) -> None:
    execution = await world.begin(a_team(an_agent("a")))

    async def overtaken() -> None:
        await world.engine.drive(execution.id)

    meanwhile = Meanwhile(world.db, passes=timedelta(seconds=2.5), happens=overtaken)
    await replace(world.engine_on(meanwhile), clock=meanwhile.clock).drive(execution.id)
    assert (await world.report(execution)).status is ExecutionStatus.COMPLETED
    assert len(world.runtime.starts) == 1


async def test_what_is_started_beside_by_a_worker_that_stood_still_is_stopped(
    world: World,
) -> None:
    """It stood still at the only moment at which nothing can tell it: while it sent the start."""
    stalled, go_on = asyncio.Event(), asyncio.Event()

    class Stalled(FakeRuntime):
        async def start(self, agent_id: UUID, prompt: str, *, key: UUID) -> RunRef:
            stalled.set()
            await go_on.wait()
            return await super().start(agent_id, prompt, key=key)

    fake = world.runtime
    slow = Stalled(starts=fake.starts, stopped=fake.stopped, runs=fake.runs, keys=fake.keys)
    execution = await world.begin(a_team(an_agent("a")))
    zombie = asyncio.create_task(
        replace(world.engine, runtime_of=lambda _: slow).drive(execution.id)
    )
    await stalled.wait()
    await world.engine.drive(execution.id)
    go_on.set()
    await zombie
    report = await world.report(execution)
    assert report.status is ExecutionStatus.COMPLETED
    assert [r.run_id for r in world.runtime.stopped] == ["run-2"]
    assert report.results[0].run == RunRef(ANY, "run-1")


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

    await stop_runs(world.db, world.runtime_of, execution.id, now=now(), last=False)
    report = await world.report(execution)
    assert report.results[0].remote_stop is RemoteStop.CONFIRMED
    assert len(world.runtime.stopped) == 1


async def test_the_deadline_is_a_stored_time(world: World) -> None:
    world.runtime.behaviour = forever
    execution = await world.begin()
    async with world.db.autocommit() as tx:
        await tx.executions._connection.execute(
            "UPDATE renum.executions SET deadline_at = now() + interval '1 s' WHERE id = %s",
            (execution.id,),
        )
    await world.engine.drive(execution.id)
    report = await world.report(execution)
    assert (report.status, report.error_code) == ("failed", "execution_timeout")
    assert [r.status for r in report.results] == ["failed", "skipped", "skipped"]
    assert report.results[0].remote_stop is RemoteStop.PENDING


async def test_an_execution_that_gets_nowhere_is_given_up(world: World) -> None:
    execution = await world.begin()
    async with world.db.autocommit() as tx:
        await tx.executions._connection.execute(
            "UPDATE renum.executions SET claims = 10 WHERE id = %s", (execution.id,)
        )
    await world.engine.drive(execution.id)
    report = await world.report(execution)
    assert (report.status, report.error_code) == ("failed", "engine_gave_up")


async def test_workers_that_come_and_go_over_a_long_time_are_no_reason_to_give_up(
    world: World,
) -> None:
    """An agent that takes a day outlives more than ten deploys."""
    execution = await world.begin(a_team(an_agent("a")))
    async with world.db.autocommit() as tx:
        await tx.executions._connection.execute(
            "UPDATE renum.executions SET claims = 10, claimed_at = now() - interval '6 minutes' "
            "WHERE id = %s",
            (execution.id,),
        )
    await world.engine.drive(execution.id)
    assert (await world.report(execution)).status is ExecutionStatus.COMPLETED


async def test_an_end_lets_the_next_execution_of_the_user_start(world: World) -> None:
    team = a_team(an_agent("a"))
    first = await world.begin(team)
    second = await world.begin(team, queued=True)
    assert (await world.report(second)).queue_position == 1
    await world.engine.drive(first.id)
    promoted = await world.report(second)
    assert (promoted.status, promoted.queue_position) == ("running", None)
    async with world.db.autocommit() as tx:
        depth = await tx.jobs.depth()
    assert depth.pending >= 1
