"""What an execution waits for, in one sentence: a table of situations."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from app.domain.agents import Answer, RunRef
from app.domain.execution import Execution
from app.domain.explain import Explanation, WaitsFor, explain
from app.domain.reports import ExecutionReport, JobState
from app.domain.results import RemoteStop
from app.domain.retry import Failure
from tests.builders import NOON, a_team, advance, an_agent, an_execution

LATER = NOON + timedelta(minutes=1)
DUE = LATER + timedelta(seconds=8)
AWAY = Failure(code="suna_unavailable", message="Suna answered 503.", retryable=True)
BUSY = Failure(code="suna_busy", message="Suna is full.", retryable=True)


def report_of(execution: Execution, queue_position: int | None = None) -> ExecutionReport:
    return ExecutionReport(
        id=execution.id,
        team_id=execution.team_id,
        team_name=execution.team_name,
        team_version=1,
        status=execution.status,
        progress=execution.progress,
        created_at=execution.created_at,
        started_at=execution.started_at,
        completed_at=execution.completed_at,
        cancelled_at=execution.cancelled_at,
        deadline_at=execution.deadline_at,
        estimated_completion=execution.estimated_completion,
        error_code=execution.error_code,
        error_message=execution.error_message,
        queue_position=queue_position,
        retry_of=None,
        prompt=execution.prompt,
        context=execution.context,
        config=execution.config,
        results=tuple(execution.results.values()),
        logs=(),
        logs_truncated=False,
        seq=execution.seq,
    )


def running() -> Execution:
    execution = an_execution(a_team(an_agent("a", 1), an_agent("b", 2)))
    advance(execution, NOON)
    return execution


def attached() -> Execution:
    execution = running()
    execution.attach("a", RunRef("thread", "run"))
    return execution


def retrying() -> Execution:
    execution = attached()
    execution.fail("a", AWAY, LATER, retry_in_s=8)
    return execution


def waiting_for_room() -> Execution:
    execution = running()
    execution.wait("a", BUSY, LATER, delay_s=8)
    return execution


def waiting_for_suna() -> Execution:
    execution = running()
    execution.wait("a", AWAY, LATER, delay_s=8)
    return execution


def held() -> Execution:
    execution = an_execution(a_team(an_agent("a", 1)))
    execution.hold(execution.ready(NOON, uuid4), NOON)
    return execution


def one_works_one_waits() -> Execution:
    execution = side_by_side()
    execution.fail("b", AWAY, LATER, retry_in_s=8)
    return execution


def completed(**answer: bool) -> Execution:
    execution = an_execution(a_team(an_agent("a", 1)))
    advance(execution, NOON)
    execution.complete("a", Answer("done", **answer), LATER)
    advance(execution, LATER)
    return execution


def failed() -> Execution:
    execution = running()
    execution.fail("a", AWAY, LATER, retry_in_s=None)
    advance(execution, LATER)
    return execution


def cancelled(stop: RemoteStop = RemoteStop.PENDING) -> Execution:
    execution = attached()
    execution.cancel(LATER, uuid4)
    execution.results["a"].remote_stop = stop
    return execution


def side_by_side() -> Execution:
    from app.domain.teams import WorkflowType

    team = a_team(an_agent("a"), an_agent("b"), workflow=WorkflowType.PARALLEL)
    execution = an_execution(team)
    advance(execution, NOON)
    for key in "ab":
        execution.attach(key, RunRef("thread", key))
    return execution


W = JobState.WORKED
SITUATIONS: dict[str, tuple[Callable[[], Execution], JobState, str, list[WaitsFor], object]] = {
    "no worker yet": (
        an_execution,
        JobState.WAITING,
        "It waits for a worker: no worker has taken it yet.",
        [WaitsFor.WORKER],
        None,
    ),
    "its worker is dead": (
        attached,
        JobState.ABANDONED,
        "It waits for a worker: its worker gives no sign of life; another one takes over in "
        "seconds.",
        [WaitsFor.WORKER, WaitsFor.AGENT_ANSWER],
        None,
    ),
    "its job is lost": (
        attached,
        JobState.NONE,
        "It waits for a worker: its job was lost; that is repaired within 15 s.",
        [WaitsFor.WORKER, WaitsFor.AGENT_ANSWER],
        None,
    ),
    "between two steps": (
        an_execution, W, "It is between two steps.", [], None,
    ),
    "the start is not confirmed": (
        running, W, "It waits for the answer of A (a).", [WaitsFor.AGENT_START], None,
    ),
    "an agent works": (
        attached, W, "It waits for the answer of A (a).", [WaitsFor.AGENT_ANSWER], None,
    ),
    "two agents work": (
        side_by_side,
        W,
        "It waits for the answer of A (a) and B (b).",
        [WaitsFor.AGENT_ANSWER, WaitsFor.AGENT_ANSWER],
        None,
    ),
    "the next attempt is due": (
        retrying,
        W,
        "It waits until the next attempt is due for A (a).",
        [WaitsFor.RETRY],
        DUE,
    ),
    "suna is full": (
        waiting_for_room,
        W,
        "It waits until Suna has room for A (a).",
        [WaitsFor.SUNA_CAPACITY],
        DUE,
    ),
    "suna is away": (
        waiting_for_suna,
        W,
        "It waits until Suna answers again for A (a).",
        [WaitsFor.SUNA_AWAY],
        DUE,
    ),
    "renum's own limit is reached": (
        held, W, "It waits until Suna has room for A (a).", [WaitsFor.SUNA_CAPACITY], None,
    ),
    "one works, one is tried again": (
        one_works_one_waits,
        W,
        "It waits for the answer of A (a), and until the next attempt is due for B (b).",
        [WaitsFor.AGENT_ANSWER, WaitsFor.RETRY],
        DUE,
    ),
    "completed": (completed, JobState.NONE, "It has completed.", [], None),
    "completed with a question": (
        lambda: completed(needs_input=True), JobState.NONE, "It has completed.", [], None,
    ),
    "failed": (
        failed, JobState.NONE, "It has failed: A: Suna answered 503.", [], None,
    ),
    "cancelled, and still being stopped": (
        cancelled, JobState.NONE, "It was cancelled by its user.", [WaitsFor.REMOTE_STOP], None,
    ),
    "cancelled and stopped": (
        lambda: cancelled(RemoteStop.CONFIRMED),
        JobState.NONE,
        "It was cancelled by its user.",
        [],
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_situation_has_its_sentence(situation: str) -> None:
    make, job, summary, waits, next_at = SITUATIONS[situation]
    told = explain(report_of(make()), job, running_limit=5)
    assert told.summary == summary
    assert [w.waits_for for w in told.waits] == waits
    assert told.next_at == next_at
    assert told.next


def test_who_waits_in_the_queue_knows_its_place() -> None:
    report = report_of(an_execution(queued=True), queue_position=3)
    told = explain(report, JobState.NONE, running_limit=5)
    assert told.summary == "It waits for a free slot, at position 3 of the queue."
    (wait,) = told.waits
    assert (wait.waits_for, wait.since) == (WaitsFor.QUEUE_SLOT, NOON)
    assert "5 executions may run at once" in wait.detail
    assert told.deadline_at is None


def test_a_wait_says_for_whom_since_when_and_until_when() -> None:
    told: Explanation = explain(report_of(retrying()), W, running_limit=5)
    (wait,) = told.waits
    assert (wait.key, wait.agent_name, wait.attempt) == ("a", "A", 1)
    assert (wait.since, wait.due_at) == (LATER, DUE)
    assert wait.detail == "attempt 1 failed: Suna answered 503."
    assert told.next == "A is started again."


def test_who_asked_for_input_is_named() -> None:
    told = explain(report_of(completed(needs_input=True)), JobState.NONE, running_limit=5)
    assert told.next == "A asked for input: execute again with it."
