"""An execution's life: legal moves only, ends are final, and events tell all of it."""

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from random import Random
from uuid import uuid4

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.agents import Answer
from app.domain.conditions import Condition, Operator
from app.domain.events import (
    AgentCompleted,
    AgentStarted,
    ExecutionLog,
    ExecutionStatusUpdate,
    NewNotification,
)
from app.domain.execution import Execution
from app.domain.execution_errors import ExecutionFinished
from app.domain.progress import ExecutionStatus
from app.domain.results import AgentStatus, RemoteStop
from app.domain.retry import Failure
from app.domain.teams import OnFailure, Role, Team, WorkflowType
from app.domain.workflow import WorkflowHasCycle
from tests.builders import NOON, a_team, advance, an_agent, an_execution, keys

BROKEN = Failure(code="broken", message="It broke.", retryable=True)
LATER = NOON + timedelta(seconds=5)


def parallel(n: int) -> list[object]:
    return [an_agent(f"k{i}", i) for i in range(n)]


def completed() -> Execution:
    execution = an_execution(a_team(an_agent("a")))
    advance(execution, NOON)
    execution.complete("a", Answer("done"), LATER)
    advance(execution, LATER)
    return execution


def failed() -> Execution:
    execution = an_execution(a_team(an_agent("a")))
    advance(execution, NOON)
    execution.fail("a", BROKEN, LATER, retry_in_s=None)
    advance(execution, LATER)
    return execution


def cancelled() -> Execution:
    execution = an_execution(a_team(an_agent("a")))
    advance(execution, NOON)
    assert execution.cancel(LATER, uuid4)
    return execution


MOVES: dict[str, Callable[[Execution], object]] = {
    "promote": lambda e: e.promote(LATER),
    "advance": lambda e: advance(e, LATER),
    "complete": lambda e: e.complete("a", Answer("late"), LATER),
    "fail": lambda e: e.fail("a", BROKEN, LATER, retry_in_s=None),
    "retry": lambda e: e.fail("a", BROKEN, LATER, retry_in_s=1.0),
    "wait": lambda e: e.wait("a", BROKEN, LATER, delay_s=1.0),
    "give_up": lambda e: e.give_up(BROKEN, LATER, uuid4),
}


@pytest.mark.parametrize("end", [completed, failed, cancelled])
@pytest.mark.parametrize("move", MOVES)
def test_an_end_is_final(end: Callable[[], Execution], move: str) -> None:
    execution = end()
    execution.collect()
    before = deepcopy(execution)
    with pytest.raises(ValueError, match=r"is (completed|failed|cancelled)"):
        MOVES[move](execution)
    assert execution == before
    assert not execution.has_changed


@pytest.mark.parametrize("end", [completed, failed])
def test_what_has_ended_by_itself_cannot_be_cancelled(end: Callable[[], Execution]) -> None:
    execution = end()
    before = deepcopy(execution)
    with pytest.raises(ExecutionFinished):
        execution.cancel(LATER, uuid4)
    assert execution == before


def test_cancelling_twice_changes_nothing() -> None:
    execution = cancelled()
    execution.collect()
    before = deepcopy(execution)
    assert execution.cancel(LATER + timedelta(hours=1), uuid4) is False
    assert execution == before
    assert execution.results["a"].remote_stop is RemoteStop.PENDING


@pytest.mark.parametrize("move", [m for m in MOVES if m != "promote"])
def test_what_waits_in_the_queue_does_not_move(move: str) -> None:
    execution = an_execution(a_team(an_agent("a")), queued=True)
    with pytest.raises(ValueError, match="is pending"):
        MOVES[move](execution)


def test_waiting_in_the_queue_does_not_use_up_the_time() -> None:
    execution = an_execution(queued=True, timeout_minutes=10)
    execution.promote(NOON + timedelta(hours=1))
    assert execution.status is ExecutionStatus.RUNNING
    assert execution.started_at == NOON + timedelta(hours=1)
    assert execution.deadline_at == NOON + timedelta(hours=1, minutes=10)
    with pytest.raises(ValueError, match="is running"):
        execution.promote(LATER)


@pytest.mark.parametrize("limit", [1, 3, 50])
def test_no_more_run_than_may(limit: int) -> None:
    team = a_team(*parallel(5), workflow=WorkflowType.PARALLEL)
    execution = an_execution(team, parallel_limit=limit)
    begun = advance(execution, NOON)
    assert keys(begun) == [f"k{i}" for i in range(min(limit, 5))]
    assert advance(execution, NOON) == []
    execution.complete("k0", Answer("x"), LATER)
    assert len(execution.running()) + len(advance(execution, LATER)) <= limit + 1
    assert len(execution.running()) == min(limit, 4)


def test_who_waits_for_a_later_attempt_gives_its_place_to_others() -> None:
    execution = an_execution(a_team(*parallel(2), workflow=WorkflowType.PARALLEL), parallel_limit=1)
    advance(execution, NOON)
    execution.fail("k0", BROKEN, LATER, retry_in_s=5)
    assert keys(advance(execution, LATER)) == ["k1"]
    due = LATER + timedelta(seconds=5)
    assert advance(execution, due) == [], "there is no room for it now"
    execution.complete("k1", Answer("x"), due)
    assert keys(advance(execution, due)) == ["k0"]
    assert execution.results["k0"].attempts == 2


def test_waiting_for_suna_goes_on_with_the_same_attempt_and_takes_none_of_its_time() -> None:
    execution = an_execution(a_team(an_agent("a")))
    advance(execution, NOON)
    for minute in (1, 2, 3):
        at = NOON + timedelta(minutes=minute)
        execution.wait("a", BROKEN, at, delay_s=60)
        assert advance(execution, at) == []
        (result,) = advance(execution, at + timedelta(seconds=60))
        assert (result.attempts, result.waiting_since) == (1, NOON + timedelta(minutes=1))
    execution.complete("a", Answer("x"), NOON + timedelta(minutes=5))
    advance(execution, NOON + timedelta(minutes=5))
    assert execution.results["a"].execution_time_ms == 60_000
    events = execution.collect().events
    assert len([e for e in events if isinstance(e, AgentStarted)]) == 1


def test_what_is_held_is_begun_when_it_may_and_told_once() -> None:
    execution = an_execution(a_team(an_agent("a")))
    for _ in range(3):
        ready = execution.ready(NOON, uuid4)
        execution.hold(ready, NOON)
    assert execution.results["a"].status is AgentStatus.PENDING
    lines = [e.message for e in execution.collect().events if isinstance(e, ExecutionLog)]
    assert lines == ["Execution started", "A waits until Suna has room"]
    execution.begin(ready, LATER, uuid4)
    result = execution.results["a"]
    assert (result.status, result.started_at, result.waiting_since) == ("running", LATER, None)


def test_a_failure_stops_what_has_not_begun_and_siblings_finish() -> None:
    agents = [an_agent(f"k{i}", i, on_failure=OnFailure.STOP) for i in range(3)]
    team = a_team(*agents, workflow=WorkflowType.PARALLEL)
    execution = an_execution(team, parallel_limit=2)
    advance(execution, NOON)
    execution.fail("k0", BROKEN, LATER, retry_in_s=None)
    assert advance(execution, LATER) == []
    assert [r.status for r in execution.results.values()] == ["failed", "running", "skipped"]
    assert execution.status is ExecutionStatus.RUNNING
    execution.complete("k1", Answer("x"), LATER)
    advance(execution, LATER)
    assert (execution.status, execution.error_code) == (ExecutionStatus.FAILED, "broken")


def test_giving_up_fails_what_runs_and_skips_the_rest() -> None:
    execution = an_execution()
    advance(execution, NOON)
    execution.give_up(BROKEN, LATER, uuid4)
    assert execution.status is ExecutionStatus.FAILED
    assert [r.status for r in execution.results.values()] == ["failed", "skipped", "skipped"]
    assert execution.needs_remote_stop()


def any_team(workflow: WorkflowType, size: int, rng: Random) -> Team:
    """A valid team with edges of its own, alternatives, and conditions that look back."""
    agents = []
    for i in range(size):
        earlier = [f"k{j}" for j in range(i)]
        asked = [k for k in earlier if rng.random() < 0.2]
        agents.append(
            an_agent(
                f"k{i}",
                i // 2 if workflow is WorkflowType.CONDITIONAL else i,
                Role.COORDINATOR if i == size - 1 and rng.random() < 0.3 else Role.MEMBER,
                on_failure=rng.choice([None, *OnFailure]),
                depends_on=tuple(k for k in earlier if rng.random() < 0.2),
                conditions=tuple(
                    Condition(
                        field=f"results.{k}.status",
                        operator=rng.choice([Operator.EQUALS, Operator.NOT_EQUALS]),
                        value=rng.choice(["completed", "failed", "skipped"]),
                    )
                    for k in asked
                ),
            )
        )
    return a_team(*agents, workflow=workflow)


@given(
    workflow=st.sampled_from(WorkflowType),
    size=st.integers(1, 6),
    limit=st.integers(1, 4),
    seed=st.integers(0, 2**32),
)
def test_whatever_happens_every_step_ends_once_and_the_events_tell_it(
    workflow: WorkflowType, size: int, limit: int, seed: int
) -> None:
    rng = Random(seed)
    try:
        execution = an_execution(
            any_team(workflow, size, rng), parallel_limit=limit, queued=rng.random() < 0.2
        )
    except WorkflowHasCycle:  # in a conditional team an alternative may not wait for the other
        assume(False)
        raise
    now, events = NOON, []
    for _ in range(500):
        now += timedelta(seconds=1)
        if execution.status is ExecutionStatus.PENDING:
            execution.promote(now)
        running = [r for r in execution.running() if r.at_work]
        if rng.random() < 0.02:
            execution.cancel(now, uuid4)
        elif rng.random() < 0.02:
            execution.give_up(BROKEN, now, uuid4)
        else:
            if running:
                happen(execution, rng.choice(running).key, rng, now)
            ready = execution.ready(now, uuid4)
            held = [r for r in ready if rng.random() < 0.2]
            execution.hold(held, now)
            execution.begin([r for r in ready if r not in held], now, uuid4)
        assert sum(r.at_work for r in execution.running()) <= limit
        events += execution.collect().events
        if execution.status.is_final:
            break
    assert execution.status.is_final
    assert all(r.status.is_final for r in execution.results.values())

    told = dict.fromkeys(execution.results, AgentStatus.PENDING)
    ends = []
    for event in events:
        if isinstance(event, AgentStarted):
            assert not told[event.key].is_final
            assert all(told[need].is_final for need in execution.plan.step(event.key).needs)
            told[event.key] = AgentStatus.RUNNING
        elif isinstance(event, AgentCompleted):
            ends.append(event.key)
            told[event.key] = AgentStatus(event.status)
        elif isinstance(event, ExecutionStatusUpdate):
            counts = list(told.values())
            assert event.progress.completed_agents == counts.count(AgentStatus.COMPLETED)
            assert event.progress.failed_agents == counts.count(AgentStatus.FAILED)
            assert event.progress.skipped_agents == counts.count(AgentStatus.SKIPPED)
    assert told == {k: r.status for k, r in execution.results.items()}
    assert sorted(ends) == sorted(execution.results)
    numbered = [e.seq for e in events if not isinstance(e, NewNotification)]
    assert numbered == list(range(1, execution.seq + 1))
    last = [e for e in events if isinstance(e, ExecutionStatusUpdate)][-1]
    assert (last.status, last.progress) == (execution.status, execution.progress)
    assert last.progress.percentage == 100
    assert [e.type for e in events if isinstance(e, NewNotification)] == [
        f"execution_{execution.status}"
    ]


def happen(execution: Execution, key: str, rng: Random, now: object) -> None:
    result = execution.results[key]
    match rng.randrange(4):
        case 0:
            execution.fail(key, BROKEN, now, retry_in_s=None)
        case 1 if result.attempts < 3:
            execution.fail(key, BROKEN, now, retry_in_s=1.0)
        case 2 if rng.random() < 0.5:
            execution.wait(key, BROKEN, now, delay_s=1.0)
        case _:
            execution.complete(key, Answer("x"), now)
